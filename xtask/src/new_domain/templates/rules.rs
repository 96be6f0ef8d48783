//! The rules of {{domain}}: which states there are, and what each message does in each of them.

use millrace_contracts::{{domain}}::{Complete, Completed};
use millrace_contracts::{{{Subject}}, {{modules}}};
use millrace_protocol::{Contract, DomainName, Envelope, Unreadable, read};
use millrace_runtime::{Context, Decision, Domain, NoEffects, Postpone, Refusal, Rejection, Rows};
use serde_json::json;

use super::{{Domain}};

/// What {{domain}} handles.
#[derive(Debug, Clone)]
pub enum Message {
    Complete(Complete),
    {{event.variant}}({{event.path}}),
}

/// What {{domain}} knows of {{a_noun}}.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Open,
    /// For good.
    Completed,
{{if closing}}
    /// For good, and without being completed.
    Closed,
{{end}}
}

/// The rows that a batch looks at: one field for each table.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    pub {{nouns}}: Rows<{{Subject}}, Status>,
}

/// A row to write.
#[derive(Debug)]
pub struct Change({{Subject}}, Status);

impl millrace_runtime::Facts for Facts {
    type Change = Change;
    fn apply(&mut self, Change({{subject}}, status): Change) {
        self.{{nouns}}.put(&{{subject}}, status);
    }
}

impl Domain for {{Domain}} {
    const NAME: DomainName = {{domain}}::DOMAIN;
    type Message = Message;
    type Facts = Facts;
    type Effects = NoEffects;

    fn read(envelope: &Envelope, body: &[u8]) -> Result<Message, Unreadable> {
        Ok(match envelope.message_type.as_str() {
            Complete::TYPE => Message::Complete(read(envelope.version, body)?),
            {{event.path}}::TYPE => Message::{{event.variant}}(read(envelope.version, body)?),
            other => return Err(Unreadable::UnknownType(other.to_owned())),
        })
    }

    fn declare(message: &Message, facts: &mut Facts) {
        match message {
            Message::Complete(command) => facts.{{nouns}}.declare(command.{{subject}}),
            Message::{{event.variant}}(event) => facts.{{nouns}}.declare(event.{{subject}}),
        }
    }

    fn decide(facts: &Facts, message: &Message, _: &Context<'_>) -> Result<Decision<Change>, Rejection> {
        match message {
            Message::Complete(command) => complete(facts, command.{{subject}}),
            Message::{{opening.variant}}(event) => Ok(open(facts, event.{{subject}})),
            Message::{{closing.variant}}(event) => Ok(close(facts, event.{{subject}})),
        }
    }
}

fn complete(facts: &Facts, {{subject}}: {{Subject}}) -> Result<Decision<Change>, Rejection> {
    match facts.{{nouns}}.get(&{{subject}}) {
        None => Err(unknown({{subject}}).into()),
        Some(Status::Open) => Ok(done({{subject}})
            .change(Change({{subject}}, Status::Completed))
            .publish(&Completed { {{subject}} })),
        Some(Status::Completed) => {
            let sentence = format!("The {{domain}} of {{noun}} {{{subject}}} is already complete.");
            Err(Refusal::new("{{domain}}-already-completed", sentence).into())
        }
{{if closing}}
        Some(Status::Closed) => {
            let sentence = format!("The {{domain}} of {{noun}} {{{subject}}} is closed.");
            Err(Refusal::new("{{domain}}-closed", sentence).into())
        }
{{end}}
    }
}

/// The event that opens it may still be on its way.
fn unknown({{subject}}: {{Subject}}) -> Postpone {
    Postpone::then_refuse(
        format!("`{{opening.wire}}` of {{noun}} {{{subject}}}"),
        Refusal::new("{{domain}}-unknown", format!("There is nothing to complete for {{noun}} {{{subject}}}.")),
    )
}

/// Events come in any order and more than once: one that comes late or again changes nothing.
fn open(facts: &Facts, {{subject}}: {{Subject}}) -> Decision<Change> {
    match facts.{{nouns}}.get(&{{subject}}) {
        None => done({{subject}}).change(Change({{subject}}, Status::Open)),
        Some(_) => done({{subject}}),
    }
}
{{if closing}}

/// Also what is not open yet is closed: the event that opens it comes later, and must find it closed.
fn close(facts: &Facts, {{subject}}: {{Subject}}) -> Decision<Change> {
    match facts.{{nouns}}.get(&{{subject}}) {
        None | Some(Status::Open) => done({{subject}}).change(Change({{subject}}, Status::Closed)),
        Some(Status::Completed | Status::Closed) => done({{subject}}),
    }
}
{{end}}

/// The result is what the API shows of the job.
fn done({{subject}}: {{Subject}}) -> Decision<Change> {
    Decision::new(json!({"{{subject}}": {{subject}}}))
}
