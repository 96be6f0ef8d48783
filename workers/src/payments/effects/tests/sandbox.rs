//! The gateway without money.

use std::sync::Arc;

use super::super::{Answer, Call, Gateway, Reference, SandboxGateway};
use super::attempt;
use futures_util::FutureExt;
use millrace_runtime::{EffectFailure, Effects};

async fn sandbox(call: Call) -> Result<Answer, EffectFailure> {
    Gateway(Arc::new(SandboxGateway)).perform(&call).await
}

#[tokio::test]
async fn the_sandbox_decides_by_payment_method() {
    let said = |answer| match answer {
        Ok(Answer::Captured(_)) => "captured".to_owned(),
        Ok(Answer::Declined(reason)) => reason.to_string(),
        other => format!("{other:?}"),
    };
    for (method, expected) in [
        ("pm_ok", "captured"),
        ("pm_declined", "card_declined"),
        ("pm_insufficient_funds", "insufficient_funds"),
        ("pm_something_else", "unknown_payment_method"),
    ] {
        assert_eq!(said(sandbox(Call::Charge(attempt(method, 1))).await), expected, "{method}");
    }
}

#[tokio::test]
async fn the_flaky_method_is_captured_at_the_third_attempt() {
    for (number, captured) in [(1, false), (2, false), (3, true), (4, true)] {
        let answer = sandbox(Call::Charge(attempt("pm_flaky", number))).await;
        assert_eq!(matches!(answer, Ok(Answer::Captured(_))), captured, "attempt {number}: {answer:?}");
    }
}

#[test]
fn the_silent_method_says_nothing() {
    assert_eq!(sandbox(Call::Charge(attempt("pm_timeout", 1))).now_or_never(), None);
}

#[tokio::test]
async fn the_sandbox_calls_off_and_pays_back() {
    assert_eq!(sandbox(Call::Void(attempt("pm_ok", 1))).await, Ok(Answer::Voided));
    let reference = Reference("sandbox_1".to_owned());
    assert_eq!(sandbox(Call::Refund(attempt("pm_ok", 1), reference)).await, Ok(Answer::Refunded));
}
