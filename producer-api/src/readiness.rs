//! Keeps `/readyz` up to date: the connection to the broker reports by itself, the database is asked every two seconds.

use std::time::Duration;

use millrace_broker::ConnectionStatus;
use millrace_service::{Check, Readiness};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::ledger::Ledger;

/// Names of the checks in `/readyz`.
pub(crate) const BROKER: &str = "broker";
pub(crate) const DATABASE: &str = "database";

const CHECK_EVERY: Duration = Duration::from_secs(2);
/// After this time without an answer, the database no longer counts as ready.
const READY_FOR: Duration = Duration::from_secs(6);

/// Follows the connection to the broker until it is gone or `stop` is cancelled.
pub(crate) async fn follow_broker(
    mut status: watch::Receiver<ConnectionStatus>,
    readiness: Readiness,
    stop: CancellationToken,
) {
    loop {
        let now = status.borrow_and_update().clone();
        readiness.set(BROKER, check(&now));
        if !matches!(stop.run_until_cancelled(status.changed()).await, Some(Ok(()))) {
            return;
        }
    }
}

fn check(status: &ConnectionStatus) -> Check {
    match status {
        ConnectionStatus::Up => Check::Ready,
        // The broker's own words may name users and vhosts; they are in the log.
        ConnectionStatus::Misconfigured(_) => Check::NotReady("the broker refuses the connection".to_owned()),
        other => Check::NotReady(other.to_string()),
    }
}

/// Asks the database every two seconds until `stop` is cancelled.
pub(crate) async fn follow_database(ledger: Ledger, readiness: Readiness, stop: CancellationToken) {
    loop {
        match ledger.is_migrated().await {
            Ok(true) => readiness.set_for(DATABASE, Check::Ready, READY_FOR),
            Ok(false) => {
                let reason = "the database is not migrated: run ops migrate";
                readiness.set(DATABASE, Check::NotReady(reason.to_owned()));
            }
            Err(error) => readiness.set(DATABASE, Check::NotReady(error.to_string())),
        }
        if stop.run_until_cancelled(tokio::time::sleep(CHECK_EVERY)).await.is_none() {
            return;
        }
    }
}
