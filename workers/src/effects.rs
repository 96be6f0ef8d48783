//! What a domain's calls to outside systems are: made between batches, never inside a transaction or a rule.

use std::convert::Infallible;
use std::time::Duration;

use crate::domain::Domain;

/// Makes a domain's outside calls. The runtime bounds how many run at once and how long each may take.
pub trait Effects<D: Domain>: Send + Sync + 'static {
    /// Makes one call. It may be made again after a crash, so it must carry a stable idempotency key.
    fn perform(&self, call: &D::Call) -> impl Future<Output = Result<D::Answer, EffectFailure>> + Send;
}

/// An outside call that brought no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct EffectFailure {
    /// What happened, as a sentence that may be shown to whoever posted the job.
    pub reason: String,
    /// How long the outside system asks us to wait.
    pub retry_after: Option<Duration>,
}

/// For domains that call nobody.
#[derive(Debug, Clone, Copy)]
pub struct NoEffects;

impl<D: Domain<Call = Infallible>> Effects<D> for NoEffects {
    async fn perform(&self, call: &Infallible) -> Result<D::Answer, EffectFailure> {
        match *call {}
    }
}
