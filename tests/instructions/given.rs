//! What the cases work on: orders of three lines, what follows from them, and the deliveries that bring them.

use std::sync::LazyLock;

use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::types::{AMQPValue, FieldTable, ShortString};
use millrace_contracts::orders::{Line, Place, Placed};
use millrace_contracts::payments::Captured;
use millrace_contracts::users::Registered;
use millrace_contracts::{MinorUnits, OrderId, PaymentId, Quantity, Sku, UserId, catalog};
use millrace_protocol::{ClientId, Contract, Envelope, Fingerprint, JobId, Trace};
use time::OffsetDateTime;
use time::macros::datetime;
use uuid::Uuid;

use crate::case::MESSAGES;

/// The moment at which everything happens.
pub const NOW: OffsetDateTime = datetime!(2026-01-01 12:00 UTC);
/// Fewer than orders, so that some rows are looked at several times.
pub const CUSTOMERS: u32 = 64;
const PERSISTENT: u8 = 2;

/// One of each message, numbered.
pub fn messages<T>(message: impl Fn(u32) -> T) -> Vec<T> {
    (0..MESSAGES).map(message).collect()
}

/// UUIDs of one millisecond: they differ where those that are drawn at once do.
fn id(kind: u32, number: u32) -> Uuid {
    let random = u128::from(number.wrapping_mul(0x9e37_79b1)) << 16 | u128::from(kind);
    Uuid::from_u128(0x0198_0000_0000_7000_8000_0000_0000_0000 | random)
}

pub fn job(number: u32) -> JobId {
    JobId(id(0, number))
}

fn order(number: u32) -> OrderId {
    OrderId(job(number).0)
}

fn payment(number: u32) -> PaymentId {
    PaymentId(id(1, number))
}

fn user(number: u32) -> UserId {
    UserId(id(2, number % CUSTOMERS))
}

pub fn registered(number: u32) -> Registered {
    Registered { user_id: user(number), ..Registered::example() }
}

/// As a client posts it: the order's id is left to the job.
pub fn place(number: u32) -> Place {
    let line = |position: u32| Line {
        sku: Sku::parse(format!("TEA-{:04}-{position}", number % 100 * 97 % 10_000)).expect("an article"),
        quantity: Quantity::new(1 + (number + position) % 5).expect("a quantity"),
        unit_price_minor: MinorUnits::new(i64::from(1000 + number * 7 + position)).expect("a price"),
    };
    Place { order_id: None, user_id: user(number), lines: (0..3).map(line).collect(), ..Place::example() }
}

pub fn placed(number: u32) -> Placed {
    let place = place(number);
    Placed {
        order_id: order(number),
        user_id: place.user_id,
        total: place.total().expect("a total"),
        payment_method: place.payment_method,
    }
}

pub fn captured(number: u32) -> Captured {
    let amount = placed(number).total;
    Captured { payment_id: payment(number), order_id: order(number), amount }
}

/// A message's envelope, in the trace that the API begins. Follow-ups have derived ids, which cost the same.
pub fn envelope<T: Contract>(number: u32) -> Envelope {
    let trace = format!("00-{:032x}-{:016x}-01", job(number).0.as_u128(), u64::from(number) + 1);
    let first = Envelope::first::<T>(job(number), client().clone(), Fingerprint::of(&number.to_be_bytes()));
    Envelope { trace: Trace { traceparent: Some(trace), tracestate: None }, ..first }
}

/// Whose jobs all messages belong to.
pub fn client() -> &'static ClientId {
    static CLIENT: LazyLock<ClientId> = LazyLock::new(|| ClientId::parse("shop").expect("a client's name"));
    &CLIENT
}

pub fn body<T: Contract>(message: &T) -> Vec<u8> {
    serde_json::to_vec(message).expect("messages are plain data")
}

/// A message as the broker delivers it to a worker.
pub fn delivery<T: Contract>(number: u32, message: &T) -> Delivery {
    let envelope = envelope::<T>(number);
    let exchange = catalog().find(T::TYPE).expect("a message of the catalog").route().exchange;
    let mut delivery = Delivery::mock(number.into(), exchange.into(), T::TYPE.into(), false, body(message));
    delivery.properties = properties(&envelope);
    delivery
}

fn properties(envelope: &Envelope) -> BasicProperties {
    let short = |text: &str| ShortString::from(text);
    let mut headers = FieldTable::default();
    for (name, text) in [
        ("causation-id", envelope.causation_id.to_string()),
        ("client-id", envelope.client_id.to_string()),
        ("fingerprint", envelope.fingerprint.to_string()),
        ("traceparent", envelope.trace.traceparent.clone().unwrap_or_default()),
    ] {
        headers.insert(short(name), AMQPValue::LongString(text.into()));
    }
    for (name, number) in [("version", envelope.version.into()), ("attempt", envelope.attempt)] {
        headers.insert(short(name), AMQPValue::LongUInt(number));
    }
    BasicProperties::default()
        .with_message_id(short(&envelope.message_id.to_string()))
        .with_correlation_id(short(&envelope.job_id.to_string()))
        .with_type(short(&envelope.message_type))
        .with_content_type(short("application/json"))
        .with_delivery_mode(PERSISTENT)
        .with_timestamp(NOW.unix_timestamp().unsigned_abs())
        .with_headers(headers)
}
