//! `ops contracts check`: reads everything that lies in the queues as this release's workers would, before it is rolled out.

use std::process::ExitCode;

use clap::Args;
use millrace_broker::browse::{BrowseError, Browsed, browse};
use millrace_broker::{Connection, ConnectionSettings, Incoming};
use millrace_contracts::Topology;
use millrace_contracts::topology::dead_queue;
use millrace_contracts::{DomainName, Unreadable, catalog};
use millrace_service::Fatal;
use millrace_service::settings::{BrokerSettings, count};

use crate::run::say;

/// What this exits with when there is a message that can't be read.
const UNREADABLE: u8 = 2;

/// Reads everything that lies in the queues as the workers of this release would, and says what it can't read
///
/// Run it with the release that is to be rolled out (or back to), before it is. It looks into the domains' queues, the retry
/// delays, the dead letters and `unrouted`; what workers hold at this moment it does not see. A message that was given up
/// because it can't be read is told of like any other.
///
/// Nothing is lost by it: messages are delivered, not acknowledged, and given back when a queue has been looked through. To
/// the broker each look is a return, though. In a domain's queue a message that came back is worked in smaller company, which
/// is slower and otherwise the same, and after 20 returns the broker makes it a dead letter: do not run this in a loop.
/// Meanwhile workers don't get what is being looked at, and retries wait until it is back.
///
/// Exits with 0 when all can be read, 2 when something can't, 1 when a queue could not be looked at.
#[derive(Args)]
pub struct Check {
    /// How many messages of each queue are looked at, oldest first (1 to 65535)
    #[arg(
        long, env = "CHECK_MAX", value_name = "COUNT", default_value = "10000", value_parser = count::<1, 65_535>
    )]
    max: usize,

    #[command(flatten)]
    broker: BrokerSettings,
}

impl Check {
    pub async fn run(self) -> Result<ExitCode, Fatal> {
        let (mut unreadable, mut failed) = (0, Vec::new());
        let mut connection = self.connect();
        for queue in Topology::of(catalog(), 1.0).queues {
            match self.look(&connection, &queue).await {
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
                    // A message that no client can take ends the connection; the other queues are looked at all the same.
                    connection.close().await;
                    connection = self.connect();
                }
            }
        }
        connection.close().await;
        match failed.is_empty() {
            false => Err(Fatal::failed(format!("Not looked at, or not wholly: {}", failed.join(", ")))),
            true if unreadable > 0 => Ok(ExitCode::from(UNREADABLE)),
            true => Ok(ExitCode::SUCCESS),
        }
    }

    fn connect(&self) -> Connection {
        Connection::open(ConnectionSettings::new(self.broker.amqp_url.url().clone(), "ops"))
    }

    async fn look(
        &self,
        connection: &Connection,
        queue: &str,
    ) -> Result<(Browsed, Vec<String>), BrowseError> {
        let own = |domain: &DomainName| domain.as_str() == queue || dead_queue(*domain) == queue;
        let domain = catalog().domains().iter().copied().find(own);
        let mut findings = Vec::new();
        let max = u16::try_from(self.max).unwrap_or(u16::MAX);
        let browsed =
            browse(connection, queue, max, |incoming| findings.extend(finding(incoming, domain))).await;
        Ok((browsed?, findings))
    }
}

fn summary(queue: &str, browsed: Browsed, unreadable: usize) -> String {
    let Browsed { inspected, total } = browsed;
    let of_total = if inspected < total { format!(" of {}", grouped(total)) } else { String::new() };
    match (inspected, total) {
        (0, 0) => format!("{queue}: empty"),
        _ => format!("{queue}: inspected {}{of_total}, could not read {unreadable}", grouped(inspected)),
    }
}

/// Which message can't be read, and why; `None` for one that can.
fn finding(incoming: &Incoming, domain: Option<DomainName>) -> Option<String> {
    let (version, reason) = match &incoming.envelope {
        Err(unreadable) => (String::new(), unreadable.to_string()),
        Ok(envelope) => {
            let read = read(&envelope.message_type, envelope.version, &incoming.body, domain);
            (format!(" version {}", envelope.version), read.err()?.to_string())
        }
    };
    let id = incoming.claimed_id().unwrap_or("(a message without an id)");
    let message_type = incoming.claimed_type().unwrap_or("(of no type)");
    // Foreign text must not steer the terminal.
    Some(format!("  {id} {message_type}{version}: {reason}").replace(char::is_control, "\u{fffd}"))
}

/// As the worker of this domain would, or, where a message has not come to one yet, as some worker would.
fn read(message_type: &str, version: u16, body: &[u8], domain: Option<DomainName>) -> Result<(), Unreadable> {
    let handled =
        |entry: &&millrace_contracts::Entry| domain.is_none_or(|domain| entry.handlers().contains(&domain));
    match catalog().find(message_type).filter(handled) {
        Some(entry) => entry.reads(version, body),
        None => Err(Unreadable::UnknownType(message_type.to_owned())),
    }
}

fn in_words(error: &BrowseError) -> String {
    let advice = match error {
        BrowseError::NoSuchQueue { .. } => "`ops topology apply` makes it",
        BrowseError::NotConnected(_) | BrowseError::Interrupted { .. } => {
            "What was delivered is back in it. A message with a property that is not UTF-8 ends a connection, too: the \
             console shows it"
        }
    };
    format!("{}. {advice}", error.to_string().trim_end_matches('.'))
}

/// Three digits a group, as people read large numbers.
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
