//! The outside system that payments calls: what a gateway must do, and the gateways there are.

mod sandbox;
mod settings;
mod stripe;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use millrace_runtime::{CallLimits, EffectFailure, Effects};
use millrace_service::Fatal;

use super::{Answer, Attempt, Call, Reference};
pub use sandbox::SandboxGateway;
pub use settings::{GatewaySettings, Kind};
pub use stripe::StripeGateway;

/// What a gateway says, or why it can't be asked now.
pub type Reply<'a> = BoxFuture<'a, Result<Answer, EffectFailure>>;

/// Takes money and pays it back.
///
/// The payment's id is the idempotency key of all three: an answer may be lost and the question asked again, by several
/// workers at once, and the money must still move once. An error says that the answer is not known.
pub trait PaymentGateway: Send + Sync + 'static {
    /// Takes the money: [`Answer::Captured`] or [`Answer::Declined`].
    fn charge<'a>(&'a self, payment: &'a Attempt) -> Reply<'a>;

    /// Makes sure that the money will not be taken any more, [`Answer::Voided`]; or says what an earlier charge came to.
    fn void<'a>(&'a self, payment: &'a Attempt) -> Reply<'a>;

    /// Pays back all of what was taken: [`Answer::Refunded`].
    fn refund<'a>(&'a self, payment: &'a Attempt, reference: &'a Reference) -> Reply<'a>;
}

/// The gateway of this process, chosen where the process is put together.
#[derive(Clone)]
pub struct Gateway(pub Arc<dyn PaymentGateway>);

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Gateway(…)")
    }
}

impl Effects for Gateway {
    type Call = Call;
    type Answer = Answer;
    type Settings = GatewaySettings;

    fn open(settings: &GatewaySettings) -> Result<(Self, CallLimits), Fatal> {
        let limits = CallLimits { deadline: settings.deadline, concurrency: settings.concurrency };
        Ok((settings.gateway()?, limits))
    }

    async fn perform(&self, call: &Call) -> Result<Answer, EffectFailure> {
        match call {
            Call::Charge(payment) => self.0.charge(payment).await,
            Call::Void(payment) => self.0.void(payment).await,
            Call::Refund(payment, reference) => self.0.refund(payment, reference).await,
        }
    }
}
