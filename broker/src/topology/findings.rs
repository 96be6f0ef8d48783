//! Differences that no step can remove: obstacles prevent applying, warnings do not.

use std::fmt;

use fancy_regex::Regex;
use millrace_protocol::topology::{ApplyTo, POLICY_PRIORITY, Topology};

use super::state::{FoundExchange, FoundPolicy, QUEUE_TYPE, QUORUM, State};

/// The first version with at-least-once dead-lettering and TTL for quorum queues.
const OLDEST_VERSION: (u32, u32) = (3, 10);

/// Something that a person must change before the topology can be applied. Its `Display` says what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// The broker is older than RabbitMQ 3.10, whose quorum queues can expire and dead-letter messages at least once.
    OldBroker {
        /// The broker's version.
        version: String,
    },
    /// The feature flag `quorum_queue` is off.
    NoQuorumQueues,
    /// A queue with a name from the topology has another type than quorum.
    QueueType {
        /// The queue's name.
        queue: String,
        /// The queue's type, such as `classic`.
        kind: String,
    },
    /// A queue with a name from the topology was declared with arguments, which win over policies.
    QueueArguments {
        /// The queue's name.
        queue: String,
        /// The names of the arguments.
        arguments: Vec<String>,
    },
    /// An exchange with a name from the topology has other properties.
    Exchange {
        /// The exchange's name.
        exchange: String,
        /// The properties found, such as `transient fanout exchange`.
        found: String,
        /// The properties needed, such as `durable topic exchange`.
        wanted: String,
    },
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OldBroker { version } => {
                let (major, minor) = OLDEST_VERSION;
                write!(
                    f,
                    "the broker is RabbitMQ {version}; {major}.{minor} is the first that can retry without \
                     losing messages: upgrade it"
                )
            }
            Self::NoQuorumQueues => f.write_str(
                "the broker has no quorum queues: turn them on with `rabbitmqctl enable_feature_flag quorum_queue`",
            ),
            Self::QueueType { queue, kind } => write!(
                f,
                "queue `{queue}` is a {kind} queue and must be a {QUORUM} queue, and a queue's type can't be \
                 changed: let it run empty, remove it in the console, and apply again"
            ),
            Self::QueueArguments { queue, arguments } => write!(
                f,
                "queue `{queue}` was declared with {}, which win over policies and can't be changed: let it run \
                 empty, remove it in the console, and apply again",
                arguments.join(", ")
            ),
            Self::Exchange { exchange, found, wanted } => write!(
                f,
                "exchange `{exchange}` is a {found} and must be a {wanted}, and an exchange can't be changed: \
                 stop whoever publishes to it, remove it in the console, and apply again"
            ),
        }
    }
}

/// Something that weakens a guarantee. Its `Display` says what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// The feature flag `stream_queue` is off, without which messages are dead-lettered at most once.
    NoStreams,
    /// A foreign policy with a higher priority applies instead of ours.
    Overruled {
        /// The foreign policy's name.
        policy: String,
        /// The foreign policy's priority.
        priority: i64,
        /// Such as ``queue `offers` ``.
        objects: Vec<String>,
    },
    /// An operator policy applies as well; of two limits, RabbitMQ takes the lower one.
    Operator {
        /// The operator policy's name.
        policy: String,
        /// The operator policy's settings, such as `max-length 10`.
        settings: String,
        /// Such as ``queue `offers` ``.
        objects: Vec<String>,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoStreams => f.write_str(
                "feature flag `stream_queue` is off, so a message may be lost on its way to a retry or a dead-letter \
                 queue: turn it on with `rabbitmqctl enable_feature_flag stream_queue`",
            ),
            Self::Overruled { policy, priority, objects } => write!(
                f,
                "only the strongest policy applies to an object, so policy `{policy}` with priority {priority} \
                 keeps ours with priority {POLICY_PRIORITY} off {}: narrow its pattern or lower its priority",
                objects.join(", ")
            ),
            Self::Operator { policy, settings, objects } => write!(
                f,
                "operator policy `{policy}` sets {settings} on {}: where it is stricter than ours it wins, so \
                 check that it loses no messages",
                objects.join(", ")
            ),
        }
    }
}

pub(super) fn obstacles(wanted: &Topology, found: &State) -> Vec<Obstacle> {
    let mut obstacles = Vec::new();
    if version(&found.version).is_some_and(|version| version < OLDEST_VERSION) {
        obstacles.push(Obstacle::OldBroker { version: found.version.clone() });
    }
    if found.feature_flags.get("quorum_queue") == Some(&false) {
        obstacles.push(Obstacle::NoQuorumQueues);
    }
    for exchange in &wanted.exchanges {
        let there = found.exchanges.iter().find(|there| there.name == exchange.name);
        let wanted = format!("durable {} exchange", exchange.kind.name());
        let wrong = there.map(describe).filter(|found| *found != wanted);
        obstacles.extend(wrong.map(|found| Obstacle::Exchange {
            exchange: exchange.name.clone(),
            found,
            wanted,
        }));
    }
    let ours = |name: &String| found.queues.iter().find(|there| there.name == *name);
    for queue in wanted.queues.iter().filter_map(ours) {
        let arguments: Vec<String> =
            queue.arguments.keys().filter(|key| *key != QUEUE_TYPE).cloned().collect();
        if queue.kind != QUORUM {
            obstacles.push(Obstacle::QueueType { queue: queue.name.clone(), kind: queue.kind.clone() });
        } else if !arguments.is_empty() {
            obstacles.push(Obstacle::QueueArguments { queue: queue.name.clone(), arguments });
        }
    }
    obstacles
}

pub(super) fn warnings(wanted: &Topology, found: &State) -> Vec<Warning> {
    let mut warnings = Vec::new();
    if found.feature_flags.get("stream_queue") == Some(&false) {
        warnings.push(Warning::NoStreams);
    }
    let is_ours = |policy: &FoundPolicy| wanted.policies.iter().any(|ours| ours.name == policy.name);
    let rivals = found.policies.iter().filter(|it| it.priority >= POLICY_PRIORITY && !is_ours(it));
    warnings.extend(by_policy(rivals, wanted).map(|(policy, objects)| Warning::Overruled {
        policy: policy.name.clone(),
        priority: policy.priority,
        objects,
    }));
    warnings.extend(by_policy(&found.operator_policies, wanted).map(|(policy, objects)| Warning::Operator {
        policy: policy.name.clone(),
        settings: in_words(policy),
        objects,
    }));
    warnings
}

/// The exchanges and queues of the topology to which each of these policies applies. Of all policies that match a name, the
/// one with the highest priority applies.
fn by_policy<'a>(
    policies: impl IntoIterator<Item = &'a FoundPolicy>,
    wanted: &Topology,
) -> impl Iterator<Item = (&'a FoundPolicy, Vec<String>)> {
    let mut reaches: Vec<(Reach<'a>, Vec<String>)> =
        policies.into_iter().map(|policy| (Reach::of(policy), Vec::new())).collect();
    reaches.sort_by_key(|(reach, _)| std::cmp::Reverse(reach.policy.priority));
    let exchanges = wanted.exchanges.iter().map(|exchange| (ApplyTo::Exchanges, "exchange", &exchange.name));
    let queues = wanted.queues.iter().map(|queue| (ApplyTo::Queues, "queue", queue));
    for (kind, word, name) in exchanges.chain(queues) {
        if let Some((_, objects)) = reaches.iter_mut().find(|(reach, _)| reach.covers(kind, name)) {
            objects.push(format!("{word} `{name}`"));
        }
    }
    reaches
        .into_iter()
        .filter(|(_, objects)| !objects.is_empty())
        .map(|(reach, objects)| (reach.policy, objects))
}

/// A policy and the names it matches. The broker also reports which policy applies to a queue, but up to a minute late.
struct Reach<'a> {
    policy: &'a FoundPolicy,
    /// The broker's regular expressions are Perl's. One that can't be parsed here is taken to match every name.
    pattern: Option<Regex>,
}

impl<'a> Reach<'a> {
    fn of(policy: &'a FoundPolicy) -> Self {
        Self { policy, pattern: Regex::new(&policy.pattern).ok() }
    }

    fn covers(&self, kind: ApplyTo, name: &str) -> bool {
        let kinds: &[&str] = match kind {
            ApplyTo::Exchanges => &["all", "exchanges"],
            ApplyTo::Queues => &["all", "queues", "quorum_queues"],
        };
        let matching = self.pattern.as_ref().is_none_or(|pattern| pattern.is_match(name).unwrap_or(true));
        kinds.contains(&self.policy.apply_to.as_str()) && matching
    }
}

fn in_words(policy: &FoundPolicy) -> String {
    let settings: Vec<String> =
        policy.definition.iter().map(|(key, value)| format!("{key} {value}")).collect();
    settings.join(", ")
}

fn describe(exchange: &FoundExchange) -> String {
    let durability = if exchange.durable { "durable" } else { "transient" };
    let auto_delete = if exchange.auto_delete { " auto-delete" } else { "" };
    let internal = if exchange.internal { " internal" } else { "" };
    let arguments: Vec<&str> = exchange.arguments.keys().map(String::as_str).collect();
    let with = if arguments.is_empty() { String::new() } else { format!(" with {}", arguments.join(", ")) };
    format!("{durability}{auto_delete}{internal} {} exchange{with}", exchange.kind)
}

/// Major and minor version; `None` where they are not numbers, and then no version is required.
fn version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}
