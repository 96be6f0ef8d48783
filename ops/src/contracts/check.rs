//! `ops contracts check`: decodes the messages in all queues as this release's workers would, before it is rolled out.

use std::process::ExitCode;

use clap::Args;
use millrace_broker::browse::{BrowseError, Browsed, browse};
use millrace_broker::{Connection, ConnectionSettings, Incoming};
use millrace_protocol::topology::Topology;
use millrace_protocol::topology::dead_queue;
use millrace_protocol::{Catalog, DomainName, Entry, Unreadable};
use millrace_service::Fatal;
use millrace_service::settings::{BrokerSettings, count};

use crate::program::say;

/// The exit code when some message can't be decoded.
const UNREADABLE: u8 = 2;

/// Decodes the messages in all queues as this release's workers would, and lists those that it can't decode
///
/// Run it with a release before you roll it out or back. It inspects the domains' queues, delay queues, dead-letter queues and
/// `unrouted`, but not the messages that workers hold at this moment. It also lists dead letters that no release could decode.
///
/// No message is lost: each is delivered, not acknowledged, and requeued after its queue was inspected. But the broker counts
/// each inspection as a delivery. Workers process redelivered messages in smaller batches, and after 20 deliveries the broker
/// dead-letters a message, so do not run this in a loop. While a queue is inspected, workers and retries wait for its messages.
///
/// Exits with 0 if all messages can be decoded, 2 if some can't, and 1 if a queue could not be inspected.
#[derive(Args)]
pub struct Check {
    /// Maximum number of messages inspected of each queue, the oldest first (1 to 65535)
    #[arg(
        long, env = "CHECK_MAX", value_name = "COUNT", default_value = "10000", value_parser = count::<1, 65_535>
    )]
    max: usize,

    #[command(flatten)]
    broker: BrokerSettings,
}

impl Check {
    pub async fn run(self, catalog: &Catalog) -> Result<ExitCode, Fatal> {
        let (mut unreadable, mut failed) = (0, Vec::new());
        let mut connection = self.connect();
        for queue in Topology::of(catalog, 1.0).queues {
            match self.inspect(catalog, &connection, &queue).await {
                Ok((browsed, findings)) => {
                    say(summary(&queue, browsed, findings.len()));
                    findings.iter().for_each(say);
                    unreadable += findings.len();
                }
                Err(error @ BrowseError::NotConnected(_)) => {
                    return Err(Fatal::failed(format!("{error}. Check that RabbitMQ runs, and AMQP_URL")));
                }
                Err(error) => {
                    eprintln!("{}", in_words(&error));
                    failed.push(queue);
                    // A message that this client can't parse ends the connection; the other queues need a new one.
                    connection.close().await;
                    connection = self.connect();
                }
            }
        }
        connection.close().await;
        match failed.is_empty() {
            false => Err(Fatal::failed(format!("Not inspected, or not completely: {}", failed.join(", ")))),
            true if unreadable > 0 => Ok(ExitCode::from(UNREADABLE)),
            true => Ok(ExitCode::SUCCESS),
        }
    }

    fn connect(&self) -> Connection {
        Connection::open(ConnectionSettings::new(self.broker.amqp_url.url().clone(), "ops"))
    }

    async fn inspect(
        &self,
        catalog: &Catalog,
        connection: &Connection,
        queue: &str,
    ) -> Result<(Browsed, Vec<String>), BrowseError> {
        let own = |domain: &DomainName| domain.as_str() == queue || dead_queue(*domain) == queue;
        let domain = catalog.domains().iter().copied().find(own);
        let mut findings = Vec::new();
        let max = u16::try_from(self.max).unwrap_or(u16::MAX);
        let look = |incoming: &Incoming| findings.extend(finding(catalog, incoming, domain));
        let browsed = browse(connection, queue, max, look).await?;
        Ok((browsed, findings))
    }
}

fn summary(queue: &str, browsed: Browsed, unreadable: usize) -> String {
    let Browsed { inspected, total } = browsed;
    let of_total = if inspected < total { format!(" of {}", grouped(total)) } else { String::new() };
    match (inspected, total) {
        (0, 0) => format!("{queue}: empty"),
        _ => format!("{queue}: inspected {}{of_total}, cannot decode {unreadable}", grouped(inspected)),
    }
}

/// A line with a message that can't be decoded and the reason; `None` for a message that can.
fn finding(catalog: &Catalog, incoming: &Incoming, domain: Option<DomainName>) -> Option<String> {
    let (version, reason) = match &incoming.envelope {
        Err(unreadable) => (String::new(), unreadable.to_string()),
        Ok(envelope) => {
            let decoded = decode(catalog, &envelope.message_type, envelope.version, &incoming.body, domain);
            (format!(" version {}", envelope.version), decoded.err()?.to_string())
        }
    };
    let id = incoming.claimed_id().unwrap_or("(a message without an id)");
    let message_type = incoming.claimed_type().unwrap_or("(of no type)");
    // A foreign message must not control the terminal.
    Some(format!("  {id} {message_type}{version}: {reason}").replace(char::is_control, "\u{fffd}"))
}

/// Decodes a message as the worker of this domain would; in a queue of no domain, as any worker would.
fn decode(
    catalog: &Catalog,
    message_type: &str,
    version: u16,
    body: &[u8],
    domain: Option<DomainName>,
) -> Result<(), Unreadable> {
    let handled = |entry: &&Entry| domain.is_none_or(|domain| entry.handlers().contains(&domain));
    match catalog.find(message_type).filter(handled) {
        Some(entry) => entry.reads(version, body),
        None => Err(Unreadable::UnknownType(message_type.to_owned())),
    }
}

fn in_words(error: &BrowseError) -> String {
    let advice = match error {
        BrowseError::NoSuchQueue { .. } => "`ops topology apply` creates it",
        BrowseError::NotConnected(_) | BrowseError::Interrupted { .. } => {
            "All its messages are back in it. A message with a property that is not UTF-8 also ends the connection; \
             RabbitMQ's console shows it"
        }
    };
    format!("{}. {advice}", error.to_string().trim_end_matches('.'))
}

/// The number in groups of three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .map(|group| std::str::from_utf8(group).unwrap_or_default())
        .collect();
    groups.join(",")
}

#[cfg(test)]
mod tests;
