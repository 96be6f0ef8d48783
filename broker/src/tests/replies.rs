//! Addresses for answers: whose they can be, and how far they travel.

use millrace_contracts::Domain;

use super::*;
use crate::replies::ReplyAddress;

const ADDRESS: &str = "replies.01890a5d-ac96-774b-bcce-b302099a8057";

fn awaited() -> Outgoing {
    let address = ReplyAddress::parse(ADDRESS).unwrap();
    Outgoing::new(topology::COMMANDS, &envelope(), "{}").with_reply_to(&address)
}

#[test]
fn an_address_is_a_doors_queue_and_nothing_else() {
    assert!(ReplyAddress::parse(ADDRESS).is_some());
    for foreign in
        ["", "orders", "replies.", "replies.orders", "replies", "amq.rabbitmq.reply-to.x", "unrouted"]
    {
        assert_eq!(ReplyAddress::parse(foreign), None, "{foreign}");
    }
    let asking = |to: &str| {
        let properties = awaited().properties.with_reply_to(to.into());
        delivered(properties, b"{}").reply_to
    };
    assert_eq!(asking(ADDRESS), ReplyAddress::parse(ADDRESS));
    assert_eq!(asking("orders"), None, "who publishes past the door can't have answers sent where they like");
}

#[test]
fn a_copy_asks_for_an_answer_only_if_it_is_told_to() {
    let incoming = delivered(awaited().properties, b"{}");
    assert_eq!(delivered(again(&incoming).properties, b"{}").reply_to, None);
    assert_eq!(delivered(Outgoing::redriven(&incoming, Domain::Orders).properties, b"{}").reply_to, None);
    let retried = again(&incoming).with_reply_to(incoming.reply_to.as_ref().unwrap());
    assert_eq!(delivered(retried.properties, b"{}").reply_to, incoming.reply_to);
}
