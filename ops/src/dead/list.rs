//! `ops dead list`: the messages in the dead-letter queues and their reasons.

use std::process::ExitCode;

use clap::Args;
use millrace_broker::dead::{DeadLetter, peek};
use millrace_broker::topology::{Management, vhost_of};
use millrace_protocol::Catalog;
use millrace_protocol::topology::dead_queue;
use millrace_service::Fatal;
use millrace_service::settings::{BrokerSettings, ManagementSettings, count};

use super::named;
use crate::program::say;

/// Lists dead letters and their reasons; they stay in their queues
#[derive(Args)]
pub struct List {
    /// List only this domain's dead letters
    domain: Option<String>,

    /// Maximum number of dead letters shown of each queue (1 to 1000)
    #[arg(long, env = "DEAD_LIMIT", value_name = "COUNT", default_value = "20", value_parser = count::<1, 1000>)]
    limit: usize,

    #[command(flatten)]
    broker: BrokerSettings,
    #[command(flatten)]
    management: ManagementSettings,
}

impl List {
    pub async fn run(self, catalog: &Catalog) -> Result<ExitCode, Fatal> {
        let vhost = vhost_of(self.broker.amqp_url.url());
        let management = Management::new(self.management.amqp_management_url.url(), vhost)
            .map_err(|error| Fatal::failed(error.to_string()))?;
        let domains = match &self.domain {
            Some(name) => vec![named(catalog, name)?],
            None => catalog.domains().to_vec(),
        };
        for domain in domains {
            let peeked = peek(&management, domain, self.limit).await;
            let Some(letters) = peeked.map_err(|error| Fatal::failed(error.to_string()))? else {
                return Err(Fatal::failed(format!(
                    "Queue `{}` does not exist in vhost `{}`. Check the path of AMQP_URL; `ops topology apply` \
                     creates the queue",
                    dead_queue(domain),
                    management.vhost()
                )));
            };
            match letters.total {
                0 => say(format!("{}: empty", dead_queue(domain))),
                total => say(format!("{}: {total}", dead_queue(domain))),
            }
            for letter in &letters.first {
                say(in_words(letter));
            }
            let shown = letters.first.len() as u64;
            if letters.total > shown {
                say(format!("  … and {} more; raise --limit to see them", letters.total - shown));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Two lines: ids and type, then what happened.
fn in_words(letter: &DeadLetter) -> String {
    fn or<'a>(text: &'a Option<String>, otherwise: &'a str) -> &'a str {
        text.as_deref().unwrap_or(otherwise)
    }
    let job = match (&letter.job_id, &letter.message_id) {
        (Some(job), Some(message)) if job != message => format!(" of job {job}"),
        _ => String::new(),
    };
    let when = letter.failed_at.as_ref().map(|at| format!(" on {at}")).unwrap_or_default();
    let who = letter.failed_by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
    let attempt = letter.attempt.map(|attempt| format!(", attempt {attempt}")).unwrap_or_default();
    format!(
        "  {} {}{job}\n    {}{attempt}{when}{who}: {}",
        or(&letter.message_id, "(a message without an id)"),
        or(&letter.message_type, "(of no type)"),
        or(&letter.class, "unknown"),
        or(&letter.reason, "no reason given"),
    )
}

#[cfg(test)]
mod tests;
