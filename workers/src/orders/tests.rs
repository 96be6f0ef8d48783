//! Orders, given / when / then: single rules, the matrix of every state and message, and "a batch equals one by one".

use millrace_contracts::orders::{Cancel, Cancelled, Confirmed, Place, Placed};
use millrace_contracts::payments::{Captured, Declined, Refunded};
use millrace_contracts::users::{Deactivated, Registered};
use millrace_contracts::{OrderId, UserId};
use millrace_given::{self, Flow, Matrix, MemoryStore, Table, World, any_schedule, arrives, published, row};
use millrace_protocol::Contract;
use proptest::prelude::*;
use uuid::Uuid;

use super::Orders;
use super::rules::{Customer, Facts, Message, Order, Payment, Status};

impl MemoryStore for Facts {
    fn load(&mut self, stored: &Self) {
        self.customers.load(&stored.customers);
        self.orders.load(&stored.orders);
    }
    fn save(&self, stored: &mut Self) {
        self.customers.save(&mut stored.customers);
        self.orders.save(&mut stored.orders);
    }
}

fn user(number: u128) -> UserId {
    UserId(Uuid::from_u128(number))
}

fn order(number: u128) -> OrderId {
    OrderId(Uuid::from_u128(number))
}

/// Every message that orders hears, about one user and one order.
fn messages(user_id: UserId, order_id: OrderId) -> Vec<(&'static str, Message)> {
    fn message<T: Contract>(message: &T) -> (&'static str, Message) {
        (T::TYPE, arrives::<Orders, T>(1, message))
    }
    vec![
        message(&Place { order_id: Some(order_id), user_id, ..Place::example() }),
        message(&Cancel { order_id }),
        message(&Registered { user_id, ..Registered::example() }),
        message(&Deactivated { user_id }),
        message(&Captured { order_id, ..Captured::example() }),
        message(&Declined { order_id, ..Declined::example() }),
        message(&Refunded { order_id, ..Refunded::example() }),
    ]
}

fn place(user_id: UserId, order_id: OrderId) -> Message {
    messages(user_id, order_id).remove(0).1
}

fn world(customer: Option<Customer>, order_state: Option<(Status, Payment)>) -> World<Orders> {
    let mut world = World::<Orders>::default();
    if let Some(customer) = customer {
        world.facts.customers.fill(user(1), customer, 1);
    }
    if let Some((status, payment)) = order_state {
        let example = Place::example();
        let total = example.total().unwrap();
        let order_row = Order { user_id: user(1), total, lines: example.lines, status, payment };
        world.facts.orders.fill(order(1), order_row, 1);
    }
    world
}

#[test]
fn an_order_of_a_known_customer_is_placed() {
    let mut world = world(Some(Customer::Active), None);
    let verdict = world.when(place(user(1), order(1)));
    assert_eq!(published(&verdict), [Placed::TYPE]);
    assert_eq!(world.facts.orders.get(&order(1)).unwrap().status, Status::Placed);
}

#[test]
fn an_order_without_an_id_takes_the_id_of_its_job() {
    let mut world = world(Some(Customer::Active), None);
    let unnamed = Place { order_id: None, user_id: user(1), ..Place::example() };
    world.when(arrives::<Orders, _>(7, &unnamed)).unwrap();
    let job = millrace_given::envelope::<Place>(7).job_id;
    assert!(world.facts.orders.get(&OrderId(job.0)).is_some());
}

#[test]
fn an_order_of_an_unknown_customer_waits_and_is_then_refused() {
    let verdict = world(None, None).when(place(user(1), order(1)));
    assert_eq!(verdict.unwrap_err().to_string(), "postpone, finally refuse customer-unknown");
}

#[test]
fn a_captured_payment_confirms_the_order_once() {
    let mut world = world(Some(Customer::Active), Some((Status::Placed, Payment::Pending)));
    let captured = || arrives::<Orders, _>(1, &Captured { order_id: order(1), ..Captured::example() });
    assert_eq!(published(&world.when(captured())), [Confirmed::TYPE]);
    assert_eq!(published(&world.when(captured())), [""; 0]);
}

#[test]
fn an_order_called_off_while_it_is_paid_stays_cancelled_and_knows_of_the_money() {
    let mut world = world(Some(Customer::Active), Some((Status::Placed, Payment::Pending)));
    let cancel = arrives::<Orders, _>(1, &Cancel { order_id: order(1) });
    assert_eq!(published(&world.when(cancel)), [Cancelled::TYPE]);
    let captured = arrives::<Orders, _>(2, &Captured { order_id: order(1), ..Captured::example() });
    assert_eq!(published(&world.when(captured)), [""; 0]);
    let row = world.facts.orders.get(&order(1)).unwrap();
    assert_eq!((row.status, row.payment), (Status::Cancelled, Payment::Paid));
}

/// The specification: every state, every message, what becomes of it.
#[test]
fn matrix() {
    let customers = [None, Some(Customer::Active), Some(Customer::Deactivated)];
    let statuses = [Status::Placed, Status::Confirmed, Status::Cancelled];
    let payments = [Payment::Pending, Payment::Paid, Payment::Declined, Payment::Refunded];
    let states = statuses.into_iter().flat_map(|status| payments.map(|payment| Some((status, payment))));
    let orders: Vec<_> = std::iter::once(None).chain(states).collect();
    let mut matrix = Matrix::default();
    for (name, message) in messages(user(1), order(1)) {
        for customer in customers {
            for before in &orders {
                let world = world(customer, *before);
                let columns = [name, &known(customer), &describe(*before)];
                matrix
                    .line(columns, world, (message.clone(), None), |after| changes(after, customer, *before));
            }
        }
    }
    insta::assert_snapshot!(matrix.render("any customer", "any order"));
}

fn changes(after: &Facts, customer: Option<Customer>, order_state: Option<(Status, Payment)>) -> String {
    let customer_after = row(after.customers.existing(), &user(1)).copied();
    let order_after = row(after.orders.existing(), &order(1)).map(|order| (order.status, order.payment));
    let changed = [
        (order_after != order_state).then(|| describe(order_after)),
        (customer_after != customer).then(|| known(customer_after)),
    ];
    changed.into_iter().flatten().collect::<Vec<_>>().join(" and ")
}

fn known(customer: Option<Customer>) -> String {
    customer.map_or("unknown customer".to_owned(), |customer| format!("{customer:?} customer").to_lowercase())
}

fn describe(order: Option<(Status, Payment)>) -> String {
    order.map_or("no order".to_owned(), |(status, payment)| format!("{status:?}, {payment:?}").to_lowercase())
}

proptest! {
    /// Loading, deciding and saving a batch at once is the same as message by message, wherever it is cut.
    #[test]
    fn a_batch_equals_one_by_one(
        picks in proptest::collection::vec((0..7usize, 1..4u128, 1..4u128), 1..40),
        cuts in millrace_given::any_cuts(),
    ) {
        let pick = |(kind, user_number, order_number): &(usize, u128, u128)| {
            (messages(user(*user_number), order(*order_number)).remove(*kind).1, None)
        };
        millrace_given::a_batch_equals_one_by_one::<Orders>(&picks.iter().map(pick).collect::<Vec<_>>(), &cuts)?;
    }

    /// Events and commands come in any order and more than once, and an order ends where it must.
    #[test]
    fn any_order_and_repetition_ends_the_same(schedule in any_schedule()) {
        let place = Place { order_id: Some(order(1)), user_id: user(1), ..Place::example() };
        let begun = || {
            Flow::<Orders>::default().then(&Registered { user_id: user(1), ..Registered::example() }).then(&place)
        };
        let captured = Captured { order_id: order(1), ..Captured::example() };
        let refunded = Refunded { order_id: order(1), ..Refunded::example() };
        begun().then(&captured).ends_the_same(&schedule)?;
        begun().then(&Declined { order_id: order(1), ..Declined::example() }).ends_the_same(&schedule)?;
        begun().then(&captured).then(&refunded).ends_the_same(&schedule)?;
        let cancel = Cancel { order_id: order(1) };
        begun().then(&cancel).then(&captured).then(&refunded).ends_the_same(&schedule)?;
        let registered = Registered { user_id: user(1), ..Registered::example() };
        let deactivated = Deactivated { user_id: user(1) };
        Flow::<Orders>::default().then(&registered).then(&deactivated).ends_the_same(&schedule)?;
    }
}
