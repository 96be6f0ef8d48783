//! How a job's rows are drawn.

use millrace_contracts::MessageId;
use time::macros::datetime;
use uuid::uuid;

use super::*;

const JOB: Uuid = uuid!("019aab72-a1fa-7000-8000-000000000001");

fn id(last: u128) -> Uuid {
    Uuid::from_u128(JOB.as_u128() + last)
}

fn row(handler: &str, message: Uuid, name: &str, status: &str, sent: &[(Uuid, &str)]) -> Row {
    let received_at = datetime!(2025-11-22 12:00 UTC);
    let sent = sent.iter().map(|(id, name)| Emitted { id: MessageId(*id), message_type: (*name).to_owned() });
    Row {
        handler: handler.to_owned(),
        message_id: message,
        client_id: "web-shop".to_owned(),
        r#type: name.to_owned(),
        status: status.to_owned(),
        attempts: 1,
        problem: None,
        emitted: Some(Json(sent.collect())),
        received_at,
        handled_at: received_at,
    }
}

fn at(mut row: Row, received_ms: i64, handled_ms: i64) -> Row {
    let start = OffsetDateTime::from_unix_timestamp_nanos(
        i128::from(JOB.get_timestamp().unwrap().to_unix().0) * 1_000_000_000
            + i128::from(JOB.get_timestamp().unwrap().to_unix().1),
    );
    let start = start.unwrap();
    row.received_at = start + time::Duration::milliseconds(received_ms);
    row.handled_at = start + time::Duration::milliseconds(handled_ms);
    row
}

#[test]
fn an_order_on_its_way() {
    let placed = row("orders", JOB, "orders.place", "succeeded", &[(id(1), "orders.placed")]);
    let charged = row("payments", id(1), "orders.placed", "succeeded", &[(id(2), "payments.charge")]);
    let mut charge = row("payments", id(2), "payments.charge", "retrying", &[]);
    charge.attempts = 3;
    charge.problem = Some("the gateway did not answer within 5000 ms".to_owned());
    let rows = [at(placed, 4, 9), at(charged, 15, 20), at(charge, 25, 61_500)];
    insta::assert_snapshot!(tree::draw(JobId(JOB), &rows), @"
    Job 019aab72-a1fa-7000-8000-000000000001 of client web-shop, 2025-11-22 12:03:27.866 UTC
    MESSAGE                HANDLER   STATUS     ATTEMPTS  RECEIVED  HANDLED
    orders.place           orders    succeeded  1         +4 ms     +9 ms
    └─ orders.placed       payments  succeeded  1         +15 ms    +20 ms
       └─ payments.charge  payments  retrying   3         +25 ms    +1 min 01 s  the gateway did not answer within 5000 ms
    ");
}

#[test]
fn several_hear_an_event_and_each_ones_follow_ups_hang_below_it() {
    let sent = [(id(1), "users.registered"), (id(9), "users.email-changed")];
    let rows = [
        row("users", JOB, "users.register", "succeeded", &sent),
        row("orders", id(1), "users.registered", "dead", &[(id(4), "orders.placed")]),
        row("auth", id(1), "users.registered", "succeeded", &[(id(3), "auth.access-revoked")]),
    ]
    .map(|row| at(row, 10, 1_250));
    insta::assert_snapshot!(tree::draw(JobId(JOB), &rows), @"
    Job 019aab72-a1fa-7000-8000-000000000001 of client web-shop, 2025-11-22 12:03:27.866 UTC
    MESSAGE                    HANDLER  STATUS           ATTEMPTS  RECEIVED  HANDLED
    users.register             users    succeeded        1         +10 ms    +1.25 s
    ├─ users.registered        orders   dead             1         +10 ms    +1.25 s
    ├─ users.registered        auth     succeeded        1         +10 ms    +1.25 s
    │  └─ auth.access-revoked  —        heard by nobody
    └─ users.email-changed     —        heard by nobody
    ");
}

#[test]
fn a_row_whose_cause_is_forgotten_stands_alone() {
    let rows = [at(row("orders", id(7), "payments.captured", "refused", &[]), 4_000_000, 4_000_000)];
    insta::assert_snapshot!(tree::draw(JobId(JOB), &rows), @"
    Job 019aab72-a1fa-7000-8000-000000000001 of client web-shop, 2025-11-22 12:03:27.866 UTC
    MESSAGE                  HANDLER  STATUS             ATTEMPTS  RECEIVED     HANDLED
    (the job's own command)  ?        not in the ledger
    payments.captured        orders   refused            1         +1 h 06 min  +1 h 06 min
    ");
}

#[test]
fn a_flow_that_claims_to_cause_itself_ends() {
    let rows = [at(row("orders", JOB, "orders.place", "succeeded", &[(JOB, "orders.place")]), 1, 2)];
    assert_eq!(tree::draw(JobId(JOB), &rows).lines().count(), 3);
}
