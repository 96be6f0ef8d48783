//! The rules of auth: who may come in, with which password and which API keys, and what each message does about it.

use millrace_contracts::auth::{
    AccessRevoked, ApiKeyIssued, ApiKeyRevoked, IssueApiKey, NoteKeyUse, PasswordSet, RevokeApiKey,
    SetPassword,
};
use millrace_contracts::users::{Deactivated, Registered};
use millrace_contracts::{KeyHash, KeyId, KeyPrefix, PasswordHash, PersonName, Scope, UserId, auth, users};
use millrace_protocol::{ClientId, Contract, DomainName, Envelope, Unreadable, read};
use millrace_runtime::{Context, Decision, Domain, NoEffects, Postpone, Refusal, Rejection, Rows};
use serde_json::json;
use std::collections::BTreeMap;
use time::OffsetDateTime;

use super::Auth;

/// What auth handles.
#[derive(Debug, Clone)]
pub enum Message {
    SetPassword(SetPassword),
    IssueApiKey { key_id: KeyId, issue: IssueApiKey },
    RevokeApiKey(RevokeApiKey),
    NoteKeyUse(NoteKeyUse),
    UserRegistered(Registered),
    UserDeactivated(Deactivated),
}

/// What auth knows of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Account {
    Active {
        password_hash: Option<PasswordHash>,
    },
    /// For good, and without a password that could be tried.
    Revoked,
}

/// One API key of an upstream system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    pub client_id: ClientId,
    pub name: PersonName,
    pub scopes: Vec<Scope>,
    pub key_prefix: KeyPrefix,
    pub key_hash: KeyHash,
    pub expires_at: Option<OffsetDateTime>,
    pub last_used_at: Option<OffsetDateTime>,
    pub status: KeyStatus,
}

/// Whether a key is valid, apart from its expiry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyStatus {
    Active,
    /// For good.
    Revoked,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    pub accounts: Rows<UserId, Account>,
    pub api_keys: Rows<KeyId, ApiKey>,
}

#[derive(Debug)]
pub enum Change {
    Account(UserId, Account),
    ApiKey(KeyId, ApiKey),
}

impl millrace_runtime::Facts for Facts {
    type Change = Change;
    fn apply(&mut self, change: Change) {
        match change {
            Change::Account(user_id, account) => self.accounts.put(&user_id, account),
            Change::ApiKey(key_id, key) => self.api_keys.put(&key_id, key),
        }
    }
}

impl Domain for Auth {
    const NAME: DomainName = auth::DOMAIN;
    type Message = Message;
    type Facts = Facts;
    type Effects = NoEffects;

    fn read(envelope: &Envelope, body: &[u8]) -> Result<Message, Unreadable> {
        Ok(match envelope.message_type.as_str() {
            auth::SetPassword::TYPE => Message::SetPassword(read(envelope.version, body)?),
            auth::IssueApiKey::TYPE => {
                let issue: auth::IssueApiKey = read(envelope.version, body)?;
                let key_id = issue.key_id.unwrap_or(KeyId(envelope.job_id.0));
                Message::IssueApiKey { key_id, issue }
            }
            auth::RevokeApiKey::TYPE => Message::RevokeApiKey(read(envelope.version, body)?),
            auth::NoteKeyUse::TYPE => Message::NoteKeyUse(read(envelope.version, body)?),
            users::Registered::TYPE => Message::UserRegistered(read(envelope.version, body)?),
            users::Deactivated::TYPE => Message::UserDeactivated(read(envelope.version, body)?),
            other => return Err(Unreadable::UnknownType(other.to_owned())),
        })
    }

    fn declare(message: &Message, facts: &mut Facts) {
        match message {
            Message::SetPassword(command) => facts.accounts.declare(command.user_id),
            Message::IssueApiKey { key_id, .. } => facts.api_keys.declare(*key_id),
            Message::RevokeApiKey(command) => facts.api_keys.declare(command.key_id),
            Message::NoteKeyUse(note) => note.uses.iter().for_each(|one| facts.api_keys.declare(one.key_id)),
            Message::UserRegistered(user) => facts.accounts.declare(user.user_id),
            Message::UserDeactivated(user) => facts.accounts.declare(user.user_id),
        }
    }

    fn decide(
        facts: &Facts,
        message: &Message,
        context: &Context<'_>,
    ) -> Result<Decision<Change>, Rejection> {
        match message {
            Message::SetPassword(command) => set_password(facts, command),
            Message::IssueApiKey { key_id, issue: key } => issue(facts, *key_id, key, context.now),
            Message::RevokeApiKey(command) => revoke_key(facts, command.key_id),
            Message::NoteKeyUse(note) => Ok(note_use(facts, note)),
            Message::UserRegistered(user) => Ok(admit(facts, user.user_id)),
            Message::UserDeactivated(user) => Ok(revoke_access(facts, user.user_id)),
        }
    }
}

fn set_password(facts: &Facts, command: &SetPassword) -> Result<Decision<Change>, Rejection> {
    let SetPassword { user_id, password_hash } = command;
    match facts.accounts.get(user_id) {
        // The user may be registering at this moment.
        None => Err(Postpone::then_refuse(
            format!("user {user_id} to be registered"),
            Refusal::new("account-unknown", format!("There is no account of a user {user_id}.")),
        )
        .into()),
        Some(Account::Revoked) => {
            let sentence = format!("The account of user {user_id} is closed, so it can have no password.");
            Err(Refusal::new("account-revoked", sentence).into())
        }
        Some(Account::Active { .. }) => {
            let account = Account::Active { password_hash: Some(password_hash.clone()) };
            Ok(Decision::new(json!({"user_id": user_id}))
                .change(Change::Account(*user_id, account))
                .publish(&PasswordSet { user_id: *user_id }))
        }
    }
}

fn issue(
    facts: &Facts,
    key_id: KeyId,
    issue: &IssueApiKey,
    now: OffsetDateTime,
) -> Result<Decision<Change>, Rejection> {
    if facts.api_keys.get(&key_id).is_some() {
        return Err(Refusal::new("api-key-exists", format!("There is already an API key {key_id}.")).into());
    }
    if issue.expires_at.is_some_and(|expires_at| expires_at <= now) {
        let sentence = "The key would never work: the time at which it expires has passed.";
        return Err(Refusal::new("api-key-already-expired", sentence).into());
    }
    let IssueApiKey { client_id, name, scopes, expires_at, key_prefix, key_hash, .. } = issue.clone();
    let issued = ApiKeyIssued {
        key_id,
        client_id: client_id.clone(),
        key_prefix: key_prefix.clone(),
        scopes: scopes.clone(),
    };
    let (last_used_at, status) = (None, KeyStatus::Active);
    let key = ApiKey { client_id, name, scopes, key_prefix, key_hash, expires_at, last_used_at, status };
    Ok(Decision::new(json!(issued)).change(Change::ApiKey(key_id, key)).publish(&issued))
}

fn revoke_key(facts: &Facts, key_id: KeyId) -> Result<Decision<Change>, Rejection> {
    let Some(key) = facts.api_keys.get(&key_id) else {
        return Err(Postpone::then_refuse(
            format!("API key {key_id} to be issued"),
            Refusal::new("api-key-unknown", format!("There is no API key {key_id}.")),
        )
        .into());
    };
    if key.status == KeyStatus::Revoked {
        let sentence = format!("API key {key_id} is already revoked.");
        return Err(Refusal::new("api-key-already-revoked", sentence).into());
    }
    let revoked = ApiKey { status: KeyStatus::Revoked, ..key.clone() };
    Ok(Decision::new(json!({"key_id": key_id}))
        .change(Change::ApiKey(key_id, revoked))
        .publish(&ApiKeyRevoked { key_id }))
}

/// The latest use counts, in whatever order one hears of them. Keys that nobody knows (of another database, say) are passed
/// over: waiting for them would keep the others' news back.
fn note_use(facts: &Facts, note: &NoteKeyUse) -> Decision<Change> {
    let mut latest = BTreeMap::new();
    for one in &note.uses {
        let known = latest.entry(one.key_id).or_insert(one.used_at);
        *known = one.used_at.max(*known);
    }
    latest.into_iter().fold(Decision::new(json!({})), |decision, (key_id, used_at)| {
        match facts.api_keys.get(&key_id) {
            Some(key) if key.last_used_at < Some(used_at) => {
                let used = ApiKey { last_used_at: Some(used_at), ..key.clone() };
                decision.change(Change::ApiKey(key_id, used))
            }
            Some(_) | None => decision,
        }
    })
}

fn admit(facts: &Facts, user_id: UserId) -> Decision<Change> {
    let known = Decision::new(json!({"user_id": user_id}));
    match facts.accounts.get(&user_id) {
        None => known.change(Change::Account(user_id, Account::Active { password_hash: None })),
        // Heard after the account's end, or a second time: the end is final.
        Some(Account::Active { .. } | Account::Revoked) => known,
    }
}

fn revoke_access(facts: &Facts, user_id: UserId) -> Decision<Change> {
    let known = Decision::new(json!({"user_id": user_id}));
    match facts.accounts.get(&user_id) {
        Some(Account::Revoked) => known,
        None | Some(Account::Active { .. }) => {
            known.change(Change::Account(user_id, Account::Revoked)).publish(&AccessRevoked { user_id })
        }
    }
}
