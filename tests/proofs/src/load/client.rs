//! The client model: users and orders as the client knows them from the answers it got.

use std::collections::HashSet;
use std::time::Instant;

use serde_json::json;
use uuid::Uuid;

use super::jobs::{self, About, Job};
use crate::history::Answer;
use millrace_testkit::random::Random;

/// How many orders come for each user.
const ORDERS_PER_USER: u64 = 25;
const STARTERS_MAX: u64 = 1500;
/// How often an order that was not answered with 202 is posted again, with the same id.
const REPEATS_UNANSWERED: f64 = 0.4;
/// How often an order that was answered with 202 is posted again all the same.
const REPEATS_ANSWERED: f64 = 0.01;

/// The client's own books.
#[derive(Debug, Default)]
pub struct ClientModel {
    /// How many users are registered before anything else.
    starters: u64,
    composed: u64,
    users: Vec<User>,
    /// Those that orders may be placed for, as positions.
    known: Vec<usize>,
    /// Those whose addresses others want, too. Nobody relies on them, as either of two may get the address.
    contested: Vec<usize>,
    orders: Vec<Order>,
    /// Those that were taken and may be cancelled, as positions.
    cancellable: Vec<usize>,
    /// Those whose accounts are being closed.
    left: HashSet<Uuid>,
    owed: Vec<Owed>,
}

#[derive(Debug)]
struct User {
    id: Uuid,
    email: String,
    /// Orders rely on them, so their registration is posted until it is taken.
    needed: bool,
}

#[derive(Debug)]
struct Order {
    id: Uuid,
    user: Uuid,
}

/// A job that is still to be posted.
#[derive(Debug)]
struct Owed {
    due: Instant,
    job: Job,
}

impl ClientModel {
    pub fn new(jobs: u64) -> Self {
        Self { starters: (jobs / ORDERS_PER_USER).clamp(3, STARTERS_MAX), ..Self::default() }
    }

    /// The next job.
    pub fn compose(&mut self, random: &mut Random, now: Instant) -> Job {
        if let Some(job) = self.owed(now) {
            return job;
        }
        self.composed += 1;
        if self.composed <= self.starters || self.known.len() < 2 {
            return self.register(random);
        }
        match random.below(1000) {
            0..740 => {
                let user = self.someone(random);
                self.place(random, user)
            }
            740..840 => self.cancel(random),
            840..880 => self.register(random),
            880..920 => self.change_email(random),
            920..930 => self.deactivate(random),
            930..950 => self.collide(random),
            950..970 => self.overtake(random, now),
            970..990 => Job::new("auth.issue-api-key", jobs::api_key(random), About::Nobody),
            _ => {
                let (order, user) = (random.uuid(), self.someone(random));
                Job::new("orders.place", jobs::invalid(random, order, user), About::Nobody)
            }
        }
    }

    /// A job that is owed and whose time has come.
    pub fn owed(&mut self, now: Instant) -> Option<Job> {
        let position = self.owed.iter().position(|owed| owed.due <= now)?;
        Some(self.owed.swap_remove(position).job)
    }

    pub fn is_debtless(&self) -> bool {
        self.owed.is_empty()
    }

    /// Takes an answer into the books.
    pub fn learn(&mut self, job: Job, answer: &Answer, random: &mut Random, now: Instant) {
        let taken = matches!(answer, Answer::Accepted(_));
        match job.about {
            About::User(user) if taken => {
                if self.users[user].needed && !self.known.contains(&user) {
                    self.known.push(user);
                }
            }
            About::User(user) if self.users[user].needed => {
                self.owe(now + random.millis(200, 2000), job);
            }
            About::Order(order) => {
                // The order of somebody who leaves may be refused, and who cancels it would wait for it in vain.
                if taken && !self.left.contains(&self.orders[order].user) {
                    self.cancellable.push(order);
                }
                if random.chance(if taken { REPEATS_ANSWERED } else { REPEATS_UNANSWERED }) {
                    // A copy of an order that was taken is not taken into the books again.
                    let about = if taken { About::Nobody } else { job.about };
                    self.owe(now + random.millis(200, 8000), Job { about, ..job });
                }
            }
            About::User(_) | About::Nobody => {}
        }
    }

    fn owe(&mut self, due: Instant, job: Job) {
        self.owed.push(Owed { due, job });
    }

    fn someone(&self, random: &mut Random) -> Uuid {
        self.users[self.known[random.below(self.known.len())]].id
    }

    fn stranger(&mut self, random: &mut Random, needed: bool) -> usize {
        let id = random.uuid();
        self.users.push(User { id, email: format!("{}@example.com", id.simple()), needed });
        self.users.len() - 1
    }

    fn registration(&self, user: usize) -> Job {
        let User { id, email, .. } = &self.users[user];
        Job::new("users.register", jobs::register(*id, email), About::User(user))
    }

    fn register(&mut self, random: &mut Random) -> Job {
        let user = self.stranger(random, true);
        self.registration(user)
    }

    fn place(&mut self, random: &mut Random, user: Uuid) -> Job {
        let order = random.uuid();
        self.orders.push(Order { id: order, user });
        Job::new("orders.place", jobs::place(random, order, user), About::Order(self.orders.len() - 1))
    }

    /// Each order is cancelled once at most.
    fn cancel(&mut self, random: &mut Random) -> Job {
        if self.cancellable.is_empty() {
            let user = self.someone(random);
            return self.place(random, user);
        }
        let order = self.cancellable.swap_remove(random.below(self.cancellable.len()));
        Job::new("orders.cancel", json!({"order_id": self.orders[order].id}), About::Nobody)
    }

    fn change_email(&mut self, random: &mut Random) -> Job {
        let user = self.someone(random);
        let email = match self.wanted(random) {
            Some(email) if random.chance(0.2) => email,
            _ => format!("{}@example.com", random.uuid().simple()),
        };
        Job::new("users.change-email", json!({"user_id": user, "email": email}), About::Nobody)
    }

    fn deactivate(&mut self, random: &mut Random) -> Job {
        let position = self.known.swap_remove(random.below(self.known.len()));
        let user = self.users[position].id;
        self.left.insert(user);
        let Self { cancellable, orders, .. } = self;
        cancellable.retain(|order| orders[*order].user != user);
        Job::new("users.deactivate", json!({"user_id": user}), About::Nobody)
    }

    /// Somebody new, mostly with an address that somebody else wants, too.
    fn collide(&mut self, random: &mut Random) -> Job {
        let wanted = self.wanted(random);
        let user = self.stranger(random, false);
        if let Some(email) = wanted.filter(|_| random.chance(0.7)) {
            self.users[user].email = email;
        }
        self.contested.push(user);
        self.registration(user)
    }

    /// An address that is taken or will be, in another spelling.
    fn wanted(&self, random: &mut Random) -> Option<String> {
        let contested = self.contested.get(random.below(self.contested.len()))?;
        Some(self.users[*contested].email.to_uppercase())
    }

    /// An order that comes before its user.
    fn overtake(&mut self, random: &mut Random, now: Instant) -> Job {
        let user = self.stranger(random, true);
        let registration = self.registration(user);
        self.owe(now + random.millis(300, 2000), registration);
        let id = self.users[user].id;
        self.place(random, id)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::*;

    fn composed(seed: u64) -> Vec<Job> {
        let (mut client, now) = (ClientModel::new(2000), Instant::now());
        (0..2000)
            .map(|slot| {
                let mut random = Random::of(seed, "job", slot);
                let job = client.compose(&mut random, now);
                client.learn(job.clone(), &Answer::Accepted(Uuid::nil()), &mut random, now);
                job
            })
            .collect()
    }

    #[test]
    fn the_same_seed_composes_the_same_load() {
        let bodies = |seed| composed(seed).into_iter().map(|job| job.body).collect::<Vec<_>>();
        assert_eq!(bodies(1), bodies(1));
        assert_ne!(bodies(1), bodies(2));
    }

    #[test]
    fn every_command_occurs_and_orders_are_the_most() {
        let mut counts = BTreeMap::new();
        composed(1).iter().for_each(|job| *counts.entry(job.command).or_insert(0) += 1);
        assert_eq!(counts.len(), 6, "{counts:?}");
        assert!(counts["orders.place"] > 1000, "{counts:?}");
    }

    #[test]
    fn a_registration_that_orders_rely_on_is_posted_until_it_is_taken() {
        let (mut client, now) = (ClientModel::new(100), Instant::now());
        let mut random = Random::of(1, "job", 0);
        let job = client.compose(&mut random, now);
        client.learn(job.clone(), &Answer::Refused("503".to_owned()), &mut random, now);
        assert_eq!(client.owed(now + Duration::from_secs(60)).map(|owed| owed.body), Some(job.body));
    }
}
