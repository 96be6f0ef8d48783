//! `ops dead redrive`: publishes dead letters to their domain's queue again.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use millrace_broker::dead::{RedriveError, Selection, redrive};
use millrace_broker::{Connection, ConnectionSettings, Publisher};
use millrace_protocol::Catalog;
use millrace_protocol::topology::dead_queue;
use millrace_service::Fatal;
use millrace_service::settings::BrokerSettings;

use super::named;
use crate::program::say;

const CONFIRM_DEADLINE: Duration = Duration::from_secs(30);

/// Publishes dead letters to their domain's queue again, each at its first attempt
///
/// Each keeps its id, so it takes effect at most once, however often it is redriven. Where TRUSTED_PRODUCERS restricts the
/// workers, it must include the user of AMQP_URL.
#[derive(Args)]
pub struct Redrive {
    /// The domain whose dead letters are redriven
    domain: String,

    /// Redrive only the message with this id; may be given several times
    #[arg(long = "id", value_name = "MESSAGE_ID", required_unless_present = "all", conflicts_with = "all")]
    ids: Vec<String>,

    /// Redrive all messages that are in the queue now
    #[arg(long)]
    all: bool,

    #[command(flatten)]
    broker: BrokerSettings,
}

impl Redrive {
    pub async fn run(self, catalog: &Catalog) -> Result<ExitCode, Fatal> {
        let domain = named(catalog, &self.domain)?;
        let selection = match self.all {
            true => Selection::All,
            false => Selection::Ids(self.ids.iter().cloned().collect()),
        };
        let connection = Connection::open(ConnectionSettings::new(self.broker.amqp_url.url().clone(), "ops"));
        let publisher = Publisher::open(&connection, 1, CONFIRM_DEADLINE);
        let redriven = redrive(&connection, &publisher, domain, &selection).await;
        connection.close().await;
        let queue = dead_queue(domain);
        let redriven = redriven.map_err(|error| explain(&error))?;
        say(format!("Sent from `{queue}` to `{domain}`: {}; left there: {}", redriven.sent, redriven.left));
        if redriven.missing.is_empty() {
            return Ok(ExitCode::SUCCESS);
        }
        Err(Fatal::failed(format!("Not in `{queue}`: {}", redriven.missing.join(", "))))
    }
}

fn explain(error: &RedriveError) -> Fatal {
    let rest =
        "Messages that were not sent are still in their dead-letter queue, and redriving again is safe";
    let advice = match error {
        RedriveError::NotConnected(_) => "Check AMQP_URL",
        RedriveError::Unreadable { .. } => "`ops topology plan` shows whether the queue exists",
        RedriveError::Unpublished { .. } => "Look at the domain's queue in RabbitMQ's console",
    };
    // The broker's own reason may end with a full stop.
    let error = error.to_string();
    Fatal::failed(format!("{}. {rest}. {advice}", error.trim_end_matches('.')))
}
