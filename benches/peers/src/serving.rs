//! The server that all clients are measured with, started and asked.

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The server, in a process of its own.
pub struct Server {
    process: Child,
    /// The base URL over plain http.
    pub plain: String,
    /// The base URL over https.
    pub secure: String,
}

impl Server {
    /// Starts the program `server` of this directory.
    ///
    /// # Errors
    /// It is not there, or its port is taken.
    pub fn start(bins: &Path) -> Result<Self> {
        let mut process = Command::new(bins.join("server")).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(process.stdout.take().ok_or("no output")?).read_line(&mut line)?;
        let (plain, secure) = line.trim().split_once(' ').ok_or("the server does not start: is port 5000 taken?")?;
        Ok(Self { process, plain: plain.into(), secure: secure.into() })
    }

    /// Returns how many requests and bytes came since this was last asked.
    ///
    /// # Errors
    /// It does not answer.
    pub fn seen(&self) -> Result<(u64, u64)> {
        let text = ureq::get(format!("{}/seen", self.plain)).call()?.body_mut().read_to_string()?;
        let (requests, bytes) = text.split_once(' ').ok_or("two numbers")?;
        Ok((requests.parse()?, bytes.parse()?))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
