//! The orders of the demo: who orders what, and how each story has to end.

use serde_json::{Value, json};
use uuid::Uuid;

/// What happens to an order, and so how it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Story {
    /// Placed, charged, confirmed.
    Paid,
    /// The bank says no, so the order is cancelled.
    Declined,
    /// Paid, then cancelled by the customer, so the money goes back.
    CancelledAfterPayment,
    /// Came in before its user was known, waited in a delay queue, then was paid.
    OvertookItsUser,
}

impl Story {
    pub const ALL: [Self; 4] =
        [Self::Paid, Self::Declined, Self::CancelledAfterPayment, Self::OvertookItsUser];

    fn of(number: u32) -> Self {
        match number % 20 {
            3 | 13 => Self::Declined,
            7 => Self::CancelledAfterPayment,
            // Each of these has a user of its own, registered late.
            17 if number % 100 == 17 => Self::OvertookItsUser,
            _ => Self::Paid,
        }
    }

    pub fn in_words(self) -> &'static str {
        match self {
            Self::Paid => "paid",
            Self::Declined => "declined by the bank",
            Self::CancelledAfterPayment => "cancelled after payment",
            Self::OvertookItsUser => "overtook their user, then paid",
        }
    }

    /// `orders.orders`: status and payment at the end.
    pub fn ends_as(self) -> (&'static str, &'static str) {
        match self {
            Self::Paid | Self::OvertookItsUser => ("confirmed", "paid"),
            Self::Declined => ("cancelled", "declined"),
            Self::CancelledAfterPayment => ("cancelled", "refunded"),
        }
    }
}

/// One order to be placed.
#[derive(Debug)]
pub struct Order {
    pub story: Story,
    pub user: User,
    pub data: Value,
}

#[derive(Debug, Clone, Copy)]
pub struct User {
    id: Uuid,
    number: usize,
}

impl User {
    fn new(number: usize) -> Self {
        Self { id: Uuid::now_v7(), number }
    }

    /// The data of `users.register`.
    pub fn registration(self) -> Value {
        let number = self.number;
        json!({"user_id": self.id, "email": format!("customer-{number}@example.com"), "name": format!("Customer {number}")})
    }
}

/// Everything that is to be placed, and by whom.
#[derive(Debug)]
pub struct Orders {
    /// Registered before any order is placed.
    pub users: Vec<User>,
    pub orders: Vec<Order>,
}

impl Orders {
    pub fn new(count: u32) -> Self {
        let known = (count as usize / 20).clamp(1, 200);
        let users: Vec<User> = (0..known).map(User::new).collect();
        let order = |number: u32| {
            let story = Story::of(number);
            let user = match story {
                Story::OvertookItsUser => User::new(known + number as usize),
                _ => users[number as usize % known],
            };
            Order { story, user, data: order_data(number, story, user) }
        };
        let orders = (0..count).map(order).collect();
        Self { users, orders }
    }
}

fn order_data(number: u32, story: Story, user: User) -> Value {
    let line = |sku: &str, quantity: u32, unit_price_minor: u32| json!({"sku": sku, "quantity": quantity, "unit_price_minor": unit_price_minor});
    let mut lines = vec![line("flour-1kg", 1 + number % 3, 189 + number % 7)];
    if number.is_multiple_of(2) {
        lines.push(line("millstone", 1, 24_900));
    }
    let payment_method = if story == Story::Declined { "pm_declined" } else { "pm_ok" };
    json!({"user_id": user.id, "currency": "EUR", "lines": lines, "payment_method": payment_method})
}
