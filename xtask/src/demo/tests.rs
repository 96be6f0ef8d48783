//! The demo's own parts that need no services: its stories, its tree, its sums.

use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::account::amount;
use super::picture::tree;
use super::story::{Orders, Story};
use crate::api::{Trail, TrailMessage};

#[test]
fn even_the_smallest_demo_tells_every_story() {
    let orders = Orders::new(20);
    for story in Story::ALL {
        assert!(orders.orders.iter().any(|order| order.story == story), "{story:?}");
    }
}

#[test]
fn a_trail_is_drawn_below_its_causes() {
    let (placed, charge) = (Uuid::from_u128(2), Uuid::from_u128(3));
    let trail = Trail {
        messages: vec![
            message(Uuid::from_u128(1), "orders.place", Some("orders"), None, 2, Some(210)),
            message(placed, "orders.placed", Some("payments"), Some(Uuid::from_u128(1)), 1, Some(250)),
            message(charge, "payments.charge", Some("payments"), Some(placed), 1, Some(300)),
            message(Uuid::from_u128(4), "payments.opened", None, Some(placed), 0, None),
        ],
    };
    let drawn = tree(&trail, OffsetDateTime::UNIX_EPOCH);
    let lines: Vec<&str> = drawn.lines().map(str::trim_end).collect();
    assert_eq!(
        lines,
        [
            "  orders.place → orders                              succeeded, attempt 2     +210 ms",
            "  └─ orders.placed → payments                        succeeded                +250 ms",
            "     ├─ payments.charge → payments                   succeeded                +300 ms",
            "     └─ payments.opened                              unsubscribed",
        ]
    );
}

#[test]
fn a_message_that_two_domains_hear_has_its_follow_ups_once() {
    let heard = Uuid::from_u128(2);
    let trail = Trail {
        messages: vec![
            message(heard, "users.registered", Some("auth"), None, 1, Some(1)),
            message(heard, "users.registered", Some("orders"), None, 1, Some(2)),
            message(Uuid::from_u128(3), "auth.access-opened", Some("users"), Some(heard), 1, Some(3)),
        ],
    };
    let drawn = tree(&trail, OffsetDateTime::UNIX_EPOCH);
    assert_eq!(drawn.matches("auth.access-opened").count(), 1, "{drawn}");
}

#[test]
fn amounts_have_two_decimals_and_their_sign() {
    assert_eq!(amount(0), "0.00");
    assert_eq!(amount(12_345), "123.45");
    assert_eq!(amount(-5), "-0.05");
    assert_eq!(amount(i64::MIN), "-92233720368547758.08");
}

fn message(
    message_id: Uuid,
    message_type: &str,
    handler: Option<&str>,
    caused_by: Option<Uuid>,
    attempts: u32,
    handled_ms: Option<i64>,
) -> TrailMessage {
    TrailMessage {
        message_id,
        message_type: Some(message_type.to_owned()),
        handler: handler.map(str::to_owned),
        status: if handler.is_some() { "succeeded" } else { "unsubscribed" }.to_owned(),
        attempts,
        caused_by,
        handled_at: handled_ms.map(|ms| OffsetDateTime::UNIX_EPOCH + Duration::milliseconds(ms)),
    }
}
