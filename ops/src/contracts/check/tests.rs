//! What counts as readable in which queue, and how a queue is summed up.

use super::*;
use millrace_contracts::DomainName;

fn told(message_type: &str, version: u16, body: &str, domain: Option<DomainName>) -> String {
    match read(message_type, version, body.as_bytes(), domain) {
        Ok(()) => "read".to_owned(),
        Err(unreadable) => unreadable.to_string(),
    }
}

#[test]
fn a_message_is_read_as_the_worker_of_its_queue_would() {
    let cancel = r#"{"order_id": "01980000-0000-7000-8000-000000000001", "of a newer release": true}"#;
    for domain in [Some(millrace_contracts::orders::DOMAIN), None] {
        assert_eq!(told("orders.cancel", 1, cancel, domain), "read");
        assert_eq!(
            told("orders.cancel", 2, cancel, domain),
            "`orders.cancel` version 2 is not known to this release, which reads version 1"
        );
        assert_eq!(
            told("orders.cancel", 1, r#"{"order_id": 7}"#, domain),
            "the body is not a valid `orders.cancel`: /order_id: expected a UUID, found a whole number"
        );
    }
    let elsewhere = "messages of type `orders.cancel` are not handled here";
    assert_eq!(told("orders.cancel", 1, cancel, Some(millrace_contracts::users::DOMAIN)), elsewhere);
    assert_eq!(told("orders.vanish", 1, "{}", None), "messages of type `orders.vanish` are not handled here");
}

#[test]
fn a_summary_says_how_much_was_not_inspected() {
    let said = |inspected, total, unreadable| summary("orders", Browsed { inspected, total }, unreadable);
    assert_eq!(said(0, 0, 0), "orders: empty");
    assert_eq!(said(7, 7, 0), "orders: inspected 7, could not read 0");
    assert_eq!(said(10_000, 52_314, 3), "orders: inspected 10,000 of 52,314, could not read 3");
    assert_eq!(said(0, 1, 0), "orders: inspected 0 of 1, could not read 0");
}

#[test]
fn large_numbers_are_grouped() {
    let groups = [(0, "0"), (999, "999"), (1_000, "1,000"), (52_314, "52,314"), (1_000_000, "1,000,000")];
    for (number, text) in groups {
        assert_eq!(grouped(number), text);
    }
}
