//! {{Domain}}, given / when / then: single rules, the matrix of every state and message, "a batch equals one by one", and
//! "any order ends the same".

use millrace_contracts::{{domain}}::{Complete, Completed};
use millrace_contracts::{{{Subject}}, {{event_modules}}};
use millrace_given::{Flow, Matrix, MemoryStore, Table, World, any_cuts, any_schedule, arrives, problem, published, row};
use millrace_protocol::Contract;
use proptest::prelude::*;
use uuid::Uuid;

use super::{{Domain}};
use super::rules::{Facts, Message, Status};

impl MemoryStore for Facts {
    fn load(&mut self, stored: &Self) {
        self.{{nouns}}.load(&stored.{{nouns}});
    }
    fn save(&self, stored: &mut Self) {
        self.{{nouns}}.save(&mut stored.{{nouns}});
    }
}

fn {{subject}}(number: u128) -> {{Subject}} {
    {{Subject}}(Uuid::from_u128(number))
}

fn complete({{subject}}: {{Subject}}) -> Message {
    arrives::<{{Domain}}, _>(1, &Complete { {{subject}} })
}

{{each event}}
fn {{event.function}}({{subject}}: {{Subject}}) -> {{event.path}} {
    {{event.path}} { {{event.fields}} }
}

{{end}}
/// Every message that {{domain}} handles, about one {{noun}}.
fn messages({{subject}}: {{Subject}}) -> Vec<(&'static str, Message)> {
    vec![
        (Complete::TYPE, complete({{subject}})),
        ({{event.path}}::TYPE, arrives::<{{Domain}}, _>(1, &{{event.function}}({{subject}}))),
    ]
}

/// A world in which one {{noun}} has this status.
fn world(status: Option<Status>) -> World<{{Domain}}> {
    let mut world = World::<{{Domain}}>::default();
    if let Some(status) = status {
        world.facts.{{nouns}}.fill({{subject}}(1), status, 1);
    }
    world
}

#[test]
fn what_is_open_is_completed_once() {
    let mut world = world(None);
    let opened = world.when(arrives::<{{Domain}}, _>(1, &{{opening.function}}({{subject}}(1))));
    assert_eq!(published(&opened), [""; 0]);
    assert_eq!(published(&world.when(complete({{subject}}(1)))), [Completed::TYPE]);
    assert_eq!(problem(&world.when(complete({{subject}}(1)))), "{{domain}}-already-completed");
}

#[test]
fn what_is_not_open_yet_is_waited_for() {
    let verdict = world(None).when(complete({{subject}}(1)));
    assert_eq!(verdict.unwrap_err().to_string(), "postpone, finally refuse {{domain}}-unknown");
}
{{if closing}}

#[test]
fn what_is_closed_is_not_completed() {
    assert_eq!(problem(&world(Some(Status::Closed)).when(complete({{subject}}(1)))), "{{domain}}-closed");
}
{{end}}

/// The specification: every state, every message, what becomes of it.
#[test]
fn matrix() {
    let mut matrix = Matrix::default();
    for (name, message) in messages({{subject}}(1)) {
{{if closing}}
        for before in [None, Some(Status::Open), Some(Status::Completed), Some(Status::Closed)] {
{{else}}
        for before in [None, Some(Status::Open), Some(Status::Completed)] {
{{end}}
            let columns = [name, "", &describe(before)];
            matrix.line(columns, world(before), (message.clone(), None), |after| {
                describe(row(after.{{nouns}}.existing(), &{{subject}}(1)).copied())
            });
        }
    }
    insta::assert_snapshot!(matrix.render("", "any {{noun}}"));
}

fn describe(status: Option<Status>) -> String {
    status.map_or("no {{noun}}".to_owned(), |status| format!("{status:?} {{noun}}").to_lowercase())
}

proptest! {
    /// Loading, deciding and saving a batch at once is the same as message by message, wherever it is cut.
    #[test]
    fn a_batch_equals_one_by_one(
        picks in proptest::collection::vec((0..{{message_count}}usize, 1..4u128), 1..40),
        cuts in any_cuts(),
    ) {
        let pick = |(kind, number): &(usize, u128)| (messages({{subject}}(*number)).remove(*kind).1, None);
        millrace_given::a_batch_equals_one_by_one::<{{Domain}}>(&picks.iter().map(pick).collect::<Vec<_>>(), &cuts)?;
    }

    /// Events come late, twice and in any order.
    #[test]
    fn events_in_any_order_end_the_same(schedule in any_schedule()) {
        Flow::<{{Domain}}>::default()
            .then(&{{event.function}}({{subject}}(1)))
            .ends_the_same(&schedule)?;
    }

    /// A command that overtook the event it depends on waits for it.
    #[test]
    fn a_command_before_its_event_ends_the_same(schedule in any_schedule()) {
        Flow::<{{Domain}}>::default()
            .then(&{{opening.function}}({{subject}}(1)))
            .then(&Complete { {{subject}}: {{subject}}(1) })
            .ends_the_same(&schedule)?;
    }
}
