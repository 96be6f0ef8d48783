//! `ops topology`: queues, exchanges, bindings and policies on the broker, compared with what this release needs.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use millrace_broker::topology::{Management, Plan, TopologyError, apply, plan, vhost_of};
use millrace_contracts::{Topology as Wanted, catalog};
use millrace_service::Fatal;
use millrace_service::settings::{BrokerSettings, ManagementSettings};

use crate::run::say;

/// What `plan` exits with when there is something to do.
const DIFFERENT: u8 = 2;

/// Queues, exchanges, bindings and policies on the broker, compared with what this release needs
#[derive(Args)]
pub struct Topology {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Says what would be done, and changes nothing. Exits with 2 when there is a difference
    Plan(Target),
    /// Makes the broker as this release needs it. Doing it twice does no harm
    Apply(Target),
}

#[derive(Args)]
struct Target {
    /// Its path names the vhost
    #[command(flatten)]
    broker: BrokerSettings,
    #[command(flatten)]
    management: ManagementSettings,

    /// Every retry delay is multiplied by this (0.001 to 1); less than 1 is for tests
    #[arg(long, env = "RETRY_SCALE", value_name = "FACTOR", default_value = "1", value_parser = retry_scale)]
    retry_scale: f64,
}

fn retry_scale(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(scale) if (0.001..=1.0).contains(&scale) => Ok(scale),
        _ => Err("expected a number from 0.001 to 1".to_owned()),
    }
}

impl Topology {
    pub async fn run(self) -> Result<ExitCode, Fatal> {
        match self.action {
            Action::Plan(target) => target.plan().await,
            Action::Apply(target) => target.apply().await,
        }
    }
}

impl Target {
    async fn plan(&self) -> Result<ExitCode, Fatal> {
        let management = self.management()?;
        let found = plan(&management, &Wanted::of(catalog(), self.retry_scale)).await.map_err(failed)?;
        print(&found, management.vhost());
        Ok(if found.is_settled() { ExitCode::SUCCESS } else { ExitCode::from(DIFFERENT) })
    }

    async fn apply(&self) -> Result<ExitCode, Fatal> {
        let management = self.management()?;
        let mut steps = 0;
        let done = |step: &_| {
            steps += 1;
            say(step);
        };
        let warnings =
            apply(&management, &Wanted::of(catalog(), self.retry_scale), done).await.map_err(failed)?;
        for warning in warnings {
            eprintln!("Warning: {warning}");
        }
        match steps {
            0 => say(format!("Vhost `{}` is as it should be; nothing was to be done", management.vhost())),
            _ => say(format!("Vhost `{}` is as it should be now; steps taken: {steps}", management.vhost())),
        }
        Ok(ExitCode::SUCCESS)
    }

    fn management(&self) -> Result<Management, Fatal> {
        let vhost = vhost_of(self.broker.amqp_url.url());
        let management = Management::new(self.management.amqp_management_url.url(), vhost);
        management.map_err(|error| failed(error.into()))
    }
}

fn print(found: &Plan, vhost: &str) {
    for warning in &found.warnings {
        eprintln!("Warning: {warning}");
    }
    if found.is_settled() {
        say(format!("Vhost `{vhost}` is as it should be"));
        return;
    }
    for obstacle in &found.obstacles {
        say(format!("Obstacle: {obstacle}"));
    }
    for step in &found.steps {
        say(format!("Would {step}"));
    }
}

/// These errors are sentences already.
fn failed(error: TopologyError) -> Fatal {
    Fatal::failed(error.to_string())
}
