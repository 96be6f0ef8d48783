//! What the routes send to a domain, the domain can read: an event that is heard but not read would be dead-lettered.

use millrace_contracts::{Domain as Name, catalog};

use crate::domain::Domain;
use crate::given::envelope;
use crate::{auth::Auth, orders::Orders, payments::Payments, users::Users};

fn reads<D: Domain>(entry: &catalog::Entry) -> Result<(), String> {
    let envelope = millrace_contracts::Envelope {
        message_type: entry.message_type.to_owned(),
        version: entry.version,
        ..envelope::<millrace_contracts::users::Register>(1)
    };
    let read = D::read(&envelope, &serde_json::to_vec(&entry.example()).unwrap());
    read.map(drop).map_err(|unreadable| format!("{} in {}: {unreadable}", entry.message_type, D::NAME))
}

#[test]
fn a_domain_reads_all_that_it_hears() {
    let mut deaf = Vec::new();
    for entry in catalog::all() {
        for handler in entry.handlers() {
            let read = match handler {
                Name::Auth => reads::<Auth>(entry),
                Name::Users => reads::<Users>(entry),
                Name::Orders => reads::<Orders>(entry),
                Name::Payments => reads::<Payments>(entry),
            };
            deaf.extend(read.err());
        }
    }
    assert!(deaf.is_empty(), "heard, but not read: {deaf:#?}");
}
