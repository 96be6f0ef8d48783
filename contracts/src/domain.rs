//! The business domains, each with one queue, one worker and one schema, and which messages each of them hears.

use std::fmt;

/// One business domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Domain {
    /// Passwords, API keys and who may come in.
    Auth,
    /// Who the customers are.
    Users,
    /// What was ordered.
    Orders,
    /// What was paid.
    Payments,
}

impl Domain {
    /// Every domain, in the order in which tables list them.
    pub const ALL: [Self; 4] = [Self::Auth, Self::Users, Self::Orders, Self::Payments];

    /// The domain's name: its queue, its database schema, its handler name in the ledger.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Users => "users",
            Self::Orders => "orders",
            Self::Payments => "payments",
        }
    }

    /// The domain of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|domain| domain.name() == name)
    }

    /// The domain that a message type belongs to: the part of its name before the dot.
    #[must_use]
    pub fn owning(message_type: &str) -> Option<Self> {
        message_type.split_once('.').and_then(|(domain, _)| Self::named(domain))
    }

    /// The events this domain hears. Its own commands it hears anyway.
    #[must_use]
    pub const fn hears(self) -> &'static [&'static str] {
        match self {
            Self::Auth => &["users.registered", "users.deactivated"],
            Self::Users => &[],
            Self::Orders => &[
                "users.registered",
                "users.deactivated",
                "payments.captured",
                "payments.declined",
                "payments.refunded",
            ],
            Self::Payments => &["orders.placed", "orders.cancelled"],
        }
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
