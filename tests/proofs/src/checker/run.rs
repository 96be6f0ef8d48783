//! A run from the first job to the verdict.

use std::sync::Arc;

use millrace_testkit::journal;
use sqlx::PgPool;
use tokio::sync::{mpsc, watch};
use tokio_util::task::AbortOnDropHandle;

use crate::checker::follow::Follower;
use crate::checker::inject::Injector;
use crate::checker::judge::judge;
use crate::checker::options::{Endpoints, Options};
use crate::checker::quiet::{self, Quiet};
use crate::checker::verdict::Verdict;
use crate::connections;
use crate::error::Error;
use crate::history::{self, History, Recorder};
use crate::load::{Counts, Load, Meters, POST_DEADLINE, Poster};

/// The checker at work, as long as it is not dropped.
#[derive(Debug)]
pub struct Checker {
    meters: Arc<Meters>,
    healed: watch::Sender<bool>,
    judging: AbortOnDropHandle<Result<Verdict, Error>>,
}

impl Checker {
    /// Begins to post. The database must be new.
    pub async fn start(options: Options) -> Result<Self, Error> {
        std::fs::create_dir_all(&options.history).map_err(Error::file(&options.history))?;
        let database = connections::database(&options.endpoints.database_url)?;
        must_be_new(&database).await?;
        journal::install(&database).await.map_err(Error::doing("installing the journal"))?;
        let (healed, until_healed) = watch::channel(false);
        let meters = Arc::new(Meters::default());
        let counting = Arc::clone(&meters);
        let judging = tokio::spawn(async move {
            let quiet = work(&options, database, counting, until_healed).await?;
            judge(&options, Some(quiet)).await
        });
        Ok(Self { meters, healed, judging: AbortOnDropHandle::new(judging) })
    }

    /// What it has counted so far.
    pub fn counts(&self) -> Counts {
        self.meters.counts()
    }

    /// Whether it has come to its end, which it must not before all is healed.
    pub fn has_ended(&self) -> bool {
        self.judging.is_finished()
    }

    /// Tells it that nothing is broken any more, and waits for its verdict.
    pub async fn verdict(&mut self) -> Result<Verdict, Error> {
        self.healed.send_replace(true);
        (&mut self.judging).await.map_err(Error::doing("checking"))?
    }
}

/// Posts and injects until all is sent and all is healed, and then waits until all is quiet.
async fn work(
    options: &Options,
    database: PgPool,
    meters: Arc<Meters>,
    mut healed: watch::Receiver<bool>,
) -> Result<Quiet, Error> {
    let path = options.history.join("history.jsonl");
    let recorder = Recorder::create(&path)?;
    let (accepted, hear_of_accepted) = mpsc::unbounded_channel();
    let (ended, hear_of_ended) = mpsc::unbounded_channel();
    let injecting =
        tokio::spawn(Injector::new(options, recorder.clone(), hear_of_accepted, hear_of_ended).run());
    let mut follower = Follower::new(database, Arc::clone(&meters), ended);
    let Endpoints { apis, api_key, .. } = &options.endpoints;
    let poster = Poster::new(apis, api_key, POST_DEADLINE)?;
    let load =
        Arc::new(Load::new(&options.workload, poster, recorder.clone(), meters, accepted, healed.clone()));

    let posting = async {
        Arc::clone(&load).post().await;
        load.pay_debts().await;
        // Fails only where nobody waits for the verdict any more, and then this is dropped.
        let _ = healed.wait_for(|healed| *healed).await;
    };
    tokio::select! {
        () = posting => {}
        () = follower.follow() => {}
    }
    drop(load);
    // Fails only where it panicked, and then the history shows what was injected until then.
    let _ = injecting.await;
    recorder.finish(&path)?;
    let history = History::of(history::read(&path)?);
    let accepted: Vec<_> = history.accepted().map(|(_, job)| job).collect();
    Ok(quiet::wait(options, &mut follower, &accepted).await)
}

async fn must_be_new(database: &PgPool) -> Result<(), Error> {
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM ledger.entries")
        .fetch_one(database)
        .await
        .map_err(Error::doing("looking into the ledger"))?;
    match rows {
        0 => Ok(()),
        _ => Err(Error::new(
            "the database is not new",
            format!("its ledger holds {rows} rows, which can't be told from phantoms"),
        )),
    }
}
