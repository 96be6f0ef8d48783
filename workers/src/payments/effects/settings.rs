//! Which gateway payments calls, and how its calls are bounded.

use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use millrace_service::settings::{count, millis};
use millrace_service::{Fatal, Secret};
use url::Url;

use super::gateway::PaymentGateway;
use super::sandbox::SandboxGateway;
use super::stripe::StripeGateway;

/// Which gateway is called, and how its calls are bounded.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Payment gateway")]
pub struct GatewaySettings {
    /// Who takes the money. The sandbox moves none and decides by the payment method: pm_ok, pm_declined,
    /// pm_insufficient_funds, pm_timeout (never answers), pm_flaky (answers at the third attempt)
    #[arg(long = "payment-gateway", env = "PAYMENT_GATEWAY", value_enum, default_value_t = Kind::Sandbox)]
    pub kind: Kind,
    /// Stripe's secret key, with PAYMENT_GATEWAY=stripe
    #[arg(long, env = "STRIPE_SECRET_KEY", value_name = "TEXT", hide_env_values = true,
        required_if_eq("kind", "stripe"), value_parser = secret)]
    pub stripe_secret_key: Option<Secret>,
    /// Address of Stripe's API
    #[arg(long, env = "STRIPE_API_URL", value_name = "URL", default_value = "https://api.stripe.com")]
    pub stripe_api_url: Url,
    /// How long one call may take, in milliseconds (100 to 60000); then the message is tried again later
    #[arg(long = "gateway-deadline-ms", env = "GATEWAY_DEADLINE_MS", value_name = "MILLISECONDS",
        default_value = "5000", value_parser = millis::<100, 60_000>)]
    pub deadline: Duration,
    /// How many calls each lane makes at once (1 to 1024)
    #[arg(long = "gateway-concurrency", env = "GATEWAY_CONCURRENCY", value_name = "COUNT",
        default_value = "64", value_parser = count::<1, 1024>)]
    pub concurrency: usize,
}

/// The gateways there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Moves no money.
    Sandbox,
    /// Stripe's PaymentIntents.
    Stripe,
}

impl GatewaySettings {
    /// The gateway that these settings name.
    pub fn gateway(&self) -> Result<Arc<dyn PaymentGateway>, Fatal> {
        match (self.kind, &self.stripe_secret_key) {
            (Kind::Sandbox, _) => Ok(Arc::new(SandboxGateway)),
            (Kind::Stripe, Some(key)) => {
                let stripe = StripeGateway::new(&self.stripe_api_url, key);
                let unusable = |error| format!("The payment gateway can't be used: {error}");
                Ok(Arc::new(stripe.map_err(|error| Fatal::Misconfigured(unusable(error)))?))
            }
            (Kind::Stripe, None) => {
                Err(Fatal::Misconfigured("PAYMENT_GATEWAY=stripe needs STRIPE_SECRET_KEY".to_owned()))
            }
        }
    }
}

/// Never fails: an unusable key is found out when the gateway is made, with a sentence that doesn't repeat it.
fn secret(text: &str) -> Result<Secret, std::convert::Infallible> {
    Ok(Secret::new(text))
}
