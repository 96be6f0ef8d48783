//! A run from the first job to the verdict.

use std::io::{BufRead, Write};
use std::sync::Arc;
use std::time::Duration;

use millrace_testkit::journal;
use sqlx::PgPool;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::checker::evidence::Past;
use crate::checker::follow::Follower;
use crate::checker::history::{self, Recorder};
use crate::checker::inject::Injector;
use crate::checker::judge::judge;
use crate::checker::load::Load;
use crate::checker::meters::Meters;
use crate::checker::settings::Settings;
use crate::checker::trouble::Trouble;
use crate::checker::{places, quiet};

/// What whoever started this run has said so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    Nothing,
    Healed,
    Gone,
}

/// Whether the promise held.
pub async fn run(settings: Settings) -> Result<bool, Trouble> {
    if settings.only_judge {
        return judge(&settings, None).await;
    }
    std::fs::create_dir_all(&settings.history).map_err(Trouble::file(&settings.history))?;
    let database = places::database(&settings.database_url)?;
    must_be_new(&database).await?;
    journal::install(&database).await.map_err(Trouble::database("installing the journal"))?;

    let (told, mut listening) = watch::channel(Told::Nothing);
    let told = Arc::new(told);
    listen(Arc::clone(&told));
    let meters = Arc::new(Meters::default());
    let over = CancellationToken::new();
    let ticking = tokio::spawn(tick(Arc::clone(&meters), over.clone()));
    let worked = tokio::select! {
        worked = work(&settings, database, Arc::clone(&meters), listening.clone()) => worked,
        _ = listening.wait_for(|told| *told == Told::Gone) => Err(Trouble::Abandoned),
    };
    over.cancel();
    // It can't fail, and nobody is interested if it did.
    let _ = ticking.await;
    let quiet = worked?;
    judge(&settings, Some(quiet)).await
}

/// Posts and injects until all is sent and all is healed, and then waits until all is quiet.
async fn work(
    settings: &Settings,
    database: PgPool,
    meters: Arc<Meters>,
    mut listening: watch::Receiver<Told>,
) -> Result<quiet::Quiet, Trouble> {
    let path = settings.history.join("history.jsonl");
    let (recorder, recording) = Recorder::create(&path)?;
    let (taken, hear_of_taken) = mpsc::unbounded_channel();
    let (ended, hear_of_ended) = mpsc::unbounded_channel();
    let injecting =
        tokio::spawn(Injector::new(settings, recorder.clone(), hear_of_taken, hear_of_ended).run());
    let mut follower = Follower::new(database, Arc::clone(&meters), ended);
    let load = Arc::new(Load::new(settings, recorder, meters, taken, listening.clone())?);

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
    let past = Past::of(history::read(&path)?);
    let taken: Vec<_> = past.taken().map(|(_, job)| job).collect();
    Ok(quiet::wait(settings, &mut follower, &taken).await)
}

async fn must_be_new(database: &PgPool) -> Result<(), Trouble> {
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM ledger.entries")
        .fetch_one(database)
        .await
        .map_err(Trouble::database("looking into the ledger"))?;
    if rows == 0 { Ok(()) } else { Err(Trouble::NotNew { rows }) }
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
