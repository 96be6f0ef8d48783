//! Copies for a delay queue, a dead-letter queue or a redrive: they keep their ids, and a failure adds a limited number of
//! bytes.

use lapin::types::{ByteArray, DecimalValue, FieldArray, ShortString};
use millrace_protocol::{DomainName, Route, exchanges};
use proptest::prelude::*;

use super::*;
use crate::wire::UnreadableEnvelope;

#[test]
fn a_retry_keeps_its_identity_and_says_what_happened() {
    let original = Outgoing::new(Route::COMMAND, &envelope(), "{}")
        .properties
        .with_app_id("producer-api".into())
        .with_content_encoding("identity".into())
        .with_reply_to("amq.rabbitmq.reply-to".into())
        .with_expiration("1000".into())
        .with_priority(9)
        .with_user_id("producer-api".into())
        .with_cluster_id("c".into());
    let mut headers = original.headers().clone().unwrap();
    headers.insert("x-death".into(), AMQPValue::FieldArray(FieldArray::default()));
    headers.insert("x-delivery-count".into(), AMQPValue::LongLongInt(2));
    headers.insert("CC".into(), AMQPValue::FieldArray(FieldArray::default()));
    headers.insert("BCC".into(), AMQPValue::FieldArray(FieldArray::default()));
    headers.insert("tenant".into(), long("blue"));
    let incoming = delivered(original.with_headers(headers), b"{\"a\":1}");
    let message = retried(&incoming);
    insta::assert_snapshot!(shown(&message), @"
    to retry.1s for offers
    message_id: 01890a5d-ac96-774b-bcce-b302099a8057
    correlation_id: 01890a5d-ac96-7000-8000-00000000000a
    type: offers.make
    content_type: application/json
    content_encoding: identity
    app_id: producer-api
    delivery_mode: 2
    timestamp
      attempt: LongUInt(4)
      causation-id: 01890a5d-ac96-7000-8000-00000000000b
      client-id: web-shop
      failed-by: parcels-worker@host 0.1.0
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
    assert_eq!(returned.delivery_count, 0);
}

#[test]
fn the_headers_tell_the_time_of_the_first_failure_and_all_of_the_last() {
    let first = retried(&with_headers(|_| {}));
    let second = Outgoing::after_failure(
        &delivered(first.properties, b"{}"),
        exchanges::DEAD,
        "offers",
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
fn a_redriven_message_begins_with_its_first_attempt() {
    let dead =
        delivered(retried(&with_headers(|headers| set(headers, "tenant", long("blue")))).properties, b"{}");
    let message = Outgoing::redriven(&dead, DomainName::new("offers"));
    insta::assert_snapshot!(shown(&message), @"
    to redrive for offers
    message_id: 01890a5d-ac96-774b-bcce-b302099a8057
    correlation_id: 01890a5d-ac96-7000-8000-00000000000a
    type: offers.make
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
        header_text(
            &Outgoing::after_failure(&incoming, "dead", "offers", 1, &failure(text)),
            "failure-reason",
        )
    };
    assert_eq!(reason(&"x".repeat(2048)).len(), 2048);
    assert_eq!(reason(&"x".repeat(5000)).len(), 2048);
    // Three bytes each, and 2048 is no multiple of three.
    let cut = reason(&"€".repeat(1000));
    assert_eq!((cut.len(), cut.chars().all(|c| c == '€')), (2046, true));
}

#[test]
fn a_message_without_any_properties_is_copied_with_its_failure() {
    let incoming = delivered(BasicProperties::default(), b"\xff\x00 not json");
    assert_eq!(incoming.envelope, Err(UnreadableEnvelope::Missing("message_id property")));
    assert_eq!((incoming.claimed_id(), incoming.claimed_type()), (None, None));
    let message = retried(&incoming);
    assert_eq!(message.message_id(), None);
    assert_eq!(&message.body[..], b"\xff\x00 not json");
    insta::assert_snapshot!(shown(&message), @"
    to retry.1s for offers
    delivery_mode: 2
      attempt: LongUInt(4)
      failed-by: parcels-worker@host 0.1.0
      failure-class: effect
      failure-reason: the gateway is silent
      first-failed-at: 2026-11-22T12:00:00.25Z
      last-failed-at: 2026-11-22T12:00:00.25Z
    ");
}

#[test]
fn headers_that_would_not_fit_a_frame_are_dropped() {
    // As much as a frame of 128 KiB can bring in.
    let nested: BTreeMap<ShortString, AMQPValue> = [("deep".into(), long("x".repeat(60_000)))].into();
    let incoming = with_headers(|headers| {
        set(headers, "aaa", long("x".repeat(60_000)));
        set(headers, "note", long("kept"));
        set(headers, "zzz", AMQPValue::FieldTable(nested.into()));
    });
    let message = retried(&incoming);
    assert!(header(&message, "aaa").is_some() && header(&message, "zzz").is_none());
    assert_eq!(header_text(&message, "note"), "kept");
    assert_eq!(delivered(message.properties, b"{}").envelope, Ok(Envelope { attempt: 4, ..envelope() }));
    let incoming = with_headers(|headers| set(headers, "first-failed-at", long("x".repeat(120_000))));
    assert_eq!(header_text(&retried(&incoming), "first-failed-at"), "2026-11-22T12:00:00.25Z");
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
    fn any_message_can_be_read_or_refused_and_copied(
        headers in any_headers(),
        id in prop::option::of(".{0,60}"),
        body in prop::collection::vec(any::<u8>(), 0..64),
        ours in any::<bool>(),
    ) {
        let mut properties = match ours {
            true => Outgoing::new(Route::COMMAND, &envelope(), "{}").properties,
            false => BasicProperties::default(),
        };
        if let Some(id) = id {
            properties = properties.with_message_id(ShortString::from(id));
        }
        let incoming = delivered(properties.with_headers(headers), &body);
        let message = retried(&incoming);
        prop_assert_eq!(&message.body[..], &body[..]);
        prop_assert_eq!(message.message_id(), incoming.claimed_id());
        let stays = |name: &str| !name.starts_with("x-") && name != "CC" && name != "BCC";
        prop_assert!(message.properties.headers().iter().flat_map(|it| it.inner().keys()).all(|key| stays(key.as_str())));
        // An envelope that can be read once can be read from the copy, too, with the new attempt.
        if let Ok(envelope) = incoming.envelope {
            let back = delivered(message.properties, &message.body).envelope;
            prop_assert_eq!(back, Ok(Envelope { attempt: 4, ..envelope }));
        }
    }
}
