//! Every message there is, as a table: what documents, routes, schemas and the door's command list are made from.

use std::sync::LazyLock;

use schemars::{Schema, SchemaGenerator, schema_for};
use serde_json::Value;

use crate::contract::{Contract, Invalid, Kind, UnknownFields, decode};
use crate::reading::{Unreadable, read};
use crate::{Domain, RetryPolicy, auth, orders, payments, users};

/// What is known about one message type.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Name on the wire and routing key.
    pub message_type: &'static str,
    /// Version that this build writes.
    pub version: u16,
    /// Command or event.
    pub kind: Kind,
    /// How it is tried again.
    pub retry: RetryPolicy,
    schema: fn() -> Schema,
    component: fn(&mut SchemaGenerator) -> Schema,
    example: fn() -> Value,
    check: fn(&[u8]) -> Result<Vec<u8>, Invalid>,
    reads: fn(u16, &[u8]) -> Result<(), Unreadable>,
}

impl Entry {
    fn of<T: Contract>() -> Self {
        Self {
            message_type: T::TYPE,
            version: T::VERSION,
            kind: T::KIND,
            retry: T::RETRY,
            schema: || schema_for!(T),
            component: component::<T>,
            example: || serde_json::to_value(T::example()).expect("examples are plain data"),
            check: |body| {
                let message: T = decode(body, UnknownFields::Refuse)?;
                Ok(serde_json::to_vec(&message).expect("messages are plain data"))
            },
            reads: |version, body| read::<T>(version, body).map(drop),
        }
    }

    /// JSON Schema (draft 2020-12) of the body.
    #[must_use]
    pub fn schema(&self) -> Schema {
        (self.schema)()
    }

    /// JSON Schema of the body as part of a larger document: what it refers to is left in the generator.
    #[must_use]
    pub fn component(&self, generator: &mut SchemaGenerator) -> Schema {
        (self.component)(generator)
    }

    /// One body as it may stand in documents.
    #[must_use]
    pub fn example(&self) -> Value {
        (self.example)()
    }

    /// Reads a body as strictly as the door does and gives it back as it goes onto the wire.
    pub fn check(&self, body: &[u8]) -> Result<Vec<u8>, Invalid> {
        (self.check)(body)
    }

    /// Whether a worker of this build can read a body of this version, and why not.
    pub fn reads(&self, version: u16, body: &[u8]) -> Result<(), Unreadable> {
        (self.reads)(version, body)
    }

    /// The domains whose queues get this message, in the order of [`Domain::ALL`].
    pub fn handlers(&self) -> impl Iterator<Item = Domain> + '_ {
        Domain::ALL.into_iter().filter(|domain| match self.kind {
            Kind::Command | Kind::InternalCommand => Domain::owning(self.message_type) == Some(*domain),
            Kind::Event => domain.hears().contains(&self.message_type),
        })
    }

    /// The exchange that this message is published to.
    #[must_use]
    pub fn exchange(&self) -> &'static str {
        match self.kind {
            Kind::Command | Kind::InternalCommand => crate::topology::COMMANDS,
            Kind::Event => crate::topology::EVENTS,
        }
    }
}

/// The schema of a type, not a reference to it, as the generator's dialect wants it; its title is the message's type.
pub fn component<T: Contract>(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = T::json_schema(generator);
    for transform in generator.transforms_mut() {
        transform.transform(&mut schema);
    }
    schema.insert("title".to_owned(), T::TYPE.into());
    schema
}

static CATALOG: LazyLock<Vec<Entry>> = LazyLock::new(|| {
    vec![
        Entry::of::<users::Register>(),
        Entry::of::<users::ChangeEmail>(),
        Entry::of::<users::Deactivate>(),
        Entry::of::<users::Registered>(),
        Entry::of::<users::EmailChanged>(),
        Entry::of::<users::Deactivated>(),
        Entry::of::<auth::SetPassword>(),
        Entry::of::<auth::IssueApiKey>(),
        Entry::of::<auth::RevokeApiKey>(),
        Entry::of::<auth::NoteKeyUse>(),
        Entry::of::<auth::PasswordSet>(),
        Entry::of::<auth::ApiKeyIssued>(),
        Entry::of::<auth::ApiKeyRevoked>(),
        Entry::of::<auth::AccessRevoked>(),
        Entry::of::<orders::Place>(),
        Entry::of::<orders::Cancel>(),
        Entry::of::<orders::Placed>(),
        Entry::of::<orders::Confirmed>(),
        Entry::of::<orders::Cancelled>(),
        Entry::of::<payments::Charge>(),
        Entry::of::<payments::Refund>(),
        Entry::of::<payments::Captured>(),
        Entry::of::<payments::Declined>(),
        Entry::of::<payments::Refunded>(),
    ]
});

/// Every message type, grouped by domain.
#[must_use]
pub fn all() -> &'static [Entry] {
    &CATALOG
}

/// The message type of this name.
#[must_use]
pub fn find(message_type: &str) -> Option<&'static Entry> {
    CATALOG.iter().find(|entry| entry.message_type == message_type)
}
