//! What `new-domain` reads, refuses and writes, on the sources of this repository; `.ci/new-domain` compiles and runs it.

use super::messages::{self, Message};
use super::names::{Names, Refused};
use super::{files, template};
use crate::cargo::root;

/// No domain will ever be called so.
const NEW: &str = "notwrittenyet";

fn messages() -> Vec<Message> {
    messages::all(root()).unwrap()
}

fn names(domain: &str, subscribes: &[&str]) -> Result<Names, Refused> {
    let subscribes: Vec<String> = subscribes.iter().map(|event| (*event).to_owned()).collect();
    Names::new(domain, &subscribes, &messages())
}

fn refused(domain: &str, subscribes: &[&str]) -> String {
    names(domain, subscribes).unwrap_err().to_string()
}

#[test]
fn the_sources_name_the_messages_that_the_document_names() {
    let document = std::fs::read_to_string(root().join("contracts/asyncapi.json")).unwrap();
    let document: serde_json::Value = serde_json::from_str(&document).unwrap();
    let mut written: Vec<_> =
        document["components"]["messages"].as_object().unwrap().keys().cloned().collect();
    // Replies and copies of what failed belong to no domain.
    written.retain(|name| name.contains('.'));
    let mut read: Vec<_> = messages().into_iter().map(|message| message.wire).collect();
    written.sort();
    read.sort();
    assert_eq!(read, written);
}

#[test]
fn the_first_id_that_all_events_have_is_what_rows_are_kept_for() {
    let pairs = |subscribes: &[&str]| names(NEW, subscribes).unwrap().pairs();
    let has = |pairs: &[(String, String)], name: &str, value: &str| {
        assert!(pairs.contains(&(name.to_owned(), value.to_owned())), "{name} of {pairs:?}");
    };
    has(&pairs(&["orders.confirmed", "orders.cancelled"]), "Subject", "OrderId");
    has(&pairs(&["orders.confirmed", "users.deactivated"]), "Subject", "UserId");
    has(&pairs(&["orders.confirmed", "users.deactivated"]), "event_modules", "orders, users");
    has(&pairs(&["orders.confirmed"]), "a_noun", "an order");
}

#[test]
fn what_can_not_be_is_refused_in_words() {
    assert!(refused("Shipping", &["orders.confirmed"]).starts_with("`Shipping` can't be a domain's name"));
    assert!(refused("order", &["orders.confirmed"]).contains("a meaning of its own"));
    assert_eq!(refused("orders", &["orders.confirmed"]), "there is a domain `orders` already");
    assert!(refused(NEW, &[]).starts_with("name at least one event"));
    assert!(refused(NEW, &["orders.lost"]).starts_with("there is no event `orders.lost`; there are"));
    let command = refused(NEW, &["orders.place"]);
    assert!(
        command.ends_with("which is one of orders.placed, orders.confirmed, orders.cancelled"),
        "{command}"
    );
    assert_eq!(
        names(NEW, &["orders.placed", "orders.placed"]).unwrap_err(),
        Refused::Twice("orders.placed".to_owned())
    );
    assert!(refused(NEW, &["auth.api-key-issued", "orders.placed"]).contains("no id in common"));
}

#[test]
fn a_line_or_a_block_is_written_for_each_event_and_a_condition_is_kept() {
    let told = |subscribes: &[&str]| {
        let text = "{{event.path}},\nmore {{closing.variant}}\n{{each event}}\n{{event.wire}}\n}\n{{end}}\n{{if closing}}\nmany\n{{else}}\none\n{{end}}\n";
        template::fill(text, &names(NEW, subscribes).unwrap())
    };
    assert_eq!(told(&["orders.confirmed"]), "orders::Confirmed,\norders.confirmed\n}\none\n");
    assert_eq!(
        told(&["orders.confirmed", "orders.cancelled"]),
        "orders::Confirmed,\norders::Cancelled,\nmore OrdersCancelled\norders.confirmed\n}\norders.cancelled\n}\nmany\n"
    );
}

#[test]
fn every_list_of_domains_has_the_place_for_another() {
    let names = names(NEW, &["orders.confirmed"]).unwrap();
    for file in files::listing(root(), &names).unwrap() {
        assert!(file.text.contains(NEW), "{}", file.path);
    }
    assert_eq!(files::own(root(), &names).unwrap().len(), 9);
}
