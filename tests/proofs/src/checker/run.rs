//! A run from the first job to the verdict.

use std::io::{BufRead, Write};
use std::sync::Arc;
use std::time::Duration;

use millrace_testkit::journal;
use sqlx::PgPool;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::checker::follow::Follower;
use crate::checker::inject::Injector;
use crate::checker::judge::judge;
use crate::checker::options::{Endpoints, Options};
use crate::checker::quiet;
use crate::connections;
use crate::error::Error;
use crate::history::{self, History, Recorder};
use crate::load::{Load, Meters, Poster};

/// A client that waits this long does not know what became of its job.
const POST_DEADLINE: Duration = Duration::from_secs(5);

/// What whoever started this run has said so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    Nothing,
    Healed,
    Gone,
}

/// Whether the promise held.
pub async fn run(options: Options) -> Result<bool, Error> {
    if options.only_judge {
        return judge(&options, None).await;
    }
    std::fs::create_dir_all(&options.history).map_err(Error::file(&options.history))?;
    let database = connections::database(&options.endpoints.database_url)?;
    must_be_new(&database).await?;
    journal::install(&database).await.map_err(Error::doing("installing the journal"))?;

    let (told, mut listening) = watch::channel(Told::Nothing);
    let told = Arc::new(told);
    listen(Arc::clone(&told));
    let meters = Arc::new(Meters::default());
    let over = CancellationToken::new();
    let ticking = tokio::spawn(tick(Arc::clone(&meters), over.clone()));
    let worked = tokio::select! {
        worked = work(&options, database, Arc::clone(&meters), listening.clone()) => worked,
        _ = listening.wait_for(|told| *told == Told::Gone) => Err(Error::new("waiting for `healed`", "stdin was closed: whoever started this run is gone")),
    };
    over.cancel();
    // It can't fail, and nobody is interested if it did.
    let _ = ticking.await;
    let quiet = worked?;
    judge(&options, Some(quiet)).await
}

/// Posts and injects until all is sent and all is healed, and then waits until all is quiet.
async fn work(
    options: &Options,
    database: PgPool,
    meters: Arc<Meters>,
    mut listening: watch::Receiver<Told>,
) -> Result<quiet::Quiet, Error> {
    let path = options.history.join("history.jsonl");
    let (recorder, recording) = Recorder::create(&path)?;
    let (accepted, hear_of_accepted) = mpsc::unbounded_channel();
    let (ended, hear_of_ended) = mpsc::unbounded_channel();
    let injecting =
        tokio::spawn(Injector::new(options, recorder.clone(), hear_of_accepted, hear_of_ended).run());
    let mut follower = Follower::new(database, Arc::clone(&meters), ended);
    let Endpoints { apis, api_key, .. } = &options.endpoints;
    let poster = Poster::new(apis, api_key, POST_DEADLINE)?;
    let load = Arc::new(Load::new(&options.workload, poster, recorder, meters, accepted, listening.clone()));

    tokio::select! {
        () = Arc::clone(&load).post() => {}
        () = follower.follow() => {}
    }
    tell(r#"{"event":"sent-all"}"#);
    tokio::select! {
        () = load.pay_debts() => {}
        () = follower.follow() => {}
    }
    tokio::select! {
        _ = listening.wait_for(|told| *told == Told::Healed) => {}
        () = follower.follow() => {}
    }
    drop(load);
    // Fails only where it panicked, and then the history shows what was injected until then.
    let _ = injecting.await;
    recording.finish(&path)?;
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

/// On a thread of its own, as reading stdin can't be cut short.
fn listen(told: Arc<watch::Sender<Told>>) {
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            match line {
                Ok(line) if line.trim() == "healed" => {
                    told.send_replace(Told::Healed);
                    return;
                }
                Ok(_) => {}
                Err(_) => break,
            }
        }
        told.send_replace(Told::Gone);
    });
}

/// A line per second.
async fn tick(meters: Arc<Meters>, over: CancellationToken) {
    loop {
        tokio::select! {
            () = over.cancelled() => return tell(&meters.line().to_string()),
            () = tokio::time::sleep(Duration::from_secs(1)) => tell(&meters.line().to_string()),
        }
    }
}

/// For whoever started this run. If nobody reads it any more, stdin tells.
fn tell(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
