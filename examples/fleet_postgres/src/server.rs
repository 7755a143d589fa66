//! A PostgreSQL server of one's own, in a temporary directory, on a unix socket.

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;

use crate::store::Store;

/// A private server. It stops when this is dropped, or when this process dies.
pub struct PrivateServer {
    place: TempDir,
    programs: PathBuf,
    running: Option<Child>,
}

impl PrivateServer {
    /// Creates an empty database and starts a server for it.
    ///
    /// PostgreSQL refuses to run as root, so root runs it as the user `postgres`, whom Debian's package makes.
    pub fn start() -> Result<Self> {
        let programs = programs().context("no PostgreSQL server is installed; Debian's package is `postgresql`")?;
        let place = tempfile::Builder::new().prefix("fleet").tempdir()?;
        if geteuid().is_root() {
            let (user, group) = postgres_user().context("there is no user `postgres` to run the server as")?;
            chown(place.path(), Some(user), Some(group))?;
        }
        let mut server = Self { place, programs, running: None };
        let made = server
            .command("initdb")
            .args(["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "--no-instructions"])
            .arg("--pgdata")
            .arg(server.place.path().join("data"))
            .stdout(Stdio::null())
            .status()?;
        ensure!(made.success(), "initdb: {made}");
        server.go_on()?;
        Ok(server)
    }

    /// Returns the `DATABASE_URL`.
    pub fn url(&self) -> String {
        format!("host={} user=postgres dbname=postgres", self.place.path().display())
    }

    /// Returns the server's process.
    pub fn pid(&self) -> Option<u32> {
        self.running.as_ref().map(Child::id)
    }

    /// Lets the server go away, in good order or, as in a power cut, not.
    pub fn stop(&mut self, in_good_order: bool) -> Result<()> {
        if let Some(mut child) = self.running.take() {
            let signal = if in_good_order { Signal::INT } else { Signal::QUIT };
            kill_process(Pid::from_child(&child), signal)?;
            child.wait()?;
        }
        Ok(())
    }

    /// Starts the server again.
    pub fn go_on(&mut self) -> Result<()> {
        let (place, log) = (self.place.path(), fs::File::create(self.place.path().join("log"))?);
        let child = self
            .command("postgres")
            .arg("-D")
            .arg(place.join("data"))
            .arg("-k")
            .arg(place)
            // All clients of this process's machine come by the socket. The rest is as Debian ships it, but
            // that little old log is kept.
            .args(["-c", "listen_addresses=", "-c", "max_wal_size=256MB", "-c", "shared_buffers=128MB"])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .context("postgres")?;
        self.running = Some(child);
        Store::new(&self.url())?.wait(Duration::from_secs(60))
    }

    fn command(&self, program: &str) -> Command {
        // `setpriv` is of Debian's util-linux, so it is always there. The signal ends the server with its parent.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "INT"]).current_dir(self.place.path()).stdin(Stdio::null());
        if geteuid().is_root() {
            command.args(["--reuid", "postgres", "--regid", "postgres", "--init-groups"]);
        }
        command.arg(self.programs.join(program));
        command
    }
}

impl Drop for PrivateServer {
    fn drop(&mut self) {
        let _ = self.stop(true);
    }
}

fn programs() -> Option<PathBuf> {
    let mut versions: Vec<PathBuf> =
        fs::read_dir("/usr/lib/postgresql").ok()?.flatten().map(|entry| entry.path().join("bin")).collect();
    versions.sort();
    versions.into_iter().rfind(|programs| programs.join("initdb").exists()).or_else(|| {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).find(|programs: &PathBuf| Path::new(programs).join("initdb").exists())
    })
}

fn postgres_user() -> Option<(u32, u32)> {
    let users = fs::read_to_string("/etc/passwd").ok()?;
    let line = users.lines().find(|line| line.starts_with("postgres:"))?;
    let mut fields = line.split(':').skip(2);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}
