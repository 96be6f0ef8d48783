//! Whatever is delivered, each domain either reads it or says why not, and declares what it would look at.
#![no_main]

use arbitrary::Unstructured;
use libfuzzer_sys::fuzz_target;
use millrace_broker::Incoming;
use millrace_contracts::catalog;
use millrace_workers::auth::Auth;
use millrace_workers::domain::Domain;
use millrace_workers::orders::Orders;
use millrace_workers::payments::Payments;
use millrace_workers::users::Users;

fn read<D: Domain>(incoming: &Incoming, which: usize) {
    let Ok(mut envelope) = incoming.envelope.clone() else { return };
    // Most of what is drawn has no type that anybody knows.
    if let Some(entry) = catalog::all().get(which) {
        envelope.message_type = entry.message_type.to_owned();
        envelope.version = entry.version;
    }
    match D::read(&envelope, &incoming.body) {
        Ok(message) => D::declare(&message, &mut D::Facts::default()),
        Err(unreadable) => assert!(!unreadable.to_string().is_empty()),
    }
}

fuzz_target!(|data: &[u8]| {
    let mut input = Unstructured::new(data);
    let Ok(which) = input.int_in_range(0..=31) else { return };
    let Ok(delivery) = millrace_fuzz::delivery(&mut input) else { return };
    let incoming = Incoming::from_delivery(delivery);
    read::<Users>(&incoming, which);
    read::<Auth>(&incoming, which);
    read::<Orders>(&incoming, which);
    read::<Payments>(&incoming, which);
});
