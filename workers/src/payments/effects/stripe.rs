//! Stripe's PaymentIntents API: charges a payment method off session, calls a charge off, pays it back.
//!
//! Everything rests on idempotency keys (<https://docs.stripe.com/api/idempotent_requests>): the first request with a key
//! decides, the same request again gets the same answer (an error 500 too), and another request with that key is refused
//! with an `idempotency_error`. Stripe may forget a key after 24 hours, far longer than a charge is retried; whoever sends
//! a dead letter again later than that must look the payment up at Stripe first.

use std::time::Duration;

use millrace_contracts::{Currency, DeclineReason};
use millrace_runtime::EffectFailure;
use millrace_service::Secret;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode, redirect};
use serde::Deserialize;
use url::Url;
use url::form_urlencoded;

use super::gateway::{Answer, Attempt, PaymentGateway, Reference, Reply};

/// Where Stripe says something else than ISO 4217 about how many minor units make one, or both at once
/// (<https://docs.stripe.com/currencies#zero-decimal>, <https://docs.stripe.com/currencies#special-cases>): a charge could
/// be a hundred times what was ordered, so there is none.
const OTHER_MINOR_UNITS: [&str; 3] = ["ISK", "MGA", "UGX"];
/// Parameters that come from the order. An order that Stripe can't charge like this is declined; anything else that Stripe
/// doesn't understand is our mistake and no reason to turn a customer away.
const OF_THE_ORDER: [&str; 3] = ["amount", "currency", "payment_method"];

/// Stripe, by HTTP.
#[derive(Debug, Clone)]
pub struct StripeGateway {
    client: Client,
    payment_intents: Url,
    refunds: Url,
}

/// Why there is no gateway with these settings.
#[derive(Debug, thiserror::Error)]
pub enum StripeMisconfigured {
    /// Such as `https://api.stripe.com`.
    #[error(
        "the address of Stripe's API must be one that paths can be added to, such as https://api.stripe.com"
    )]
    Address,
    /// A key is made of plain characters.
    #[error("Stripe's secret key has characters that no key has")]
    Key,
    /// No TLS, say.
    #[error("the HTTP client can't be set up")]
    Client(#[source] reqwest::Error),
}

impl StripeGateway {
    /// A gateway that calls the API at this address (`https://api.stripe.com`) with this secret key.
    pub fn new(address: &Url, secret_key: &Secret) -> Result<Self, StripeMisconfigured> {
        let path = |path| address.join(path).map_err(|_| StripeMisconfigured::Address);
        let mut bearer = HeaderValue::from_str(&format!("Bearer {}", secret_key.expose()))
            .map_err(|_| StripeMisconfigured::Key)?;
        // Keeps it out of anything that prints headers.
        bearer.set_sensitive(true);
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .default_headers(HeaderMap::from_iter([(AUTHORIZATION, bearer)]))
            .redirect(redirect::Policy::none())
            .build()
            .map_err(StripeMisconfigured::Client)?;
        Ok(Self { client, payment_intents: path("/v1/payment_intents")?, refunds: path("/v1/refunds")? })
    }

    /// <https://docs.stripe.com/api/payment_intents/create>. Cards only, since other methods answer by webhook, days later.
    async fn create(&self, payment: &Attempt, confirm: bool) -> Result<Said, EffectFailure> {
        let amount = payment.amount.amount_minor.get().to_string();
        let currency = payment.amount.currency.as_str().to_ascii_lowercase();
        let (payment_id, order_id) = (payment.payment_id.to_string(), payment.order_id.to_string());
        let mut form = vec![
            ("amount", amount.as_str()),
            ("currency", &currency),
            ("payment_method", payment.method.as_str()),
            ("payment_method_types[]", "card"),
            ("metadata[payment_id]", &payment_id),
            ("metadata[order_id]", &order_id),
        ];
        if confirm {
            form.extend([("confirm", "true"), ("off_session", "true")]);
        }
        self.post(&self.payment_intents, &payment_id, &form).await
    }

    async fn post(&self, url: &Url, key: &str, form: &[(&str, &str)]) -> Result<Said, EffectFailure> {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = self
            .client
            .post(url.clone())
            .header("Idempotency-Key", key)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body);
        let unreachable = |_| failure("the payment gateway could not be reached");
        hear(request.send().await.map_err(unreachable)?).await
    }
}

impl PaymentGateway for StripeGateway {
    fn charge<'a>(&'a self, payment: &'a Attempt) -> Reply<'a> {
        Box::pin(async move {
            if has_other_minor_units(payment.amount.currency) {
                return Ok(declined("currency_not_supported"));
            }
            match self.create(payment, true).await? {
                Said::Done(intent) if intent.status == "succeeded" => {
                    Ok(Answer::Captured(Reference(intent.id)))
                }
                Said::Done(intent) => {
                    Err(failure(format!("the payment gateway left the payment {}", intent.status)))
                }
                Said::Refused(refusal) => refusal.as_decline(),
            }
        })
    }

    /// Takes the payment's idempotency key for an intent that nobody confirms. Where a charge was first, the key is taken,
    /// and the charge made again gets the answer that the first one got.
    fn void<'a>(&'a self, payment: &'a Attempt) -> Reply<'a> {
        Box::pin(async move {
            if has_other_minor_units(payment.amount.currency) {
                return Ok(Answer::Voided);
            }
            match self.create(payment, false).await? {
                Said::Done(_) => Ok(Answer::Voided),
                Said::Refused(refusal) if refusal.error.kind == "idempotency_error" => {
                    self.charge(payment).await
                }
                Said::Refused(refusal) => refusal.as_decline(),
            }
        })
    }

    /// <https://docs.stripe.com/api/refunds/create>. Without an amount, all of it.
    fn refund<'a>(&'a self, payment: &'a Attempt, reference: &'a Reference) -> Reply<'a> {
        Box::pin(async move {
            let key = format!("{}-refund", payment.payment_id);
            match self.post(&self.refunds, &key, &[("payment_intent", &reference.0)]).await? {
                // Pending: Stripe has taken it on, and the bank takes its time.
                Said::Done(refund) if ["succeeded", "pending"].contains(&refund.status.as_str()) => {
                    Ok(Answer::Refunded)
                }
                Said::Done(refund) => {
                    Err(failure(format!("the payment gateway left the refund {}", refund.status)))
                }
                // By an earlier attempt whose key is forgotten, or by hand: the money is back
                // (<https://docs.stripe.com/error-codes#charge-already-refunded>).
                Said::Refused(refusal)
                    if refusal.error.code.as_deref() == Some("charge_already_refunded") =>
                {
                    Ok(Answer::Refunded)
                }
                Said::Refused(refusal) => Err(refusal.as_failure()),
            }
        })
    }
}

/// What Stripe said, where it said something that asking again would not change.
#[derive(Debug)]
enum Said {
    Done(Object),
    Refused(Refused),
}

#[derive(Debug, Deserialize)]
struct Object {
    id: String,
    status: String,
}

#[derive(Debug)]
struct Refused {
    status: StatusCode,
    request: String,
    error: ApiError,
}

/// <https://docs.stripe.com/api/errors>
#[derive(Debug, Deserialize)]
struct ApiError {
    #[serde(rename = "type")]
    kind: String,
    code: Option<String>,
    decline_code: Option<String>,
    param: Option<String>,
}

#[derive(Debug, Deserialize)]
struct ErrorBody {
    error: ApiError,
}

/// Sorts an answer by its status (<https://docs.stripe.com/error-low-level>).
async fn hear(response: Response) -> Result<Said, EffectFailure> {
    let status = response.status();
    let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
    let request = header("request-id").unwrap_or("unknown").to_owned();
    let retry_after =
        header(RETRY_AFTER.as_str()).and_then(|text| text.parse().ok()).map(Duration::from_secs);
    let answered = |what: &str| EffectFailure {
        reason: format!("the payment gateway {what} ({}, request {request})", status.as_u16()),
        retry_after,
    };
    match status {
        // The payment's own earlier request is still running.
        StatusCode::CONFLICT => return Err(answered("is still busy with this payment")),
        StatusCode::TOO_MANY_REQUESTS => return Err(answered("has too much to do")),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => return Err(answered("does not accept our key")),
        status if status.is_server_error() => return Err(answered("failed")),
        _ => {}
    }
    let unreadable = answered("answered what can't be read");
    let body = response.bytes().await.map_err(|_| failure("the payment gateway broke off its answer"))?;
    if status.is_success() {
        return serde_json::from_slice(&body).map(Said::Done).map_err(|_| unreadable);
    }
    let ErrorBody { error } = serde_json::from_slice(&body).map_err(|_| unreadable)?;
    Ok(Said::Refused(Refused { status, request, error }))
}

impl Refused {
    /// A refused card, or an order that can't be charged like this, is an answer; anything else is a mistake of ours.
    fn as_decline(&self) -> Result<Answer, EffectFailure> {
        let ApiError { kind, code, decline_code, param } = &self.error;
        let of_the_order = param.as_deref().is_some_and(|param| OF_THE_ORDER.contains(&param));
        let unpayable = kind == "invalid_request_error" && of_the_order;
        if self.status != StatusCode::PAYMENT_REQUIRED && !unpayable {
            return Err(self.as_failure());
        }
        Ok(declined(decline_code.as_ref().or(code.as_ref()).map_or("", String::as_str)))
    }

    /// Without Stripe's own sentence, which may repeat what was sent.
    fn as_failure(&self) -> EffectFailure {
        let Self { status, request, error: ApiError { kind, code, .. } } = self;
        let (status, code) = (status.as_u16(), code.as_deref().unwrap_or("without code"));
        failure(format!(
            "the payment gateway refused our request ({status} {kind} {code}, request {request})"
        ))
    }
}

fn has_other_minor_units(currency: Currency) -> bool {
    OTHER_MINOR_UNITS.contains(&currency.as_str())
}

fn declined(reason: &str) -> Answer {
    let unnamed = || DeclineReason::parse("declined").expect("a valid reason");
    Answer::Declined(DeclineReason::parse(reason).unwrap_or_else(|_| unnamed()))
}

fn failure(reason: impl Into<String>) -> EffectFailure {
    EffectFailure { reason: reason.into(), retry_after: None }
}
