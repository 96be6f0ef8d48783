//! The one list of this system's domains: what each owns, and which events it subscribes to.

use std::sync::LazyLock;

use millrace_protocol::{About, Catalog, Domain};

use crate::{auth, orders, payments, users};

const ABOUT: About = About {
    title: "Millrace",
    version: env!("CARGO_PKG_VERSION"),
    description: "The messages behind the API: commands, which have one handler and may be refused, and events, which say \
        what happened. Bodies are plain JSON; everything else stands in AMQP properties and headers. A message whose \
        body is unreadable, or that failed too often, is given up with headers that say why.",
};

static CATALOG: LazyLock<Catalog> = LazyLock::new(|| {
    let domains = [
        Domain::new(auth::DOMAIN)
            .message::<auth::SetPassword>()
            .message::<auth::IssueApiKey>()
            .message::<auth::RevokeApiKey>()
            .message::<auth::NoteKeyUse>()
            .message::<auth::PasswordSet>()
            .message::<auth::ApiKeyIssued>()
            .message::<auth::ApiKeyRevoked>()
            .message::<auth::AccessRevoked>()
            .subscribes::<users::Registered>()
            .subscribes::<users::Deactivated>(),
        Domain::new(users::DOMAIN)
            .message::<users::Register>()
            .message::<users::ChangeEmail>()
            .message::<users::Deactivate>()
            .message::<users::Registered>()
            .message::<users::EmailChanged>()
            .message::<users::Deactivated>(),
        Domain::new(orders::DOMAIN)
            .message::<orders::Place>()
            .message::<orders::Cancel>()
            .message::<orders::Placed>()
            .message::<orders::Confirmed>()
            .message::<orders::Cancelled>()
            .subscribes::<users::Registered>()
            .subscribes::<users::Deactivated>()
            .subscribes::<payments::Captured>()
            .subscribes::<payments::Declined>()
            .subscribes::<payments::Refunded>(),
        Domain::new(payments::DOMAIN)
            .message::<payments::Charge>()
            .message::<payments::Refund>()
            .message::<payments::Captured>()
            .message::<payments::Declined>()
            .message::<payments::Refunded>()
            .subscribes::<orders::Placed>()
            .subscribes::<orders::Cancelled>(),
    ];
    Catalog::new(ABOUT, domains)
});

/// Every domain and every message type of this system.
#[must_use]
pub fn catalog() -> &'static Catalog {
    &CATALOG
}
