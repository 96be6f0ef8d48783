//! Tests of flows: the state and the trail that follow from a job's rows.

use millrace_protocol::ledger::{Emitted, Status};
use millrace_protocol::{JobId, MessageId};
use proptest::prelude::*;
use time::macros::datetime;
use uuid::Uuid;

use super::{Row, State, Step, Summary, steps};
use crate::tests::letters::catalog;

const JOB: JobId = JobId(Uuid::from_u128(0x0198_0000_0000_7000_8000_0000_0000_0001));

/// A row of the message that is reached from the job's by these positions.
fn row(handler: &str, path: &[u32], message_type: &str, status: Status, emits: &[&str]) -> Row {
    let message_id = id(path);
    let emitted = (0..).zip(emits).map(|(position, emitted)| Emitted {
        id: message_id.derive(position),
        message_type: (*emitted).to_owned(),
    });
    Row {
        handler: handler.to_owned(),
        message_id,
        causation_id: path.split_last().map_or(message_id, |(_, parent)| id(parent)),
        message_type: message_type.to_owned(),
        status,
        attempts: 1,
        result: None,
        problem: None,
        emitted: emitted.collect(),
        received_at: datetime!(2025-01-01 00:00 UTC),
        handled_at: datetime!(2025-01-01 00:00:01 UTC),
    }
}

fn id(path: &[u32]) -> MessageId {
    path.iter().fold(JOB.first_message(), |message, position| message.derive(*position))
}

fn summary(rows: &[Row]) -> (State, usize, usize, usize) {
    let summary = Summary::of(&steps(catalog(), JOB, rows));
    (summary.state, summary.handled, summary.pending, summary.dead)
}

/// The trail as one word per step.
fn trail(rows: &[Row]) -> Vec<String> {
    let named = |step: &Step<'_>| match step {
        Step::Recorded(row) => format!("{} at {}", row.message_type, row.handler),
        Step::Pending { message_type, handler, .. } => {
            format!("{} pending at {}", message_type.unwrap_or("?"), handler.unwrap_or("?"))
        }
        Step::Unsubscribed { message_type, .. } => format!("{message_type} unsubscribed"),
    };
    steps(catalog(), JOB, rows).iter().map(named).collect()
}

/// A letter that is paid for and delivered.
fn whole_letter() -> Vec<Row> {
    vec![
        row("letters", &[], "letters.send", Status::Succeeded, &["letters.sent"]),
        row("stamps", &[0], "letters.sent", Status::Succeeded, &["stamps.charge"]),
        row("stamps", &[0, 0], "stamps.charge", Status::Succeeded, &["stamps.charged"]),
        row("letters", &[0, 0, 0], "stamps.charged", Status::Succeeded, &["letters.delivered"]),
    ]
}

#[test]
fn a_job_that_no_worker_has_received_is_pending() {
    assert_eq!(summary(&[]), (State::Running, 0, 1, 0));
    assert_eq!(trail(&[]), ["? pending at ?"]);
}

#[test]
fn a_flow_is_settled_once_every_message_is_handled() {
    assert_eq!(summary(&whole_letter()), (State::Settled, 4, 0, 0));
    assert_eq!(
        trail(&whole_letter()),
        [
            "letters.send at letters",
            "letters.sent at stamps",
            "stamps.charge at stamps",
            "stamps.charged at letters",
            "letters.delivered unsubscribed",
        ]
    );
}

#[test]
fn at_every_moment_before_something_is_pending() {
    let rows = whole_letter();
    for handled in 1..rows.len() {
        assert_eq!(summary(&rows[..handled]), (State::Running, handled, 1, 0), "{handled} handled");
    }
}

#[test]
fn an_event_with_two_subscribers_waits_for_both() {
    let opened = [
        row("offices", &[], "offices.open", Status::Succeeded, &["offices.opened"]),
        row("letters", &[0], "offices.opened", Status::Succeeded, &[]),
    ];
    assert_eq!(summary(&opened), (State::Running, 2, 1, 0));
    assert_eq!(
        trail(&opened),
        ["offices.open at offices", "offices.opened at letters", "offices.opened pending at locks"]
    );
}

#[test]
fn a_refusal_ends_a_flow_and_a_retry_does_not() {
    assert_eq!(
        summary(&[row("letters", &[], "letters.send", Status::Refused, &[])]),
        (State::Settled, 1, 0, 0)
    );
    assert_eq!(
        summary(&[row("letters", &[], "letters.send", Status::Retrying, &[])]),
        (State::Running, 0, 1, 0)
    );
}

#[test]
fn a_dead_letter_makes_a_flow_stuck_once_nothing_else_moves() {
    let mut rows = vec![
        row("offices", &[], "offices.open", Status::Succeeded, &["offices.opened"]),
        row("locks", &[0], "offices.opened", Status::Dead, &[]),
    ];
    assert_eq!(summary(&rows), (State::Running, 1, 1, 1), "letters has not received it yet");
    rows.push(row("letters", &[0], "offices.opened", Status::Succeeded, &[]));
    assert_eq!(summary(&rows), (State::Stuck, 2, 0, 1));
}

#[test]
fn a_type_of_a_newer_version_counts_as_pending_until_somebody_has_handled_it() {
    let newer = row("letters", &[], "letters.send", Status::Succeeded, &["letters.wrapped"]);
    assert_eq!(summary(std::slice::from_ref(&newer)), (State::Running, 1, 1, 0));
    let handled = row("wrapping", &[0], "letters.wrapped", Status::Succeeded, &[]);
    assert_eq!(summary(&[newer, handled]), (State::Settled, 2, 0, 0));
}

#[test]
fn a_row_without_its_cause_is_shown() {
    let rows = &whole_letter()[2..];
    assert_eq!(trail(rows)[0], "? pending at ?");
    assert_eq!(summary(rows), (State::Running, 2, 1, 0));
}

proptest! {
    #[test]
    fn the_order_of_rows_does_not_matter(rows in Just(whole_letter()).prop_shuffle()) {
        prop_assert_eq!(trail(&rows), trail(&whole_letter()));
    }

    #[test]
    fn whatever_the_rows_each_is_shown_once(keep in prop::collection::vec(any::<bool>(), 4)) {
        let rows: Vec<Row> =
            whole_letter().into_iter().zip(keep).filter_map(|(row, keep)| keep.then_some(row)).collect();
        let shown = steps(catalog(), JOB, &rows).iter().filter(|step| matches!(step, Step::Recorded(_))).count();
        prop_assert_eq!(shown, rows.len());
    }
}
