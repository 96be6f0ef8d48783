//! Whatever stands in a body, each domain either reads it or says why not, and declares what it would look at.
#![no_main]

use libfuzzer_sys::fuzz_target;
use millrace_contracts::{catalog};
use millrace_protocol::{ClientId, Envelope, Fingerprint, JobId, MessageId, Trace};
use millrace_runtime::Store;
use millrace_workers::{Visitor, visit_domains};
use uuid::Uuid;

struct Read<'a>(&'a Envelope, &'a [u8]);

impl Visitor for Read<'_> {
    fn visit<D: Store>(&mut self) {
        match D::read(self.0, self.1) {
            Ok(message) => D::declare(&message, &mut D::Facts::default()),
            Err(unreadable) => assert!(!unreadable.to_string().is_empty(), "an error says why"),
        }
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
    visit_domains(&mut Read(&envelope, body));
});
