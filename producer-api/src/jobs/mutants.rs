//! A wrong way to publish a job. The chaos campaign runs it to prove that its checker notices accepted jobs that are lost.

use millrace_broker::{Outgoing, PublishError, Publisher};
use millrace_faults::{Mutant, mutated};

/// Publishes the job; returns before the broker has confirmed it if `MILLRACE_MUTANT` says so.
pub async fn publish(publisher: &Publisher, message: Outgoing) -> Result<(), PublishError> {
    if !mutated(Mutant::AcceptedBeforeConfirm) {
        return publisher.publish([message].into()).await;
    }
    let publisher = publisher.clone();
    tokio::spawn(async move { publisher.publish([message].into()).await });
    Ok(())
}
