//! What the gateways answer.

mod sandbox;
mod stripe;

use millrace_contracts::orders::Placed;
use millrace_contracts::{OrderId, PaymentId, PaymentMethod};
use millrace_protocol::Contract;
use uuid::Uuid;

use super::Attempt;

fn attempt(method: &str, number: u32) -> Attempt {
    Attempt {
        payment_id: PaymentId(Uuid::from_u128(1)),
        order_id: OrderId(Uuid::from_u128(2)),
        amount: Placed::example().total,
        method: PaymentMethod::parse(method).unwrap(),
        number,
    }
}

#[derive(clap::Parser)]
struct Flags {
    #[command(flatten)]
    gateway: super::GatewaySettings,
}

fn gateway(flags: &[&str]) -> Result<(), String> {
    use clap::Parser;
    let flags = std::iter::once("payments-worker").chain(flags.iter().copied());
    let settings = Flags::try_parse_from(flags).map_err(|error| error.to_string())?.gateway;
    settings.gateway().map(drop).map_err(|error| error.to_string())
}

#[test]
fn the_settings_name_the_gateway() {
    assert_eq!(gateway(&[]), Ok(()));
    assert_eq!(gateway(&["--payment-gateway=stripe", "--stripe-secret-key=sk_test_1"]), Ok(()));
    let without_key = gateway(&["--payment-gateway=stripe"]).unwrap_err();
    assert!(without_key.contains("--stripe-secret-key"), "{without_key}");
    let odd_key = gateway(&["--payment-gateway=stripe", "--stripe-secret-key=sk\n"]).unwrap_err();
    assert!(odd_key.contains("characters that no key has") && !odd_key.contains("sk"), "{odd_key}");
}
