//! Envelopes as properties and headers, and read back from them.

use lapin::types::ShortString;
use millrace_protocol::Route;

use super::*;

#[test]
fn an_envelope_on_the_wire() {
    let message = Outgoing::new(Route::COMMAND, &envelope(), "{}");
    insta::assert_snapshot!(shown(&message), @"
    to commands for offers.make
    message_id: 01890a5d-ac96-774b-bcce-b302099a8057
    correlation_id: 01890a5d-ac96-7000-8000-00000000000a
    type: offers.make
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
        let message = Outgoing::new(Route::COMMAND, &envelope, "{\"a\":1}");
        let incoming = delivered(message.properties.with_user_id("producer-api".into()), &message.body);
        assert_eq!(incoming.envelope, Ok(envelope));
        assert_eq!(&incoming.body[..], b"{\"a\":1}");
        assert_eq!((incoming.delivery_count, incoming.user_id.as_deref()), (0, Some("producer-api")));
        assert_eq!(incoming.claimed_type(), Some("offers.make"));
        assert_eq!(incoming.claimed_id(), Some("01890a5d-ac96-774b-bcce-b302099a8057"));
    }
}

#[test]
fn a_queue_must_get_what_its_route_says_and_every_copy() {
    let mandatory =
        |mandatory| Outgoing::new(Route { mandatory, ..Route::EVENT }, &envelope(), "{}").mandatory;
    assert!(mandatory(true) && !mandatory(false));
    assert!(retried(&delivered(BasicProperties::default(), b"")).mandatory);
}

#[test]
fn a_missing_property_or_header_is_named() {
    let bare = |incoming: Incoming| incoming.envelope.unwrap_err().to_string();
    let properties = Outgoing::new(Route::COMMAND, &envelope(), "{}").properties;
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
    let properties = || Outgoing::new(Route::COMMAND, &envelope(), "{}").properties;
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
        // Headers of another AMQP type count as missing.
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
        assert_eq!((incoming.delivery_count, incoming.envelope.unwrap().attempt), (9, 9));
    }
    let zero = with_headers(|headers| set(headers, "attempt", AMQPValue::LongInt(0)));
    assert_eq!(zero.envelope.unwrap().attempt, 1);
}
