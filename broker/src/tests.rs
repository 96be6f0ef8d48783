//! The wire format, as others rely on it: an envelope's properties, the way back, and what a failure adds.

use std::collections::BTreeMap;

use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::types::{AMQPValue, ByteArray, DecimalValue, FieldArray, FieldTable, LongString, ShortString};
use millrace_contracts::{ClientId, Domain, Envelope, Fingerprint, JobId, MessageId, Trace, topology};
use proptest::prelude::*;
use time::macros::datetime;
use uuid::uuid;

use crate::wire::{Failure, FailureClass, Incoming, Outgoing, UnreadableEnvelope};

fn envelope() -> Envelope {
    Envelope {
        message_id: MessageId(uuid!("01890a5d-ac96-774b-bcce-b302099a8057")),
        job_id: JobId(uuid!("01890a5d-ac96-7000-8000-00000000000a")),
        causation_id: MessageId(uuid!("01890a5d-ac96-7000-8000-00000000000b")),
        client_id: ClientId::parse("web-shop").unwrap(),
        message_type: "orders.place".to_owned(),
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
        by: "payments-worker@host 0.1.0".to_owned(),
        failed_at: datetime!(2026-11-22 12:00:00.25 UTC),
    }
}

fn delivered(properties: BasicProperties, body: &[u8]) -> Incoming {
    let mut delivery = Delivery::mock(7, "commands".into(), "orders.place".into(), false, body.to_vec());
    delivery.properties = properties;
    Incoming::from_delivery(delivery)
}

/// A message of ours, with some of its headers changed.
fn with_headers(change: impl FnOnce(&mut FieldTable)) -> Incoming {
    let properties = Outgoing::new(topology::COMMANDS, &envelope(), "{}").properties;
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

fn again(incoming: &Incoming) -> Outgoing {
    Outgoing::again(incoming, "retry.1s", "orders", 4, &failure("the gateway is silent"))
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

#[test]
fn an_envelope_on_the_wire() {
    let message = Outgoing::new(topology::COMMANDS, &envelope(), "{}");
    insta::assert_snapshot!(shown(&message), @"
    to commands for orders.place
    message_id: 01890a5d-ac96-774b-bcce-b302099a8057
    correlation_id: 01890a5d-ac96-7000-8000-00000000000a
    type: orders.place
    content_type: application/json
    delivery_mode: 2
    timestamp
      attempt: LongUInt(3)
      causation-id: 01890a5d-ac96-7000-8000-00000000000b
      client-id: web-shop
      fingerprint: 6e46dd10defc9b56c29a6ec56b508c21
      traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
      tracestate: vendor=1
      version: LongUInt(1)
    ");
}

#[test]
fn an_envelope_comes_back_as_it_went() {
    let plain = Envelope { trace: Trace::default(), ..envelope() };
    for envelope in [envelope(), plain] {
        let message = Outgoing::new(topology::COMMANDS, &envelope, "{\"a\":1}");
        let incoming = delivered(message.properties.with_user_id("door".into()), &message.body);
        assert_eq!(incoming.envelope, Ok(envelope));
        assert_eq!(&incoming.body[..], b"{\"a\":1}");
        assert_eq!((incoming.returns, incoming.user_id.as_deref()), (0, Some("door")));
        assert_eq!(incoming.claimed_type(), Some("orders.place"));
        assert_eq!(incoming.claimed_id(), Some("01890a5d-ac96-774b-bcce-b302099a8057"));
    }
}

#[test]
fn only_an_event_that_nobody_hears_may_go_nowhere() {
    let mandatory = |message_type: &str| {
        let envelope = Envelope { message_type: message_type.to_owned(), ..envelope() };
        Outgoing::new(topology::EVENTS, &envelope, "{}").mandatory
    };
    assert!(mandatory("orders.place") && mandatory("orders.placed") && mandatory("not.known"));
    assert!(!mandatory("auth.password-set"));
    assert!(again(&delivered(BasicProperties::default(), b"")).mandatory);
}

#[test]
fn a_missing_property_or_header_is_named() {
    let bare = |incoming: Incoming| incoming.envelope.unwrap_err().to_string();
    let properties = Outgoing::new(topology::COMMANDS, &envelope(), "{}").properties;
    let headers = properties.headers().clone().unwrap();
    let id = ShortString::from(envelope().message_id.to_string());
    let some_id = BasicProperties::default().with_message_id(id.clone());
    let both_ids = some_id.clone().with_correlation_id(id).with_headers(headers);
    let sentences = [
        bare(delivered(BasicProperties::default(), b"{}")),
        bare(delivered(some_id, b"{}")),
        bare(delivered(both_ids, b"{}")),
        bare(without_header("version")),
        bare(without_header("attempt")),
        bare(without_header("causation-id")),
        bare(without_header("client-id")),
        bare(without_header("fingerprint")),
    ];
    insta::assert_snapshot!(sentences.join("\n"), @"
    the message has no message_id property, which every message of this system carries: it was published by something else
    the message has no correlation_id property, which every message of this system carries: it was published by something else
    the message has no type property, which every message of this system carries: it was published by something else
    the message has no version, which every message of this system carries: it was published by something else
    the message has no attempt, which every message of this system carries: it was published by something else
    the message has no causation-id, which every message of this system carries: it was published by something else
    the message has no client-id, which every message of this system carries: it was published by something else
    the message has no fingerprint, which every message of this system carries: it was published by something else
    ");
}

#[test]
fn a_trace_may_be_missing_or_malformed() {
    for incoming in [
        without_header("traceparent"),
        with_headers(|headers| set(headers, "traceparent", long("00-zz"))),
        with_headers(|headers| set(headers, "traceparent", AMQPValue::Void)),
    ] {
        assert_eq!(incoming.envelope.unwrap().trace, Trace::default());
    }
}

#[test]
fn a_malformed_property_or_header_is_named() {
    let malformed = |name: &'static str, value: AMQPValue| {
        let incoming = with_headers(|headers| set(headers, name, value));
        incoming.envelope.unwrap_err().to_string()
    };
    let properties = || Outgoing::new(topology::COMMANDS, &envelope(), "{}").properties;
    let wrong_id = delivered(properties().with_message_id("42".into()), b"{}");
    let wrong_job = delivered(properties().with_correlation_id("".into()), b"{}");
    let sentences = [
        wrong_id.envelope.unwrap_err().to_string(),
        wrong_job.envelope.unwrap_err().to_string(),
        malformed("version", AMQPValue::LongUInt(70_000)),
        malformed("attempt", AMQPValue::LongUInt(u32::MAX)),
        malformed("causation-id", long("nobody")),
        malformed("client-id", long("Robert'); DROP TABLE")),
        malformed("fingerprint", long("beef")),
        // Of another type than ours, they are as good as not there.
        malformed("version", long("1")),
        malformed("attempt", AMQPValue::LongLongInt(-1)),
        malformed("causation-id", long([0xff, 0xfe])),
        malformed("client-id", AMQPValue::FieldTable(FieldTable::default())),
    ];
    insta::assert_snapshot!(sentences.join("\n"), @"
    the message's message_id property is not a UUID
    the message's correlation_id property is not a UUID
    the message's version is not a small number
    the message's attempt is not a small number
    the message's causation-id is not a UUID
    the message's client-id is not a client's name
    the message's fingerprint is not 32 hexadecimal digits
    the message has no version, which every message of this system carries: it was published by something else
    the message has no attempt, which every message of this system carries: it was published by something else
    the message has no causation-id, which every message of this system carries: it was published by something else
    the message has no client-id, which every message of this system carries: it was published by something else
    ");
}

#[test]
fn numbers_of_any_width_are_read() {
    for attempt in [
        AMQPValue::ShortShortInt(9),
        AMQPValue::ShortShortUInt(9),
        AMQPValue::ShortInt(9),
        AMQPValue::ShortUInt(9),
        AMQPValue::LongInt(9),
        AMQPValue::LongUInt(9),
        AMQPValue::LongLongInt(9),
    ] {
        let incoming = with_headers(|headers| {
            headers.insert("x-delivery-count".into(), attempt.clone());
            headers.insert("attempt".into(), attempt);
        });
        assert_eq!((incoming.returns, incoming.envelope.unwrap().attempt), (9, 9));
    }
    let zero = with_headers(|headers| set(headers, "attempt", AMQPValue::LongInt(0)));
    assert_eq!(zero.envelope.unwrap().attempt, 1);
}

#[test]
fn a_retry_keeps_who_it_is_and_says_what_happened() {
    let asked = Outgoing::new(topology::COMMANDS, &envelope(), "{}")
        .properties
        .with_app_id("door".into())
        .with_content_encoding("identity".into())
        .with_reply_to("amq.rabbitmq.reply-to".into())
        .with_expiration("1000".into())
        .with_priority(9)
        .with_user_id("door".into())
        .with_cluster_id("c".into());
    let mut headers = asked.headers().clone().unwrap();
    headers.insert("x-death".into(), AMQPValue::FieldArray(FieldArray::default()));
    headers.insert("x-delivery-count".into(), AMQPValue::LongLongInt(2));
    headers.insert("CC".into(), AMQPValue::FieldArray(FieldArray::default()));
    headers.insert("BCC".into(), AMQPValue::FieldArray(FieldArray::default()));
    headers.insert("tenant".into(), long("blue"));
    let incoming = delivered(asked.with_headers(headers), b"{\"a\":1}");
    let message = again(&incoming);
    insta::assert_snapshot!(shown(&message), @"
    to retry.1s for orders
    message_id: 01890a5d-ac96-774b-bcce-b302099a8057
    correlation_id: 01890a5d-ac96-7000-8000-00000000000a
    type: orders.place
    content_type: application/json
    content_encoding: identity
    app_id: door
    delivery_mode: 2
    timestamp
      attempt: LongUInt(4)
      causation-id: 01890a5d-ac96-7000-8000-00000000000b
      client-id: web-shop
      failed-by: payments-worker@host 0.1.0
      failure-class: effect
      failure-reason: the gateway is silent
      fingerprint: 6e46dd10defc9b56c29a6ec56b508c21
      first-failed-at: 2026-11-22T12:00:00.25Z
      last-failed-at: 2026-11-22T12:00:00.25Z
      tenant: blue
      traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
      tracestate: vendor=1
      version: LongUInt(1)
    ");
    assert_eq!(&message.body[..], b"{\"a\":1}");

    let returned = delivered(message.properties, &message.body);
    assert_eq!(returned.envelope, Ok(Envelope { attempt: 4, ..envelope() }));
    assert_eq!(returned.returns, 0);
}

#[test]
fn the_first_failure_is_remembered_and_the_last_one_told() {
    let first = again(&with_headers(|_| {}));
    let second = Outgoing::again(
        &delivered(first.properties, b"{}"),
        topology::DEAD,
        "orders",
        4,
        &Failure {
            class: FailureClass::Crash,
            failed_at: datetime!(2027-01-01 0:00 UTC),
            by: "another".to_owned(),
            reason: "it died".to_owned(),
        },
    );
    assert_eq!(header_text(&second, "first-failed-at"), "2026-11-22T12:00:00.25Z");
    assert_eq!(header_text(&second, "last-failed-at"), "2027-01-01T00:00:00Z");
    assert_eq!(header_text(&second, "failure-class"), "crash");
    assert_eq!(header_text(&second, "failure-reason"), "it died");
    assert_eq!(header_text(&second, "failed-by"), "another");
}

#[test]
fn a_redriven_message_has_all_its_attempts_again() {
    let dead =
        delivered(again(&with_headers(|headers| set(headers, "tenant", long("blue")))).properties, b"{}");
    let message = Outgoing::redriven(&dead, Domain::Orders);
    insta::assert_snapshot!(shown(&message), @"
    to redrive for orders
    message_id: 01890a5d-ac96-774b-bcce-b302099a8057
    correlation_id: 01890a5d-ac96-7000-8000-00000000000a
    type: orders.place
    content_type: application/json
    delivery_mode: 2
    timestamp
      attempt: LongUInt(1)
      causation-id: 01890a5d-ac96-7000-8000-00000000000b
      client-id: web-shop
      fingerprint: 6e46dd10defc9b56c29a6ec56b508c21
      first-failed-at: 2026-11-22T12:00:00.25Z
      tenant: blue
      traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
      tracestate: vendor=1
      version: LongUInt(1)
    ");
    assert_eq!(delivered(message.properties, b"{}").envelope, Ok(Envelope { attempt: 1, ..envelope() }));
}

#[test]
fn a_long_reason_is_cut_between_characters() {
    let reason = |text: &str| {
        let incoming = with_headers(|_| {});
        header_text(&Outgoing::again(&incoming, "dead", "orders", 1, &failure(text)), "failure-reason")
    };
    assert_eq!(reason(&"x".repeat(2048)).len(), 2048);
    assert_eq!(reason(&"x".repeat(5000)).len(), 2048);
    // Three bytes each, and 2048 is no multiple of three.
    let cut = reason(&"€".repeat(1000));
    assert_eq!((cut.len(), cut.chars().all(|c| c == '€')), (2046, true));
}

#[test]
fn a_message_without_any_properties_is_passed_on_with_its_failure() {
    let incoming = delivered(BasicProperties::default(), b"\xff\x00 not json");
    assert_eq!(incoming.envelope, Err(UnreadableEnvelope::Missing("message_id property")));
    assert_eq!((incoming.claimed_id(), incoming.claimed_type()), (None, None));
    let message = again(&incoming);
    assert_eq!(message.message_id(), None);
    assert_eq!(&message.body[..], b"\xff\x00 not json");
    insta::assert_snapshot!(shown(&message), @"
    to retry.1s for orders
    delivery_mode: 2
      attempt: LongUInt(4)
      failed-by: payments-worker@host 0.1.0
      failure-class: effect
      failure-reason: the gateway is silent
      first-failed-at: 2026-11-22T12:00:00.25Z
      last-failed-at: 2026-11-22T12:00:00.25Z
    ");
}

#[test]
fn headers_that_would_not_fit_a_frame_stay_behind() {
    // As much as a frame of 128 KiB can bring in.
    let nested: BTreeMap<ShortString, AMQPValue> = [("deep".into(), long("x".repeat(60_000)))].into();
    let incoming = with_headers(|headers| {
        set(headers, "aaa", long("x".repeat(60_000)));
        set(headers, "note", long("kept"));
        set(headers, "zzz", AMQPValue::FieldTable(nested.into()));
    });
    let message = again(&incoming);
    assert!(header(&message, "aaa").is_some() && header(&message, "zzz").is_none());
    assert_eq!(header_text(&message, "note"), "kept");
    assert_eq!(delivered(message.properties, b"{}").envelope, Ok(Envelope { attempt: 4, ..envelope() }));
    let incoming = with_headers(|headers| set(headers, "first-failed-at", long("x".repeat(120_000))));
    assert_eq!(header_text(&again(&incoming), "first-failed-at"), "2026-11-22T12:00:00.25Z");
}

fn any_value() -> impl Strategy<Value = AMQPValue> {
    let text = prop::collection::vec(any::<u8>(), 0..40);
    let leaf = prop_oneof![
        Just(AMQPValue::Void),
        any::<bool>().prop_map(AMQPValue::Boolean),
        any::<i8>().prop_map(AMQPValue::ShortShortInt),
        any::<u8>().prop_map(AMQPValue::ShortShortUInt),
        any::<i16>().prop_map(AMQPValue::ShortInt),
        any::<u16>().prop_map(AMQPValue::ShortUInt),
        any::<i32>().prop_map(AMQPValue::LongInt),
        any::<u32>().prop_map(AMQPValue::LongUInt),
        any::<i64>().prop_map(AMQPValue::LongLongInt),
        any::<u64>().prop_map(AMQPValue::Timestamp),
        any::<f64>().prop_map(AMQPValue::Double),
        any::<(u8, u32)>().prop_map(|(scale, value)| AMQPValue::DecimalValue(DecimalValue { scale, value })),
        text.clone().prop_map(long),
        text.prop_map(|bytes| AMQPValue::ByteArray(ByteArray::from(bytes))),
        ".{0,60}".prop_map(|text| AMQPValue::ShortString(ShortString::try_new(text).unwrap_or_default())),
        Just(long(envelope().message_id.to_string())),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|all| AMQPValue::FieldArray(all.into())),
            prop::collection::btree_map("[a-z]{1,5}".prop_map(ShortString::from), inner, 0..4)
                .prop_map(|all| AMQPValue::FieldTable(all.into())),
        ]
    })
}

fn any_headers() -> impl Strategy<Value = FieldTable> {
    let known = prop::sample::select(vec![
        "version",
        "attempt",
        "causation-id",
        "client-id",
        "fingerprint",
        "traceparent",
        "tracestate",
        "first-failed-at",
        "failure-reason",
        "x-delivery-count",
        "x-death",
        "CC",
        "BCC",
    ]);
    let key = prop_oneof![known.prop_map(ShortString::from), ".{0,40}".prop_map(ShortString::from)];
    prop::collection::btree_map(key, any_value(), 0..14).prop_map(FieldTable::from)
}

proptest! {
    #[test]
    fn whatever_is_in_a_message_it_can_be_read_or_refused_and_passed_on(
        headers in any_headers(),
        id in prop::option::of(".{0,60}"),
        body in prop::collection::vec(any::<u8>(), 0..64),
        ours in any::<bool>(),
    ) {
        let mut properties = match ours {
            true => Outgoing::new(topology::COMMANDS, &envelope(), "{}").properties,
            false => BasicProperties::default(),
        };
        if let Some(id) = id {
            properties = properties.with_message_id(ShortString::from(id));
        }
        let incoming = delivered(properties.with_headers(headers), &body);
        let message = again(&incoming);
        prop_assert_eq!(&message.body[..], &body[..]);
        prop_assert_eq!(message.message_id(), incoming.claimed_id());
        let stays = |name: &str| !name.starts_with("x-") && name != "CC" && name != "BCC";
        prop_assert!(message.properties.headers().iter().flat_map(|it| it.inner().keys()).all(|key| stays(key.as_str())));
        // What can be read once can be read again, with the new attempt.
        if let Ok(envelope) = incoming.envelope {
            let back = delivered(message.properties, &message.body).envelope;
            prop_assert_eq!(back, Ok(Envelope { attempt: 4, ..envelope }));
        }
    }
}
