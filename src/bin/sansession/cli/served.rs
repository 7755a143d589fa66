//! What can be said about a simulator that is served alone.

use std::time::Duration;

use sansession::sim::ibkr::{GatewaySim, RateLimits};
use sansession::sim::kotak::{NeoSim, neo};

use crate::cli::Usage;
use crate::cli::args::Provider;

/// How long an answer of IBKR's simulators takes: a program that waits for each stays below ten requests a second,
/// as it does with the real servers.
const LATENCY: Duration = Duration::from_millis(100);

/// The options of `--serve`.
#[derive(Debug, Default)]
pub struct Served {
    limits: Option<RateLimits>,
    /// Paths below the base, and the JSON that is answered there.
    bodies: Vec<(String, String)>,
}

impl Served {
    pub fn limits(&mut self, how: &str) -> Result<(), Usage> {
        self.limits = Some(match how {
            "off" => RateLimits::Off,
            "reported" => RateLimits::Reported,
            "documented" => RateLimits::Documented,
            other => return Err(Usage(format!("--limits {other:?}: off, reported or documented"))),
        });
        Ok(())
    }

    /// Takes `PATH=FILE`.
    pub fn body(&mut self, text: &str) -> Result<(), Usage> {
        let (path, file) = text
            .split_once('=')
            .filter(|(path, file)| path.starts_with('/') && !file.is_empty())
            .ok_or_else(|| Usage(format!("--body {text:?}: a path and a file, as in /trsrv/stocks=stocks.json")))?;
        let body = std::fs::read_to_string(file).map_err(|error| Usage(format!("--body {file}: {error}")))?;
        self.bodies.push((path.to_owned(), body));
        Ok(())
    }

    /// Complains of options that this simulator does not have.
    pub fn check(&self, provider: Provider) -> Result<(), Usage> {
        let name = provider.name();
        if provider.has_brokerage() {
            return Ok(());
        }
        if !self.bodies.is_empty() {
            return Err(Usage(format!("--body is for ibkr-*, not for {name}")));
        }
        match self.limits {
            None => Ok(()),
            Some(RateLimits::Reported) if name == "kotak-neo" => {
                Err(Usage("--limits reported is for ibkr-*: kotak-neo has off and documented".into()))
            }
            Some(_) if name == "kotak-neo" => Ok(()),
            Some(_) => Err(Usage(format!("--limits is for ibkr-* and kotak-neo, not for {name}"))),
        }
    }

    /// Makes Neo's simulator as it was wanted.
    pub fn prepare_neo(self, api: &mut NeoSim) {
        if self.limits == Some(RateLimits::Off) {
            api.set_limits(neo::RateLimits::Off);
        }
    }

    /// Creates a simulated gateway, or what is behind OAuth, as it was wanted.
    pub fn prepare(self, gateway: &mut GatewaySim) {
        gateway.settings().latency = LATENCY;
        if let Some(limits) = self.limits {
            gateway.settings().limits = limits;
        }
        for (path, body) in self.bodies {
            gateway.serve(path, body);
        }
    }
}
