//! Users, given / when / then: single rules, the matrix of every state and message, and "a batch equals one by one".

use millrace_contracts::users::{ChangeEmail, Deactivate, Deactivated, EmailChanged, Register, Registered};
use millrace_contracts::{Email, UserId};
use millrace_given::{
    self, Flow, Matrix, MemoryStore, Table, World, any_schedule, arrives, problem, published, row,
};
use millrace_protocol::Contract;
use proptest::prelude::*;
use uuid::Uuid;

use super::Users;
use super::rules::{Facts, Message, Status, User};

impl MemoryStore for Facts {
    fn load(&mut self, stored: &Self) {
        self.users.load(&stored.users);
        for (_, user) in self.users.existing() {
            self.claims.declare(user.email.folded());
        }
        self.claims.load(&stored.claims);
    }
    fn save(&self, stored: &mut Self) {
        self.users.save(&mut stored.users);
        self.claims.save(&mut stored.claims);
    }
}

fn user(number: u128) -> UserId {
    UserId(Uuid::from_u128(number))
}

fn email(text: &str) -> Email {
    Email::parse(text).unwrap()
}

fn register(user_id: UserId, address: &str) -> Message {
    let register = Register { user_id: Some(user_id), email: email(address), ..Register::example() };
    arrives::<Users, _>(1, &register)
}

fn change_email(user_id: UserId, address: &str) -> Message {
    arrives::<Users, _>(1, &ChangeEmail { user_id, email: email(address) })
}

fn deactivate(user_id: UserId) -> Message {
    arrives::<Users, _>(1, &Deactivate { user_id })
}

/// A world in which these users have registered with these addresses.
fn registered(users: &[(u128, &str)]) -> World<Users> {
    let mut world = World::<Users>::default();
    for (number, address) in users {
        world.when(register(user(*number), address)).unwrap();
    }
    world
}

fn holder(world: &World<Users>, address: &str) -> Option<UserId> {
    row(world.facts.claims.existing(), &address.to_owned()).copied()
}

#[test]
fn a_user_registers_and_holds_the_address() {
    let mut world = World::<Users>::default();
    let verdict = world.when(register(user(1), "Ada@Example.com"));
    assert_eq!(published(&verdict), [Registered::TYPE]);
    assert_eq!(holder(&world, "ada@example.com"), Some(user(1)));
    assert_eq!(row(world.facts.users.existing(), &user(1)).unwrap().email, email("Ada@Example.com"));
}

#[test]
fn a_user_without_an_id_takes_the_id_of_their_job() {
    let mut world = World::<Users>::default();
    let unnamed = Register { user_id: None, ..Register::example() };
    world.when(arrives::<Users, _>(7, &unnamed)).unwrap();
    let job = millrace_given::envelope::<Register>(7).job_id;
    assert!(row(world.facts.users.existing(), &UserId(job.0)).is_some());
}

#[test]
fn an_address_is_taken_whatever_its_case() {
    let mut world = registered(&[(1, "ada@example.com")]);
    assert_eq!(problem(&world.when(register(user(2), "ADA@example.COM"))), "email-taken");
    assert_eq!(problem(&world.when(register(user(1), "other@example.com"))), "user-exists");
}

#[test]
fn of_two_who_register_with_one_address_in_one_batch_the_first_gets_it() {
    let mut world = World::<Users>::default();
    let batch = [(register(user(1), "ada@example.com"), None), (register(user(2), "ada@example.com"), None)];
    let verdicts = world.handle(&batch);
    assert_eq!(published(&verdicts[0]), [Registered::TYPE]);
    assert_eq!(problem(&verdicts[1]), "email-taken");
}

#[test]
fn a_changed_address_sets_the_old_one_free() {
    let mut world = registered(&[(1, "ada@example.com")]);
    assert_eq!(published(&world.when(change_email(user(1), "byron@example.com"))), [EmailChanged::TYPE]);
    assert_eq!(holder(&world, "byron@example.com"), Some(user(1)));
    assert_eq!(published(&world.when(register(user(2), "ada@example.com"))), [Registered::TYPE]);
}

#[test]
fn two_users_swap_addresses_by_way_of_a_third_in_one_batch() {
    let mut world = registered(&[(1, "ada@example.com"), (2, "byron@example.com")]);
    let steps = [(1, "third@example.com"), (2, "ada@example.com"), (1, "byron@example.com")];
    let batch = steps.map(|(number, address)| (change_email(user(number), address), None));
    world
        .handle(&batch)
        .into_iter()
        .for_each(|verdict| assert_eq!(published(&verdict), [EmailChanged::TYPE]));
    assert_eq!(holder(&world, "ada@example.com"), Some(user(2)));
    assert_eq!(holder(&world, "byron@example.com"), Some(user(1)));
    assert_eq!(holder(&world, "third@example.com"), None);
}

#[test]
fn an_address_of_one_s_own_is_spelt_anew_or_left_alone() {
    let mut world = registered(&[(1, "ada@example.com")]);
    assert_eq!(published(&world.when(change_email(user(1), "Ada@example.com"))), [EmailChanged::TYPE]);
    assert_eq!(holder(&world, "ada@example.com"), Some(user(1)));
    assert_eq!(published(&world.when(change_email(user(1), "Ada@example.com"))), [""; 0]);
}

#[test]
fn a_closed_account_sets_its_address_free_and_stays_closed() {
    let mut world = registered(&[(1, "ada@example.com")]);
    assert_eq!(published(&world.when(deactivate(user(1)))), [Deactivated::TYPE]);
    assert_eq!(published(&world.when(register(user(2), "ada@example.com"))), [Registered::TYPE]);
    assert_eq!(problem(&world.when(deactivate(user(1)))), "user-already-deactivated");
    assert_eq!(problem(&world.when(change_email(user(1), "new@example.com"))), "user-deactivated");
    assert_eq!(holder(&world, "ada@example.com"), Some(user(2)));
}

/// The specification: every state, every message, what becomes of it. The messages speak of user 1 and ada@example.com.
#[test]
fn matrix() {
    let messages = [
        (Register::TYPE, register(user(1), "ada@example.com")),
        (ChangeEmail::TYPE, change_email(user(1), "ada@example.com")),
        (Deactivate::TYPE, deactivate(user(1))),
    ];
    let (active, closed) = (Some(Status::Active), Some(Status::Deactivated));
    let mut matrix = Matrix::default();
    for (name, message) in messages {
        for before in [None, active, closed] {
            for address in [Address::Free, Address::Taken, Address::OwnInOtherCase, Address::Own] {
                if before != active && matches!(address, Address::Own | Address::OwnInOtherCase) {
                    continue;
                }
                let columns = [name, address.words(), &describe(before)];
                matrix.line(columns, world(before, address), (message.clone(), None), |after| {
                    let status = row(after.users.existing(), &user(1)).map(|user| user.status);
                    format!("{}, holds {}", describe(status), held(after))
                });
            }
        }
    }
    insta::assert_snapshot!(matrix.render("any address", "any user"));
}

/// Whose the address is that a message speaks of.
#[derive(Clone, Copy)]
enum Address {
    Free,
    Taken,
    Own,
    OwnInOtherCase,
}

impl Address {
    fn words(self) -> &'static str {
        match self {
            Self::Free => "address is free",
            Self::Taken => "address is another user's",
            Self::Own => "address is the user's own",
            Self::OwnInOtherCase => "address is the user's own in other case",
        }
    }
}

fn world(status: Option<Status>, address: Address) -> World<Users> {
    let mut world = World::<Users>::default();
    let own = match address {
        Address::Free | Address::Taken => "old@example.com",
        Address::Own => "ada@example.com",
        Address::OwnInOtherCase => "Ada@example.com",
    };
    if let Some(status) = status {
        let user_row = User { email: email(own), name: Register::example().name, status };
        if status == Status::Active {
            world.facts.claims.fill(user_row.email.folded(), user(1), 1);
        }
        world.facts.users.fill(user(1), user_row, 1);
    }
    if matches!(address, Address::Taken) {
        world.facts.claims.fill("ada@example.com".to_owned(), user(2), 1);
    }
    world
}

fn describe(status: Option<Status>) -> String {
    status.map_or("no user".to_owned(), |status| format!("{status:?} user").to_lowercase())
}

fn held(facts: &Facts) -> String {
    let held = facts.claims.existing().filter(|(_, holder)| **holder == user(1));
    let held: Vec<_> = held.map(|(address, _)| address.as_str()).collect();
    if held.is_empty() { "no address".to_owned() } else { held.join(" and ") }
}

proptest! {
    /// Loading, deciding and saving a batch at once is the same as message by message, wherever it is cut.
    #[test]
    fn a_batch_equals_one_by_one(
        picks in proptest::collection::vec((0..3usize, 1..5u128, 0..5usize), 1..40),
        cuts in millrace_given::any_cuts(),
    ) {
        let addresses = ["a@example.com", "A@example.com", "b@example.com", "c@example.com", "C@EXAMPLE.com"];
        let pick = |(kind, number, address): &(usize, u128, usize)| {
            let (user_id, address) = (user(*number), addresses[*address]);
            (match kind {
                0 => register(user_id, address),
                1 => change_email(user_id, address),
                _ => deactivate(user_id),
            }, None)
        };
        millrace_given::a_batch_equals_one_by_one::<Users>(&picks.iter().map(pick).collect::<Vec<_>>(), &cuts)?;
    }

    /// Every open account holds exactly its own address, and nobody else holds any.
    #[test]
    fn addresses_belong_to_open_accounts(
        picks in proptest::collection::vec((0..4usize, 1..5u128, 0..3usize), 1..60),
    ) {
        let mut world = World::<Users>::default();
        for (kind, number, address) in picks {
            let (user_id, address) = (user(number), ["a@example.com", "B@example.com", "c@example.com"][address]);
            // Why a message was refused is no matter here.
            let _ = world.when(match kind {
                0 | 1 => register(user_id, address),
                2 => change_email(user_id, address),
                _ => deactivate(user_id),
            });
        }
        let open = world.facts.users.existing().filter(|(_, user)| user.status == Status::Active);
        let mut expected: Vec<_> = open.map(|(user_id, user)| (user.email.folded(), *user_id)).collect();
        expected.sort();
        let held: Vec<_> =
            world.facts.claims.existing().map(|(address, holder)| (address.clone(), *holder)).collect();
        prop_assert_eq!(held, expected);
    }

    /// Commands come in any order and more than once. What follows a closed account is refused, so its last address may
    /// differ; that nobody holds it any more may not.
    #[test]
    fn any_order_and_repetition_ends_the_same(schedule in any_schedule()) {
        let registered = || Flow::<Users>::default().then(&Register { user_id: Some(user(1)), ..Register::example() });
        let change = ChangeEmail { user_id: user(1), email: email("new@example.com") };
        let deactivate = Deactivate { user_id: user(1) };
        registered().then(&change).ends_the_same(&schedule)?;
        registered().then(&deactivate).ends_the_same(&schedule)?;
        registered().then(&change).then(&deactivate).agrees_about(&schedule, |facts: &Facts| {
            let statuses: Vec<Status> = facts.users.existing().map(|(_, user)| user.status).collect();
            (statuses, facts.claims.existing().count())
        })?;
    }
}
