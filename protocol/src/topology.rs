//! Exchanges, queues, bindings and policies of the broker, as data.
//!
//! A queue's type is the only argument; everything else is policy, so that it can change without declaring anything
//! anew (<https://www.rabbitmq.com/docs/queues#optional-arguments>).

use std::time::Duration;

use millrace_faults::{Mutant, mutated};
use serde_json::{Map, Value, json};

use crate::exchanges::{COMMANDS, DEAD, EVENTS, REDRIVE, REPLIES, UNROUTED};
use crate::{Catalog, DelayQueue, DomainName};

/// A main queue holds this many messages before the broker refuses more, and the API answers 503.
const MAX_QUEUE_LENGTH: u64 = 5_000_000;
/// On RabbitMQ ≥ 4.0 every look at a message in the console counts as a delivery, and at the limit (20 by default) the
/// message is dropped where there is no dead-letter target: too low for queues that people look into.
const PARKED_DELIVERY_LIMIT: u64 = 1_000_000;
/// Deliveries of a main queue's message before the broker itself gives it up; the workers' own limit is far lower.
const DELIVERY_LIMIT: u64 = 20;

/// Only the policy with the highest priority applies to an object; ours go before a catch-all of somebody else.
pub const POLICY_PRIORITY: i64 = 100;

/// How an exchange routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExchangeKind {
    /// By routing key.
    Direct,
    /// To every bound queue.
    Fanout,
    /// By routing key pattern.
    Topic,
}

impl ExchangeKind {
    /// The broker's name for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Fanout => "fanout",
            Self::Topic => "topic",
        }
    }
}

/// A durable exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// Its name.
    pub name: String,
    /// How it routes.
    pub kind: ExchangeKind,
}

/// A binding from an exchange to a queue.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Binding {
    /// The exchange that it routes from.
    pub exchange: String,
    /// The queue that it routes to.
    pub queue: String,
    /// The routing key; empty where the exchange is a fanout one.
    pub key: String,
}

/// What a policy applies to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApplyTo {
    /// Queues.
    Queues,
    /// Exchanges.
    Exchanges,
}

impl ApplyTo {
    /// The broker's name for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queues => "queues",
            Self::Exchanges => "exchanges",
        }
    }
}

/// A policy: settings for everything whose name matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Its name.
    pub name: String,
    /// Regular expression over names of queues or exchanges.
    pub pattern: String,
    /// Queues or exchanges.
    pub apply_to: ApplyTo,
    /// The settings.
    pub definition: Map<String, Value>,
}

impl Policy {
    /// Whether a policy of this name can only be one of this system's, perhaps of another version.
    #[must_use]
    pub fn is_our_name(name: &str) -> bool {
        ["parked", "unrouted"].contains(&name) || name.starts_with("work.") || name.starts_with("retry.")
    }
}

/// Everything that must exist on the broker. All queues are durable quorum queues.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topology {
    /// Durable exchanges.
    pub exchanges: Vec<Exchange>,
    /// Names of durable quorum queues.
    pub queues: Vec<String>,
    /// Which queue gets what.
    pub bindings: Vec<Binding>,
    /// Limits, delays, dead-letter targets: everything that may change without a new queue.
    pub policies: Vec<Policy>,
}

/// The name of a domain's dead-letter queue.
#[must_use]
pub fn dead_queue(domain: DomainName) -> String {
    format!("{domain}.dead")
}

impl Topology {
    /// What a catalog needs, with every retry delay multiplied by `retry_scale`: 1.0 in production, less makes tests fast.
    #[must_use]
    pub fn of(catalog: &Catalog, retry_scale: f64) -> Self {
        let mut topology = Self {
            exchanges: vec![
                exchange(COMMANDS, ExchangeKind::Topic),
                exchange(EVENTS, ExchangeKind::Topic),
                exchange(DEAD, ExchangeKind::Direct),
                exchange(REDRIVE, ExchangeKind::Direct),
                exchange(REPLIES, ExchangeKind::Direct),
                exchange(UNROUTED, ExchangeKind::Fanout),
            ],
            queues: vec![UNROUTED.to_owned()],
            bindings: vec![binding(UNROUTED, UNROUTED, "")],
            policies: vec![
                Policy {
                    name: "unrouted".to_owned(),
                    // Not events: one that nobody hears is no loss, and one that somebody should hear is published so that
                    // the broker returns it when its binding is missing.
                    pattern: r"^(commands|dead|redrive|retry\..+)$".to_owned(),
                    apply_to: ApplyTo::Exchanges,
                    definition: settings(json!({"alternate-exchange": UNROUTED})),
                },
                Policy {
                    name: "parked".to_owned(),
                    pattern: r"^(unrouted|.+\.dead)$".to_owned(),
                    apply_to: ApplyTo::Queues,
                    definition: settings(json!({
                        "delivery-limit": PARKED_DELIVERY_LIMIT,
                        "overflow": "reject-publish",
                        "queue-leader-locator": "balanced",
                    })),
                },
            ],
        };
        for domain in catalog.domains() {
            topology.add_domain(catalog, *domain);
        }
        for queue in DelayQueue::ALL {
            topology.add_delay_queue(queue, retry_scale);
        }
        topology
    }

    fn add_domain(&mut self, catalog: &Catalog, domain: DomainName) {
        self.queues.push(domain.as_str().to_owned());
        self.queues.push(dead_queue(domain));
        self.bindings.push(binding(DEAD, &dead_queue(domain), domain.as_str()));
        self.bindings.push(binding(REDRIVE, domain.as_str(), domain.as_str()));
        for entry in catalog.handled_by(domain) {
            self.bindings.push(binding(entry.route().exchange, domain.as_str(), entry.message_type));
        }
        self.policies.push(Policy {
            name: format!("work.{domain}"),
            pattern: format!("^{domain}$"),
            apply_to: ApplyTo::Queues,
            definition: settings(json!({
                "dead-letter-exchange": DEAD,
                "dead-letter-routing-key": domain.as_str(),
                "dead-letter-strategy": "at-least-once",
                "delivery-limit": DELIVERY_LIMIT,
                "max-length": MAX_QUEUE_LENGTH,
                "overflow": "reject-publish",
                "queue-leader-locator": "balanced",
            })),
        });
    }

    fn add_delay_queue(&mut self, queue: DelayQueue, retry_scale: f64) {
        let name = queue.name();
        self.exchanges.push(exchange(&name, ExchangeKind::Fanout));
        self.queues.push(name.clone());
        self.bindings.push(binding(&name, &name, ""));
        self.policies.push(Policy {
            pattern: format!("^{}$", name.replace('.', r"\.")),
            name: name.clone(),
            apply_to: ApplyTo::Queues,
            definition: settings(json!({
                // The default exchange routes by queue name, and the routing key of a waiting message is its domain.
                "dead-letter-exchange": "",
                "dead-letter-strategy": retry_strategy(),
                "message-ttl": millis(queue.delay().mul_f64(retry_scale)),
                "overflow": "reject-publish",
                "queue-leader-locator": "balanced",
            })),
        });
    }
}

/// A message leaves its delay queue only once the queue that it goes to has it.
fn retry_strategy() -> &'static str {
    if mutated(Mutant::AtMostOnceRetries) { "at-most-once" } else { "at-least-once" }
}

fn millis(delay: Duration) -> u64 {
    u64::try_from(delay.as_millis()).unwrap_or(u64::MAX).max(1)
}

fn exchange(name: &str, kind: ExchangeKind) -> Exchange {
    Exchange { name: name.to_owned(), kind }
}

fn binding(exchange: &str, queue: &str, key: &str) -> Binding {
    Binding { exchange: exchange.to_owned(), queue: queue.to_owned(), key: key.to_owned() }
}

fn settings(definition: Value) -> Map<String, Value> {
    match definition {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
