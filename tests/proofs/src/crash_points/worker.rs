//! A worker's case: it dies of its point once or more, is started again, and finishes.

use millrace_testkit::world::World;

use crate::crash_points::arena::{Arena, STOPS_MAX, until};
use crate::crash_points::cases::{BATCH, Case, Deaths, HitBy, MESSAGES, Outcome, Point, Position};
use crate::crash_points::load::Load;
use crate::crash_points::post_mortem::{self, Evidence};
use crate::crash_points::program::{Armed, Yard};
use crate::crash_points::tally::Tally;

/// More than all of a case's messages together.
const PREFETCH: u64 = 64;
/// A message of which so many runs, counted from its first return, ended in a death is given up.
const RUNS_MAX: usize = 5;

struct Play<'a> {
    arena: &'a Arena,
    yard: &'a Yard,
    case: &'a Case,
    name: String,
    load: Load,
    tally: Tally,
}

/// Plays a case and looks at what is left; the errors are everything that is not as it should be.
pub async fn play(arena: &Arena, yard: &Yard, case: &Case) -> Result<Tally, Vec<String>> {
    let load = Load::prepare(arena, case).await;
    let mut play = Play { arena, yard, case, name: case.to_string(), load, tally: Tally::default() };
    if let Err(finding) = play.play_on().await {
        let left = post_mortem::left(arena).await;
        return Err(vec![finding, format!("ready messages then: {left:?}")]);
    }
    let (load, mut tally) = (play.load, play.tally);
    let evidence = Evidence::collect(arena, &load).await;
    let findings = post_mortem::examine(case, &load, &evidence);
    if !findings.is_empty() {
        return Err(findings);
    }
    tally.copies += evidence.copies();
    Ok(tally)
}

impl Play<'_> {
    async fn play_on(&mut self) -> Result<(), String> {
        if self.case.outcome == Outcome::Duplicate {
            self.publish_all().await;
            self.work_off().await?;
            // They are published once more for each copy.
            self.arena.take_all(self.load.stage.hearer).await;
        }
        self.die().await?;
        self.work_off().await?;
        if self.case.outcome == Outcome::Retry {
            self.try_again().await?;
        }
        Ok(())
    }

    async fn die(&mut self) -> Result<(), String> {
        let Case { point, position, deaths, .. } = *self.case;
        let mut deaths_left = match deaths {
            Deaths::Once => 1,
            Deaths::Twice => 2,
            Deaths::UntilGivenUp => 1 + RUNS_MAX,
        };
        if point.hit_by == HitBy::Suspect {
            self.publish_all().await;
            self.arena.bring_back(self.load.stage.handler).await?;
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
        let (arena, queue) = (self.arena, self.load.stage.handler);
        let [first, second] = [0, 1].map(|opener| self.load.openers[opener].clone());
        arena.publish(vec![first.outgoing()]).await;
        let death = format!("{name}:{}", before + hit);
        let program = self.start(batch, Some(&death))?;
        until("the first opener to be done", async || ended(&arena.world, queue, &[first.id.0]).await == 1)
            .await?;
        until("the whole prefetch", async || arena.has_prefetch(queue, PREFETCH).await).await?;
        let mut gate = arena.gate().await;
        arena.publish(vec![second.outgoing()]).await;
        gate.until_somebody_waits().await?;
        self.publish_all().await;
        until("all messages to be delivered", async || arena.queue(queue).await.0 == 0).await?;
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

    /// All that is left came back, and is worked in batches of one.
    async fn die_one_by_one(&mut self) -> Result<(), String> {
        let left = self.arena.queue(self.load.stage.handler).await.0;
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
        let returned = self.arena.left_behind(self.load.stage.handler).await?;
        self.tally.deaths += 1;
        self.tally.returned += returned;
        Ok(returned)
    }

    /// A worker that nobody kills takes all that there is, and stops when it is asked to.
    ///
    /// What is delivered to it while it stops it may give back: then another one goes on.
    async fn work_off(&mut self) -> Result<(), String> {
        let (arena, queue) = (self.arena, self.load.stage.handler);
        for _ in 0..STOPS_MAX {
            let program = self.start(MESSAGES, None)?;
            until("the queue to be worked off", async || {
                let (ready, subscriptions) = arena.queue(queue).await;
                ready == 0 && subscriptions > 0
            })
            .await?;
            program.stop().await?;
            let given_back = arena.left_behind(queue).await?;
            if given_back == 0 {
                return Ok(());
            }
            self.tally.given_back += given_back;
        }
        Err(format!("{STOPS_MAX} workers have stopped, and each has given messages back"))
    }

    /// What the messages wait for comes, and then they come back themselves.
    async fn try_again(&mut self) -> Result<(), String> {
        let (arena, stage) = (self.arena, self.load.stage);
        let held = arena.take_held().await;
        let ids: Vec<_> = self.load.messages.iter().map(|message| message.id.0).collect();
        let (findings, copies) = post_mortem::examine_retries(&self.load, &held);
        self.tally.copies += copies;
        if let Some(finding) = findings.into_iter().next() {
            return Err(finding);
        }
        if let Some(user) = self.load.awaited {
            arena.publish(vec![Load::news(user)]).await;
            self.work_off().await?;
        }
        arena.let_go(stage.rung, stage.handler, &held).await;
        let program = self.start(MESSAGES, None)?;
        until("every retry to succeed", async || ended(&arena.world, stage.handler, &ids).await == ids.len())
            .await?;
        until("every copy to have come back", async || self.on_the_ladder().await == 0).await?;
        program.stop().await?;
        // A copy that was being worked on may have gone up the ladder once more.
        until("the last copy to have come back", async || self.on_the_ladder().await == 0).await?;
        if arena.left_behind(stage.handler).await? > 0 { self.work_off().await } else { Ok(()) }
    }

    async fn on_the_ladder(&self) -> usize {
        let mut waiting = 0;
        for rung in self.arena.world.topology.queues.iter().filter(|queue| queue.starts_with("retry.")) {
            waiting += self.arena.queue(rung).await.0;
        }
        waiting
    }

    async fn publish_all(&self) {
        self.arena.publish(self.load.messages.iter().map(|message| message.outgoing()).collect()).await;
    }

    fn start(&self, batch: usize, death: Option<&str>) -> Result<Armed, String> {
        let mut environment = environment(self.arena, batch, PREFETCH);
        environment.push(("WORKER_LANES", "1".to_owned()));
        self.yard.start(self.load.stage.program, &self.name, &environment, death)
    }
}

/// What a worker of the arena is told.
pub fn environment(arena: &Arena, batch: usize, prefetch: u64) -> Vec<(&'static str, String)> {
    vec![
        ("AMQP_URL", arena.world.amqp_url.clone()),
        ("DATABASE_URL", arena.world.database_url.clone()),
        ("PROBES_LISTEN", "127.0.0.1:0".to_owned()),
        ("WORKER_BATCH_MAX", batch.to_string()),
        ("WORKER_PREFETCH", prefetch.to_string()),
    ]
}

/// How many of these messages have come to an end.
pub async fn ended(world: &World, handler: &str, ids: &[uuid::Uuid]) -> usize {
    let sql = "SELECT count(*) FROM ledger.entries \
               WHERE handler = $1 AND message_id = ANY ($2) AND status <> 'retrying'";
    let counted = sqlx::query_scalar::<_, i64>(sql).bind(handler).bind(ids).fetch_one(&world.database).await;
    usize::try_from(counted.expect("the database is up")).unwrap_or_default()
}
