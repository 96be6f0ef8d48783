//! Messages of the users domain: the customers' accounts.

use millrace_protocol::{Contract, DomainName, Kind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::uuid;

use crate::{Email, PersonName, UserId};

/// The domain's name.
pub const DOMAIN: DomainName = DomainName::new("users");

/// The user of every example.
pub(crate) const EXAMPLE_USER: UserId = UserId(uuid!("01980000-0000-7000-8000-00000000c0de"));

/// Register a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Register {
    /// The user's id; without it, the job's id becomes the user's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    /// Must not belong to another user. Upper and lower case are the same.
    pub email: Email,
    /// How to address the user.
    pub name: PersonName,
}

impl Contract for Register {
    const TYPE: &'static str = "users.register";
    const KIND: Kind = Kind::Command;
    fn example() -> Self {
        Self { user_id: Some(EXAMPLE_USER), email: example_email(), name: example_name() }
    }
}

/// Change a user's e-mail address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChangeEmail {
    /// Whose address.
    pub user_id: UserId,
    /// The new address.
    pub email: Email,
}

impl Contract for ChangeEmail {
    const TYPE: &'static str = "users.change-email";
    const KIND: Kind = Kind::Command;
    fn example() -> Self {
        Self { user_id: EXAMPLE_USER, email: example_email() }
    }
}

/// Close a user's account for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Deactivate {
    /// Whose account.
    pub user_id: UserId,
}

impl Contract for Deactivate {
    const TYPE: &'static str = "users.deactivate";
    const KIND: Kind = Kind::Command;
    fn example() -> Self {
        Self { user_id: EXAMPLE_USER }
    }
}

/// A user was registered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Registered {
    /// The new user.
    pub user_id: UserId,
    /// The address as it was posted, in its own case.
    pub email: Email,
    /// How to address the user.
    pub name: PersonName,
}

impl Contract for Registered {
    const TYPE: &'static str = "users.registered";
    const KIND: Kind = Kind::Event;
    fn example() -> Self {
        Self { user_id: EXAMPLE_USER, email: example_email(), name: example_name() }
    }
}

/// A user's e-mail address was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EmailChanged {
    /// Whose address.
    pub user_id: UserId,
    /// The new address.
    pub email: Email,
}

impl Contract for EmailChanged {
    const TYPE: &'static str = "users.email-changed";
    const KIND: Kind = Kind::Event;
    fn example() -> Self {
        Self { user_id: EXAMPLE_USER, email: example_email() }
    }
}

/// A user's account was closed for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Deactivated {
    /// Whose account.
    pub user_id: UserId,
}

impl Contract for Deactivated {
    const TYPE: &'static str = "users.deactivated";
    const KIND: Kind = Kind::Event;
    fn example() -> Self {
        Self { user_id: EXAMPLE_USER }
    }
}

fn example_email() -> Email {
    Email::parse("ada@example.com").expect("a valid example")
}

fn example_name() -> PersonName {
    PersonName::parse("Ada Lovelace").expect("a valid example")
}
