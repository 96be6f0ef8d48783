//! Starting Millrace's programs: tables and queues first, then the API and the workers, each where a port is free.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

use tokio::sync::Mutex;

use super::program::{Log, Program};
use super::{Role, StackError, Unit, Units};
use crate::services::watchdog::Watchdog;
use crate::services::{Addresses, ports};

/// The program that serves the API.
pub const API: &str = "producer-api";

/// What lets clients in, and what makes the ids of their jobs.
#[derive(Debug, Clone)]
pub struct Secrets {
    /// The key for development; its client is called `dev`.
    pub api_key: String,
    /// What job ids are made with; every process of one system has the same.
    pub job_id_secret: String,
}

impl Secrets {
    #[must_use]
    pub fn random() -> Self {
        let password = |count| (0..count).map(|_| ports::password()).collect::<String>();
        Self { api_key: format!("dev-{}", password(2)), job_id_secret: password(3) }
    }
}

/// Starts programs, all of them from one folder and with the same environment.
#[derive(Debug, Clone)]
pub struct Launcher {
    pub programs: PathBuf,
    pub log: Log,
    /// Given to every program on top of what it needs.
    pub environment: Vec<(String, String)>,
    /// Ends the programs when this process ends, however it does.
    pub watchdog: Arc<Watchdog>,
}

impl Launcher {
    /// Creates tables, exchanges and queues; they may be there already.
    ///
    /// # Errors
    ///
    /// With what `ops` said, when it could not.
    pub fn prepare(&self, addresses: &Addresses) -> Result<(), StackError> {
        self.ops(&["migrate"], addresses)?;
        self.ops(&["topology", "apply"], addresses)
    }

    /// Runs the operator's toolbox to its end.
    ///
    /// # Errors
    ///
    /// With what it said, when it failed.
    pub fn ops(&self, arguments: &[&str], addresses: &Addresses) -> Result<(), StackError> {
        let mut ops = Command::new(self.programs.join("ops"));
        ops.args(arguments).envs(self.environment_with(addresses, Vec::new())).stdin(Stdio::null());
        let output = ops.output()?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
            return Err(StackError::new(format!("ops {} ({})", arguments.join(" "), output.status), said));
        }
        Ok(())
    }

    /// Starts the API and does not wait for it.
    pub fn api(
        &self,
        name: &str,
        listens: SocketAddr,
        secrets: &Secrets,
        addresses: &Addresses,
    ) -> Result<Unit, StackError> {
        let own = vec![
            ("API_LISTEN", listens.to_string()),
            ("DEV_API_KEY", secrets.api_key.clone()),
            ("JOB_ID_SECRET", secrets.job_id_secret.clone()),
        ];
        self.unit(name, API, Role::Api, listens, self.environment_with(addresses, own))
    }

    /// Starts a domain's worker and does not wait for it.
    pub fn worker(&self, name: &str, domain: &str, addresses: &Addresses) -> Result<Unit, StackError> {
        let listens = free_address()?;
        let environment = self.environment_with(addresses, vec![("PROBES_LISTEN", listens.to_string())]);
        self.unit(name, &format!("{domain}-worker"), Role::Worker(domain.to_owned()), listens, environment)
    }

    /// Starts an API at each of these addresses and so many workers of each domain, and does not wait for them. The first
    /// of `servers` are for the APIs, the others for the workers.
    pub fn system(
        &self,
        apis: &[SocketAddr],
        (domains, each): (&[String], usize),
        secrets: &Secrets,
        servers: [&Addresses; 2],
    ) -> Result<Units, StackError> {
        let numbered =
            |name: &str, number, of| if of > 1 { format!("{name}-{number}") } else { name.to_owned() };
        let [for_apis, for_workers] = servers;
        let mut units = Vec::new();
        for (number, listens) in (1..).zip(apis) {
            units.push(self.api(&numbered(API, number, apis.len()), *listens, secrets, for_apis)?);
        }
        for domain in domains {
            for number in 1..=each {
                let name = numbered(&format!("{domain}-worker"), number, each);
                units.push(self.worker(&name, domain, for_workers)?);
            }
        }
        Ok(Units::new(units, Arc::clone(&self.watchdog)))
    }

    fn unit(
        &self,
        name: &str,
        program: &str,
        role: Role,
        listens: SocketAddr,
        environment: Vec<(String, String)>,
    ) -> Result<Unit, StackError> {
        let path = self.programs.join(program);
        let started = Program::start(name, &path, environment, self.log.clone(), &self.watchdog);
        let program =
            started.map_err(|error| StackError::new(format!("starting {}", path.display()), error))?;
        Ok(Unit { name: name.to_owned(), role, listens, program: Arc::new(Mutex::new(program)) })
    }

    fn environment_with(&self, addresses: &Addresses, own: Vec<(&str, String)>) -> Vec<(String, String)> {
        let Addresses { amqp_url, management_url, database_url } = addresses.clone();
        let servers =
            [("AMQP_URL", amqp_url), ("AMQP_MANAGEMENT_URL", management_url), ("DATABASE_URL", database_url)];
        let needed = servers.into_iter().chain(own).map(|(name, value)| (name.to_owned(), value));
        needed.chain(self.environment.iter().cloned()).collect()
    }
}

/// An address on loopback on which nothing listens.
pub fn free_address() -> Result<SocketAddr, StackError> {
    let [port] = ports::free()?;
    Ok(SocketAddr::from(([127, 0, 0, 1], port)))
}
