//! What the catalog routes to a domain, the domain can read: an event that is delivered but not read would be dead-lettered.

use millrace_contracts::{catalog, users};
use millrace_given::envelope;
use millrace_protocol::{DomainName, Entry, Envelope};
use millrace_runtime::{Domain, Store};

use crate::{Visitor, visit_domains};

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

/// What each domain can't read, by the domain's name.
#[derive(Default)]
struct Unread(Vec<(DomainName, Vec<String>)>);

impl Visitor for Unread {
    fn visit<D: Store>(&mut self) {
        self.0.push((D::NAME, unread::<D>()));
    }
}

#[test]
fn a_domain_reads_all_that_is_routed_to_it() {
    let mut domains = Unread::default();
    visit_domains(&mut domains);
    assert_eq!(
        domains.0.len(),
        catalog().domains().len(),
        "domains in workers/src/lib.rs and in the catalog"
    );
    for domain in catalog().domains() {
        let (_, unread) = domains.0.iter().find(|(name, _)| name == domain).expect("every domain is visited");
        assert!(unread.is_empty(), "routed to {domain}, but not read: {unread:#?}");
    }
}
