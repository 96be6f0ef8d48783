//! Messages as AMQP carries them: envelopes to properties and headers and back, and the headers that a failure adds.

use bytes::Bytes;
use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::types::{AMQPValue, FieldTable, LongString, ShortString};
use millrace_protocol::{
    ClientId, DomainName, Envelope, Fingerprint, JobId, MessageId, Route, Trace, exchanges,
};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use crate::replies::ReplyAddress;

/// All headers of a message must fit one frame of 128 KiB, and a sentence needs far less.
const MAX_REASON_BYTES: usize = 2048;
/// All headers of a message must fit one frame of 128 KiB. A foreign message may fill it, and with our headers added the
/// broker would close the connection at each attempt to publish the copy.
const MAX_KEPT_BYTES: usize = 64 * 1024;
const PERSISTENT: u8 = 2;

mod header {
    pub const VERSION: &str = "version";
    pub const CAUSATION_ID: &str = "causation-id";
    pub const CLIENT_ID: &str = "client-id";
    pub const ATTEMPT: &str = "attempt";
    pub const TRACEPARENT: &str = "traceparent";
    pub const TRACESTATE: &str = "tracestate";
    pub const FINGERPRINT: &str = "fingerprint";
    pub const FAILURE_CLASS: &str = "failure-class";
    pub const FAILURE_REASON: &str = "failure-reason";
    pub const FIRST_FAILED_AT: &str = "first-failed-at";
    pub const LAST_FAILED_AT: &str = "last-failed-at";
    pub const FAILED_BY: &str = "failed-by";
    /// The headers that a message needs to be processed.
    pub const IDENTITY: [&str; 7] =
        [VERSION, CAUSATION_ID, CLIENT_ID, ATTEMPT, FINGERPRINT, TRACEPARENT, TRACESTATE];
    /// The headers that are removed from a redriven message.
    pub const FAILURE: [&str; 4] = [FAILURE_CLASS, FAILURE_REASON, LAST_FAILED_AT, FAILED_BY];
    /// Written by the broker: how many times the message was redelivered after a crash or a lost connection.
    pub const DELIVERY_COUNT: &str = "x-delivery-count";
}

/// A message to publish.
#[derive(Debug, Clone)]
pub struct Outgoing {
    pub(crate) exchange: Cow<'static, str>,
    pub(crate) routing_key: Cow<'static, str>,
    pub(crate) properties: BasicProperties,
    pub(crate) body: Bytes,
    /// Whether the broker returns it where no binding leads to a queue.
    pub(crate) mandatory: bool,
}

impl Outgoing {
    /// A message with this envelope and its type as the routing key.
    #[must_use]
    pub fn new(route: Route, envelope: &Envelope, body: impl Into<Bytes>) -> Self {
        Self {
            exchange: route.exchange.into(),
            routing_key: envelope.message_type.clone().into(),
            properties: properties(envelope),
            body: body.into(),
            mandatory: route.mandatory,
        }
    }

    /// A copy of a delivered message for a delay queue or a dead-letter queue, with the same ids and the failure in its
    /// headers.
    ///
    /// It has none of the headers that the broker acts upon (`x-…`, `CC`, `BCC`), nor those of a foreign sender that would
    /// not fit a frame together with the failure's.
    #[must_use]
    pub fn after_failure(
        incoming: &Incoming,
        exchange: impl Into<Cow<'static, str>>,
        routing_key: impl Into<Cow<'static, str>>,
        attempt: u32,
        failure: &Failure,
    ) -> Self {
        let mut headers = incoming.properties.headers().as_ref().map(kept_headers).unwrap_or_default();
        let first = text(&headers, header::FIRST_FAILED_AT).map_or_else(|| failure.at(), str::to_owned);
        insert(&mut headers, header::ATTEMPT, AMQPValue::LongUInt(attempt));
        insert(&mut headers, header::FAILURE_CLASS, failure.class.name());
        insert(&mut headers, header::FAILURE_REASON, shortened(&failure.reason));
        insert(&mut headers, header::FIRST_FAILED_AT, first.as_str());
        insert(&mut headers, header::LAST_FAILED_AT, failure.at().as_str());
        insert(&mut headers, header::FAILED_BY, failure.by.as_str());
        Self::copy(incoming, exchange, routing_key, headers)
    }

    /// A copy of a dead letter for its domain's queue, with the same ids and at its first attempt.
    ///
    /// Of the failure's headers it keeps only the time of the first failure.
    #[must_use]
    pub fn redriven(incoming: &Incoming, domain: DomainName) -> Self {
        let given = incoming.properties.headers().as_ref().map(kept_headers).unwrap_or_default();
        let mut headers = FieldTable::default();
        for (key, value) in given.inner().iter().filter(|(key, _)| !header::FAILURE.contains(&key.as_str())) {
            headers.insert(key.clone(), value.clone());
        }
        insert(&mut headers, header::ATTEMPT, AMQPValue::LongUInt(1));
        Self::copy(incoming, exchanges::REDRIVE, domain.as_str(), headers)
    }

    /// A copy has neither the expiration nor the `reply_to` of its original: both were meant for the first delivery.
    fn copy(
        incoming: &Incoming,
        exchange: impl Into<Cow<'static, str>>,
        routing_key: impl Into<Cow<'static, str>>,
        headers: FieldTable,
    ) -> Self {
        let mut properties = BasicProperties::default().with_delivery_mode(PERSISTENT).with_headers(headers);
        let given = &incoming.properties;
        for (value, set) in [
            (given.message_id(), BasicProperties::with_message_id as fn(BasicProperties, _) -> _),
            (given.correlation_id(), BasicProperties::with_correlation_id),
            (given.kind(), BasicProperties::with_type),
            (given.content_type(), BasicProperties::with_content_type),
            (given.content_encoding(), BasicProperties::with_content_encoding),
            (given.app_id(), BasicProperties::with_app_id),
        ] {
            if let Some(value) = value {
                properties = set(properties, value.clone());
            }
        }
        if let Some(timestamp) = given.timestamp() {
            properties = properties.with_timestamp(*timestamp);
        }
        Self {
            exchange: exchange.into(),
            routing_key: routing_key.into(),
            properties,
            body: incoming.body.clone(),
            mandatory: true,
        }
    }

    /// Asks the worker that handles this message for a reply to this address.
    #[must_use]
    pub fn with_reply_to(mut self, address: &ReplyAddress) -> Self {
        self.properties = self.properties.with_reply_to(short(address.as_str()));
        self
    }

    /// The exchange that it is published to.
    #[must_use]
    pub fn exchange(&self) -> &str {
        &self.exchange
    }

    /// The routing key that it is published with.
    #[must_use]
    pub fn routing_key(&self) -> &str {
        &self.routing_key
    }

    /// The id by which a returned message is recognized. A copy of a foreign message may have none.
    pub(crate) fn message_id(&self) -> Option<&str> {
        self.properties.message_id().as_ref().map(ShortString::as_str)
    }
}

/// The kind of a failure, as in the header `failure-class`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureClass {
    /// The message can't be decoded or is not permitted; retrying is pointless.
    Unreadable,
    /// The message arrived before something that it depends on.
    Postponed,
    /// A call to an outside system failed.
    Effect,
    /// The worker's code panicked, or the database refused a row.
    Defect,
    /// The process ended while it was processing the message.
    Crash,
}

impl FailureClass {
    /// The class's name in headers, logs and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::Postponed => "postponed",
            Self::Effect => "effect",
            Self::Defect => "defect",
            Self::Crash => "crash",
        }
    }
}

/// What went wrong with a message. It travels in the message's headers and can be read in RabbitMQ's console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The kind of failure.
    pub class: FailureClass,
    /// Why it failed, as a sentence. In the header it is cut off after 2 KiB.
    pub reason: String,
    /// The worker's name, host and version.
    pub by: String,
    /// The time of the failure.
    pub failed_at: OffsetDateTime,
}

impl Failure {
    fn at(&self) -> String {
        self.failed_at.format(&Rfc3339).unwrap_or_default()
    }
}

/// The headers of the original that a copy has. Those that it needs to be processed come first, in case not all fit.
fn kept_headers(given: &FieldTable) -> FieldTable {
    let brokers = |key: &str| key.starts_with("x-") || ["CC", "BCC"].contains(&key);
    let (needed, other): (Vec<_>, Vec<_>) =
        given.inner().iter().partition(|(key, _)| header::IDENTITY.contains(&key.as_str()));
    let mut headers = FieldTable::default();
    let mut left = MAX_KEPT_BYTES;
    for (key, value) in needed.into_iter().chain(other).filter(|(key, _)| !brokers(key.as_str())) {
        if let Some(rest) = left.checked_sub(1 + key.as_str().len() + encoded_bytes(value)) {
            left = rest;
            headers.insert(key.clone(), value.clone());
        }
    }
    headers
}

/// An upper bound of a header value's encoded size in bytes (AMQP 0-9-1 §4.2.5.5).
fn encoded_bytes(value: &AMQPValue) -> usize {
    const TYPE_AND_LENGTH: usize = 5;
    let content = match value {
        AMQPValue::LongString(text) => text.len(),
        AMQPValue::ShortString(text) => text.as_str().len(),
        AMQPValue::ByteArray(bytes) => bytes.len(),
        AMQPValue::FieldArray(values) => values.as_slice().iter().map(encoded_bytes).sum(),
        AMQPValue::FieldTable(table) => {
            table.inner().iter().map(|(key, value)| 1 + key.as_str().len() + encoded_bytes(value)).sum()
        }
        _ => 8,
    };
    TYPE_AND_LENGTH + content
}

/// At most [`MAX_REASON_BYTES`] of it, cut between two characters.
fn shortened(reason: &str) -> &str {
    &reason[..reason.floor_char_boundary(MAX_REASON_BYTES)]
}

fn properties(envelope: &Envelope) -> BasicProperties {
    let mut headers = FieldTable::default();
    insert(&mut headers, header::VERSION, AMQPValue::LongUInt(envelope.version.into()));
    insert(&mut headers, header::CAUSATION_ID, envelope.causation_id.to_string().as_str());
    insert(&mut headers, header::CLIENT_ID, envelope.client_id.as_str());
    insert(&mut headers, header::ATTEMPT, AMQPValue::LongUInt(envelope.attempt));
    insert(&mut headers, header::FINGERPRINT, envelope.fingerprint.as_str());
    for (key, value) in
        [(header::TRACEPARENT, &envelope.trace.traceparent), (header::TRACESTATE, &envelope.trace.tracestate)]
    {
        if let Some(value) = value {
            insert(&mut headers, key, value.as_str());
        }
    }
    let now = u64::try_from(OffsetDateTime::now_utc().unix_timestamp()).unwrap_or_default();
    BasicProperties::default()
        .with_message_id(short(&envelope.message_id.to_string()))
        .with_correlation_id(short(&envelope.job_id.to_string()))
        .with_type(short(&envelope.message_type))
        .with_content_type(short("application/json"))
        .with_delivery_mode(PERSISTENT)
        .with_timestamp(now)
        .with_headers(headers)
}

/// AMQP allows 255 bytes; ids, types and names of this system are far shorter.
fn short(text: &str) -> ShortString {
    ShortString::try_new(&text[..text.floor_char_boundary(255)]).unwrap_or_else(|_| ShortString::from(""))
}

trait IntoValue {
    fn into_value(self) -> AMQPValue;
}

impl IntoValue for AMQPValue {
    fn into_value(self) -> AMQPValue {
        self
    }
}

impl IntoValue for &str {
    fn into_value(self) -> AMQPValue {
        AMQPValue::LongString(LongString::from(self))
    }
}

fn insert(headers: &mut FieldTable, key: &'static str, value: impl IntoValue) {
    headers.insert(short(key), value.into_value());
}

fn text<'a>(headers: &'a FieldTable, key: &str) -> Option<&'a str> {
    match headers.inner().get(key)? {
        AMQPValue::LongString(text) => std::str::from_utf8(text.as_bytes()).ok(),
        AMQPValue::ShortString(text) => Some(text.as_str()),
        _ => None,
    }
}

fn number(headers: &FieldTable, key: &str) -> Option<u64> {
    match *headers.inner().get(key)? {
        AMQPValue::ShortShortInt(number) => u64::try_from(number).ok(),
        AMQPValue::ShortShortUInt(number) => Some(number.into()),
        AMQPValue::ShortInt(number) => u64::try_from(number).ok(),
        AMQPValue::ShortUInt(number) => Some(number.into()),
        AMQPValue::LongInt(number) => u64::try_from(number).ok(),
        AMQPValue::LongUInt(number) => Some(number.into()),
        AMQPValue::LongLongInt(number) => u64::try_from(number).ok(),
        _ => None,
    }
}

/// A delivered message, not acknowledged yet.
#[derive(Debug)]
pub struct Incoming {
    /// The message's metadata, or why they can't be read.
    pub envelope: Result<Envelope, UnreadableEnvelope>,
    /// The body, not decoded yet.
    pub body: Bytes,
    /// How many times the message was redelivered because a worker ended or lost its connection while it held it
    /// (RabbitMQ's header `x-delivery-count`).
    pub delivery_count: u64,
    /// The broker user that published it. RabbitMQ verifies it; a publisher may leave it out.
    pub user_id: Option<String>,
    /// The reply queue that waits for this message's outcome.
    pub reply_to: Option<ReplyAddress>,
    pub(crate) delivery_tag: u64,
    properties: BasicProperties,
}

impl Incoming {
    /// Reads the properties of one of lapin's deliveries. Never fails: what can't be read is an error in `envelope`.
    #[must_use]
    pub fn from_delivery(delivery: Delivery) -> Self {
        let Delivery { properties, data, delivery_tag, .. } = delivery;
        Self {
            envelope: read_envelope(&properties),
            body: data.into(),
            delivery_count: properties
                .headers()
                .as_ref()
                .and_then(|h| number(h, header::DELIVERY_COUNT))
                .unwrap_or(0),
            user_id: properties.user_id().as_ref().map(|user| user.as_str().to_owned()),
            reply_to: properties.reply_to().as_ref().and_then(|to| ReplyAddress::parse(to.as_str())),
            delivery_tag,
            properties,
        }
    }

    /// The property `message_id` as it is, for logs: present even where the envelope can't be read.
    #[must_use]
    pub fn claimed_id(&self) -> Option<&str> {
        self.properties.message_id().as_ref().map(ShortString::as_str)
    }

    /// The property `type` as it is, for logs: present even where the envelope can't be read.
    #[must_use]
    pub fn claimed_type(&self) -> Option<&str> {
        self.properties.kind().as_ref().map(ShortString::as_str)
    }
}

/// Why an envelope can't be read from a message's properties.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnreadableEnvelope {
    /// This property or header is missing.
    #[error(
        "the message has no {0}, which every message of this system carries: it was published by something else"
    )]
    Missing(&'static str),
    /// A property or header has another form than expected.
    #[error("the message's {name} is not {expected}")]
    Malformed {
        /// The property's or header's name.
        name: &'static str,
        /// The expected form, such as `a UUID`.
        expected: &'static str,
    },
}

fn read_envelope(properties: &BasicProperties) -> Result<Envelope, UnreadableEnvelope> {
    use UnreadableEnvelope::{Malformed, Missing};
    let none = FieldTable::default();
    let headers = properties.headers().as_ref().unwrap_or(&none);
    let property = |value: &Option<ShortString>, name| {
        value.as_ref().map(|text| text.as_str().to_owned()).ok_or(Missing(name))
    };
    let uuid = |text: &str, name| Uuid::try_parse(text).map_err(|_| Malformed { name, expected: "a UUID" });
    let given = |name| text(headers, name).ok_or(Missing(name));
    let whole = |name| number(headers, name).ok_or(Missing(name));
    let small =
        |name, number: u64| u16::try_from(number).map_err(|_| Malformed { name, expected: "a small number" });
    let message_id = uuid(&property(properties.message_id(), "message_id property")?, "message_id property")?;
    let job_id =
        uuid(&property(properties.correlation_id(), "correlation_id property")?, "correlation_id property")?;
    Ok(Envelope {
        message_id: MessageId(message_id),
        job_id: JobId(job_id),
        message_type: property(properties.kind(), "type property")?,
        version: small(header::VERSION, whole(header::VERSION)?)?,
        attempt: small(header::ATTEMPT, whole(header::ATTEMPT)?)?.max(1).into(),
        causation_id: MessageId(uuid(given(header::CAUSATION_ID)?, header::CAUSATION_ID)?),
        client_id: ClientId::parse(given(header::CLIENT_ID)?)
            .map_err(|_| Malformed { name: header::CLIENT_ID, expected: "a client's name" })?,
        fingerprint: Fingerprint::parse(given(header::FINGERPRINT)?)
            .ok_or(Malformed { name: header::FINGERPRINT, expected: "32 hexadecimal digits" })?,
        trace: Trace::accept(text(headers, header::TRACEPARENT), text(headers, header::TRACESTATE)),
    })
}

impl fmt::Display for FailureClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
