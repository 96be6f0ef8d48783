//! Encoding: from a job or a decision to what goes to the broker and into the ledger.

use millrace_broker::Outgoing;
use millrace_contracts::catalog;
use millrace_contracts::orders::Place;
use millrace_protocol::Route;
use millrace_runtime::emit;

use crate::case::{Case, Work, each};
use crate::decide::orders_placed;
use crate::given::{body, envelope, messages, place};

pub const CASES: [Case; 3] = [
    Case { name: "encode/orders.place", prepare: job },
    Case { name: "encode/follow-ups", prepare: follow_ups },
    Case { name: "encode/ledger", prepare: ledger },
];

/// A job's command, as the API hands it to the broker.
fn job() -> Work {
    let jobs = messages(|number| (envelope::<Place>(number), place(number)));
    each(jobs, |(envelope, place)| Outgoing::new(Route::COMMAND, &envelope, body(&place)))
}

/// What follows from placing an order, with its id and envelope.
fn follow_ups() -> Work {
    each(orders_placed(), |(envelope, decision)| {
        let emitted = emit::with_ids(envelope.message_id, decision.outgoing);
        emit::follow_ups(catalog(), &envelope, &emitted)
    })
}

/// The two columns of JSON that a decision leaves in the ledger.
fn ledger() -> Work {
    let decided = orders_placed().into_iter().map(|(envelope, decision)| {
        (decision.result, emit::with_ids(envelope.message_id, decision.outgoing))
    });
    each(decided.collect(), |(result, emitted)| (result.to_string(), emit::to_json(&emitted)))
}
