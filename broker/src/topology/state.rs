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
    /// All operator policies; empty where we may not ask.
    pub operator_policies: Vec<FoundPolicy>,
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
    let (exchanges, queues, bindings, policies, operator_policies, feature_flags) = tokio::try_join!(
        management.list("exchanges", "?columns=name,type,durable,auto_delete,internal,arguments"),
        management.list("queues", "?columns=name,type,arguments"),
        management.list("bindings", ""),
        management.list("policies", ""),
        if_allowed(management.list("operator-policies", "")),
        if_allowed(management.read_global("feature-flags", "list feature flags")),
    )?;
    let on = |flag: FeatureFlag| (flag.name, flag.state == "enabled");
    Ok(State {
        version: overview.rabbitmq_version,
        feature_flags: feature_flags.into_iter().map(on).collect(),
        exchanges,
        queues,
        bindings,
        policies,
        operator_policies,
    })
}

/// On some brokers only administrators may ask, and applying a topology needs no administrator.
async fn if_allowed<T>(
    list: impl Future<Output = Result<Vec<T>, ManagementError>>,
) -> Result<Vec<T>, ManagementError> {
    match list.await {
        Err(ManagementError::NotAllowed { .. }) => Ok(Vec::new()),
        other => other,
    }
}
