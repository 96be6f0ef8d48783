//! Envelopes to AMQP properties and back, and what a failure adds to them.

use bytes::Bytes;
use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::types::{AMQPValue, FieldTable, LongString, ShortString};
use millrace_contracts::{
    ClientId, Domain, Envelope, Fingerprint, JobId, MessageId, Trace, catalog, topology,
};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use crate::replies::ReplyAddress;

/// A header must fit the frame that carries all of them, 128 KiB at most; a sentence needs far less.
const MAX_REASON_BYTES: usize = 2048;
/// A frame of 128 KiB carries all headers of a message. What came in just fits; with ours added it would not, and the
/// broker would close the connection each time.
const MAX_CARRIED_BYTES: usize = 64 * 1024;
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
    /// The ones that a message can't do without.
    pub const IDENTITY: [&str; 7] =
        [VERSION, CAUSATION_ID, CLIENT_ID, ATTEMPT, FINGERPRINT, TRACEPARENT, TRACESTATE];
    /// What a redriven message leaves behind.
    pub const FAILURE: [&str; 4] = [FAILURE_CLASS, FAILURE_REASON, LAST_FAILED_AT, FAILED_BY];
    /// Written by the broker: how often the message came back after a crash or a lost connection.
    pub const DELIVERY_COUNT: &str = "x-delivery-count";
}

/// A message on its way out.
#[derive(Debug, Clone)]
pub struct Outgoing {
    pub(crate) exchange: Cow<'static, str>,
    pub(crate) routing_key: Cow<'static, str>,
    pub(crate) properties: BasicProperties,
    pub(crate) body: Bytes,
    /// Whether the broker must find a queue for it.
    pub(crate) mandatory: bool,
}

impl Outgoing {
    /// A message with this envelope; the routing key is its type. Only an event that no domain hears may go nowhere.
    #[must_use]
    pub fn new(exchange: impl Into<Cow<'static, str>>, envelope: &Envelope, body: impl Into<Bytes>) -> Self {
        Self {
            exchange: exchange.into(),
            routing_key: envelope.message_type.clone().into(),
            properties: properties(envelope),
            body: body.into(),
            mandatory: catalog::find(&envelope.message_type)
                .is_none_or(|entry| entry.handlers().next().is_some()),
        }
    }

    /// A delivered message once more, with the same identity, to another place.
    ///
    /// Headers that the broker wrote (`x-…`, `CC`, `BCC`) stay behind: it would act on them again. So do headers of
    /// a foreign sender that are too big to be sent again with what is added here.
    #[must_use]
    pub fn after_failure(
        incoming: &Incoming,
        exchange: impl Into<Cow<'static, str>>,
        routing_key: impl Into<Cow<'static, str>>,
        attempt: u32,
        failure: &Failure,
    ) -> Self {
        let mut headers = incoming.properties.headers().as_ref().map(carried_on).unwrap_or_default();
        let first = text(&headers, header::FIRST_FAILED_AT).map_or_else(|| failure.at(), str::to_owned);
        insert(&mut headers, header::ATTEMPT, AMQPValue::LongUInt(attempt));
        insert(&mut headers, header::FAILURE_CLASS, failure.class.name());
        insert(&mut headers, header::FAILURE_REASON, shortened(&failure.reason));
        insert(&mut headers, header::FIRST_FAILED_AT, first.as_str());
        insert(&mut headers, header::LAST_FAILED_AT, failure.at().as_str());
        insert(&mut headers, header::FAILED_BY, failure.by.as_str());
        Self::copy(incoming, exchange, routing_key, headers)
    }

    /// A dead letter once more, with the same identity and all attempts before it, back to its domain's queue.
    ///
    /// What is said of its failure stays behind, but for when it failed first.
    #[must_use]
    pub fn redriven(incoming: &Incoming, domain: Domain) -> Self {
        let given = incoming.properties.headers().as_ref().map(carried_on).unwrap_or_default();
        let mut headers = FieldTable::default();
        for (key, value) in given.inner().iter().filter(|(key, _)| !header::FAILURE.contains(&key.as_str())) {
            headers.insert(key.clone(), value.clone());
        }
        insert(&mut headers, header::ATTEMPT, AMQPValue::LongUInt(1));
        Self::copy(incoming, topology::REDRIVE, domain.name(), headers)
    }

    /// What the sender asked of the broker for the first delivery is not asked again: no expiry, no answer address,
    /// unless that is added to the copy.
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

    /// Asks whoever handles it for an answer to this address.
    #[must_use]
    pub fn with_reply_to(mut self, address: &ReplyAddress) -> Self {
        self.properties = self.properties.with_reply_to(short(address.as_str()));
        self
    }

    /// Where it is published.
    #[must_use]
    pub fn exchange(&self) -> &str {
        &self.exchange
    }

    /// By what the exchange routes it.
    #[must_use]
    pub fn routing_key(&self) -> &str {
        &self.routing_key
    }

    /// By which returned messages are told apart. A foreign message may have none.
    pub(crate) fn message_id(&self) -> Option<&str> {
        self.properties.message_id().as_ref().map(ShortString::as_str)
    }
}

/// Which kind of trouble a message had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureClass {
    /// Can't be read; trying again won't help.
    Unreadable,
    /// Overtook its cause.
    Postponed,
    /// A call to an outside system failed.
    Effect,
    /// Our own code panicked, or the database refused a row.
    Defect,
    /// The process died while it worked on the message.
    Crash,
}

impl FailureClass {
    /// The name in headers, logs and metrics.
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

/// What went wrong with a message, as its headers tell it to whoever looks at it in the console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Kind of trouble.
    pub class: FailureClass,
    /// A sentence.
    pub reason: String,
    /// Worker and version.
    pub by: String,
    /// When.
    pub failed_at: OffsetDateTime,
}

impl Failure {
    fn at(&self) -> String {
        self.failed_at.format(&Rfc3339).unwrap_or_default()
    }
}

/// The headers that a message takes along when it is sent again, the ones it can't do without first.
fn carried_on(given: &FieldTable) -> FieldTable {
    let brokers = |key: &str| key.starts_with("x-") || ["CC", "BCC"].contains(&key);
    let (needed, other): (Vec<_>, Vec<_>) =
        given.inner().iter().partition(|(key, _)| header::IDENTITY.contains(&key.as_str()));
    let mut headers = FieldTable::default();
    let mut left = MAX_CARRIED_BYTES;
    for (key, value) in needed.into_iter().chain(other).filter(|(key, _)| !brokers(key.as_str())) {
        if let Some(rest) = left.checked_sub(1 + key.as_str().len() + encoded_bytes(value)) {
            left = rest;
            headers.insert(key.clone(), value.clone());
        }
    }
    headers
}

/// At least as many bytes as a header's value takes on the wire (AMQP 0-9-1 §4.2.5.5).
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

/// Cuts at a character's boundary.
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

/// Ids, types and names of ours are far shorter than the 255 bytes that AMQP allows; foreign ones are passed through
/// as they came.
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

/// A delivered message.
#[derive(Debug)]
pub struct Incoming {
    /// Its metadata, or why it has none.
    pub envelope: Result<Envelope, UnreadableEnvelope>,
    /// The body, not looked at yet.
    pub body: Bytes,
    /// How often the message came back because a worker died or lost its connection while it held it.
    pub delivery_count: u64,
    /// The user that published it, as the broker has verified.
    pub user_id: Option<String>,
    /// Where somebody waits for an answer.
    pub reply_to: Option<ReplyAddress>,
    pub(crate) delivery_tag: u64,
    properties: BasicProperties,
}

impl Incoming {
    /// Reads what the broker delivered.
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

    /// Who the message says it is, however broken the rest of it may be: for logs.
    #[must_use]
    pub fn claimed_id(&self) -> Option<&str> {
        self.properties.message_id().as_ref().map(ShortString::as_str)
    }

    /// What the message says it is, however broken the rest of it may be: for logs.
    #[must_use]
    pub fn claimed_type(&self) -> Option<&str> {
        self.properties.kind().as_ref().map(ShortString::as_str)
    }
}

/// Why a message's properties are not an envelope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnreadableEnvelope {
    /// A property or header is not there.
    #[error(
        "the message has no {0}, which every message of this system carries: it was published by something else"
    )]
    Missing(&'static str),
    /// A property or header is not what it should be.
    #[error("the message's {name} is not {expected}")]
    Malformed {
        /// The property or header.
        name: &'static str,
        /// What it should be.
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
