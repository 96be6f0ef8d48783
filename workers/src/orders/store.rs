//! The orders domain's tables, read and written a batch at a time.

use millrace_contracts::{Currency, MinorUnits, Money, OrderId, UserId};
use millrace_runtime::{SaveError, Store, TextEnum, all_written, stored};
use sqlx::{PgConnection, query_file};

use super::Orders;
use super::rules::{Customer, Facts, Order, Payment, Status};

const CUSTOMER: TextEnum<Customer> =
    TextEnum(&[(Customer::Active, "active"), (Customer::Deactivated, "deactivated")]);
const STATUS: TextEnum<Status> = TextEnum(&[
    (Status::Placed, "placed"),
    (Status::Confirmed, "confirmed"),
    (Status::Cancelled, "cancelled"),
]);
const PAYMENT: TextEnum<Payment> = TextEnum(&[
    (Payment::Pending, "pending"),
    (Payment::Paid, "paid"),
    (Payment::Declined, "declined"),
    (Payment::Refunded, "refunded"),
]);

// Customers are not locked: an order that is decided while its customer is being deactivated counts as placed before that.
impl Store for Orders {
    async fn load(connection: &mut PgConnection, facts: &mut Facts) -> Result<(), sqlx::Error> {
        let users: Vec<_> = facts.customers.keys().map(|key| key.0).collect();
        let orders: Vec<_> = facts.orders.keys().map(|key| key.0).collect();
        for row in query_file!("src/orders/load.sql", &users, &orders).fetch_all(connection).await? {
            let Some(order_id) = row.order_id else {
                facts.customers.fill(UserId(row.user_id), CUSTOMER.read(&row.status)?, row.version);
                continue;
            };
            let money = || {
                Some(Money {
                    amount_minor: MinorUnits::new(row.total_minor?).ok()?,
                    currency: Currency::parse(row.currency.as_deref()?).ok()?,
                })
            };
            let lines = row.lines.as_deref().unwrap_or_default();
            let order = Order {
                user_id: UserId(row.user_id),
                total: stored(money(), "total of an order")?,
                lines: stored(serde_json::from_str(lines).ok(), lines)?,
                status: STATUS.read(&row.status)?,
                payment: PAYMENT.read(row.payment.as_deref().unwrap_or_default())?,
            };
            facts.orders.fill(OrderId(order_id), order, row.version);
        }
        Ok(())
    }

    async fn save(connection: &mut PgConnection, facts: &Facts) -> Result<(), SaveError> {
        save_customers(connection, facts).await?;
        save_orders(connection, facts).await
    }
}

async fn save_customers(connection: &mut PgConnection, facts: &Facts) -> Result<(), SaveError> {
    let (mut users, mut states, mut versions) = (Vec::new(), Vec::new(), Vec::new());
    for row in facts.customers.changed() {
        users.push(row.key.0);
        states.push(CUSTOMER.text(*row.value).to_owned());
        versions.push(row.version);
    }
    if users.is_empty() {
        return Ok(());
    }
    let written =
        query_file!("src/orders/save_customers.sql", &users, &states, &versions).execute(connection).await?;
    all_written("orders.customers", users.len(), written.rows_affected())
}

async fn save_orders(connection: &mut PgConnection, facts: &Facts) -> Result<(), SaveError> {
    let rows: Vec<_> = facts.orders.changed().collect();
    if rows.is_empty() {
        return Ok(());
    }
    let lines = |order: &Order| serde_json::to_string(&order.lines).expect("lines are plain data");
    let written = query_file!(
        "src/orders/save_orders.sql",
        &rows.iter().map(|row| row.key.0).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.value.user_id.0).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.value.total.currency.to_string()).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.value.total.amount_minor.get()).collect::<Vec<_>>(),
        &rows.iter().map(|row| lines(row.value)).collect::<Vec<_>>(),
        &rows.iter().map(|row| STATUS.text(row.value.status).to_owned()).collect::<Vec<_>>(),
        &rows.iter().map(|row| PAYMENT.text(row.value.payment).to_owned()).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.version).collect::<Vec<_>>(),
    )
    .execute(connection)
    .await?;
    all_written("orders.orders", rows.len(), written.rows_affected())
}
