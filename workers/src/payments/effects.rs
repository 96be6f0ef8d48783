//! The outside system that payments calls: the gateway that the settings name.

mod gateway;
mod sandbox;
mod settings;
mod stripe;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use millrace_runtime::{CallLimits, EffectFailure, Effects};
use millrace_service::Fatal;

pub use gateway::{Answer, Attempt, Call, PaymentGateway, Reference, Reply};
pub use sandbox::SandboxGateway;
pub use settings::{GatewaySettings, Kind};
pub use stripe::StripeGateway;

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
        Ok((Self(settings.gateway()?), limits))
    }

    async fn perform(&self, call: &Call) -> Result<Answer, EffectFailure> {
        match call {
            Call::Charge(payment) => self.0.charge(payment).await,
            Call::Void(payment) => self.0.void(payment).await,
            Call::Refund(payment, reference) => self.0.refund(payment, reference).await,
        }
    }
}
