//! `ops topology`: compares the queues, exchanges, bindings and policies on the broker with what this release needs.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use millrace_broker::topology::{Management, Plan, TopologyError, apply, plan, vhost_of};
use millrace_protocol::Catalog;
use millrace_protocol::topology::Topology as Wanted;
use millrace_service::Fatal;
use millrace_service::settings::{BrokerSettings, ManagementSettings};

use crate::program::say;

/// The exit code of `plan` when there is a difference.
const DIFFERENT: u8 = 2;

/// Queues, exchanges, bindings and policies on the broker
#[derive(Args)]
pub struct Topology {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Lists what `apply` would change; exits with 2 if there is a difference
    Plan(Target),
    /// Changes the broker to what this release needs; running it twice does no harm
    Apply(Target),
}

#[derive(Args)]
struct Target {
    /// The path of AMQP_URL names the vhost.
    #[command(flatten)]
    broker: BrokerSettings,
    #[command(flatten)]
    management: ManagementSettings,

    /// Factor for all retry delays (0.001 to 1); below 1 for tests only
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
    pub async fn run(self, catalog: &Catalog) -> Result<ExitCode, Fatal> {
        match self.action {
            Action::Plan(target) => target.plan(catalog).await,
            Action::Apply(target) => target.apply(catalog).await,
        }
    }
}

impl Target {
    async fn plan(&self, catalog: &Catalog) -> Result<ExitCode, Fatal> {
        let management = self.management()?;
        let found = plan(&management, &Wanted::of(catalog, self.retry_scale)).await.map_err(failed)?;
        print(&found, management.vhost());
        Ok(if found.is_settled() { ExitCode::SUCCESS } else { ExitCode::from(DIFFERENT) })
    }

    async fn apply(&self, catalog: &Catalog) -> Result<ExitCode, Fatal> {
        let management = self.management()?;
        let mut steps = 0;
        let done = |step: &_| {
            steps += 1;
            say(step);
        };
        let warnings =
            apply(&management, &Wanted::of(catalog, self.retry_scale), done).await.map_err(failed)?;
        for warning in warnings {
            eprintln!("Warning: {warning}");
        }
        match steps {
            0 => say(format!("Vhost `{}` is already up to date", management.vhost())),
            _ => say(format!("Vhost `{}` is now up to date; steps taken: {steps}", management.vhost())),
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
        say(format!("Vhost `{vhost}` is up to date"));
        return;
    }
    for obstacle in &found.obstacles {
        say(format!("Obstacle: {obstacle}"));
    }
    for step in &found.steps {
        say(format!("Would {step}"));
    }
}

/// The error's own text is a sentence for the operator.
fn failed(error: TopologyError) -> Fatal {
    Fatal::failed(error.to_string())
}
