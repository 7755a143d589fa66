//! A user's directories, with profiles in them.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use sansession::sim::{Server, Simulator};

use crate::process::{PASSWORD, Tool, tool};

/// A home of its own for each test.
pub struct Home(tempfile::TempDir);

impl Home {
    pub fn new() -> Self {
        let home = Self(tempfile::tempdir().unwrap());
        fs::create_dir_all(home.config("")).unwrap();
        home
    }

    /// With the profile `portal`, whose password is in a file.
    pub fn of<S: Simulator + 'static>(server: &Server<S>) -> Self {
        let home = Self::new();
        home.secret("password", PASSWORD);
        home.profiles(&portal(server.url(), ""));
        home
    }

    /// The same, which listens at any port.
    pub fn listening<S: Simulator + 'static>(server: &Server<S>) -> Self {
        let home = Self::of(server);
        home.profiles(&portal(server.url(), "listen = \"127.0.0.1:0\""));
        home
    }

    /// Returns a file beside the profiles.
    pub fn config(&self, name: &str) -> PathBuf {
        self.0.path().join("config/sansession").join(name)
    }

    /// Returns a file beside the sessions.
    pub fn state(&self, name: &str) -> PathBuf {
        self.0.path().join("state/sansession").join(name)
    }

    pub fn profiles(&self, text: &str) {
        fs::write(self.config("profiles.toml"), text).unwrap();
    }

    /// Writes a file that nobody else may read.
    pub fn secret(&self, name: &str, text: &str) {
        fs::write(self.config(name), text).unwrap();
        mode(&self.config(name), 0o600);
    }

    /// The tool of this user, whose environment has no secrets.
    pub fn tool(&self, args: &str) -> Tool {
        let tool = tool(args).env("HOME", self.0.path());
        tool.env("XDG_CONFIG_HOME", self.0.path().join("config")).env("XDG_STATE_HOME", self.0.path().join("state"))
    }

    /// What the tool prints, which may be a token.
    #[track_caller]
    pub fn prints(&self, args: &str) -> String {
        let output = self.tool(args).into_command().output().unwrap();
        assert!(output.status.success(), "{args}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

/// A profile of a user `norm`.
pub fn portal(url: &str, more: &str) -> String {
    format!(
        "[portal]\nprovider = \"cbrain\"\nurl = \"{url}\"\nuser = \"norm\"\npassword-file = \"password\"\npatience = \"5s\"\n{more}\n"
    )
}

pub fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

pub fn mode_of(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}
