//! P2: an attempt is used up only by what may rightly come too early or fail, never because something was down.

use std::collections::HashMap;

use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::Violation;
use crate::evidence::{Evidence, Note};
use crate::history::Submit;

/// Commands that may overtake what they need: whose row it is, and which field of the body names it.
const OVERTAKING: [(&str, &str, &str); 4] = [
    ("orders.place", "orders.customers", "user_id"),
    ("orders.cancel", "orders.orders", "order_id"),
    ("users.change-email", "users.users", "user_id"),
    ("users.deactivate", "users.users", "user_id"),
];
/// Messages between domains that may overtake each other, by who subscribes to them.
const PASSING: [(&str, &str); 4] = [
    ("payments.refunded", "orders"),
    ("orders.cancelled", "payments"),
    ("payments.charge", "payments"),
    ("payments.refund", "payments"),
];
/// A transaction that began before the row was committed may be this long; its deadline is 30 seconds.
const SLACK: Duration = Duration::seconds(35);
/// The sandbox gateway fails this payment method so often.
const FLAKY: (&str, i32) = ("pm_flaky", 2);

pub fn none_wasted(evidence: &Evidence) -> Vec<Violation> {
    let mut wasted = Violation::of(
        "P2",
        "an attempt failed that had no reason to: something that was down has used it up",
    );
    let retries = || evidence.notes.iter().filter(|note| note.status == "retrying");
    if retries().next().is_some() {
        let known = Known::of(evidence);
        for note in retries() {
            if let Err(why) = known.excuse(note) {
                wasted.seen(|| {
                    let (handler, id, kind) =
                        (note.handler, note.message_id, note.problem.unwrap_or("no reason"));
                    format!(
                        "{} {id} by {handler}, attempt {} ({kind}): {why}",
                        note.message_type, note.attempts
                    )
                });
            }
        }
    }
    vec![wasted]
}

struct Known<'a> {
    /// When each row was there first.
    since: HashMap<(&'a str, Uuid), OffsetDateTime>,
    origins: HashMap<Uuid, Option<&'a Submit>>,
    jobs: HashMap<Uuid, Uuid>,
    /// By order, as its first body says.
    methods: HashMap<Uuid, &'a str>,
}

impl<'a> Known<'a> {
    fn of(evidence: &'a Evidence) -> Self {
        let mut since = HashMap::new();
        for effect in &evidence.effects {
            if let Ok(key) = effect.key.parse() {
                since.entry((effect.place, key)).or_insert(effect.noted_at);
            }
        }
        let charges = evidence.ledger.iter().filter(|entry| entry.message_type == "payments.charge");
        Self {
            since,
            origins: evidence.origins(),
            jobs: charges.map(|entry| (entry.message_id, entry.job_id)).collect(),
            methods: evidence.payments.iter().map(|it| (it.order_id, it.payment_method.as_str())).collect(),
        }
    }

    fn excuse(&self, note: &Note) -> Result<(), &'static str> {
        match note.problem {
            Some("postponed") => self.came_early(note),
            Some("effect") => self.is_flaky(note),
            _ => Err("neither too early nor a failed call"),
        }
    }

    fn came_early(&self, note: &Note) -> Result<(), &'static str> {
        if PASSING.contains(&(note.message_type, note.handler)) {
            return Ok(());
        }
        let (_, place, field) = OVERTAKING
            .iter()
            .find(|(command, ..)| *command == note.message_type)
            .ok_or("a message of this type never comes too early")?;
        let needed =
            self.origins.get(&note.message_id).copied().flatten().and_then(|submit| submit.id_of(field));
        let needed = needed.ok_or("what it waits for is not known")?;
        match self.since.get(&(*place, needed)) {
            Some(since) if *since + SLACK < note.noted_at => Err("what it waits for had long been there"),
            _ => Ok(()),
        }
    }

    fn is_flaky(&self, note: &Note) -> Result<(), &'static str> {
        let submit = self.jobs.get(&note.message_id).and_then(|job| self.origins.get(job).copied().flatten());
        let method = submit.and_then(|submit| self.methods.get(&submit.id_of("order_id")?));
        match (note.message_type, method) {
            ("payments.charge", Some(method)) if *method == FLAKY.0 && note.attempts <= FLAKY.1 => Ok(()),
            _ => Err("the gateway does not fail this call"),
        }
    }
}
