//! The program plays its story.

#[test]
fn the_program_plays_its_story() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_async_smol")).output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && told.contains("KeptAlive") && told.ends_with("logged out\n"), "{told}");
}
