//! The trees of some jobs.

use millrace_protocol::{About, Contract, Domain, DomainName, Kind, MessageId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::macros::datetime;
use uuid::uuid;

use super::*;

macro_rules! message {
    ($name:ident: $kind:ident $message_type:literal) => {
        #[derive(Serialize, Deserialize, JsonSchema)]
        struct $name {}

        impl Contract for $name {
            const TYPE: &'static str = $message_type;
            const KIND: Kind = Kind::$kind;
            fn example() -> Self {
                Self {}
            }
        }
    };
}

message!(Open: Command "offices.open");
message!(Opened: Event "offices.opened");
message!(Moved: Event "offices.moved");
message!(Send: Command "letters.send");
message!(Sent: Event "letters.sent");
message!(Charge: Command "stamps.charge");
message!(Charged: Event "stamps.charged");
message!(Changed: Event "locks.changed");

fn catalog() -> Catalog {
    let domain = |name| Domain::new(DomainName::new(name));
    let about = About { title: "Post", version: "1.0.0", description: "" };
    let domains = [
        domain("offices").message::<Open>().message::<Opened>().message::<Moved>(),
        domain("letters").message::<Send>().message::<Sent>().subscribes::<Opened>().subscribes::<Charged>(),
        domain("stamps").message::<Charge>().message::<Charged>().subscribes::<Sent>(),
        domain("locks").message::<Changed>().subscribes::<Opened>(),
    ];
    Catalog::new(about, domains)
}

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
fn a_flow_under_way() {
    let placed = row("letters", JOB, "letters.send", "succeeded", &[(id(1), "letters.sent")]);
    let charged = row("stamps", id(1), "letters.sent", "succeeded", &[(id(2), "stamps.charge")]);
    let mut charge = row("stamps", id(2), "stamps.charge", "retrying", &[]);
    charge.attempts = 3;
    charge.problem = Some("the gateway did not answer within 5000 ms".to_owned());
    let rows = [at(placed, 4, 9), at(charged, 15, 20), at(charge, 25, 61_500)];
    insta::assert_snapshot!(tree::draw(&catalog(), JobId(JOB), &rows), @"
    Job 019aab72-a1fa-7000-8000-000000000001 of client web-shop, 2025-11-22 12:03:27.866 UTC
    MESSAGE              HANDLER  STATUS     ATTEMPTS  RECEIVED  HANDLED
    letters.send         letters  succeeded  1         +4 ms     +9 ms
    └─ letters.sent      stamps   succeeded  1         +15 ms    +20 ms
       └─ stamps.charge  stamps   retrying   3         +25 ms    +1 min 01 s  the gateway did not answer within 5000 ms
    ");
}

#[test]
fn an_event_has_several_subscribers_and_their_follow_ups_stand_below_each() {
    let sent = [(id(1), "offices.opened"), (id(9), "offices.moved")];
    let rows = [
        row("offices", JOB, "offices.open", "succeeded", &sent),
        row("letters", id(1), "offices.opened", "dead", &[(id(4), "letters.sent")]),
        row("locks", id(1), "offices.opened", "succeeded", &[(id(3), "locks.changed")]),
    ]
    .map(|row| at(row, 10, 1_250));
    insta::assert_snapshot!(tree::draw(&catalog(), JobId(JOB), &rows), @"
    Job 019aab72-a1fa-7000-8000-000000000001 of client web-shop, 2025-11-22 12:03:27.866 UTC
    MESSAGE              HANDLER  STATUS         ATTEMPTS  RECEIVED  HANDLED
    offices.open         offices  succeeded      1         +10 ms    +1.25 s
    ├─ offices.opened    letters  dead           1         +10 ms    +1.25 s
    ├─ offices.opened    locks    succeeded      1         +10 ms    +1.25 s
    │  └─ locks.changed  —        no subscriber
    └─ offices.moved     —        no subscriber
    ");
}

#[test]
fn a_row_whose_cause_was_pruned_stands_alone() {
    let rows = [at(row("letters", id(7), "stamps.charged", "refused", &[]), 4_000_000, 4_000_000)];
    insta::assert_snapshot!(tree::draw(&catalog(), JobId(JOB), &rows), @"
    Job 019aab72-a1fa-7000-8000-000000000001 of client web-shop, 2025-11-22 12:03:27.866 UTC
    MESSAGE                  HANDLER  STATUS             ATTEMPTS  RECEIVED     HANDLED
    (the job's own command)  ?        not in the ledger
    stamps.charged           letters  refused            1         +1 h 06 min  +1 h 06 min
    ");
}

#[test]
fn a_flow_that_claims_to_cause_itself_ends() {
    let rows = [at(row("letters", JOB, "letters.send", "succeeded", &[(JOB, "letters.send")]), 1, 2)];
    assert_eq!(tree::draw(&catalog(), JobId(JOB), &rows).lines().count(), 3);
}
