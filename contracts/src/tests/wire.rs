//! The wire format of every message: a change here is a change for everybody who sends or reads it.

use std::fmt::Write;

use crate::catalog;

#[test]
fn messages() {
    let mut told = String::new();
    for entry in catalog().entries() {
        let example = serde_json::to_string_pretty(&entry.example()).unwrap();
        writeln!(told, "{} version {} ({:?})\n{example}\n", entry.message_type, entry.version, entry.kind)
            .unwrap();
    }
    insta::assert_snapshot!(told);
}

/// What the API accepts goes onto the wire as this very type reads it again.
#[test]
fn an_example_survives_the_api() {
    for entry in catalog().entries() {
        let body = serde_json::to_vec(&entry.example()).unwrap();
        assert_eq!(entry.check(&body).as_ref(), Ok(&body), "{}", entry.message_type);
    }
}

#[test]
fn names_say_whose_they_are_and_what_they_are() {
    for entry in catalog().entries() {
        let (domain, name) = entry.message_type.split_once('.').unwrap();
        assert_eq!(catalog().domain(domain), Some(entry.owner()), "{}", entry.message_type);
        assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{}", entry.message_type);
        assert_eq!(catalog().find(entry.message_type).unwrap().message_type, entry.message_type);
    }
    assert!(catalog().find("orders.vanish").is_none());
}
