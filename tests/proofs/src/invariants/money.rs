//! S6: payments and orders agree, order by order and in sum.

use std::collections::{BTreeMap, HashMap};

use millrace_contracts::{orders, payments};
use uuid::Uuid;

use super::Violation;
use crate::evidence::{Evidence, Order, Payment};
use crate::history::Submit;

pub fn agrees(evidence: &Evidence) -> Vec<Violation> {
    let payments: HashMap<Uuid, &Payment> = evidence.payments.iter().map(|it| (it.order_id, it)).collect();
    let orders: HashMap<Uuid, &Order> = evidence.orders.iter().map(|it| (it.order_id, it)).collect();
    let asked: HashMap<Uuid, &Submit> = evidence
        .history
        .submits
        .iter()
        .filter(|submit| submit.command == "orders.place" && submit.fingerprint.is_some())
        .filter_map(|submit| Some((submit.id_of("order_id")?, submit)))
        .collect();
    // Where only one of them took part, the other has yet to hear of it.
    let both = evidence.has(orders::DOMAIN) && evidence.has(payments::DOMAIN);
    let mut amounts =
        Violation::of("S6", "an order's amount is not the sum of its lines, or not what its payment says");
    let mut states = Violation::of("S6", "an order and its payment contradict each other");
    for order in &evidence.orders {
        let id = order.order_id;
        let money = |amount, currency: &str| format!("{amount} {currency}");
        let total = money(order.total_minor, &order.currency);
        if let Some(submit) = asked.get(&id) {
            let posted =
                money(submit.total().unwrap_or(0), submit.body["currency"].as_str().unwrap_or_default());
            if posted != total {
                amounts.seen(|| format!("order {id}: posted {posted}, kept {total}"));
            }
        }
        if !both {
            continue;
        }
        let Some(payment) = payments.get(&id) else {
            states.seen(|| format!("order {id} is {} {}, without a payment", order.status, order.payment));
            continue;
        };
        let charged = money(payment.amount_minor, &payment.currency);
        if charged != total {
            amounts.seen(|| format!("order {id}: {total}, its payment {charged}"));
        }
        if !fits(order, payment) {
            states.seen(|| {
                format!("order {id} is {} {}, its payment {}", order.status, order.payment, payment.status)
            });
        }
    }
    let strays = evidence.payments.iter().filter(|payment| both && !orders.contains_key(&payment.order_id));
    for payment in strays {
        states.seen(|| {
            format!("a payment ({}) of order {}, which does not exist", payment.status, payment.order_id)
        });
    }
    let mut found = vec![amounts, states];
    if both {
        found.push(sums(evidence));
    }
    found
}

/// Once all is quiet, what orders believes is what payments knows.
fn fits(order: &Order, payment: &Payment) -> bool {
    matches!(
        (order.status.as_str(), order.payment.as_str(), payment.status.as_str()),
        ("confirmed", "paid", "captured")
            | ("cancelled", "declined", "declined")
            | ("cancelled", "refunded", "refunded")
            | ("cancelled", "pending", "void")
    )
}

fn sums(evidence: &Evidence) -> Violation {
    let mut held: BTreeMap<&str, (i128, i128)> = BTreeMap::new();
    for payment in evidence.payments.iter().filter(|payment| payment.status == "captured") {
        held.entry(&payment.currency).or_default().0 += i128::from(payment.amount_minor);
    }
    for order in evidence.orders.iter().filter(|order| order.payment == "paid") {
        held.entry(&order.currency).or_default().1 += i128::from(order.total_minor);
    }
    let mut differ = Violation::of("S6", "the money held is not the money of the orders that are paid");
    for (currency, (payments, orders)) in
        held.into_iter().filter(|(_, (payments, orders))| payments != orders)
    {
        differ.seen(|| format!("{currency}: payments hold {payments}, orders believe {orders}"));
    }
    differ
}
