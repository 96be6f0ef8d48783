//! The wire format, on which other systems rely.

mod copies;
mod envelope;
mod replies;

use std::collections::BTreeMap;

use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::types::{AMQPValue, FieldTable, LongString};
use millrace_protocol::{ClientId, Envelope, Fingerprint, JobId, MessageId, Route, Trace};
use time::macros::datetime;
use uuid::uuid;

use crate::wire::{Failure, FailureClass, Incoming, Outgoing};

fn envelope() -> Envelope {
    Envelope {
        message_id: MessageId(uuid!("01890a5d-ac96-774b-bcce-b302099a8057")),
        job_id: JobId(uuid!("01890a5d-ac96-7000-8000-00000000000a")),
        causation_id: MessageId(uuid!("01890a5d-ac96-7000-8000-00000000000b")),
        client_id: ClientId::parse("web-shop").unwrap(),
        message_type: "offers.make".to_owned(),
        version: 1,
        attempt: 3,
        fingerprint: Fingerprint::of(b"{}"),
        trace: Trace {
            traceparent: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned()),
            tracestate: Some("vendor=1".to_owned()),
        },
    }
}

fn failure(reason: &str) -> Failure {
    Failure {
        class: FailureClass::Effect,
        reason: reason.to_owned(),
        by: "parcels-worker@host 0.1.0".to_owned(),
        failed_at: datetime!(2026-11-22 12:00:00.25 UTC),
    }
}

fn delivered(properties: BasicProperties, body: &[u8]) -> Incoming {
    let mut delivery = Delivery::mock(7, "commands".into(), "offers.make".into(), false, body.to_vec());
    delivery.properties = properties;
    Incoming::from_delivery(delivery)
}

/// A message of ours, with some of its headers changed.
fn with_headers(change: impl FnOnce(&mut FieldTable)) -> Incoming {
    let properties = Outgoing::new(Route::COMMAND, &envelope(), "{}").properties;
    let mut headers = properties.headers().clone().unwrap();
    change(&mut headers);
    delivered(properties.with_headers(headers), b"{}")
}

fn set(headers: &mut FieldTable, name: &str, value: AMQPValue) {
    headers.insert(name.into(), value);
}

fn without_header(name: &str) -> Incoming {
    let kept = |table: &FieldTable| {
        let rest = table.inner().iter().filter(|(key, _)| key.as_str() != name);
        rest.map(|(key, value)| (key.clone(), value.clone())).collect::<BTreeMap<_, _>>()
    };
    with_headers(|headers| *headers = kept(headers).into())
}

fn retried(incoming: &Incoming) -> Outgoing {
    Outgoing::after_failure(incoming, "retry.1s", "offers", 4, &failure("the gateway is silent"))
}

fn header<'a>(message: &'a Outgoing, name: &str) -> Option<&'a AMQPValue> {
    message.properties.headers().as_ref().and_then(|headers| headers.inner().get(name))
}

fn header_text(message: &Outgoing, name: &str) -> String {
    match header(message, name) {
        Some(AMQPValue::LongString(text)) => text.to_string(),
        other => panic!("{name} is {other:?}"),
    }
}

fn long(text: impl Into<Vec<u8>>) -> AMQPValue {
    AMQPValue::LongString(LongString::from(text.into()))
}

/// One property a line, as the console shows them. The timestamp is now and only named.
fn shown(message: &Outgoing) -> String {
    let Outgoing { exchange, routing_key, properties, .. } = message;
    let mut lines = vec![format!("to {exchange} for {routing_key}")];
    for (name, value) in [
        ("message_id", properties.message_id()),
        ("correlation_id", properties.correlation_id()),
        ("type", properties.kind()),
        ("content_type", properties.content_type()),
        ("content_encoding", properties.content_encoding()),
        ("app_id", properties.app_id()),
        ("user_id", properties.user_id()),
        ("reply_to", properties.reply_to()),
        ("expiration", properties.expiration()),
        ("cluster_id", properties.cluster_id()),
    ] {
        lines.extend(value.as_ref().map(|value| format!("{name}: {value}")));
    }
    lines.extend(properties.delivery_mode().map(|mode| format!("delivery_mode: {mode}")));
    lines.extend(properties.priority().map(|priority| format!("priority: {priority}")));
    lines.extend(properties.timestamp().map(|_| "timestamp".to_owned()));
    for (key, value) in properties.headers().as_ref().into_iter().flat_map(|headers| headers.inner()) {
        let value = match value {
            AMQPValue::LongString(text) => text.to_string(),
            other => format!("{other:?}"),
        };
        lines.push(format!("  {key}: {value}"));
    }
    lines.join("\n")
}
