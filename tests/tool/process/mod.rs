//! A run of the tool, and what is known of it afterwards.

mod proxy;
mod run;

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use sansession::drive::now;
use sansession::sim::{CbrainSim, Server, Simulator};
use serde_json::Value;

pub use proxy::Proxy;
pub use run::Run;

/// The longest that anything here may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

pub const PASSWORD: &str = "correct horse";

/// A portal of its own for each test, with one user.
pub fn portal() -> Server<CbrainSim> {
    let mut portal = CbrainSim::new(1);
    portal.add_user("norm", PASSWORD);
    Server::start(portal, now).unwrap()
}

/// What a server was asked, in order.
pub fn asked<S: Simulator + 'static>(server: &Server<S>) -> Vec<String> {
    server.log().iter().map(|served| format!("{} {}", served.method, served.path)).collect()
}

/// The tool, in an environment without any secrets and without a terminal.
pub fn tool(args: &str) -> Tool {
    started(&path(), args)
}

/// A program in the place of the tool.
pub fn started(path: &Path, args: &str) -> Tool {
    let mut command = Command::new(path);
    for name in ["USER", "PASSWORD", "CODE", "PIN", "TOKEN"] {
        command.env_remove(format!("SANSESSION_{name}")).env_remove(format!("SANSESSION_{name}_FILE"));
    }
    // Not in the foreground of a terminal, where a Ctrl-C is told to the whole group.
    command.process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.args(args.split_whitespace());
    Tool(command)
}

pub struct Tool(Command);

impl Tool {
    pub fn arg(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.0.arg(name).arg(value);
        self
    }

    pub fn at<S: Simulator + 'static>(self, server: &Server<S>) -> Self {
        self.arg("--url", server.url())
    }

    pub fn env(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.0.env(name, value);
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.0.env_remove(name);
        self
    }

    /// With the password that is right.
    pub fn norm(self) -> Self {
        self.env("SANSESSION_USER", "norm").env("SANSESSION_PASSWORD", PASSWORD)
    }

    /// Started by `sh` after these words.
    pub fn under(self, script: &str) -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!(r#"{script}; exec "$0" "$@""#)]);
        self.started_by(shell)
    }

    /// Without the rights of root to write where nobody may.
    pub fn without_rights(self) -> Self {
        self.started_by(without_rights())
    }

    fn started_by(self, mut other: Command) -> Self {
        other.arg(self.0.get_program()).args(self.0.get_args());
        for (name, value) in self.0.get_envs() {
            match value {
                Some(value) => other.env(name, value),
                None => other.env_remove(name),
            };
        }
        other.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self(other)
    }

    /// With a command for `sh`, which takes the words after it as `$1` and so on.
    pub fn exec(mut self, script: &str) -> Self {
        self.0.args(["--exec", "sh", "-c", script]);
        self
    }

    /// The command itself, for those who start it in their own way.
    pub fn into_command(self) -> Command {
        self.0
    }

    pub fn starts(mut self) -> Running {
        let mut child = self.0.spawn().unwrap();
        let (stdout, mut stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let (tell, more) = channel();
        thread::spawn(move || {
            BufReader::new(stdout).lines().map_while(Result::ok).try_for_each(|line| tell.send(line))
        });
        let err = thread::spawn(move || {
            let mut text = String::new();
            let _ = stderr.read_to_string(&mut text);
            text
        });
        Running { child, lines: Vec::new(), more, err: Some(err) }
    }

    pub fn runs(self) -> Run {
        self.starts().ends()
    }

    /// Starts it with its lines and words going there.
    pub fn speaks_to(mut self, stdout: impl Into<Stdio>, stderr: impl Into<Stdio>) -> Mute {
        Mute(self.0.stdout(stdout).stderr(stderr).spawn().unwrap())
    }
}

pub struct Running {
    child: Child,
    pub lines: Vec<String>,
    more: Receiver<String>,
    err: Option<JoinHandle<String>>,
}

impl Running {
    /// Waits for a line that has all these words.
    #[track_caller]
    pub fn says(&mut self, words: &[&str]) -> String {
        loop {
            let Ok(line) = self.more.recv_timeout(PATIENCE) else { panic!("{words:?} is not in {:#?}", self.lines) };
            self.lines.push(line.clone());
            if words.iter().all(|word| line.contains(word)) {
                return line;
            }
        }
    }

    pub fn is_active(&mut self) {
        self.says(&[r#""to":"active""#]);
    }

    /// Waits until it listens, and gives its address and secret.
    #[track_caller]
    pub fn listens(&mut self) -> Proxy {
        let line: Value = serde_json::from_str(&self.says(&[r#""event":"listening""#])).unwrap();
        let address = line["url"].as_str().unwrap().split_once("://").unwrap().1.to_owned();
        Proxy { address, secret: line["secret"].as_str().unwrap_or_default().to_owned() }
    }

    /// Returns its number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by its name, such as `TERM`.
    pub fn gets(&self, signal: &str) {
        send(&self.child, signal);
    }

    /// Returns how much memory it has had at most, in bytes.
    #[cfg(target_os = "linux")]
    pub fn peak(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    /// Returns how often its threads have gone to sleep by themselves.
    #[cfg(target_os = "linux")]
    pub fn sleeps(&self) -> u64 {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let sleeps = |task: PathBuf| {
            let status = std::fs::read_to_string(task.join("status")).unwrap();
            let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")).unwrap();
            line.trim().parse::<u64>().unwrap()
        };
        tasks.map(|task| sleeps(task.unwrap().path())).sum()
    }

    /// Lets it write to no file any more, as a full disk does.
    #[cfg(target_os = "linux")]
    pub fn writes_nothing(&self) {
        use rustix::process::{Pid, Resource, Rlimit, prlimit};
        let nothing = Rlimit { current: Some(0), maximum: None };
        prlimit(Some(Pid::from_child(&self.child)), Resource::Fsize, nothing).unwrap();
    }

    #[track_caller]
    pub fn ends(mut self) -> Run {
        while let Ok(line) = self.more.recv_timeout(PATIENCE) {
            self.lines.push(line);
        }
        let code = self.child.wait().unwrap().code();
        let err = self.err.take().unwrap().join().unwrap();
        let run = Run { code, lines: std::mem::take(&mut self.lines), err };
        run.keeps_secrets();
        run
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A failed test leaves no process behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A run that nobody hears.
pub struct Mute(Child);

impl Mute {
    pub fn gets(&self, signal: &str) {
        send(&self.0, signal);
    }

    #[track_caller]
    pub fn exits(&mut self, code: i32) {
        assert_eq!(self.0.wait().unwrap().code(), Some(code));
    }
}

impl Drop for Mute {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn send(child: &Child, signal: &str) {
    let sent = Command::new("sh").arg("-c").arg(format!("kill -{signal} {}", child.id())).status();
    assert!(sent.unwrap().success());
}

/// Reports whether a program of [`Tool::without_rights`] can be kept from writing to a directory.
pub fn obeys_rights(directory: &Path) -> bool {
    let probe = directory.join("probe");
    let tried = without_rights().arg("touch").arg(&probe).stderr(Stdio::null()).status();
    let obeys = tried.is_ok() && !probe.exists();
    if !obeys {
        eprintln!("left out: root cannot do without its rights here");
    }
    obeys
}

fn without_rights() -> Command {
    if !rustix::process::geteuid().is_root() {
        return Command::new("env");
    }
    let mut command = Command::new("setpriv");
    command.arg("--bounding-set=-dac_override,-dac_read_search");
    command
}

/// Reports whether a process runs; one that only waits to be heard of does not.
pub fn runs(id: &str) -> bool {
    let found = Command::new("ps").args(["-o", "stat=", "-p", id.trim()]).output().unwrap();
    String::from_utf8_lossy(&found.stdout).trim().chars().next().is_some_and(|state| state != 'Z')
}

/// The command.
pub fn path() -> PathBuf {
    env!("CARGO_BIN_EXE_sansession").into()
}

/// The example that with arguments is the command, too.
pub fn example() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    let path = profile.join("examples").join(format!("session{}", std::env::consts::EXE_SUFFIX));
    assert!(path.exists(), "{} is not there: `cargo build --example session` makes it", path.display());
    path
}
