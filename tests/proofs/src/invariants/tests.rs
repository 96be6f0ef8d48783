//! Each rule finds what it is there for, and nothing where all is well: evidence in order is spoilt in one way at a time.

use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::given::{CAPTURED, CHARGE, JOB, ORDER, PLACED, cut_off_after_orders, good, retried};
use super::{Violation, check};
use crate::evidence::{Digest, Evidence, Letter, Note, Queue};
use crate::history::{Answer, CRASH};

fn broken(rule: &str, what: &str, spoil: impl FnOnce(&mut Evidence)) -> Vec<Violation> {
    let mut evidence = good();
    spoil(&mut evidence);
    let (found, _): (Vec<_>, Vec<_>) = check(&evidence).into_iter().partition(|it| it.rule == rule);
    assert!(found.iter().all(|it| !it.examples.is_empty()), "{what}: {found:#?}");
    found
}

/// The rule says so in these words.
fn found(what: &str, rule: &str, words: &str, spoil: impl FnOnce(&mut Evidence)) {
    let found = broken(rule, what, spoil);
    assert!(found.iter().any(|it| it.meaning.contains(words)), "{what} is not found: {found:#?}");
}

/// It is no violation of this rule, whatever others say.
fn excused(what: &str, rule: &str, change: impl FnOnce(&mut Evidence)) {
    assert_eq!(broken(rule, what, change), [], "{what}");
}

#[test]
fn nothing_is_found_where_all_is_well() {
    assert_eq!(check(&good()), []);
}

#[test]
fn whatever_is_lost_is_found() {
    found("a job without a row", "S1", "never handled", |it| {
        it.ledger.retain(|entry| entry.message_type != "orders.place");
    });
    found("a follow-up without a row", "S1", "never reached", |it| {
        it.ledger.retain(|entry| entry.message_id != *PLACED);
    });
    excused("a follow-up in the queue of a domain that took no part", "S1", cut_off_after_orders);
    found("a follow-up that is not in that queue", "S1", "never reached", |it| {
        cut_off_after_orders(it);
        it.waiting.clear();
    });
    found("what stays open", "S1", "still to be retried", |it| it.ledger[0].status = "retrying");
}

#[test]
fn whatever_happens_twice_is_found() {
    found("a message that is finished twice", "S2", "more than once", |it| {
        it.notes.push(it.notes[0].clone());
    });
    found("a message that changes after its end", "S2", "after it had come to its end", |it| {
        it.notes.push(Note { status: "retrying", ..it.notes[0].clone() });
    });
    found("a row that the journal never saw", "S2", "never saw it", |it| drop(it.notes.remove(0)));
    found("a second charge", "S2", "same order", |it| {
        let charged = it.effects.iter().find(|effect| effect.new_state == Some("captured")).cloned();
        it.effects.extend(charged);
    });
    found("an order placed twice", "S4", "more than once", |it| {
        let again = it.ledger.iter().find(|entry| entry.subject == Some(ORDER)).cloned();
        it.ledger.extend(again);
    });
}

#[test]
fn half_a_job_is_found_on_either_side() {
    found("a row without its order", "S4", "order is not there", |it| it.orders.clear());
    found("an order without its row", "S4", "no job in the ledger", |it| {
        it.ledger.retain(|entry| entry.message_type != "orders.place");
    });
    found("a change outside of the ledger's transaction", "J1", "finished no message", |it| {
        it.effects[0].txid = 999_999;
    });
    excused("a change that prepared the tables", "J1", |it| {
        (it.effects[0].txid, it.prepared_below) = (999_999, 1_000_000);
    });
}

#[test]
fn whatever_nobody_asked_for_is_found() {
    let unposted = |it: &mut Evidence| it.history.submits.retain(|submit| submit.command != "orders.place");
    found("a job that nobody posted", "S3", "nobody posted", unposted);
    found("its row", "S3", "no posted job speaks of", unposted);
    found("a follow-up under another id", "S3", "nobody sent out", |it| {
        let captured = it.ledger.iter_mut().find(|entry| entry.message_id == *CAPTURED);
        captured.expect("it is there").message_id = Uuid::from_u128(404);
    });
    found("a message in a queue that nobody sent", "S3", "nobody sent out", |it| {
        cut_off_after_orders(it);
        it.waiting[0].message_id = Uuid::from_u128(404).to_string();
    });
    excused("a job with an unknown answer", "S3", |it| {
        for submit in &mut it.history.submits {
            submit.answer = Answer::Unknown("reset".to_owned(), None);
        }
    });
    found("a refused job that was done", "R1", "not queued", |it| {
        for submit in &mut it.history.submits {
            submit.answer = Answer::Refused("503 broker-unavailable".to_owned());
        }
    });
    found("another client's row", "S9", "another client", |it| it.ledger[0].client_id = "mallory");
}

#[test]
fn whatever_is_said_otherwise_than_it_was_done_is_found() {
    let new_ids = |it: &mut Evidence| {
        it.ledger.iter_mut().flat_map(|entry| &mut entry.emitted).for_each(|sent| sent.id = Uuid::nil());
    };
    found("a new id", "S5", "cause and position", new_ids);
    found("the same id twice", "S5", "the same id", new_ids);
    found("another body of the same row", "S5", "changed", |it| {
        let mut again = it.notes.iter().find(|note| note.emitted_md5.is_some()).cloned().expect("one");
        again.emitted_md5 = Some("other".to_owned());
        it.notes.push(again);
    });
    let with_a_copy = |it: &mut Evidence, spoil: fn(&mut Letter)| {
        cut_off_after_orders(it);
        let mut copy = it.waiting[0].clone();
        spoil(&mut copy);
        it.waiting.push(copy);
    };
    excused("a copy", "S5", |it| with_a_copy(it, |_| {}));
    for (what, spoil) in [
        ("body", (|copy| copy.body = Digest::of(b"{}")) as fn(&mut Letter)),
        ("job", |copy| copy.job_id = Uuid::nil().to_string()),
        ("type", |copy| copy.message_type = "orders.cancelled".to_owned()),
        ("attempt", |copy| copy.attempt = 2),
    ] {
        found(&format!("a copy with another {what}"), "S5", "has kept", |it| with_a_copy(it, spoil));
    }
    found("an effect before its cause", "S5", "too soon", |it| {
        let placed = it.notes.iter_mut().find(|note| note.message_id == *PLACED);
        placed.expect("it is there").noted_at = OffsetDateTime::UNIX_EPOCH;
    });
}

#[test]
fn money_that_does_not_add_up_is_found() {
    let more = |it: &mut Evidence| it.payments[0].amount_minor += 1;
    found("another amount", "S6", "amount", more);
    found("another sum", "S6", "money held", more);
    found("an amount that both have wrong", "S6", "amount", |it| {
        it.payments[0].amount_minor += 1;
        it.orders[0].total_minor += 1;
    });
    found("an order confirmed without money", "S6", "contradict", |it| {
        it.payments[0].status = "declined".to_owned();
    });
    found("an order without a payment", "S6", "contradict", |it| it.payments.clear());
}

#[test]
fn what_is_left_in_queues_is_found() {
    for (ready, unacked) in [(1, 0), (0, 1)] {
        found("a message in a queue", "S7", "not empty", |it| {
            it.queues.push(Queue { name: "unrouted".to_owned(), ready, unacked });
        });
    }
    found("a started attempt", "S7", "never ended", |it| it.started_attempts = vec![*PLACED]);
    // What was poison for its worker may keep its started attempts, what was only unreadable may not.
    let poisoned = |it: &mut Evidence| {
        it.started_attempts = vec![it.history.poison[0].message_id.parse().expect("an id")];
    };
    found("a started attempt at what nobody can read", "S7", "never ended", poisoned);
    excused("a started attempt at what kills its worker", "S7", |it| {
        poisoned(it);
        it.history.poison[0].class = CRASH.to_owned();
    });
}

#[test]
fn dead_letters_that_must_not_be_are_found() {
    let innocent = |it: &mut Evidence| it.letters[0].message_id = PLACED.to_string();
    found("an innocent dead letter", "S7", "innocent", innocent);
    found("the poison that it stands for", "P1", "vanished", innocent);
    found("poison that is tried again", "P1", "more than once", |it| it.letters[0].attempt = 2);
    found("poison that is done", "P1", "was done", |it| {
        it.ledger[0].message_id = it.history.poison[0].message_id.parse().expect("an id");
    });
    found("another reason", "P1", "another reason", |it| it.letters[0].class = "defect".to_owned());
    found("another body", "P1", "another body", |it| {
        it.letters[0].body = Digest::of(b"[]");
        it.history.poison[0].body = Some(Digest::of(b"{}"));
    });
    found("a message given up in the ledger", "P1", "gave a message up", |it| it.ledger[0].status = "dead");
}

#[test]
fn gaps_and_repeats_are_found() {
    found("a gap", "S8", "version", |it| {
        it.effects.last_mut().expect("there are effects").new_version = Some(7);
    });
    found("a repeat", "S8", "version", |it| it.effects.push(it.effects[0].clone()));
    found("an attempt from nowhere", "S8", "never made", |it| it.notes[0].attempts = 3);
    found("more attempts than allowed", "S8", "policy", |it| it.notes[0].attempts = 100);
}

#[test]
fn sessions_that_must_not_be_are_found() {
    found("a hanging transaction", "S10", "does nothing", |it| {
        it.sessions[0].state = "idle in transaction".to_owned();
    });
    found("a crowd", "S10", "more sessions", |it| it.sessions_max = Some(0));
}

#[test]
fn attempts_are_used_up_for_a_reason() {
    excused("an order that overtook its user", "P2", |it| retried(it, JOB, "postponed"));
    found("an order whose user had long been there", "P2", "used it up", |it| {
        it.effects.iter_mut().for_each(|effect| effect.noted_at -= Duration::minutes(5));
        retried(it, JOB, "postponed");
    });
    found("a defect", "P2", "used it up", |it| retried(it, JOB, "defect"));
    found("a call that failed", "P2", "used it up", |it| retried(it, *CHARGE, "effect"));
    excused("a call that fails on purpose", "P2", |it| {
        retried(it, *CHARGE, "effect");
        it.payments[0].payment_method = "pm_flaky".to_owned();
    });
}
