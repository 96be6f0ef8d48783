//! The rules of users: who exists, who holds which e-mail address, and what each message does about it.

use millrace_contracts::users::{ChangeEmail, Deactivate, Deactivated, EmailChanged, Register, Registered};
use millrace_contracts::{Email, PersonName, UserId, users};
use millrace_protocol::{Contract, DomainName, Envelope, Unreadable, read};
use millrace_runtime::{
    Context, Decision, DeletableRows, Domain, NoEffects, Postpone, Refusal, Rejection, Rows,
};
use serde_json::json;

use super::Users;

/// What users handles.
#[derive(Debug, Clone)]
pub enum Message {
    Register { user_id: UserId, register: Register },
    ChangeEmail(ChangeEmail),
    Deactivate(Deactivate),
}

/// One user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub email: Email,
    pub name: PersonName,
    pub status: Status,
}

/// Whether a user's account is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Active,
    /// For good.
    Deactivated,
}

/// An address under which it is compared with others.
pub(super) type FoldedEmail = String;

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    pub users: Rows<UserId, User>,
    /// Who holds which address. Every declared user's own address is among them, though no message names it.
    pub claims: DeletableRows<FoldedEmail, UserId>,
}

#[derive(Debug)]
pub enum Change {
    User(UserId, User),
    Claim(FoldedEmail, UserId),
    Release(FoldedEmail),
}

impl millrace_runtime::Facts for Facts {
    type Change = Change;
    fn apply(&mut self, change: Change) {
        match change {
            Change::User(user_id, user) => self.users.put(&user_id, user),
            Change::Claim(email, user_id) => self.claims.put(&email, user_id),
            Change::Release(email) => self.claims.remove(&email),
        }
    }
}

impl Domain for Users {
    const NAME: DomainName = users::DOMAIN;
    type Message = Message;
    type Facts = Facts;
    type Effects = NoEffects;

    fn read(envelope: &Envelope, body: &[u8]) -> Result<Message, Unreadable> {
        Ok(match envelope.message_type.as_str() {
            users::Register::TYPE => {
                let register: users::Register = read(envelope.version, body)?;
                let user_id = register.user_id.unwrap_or(UserId(envelope.job_id.0));
                Message::Register { user_id, register }
            }
            users::ChangeEmail::TYPE => Message::ChangeEmail(read(envelope.version, body)?),
            users::Deactivate::TYPE => Message::Deactivate(read(envelope.version, body)?),
            other => return Err(Unreadable::UnknownType(other.to_owned())),
        })
    }

    fn declare(message: &Message, facts: &mut Facts) {
        match message {
            Message::Register { user_id, register } => {
                facts.users.declare(*user_id);
                facts.claims.declare(register.email.folded());
            }
            Message::ChangeEmail(change) => {
                facts.users.declare(change.user_id);
                facts.claims.declare(change.email.folded());
            }
            Message::Deactivate(deactivate) => facts.users.declare(deactivate.user_id),
        }
    }

    fn decide(facts: &Facts, message: &Message, _: &Context<'_>) -> Result<Decision<Change>, Rejection> {
        match message {
            Message::Register { user_id, register: user } => register(facts, *user_id, user),
            Message::ChangeEmail(change) => change_email(facts, change),
            Message::Deactivate(command) => deactivate(facts, command.user_id),
        }
    }
}

fn register(facts: &Facts, user_id: UserId, register: &Register) -> Result<Decision<Change>, Rejection> {
    let Register { email, name, .. } = register;
    if facts.users.get(&user_id).is_some() {
        return Err(Refusal::new("user-exists", format!("There is already a user {user_id}.")).into());
    }
    free_for(facts, user_id, email)?;
    let user = User { email: email.clone(), name: name.clone(), status: Status::Active };
    Ok(Decision::new(json!({"user_id": user_id}))
        .change(Change::User(user_id, user))
        .change(Change::Claim(email.folded(), user_id))
        .publish(&Registered { user_id, email: email.clone(), name: name.clone() }))
}

fn change_email(facts: &Facts, change: &ChangeEmail) -> Result<Decision<Change>, Rejection> {
    let ChangeEmail { user_id, email } = change;
    let user = known_user(facts, *user_id)?;
    if user.status == Status::Deactivated {
        return Err(closed("user-deactivated", *user_id).into());
    }
    free_for(facts, *user_id, email)?;
    let done = Decision::new(json!({"user_id": user_id, "email": email}));
    if user.email == *email {
        return Ok(done);
    }
    let changed = done
        .change(Change::User(*user_id, User { email: email.clone(), ..user.clone() }))
        .publish(&EmailChanged { user_id: *user_id, email: email.clone() });
    // The same address in another spelling stays claimed as it is.
    if user.email.folded() == email.folded() {
        return Ok(changed);
    }
    Ok(changed.change(Change::Release(user.email.folded())).change(Change::Claim(email.folded(), *user_id)))
}

/// The address becomes free: a closed account must not keep anybody from registering with what is theirs.
fn deactivate(facts: &Facts, user_id: UserId) -> Result<Decision<Change>, Rejection> {
    let user = known_user(facts, user_id)?;
    if user.status == Status::Deactivated {
        return Err(closed("user-already-deactivated", user_id).into());
    }
    Ok(Decision::new(json!({"user_id": user_id}))
        .change(Change::User(user_id, User { status: Status::Deactivated, ..user.clone() }))
        .change(Change::Release(user.email.folded()))
        .publish(&Deactivated { user_id }))
}

fn free_for(facts: &Facts, user_id: UserId, email: &Email) -> Result<(), Refusal> {
    match facts.claims.get(&email.folded()) {
        Some(holder) if *holder != user_id => {
            Err(Refusal::new("email-taken", format!("Another user has the e-mail address {email}.")))
        }
        _ => Ok(()),
    }
}

/// The user may be registering at this moment.
fn known_user(facts: &Facts, user_id: UserId) -> Result<&User, Rejection> {
    facts.users.get(&user_id).ok_or_else(|| {
        Postpone::then_refuse(
            format!("user {user_id} to be registered"),
            Refusal::new("user-unknown", format!("There is no user {user_id}.")),
        )
        .into()
    })
}

fn closed(problem: &'static str, user_id: UserId) -> Refusal {
    Refusal::new(problem, format!("The account of user {user_id} is closed."))
}
