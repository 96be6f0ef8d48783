//! Tests of events: what is news, and that an id resumes exactly where it was sent.

use super::{Sent, Subscriber};
use crate::flow::Row;
use crate::jobs::tests::{JOB, send};
use crate::tests::letters::catalog;
use millrace_protocol::ledger::{Emitted, Status};

fn subscriber(last_id: &str) -> Subscriber {
    Subscriber { catalog: catalog(), job: JOB, sent: Sent::of_id(last_id), ended: false }
}

/// A letter whose sending was tried this often, and from which an event without subscribers follows.
fn sent(status: Status, attempts: u32) -> Row {
    let delivered =
        Emitted { id: JOB.first_message().derive(0), message_type: "letters.delivered".to_owned() };
    Row { attempts, emitted: vec![delivered], ..send(status) }
}

#[test]
fn only_what_has_changed_is_news() {
    let mut subscriber = subscriber("");
    assert_eq!(subscriber.news(&[]).len(), 2, "the pending command, and the flow");
    assert_eq!(subscriber.news(&[]).len(), 0);
    let retrying = [sent(Status::Retrying, 1)];
    assert_eq!(subscriber.news(&retrying).len(), 1, "the flow runs on as it did");
    assert_eq!(subscriber.news(&[sent(Status::Retrying, 2)]).len(), 1, "another attempt is news");
    assert!(!subscriber.ended);
    assert_eq!(
        subscriber.news(&[sent(Status::Succeeded, 3)]).len(),
        3,
        "the row, an event without subscribers, the flow"
    );
    assert!(subscriber.ended);
}

#[test]
fn an_id_resumes_where_it_was_given_out() {
    let mut first = subscriber("");
    first.news(&[sent(Status::Retrying, 1)]);
    let id = first.sent.id().expect("a short flow");
    assert_eq!(subscriber(&id).news(&[sent(Status::Retrying, 1)]).len(), 0);
    assert_eq!(subscriber(&id).news(&[sent(Status::Succeeded, 2)]).len(), 3);
    first.news(&[sent(Status::Succeeded, 2)]);
    let mut last = subscriber(&first.sent.id().expect("a short flow"));
    assert!(last.news(&[sent(Status::Succeeded, 2)]).is_empty() && last.ended, "nothing more will come");
}

#[test]
fn an_id_of_somebody_elses_counts_as_nothing() {
    for foreign in ["7", "zzzzzzzz", "0123456", "é9999999", "00000000"] {
        assert_eq!(subscriber(foreign).news(&[sent(Status::Retrying, 1)]).len(), 2, "{foreign}");
    }
}
