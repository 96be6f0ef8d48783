//! A copy of a message: the same identity, the same bytes, the same exchange.

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, ShortString};
use millrace_contracts::catalog;
use millrace_protocol::Fingerprint;
use millrace_protocol::ledger::FollowUp;
use uuid::Uuid;

use crate::checker::follow::Ended;
use crate::load::{Accepted, body_on_the_wire};

const PERSISTENT: u8 = 2;

#[derive(Debug, Clone)]
pub struct Publication {
    pub exchange: String,
    pub routing_key: String,
    pub properties: BasicProperties,
    pub body: Vec<u8>,
}

/// A message as it was published first.
#[derive(Debug, Clone)]
pub struct Message {
    pub message_id: Uuid,
    message_type: String,
    job_id: Uuid,
    causation_id: Uuid,
    client_id: String,
    version: u16,
    fingerprint: String,
    body: Vec<u8>,
}

impl Message {
    /// A job's command as the API published it.
    pub fn command(accepted: &Accepted, client: &str) -> Option<Self> {
        Some(Self::job(
            accepted.job_id,
            accepted.command,
            client,
            body_on_the_wire(accepted.command, &accepted.body)?,
        ))
    }

    /// The same for any id and body.
    pub fn job(id: Uuid, command: &'static str, client: &str, body: Vec<u8>) -> Self {
        Self {
            message_id: id,
            message_type: command.to_owned(),
            job_id: id,
            causation_id: id,
            client_id: client.to_owned(),
            version: catalog().find(command).map_or(1, |entry| entry.version),
            fingerprint: Fingerprint::of(&body).as_str().to_owned(),
            body,
        }
    }

    /// A follow-up as its handler published it.
    pub fn follow_up(handled: &Ended, emitted: &FollowUp) -> Self {
        Self {
            message_id: emitted.id.0,
            message_type: emitted.message_type.clone(),
            job_id: handled.job_id,
            causation_id: handled.message_id,
            client_id: handled.client_id.clone(),
            version: emitted.version,
            fingerprint: handled.fingerprint.clone(),
            body: emitted.body.get().as_bytes().to_vec(),
        }
    }

    pub fn publication(&self) -> Publication {
        let mut headers = FieldTable::default();
        headers.insert("version".into(), AMQPValue::LongUInt(self.version.into()));
        headers.insert("attempt".into(), AMQPValue::LongUInt(1));
        headers.insert("causation-id".into(), text(&self.causation_id.to_string()));
        headers.insert("client-id".into(), text(&self.client_id));
        headers.insert("fingerprint".into(), text(&self.fingerprint));
        let exchange = catalog().route(&self.message_type).exchange;
        Publication {
            exchange: exchange.to_owned(),
            routing_key: self.message_type.clone(),
            properties: BasicProperties::default()
                .with_message_id(short(&self.message_id.to_string()))
                .with_content_type("application/json".into())
                .with_delivery_mode(PERSISTENT)
                .with_headers(headers)
                .with_correlation_id(short(&self.job_id.to_string()))
                .with_type(short(&self.message_type)),
            body: self.body.clone(),
        }
    }
}

pub fn text(text: &str) -> AMQPValue {
    AMQPValue::LongString(text.into())
}

pub fn short(text: &str) -> ShortString {
    ShortString::from(text)
}
