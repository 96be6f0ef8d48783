//! The payments domain's table, read and written a batch at a time.

use millrace_contracts::{Currency, DeclineReason, MinorUnits, Money, OrderId, PaymentId, PaymentMethod};
use millrace_runtime::{SaveError, Store, all_written, stored};
use sqlx::{PgConnection, query_file};

use super::Payments;
use super::effects::Reference;
use super::rules::{Facts, Payment, State};

impl Store for Payments {
    async fn load(connection: &mut PgConnection, facts: &mut Facts) -> Result<(), sqlx::Error> {
        let orders: Vec<_> = facts.payments.keys().map(|key| key.0).collect();
        for row in query_file!("src/payments/load.sql", &orders).fetch_all(connection).await? {
            let money = || {
                Some(Money {
                    amount_minor: MinorUnits::new(row.amount_minor).ok()?,
                    currency: Currency::parse(&row.currency).ok()?,
                })
            };
            let payment = Payment {
                payment_id: PaymentId(row.payment_id),
                amount: stored(money(), "amount of a payment")?,
                method: stored(PaymentMethod::parse(row.payment_method).ok(), "payment method")?,
                state: state(&row.status, row.refund_due, row.decline_reason, row.gateway_reference)?,
            };
            facts.payments.fill(OrderId(row.order_id), payment, row.version);
        }
        Ok(())
    }

    async fn save(connection: &mut PgConnection, facts: &Facts) -> Result<(), SaveError> {
        let rows: Vec<_> = facts.payments.changed().collect();
        if rows.is_empty() {
            return Ok(());
        }
        let written = query_file!(
            "src/payments/save.sql",
            &rows.iter().map(|row| row.key.0).collect::<Vec<_>>(),
            &rows.iter().map(|row| row.value.payment_id.0).collect::<Vec<_>>(),
            &rows.iter().map(|row| row.value.amount.amount_minor.get()).collect::<Vec<_>>(),
            &rows.iter().map(|row| row.value.amount.currency.to_string()).collect::<Vec<_>>(),
            &rows.iter().map(|row| row.value.method.to_string()).collect::<Vec<_>>(),
            &rows.iter().map(|row| row.value.state.name().to_owned()).collect::<Vec<_>>(),
            &rows.iter().map(|row| refund_due(&row.value.state)).collect::<Vec<_>>(),
            &rows.iter().map(|row| decline_reason(&row.value.state)).collect::<Vec<_>>() as _,
            &rows.iter().map(|row| reference(&row.value.state)).collect::<Vec<_>>() as _,
            &rows.iter().map(|row| row.version).collect::<Vec<_>>(),
        )
        .execute(connection)
        .await?;
        all_written("payments.payments", rows.len(), written.rows_affected())
    }
}

fn state(
    status: &str,
    refund_due: bool,
    decline_reason: Option<String>,
    reference: Option<String>,
) -> Result<State, sqlx::Error> {
    let reference = reference.map(Reference);
    let state = match status {
        "pending" => Some(State::Pending),
        "void" => Some(State::Void),
        "captured" => reference.map(|reference| State::Captured { reference, refund_due }),
        "declined" => decline_reason.and_then(|text| DeclineReason::parse(text).ok()).map(State::Declined),
        "refunded" => reference.map(|reference| State::Refunded { reference }),
        _ => None,
    };
    stored(state, status)
}

fn refund_due(state: &State) -> bool {
    matches!(state, State::Captured { refund_due: true, .. })
}

fn decline_reason(state: &State) -> Option<&str> {
    match state {
        State::Declined(reason) => Some(reason.as_str()),
        _ => None,
    }
}

fn reference(state: &State) -> Option<&str> {
    match state {
        State::Captured { reference, .. } | State::Refunded { reference } => Some(&reference.0),
        _ => None,
    }
}
