//! Whatever is delivered is either read or refused with a reason, and can be sent again as a dead letter.
#![no_main]

use arbitrary::Unstructured;
use libfuzzer_sys::fuzz_target;
use millrace_broker::{Failure, FailureClass, Incoming, Outgoing};
use millrace_protocol::exchanges;
use time::OffsetDateTime;

fuzz_target!(|data: &[u8]| {
    let Ok(delivery) = millrace_fuzz::delivery(&mut Unstructured::new(data)) else { return };
    let incoming = Incoming::from_delivery(delivery);
    let reason = match &incoming.envelope {
        Ok(envelope) => {
            assert!(envelope.attempt >= 1, "attempts are counted from 1");
            String::from_utf8_lossy(&incoming.body).into_owned()
        }
        Err(unreadable) => unreadable.to_string(),
    };
    let (class, failed_at) = (FailureClass::Unreadable, OffsetDateTime::UNIX_EPOCH);
    let failure = Failure { class, reason, by: "fuzz".to_owned(), failed_at };
    let dead = Outgoing::after_failure(&incoming, exchanges::DEAD, millrace_contracts::orders::DOMAIN.as_str(), 1, &failure);
    assert_eq!(dead.routing_key(), "orders");
    let redriven = Outgoing::redriven(&incoming, millrace_contracts::orders::DOMAIN);
    assert_eq!(redriven.exchange(), exchanges::REDRIVE);
});
