//! Dead letters as the management API shows them.

use super::*;

fn letter(properties: Value) -> DeadLetter {
    let got: Got = serde_json::from_value(json!({ "message_count": 0, "properties": properties })).unwrap();
    got.properties.into()
}

#[test]
fn a_letter_from_a_worker_has_every_field() {
    let shown = letter(json!({
        "message_id": "m", "correlation_id": "j", "type": "offers.make", "delivery_mode": 2, "headers": {
            "attempt": 6, "failure-class": "effect", "failure-reason": "the gateway is silent",
            "last-failed-at": "2026-11-22T12:00:00Z", "failed-by": "parcels-worker@host 0.1.0", "version": 1,
            "x-death": [{ "reason": "expired" }],
        },
    }));
    let some = |text: &str| Some(text.to_owned());
    let expected = DeadLetter {
        message_id: some("m"),
        job_id: some("j"),
        message_type: some("offers.make"),
        class: some("effect"),
        reason: some("the gateway is silent"),
        failed_at: some("2026-11-22T12:00:00Z"),
        failed_by: some("parcels-worker@host 0.1.0"),
        attempt: Some(6),
    };
    assert_eq!(shown, expected);
}

#[test]
fn a_letter_from_the_broker_says_why() {
    let by_broker = |reason: &str| {
        let death = json!({ "count": 1, "queue": "offers", "reason": reason });
        letter(json!({ "headers": { "x-death": [death, { "reason": "expired" }] } }))
    };
    assert_eq!(by_broker("delivery_limit").class.as_deref(), Some("broker"));
    assert!(by_broker("delivery_limit").reason.unwrap().contains("look for workers that crash"));
    assert!(by_broker("rejected").reason.unwrap().contains("rejected"));
    assert!(by_broker("maxlen").reason.unwrap().contains("maxlen"));
}

#[test]
fn a_letter_without_properties_or_with_odd_ones_is_empty() {
    for odd in [
        json!([]),
        json!({}),
        json!({ "delivery_mode": 1 }),
        json!({ "headers": { "x-death": "soon", "attempt": "many", "failure-reason": [1] } }),
    ] {
        assert_eq!(letter(odd.clone()), DeadLetter::default(), "{odd}");
    }
}
