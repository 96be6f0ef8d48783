//! Tests of events: what is news, and that an id resumes exactly where it was given out.

use super::{Telling, Told};
use crate::flow::Row;
use crate::jobs::tests::{JOB, place as placed};
use millrace_contracts::ledger::{Emitted, Status};

fn telling(last_id: &str) -> Telling {
    Telling { job: JOB, told: Told::of_id(last_id), ended: false }
}

/// An order whose placing was tried so often, and from which something follows that nobody hears.
fn place(status: Status, attempts: u32) -> Row {
    let confirmed =
        Emitted { id: JOB.first_message().derive(0), message_type: "orders.confirmed".to_owned() };
    Row { attempts, emitted: vec![confirmed], ..placed(status) }
}

#[test]
fn only_what_has_changed_is_news() {
    let mut telling = telling("");
    assert_eq!(telling.news(&[]).len(), 2, "the pending command, and the flow");
    assert_eq!(telling.news(&[]).len(), 0);
    let retrying = [place(Status::Retrying, 1)];
    assert_eq!(telling.news(&retrying).len(), 1, "the flow runs on as it did");
    assert_eq!(telling.news(&[place(Status::Retrying, 2)]).len(), 1, "another attempt is news");
    assert!(!telling.ended);
    assert_eq!(telling.news(&[place(Status::Succeeded, 3)]).len(), 3, "the row, an unheard event, the flow");
    assert!(telling.ended);
}

#[test]
fn an_id_resumes_where_it_was_given_out() {
    let mut first = telling("");
    first.news(&[place(Status::Retrying, 1)]);
    let id = first.told.id().expect("a short flow");
    assert_eq!(telling(&id).news(&[place(Status::Retrying, 1)]).len(), 0);
    assert_eq!(telling(&id).news(&[place(Status::Succeeded, 2)]).len(), 3);
    first.news(&[place(Status::Succeeded, 2)]);
    let mut last = telling(&first.told.id().expect("a short flow"));
    assert!(last.news(&[place(Status::Succeeded, 2)]).is_empty() && last.ended, "nothing more will come");
}

#[test]
fn an_id_that_was_not_given_out_here_tells_nothing() {
    for foreign in ["7", "zzzzzzzz", "0123456", "é9999999", "00000000"] {
        assert_eq!(telling(foreign).news(&[place(Status::Retrying, 1)]).len(), 2, "{foreign}");
    }
}
