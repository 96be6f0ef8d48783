//! A system made up for tests of flows, so that no domain that is added to this repository's system changes what they expect.

use std::sync::LazyLock;

use millrace_protocol::{About, Catalog, Contract, Domain, DomainName, Kind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! message {
    ($name:ident: $kind:ident $message_type:literal) => {
        #[derive(Debug, Serialize, Deserialize, JsonSchema)]
        struct $name {}

        impl Contract for $name {
            const TYPE: &'static str = $message_type;
            const KIND: Kind = Kind::$kind;
            fn example() -> Self {
                Self {}
            }
        }
    };
}

message!(Open: Command "offices.open");
message!(Opened: Event "offices.opened");
message!(Moved: Event "offices.moved");
message!(Send: Command "letters.send");
message!(Sent: Event "letters.sent");
message!(Delivered: Event "letters.delivered");
message!(Charge: InternalCommand "stamps.charge");
message!(Charged: Event "stamps.charged");

static CATALOG: LazyLock<Catalog> = LazyLock::new(|| {
    let domain = |name| Domain::new(DomainName::new(name));
    let about = About { title: "Letters", version: "1.0.0", description: "Where letters are." };
    let letters = domain("letters").message::<Send>().message::<Sent>().message::<Delivered>();
    let domains = [
        domain("offices").message::<Open>().message::<Opened>().message::<Moved>(),
        letters.subscribes::<Opened>().subscribes::<Charged>(),
        domain("stamps").message::<Charge>().message::<Charged>().subscribes::<Sent>(),
        domain("locks").subscribes::<Opened>(),
    ];
    Catalog::new(about, domains)
});

/// Letters are sent, paid for and delivered, which no domain subscribes to; two domains subscribe to the opening of an office.
pub(crate) fn catalog() -> &'static Catalog {
    &CATALOG
}
