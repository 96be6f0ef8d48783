//! Which messages can be decoded in which queue, and the summary of a queue.

use millrace_protocol::{About, Contract, Domain, Kind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::*;

#[derive(Serialize, Deserialize, JsonSchema)]
struct Recall {
    letter_id: Uuid,
}

impl Contract for Recall {
    const TYPE: &'static str = "letters.recall";
    const KIND: Kind = Kind::Command;
    fn example() -> Self {
        Self { letter_id: Uuid::nil() }
    }
}

const LETTERS: DomainName = DomainName::new("letters");
const PARCELS: DomainName = DomainName::new("parcels");

fn decoded(message_type: &str, version: u16, body: &str, domain: Option<DomainName>) -> String {
    let about = About { title: "Post", version: "1.0.0", description: "" };
    let domains = [Domain::new(LETTERS).message::<Recall>(), Domain::new(PARCELS)];
    match decode(&Catalog::new(about, domains), message_type, version, body.as_bytes(), domain) {
        Ok(()) => "decoded".to_owned(),
        Err(unreadable) => unreadable.to_string(),
    }
}

#[test]
fn a_message_is_decoded_as_the_worker_of_its_queue_would() {
    let recall = r#"{"letter_id": "01980000-0000-7000-8000-000000000001", "of a newer release": true}"#;
    for domain in [Some(LETTERS), None] {
        assert_eq!(decoded("letters.recall", 1, recall, domain), "decoded");
        assert_eq!(
            decoded("letters.recall", 2, recall, domain),
            "`letters.recall` version 2 is not known to this release, which reads version 1"
        );
        assert_eq!(
            decoded("letters.recall", 1, r#"{"letter_id": 7}"#, domain),
            "the body is not a valid `letters.recall`: /letter_id: expected a UUID, found a whole number"
        );
    }
    let elsewhere = "messages of type `letters.recall` are not handled here";
    assert_eq!(decoded("letters.recall", 1, recall, Some(PARCELS)), elsewhere);
    assert_eq!(
        decoded("letters.burn", 1, "{}", None),
        "messages of type `letters.burn` are not handled here"
    );
}

#[test]
fn a_summary_says_how_much_was_not_inspected() {
    let said = |inspected, total, unreadable| summary("letters", Browsed { inspected, total }, unreadable);
    assert_eq!(said(0, 0, 0), "letters: empty");
    assert_eq!(said(7, 7, 0), "letters: inspected 7, cannot decode 0");
    assert_eq!(said(10_000, 52_314, 3), "letters: inspected 10,000 of 52,314, cannot decode 3");
    assert_eq!(said(0, 1, 0), "letters: inspected 0 of 1, cannot decode 0");
}

#[test]
fn large_numbers_are_grouped() {
    let groups = [(0, "0"), (999, "999"), (1_000, "1,000"), (52_314, "52,314"), (1_000_000, "1,000,000")];
    for (number, text) in groups {
        assert_eq!(grouped(number), text);
    }
}
