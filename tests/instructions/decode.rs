//! Decoding: from what a client or the broker brings to a checked command or a domain's message.

use millrace_broker::Incoming;
use millrace_contracts::catalog;
use millrace_contracts::orders::Place;
use millrace_protocol::{Contract, Fingerprint};
use millrace_runtime::Domain;
use millrace_workers::orders::Orders;
use millrace_workers::payments::Payments;

use crate::case::{Case, Work, each};
use crate::given::{body, captured, delivery, messages, place, placed};

pub const CASES: [Case; 4] = [
    Case { name: "decode/posted", prepare: posted },
    Case { name: "decode/orders.place", prepare: || deliveries::<Orders, _>(place) },
    Case { name: "decode/orders.placed", prepare: || deliveries::<Payments, _>(placed) },
    Case { name: "decode/payments.captured", prepare: || deliveries::<Orders, _>(captured) },
];

/// A posted body: checked as strictly as the API does, with the bytes that are published and their fingerprint.
fn posted() -> Work {
    let command = catalog().find(Place::TYPE).expect("a message of the catalog");
    each(messages(|number| body(&place(number))), |data| {
        let body = command.check(&data).expect("an order");
        (Fingerprint::of(&body), body)
    })
}

/// A delivery, as a lane reads it for its domain.
fn deliveries<D: Domain<Message: 'static>, T: Contract>(message: fn(u32) -> T) -> Work {
    each(messages(|number| delivery(number, &message(number))), |delivery| {
        let incoming = Incoming::from_delivery(delivery);
        let envelope = incoming.envelope.as_ref().expect("an envelope");
        let message = D::read(envelope, &incoming.body).expect("a message of the domain");
        (incoming, message)
    })
}
