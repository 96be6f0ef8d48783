//! Deciding: a batch through a domain's rules, over the rows that the database would have given.

use std::mem::take;

use millrace_contracts::PaymentId;
use millrace_contracts::orders::Place;
use millrace_contracts::payments::Charge;
use millrace_protocol::{Contract, Envelope};
use millrace_runtime::{Answer as AnswerOf, Change, Context, Decision, Domain, Facts};
use millrace_workers::orders::Orders;
use millrace_workers::payments::Payments;
use millrace_workers::payments::effects::{Answer, Reference};

use crate::case::{Case, Work};
use crate::given::{
    CUSTOMERS, NOW, body, captured, client, envelope, job, messages, place, placed, registered,
};

pub const CASES: [Case; 4] = [
    Case {
        name: "decide/orders.place",
        prepare: || batch::<Orders>(customers(), arrivals::<Orders, _>(place)),
    },
    Case {
        name: "decide/orders.placed",
        prepare: || batch::<Payments>(Default::default(), arrivals::<Payments, _>(placed)),
    },
    Case { name: "decide/payments.charge", prepare: || batch::<Payments>(payments(), charges()) },
    Case {
        name: "decide/payments.captured",
        prepare: || batch::<Orders>(orders(), arrivals::<Orders, _>(captured)),
    },
];

/// A message as its domain reads it, and what the outside system has said to it.
type Arrival<D> = (<D as Domain>::Message, Option<AnswerOf<D>>);

/// What a lane does with a batch between loading and saving, and the declarations before it.
fn batch<D>(mut facts: D::Facts, arrivals: Vec<Arrival<D>>) -> Work
where
    D: Domain<Message: 'static, Facts: Facts<Change: 'static> + 'static>,
    AnswerOf<D>: 'static,
{
    let mut decisions = Vec::new();
    Box::new(move || decisions.push(hear::<D>(&mut facts, &arrivals)))
}

/// Its changes are applied, so that the next message sees them.
fn decide<D: Domain>(facts: &mut D::Facts, (message, answer): &Arrival<D>) -> Decision<Change<D>> {
    let mut decision =
        D::decide(facts, message, &Context { caller: client(), now: NOW, answer: answer.as_ref() })
            .expect("the domain does it");
    take(&mut decision.changes).into_iter().for_each(|change| facts.apply(change));
    decision
}

fn arrival<D: Domain, T: Contract>(number: u32, message: &T, answer: Option<AnswerOf<D>>) -> Arrival<D> {
    (D::read(&envelope::<T>(number), &body(message)).expect("a message of the domain"), answer)
}

fn arrivals<D: Domain, T: Contract>(message: fn(u32) -> T) -> Vec<Arrival<D>> {
    messages(|number| arrival::<D, T>(number, &message(number), None))
}

fn charges() -> Vec<Arrival<Payments>> {
    messages(|number| {
        let charge = Charge { order_id: placed(number).order_id, payment_id: PaymentId(job(number).0) };
        let reference = Reference(format!("pi_3Millrace{number:016}"));
        arrival::<Payments, _>(number, &charge, Some(Answer::Captured(reference)))
    })
}

fn customers() -> <Orders as Domain>::Facts {
    let mut facts = <Orders as Domain>::Facts::default();
    let customer = |number| arrival::<Orders, _>(number, &registered(number), None);
    hear::<Orders>(&mut facts, &(0..CUSTOMERS).map(customer).collect::<Vec<_>>());
    facts
}

fn orders() -> <Orders as Domain>::Facts {
    let mut facts = customers();
    hear::<Orders>(&mut facts, &arrivals::<Orders, _>(place));
    facts
}

fn payments() -> <Payments as Domain>::Facts {
    let mut facts = <Payments as Domain>::Facts::default();
    hear::<Payments>(&mut facts, &arrivals::<Payments, _>(placed));
    facts
}

/// Rows come to be as they do in life, by deciding.
fn hear<D: Domain>(facts: &mut D::Facts, arrivals: &[Arrival<D>]) -> Vec<Decision<Change<D>>> {
    arrivals.iter().for_each(|(message, _)| D::declare(message, facts));
    arrivals.iter().map(|arrival| decide::<D>(facts, arrival)).collect()
}

/// What was decided of orders that can be placed, with the envelope of each command.
pub fn orders_placed() -> Vec<(Envelope, Decision<Change<Orders>>)> {
    let decisions = hear::<Orders>(&mut customers(), &arrivals::<Orders, _>(place));
    messages(envelope::<Place>).into_iter().zip(decisions).collect()
}
