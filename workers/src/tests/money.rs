//! Orders and payments together, with a gateway that keeps its own books: whatever is late, repeated or lost, the money
//! adds up and everybody agrees about it.

use std::collections::BTreeMap;

use millrace_contracts::orders::{Cancel, CancelReason, Cancelled, Place, Placed};
use millrace_contracts::payments::Refund;
use millrace_contracts::users::Registered;
use millrace_contracts::{
    DeclineReason, MinorUnits, OrderId, PaymentId, PaymentMethod, UserId, catalog, orders, payments,
};
use millrace_given::{MemoryStore, Verdict, World, envelope};
use millrace_protocol::{Contract, DomainName, Envelope, MessageId};
use millrace_runtime::{self as runtime, Domain, Draft, Rejection};
use proptest::prelude::*;
use proptest::sample::Index;
use uuid::Uuid;

use crate::orders::Orders;
use crate::payments::Payments;
use crate::payments::effects::{Answer, Attempt, Call, Reference};

const CUSTOMER: UserId = UserId(Uuid::from_u128(1));
/// More often than this nothing of ours is ever postponed; what can't come is refused then.
const PATIENCE: u32 = 150;

fn order(number: u8) -> OrderId {
    OrderId(Uuid::from_u128(u128::from(number) + 100))
}

/// A gateway as idempotency keys make it: the first use of a key decides, and every later one hears the same.
#[derive(Debug, Default)]
struct Bank {
    payments: BTreeMap<PaymentId, Entry>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Entry {
    Captured { amount: i64, refunded: bool },
    Declined,
    Voided,
}

impl Bank {
    /// `None` where the key was used for another question before.
    fn ask(&mut self, call: &Call) -> Option<Answer> {
        match call {
            Call::Charge(payment) => {
                let first = match payment.method.as_str() {
                    "pm_ok" => Entry::Captured { amount: payment.amount.amount_minor.get(), refunded: false },
                    _ => Entry::Declined,
                };
                Self::said(payment, *self.payments.entry(payment.payment_id).or_insert(first), Answer::Voided)
                    .filter(|answer| *answer != Answer::Voided)
            }
            Call::Void(payment) => {
                let entry = *self.payments.entry(payment.payment_id).or_insert(Entry::Voided);
                Self::said(payment, entry, Answer::Voided)
            }
            Call::Refund(payment, _) => match self.payments.get_mut(&payment.payment_id) {
                Some(Entry::Captured { refunded, .. }) => {
                    *refunded = true;
                    Some(Answer::Refunded)
                }
                other => panic!("asked to pay back what was never taken: {payment:?}, {other:?}"),
            },
        }
    }

    fn said(payment: &Attempt, entry: Entry, voided: Answer) -> Option<Answer> {
        Some(match entry {
            Entry::Captured { .. } => Answer::Captured(Reference(payment.payment_id.to_string())),
            Entry::Declined => Answer::Declined(DeclineReason::parse("card_declined").unwrap()),
            Entry::Voided => voided,
        })
    }

    /// What was taken and not paid back.
    fn balance(&self) -> i64 {
        let kept = self.payments.values().map(|entry| match entry {
            Entry::Captured { amount, refunded: false } => *amount,
            _ => 0,
        });
        kept.sum()
    }
}

/// A message on its way to one domain, perhaps with an answer that was fetched for it and not yet decided upon.
#[derive(Debug, Clone)]
struct Delivery {
    handler: DomainName,
    envelope: Envelope,
    body: String,
    answer: Option<Answer>,
}

/// What happens to one of the messages that are on their way.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Handled,
    /// A copy of it is on its way as well.
    Repeated,
    /// The gateway is asked, and others are handled before the decision.
    Answered,
    /// The gateway is asked, and the worker dies before it hears the answer.
    AnswerLost,
}

/// Two workers, a broker without any order, a ledger and a bank.
#[derive(Debug)]
struct Town {
    orders: World<Orders>,
    payments: World<Payments>,
    bank: Bank,
    on_their_way: Vec<Delivery>,
    ledger: BTreeMap<(DomainName, MessageId), Vec<Draft>>,
    /// The domains that live here; what other domains would get is dropped.
    domains: &'static [DomainName],
}

impl Town {
    fn new(domains: &'static [DomainName]) -> Self {
        let mut town = Self {
            orders: World::default(),
            payments: World::default(),
            bank: Bank::default(),
            on_their_way: Vec::new(),
            ledger: BTreeMap::new(),
            domains,
        };
        town.post(1, &Registered { user_id: CUSTOMER, ..Registered::example() });
        town
    }

    /// A message that comes from outside, as a job of its own.
    fn post<T: Contract>(&mut self, number: usize, message: &T) {
        let body = serde_json::to_string(message).unwrap();
        self.route(&envelope::<T>(number as u128), &body);
    }

    fn route(&mut self, envelope: &Envelope, body: &str) {
        for handler in catalog().find(&envelope.message_type).unwrap().handlers() {
            if self.domains.contains(handler) {
                let (envelope, body) = (envelope.clone(), body.to_owned());
                self.on_their_way.push(Delivery { handler: *handler, envelope, body, answer: None });
            }
        }
    }

    fn publish(&mut self, cause: &Envelope, drafts: &[Draft]) {
        for (position, draft) in (0..).zip(drafts) {
            let envelope = Envelope {
                message_id: cause.message_id.derive(position),
                causation_id: cause.message_id,
                message_type: draft.message_type.to_owned(),
                attempt: 1,
                ..cause.clone()
            };
            self.route(&envelope, &draft.body);
        }
    }

    fn befall(&mut self, mut delivery: Delivery, fate: Fate) {
        if let Fate::Repeated = fate {
            self.on_their_way.push(delivery.clone());
        }
        if let Some(emitted) = self.ledger.get(&(delivery.handler, delivery.envelope.message_id)).cloned() {
            return self.publish(&delivery.envelope, &emitted);
        }
        if delivery.answer.is_none()
            && let Some(call) = self.call(&delivery)
        {
            match (self.bank.ask(&call), fate) {
                (None, _) | (_, Fate::AnswerLost) => return self.again(delivery),
                (answer, Fate::Answered) => {
                    delivery.answer = answer;
                    return self.on_their_way.push(delivery);
                }
                (answer, Fate::Handled | Fate::Repeated) => delivery.answer = answer,
            }
        }
        self.decide(delivery);
    }

    fn call(&self, delivery: &Delivery) -> Option<Call> {
        (delivery.handler == Payments::NAME).then(|| self.payments.call(&read::<Payments>(delivery)))?
    }

    fn decide(&mut self, delivery: Delivery) {
        let verdict = match delivery.handler {
            orders::DOMAIN => decide(&mut self.orders, &delivery, None),
            payments::DOMAIN => decide(&mut self.payments, &delivery, delivery.answer.clone()),
            elsewhere => panic!("{elsewhere} does not live here"),
        };
        let emitted = match verdict {
            Ok((_, drafts)) => drafts,
            Err(Rejection::Refusal(_)) => Vec::new(),
            Err(Rejection::Postpone(postpone)) if delivery.envelope.attempt < PATIENCE => {
                drop(postpone);
                return self.again(delivery);
            }
            Err(Rejection::Postpone(postpone)) => {
                assert!(
                    postpone.finally.is_some(),
                    "a dead letter: {delivery:?} waited for {}",
                    postpone.waiting_for
                );
                Vec::new()
            }
        };
        self.publish(&delivery.envelope, &emitted);
        self.ledger.insert((delivery.handler, delivery.envelope.message_id), emitted);
    }

    fn again(&mut self, mut delivery: Delivery) {
        delivery.envelope.attempt += 1;
        delivery.answer = None;
        self.on_their_way.push(delivery);
    }

    /// Lets these fates befall messages drawn at random, and then handles in turn whatever is still on its way.
    fn live(&mut self, fates: &[(Index, Fate)]) {
        for (which, fate) in fates {
            if self.on_their_way.is_empty() {
                return;
            }
            let delivery = self.on_their_way.swap_remove(which.index(self.on_their_way.len()));
            self.befall(delivery, *fate);
        }
        while !self.on_their_way.is_empty() {
            let delivery = self.on_their_way.remove(0);
            self.befall(delivery, Fate::Handled);
        }
    }

    fn paid_and_not_refunded(&self) -> i64 {
        let orders = self.orders.facts.orders.existing();
        let paid = orders.filter(|(_, order)| format!("{:?}", order.payment) == "Paid");
        paid.map(|(_, order)| order.total.amount_minor.get()).sum()
    }

    fn captured_minus_refunded(&self) -> i64 {
        let payments = self.payments.facts.payments.existing();
        let captured = payments.filter(|(_, payment)| payment.state.name() == "captured");
        captured.map(|(_, payment)| payment.amount.amount_minor.get()).sum()
    }
}

fn read<D: Domain>(delivery: &Delivery) -> D::Message {
    D::read(&delivery.envelope, delivery.body.as_bytes()).unwrap()
}

fn decide<D: Domain<Facts: MemoryStore>>(
    world: &mut World<D>,
    delivery: &Delivery,
    answer: Option<runtime::Answer<D>>,
) -> Verdict {
    world.handle(&[(read::<D>(delivery), answer)]).remove(0)
}

fn fates() -> impl Strategy<Value = Vec<(Index, Fate)>> {
    let fate = prop_oneof![
        6 => Just(Fate::Handled),
        2 => Just(Fate::Repeated),
        2 => Just(Fate::Answered),
        2 => Just(Fate::AnswerLost),
    ];
    proptest::collection::vec((any::<Index>(), fate), 0..120)
}

/// What clients ask for, about a handful of orders: 0 places, 1 cancels, 2 asks for the money back.
fn wishes() -> impl Strategy<Value = Vec<(u8, u8, bool)>> {
    proptest::collection::vec((0..3u8, 0..4u8, any::<bool>()), 1..14)
}

fn method(good: bool) -> PaymentMethod {
    PaymentMethod::parse(if good { "pm_ok" } else { "pm_declined" }).unwrap()
}

proptest! {
    /// Sum captured − sum refunded = sum of orders paid and not refunded, by the books of orders, payments and the bank.
    #[test]
    fn the_money_adds_up(wishes in wishes(), fates in fates()) {
        let mut town = Town::new(&[orders::DOMAIN, payments::DOMAIN]);
        for (number, (wish, which, good)) in (2..).zip(wishes) {
            let order_id = order(which);
            match wish {
                0 => {
                    let mut place = Place { order_id: Some(order_id), user_id: CUSTOMER, ..Place::example() };
                    place.payment_method = method(good);
                    // Another price for each, so that no two sums are equal by accident.
                    place.lines[0].unit_price_minor = MinorUnits::new(1 << (3 * which)).unwrap();
                    town.post(number, &place);
                }
                1 => town.post(number, &Cancel { order_id }),
                _ => town.post(number, &Refund { order_id }),
            }
        }
        town.live(&fates);
        prop_assert_eq!(town.paid_and_not_refunded(), town.captured_minus_refunded());
        prop_assert_eq!(town.captured_minus_refunded(), town.bank.balance());
        for (order_id, order) in town.orders.facts.orders.existing() {
            let payment = town.payments.facts.payments.get(order_id).unwrap();
            let agreed = (format!("{:?}, {:?}", order.status, order.payment), payment.state.name());
            let agreed = (agreed.0.as_str(), agreed.1);
            let known = [
                ("Confirmed, Paid", "captured"),
                ("Cancelled, Refunded", "refunded"),
                ("Cancelled, Declined", "declined"),
                ("Cancelled, Pending", "void"),
            ];
            prop_assert!(known.contains(&agreed), "{:?}: {:?}", agreed, payment);
        }
    }

    /// Payments alone, hearing of orders in any order: the bank has what the books say, and nothing of an order called off.
    #[test]
    fn a_payment_ends_where_the_bank_does(wishes in wishes(), fates in fates()) {
        let mut town = Town::new(&[payments::DOMAIN]);
        let mut called_off = Vec::new();
        for number in 0..4 {
            let placed = Placed { order_id: order(number), payment_method: method(true), ..Placed::example() };
            town.post(100 + usize::from(number), &placed);
        }
        for (number, (wish, which, _)) in (2..).zip(wishes) {
            let order_id = order(which);
            match wish {
                0 | 1 => {
                    let reason = CancelReason::Requested;
                    town.post(number, &Cancelled { order_id, reason, ..Cancelled::example() });
                    called_off.push(order_id);
                }
                _ => town.post(number, &Refund { order_id }),
            }
        }
        town.live(&fates);
        prop_assert_eq!(town.captured_minus_refunded(), town.bank.balance());
        for (order_id, payment) in town.payments.facts.payments.existing() {
            let ends: &[&str] =
                if called_off.contains(order_id) { &["void", "refunded"] } else { &["captured", "refunded"] };
            prop_assert!(ends.contains(&payment.state.name()), "{:?}", payment);
        }
    }
}
