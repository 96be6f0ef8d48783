//! What the catalog routes to a domain, the domain can read: an event that is delivered but not read would be dead-lettered.

use millrace_contracts::{catalog, users};
use millrace_given::envelope;
use millrace_protocol::{Entry, Envelope};
use millrace_runtime::Domain;

use crate::{auth::Auth, orders::Orders, payments::Payments, users::Users};

/// The messages that the catalog routes to this domain and that it can't read.
fn unread<D: Domain>() -> Vec<String> {
    let read = |entry: &Entry| {
        let envelope = Envelope {
            message_type: entry.message_type.to_owned(),
            version: entry.version,
            ..envelope::<users::Register>(1)
        };
        D::read(&envelope, &serde_json::to_vec(&entry.example()).unwrap())
    };
    let unread =
        |entry: &Entry| Some(format!("{} in {}: {}", entry.message_type, D::NAME, read(entry).err()?));
    catalog().handled_by(D::NAME).filter_map(unread).collect()
}

#[test]
fn a_domain_reads_all_that_is_routed_to_it() {
    let domains = [
        (Auth::NAME, unread::<Auth>()),
        (Orders::NAME, unread::<Orders>()),
        (Payments::NAME, unread::<Payments>()),
        (Users::NAME, unread::<Users>()),
    ];
    for domain in catalog().domains() {
        let (_, unread) = domains.iter().find(|(name, _)| name == domain).expect("every domain is asked");
        assert!(unread.is_empty(), "routed to {domain}, but not read: {unread:#?}");
    }
}
