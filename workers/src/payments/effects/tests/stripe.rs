//! Stripe's gateway against a small HTTP server that keeps idempotency keys as Stripe's documentation says.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use millrace_contracts::{Currency, MinorUnits, Money};
use millrace_service::Secret;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use url::{Url, form_urlencoded};

use super::super::{Answer, Attempt, PaymentGateway, Reference, StripeGateway};
use super::attempt;

const KEY: &str = "sk_test_never_shown";

/// One request as it came in.
#[derive(Debug, Clone, Default)]
struct Request {
    path: String,
    headers: BTreeMap<String, String>,
    body: String,
}

impl Request {
    fn field(&self, name: &str) -> Option<String> {
        form_urlencoded::parse(self.body.as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }
}

#[derive(Debug, Clone)]
struct Reply {
    status: u16,
    headers: &'static str,
    body: String,
}

fn reply(status: u16, body: &str) -> Reply {
    Reply { status, headers: "", body: body.to_owned() }
}

fn error(status: u16, kind: &str, rest: &str) -> Reply {
    reply(status, &format!(r#"{{"error":{{"type":"{kind}","message":"about {KEY}"{rest}}}}}"#))
}

/// The server: which answers it saved under which key, and every request it got.
#[derive(Debug, Default)]
struct FakeStripe {
    saved: BTreeMap<String, (String, Reply)>,
    requests: Vec<Request>,
    charged: u32,
    refunded: u32,
}

impl FakeStripe {
    fn answer(&mut self, request: &Request) -> Reply {
        self.requests.push(request.clone());
        let method = request.field("payment_method").unwrap_or_default();
        // What stands before the idempotency layer leaves no trace in it.
        match method.as_str() {
            "pm_busy" => return error(409, "invalid_request_error", r#","code":"idempotency_key_in_use""#),
            "pm_limited" => {
                return Reply { headers: "retry-after: 7\r\n", ..error(429, "rate_limit_error", "") };
            }
            "pm_forbidden" => return error(401, "authentication_error", ""),
            _ => {}
        }
        let key = request.headers["idempotency-key"].clone();
        match self.saved.get(&key) {
            Some((body, reply)) if *body == request.body => return reply.clone(),
            Some(_) => return error(400, "idempotency_error", ""),
            None => {}
        }
        let reply = match request.path.as_str() {
            "/v1/payment_intents" => self.create(&method, request.field("confirm").is_some()),
            "/v1/refunds" => self.refund(&request.field("payment_intent").unwrap()),
            _ => error(404, "invalid_request_error", ""),
        };
        self.saved.insert(key, (request.body.clone(), reply.clone()));
        reply
    }

    fn create(&mut self, method: &str, confirm: bool) -> Reply {
        let intent =
            |status| reply(200, &format!(r#"{{"id":"pi_1","object":"payment_intent","status":"{status}"}}"#));
        match method {
            "pm_missing" => {
                error(400, "invalid_request_error", r#","code":"resource_missing","param":"payment_method""#)
            }
            "pm_our_mistake" => {
                error(400, "invalid_request_error", r#","code":"parameter_unknown","param":"confirn""#)
            }
            "pm_broken" => error(500, "api_error", ""),
            "pm_garbage" => reply(200, "<html>"),
            "pm_empty_error" => reply(400, "{}"),
            _ if !confirm => intent("requires_confirmation"),
            "pm_slow" => intent("processing"),
            "pm_poor" => {
                error(402, "card_error", r#","code":"card_declined","decline_code":"insufficient_funds""#)
            }
            "pm_absent" => {
                error(402, "card_error", r#","code":"authentication_required","decline_code":null"#)
            }
            "pm_odd" => error(402, "card_error", r#","decline_code":"Not A Code""#),
            _ => {
                self.charged += 1;
                intent("succeeded")
            }
        }
    }

    fn refund(&mut self, intent: &str) -> Reply {
        let refund =
            |status| reply(200, &format!(r#"{{"id":"re_1","object":"refund","status":"{status}"}}"#));
        match intent {
            "pi_pending" => refund("pending"),
            "pi_failed" => refund("failed"),
            "pi_by_hand" => error(400, "invalid_request_error", r#","code":"charge_already_refunded""#),
            "pi_disputed" => error(400, "invalid_request_error", r#","code":"charge_disputed""#),
            _ => {
                self.refunded += 1;
                refund("succeeded")
            }
        }
    }
}

/// Starts the server, and a gateway that believes it to be Stripe.
async fn stripe() -> (StripeGateway, Arc<Mutex<FakeStripe>>) {
    let server = Arc::new(Mutex::new(FakeStripe::default()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let shared = Arc::clone(&server);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            serve(stream, &shared).await;
        }
    });
    (StripeGateway::new(&address, &Secret::new(KEY)).unwrap(), server)
}

async fn serve(stream: TcpStream, server: &Mutex<FakeStripe>) {
    let mut stream = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.unwrap();
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let path = lines[0].split(' ').nth(1).unwrap().to_owned();
    let headers: BTreeMap<_, _> = lines[1..]
        .iter()
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let mut body = vec![0; headers["content-length"].parse().unwrap()];
    stream.read_exact(&mut body).await.unwrap();
    let request = Request { path, headers, body: String::from_utf8(body).unwrap() };
    let Reply { status, headers, body } = server.lock().unwrap().answer(&request);
    let length = body.len();
    let reply = format!(
        "HTTP/1.1 {status} Said\r\nrequest-id: req_1\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
    stream.write_all(reply.as_bytes()).await.unwrap();
}

fn captured() -> Answer {
    Answer::Captured(Reference("pi_1".to_owned()))
}

fn declined(answer: &Answer) -> &str {
    match answer {
        Answer::Declined(reason) => reason.as_str(),
        other => panic!("not declined: {other:?}"),
    }
}

#[tokio::test]
async fn a_charge_goes_out_as_documented() {
    let (gateway, server) = stripe().await;
    assert_eq!(gateway.charge(&attempt("pm_card", 1)).await, Ok(captured()));
    let request = server.lock().unwrap().requests.remove(0);
    let header = |name: &str| request.headers[name].as_str();
    assert_eq!(header("authorization"), format!("Bearer {KEY}"));
    assert_eq!(header("idempotency-key"), attempt("pm_card", 1).payment_id.to_string());
    assert_eq!(header("content-type"), "application/x-www-form-urlencoded");
    let form: Vec<_> =
        form_urlencoded::parse(request.body.as_bytes()).map(|(k, v)| format!("{k}={v}")).collect();
    insta::assert_snapshot!(format!("{}\n{}", request.path, form.join("\n")));
}

#[tokio::test]
async fn a_charge_made_twice_takes_the_money_once() {
    let (gateway, server) = stripe().await;
    for number in [1, 2] {
        assert_eq!(gateway.charge(&attempt("pm_card", number)).await, Ok(captured()));
    }
    assert_eq!(server.lock().unwrap().charged, 1);
}

#[tokio::test]
async fn what_is_wrong_with_the_card_or_the_order_is_a_decline() {
    for (method, reason) in [
        ("pm_poor", "insufficient_funds"),
        ("pm_absent", "authentication_required"),
        ("pm_odd", "declined"),
        ("pm_missing", "resource_missing"),
    ] {
        let answer = stripe().await.0.charge(&attempt(method, 1)).await.unwrap();
        assert_eq!(declined(&answer), reason, "{method}");
    }
}

/// What may be otherwise the next time, or is nobody's fault but ours, is tried again and never told as an answer.
#[tokio::test]
async fn everything_else_is_a_failure_that_does_not_repeat_what_stripe_said() {
    let mut told = String::new();
    for method in [
        "pm_busy",
        "pm_limited",
        "pm_forbidden",
        "pm_broken",
        "pm_garbage",
        "pm_slow",
        "pm_our_mistake",
        "pm_empty_error",
    ] {
        let failure = stripe().await.0.charge(&attempt(method, 1)).await.unwrap_err();
        told.push_str(&format!("{method}: {failure}, retry after {:?}\n", failure.retry_after));
    }
    assert!(!told.contains(KEY));
    insta::assert_snapshot!(told);
}

#[tokio::test]
async fn a_limit_says_how_long_to_wait() {
    let failure = stripe().await.0.charge(&attempt("pm_limited", 1)).await.unwrap_err();
    assert_eq!(failure.retry_after, Some(Duration::from_secs(7)));
}

#[tokio::test]
async fn a_payment_called_off_before_its_charge_can_not_be_charged_any_more() {
    let (gateway, server) = stripe().await;
    for _ in 0..2 {
        assert_eq!(gateway.void(&attempt("pm_card", 1)).await, Ok(Answer::Voided));
    }
    assert!(gateway.charge(&attempt("pm_card", 2)).await.is_err());
    assert_eq!(server.lock().unwrap().charged, 0);
}

#[tokio::test]
async fn a_payment_called_off_after_its_charge_is_found_out() {
    let (gateway, server) = stripe().await;
    // The answer to this one gets lost.
    gateway.charge(&attempt("pm_card", 1)).await.unwrap();
    assert_eq!(gateway.void(&attempt("pm_card", 2)).await, Ok(captured()));
    assert_eq!(server.lock().unwrap().charged, 1);

    let (gateway, _) = stripe().await;
    gateway.charge(&attempt("pm_poor", 1)).await.unwrap();
    assert_eq!(declined(&gateway.void(&attempt("pm_poor", 2)).await.unwrap()), "insufficient_funds");
}

#[tokio::test]
async fn a_refund_made_twice_pays_back_once() {
    let (gateway, server) = stripe().await;
    for number in [1, 2] {
        let reference = Reference("pi_1".to_owned());
        assert_eq!(gateway.refund(&attempt("pm_card", number), &reference).await, Ok(Answer::Refunded));
    }
    let server = server.lock().unwrap();
    assert_eq!(server.refunded, 1);
    assert_eq!(server.requests[0].body, "payment_intent=pi_1");
}

#[tokio::test]
async fn a_refund_is_done_when_the_money_is_back_or_on_its_way() {
    for (intent, done) in
        [("pi_pending", true), ("pi_by_hand", true), ("pi_failed", false), ("pi_disputed", false)]
    {
        let reference = Reference(intent.to_owned());
        let answer = stripe().await.0.refund(&attempt("pm_card", 1), &reference).await;
        assert_eq!(answer == Ok(Answer::Refunded), done, "{intent}: {answer:?}");
    }
}

#[tokio::test]
async fn a_currency_with_other_minor_units_is_never_charged() {
    let (gateway, server) = stripe().await;
    for code in ["ISK", "MGA", "UGX"] {
        let amount =
            Money { amount_minor: MinorUnits::new(100).unwrap(), currency: Currency::parse(code).unwrap() };
        let payment = Attempt { amount, ..attempt("pm_card", 1) };
        assert_eq!(declined(&gateway.charge(&payment).await.unwrap()), "currency_not_supported");
        assert_eq!(gateway.void(&payment).await, Ok(Answer::Voided));
    }
    assert!(server.lock().unwrap().requests.is_empty());
}

#[tokio::test]
async fn a_gateway_that_is_not_there_is_a_failure() {
    // Bound, and closed again: nobody listens there.
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let gateway =
        StripeGateway::new(&Url::parse(&format!("http://{address}")).unwrap(), &Secret::new(KEY)).unwrap();
    let failure = gateway.charge(&attempt("pm_card", 1)).await.unwrap_err();
    assert_eq!(failure.to_string(), "the payment gateway could not be reached");
}

#[test]
fn settings_that_can_not_work_are_refused_and_the_key_is_not_printed() {
    let address = Url::parse("https://api.stripe.com").unwrap();
    let gateway = StripeGateway::new(&address, &Secret::new(KEY)).unwrap();
    assert!(!format!("{gateway:?}").contains(KEY));
    let refused = StripeGateway::new(&address, &Secret::new("sk\n")).unwrap_err();
    assert!(!format!("{refused} {refused:?}").contains("sk\n"));
    assert!(StripeGateway::new(&Url::parse("mailto:a@b").unwrap(), &Secret::new(KEY)).is_err());
}
