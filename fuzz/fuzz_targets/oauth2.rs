#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sansession_fuzz::oauth2(data));
