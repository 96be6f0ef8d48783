//! What is on the broker now, as far as the topology can concern it.

use std::collections::BTreeMap;

use millrace_contracts::topology::Binding;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::management::{Management, ManagementError};

/// What is in the vhost, foreign things included.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct State {
    /// Such as `4.0.5`.
    pub version: String,
    /// Whether each feature flag is on; empty where we may not ask.
    pub feature_flags: BTreeMap<String, bool>,
    /// All exchanges.
    pub exchanges: Vec<FoundExchange>,
    /// All queues.
    pub queues: Vec<FoundQueue>,
    /// All bindings, between exchanges too.
    pub bindings: Vec<FoundBinding>,
    /// All policies.
    pub policies: Vec<FoundPolicy>,
}

/// An exchange on the broker.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct FoundExchange {
    /// Its name.
    pub name: String,
    /// Such as `topic`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Outlives a restart of the broker.
    pub durable: bool,
    /// Goes with its last binding.
    pub auto_delete: bool,
    /// Closed to publishers.
    pub internal: bool,
    /// Fixed at its declaration.
    #[serde(default)]
    pub arguments: Map<String, Value>,
    /// The one policy that applies.
    #[serde(default)]
    pub policy: Option<String>,
}

/// A queue on the broker.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct FoundQueue {
    /// Its name.
    pub name: String,
    /// Such as `quorum`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Fixed at its declaration; these win over policies.
    #[serde(default)]
    pub arguments: Map<String, Value>,
    /// The one policy that applies.
    #[serde(default)]
    pub policy: Option<String>,
    /// The one operator policy that applies on top.
    #[serde(default)]
    pub operator_policy: Option<String>,
}

/// A binding on the broker.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct FoundBinding {
    /// The exchange it starts at; empty for the default exchange.
    pub source: String,
    /// The queue or exchange it ends at.
    pub destination: String,
    /// `queue` or `exchange`.
    pub destination_type: String,
    /// The key.
    pub routing_key: String,
    /// Only exchanges of type `headers` read them.
    #[serde(default)]
    pub arguments: Map<String, Value>,
    /// Key and arguments as one name, by which the binding is removed.
    pub properties_key: String,
}

impl FoundBinding {
    /// What it would be if it were ours.
    #[must_use]
    pub fn binding(&self) -> Binding {
        Binding {
            exchange: self.source.clone(),
            queue: self.destination.clone(),
            key: self.routing_key.clone(),
        }
    }
}

/// A policy on the broker.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct FoundPolicy {
    /// Its name.
    pub name: String,
    /// Regular expression over names.
    pub pattern: String,
    /// `queues`, `exchanges`, `all` or, on newer brokers, queues of one type.
    #[serde(rename = "apply-to")]
    pub apply_to: String,
    /// The highest one applies.
    pub priority: i64,
    /// The settings.
    pub definition: Map<String, Value>,
}

#[derive(Deserialize)]
struct Overview {
    rabbitmq_version: String,
}

#[derive(Deserialize)]
struct FeatureFlag {
    name: String,
    state: String,
}

/// Reads what is there.
pub(super) async fn read(management: &Management) -> Result<State, ManagementError> {
    // First and alone, because it tells a wrong address or password from everything else.
    let overview: Overview = management.read_global("overview", "see the broker's version").await?;
    let (exchanges, queues, bindings, policies, feature_flags) = tokio::try_join!(
        management.list("exchanges", "?columns=name,type,durable,auto_delete,internal,arguments,policy"),
        management.list("queues", "?columns=name,type,arguments,policy,operator_policy"),
        management.list("bindings", ""),
        management.list("policies", ""),
        feature_flags(management),
    )?;
    Ok(State { version: overview.rabbitmq_version, feature_flags, exchanges, queues, bindings, policies })
}

async fn feature_flags(management: &Management) -> Result<BTreeMap<String, bool>, ManagementError> {
    match management.read_global::<Vec<FeatureFlag>>("feature-flags", "list feature flags").await {
        Ok(flags) => Ok(flags.into_iter().map(|flag| (flag.name, flag.state == "enabled")).collect()),
        // On older brokers only administrators may ask, and applying a topology needs no administrator.
        Err(ManagementError::NotAllowed { .. }) => Ok(BTreeMap::new()),
        Err(error) => Err(error),
    }
}
