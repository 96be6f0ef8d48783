//! Every domain and every message type of a system, as a value: what documents, routes, schemas and lists of commands
//! are made from.

use schemars::{Schema, SchemaGenerator, schema_for};
use serde_json::Value;

use crate::contract::{Contract, Kind, UnknownFields, decode};
use crate::exchanges::{COMMANDS, EVENTS};
use crate::invalid::Invalid;
use crate::reading::{Unreadable, read};
use crate::{DomainName, RetrySchedule};

/// The domains of a system and their messages.
///
/// ```
/// use millrace_protocol::{About, Catalog, Contract, Domain, DomainName, Kind};
///
/// #[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
/// struct Sent {
///     parcels: u32,
/// }
///
/// impl Contract for Sent {
///     const TYPE: &'static str = "shipping.sent";
///     const KIND: Kind = Kind::Event;
///     fn example() -> Self {
///         Self { parcels: 2 }
///     }
/// }
///
/// let about = About { title: "Parcels", version: "1.0.0", description: "Where parcels are." };
/// let catalog = Catalog::new(about, [
///     Domain::new(DomainName::new("shipping")).message::<Sent>(),
///     Domain::new(DomainName::new("billing")).subscribes::<Sent>(),
/// ]);
/// let sent = catalog.find("shipping.sent").expect("it was listed");
/// assert_eq!(sent.handlers(), [DomainName::new("billing")]);
///
/// let alone = catalog.only(&[DomainName::new("shipping")]);
/// assert!(alone.find("shipping.sent").is_some_and(|sent| sent.handlers().is_empty()));
/// ```
#[derive(Debug, Clone)]
pub struct Catalog {
    about: About,
    domains: Vec<DomainName>,
    entries: Vec<Entry>,
}

/// Whose messages a catalog lists.
#[derive(Debug, Clone, Copy)]
pub struct About {
    /// The system's name.
    pub title: &'static str,
    /// The release: connections, dead letters and documents show it.
    pub version: &'static str,
    /// What a reader of the AsyncAPI document should know first.
    pub description: &'static str,
}

/// One domain of a catalog: the messages that it owns and the events that it subscribes to.
#[derive(Debug, Clone)]
pub struct Domain {
    name: DomainName,
    messages: Vec<Entry>,
    subscriptions: Vec<&'static str>,
}

/// What is known about one message type.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Name on the wire and routing key.
    pub message_type: &'static str,
    /// Version that this build writes.
    pub version: u16,
    /// Command or event.
    pub kind: Kind,
    /// When it is tried again.
    pub retry: RetrySchedule,
    owner: DomainName,
    handlers: Vec<DomainName>,
    schema: fn() -> Schema,
    component: fn(&mut SchemaGenerator) -> Schema,
    example: fn() -> Value,
    check: fn(&[u8]) -> Result<Vec<u8>, Invalid>,
    reads: fn(u16, &[u8]) -> Result<(), Unreadable>,
}

/// Where a message is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// The exchange; the routing key is the message's type.
    pub exchange: &'static str,
    /// Whether a queue must get it: commands always, events if a domain subscribes to them.
    pub mandatory: bool,
}

impl Route {
    /// Where commands go.
    pub const COMMAND: Self = Self { exchange: COMMANDS, mandatory: true };
    /// Where an event goes that some domain subscribes to.
    pub const EVENT: Self = Self { exchange: EVENTS, mandatory: true };
}

impl Catalog {
    /// The catalog of a system with these domains.
    ///
    /// # Panics
    ///
    /// If two domains or two messages have the same name, or a domain subscribes to what is no event of this catalog.
    #[must_use]
    pub fn new(about: About, domains: impl IntoIterator<Item = Domain>) -> Self {
        let domains: Vec<Domain> = domains.into_iter().collect();
        let names: Vec<DomainName> = domains.iter().map(|domain| domain.name).collect();
        let subscriptions: Vec<_> = domains
            .iter()
            .flat_map(|domain| domain.subscriptions.iter().map(|event| (*event, domain.name)))
            .collect();
        let mut entries: Vec<Entry> = domains.into_iter().flat_map(|domain| domain.messages).collect();
        for (position, name) in names.iter().enumerate() {
            assert!(!names[..position].contains(name), "the domain {name} is listed twice");
        }
        for (position, entry) in entries.iter().enumerate() {
            let same = |other: &Entry| other.message_type == entry.message_type;
            assert!(!entries[..position].iter().any(same), "{} is listed twice", entry.message_type);
        }
        for (event, subscriber) in subscriptions {
            let found = entries.iter_mut().find(|entry| entry.message_type == event);
            let entry = found
                .unwrap_or_else(|| panic!("{subscriber} subscribes to {event}, which no domain publishes"));
            entry.handlers.push(subscriber);
        }
        Self { about, domains: names, entries }
    }

    /// The catalog of a smaller system, in which there are only these domains: their messages, and what they subscribe to of
    /// each other's events.
    ///
    /// # Panics
    ///
    /// If one of them is no domain of this catalog.
    #[must_use]
    pub fn only(&self, domains: &[DomainName]) -> Self {
        for domain in domains {
            assert!(self.domains.contains(domain), "there is no domain {domain}");
        }
        let kept = |domain: &DomainName| domains.contains(domain);
        let entries = self.entries.iter().filter(|entry| kept(&entry.owner)).cloned();
        let entries = entries.map(|mut entry| {
            entry.handlers.retain(kept);
            entry
        });
        Self {
            about: self.about,
            domains: self.domains.iter().copied().filter(kept).collect(),
            entries: entries.collect(),
        }
    }

    /// Whose messages these are.
    #[must_use]
    pub fn about(&self) -> About {
        self.about
    }

    /// Every domain, in the order in which tables list them.
    #[must_use]
    pub fn domains(&self) -> &[DomainName] {
        &self.domains
    }

    /// The domain of this name.
    #[must_use]
    pub fn domain(&self, name: &str) -> Option<DomainName> {
        self.domains.iter().copied().find(|domain| domain.as_str() == name)
    }

    /// Every message type, grouped by the domain that owns it.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The message types that upstream systems may post.
    pub fn commands(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| entry.kind == Kind::Command)
    }

    /// The message type of this name.
    #[must_use]
    pub fn find(&self, message_type: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.message_type == message_type)
    }

    /// The message types that a domain handles: its own commands, and the events that it subscribes to.
    pub fn handled_by(&self, domain: DomainName) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| entry.handlers.contains(&domain))
    }

    /// Where a message of this type is published. A type that this release no longer knows was an event of an earlier one.
    #[must_use]
    pub fn route(&self, message_type: &str) -> Route {
        self.find(message_type).map_or(Route::EVENT, Entry::route)
    }
}

impl Domain {
    /// A domain without messages.
    #[must_use]
    pub fn new(name: DomainName) -> Self {
        Self { name, messages: Vec::new(), subscriptions: Vec::new() }
    }

    /// Adds a message that this domain owns.
    ///
    /// # Panics
    ///
    /// If the type's name does not begin with the domain's, such as `orders.` for `orders`.
    #[must_use]
    pub fn message<T: Contract>(mut self) -> Self {
        let owner = T::TYPE.split_once('.').map(|(owner, _)| owner);
        assert!(owner == Some(self.name.as_str()), "{} is no message of {}", T::TYPE, self.name);
        self.messages.push(Entry::of::<T>(self.name));
        self
    }

    /// Adds an event, of whichever domain, that is delivered to this domain too.
    ///
    /// # Panics
    ///
    /// If the type is a command: those have one handler.
    #[must_use]
    pub fn subscribes<T: Contract>(mut self) -> Self {
        assert!(T::KIND == Kind::Event, "{} is no event, and commands have one handler", T::TYPE);
        self.subscriptions.push(T::TYPE);
        self
    }
}

impl Entry {
    fn of<T: Contract>(owner: DomainName) -> Self {
        Self {
            message_type: T::TYPE,
            version: T::VERSION,
            kind: T::KIND,
            retry: T::RETRY,
            owner,
            handlers: if T::KIND == Kind::Event { Vec::new() } else { vec![owner] },
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

    /// The domain that the message belongs to: the part of its name before the dot.
    #[must_use]
    pub fn owner(&self) -> DomainName {
        self.owner
    }

    /// The domains whose queues get this message.
    #[must_use]
    pub fn handlers(&self) -> &[DomainName] {
        &self.handlers
    }

    /// Where this message is published.
    #[must_use]
    pub fn route(&self) -> Route {
        match self.kind {
            Kind::Command | Kind::InternalCommand => Route::COMMAND,
            Kind::Event => Route { mandatory: !self.handlers.is_empty(), ..Route::EVENT },
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

    /// Reads a body as strictly as the API does, and returns it as it goes onto the wire.
    ///
    /// # Errors
    ///
    /// What is wrong with it, and where.
    pub fn check(&self, body: &[u8]) -> Result<Vec<u8>, Invalid> {
        (self.check)(body)
    }

    /// Reads a body of this version as a worker of this build does.
    ///
    /// # Errors
    ///
    /// Why the worker can't read it.
    pub fn reads(&self, version: u16, body: &[u8]) -> Result<(), Unreadable> {
        (self.reads)(version, body)
    }
}

/// The schema of a type, not a reference to it, as the generator's dialect wants it; its title is the message's type.
#[must_use]
pub fn component<T: Contract>(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = T::json_schema(generator);
    for transform in generator.transforms_mut() {
        transform.transform(&mut schema);
    }
    schema.insert("title".to_owned(), T::TYPE.into());
    schema
}
