//! Worker processes, and what processes cost.

use std::fs;
use std::process::{Child, Command};
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};

use crate::settings::{KEYS, Settings};

/// A worker in a process of its own: this program, started again.
pub struct Process {
    child: Child,
    /// Its name.
    pub name: String,
}

impl Process {
    /// Starts a worker; the keys go by the environment.
    pub fn start(settings: &Settings, keys: &str) -> Result<Self> {
        let program = std::env::current_exe().context("this program's own path")?;
        let child = Command::new(program)
            .arg("--worker")
            .arg(serde_json::to_string(settings)?)
            .env(KEYS, keys)
            .spawn()
            .context("a worker cannot be started")?;
        Ok(Self { child, name: settings.name.clone() })
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        Ok(kill_process(Pid::from_child(&self.child), signal)?)
    }

    /// Waits for its end.
    pub fn wait(mut self) -> Result<bool> {
        Ok(self.child.wait()?.success())
    }

    /// Returns the processor time that it has used.
    pub fn cpu(&self) -> Duration {
        cpu(self.child.id())
    }
}

/// Returns the processor time of a process and of the children that it has waited for.
pub fn cpu(pid: u32) -> Duration {
    // The name in parentheses may hold anything, so the fields count from its end: utime is the 12th.
    let ticks: u64 = stat(pid).map_or(0, |stat| fields(&stat, 11, 4).sum());
    // Linux counts in hundredths of a second here, whatever its own tick is.
    Duration::from_millis(ticks * 10)
}

/// Returns the processor time of a process and all its children, living or not.
pub fn cpu_of_family(pid: u32) -> Duration {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let children = ids.filter(|id| stat(*id).is_some_and(|stat| fields(&stat, 1, 1).eq([u64::from(pid)])));
    cpu(pid) + children.map(cpu).sum::<Duration>()
}

fn stat(pid: u32) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(text.rsplit_once(") ")?.1.to_owned())
}

fn fields(stat: &str, first: usize, count: usize) -> impl Iterator<Item = u64> + '_ {
    stat.split(' ').skip(first).take(count).filter_map(|field| field.parse().ok())
}
