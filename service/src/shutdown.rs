//! Signals: the first SIGTERM or SIGINT starts a graceful stop, the second ends the process at once.

use millrace_faults::{Task, task};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::fatal::Fatal;

/// 128 plus the signal's number, as shells report a process that a signal has ended.
const EXIT_SIGINT: i32 = 130;
const EXIT_SIGTERM: i32 = 143;

/// A token that the first signal cancels. Needs a running Tokio runtime.
pub fn on_signals() -> Result<CancellationToken, Fatal> {
    let listen = |kind| {
        signal(kind).map_err(|error| {
            Fatal::because("The handler of SIGTERM and SIGINT could not be installed", error)
        })
    };
    let mut terminate = listen(SignalKind::terminate())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    let stop = CancellationToken::new();
    let asked = stop.clone();
    tokio::spawn(task(Task::Signals, async move {
        let (name, _) = next(&mut terminate, &mut interrupt).await;
        tracing::info!("{name}: finishing what is in flight; a second signal ends the process at once");
        asked.cancel();
        let (name, code) = next(&mut terminate, &mut interrupt).await;
        tracing::warn!("{name} again: ending at once; unfinished work will be done again");
        std::process::exit(code);
    }));
    Ok(stop)
}

async fn next(terminate: &mut Signal, interrupt: &mut Signal) -> (&'static str, i32) {
    tokio::select! {
        _ = terminate.recv() => ("SIGTERM", EXIT_SIGTERM),
        _ = interrupt.recv() => ("SIGINT", EXIT_SIGINT),
    }
}
