//! A domain's calls to an outside system: made between batches, never inside a transaction or a rule.

use std::convert::Infallible;
use std::fmt::Debug;
use std::time::Duration;

use clap::Args;
use millrace_service::Fatal;

/// An outside system. The runtime bounds how many calls run at once and how long each may take.
pub trait Effects: Sized + Send + Sync + 'static {
    /// One call.
    type Call: Send + Sync;
    /// What the outside system answers.
    type Answer: Send + Sync;
    /// The settings, which the worker's own are extended by.
    type Settings: Args + Debug + Send;

    /// The outside system of these settings, and how calls to it are bounded.
    ///
    /// # Errors
    ///
    /// Why a worker can't start with these settings.
    fn open(settings: &Self::Settings) -> Result<(Self, CallLimits), Fatal>;

    /// Makes one call. It may be made again after a crash, so it must carry a stable idempotency key.
    fn perform(&self, call: &Self::Call) -> impl Future<Output = Result<Self::Answer, EffectFailure>> + Send;
}

/// How outside calls are bounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallLimits {
    /// How long one call may take.
    pub deadline: Duration,
    /// How many run at once in a lane.
    pub concurrency: usize,
}

/// An outside call that brought no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct EffectFailure {
    /// What happened, as a sentence that may be shown to whoever posted the job.
    pub reason: String,
    /// How long the outside system asks to wait.
    pub retry_after: Option<Duration>,
}

/// For domains that call no outside system.
#[derive(Debug, Clone, Copy)]
pub struct NoEffects;

/// There are none.
#[derive(Debug, Clone, Copy, Args)]
pub struct NoSettings {}

impl Effects for NoEffects {
    type Call = Infallible;
    type Answer = Infallible;
    type Settings = NoSettings;

    fn open(_: &NoSettings) -> Result<(Self, CallLimits), Fatal> {
        Ok((Self, CallLimits { deadline: Duration::ZERO, concurrency: 1 }))
    }

    async fn perform(&self, call: &Infallible) -> Result<Infallible, EffectFailure> {
        match *call {}
    }
}
