//! A gateway without money: the payment method decides what it answers, so that every path can be walked on purpose.

use millrace_contracts::DeclineReason;
use millrace_runtime::EffectFailure;

use super::gateway::{Answer, Attempt, PaymentGateway, Reference, Reply};

/// `pm_flaky` fails this often before it captures.
const FLAKY_FAILURES: u32 = 2;

/// Answers by payment method and attempt alone, and remembers nothing: what it says is as true after a restart.
///
/// | method | answer |
/// |---|---|
/// | `pm_ok` | captured |
/// | `pm_declined` | declined, `card_declined` |
/// | `pm_insufficient_funds` | declined, `insufficient_funds` |
/// | `pm_timeout` | none, ever: the caller's deadline ends it |
/// | `pm_flaky` | fails on the first two attempts, then captured |
/// | any other | declined, `unknown_payment_method` |
#[derive(Debug, Clone, Copy, Default)]
pub struct SandboxGateway;

impl PaymentGateway for SandboxGateway {
    fn charge<'a>(&'a self, payment: &'a Attempt) -> Reply<'a> {
        Box::pin(async move {
            match payment.method.as_str() {
                "pm_ok" => Ok(captured(payment)),
                "pm_declined" => Ok(declined("card_declined")),
                "pm_insufficient_funds" => Ok(declined("insufficient_funds")),
                "pm_timeout" => std::future::pending().await,
                "pm_flaky" if payment.number <= FLAKY_FAILURES => Err(EffectFailure {
                    reason: format!("the sandbox fails attempt {} of pm_flaky", payment.number),
                    retry_after: None,
                }),
                "pm_flaky" => Ok(captured(payment)),
                _ => Ok(declined("unknown_payment_method")),
            }
        })
    }

    fn void<'a>(&'a self, _: &'a Attempt) -> Reply<'a> {
        Box::pin(async { Ok(Answer::Voided) })
    }

    fn refund<'a>(&'a self, _: &'a Attempt, _: &'a Reference) -> Reply<'a> {
        Box::pin(async { Ok(Answer::Refunded) })
    }
}

fn captured(payment: &Attempt) -> Answer {
    Answer::Captured(Reference(format!("sandbox_{}", payment.payment_id)))
}

fn declined(reason: &str) -> Answer {
    Answer::Declined(DeclineReason::parse(reason).expect("a valid reason"))
}
