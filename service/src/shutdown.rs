//! Stopping: the first SIGTERM or SIGINT asks for a graceful end, the second ends the process at once.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::process::Fatal;

/// 128 + the signal's number, as shells report a process that a signal ended.
const EXIT_SIGINT: i32 = 130;
const EXIT_SIGTERM: i32 = 143;

/// A token that is cancelled by the first signal. Needs a running Tokio runtime.
pub fn on_signals() -> Result<CancellationToken, Fatal> {
    let listen = |kind| {
        signal(kind).map_err(|error| {
            Fatal::because("Signals can't be listened to, so nothing could stop this", error)
        })
    };
    let mut terminate = listen(SignalKind::terminate())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    let stop = CancellationToken::new();
    let asked = stop.clone();
    tokio::spawn(async move {
        let (name, _) = next(&mut terminate, &mut interrupt).await;
        tracing::info!("{name}: finishing what is in flight; a second signal ends the process at once");
        asked.cancel();
        let (name, code) = next(&mut terminate, &mut interrupt).await;
        tracing::warn!("{name} again: ending at once; what was in flight will be done again");
        std::process::exit(code);
    });
    Ok(stop)
}

async fn next(terminate: &mut Signal, interrupt: &mut Signal) -> (&'static str, i32) {
    tokio::select! {
        _ = terminate.recv() => ("SIGTERM", EXIT_SIGTERM),
        _ = interrupt.recv() => ("SIGINT", EXIT_SIGINT),
    }
}
