//! Identifiers and what travels beside a body.

use std::collections::BTreeSet;

use uuid::{Variant, uuid};

use crate::{Fingerprint, JobId, MessageId, Trace};

const PARENT: MessageId = MessageId(uuid!("01980000-1234-7abc-8def-0123456789ab"));

#[test]
fn a_derived_id_keeps_the_time_and_is_a_uuid_of_version_7() {
    for position in 0..1000 {
        let derived = PARENT.derive(position).0;
        assert_eq!(derived.as_bytes()[..6], PARENT.0.as_bytes()[..6]);
        assert_eq!((derived.get_version_num(), derived.get_variant()), (7, Variant::RFC4122));
        assert_eq!(derived.get_timestamp(), PARENT.0.get_timestamp());
    }
}

/// Ids are stored and compared: another way to derive them would hand out every follow-up twice.
#[test]
fn a_derived_id_is_the_same_in_every_release() {
    let ids = [PARENT.derive(0), PARENT.derive(1), PARENT.derive(0).derive(0)].map(|id| id.to_string());
    let known = [
        "01980000-1234-7f88-a029-258aeb5b3e39",
        "01980000-1234-7cb7-80b3-6c0d209c14a0",
        "01980000-1234-7d29-8b5a-7b36ab3c9fba",
    ];
    assert_eq!(ids, known);
}

#[test]
fn derived_ids_are_all_different() {
    let children = (0..100).map(|position| PARENT.derive(position));
    let family: BTreeSet<_> = children.flat_map(|child| [child, child.derive(0), child.derive(1)]).collect();
    assert_eq!(family.len(), 300);
}

#[test]
fn a_flow_lies_between_its_ends() {
    let (low, high) = PARENT.flow_range();
    let deep = (0..50).fold(PARENT, |message, position| message.derive(position));
    assert!(low <= PARENT.0 && PARENT.0 <= high);
    assert!(low <= deep.0 && deep.0 <= high);
    let neighbour = MessageId(uuid!("01980000-1235-7abc-8def-0123456789ab"));
    assert!(neighbour.0 > high);
}

#[test]
fn a_job_is_named_after_its_first_message() {
    assert_eq!(PARENT.as_job(), JobId(PARENT.0));
    assert_eq!(PARENT.as_job().first_message(), PARENT);
}

#[test]
fn a_fingerprint_tells_bodies_apart_and_is_read_back() {
    let fingerprint = Fingerprint::of(b"{}");
    assert_eq!(Fingerprint::parse(fingerprint.as_str()), Some(fingerprint.clone()));
    assert_ne!(fingerprint, Fingerprint::of(b"{ }"));
    assert_eq!(Fingerprint::parse("abc"), None);
    assert_eq!(Fingerprint::parse(&"g".repeat(32)), None);
}

fn accepted(parent: Option<&str>, state: Option<&str>) -> (bool, bool) {
    let trace = Trace::accept(parent, state);
    (trace.traceparent.is_some(), trace.tracestate.is_some())
}

#[test]
fn a_broken_trace_is_dropped_and_never_refuses_a_job() {
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let state = "vendor=1";
    assert_eq!(accepted(Some(parent), Some(state)), (true, true));
    assert_eq!(accepted(Some(parent), Some("two\nlines")), (true, false));
    assert_eq!(accepted(Some(parent), Some(&"x".repeat(513))), (true, false));
    let spoilt = [parent.to_uppercase(), parent.replace("00-", "ff-"), "0".repeat(55), format!("{parent}-x")];
    for broken in spoilt.iter().map(String::as_str).chain(["", "00"]) {
        assert_eq!(accepted(Some(broken), Some(state)), (false, false), "{broken}");
    }
    assert_eq!(accepted(None, Some(state)), (false, false));
}
