//! Whatever stands in a body, each domain either reads it or says why not, and declares what it would look at.
#![no_main]

use libfuzzer_sys::fuzz_target;
use millrace_contracts::{ClientId, Envelope, Fingerprint, JobId, MessageId, Trace, catalog};
use millrace_workers::auth::Auth;
use millrace_runtime::Domain;
use millrace_workers::orders::Orders;
use millrace_workers::payments::Payments;
use millrace_workers::users::Users;
use uuid::Uuid;

fn read<D: Domain>(envelope: &Envelope, body: &[u8]) {
    match D::read(envelope, body) {
        Ok(message) => D::declare(&message, &mut D::Facts::default()),
        Err(unreadable) => assert!(!unreadable.to_string().is_empty(), "a refusal says why"),
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((which, body)) = data.split_first() else { return };
    let entries = catalog().entries();
    let entry = &entries[usize::from(*which) % entries.len()];
    let envelope = Envelope {
        message_id: MessageId(Uuid::nil()),
        job_id: JobId(Uuid::nil()),
        causation_id: MessageId(Uuid::nil()),
        client_id: ClientId::parse("fuzz").expect("a client's name"),
        message_type: entry.message_type.to_owned(),
        version: entry.version,
        attempt: 1,
        fingerprint: Fingerprint::of(body),
        trace: Trace::default(),
    };
    read::<Users>(&envelope, body);
    read::<Auth>(&envelope, body);
    read::<Orders>(&envelope, body);
    read::<Payments>(&envelope, body);
});
