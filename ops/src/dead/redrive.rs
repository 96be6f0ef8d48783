//! `ops dead redrive`: sends dead letters to their domain again.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use millrace_broker::dead::{RedriveError, Selection, redrive};
use millrace_broker::{Connection, ConnectionSettings, Publisher};
use millrace_contracts::DomainName;
use millrace_contracts::topology::dead_queue;
use millrace_service::Fatal;
use millrace_service::settings::BrokerSettings;

use super::domain;
use crate::run::say;

const CONFIRM_DEADLINE: Duration = Duration::from_secs(30);

/// Sends dead letters to their domain again, with all their attempts before them
///
/// Each keeps its id, so it takes effect at most once, however often it is sent. Where workers trust only certain
/// producers, the user of AMQP_URL must be one of them.
#[derive(Args)]
pub struct Redrive {
    /// Whose: auth, users, orders or payments
    #[arg(value_parser = domain)]
    domain: DomainName,

    /// Only the message with this id; may be given several times
    #[arg(long = "id", value_name = "MESSAGE_ID", required_unless_present = "all", conflicts_with = "all")]
    ids: Vec<String>,

    /// All that are there now
    #[arg(long)]
    all: bool,

    #[command(flatten)]
    broker: BrokerSettings,
}

impl Redrive {
    pub async fn run(self) -> Result<ExitCode, Fatal> {
        let selection = match self.all {
            true => Selection::All,
            false => Selection::Ids(self.ids.iter().cloned().collect()),
        };
        let connection = Connection::open(ConnectionSettings::new(self.broker.amqp_url.url().clone(), "ops"));
        let publisher = Publisher::open(&connection, 1, CONFIRM_DEADLINE);
        let redriven = redrive(&connection, &publisher, self.domain, &selection).await;
        connection.close().await;
        let (domain, queue) = (self.domain, dead_queue(self.domain));
        let redriven = redriven.map_err(|error| explain(&error))?;
        say(format!("Sent from `{queue}` to `{domain}`: {}; left there: {}", redriven.sent, redriven.left));
        if redriven.missing.is_empty() {
            return Ok(ExitCode::SUCCESS);
        }
        Err(Fatal::failed(format!("Not in `{queue}`: {}", redriven.missing.join(", "))))
    }
}

fn explain(error: &RedriveError) -> Fatal {
    let rest = "What was not sent is still in its dead-letter queue; doing it again is safe";
    let doing = match error {
        RedriveError::NotConnected(_) => "Check AMQP_URL",
        RedriveError::Unreadable { .. } => "`ops topology plan` says whether the queue is there",
        RedriveError::Unpublished { .. } => "Look at the domain's queue in the console",
    };
    // The broker's own words may end with a full stop.
    let error = error.to_string();
    Fatal::failed(format!("{}. {rest}. {doing}", error.trim_end_matches('.')))
}
