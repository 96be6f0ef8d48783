//! Auth, given / when / then: single rules, the matrix of every state and message, and "a batch equals one by one".

use millrace_contracts::auth::{
    AccessRevoked, ApiKeyIssued, ApiKeyRevoked, IssueApiKey, KeyUse, NoteKeyUse, PasswordSet, RevokeApiKey,
    SetPassword,
};
use millrace_contracts::users::{Deactivated, Registered};
use millrace_contracts::{KeyHash, KeyId, PasswordHash, UserId};
use millrace_given::{
    self, Flow, Matrix, MemoryStore, NOW, Table, World, any_schedule, arrives, problem, published, row,
};
use millrace_protocol::Contract;
use proptest::prelude::*;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::Auth;
use super::rules::{Account, ApiKey, Facts, KeyStatus, Message};

impl MemoryStore for Facts {
    fn load(&mut self, stored: &Self) {
        self.accounts.load(&stored.accounts);
        self.api_keys.load(&stored.api_keys);
    }
    fn save(&self, stored: &mut Self) {
        self.accounts.save(&mut stored.accounts);
        self.api_keys.save(&mut stored.api_keys);
    }
}

fn user(number: u128) -> UserId {
    UserId(Uuid::from_u128(number))
}

fn key(number: u128) -> KeyId {
    KeyId(Uuid::from_u128(number))
}

fn hash(text: &str) -> PasswordHash {
    PasswordHash::parse(format!("$argon2id${text}")).unwrap()
}

fn set_password(user_id: UserId, password: &str) -> Message {
    arrives::<Auth, _>(1, &SetPassword { user_id, password_hash: hash(password) })
}

fn issue(key_id: KeyId) -> Message {
    let key_hash = KeyHash::parse(format!("beef{:060x}", key_id.0.as_u128())).unwrap();
    arrives::<Auth, _>(1, &IssueApiKey { key_id: Some(key_id), key_hash, ..IssueApiKey::example() })
}

fn revoke(key_id: KeyId) -> Message {
    arrives::<Auth, _>(1, &RevokeApiKey { key_id })
}

fn note_use(uses: &[(KeyId, OffsetDateTime)]) -> Message {
    let uses = uses.iter().map(|(key_id, used_at)| KeyUse { key_id: *key_id, used_at: *used_at }).collect();
    arrives::<Auth, _>(1, &NoteKeyUse { uses })
}

fn last_used_at(world: &World<Auth>, key_id: KeyId) -> Option<OffsetDateTime> {
    row(world.facts.api_keys.existing(), &key_id).unwrap().last_used_at
}

fn registered(user_id: UserId) -> Message {
    arrives::<Auth, _>(1, &Registered { user_id, ..Registered::example() })
}

fn deactivated(user_id: UserId) -> Message {
    arrives::<Auth, _>(1, &Deactivated { user_id })
}

fn after(messages: &[Message]) -> World<Auth> {
    let mut world = World::<Auth>::default();
    for message in messages {
        world.when(message.clone()).unwrap();
    }
    world
}

#[test]
fn a_registered_user_sets_a_password_and_another_one() {
    let mut world = after(&[registered(user(1))]);
    assert_eq!(published(&world.when(set_password(user(1), "one"))), [PasswordSet::TYPE]);
    assert_eq!(published(&world.when(set_password(user(1), "two"))), [PasswordSet::TYPE]);
    let expected = Account::Active { password_hash: Some(hash("two")) };
    assert_eq!(row(world.facts.accounts.existing(), &user(1)), Some(&expected));
}

#[test]
fn a_result_shows_no_hash() {
    let mut world = after(&[registered(user(1))]);
    let (result, drafts) = world.when(set_password(user(1), "one")).unwrap();
    assert!(!format!("{result}{drafts:?}").contains("argon2id"));
    let (result, drafts) = world.when(issue(key(1))).unwrap();
    assert!(!format!("{result}{drafts:?}").contains("beef"));
}

#[test]
fn a_closed_account_loses_its_password_and_stays_closed() {
    let mut world = after(&[registered(user(1)), set_password(user(1), "one")]);
    assert_eq!(published(&world.when(deactivated(user(1)))), [AccessRevoked::TYPE]);
    assert_eq!(row(world.facts.accounts.existing(), &user(1)), Some(&Account::Revoked));
    assert_eq!(problem(&world.when(set_password(user(1), "two"))), "account-revoked");
}

#[test]
fn the_end_of_an_account_may_be_heard_before_its_beginning() {
    let mut world = after(&[]);
    assert_eq!(published(&world.when(deactivated(user(1)))), [AccessRevoked::TYPE]);
    assert_eq!(published(&world.when(registered(user(1)))), [""; 0]);
    assert_eq!(published(&world.when(deactivated(user(1)))), [""; 0]);
    assert_eq!(row(world.facts.accounts.existing(), &user(1)), Some(&Account::Revoked));
}

#[test]
fn a_key_is_issued_and_revoked_once() {
    let mut world = after(&[]);
    assert_eq!(published(&world.when(issue(key(1)))), [ApiKeyIssued::TYPE]);
    assert_eq!(problem(&world.when(issue(key(1)))), "api-key-exists");
    assert_eq!(published(&world.when(revoke(key(1)))), [ApiKeyRevoked::TYPE]);
    assert_eq!(problem(&world.when(revoke(key(1)))), "api-key-already-revoked");
    assert_eq!(problem(&world.when(issue(key(1)))), "api-key-exists");
}

#[test]
fn a_key_without_an_id_takes_the_id_of_its_job() {
    let mut world = after(&[]);
    world.when(arrives::<Auth, _>(7, &IssueApiKey { key_id: None, ..IssueApiKey::example() })).unwrap();
    let job = millrace_given::envelope::<IssueApiKey>(7).job_id;
    assert!(row(world.facts.api_keys.existing(), &KeyId(job.0)).is_some());
}

#[test]
fn a_key_that_would_never_work_is_not_issued() {
    let expiring = |expires_at| IssueApiKey { expires_at, ..IssueApiKey::example() };
    for (expires_at, issued) in [
        (Some(NOW), false),
        (Some(NOW - Duration::DAY), false),
        (Some(NOW + Duration::SECOND), true),
        (None, true),
    ] {
        let verdict = after(&[]).when(arrives::<Auth, _>(1, &expiring(expires_at)));
        assert_eq!(verdict.is_ok(), issued, "{expires_at:?}: {verdict:?}");
    }
}

#[test]
fn the_latest_use_of_a_key_counts_in_whatever_order_it_is_heard_of() {
    let mut world = after(&[issue(key(1)), issue(key(2)), issue(key(3))]);
    assert_eq!(last_used_at(&world, key(1)), None);
    let (earlier, later) = (NOW - Duration::HOUR, NOW + Duration::MINUTE);
    let news = [(key(1), NOW), (key(2), NOW), (key(1), later), (key(9), NOW), (key(1), earlier)];
    let (result, drafts) = world.when(note_use(&news)).unwrap();
    assert_eq!((result, drafts.len()), (serde_json::json!({}), 0));
    assert_eq!(last_used_at(&world, key(1)), Some(later));
    assert_eq!(last_used_at(&world, key(2)), Some(NOW));
    assert_eq!(last_used_at(&world, key(3)), None);
    assert_eq!(row(world.facts.api_keys.existing(), &key(9)), None);
    world.when(note_use(&[(key(1), earlier)])).unwrap();
    assert_eq!(last_used_at(&world, key(1)), Some(later));
    world.when(revoke(key(1))).unwrap();
    assert_eq!(last_used_at(&world, key(1)), Some(later));
}

/// The specification: every state, every message, what becomes of it.
#[test]
fn matrix() {
    let (active, with_password) = (registered(user(1)), set_password(user(1), "old"));
    let accounts = [
        ("no account", after(&[])),
        ("active, no password", after(std::slice::from_ref(&active))),
        ("active, password", after(&[active, with_password])),
        ("revoked", after(&[deactivated(user(1))])),
    ];
    let keys = [
        ("no key", after(&[])),
        ("active key", after(&[issue(key(1))])),
        ("active key, used", after(&[issue(key(1)), note_use(&[(key(1), NOW)])])),
        ("revoked key", after(&[issue(key(1)), revoke(key(1))])),
    ];
    let about_accounts = [
        (SetPassword::TYPE, set_password(user(1), "new")),
        (Registered::TYPE, registered(user(1))),
        (Deactivated::TYPE, deactivated(user(1))),
    ];
    let expired = IssueApiKey { expires_at: Some(NOW), ..IssueApiKey::example() };
    let about_keys = [
        (IssueApiKey::TYPE, issue(key(1))),
        (
            "auth.issue-api-key (expired)",
            arrives::<Auth, _>(1, &IssueApiKey { key_id: Some(key(1)), ..expired }),
        ),
        (RevokeApiKey::TYPE, revoke(key(1))),
        (NoteKeyUse::TYPE, note_use(&[(key(1), NOW + Duration::MINUTE)])),
        ("auth.note-key-use (earlier)", note_use(&[(key(1), NOW - Duration::MINUTE)])),
    ];
    let mut matrix = Matrix::default();
    for (worlds, messages) in [(&accounts[..], &about_accounts[..]), (&keys[..], &about_keys[..])] {
        for (name, message) in messages {
            for (before, world) in worlds {
                let world = world.clone();
                matrix.line([name, "", before], world, (message.clone(), None), describe);
            }
        }
    }
    insta::assert_snapshot!(matrix.render("", "any"));
}

fn describe(facts: &Facts) -> String {
    let account = row(facts.accounts.existing(), &user(1)).map(|account| match account {
        Account::Active { password_hash: None } => "active, no password",
        Account::Active { password_hash: Some(set) } if *set == hash("old") => "active, password",
        Account::Active { .. } => "active, new password",
        Account::Revoked => "revoked",
    });
    let later = Some(NOW + Duration::MINUTE);
    let api_key =
        row(facts.api_keys.existing(), &key(1)).map(|key: &ApiKey| match (key.status, key.last_used_at) {
            (KeyStatus::Active, None) => "active key",
            (KeyStatus::Active, used) if used == later => "active key, used later",
            (KeyStatus::Active, Some(_)) => "active key, used",
            (KeyStatus::Revoked, None) => "revoked key",
            (KeyStatus::Revoked, Some(_)) => "revoked key, used",
        });
    account.into_iter().chain(api_key).collect::<Vec<_>>().join(" and ")
}

proptest! {
    /// Loading, deciding and saving a batch at once is the same as message by message, wherever it is cut.
    #[test]
    fn a_batch_equals_one_by_one(
        picks in proptest::collection::vec((0..6usize, 1..4u128), 1..40),
        cuts in millrace_given::any_cuts(),
    ) {
        let pick = |(position, (kind, number)): (usize, &(usize, u128))| {
            (match kind {
                0 => set_password(user(*number), &format!("password{position}")),
                1 => issue(key(*number)),
                2 => revoke(key(*number)),
                3 => registered(user(*number)),
                4 => {
                    // Neither in the order of time, nor one key at a time.
                    let used_at = NOW + Duration::seconds((position * 7 % 11) as i64);
                    note_use(&[(key(*number), used_at), (key(2), NOW), (key(*number), used_at - Duration::SECOND)])
                }
                _ => deactivated(user(*number)),
            }, None)
        };
        let arrivals: Vec<_> = picks.iter().enumerate().map(pick).collect();
        millrace_given::a_batch_equals_one_by_one::<Auth>(&arrivals, &cuts)?;
    }

    /// Events and commands come in any order and more than once: a closed account stays closed, a revoked key revoked, and
    /// the latest use counts.
    #[test]
    fn any_order_and_repetition_ends_the_same(schedule in any_schedule()) {
        let registered = Registered { user_id: user(1), ..Registered::example() };
        let set_password = SetPassword { user_id: user(1), ..SetPassword::example() };
        let deactivated = Deactivated { user_id: user(1) };
        let begun = || Flow::<Auth>::default().then(&registered).then(&set_password);
        begun().ends_the_same(&schedule)?;
        begun().then(&deactivated).ends_the_same(&schedule)?;
        let issued = || Flow::<Auth>::default().then(&IssueApiKey { key_id: Some(key(1)), ..IssueApiKey::example() });
        issued().then(&RevokeApiKey { key_id: key(1) }).ends_the_same(&schedule)?;
        // A key can be used only once it is issued; its uses are reported in any order.
        let mut world = World::<Auth>::default();
        world.when(arrives::<Auth, _>(1, &IssueApiKey { key_id: Some(key(1)), ..IssueApiKey::example() })).unwrap();
        let used = |minute| NoteKeyUse { uses: vec![KeyUse { key_id: key(1), used_at: NOW + Duration::minutes(minute) }] };
        Flow::given(world).then(&used(1)).then(&used(3)).then(&used(2)).ends_the_same(&schedule)?;
    }
}
