//! The rules of orders: which states there are, and what each message does in each of them.

use millrace_contracts::orders::{Cancel, CancelReason, Cancelled, Confirmed, Line, Place, Placed};
use millrace_contracts::payments::{Captured, Declined, Refunded};
use millrace_contracts::users::{Deactivated, Registered};
use millrace_contracts::{Money, OrderId, UserId, orders, payments, users};
use millrace_protocol::{Contract, DomainName, Envelope, Unreadable, read};
use millrace_runtime::{Context, Decision, Domain, NoEffects, Postpone, Refusal, Rejection, Rows};
use serde_json::json;

use super::Orders;

/// What orders handles.
#[derive(Debug, Clone)]
pub enum Message {
    Place { order_id: OrderId, place: Place },
    Cancel(Cancel),
    UserRegistered(Registered),
    UserDeactivated(Deactivated),
    PaymentCaptured(Captured),
    PaymentDeclined(Declined),
    PaymentRefunded(Refunded),
}

/// What orders knows of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Customer {
    Active,
    Deactivated,
}

/// One order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    pub user_id: UserId,
    pub total: Money,
    pub lines: Vec<Line>,
    pub status: Status,
    pub payment: Payment,
}

/// Whether an order will be fulfilled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Placed,
    Confirmed,
    Cancelled,
}

/// Where an order's money is, as far as payments has said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payment {
    Pending,
    Paid,
    Declined,
    Refunded,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    pub customers: Rows<UserId, Customer>,
    pub orders: Rows<OrderId, Order>,
}

#[derive(Debug)]
pub enum Change {
    Customer(UserId, Customer),
    Order(OrderId, Order),
}

impl millrace_runtime::Facts for Facts {
    type Change = Change;
    fn apply(&mut self, change: Change) {
        match change {
            Change::Customer(user_id, customer) => self.customers.put(&user_id, customer),
            Change::Order(order_id, order) => self.orders.put(&order_id, order),
        }
    }
}

impl Domain for Orders {
    const NAME: DomainName = orders::DOMAIN;
    type Message = Message;
    type Facts = Facts;
    type Effects = NoEffects;

    fn read(envelope: &Envelope, body: &[u8]) -> Result<Message, Unreadable> {
        Ok(match envelope.message_type.as_str() {
            orders::Place::TYPE => {
                let place: orders::Place = read(envelope.version, body)?;
                let order_id = place.order_id.unwrap_or(OrderId(envelope.job_id.0));
                Message::Place { order_id, place }
            }
            orders::Cancel::TYPE => Message::Cancel(read(envelope.version, body)?),
            users::Registered::TYPE => Message::UserRegistered(read(envelope.version, body)?),
            users::Deactivated::TYPE => Message::UserDeactivated(read(envelope.version, body)?),
            payments::Captured::TYPE => Message::PaymentCaptured(read(envelope.version, body)?),
            payments::Declined::TYPE => Message::PaymentDeclined(read(envelope.version, body)?),
            payments::Refunded::TYPE => Message::PaymentRefunded(read(envelope.version, body)?),
            other => return Err(Unreadable::UnknownType(other.to_owned())),
        })
    }

    fn declare(message: &Message, facts: &mut Facts) {
        match message {
            Message::Place { order_id, place } => {
                facts.customers.declare(place.user_id);
                facts.orders.declare(*order_id);
            }
            Message::Cancel(cancel) => facts.orders.declare(cancel.order_id),
            Message::UserRegistered(user) => facts.customers.declare(user.user_id),
            Message::UserDeactivated(user) => facts.customers.declare(user.user_id),
            Message::PaymentCaptured(payment) => facts.orders.declare(payment.order_id),
            Message::PaymentDeclined(payment) => facts.orders.declare(payment.order_id),
            Message::PaymentRefunded(payment) => facts.orders.declare(payment.order_id),
        }
    }

    fn decide(facts: &Facts, message: &Message, _: &Context<'_>) -> Result<Decision<Change>, Rejection> {
        match message {
            Message::Place { order_id, place: order } => place(facts, *order_id, order),
            Message::Cancel(command) => cancel(facts, command.order_id),
            Message::UserRegistered(user) => Ok(know_customer(facts, user.user_id)),
            Message::UserDeactivated(user) => Ok(forget_customer(facts, user.user_id)),
            Message::PaymentCaptured(payment) => captured(facts, payment),
            Message::PaymentDeclined(payment) => declined(facts, payment),
            Message::PaymentRefunded(payment) => refunded(facts, payment),
        }
    }
}

fn place(facts: &Facts, order_id: OrderId, place: &Place) -> Result<Decision<Change>, Rejection> {
    if facts.orders.get(&order_id).is_some() {
        return Err(Refusal::new("order-exists", format!("There is already an order {order_id}.")).into());
    }
    match facts.customers.get(&place.user_id) {
        None => return Err(unknown_customer(place.user_id).into()),
        Some(Customer::Deactivated) => {
            let sentence = format!("The account of customer {} is closed.", place.user_id);
            return Err(Refusal::new("customer-deactivated", sentence).into());
        }
        Some(Customer::Active) => {}
    }
    let total = place.total().map_err(|error| Refusal::new("total-too-large", error.to_string()))?;
    let order = Order {
        user_id: place.user_id,
        total,
        lines: place.lines.clone(),
        status: Status::Placed,
        payment: Payment::Pending,
    };
    let placed =
        Placed { order_id, user_id: place.user_id, total, payment_method: place.payment_method.clone() };
    Ok(Decision::new(json!({"order_id": order_id, "total": total}))
        .change(Change::Order(order_id, order))
        .publish(&placed))
}

/// The customer may have registered a moment ago, with the news still on its way.
fn unknown_customer(user_id: UserId) -> Postpone {
    Postpone::then_refuse(
        format!("customer {user_id} to be registered"),
        Refusal::new("customer-unknown", format!("There is no customer {user_id}.")),
    )
}

fn cancel(facts: &Facts, order_id: OrderId) -> Result<Decision<Change>, Rejection> {
    let Some(order) = facts.orders.get(&order_id) else {
        return Err(Postpone::then_refuse(
            format!("order {order_id} to be placed"),
            Refusal::new("order-unknown", format!("There is no order {order_id}.")),
        )
        .into());
    };
    if order.status == Status::Cancelled {
        let sentence = format!("Order {order_id} is already cancelled.");
        return Err(Refusal::new("order-already-cancelled", sentence).into());
    }
    Ok(end(order_id, order, order.payment, CancelReason::Requested))
}

fn know_customer(facts: &Facts, user_id: UserId) -> Decision<Change> {
    let known = Decision::new(json!({"user_id": user_id}));
    match facts.customers.get(&user_id) {
        None => known.change(Change::Customer(user_id, Customer::Active)),
        // Heard after the account's end, or a second time: the end is final.
        Some(Customer::Active | Customer::Deactivated) => known,
    }
}

fn forget_customer(facts: &Facts, user_id: UserId) -> Decision<Change> {
    let known = Decision::new(json!({"user_id": user_id}));
    match facts.customers.get(&user_id) {
        Some(Customer::Deactivated) => known,
        None | Some(Customer::Active) => known.change(Change::Customer(user_id, Customer::Deactivated)),
    }
}

fn captured(facts: &Facts, payment: &Captured) -> Result<Decision<Change>, Rejection> {
    let order = known_order(facts, payment.order_id)?;
    let done = Decision::new(json!({"order_id": payment.order_id}));
    if order.payment != Payment::Pending {
        return Ok(done);
    }
    let paid = Order { payment: Payment::Paid, ..order.clone() };
    Ok(match order.status {
        Status::Placed => done
            .change(Change::Order(payment.order_id, Order { status: Status::Confirmed, ..paid }))
            .publish(&Confirmed { order_id: payment.order_id, user_id: order.user_id }),
        // Called off while the money was being taken: payments has heard of it and pays it back.
        Status::Confirmed | Status::Cancelled => done.change(Change::Order(payment.order_id, paid)),
    })
}

fn declined(facts: &Facts, payment: &Declined) -> Result<Decision<Change>, Rejection> {
    let order = known_order(facts, payment.order_id)?;
    match (order.payment, order.status) {
        (Payment::Pending, Status::Placed | Status::Confirmed) => {
            Ok(end(payment.order_id, order, Payment::Declined, CancelReason::PaymentDeclined))
        }
        (Payment::Pending, Status::Cancelled) => {
            let order = Order { payment: Payment::Declined, ..order.clone() };
            Ok(Decision::new(json!({"order_id": payment.order_id}))
                .change(Change::Order(payment.order_id, order)))
        }
        (Payment::Paid | Payment::Declined | Payment::Refunded, _) => {
            Ok(Decision::new(json!({"order_id": payment.order_id})))
        }
    }
}

fn refunded(facts: &Facts, payment: &Refunded) -> Result<Decision<Change>, Rejection> {
    let order = known_order(facts, payment.order_id)?;
    match (order.payment, order.status) {
        (Payment::Pending, _) => {
            let waiting_for = format!("the capture of order {}'s payment to be heard of", payment.order_id);
            Err(Postpone::until(waiting_for).into())
        }
        (Payment::Paid, Status::Placed | Status::Confirmed) => {
            Ok(end(payment.order_id, order, Payment::Refunded, CancelReason::PaymentRefunded))
        }
        (Payment::Paid, Status::Cancelled) => {
            let order = Order { payment: Payment::Refunded, ..order.clone() };
            Ok(Decision::new(json!({"order_id": payment.order_id}))
                .change(Change::Order(payment.order_id, order)))
        }
        (Payment::Declined | Payment::Refunded, _) => {
            Ok(Decision::new(json!({"order_id": payment.order_id})))
        }
    }
}

/// Payments speaks only of orders that were placed, so an unknown one is merely late.
fn known_order(facts: &Facts, order_id: OrderId) -> Result<&Order, Rejection> {
    facts
        .orders
        .get(&order_id)
        .ok_or_else(|| Postpone::until(format!("order {order_id} to be placed")).into())
}

fn end(order_id: OrderId, order: &Order, payment: Payment, reason: CancelReason) -> Decision<Change> {
    let cancelled = Order { status: Status::Cancelled, payment, ..order.clone() };
    Decision::new(json!({"order_id": order_id, "reason": reason}))
        .change(Change::Order(order_id, cancelled))
        .publish(&Cancelled { order_id, user_id: order.user_id, reason })
}
