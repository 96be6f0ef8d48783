//! The steps that make a broker match a topology: a pure comparison, and each step as text.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;

use millrace_protocol::topology::{Binding, Exchange, POLICY_PRIORITY, Policy, Topology};
use serde_json::Value;

use super::findings::{self, Obstacle, Warning};
use super::state::{FoundPolicy, QUORUM, State};

/// The difference between a topology and a broker.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// The steps to take, in this order.
    pub steps: Vec<Step>,
    /// What no step can change. While there is an obstacle, nothing is applied.
    pub obstacles: Vec<Obstacle>,
    /// What works, but weakens a guarantee. Warnings do not prevent applying.
    pub warnings: Vec<Warning>,
}

impl Plan {
    /// Whether the broker matches the topology: there are neither steps nor obstacles.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.steps.is_empty() && self.obstacles.is_empty()
    }
}

/// One change to the broker. Its `Display` is an imperative sentence such as ``create quorum queue `offers` ``.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Create this durable exchange.
    CreateExchange(Exchange),
    /// Create this policy.
    CreatePolicy(Policy),
    /// Replace a policy of this system whose settings differ.
    ChangePolicy {
        /// The policy as it must be.
        policy: Policy,
        /// The differences, such as `message-ttl 1000 → 100`.
        changes: Vec<String>,
    },
    /// Create a quorum queue with this name.
    CreateQueue(String),
    /// Create this binding.
    Bind(Binding),
    /// Remove a binding between an exchange and a queue of this system that the topology does not have.
    Unbind {
        /// The binding to remove.
        binding: Binding,
        /// The key by which the management API identifies it.
        properties_key: String,
    },
    /// Remove the policy with this name: the topology no longer has it.
    RemovePolicy(String),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CreateExchange(Exchange { name, kind }) => {
                write!(f, "create {} exchange `{name}`", kind.name())
            }
            Self::CreatePolicy(Policy { name, apply_to, pattern, definition, .. }) => {
                let settings: Vec<String> =
                    definition.iter().map(|(key, value)| format!("{key} {value}")).collect();
                let (apply_to, settings) = (apply_to.name(), settings.join(", "));
                write!(f, "create policy `{name}` for {apply_to} `{pattern}`: {settings}")
            }
            Self::ChangePolicy { policy, changes } => {
                write!(f, "change policy `{}`: {}", policy.name, changes.join(", "))
            }
            Self::CreateQueue(name) => write!(f, "create {QUORUM} queue `{name}`"),
            Self::Bind(binding) => write!(f, "bind {}", in_words(binding, "to")),
            Self::Unbind { binding, .. } => write!(f, "remove the binding of {}", in_words(binding, "to")),
            Self::RemovePolicy(name) => write!(f, "remove policy `{name}`, which is no longer needed"),
        }
    }
}

fn in_words(Binding { exchange, queue, key }: &Binding, to: &str) -> String {
    match key.as_str() {
        "" => format!("`{queue}` {to} exchange `{exchange}`"),
        _ => format!("`{queue}` {to} exchange `{exchange}` for `{key}`"),
    }
}

/// Compares a topology with what is on a broker.
///
/// The order of the steps matters. Policies come before queues, so that no queue exists without its limits and its
/// dead-letter target. Bindings follow when both of their ends exist. Removals come last, so that a message has its new route
/// before it loses its old one.
pub(super) fn compare(wanted: &Topology, found: &State) -> Plan {
    let mut steps = Vec::new();
    steps.extend(new_exchanges(wanted, found));
    steps.extend(new_and_changed_policies(wanted, found));
    steps.extend(new_queues(wanted, found));
    steps.extend(new_bindings(wanted, found));
    steps.extend(stale_bindings(wanted, found));
    steps.extend(stale_policies(wanted, found));
    Plan { steps, obstacles: findings::obstacles(wanted, found), warnings: findings::warnings(wanted, found) }
}

fn new_exchanges(wanted: &Topology, found: &State) -> impl Iterator<Item = Step> {
    let existing: HashSet<&str> = found.exchanges.iter().map(|exchange| exchange.name.as_str()).collect();
    let new = wanted.exchanges.iter().filter(move |exchange| !existing.contains(exchange.name.as_str()));
    new.cloned().map(Step::CreateExchange)
}

fn new_queues(wanted: &Topology, found: &State) -> impl Iterator<Item = Step> {
    let existing: HashSet<&str> = found.queues.iter().map(|queue| queue.name.as_str()).collect();
    let new = wanted.queues.iter().filter(move |name| !existing.contains(name.as_str()));
    new.cloned().map(Step::CreateQueue)
}

fn new_and_changed_policies(wanted: &Topology, found: &State) -> impl Iterator<Item = Step> {
    let existing: HashMap<&str, &FoundPolicy> =
        found.policies.iter().map(|policy| (policy.name.as_str(), policy)).collect();
    wanted.policies.iter().filter_map(move |policy| match existing.get(policy.name.as_str()) {
        None => Some(Step::CreatePolicy(policy.clone())),
        Some(found) => {
            let changes = policy_changes(policy, found);
            (!changes.is_empty()).then(|| Step::ChangePolicy { policy: policy.clone(), changes })
        }
    })
}

fn policy_changes(wanted: &Policy, found: &FoundPolicy) -> Vec<String> {
    let mut changes = Vec::new();
    let mut compare = |what: &str, from: &str, to: &str| {
        if from != to {
            changes.push(format!("{what} {from} → {to}"));
        }
    };
    compare("pattern", &found.pattern, &wanted.pattern);
    compare("applies to", &found.apply_to, wanted.apply_to.name());
    compare("priority", &found.priority.to_string(), &POLICY_PRIORITY.to_string());
    let keys: BTreeSet<&String> = wanted.definition.keys().chain(found.definition.keys()).collect();
    for key in keys {
        let shown = |value: Option<&Value>| value.map_or_else(|| "not set".to_owned(), Value::to_string);
        compare(key, &shown(found.definition.get(key)), &shown(wanted.definition.get(key)));
    }
    changes
}

fn new_bindings(wanted: &Topology, found: &State) -> impl Iterator<Item = Step> {
    let existing: BTreeSet<Binding> = found
        .bindings
        .iter()
        .filter(|binding| binding.destination_type == "queue" && binding.arguments.is_empty())
        .map(|binding| binding.binding())
        .collect();
    wanted.bindings.iter().filter(move |binding| !existing.contains(binding)).cloned().map(Step::Bind)
}

/// Bindings between an exchange and a queue of the topology belong to it; all others are left alone.
fn stale_bindings(wanted: &Topology, found: &State) -> impl Iterator<Item = Step> {
    let exchanges: HashSet<&str> = wanted.exchanges.iter().map(|exchange| exchange.name.as_str()).collect();
    let queues: HashSet<&str> = wanted.queues.iter().map(String::as_str).collect();
    let wanted: BTreeSet<&Binding> = wanted.bindings.iter().collect();
    found.bindings.iter().filter_map(move |found| {
        let ours = found.destination_type == "queue"
            && exchanges.contains(found.source.as_str())
            && queues.contains(found.destination.as_str());
        let binding = found.binding();
        let stale = ours && !(wanted.contains(&binding) && found.arguments.is_empty());
        stale.then(|| Step::Unbind { binding, properties_key: found.properties_key.clone() })
    })
}

/// Policies of another release, recognized by their names and their priority.
fn stale_policies(wanted: &Topology, found: &State) -> impl Iterator<Item = Step> {
    let names: HashSet<&str> = wanted.policies.iter().map(|policy| policy.name.as_str()).collect();
    let stale = found.policies.iter().filter(move |policy| {
        let ours = policy.priority == POLICY_PRIORITY && Policy::is_our_name(&policy.name);
        ours && !names.contains(policy.name.as_str())
    });
    stale.map(|policy| Step::RemovePolicy(policy.name.clone()))
}
