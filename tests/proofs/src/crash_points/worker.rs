//! A worker's case: it dies of its point once or more, is started again, and finishes.

use std::collections::BTreeSet;

use millrace_testkit::world::World;
use uuid::Uuid;

use crate::crash_points::cases::{BATCH, Case, Deaths, HitBy, MESSAGES, Outcome, Point, Position};
use crate::crash_points::judge;
use crate::crash_points::load::{CLIENT, Handler, Load};
use crate::crash_points::program::{Armed, Programs, work_off};
use crate::crash_points::stack::{Stack, until};
use crate::crash_points::tally::Tally;
use crate::evidence::Letter;

/// More than all of a case's messages together.
const PREFETCH: u64 = 64;
/// A message is given up once this many attempts, counted from its first return, have ended in a death.
const STARTS_MAX: usize = 5;

struct Run<'a> {
    stack: &'a Stack,
    programs: &'a Programs,
    case: &'a Case,
    name: String,
    load: Load,
    tally: Tally,
}

/// Runs a case and looks at what is left; the errors are everything that is not as it should be.
pub async fn run(stack: &Stack, programs: &Programs, case: &Case) -> Result<Tally, Vec<String>> {
    let load = Load::prepare(stack, case).await;
    stack.note_prepared().await;
    let mut run = Run { stack, programs, case, name: case.to_string(), load, tally: Tally::default() };
    if let Err(finding) = run.perform().await {
        let left = judge::queues(stack).await.into_iter().filter(|queue| queue.ready > 0);
        let left: Vec<_> = left.map(|queue| format!("{} {}", queue.name, queue.ready)).collect();
        return Err(vec![finding, format!("ready messages then: {}", left.join(", "))]);
    }
    run.judge().await
}

impl Run<'_> {
    async fn perform(&mut self) -> Result<(), String> {
        if self.case.outcome == Outcome::Duplicate {
            self.publish_all().await;
            self.work_off().await?;
            // They are published once more for each copy.
            self.stack.take_all(self.load.handler.subscriber.as_str()).await;
        }
        self.die().await?;
        self.work_off().await?;
        if self.case.outcome == Outcome::Retry {
            self.try_again().await?;
        }
        Ok(())
    }

    async fn judge(mut self) -> Result<Tally, Vec<String>> {
        let Handler { domain, subscriber, .. } = self.load.handler;
        let mut evidence = judge::collect(self.stack, domain, subscriber.as_str(), CLIENT).await;
        let given_up: BTreeSet<Uuid> = match self.case.deaths {
            Deaths::UntilGivenUp => evidence.letters.iter().filter_map(Letter::id).collect(),
            Deaths::Once | Deaths::Twice => BTreeSet::new(),
        };
        let expected = self.case.given_up();
        evidence.history = self.load.history(&given_up);
        let mut findings = self.load.findings(&given_up, &evidence);
        if !expected.contains(&given_up.len()) {
            findings.push(format!("{} messages were given up, expected {expected:?}", given_up.len()));
        }
        if !findings.is_empty() {
            return Err(findings);
        }
        self.tally.copies += judge::copies(evidence.waiting.iter().chain(&evidence.letters));
        Ok(self.tally)
    }

    async fn die(&mut self) -> Result<(), String> {
        let Case { point, position, deaths, .. } = *self.case;
        let mut deaths_left = match deaths {
            Deaths::Once => 1,
            Deaths::Twice => 2,
            Deaths::UntilGivenUp => 1 + STARTS_MAX,
        };
        if point.hit_by == HitBy::Redelivered {
            // Nothing has to be held up where everything has come back before the program starts.
            self.load.openers.clear();
            self.publish_all().await;
            self.stack.bring_back(self.load.handler.domain.as_str()).await?;
        } else {
            let by_batch = point.hit_by.is_per_batch();
            self.die_in_a_batch(position, if by_batch { BATCH } else { MESSAGES }).await?;
            deaths_left -= 1;
        }
        for _ in 0..deaths_left {
            self.die_one_by_one().await?;
        }
        Ok(())
    }

    /// Of the messages' own batches: the lane is held up by an opener until all of them are delivered.
    async fn die_in_a_batch(&mut self, position: Position, batch: usize) -> Result<(), String> {
        let Point { name, hit_by, acknowledged, .. } = self.case.point;
        let by_batch = batch < MESSAGES;
        let hit = position.of(if by_batch { MESSAGES / batch } else { MESSAGES });
        let before = match hit_by {
            // Openers are refused, which sends nothing out.
            HitBy::Sending | HitBy::SendingBatch => 0,
            _ => self.load.openers.len(),
        };
        let (stack, queue) = (self.stack, self.load.handler.domain.as_str());
        let [first, second] = [0, 1].map(|opener| self.load.openers[opener].clone());
        stack.publish(vec![first.outgoing()]).await;
        let death = format!("{name}:{}", before + hit);
        let program = self.start(batch, Some(&death))?;
        until("the first opener to be done", async || ended(&stack.world, queue, &[first.id.0]).await == 1)
            .await?;
        until("the whole prefetch", async || stack.has_prefetch(queue, PREFETCH).await).await?;
        let mut gate = stack.gate().await;
        stack.publish(vec![second.outgoing()]).await;
        gate.until_somebody_waits().await?;
        self.publish_all().await;
        until("all messages to be delivered", async || stack.queue(queue).await.0 == 0).await?;
        gate.open().await;
        program.death(&death).await?;
        let returned = self.returned().await?;
        let worked_before = if by_batch { (hit - 1) * batch } else { 0 };
        let aimed_at = MESSAGES - worked_before;
        let aimed = returned == aimed_at
            || (acknowledged && returned + batch == aimed_at)
            || (hit_by == HitBy::Message && returned == aimed_at + 1);
        self.tally.off_aim += usize::from(!aimed);
        Ok(())
    }

    /// All that is left came back, and is processed in batches of one.
    async fn die_one_by_one(&mut self) -> Result<(), String> {
        let left = self.stack.queue(self.load.handler.domain.as_str()).await.0;
        if left == 0 {
            return Err("nothing came back that could be died of".to_owned());
        }
        // An opener that came back, too, is refused already: nothing of it is decided or sent.
        let hits = match self.case.point.hit_by {
            HitBy::Decision | HitBy::Sending | HitBy::SendingBatch => left.min(MESSAGES),
            _ => left,
        };
        let position = match self.case.deaths {
            // By then all others are done, and it is the same one that comes back from here on.
            Deaths::UntilGivenUp => Position::Last,
            Deaths::Once | Deaths::Twice => self.case.position,
        };
        let death = format!("{}:{}", self.case.point.name, position.of(hits));
        self.start(1, Some(&death))?.death(&death).await?;
        self.returned().await.map(drop)
    }

    /// Waits until the broker has noticed the death, and counts what came back.
    async fn returned(&mut self) -> Result<usize, String> {
        let returned = self.stack.left_behind(self.load.handler.domain.as_str()).await?;
        self.tally.deaths += 1;
        self.tally.returned += returned;
        Ok(returned)
    }

    async fn work_off(&mut self) -> Result<(), String> {
        let queue = self.load.handler.domain.as_str();
        self.tally.given_back += work_off(self.stack, queue, || self.start(MESSAGES, None)).await?;
        Ok(())
    }

    /// What the messages wait for comes, and then they come back themselves.
    async fn try_again(&mut self) -> Result<(), String> {
        let (stack, handler) = (self.stack, self.load.handler);
        let held = stack.take_held().await;
        let ids: Vec<_> = self.load.messages.iter().map(|message| message.id.0).collect();
        let letters = judge::letters("held", &held);
        if let Some(finding) = self.load.examine_retries(&letters).into_iter().next() {
            return Err(finding);
        }
        self.tally.copies += judge::copies(letters.iter());
        if let Some(news) = &self.load.news {
            stack.publish(vec![news.outgoing()]).await;
            self.work_off().await?;
        }
        let domain = handler.domain.as_str();
        stack.let_go(handler.delay, domain, &held).await;
        let program = self.start(MESSAGES, None)?;
        until("every retry to succeed", async || ended(&stack.world, domain, &ids).await == ids.len())
            .await?;
        until("every copy to have come back", async || self.waiting_for_retry().await == 0).await?;
        program.stop().await?;
        // A copy that was being processed may wait once more.
        until("the last copy to have come back", async || self.waiting_for_retry().await == 0).await?;
        if stack.left_behind(domain).await? > 0 { self.work_off().await } else { Ok(()) }
    }

    async fn waiting_for_retry(&self) -> usize {
        let mut waiting = 0;
        for queue in self.stack.world.topology.queues.iter().filter(|queue| queue.starts_with("retry.")) {
            waiting += self.stack.queue(queue).await.0;
        }
        waiting
    }

    async fn publish_all(&self) {
        self.stack.publish(self.load.messages.iter().map(|message| message.outgoing()).collect()).await;
    }

    fn start(&self, batch: usize, death: Option<&str>) -> Result<Armed, String> {
        let mut environment = environment(self.stack, batch, PREFETCH);
        environment.push(("WORKER_LANES", "1".to_owned()));
        self.programs.start(&self.load.handler.program(), &self.name, &environment, death)
    }
}

/// What a worker of the stack is told.
pub fn environment(stack: &Stack, batch: usize, prefetch: u64) -> Vec<(&'static str, String)> {
    vec![
        ("AMQP_URL", stack.world.amqp_url.clone()),
        ("DATABASE_URL", stack.world.database_url.clone()),
        ("PROBES_LISTEN", "127.0.0.1:0".to_owned()),
        ("WORKER_BATCH_MAX", batch.to_string()),
        ("WORKER_PREFETCH", prefetch.to_string()),
    ]
}

/// How many of these messages have come to an end.
pub async fn ended(world: &World, handler: &str, ids: &[Uuid]) -> usize {
    let sql = "SELECT count(*) FROM ledger.entries \
               WHERE handler = $1 AND message_id = ANY ($2) AND status <> 'retrying'";
    let counted = sqlx::query_scalar::<_, i64>(sql).bind(handler).bind(ids).fetch_one(&world.database).await;
    usize::try_from(counted.expect("the database is up")).unwrap_or_default()
}
