//! Reply addresses: which ones are accepted, and which copies keep them.

use millrace_protocol::{DomainName, Route};

use super::*;
use crate::replies::ReplyAddress;

const ADDRESS: &str = "replies.01890a5d-ac96-774b-bcce-b302099a8057";

fn awaited() -> Outgoing {
    let address = ReplyAddress::parse(ADDRESS).unwrap();
    Outgoing::new(Route::COMMAND, &envelope(), "{}").with_reply_to(&address)
}

#[test]
fn only_the_name_of_a_reply_queue_is_an_address() {
    assert!(ReplyAddress::parse(ADDRESS).is_some());
    for foreign in
        ["", "offers", "replies.", "replies.offers", "replies", "amq.rabbitmq.reply-to.x", "unrouted"]
    {
        assert_eq!(ReplyAddress::parse(foreign), None, "{foreign}");
    }
    let asking = |to: &str| {
        let properties = awaited().properties.with_reply_to(to.into());
        delivered(properties, b"{}").reply_to
    };
    assert_eq!(asking(ADDRESS), ReplyAddress::parse(ADDRESS));
    assert_eq!(asking("offers"), None, "a foreign sender must not direct replies to other queues");
}

#[test]
fn a_copy_asks_for_a_reply_only_where_it_is_added() {
    let incoming = delivered(awaited().properties, b"{}");
    assert_eq!(delivered(retried(&incoming).properties, b"{}").reply_to, None);
    assert_eq!(
        delivered(Outgoing::redriven(&incoming, DomainName::new("offers")).properties, b"{}").reply_to,
        None
    );
    let retried = retried(&incoming).with_reply_to(incoming.reply_to.as_ref().unwrap());
    assert_eq!(delivered(retried.properties, b"{}").reply_to, incoming.reply_to);
}
