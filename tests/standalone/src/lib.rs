//! Parcels: a system with one domain of its own, built on Millrace's protocol and runtime.

pub mod messages;
pub mod rules;
pub mod store;

#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use millrace_protocol::{About, Catalog, Domain};

static CATALOG: LazyLock<Catalog> = LazyLock::new(|| {
    let about = About {
        title: "Parcels",
        version: env!("CARGO_PKG_VERSION"),
        description: "Parcels, from the counter to the door.",
    };
    let parcels = Domain::new(messages::DOMAIN).message::<messages::Send>().message::<messages::Sent>();
    Catalog::new(about, [parcels])
});

/// Every message of this system.
pub fn catalog() -> &'static Catalog {
    &CATALOG
}
