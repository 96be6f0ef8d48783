//! The rules of payments: which states a payment has, when the gateway is asked, and what each message does.

use millrace_contracts::orders::{CancelReason, Cancelled, Placed};
use millrace_contracts::payments::{Captured, Charge, Declined, Refund, Refunded};
use millrace_contracts::{DeclineReason, Money, OrderId, PaymentId, PaymentMethod, orders, payments};
use millrace_protocol::{Contract, DomainName, Envelope, Unreadable, read};
use millrace_runtime::{Context, Decision, Domain, Postpone, Refusal, Rejection, Rows};
use serde_json::json;

use super::Payments;
use super::effects::{Answer, Attempt, Call, Gateway, Reference};

/// What payments handles.
#[derive(Debug, Clone)]
pub enum Message {
    OrderPlaced { payment_id: PaymentId, placed: Placed },
    OrderCancelled(Cancelled),
    Charge { order_id: OrderId, attempt: u32 },
    Refund { order_id: OrderId, asked_by: AskedBy, attempt: u32 },
}

/// Who wants money back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskedBy {
    /// An upstream system, which is told when there is nothing to pay back.
    Client,
    /// These rules, since an order was called off.
    Ourselves,
}

/// The one payment of one order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    pub payment_id: PaymentId,
    pub amount: Money,
    pub method: PaymentMethod,
    pub state: State,
}

/// Where the money is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// The gateway is to take it; whether it already did is not known.
    Pending,
    /// Called off while pending: the gateway is to take nothing, and what it already took goes back.
    Void,
    Captured {
        reference: Reference,
        refund_due: bool,
    },
    Declined(DeclineReason),
    Refunded {
        reference: Reference,
    },
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    pub payments: Rows<OrderId, Payment>,
}

#[derive(Debug)]
pub struct Change(pub OrderId, pub Payment);

impl millrace_runtime::Facts for Facts {
    type Change = Change;
    fn apply(&mut self, Change(order_id, payment): Change) {
        self.payments.put(&order_id, payment);
    }
}

impl Domain for Payments {
    const NAME: DomainName = payments::DOMAIN;
    type Message = Message;
    type Facts = Facts;
    type Effects = Gateway;

    fn read(envelope: &Envelope, body: &[u8]) -> Result<Message, Unreadable> {
        let attempt = envelope.attempt;
        Ok(match envelope.message_type.as_str() {
            orders::Placed::TYPE => {
                let payment_id = PaymentId(envelope.message_id.0);
                Message::OrderPlaced { payment_id, placed: read(envelope.version, body)? }
            }
            orders::Cancelled::TYPE => Message::OrderCancelled(read(envelope.version, body)?),
            payments::Charge::TYPE => {
                let payments::Charge { order_id, .. } = read(envelope.version, body)?;
                Message::Charge { order_id, attempt }
            }
            payments::Refund::TYPE => {
                let payments::Refund { order_id } = read(envelope.version, body)?;
                // A job's first message is its own cause.
                let posted = envelope.causation_id == envelope.message_id;
                let asked_by = if posted { AskedBy::Client } else { AskedBy::Ourselves };
                Message::Refund { order_id, asked_by, attempt }
            }
            other => return Err(Unreadable::UnknownType(other.to_owned())),
        })
    }

    fn declare(message: &Message, facts: &mut Facts) {
        facts.payments.declare(message.order_id());
    }

    fn may_call(message: &Message) -> bool {
        matches!(message, Message::Charge { .. } | Message::Refund { .. })
    }

    /// A payment that was called off is asked about as well: an answer may have been lost after the money was taken.
    fn call(facts: &Facts, message: &Message) -> Option<Call> {
        let order_id = message.order_id();
        let payment = facts.payments.get(&order_id)?;
        let attempt = |number| Attempt {
            payment_id: payment.payment_id,
            order_id,
            amount: payment.amount,
            method: payment.method.clone(),
            number,
        };
        match (message, &payment.state) {
            (Message::Charge { attempt: number, .. }, State::Pending) => Some(Call::Charge(attempt(*number))),
            (Message::Charge { attempt: number, .. }, State::Void) => Some(Call::Void(attempt(*number))),
            (Message::Refund { attempt: number, .. }, State::Captured { reference, .. }) => {
                Some(Call::Refund(attempt(*number), reference.clone()))
            }
            _ => None,
        }
    }

    fn decide(
        facts: &Facts,
        message: &Message,
        context: &Context<'_, Answer>,
    ) -> Result<Decision<Change>, Rejection> {
        let answer = context.answer;
        match message {
            Message::OrderPlaced { payment_id, placed } => Ok(open(facts, *payment_id, placed)),
            Message::OrderCancelled(cancelled) => call_off(facts, cancelled),
            Message::Charge { order_id, .. } => charge(facts, *order_id, answer),
            Message::Refund { order_id, asked_by, .. } => refund(facts, *order_id, *asked_by, answer),
        }
    }
}

impl Message {
    fn order_id(&self) -> OrderId {
        match self {
            Self::OrderPlaced { placed, .. } => placed.order_id,
            Self::OrderCancelled(cancelled) => cancelled.order_id,
            Self::Charge { order_id, .. } | Self::Refund { order_id, .. } => *order_id,
        }
    }
}

fn open(facts: &Facts, payment_id: PaymentId, placed: &Placed) -> Decision<Change> {
    let order_id = placed.order_id;
    if let Some(payment) = facts.payments.get(&order_id) {
        return stays(payment);
    }
    let payment = Payment {
        payment_id,
        amount: placed.total,
        method: placed.payment_method.clone(),
        state: State::Pending,
    };
    becomes(order_id, &payment, State::Pending).publish(&Charge { order_id, payment_id })
}

fn call_off(facts: &Facts, cancelled: &Cancelled) -> Result<Decision<Change>, Rejection> {
    let order_id = cancelled.order_id;
    match cancelled.reason {
        CancelReason::Requested | CancelReason::CustomerDeactivated => {}
        // The order ended because of what this domain had said of its payment.
        CancelReason::PaymentDeclined | CancelReason::PaymentRefunded => {
            return Ok(Decision::new(json!({"order_id": order_id})));
        }
    }
    let payment = known_payment(facts, order_id)?;
    Ok(match &payment.state {
        State::Pending => becomes(order_id, payment, State::Void),
        State::Captured { reference, refund_due: false } => {
            let due = State::Captured { reference: reference.clone(), refund_due: true };
            becomes(order_id, payment, due).publish(&Refund { order_id })
        }
        State::Captured { refund_due: true, .. }
        | State::Void
        | State::Declined(_)
        | State::Refunded { .. } => stays(payment),
    })
}

fn charge(facts: &Facts, order_id: OrderId, answer: Option<&Answer>) -> Result<Decision<Change>, Rejection> {
    let payment = known_payment(facts, order_id)?;
    let Payment { payment_id, amount, .. } = *payment;
    match (&payment.state, answer) {
        (State::Captured { .. } | State::Declined(_) | State::Refunded { .. }, _) => Ok(stays(payment)),
        (State::Pending, Some(Answer::Captured(reference))) => {
            let captured = State::Captured { reference: reference.clone(), refund_due: false };
            Ok(becomes(order_id, payment, captured).publish(&Captured { payment_id, order_id, amount }))
        }
        (State::Pending, Some(Answer::Declined(reason))) => {
            Ok(becomes(order_id, payment, State::Declined(reason.clone())).publish(&Declined {
                payment_id,
                order_id,
                reason: reason.clone(),
            }))
        }
        // Called off, but the money was taken first. Orders hears of both, so that its books agree with ours.
        (State::Void, Some(Answer::Captured(reference))) => {
            let captured = State::Captured { reference: reference.clone(), refund_due: true };
            Ok(becomes(order_id, payment, captured)
                .publish(&Captured { payment_id, order_id, amount })
                .publish(&Refund { order_id }))
        }
        (State::Void, Some(Answer::Voided | Answer::Declined(_))) => Ok(stays(payment)),
        (State::Pending | State::Void, _) => Err(unanswered(payment_id).into()),
    }
}

fn refund(
    facts: &Facts,
    order_id: OrderId,
    asked_by: AskedBy,
    answer: Option<&Answer>,
) -> Result<Decision<Change>, Rejection> {
    let Some(payment) = facts.payments.get(&order_id) else {
        return Err(Postpone::then_refuse(
            format!("the payment of order {order_id} to be opened"),
            Refusal::new("payment-unknown", format!("There is no payment of an order {order_id}.")),
        )
        .into());
    };
    let Payment { payment_id, amount, .. } = *payment;
    match (&payment.state, asked_by, answer) {
        (State::Captured { reference, .. }, _, Some(Answer::Refunded)) => {
            Ok(becomes(order_id, payment, State::Refunded { reference: reference.clone() })
                .publish(&Refunded { payment_id, order_id, amount }))
        }
        (State::Captured { .. }, _, _) => Err(unanswered(payment_id).into()),
        // Somebody else was faster; the order that was called off has its money back.
        (State::Refunded { .. }, AskedBy::Ourselves, _) => Ok(stays(payment)),
        (State::Refunded { .. }, AskedBy::Client, _) => {
            let sentence = format!("The payment of order {order_id} was already paid back.");
            Err(Refusal::new("payment-already-refunded", sentence).into())
        }
        // Nobody who saw the order confirmed gets here: whoever wants out of an unpaid order cancels it.
        (State::Pending | State::Void | State::Declined(_), _, _) => {
            let why = match payment.state {
                State::Pending => "is not taken yet; to call the order off, use orders.cancel",
                State::Void => "was called off",
                _ => "was declined",
            };
            let sentence = format!("There is nothing to pay back: the payment of order {order_id} {why}.");
            Err(Refusal::new("payment-not-captured", sentence).into())
        }
    }
}

/// What an order's cancellation and a charge speak of was announced by `orders.placed`, so it is merely late.
fn known_payment(facts: &Facts, order_id: OrderId) -> Result<&Payment, Rejection> {
    let late = || Postpone::until(format!("the payment of order {order_id} to be opened")).into();
    facts.payments.get(&order_id).ok_or_else(late)
}

/// The payment changed between the question to the gateway and this decision; the next attempt asks what is now right.
fn unanswered(payment_id: PaymentId) -> Postpone {
    Postpone::until(format!("the gateway to be asked about payment {payment_id} as it now is"))
}

fn becomes(order_id: OrderId, payment: &Payment, state: State) -> Decision<Change> {
    let payment = Payment { state, ..payment.clone() };
    stays(&payment).change(Change(order_id, payment))
}

fn stays(payment: &Payment) -> Decision<Change> {
    let mut result = json!({"payment_id": payment.payment_id, "status": payment.state.name()});
    if let State::Declined(reason) = &payment.state {
        result["reason"] = json!(reason);
    }
    Decision::new(result)
}

impl State {
    /// The state's name, in results and in the database.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Void => "void",
            Self::Captured { .. } => "captured",
            Self::Declined(_) => "declined",
            Self::Refunded { .. } => "refunded",
        }
    }
}
