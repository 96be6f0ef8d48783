//! What is on the broker now, as far as it can concern the topology.

use std::collections::BTreeMap;

use millrace_protocol::topology::Binding;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::management::{Management, ManagementError};

/// The type of every queue in the topology.
pub(super) const QUORUM: &str = "quorum";
/// The argument that says a queue's type.
pub(super) const QUEUE_TYPE: &str = "x-queue-type";

/// What is in the vhost, including things of other systems.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct State {
    /// RabbitMQ's version, such as `4.0.5`.
    pub version: String,
    /// Whether each feature flag is on; empty where the user may not list them.
    pub feature_flags: BTreeMap<String, bool>,
    pub exchanges: Vec<FoundExchange>,
    pub queues: Vec<FoundQueue>,
    /// Also those between two exchanges.
    pub bindings: Vec<FoundBinding>,
    pub policies: Vec<FoundPolicy>,
    /// Empty where the user may not list them.
    pub operator_policies: Vec<FoundPolicy>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct FoundExchange {
    pub name: String,
    /// `topic`, `fanout` and so on.
    #[serde(rename = "type")]
    pub kind: String,
    pub durable: bool,
    pub auto_delete: bool,
    pub internal: bool,
    #[serde(default)]
    pub arguments: Map<String, Value>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct FoundQueue {
    pub name: String,
    /// `quorum`, `classic` or `stream`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Given when the queue was declared; they win over policies.
    #[serde(default)]
    pub arguments: Map<String, Value>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct FoundBinding {
    /// The exchange; empty for the default exchange.
    pub source: String,
    pub destination: String,
    /// `queue` or `exchange`.
    pub destination_type: String,
    pub routing_key: String,
    /// Only exchanges of type `headers` use them.
    #[serde(default)]
    pub arguments: Map<String, Value>,
    /// The key by which the management API identifies the binding; made of routing key and arguments.
    pub properties_key: String,
}

impl FoundBinding {
    /// The same binding as the topology writes it, without its arguments.
    pub fn binding(&self) -> Binding {
        Binding {
            exchange: self.source.clone(),
            queue: self.destination.clone(),
            key: self.routing_key.clone(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct FoundPolicy {
    pub name: String,
    /// A regular expression over names of queues or exchanges.
    pub pattern: String,
    /// `queues`, `exchanges`, `all` or, on newer brokers, queues of one type such as `quorum_queues`.
    #[serde(rename = "apply-to")]
    pub apply_to: String,
    /// Of all matching policies, only the one with the highest priority applies.
    pub priority: i64,
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

/// Reads the vhost.
pub(super) async fn read(management: &Management) -> Result<State, ManagementError> {
    // First and alone, because only this request tells a wrong address or password from all other errors.
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

/// Some brokers let only administrators list these, and applying a topology must not need an administrator.
async fn if_allowed<T>(
    list: impl Future<Output = Result<Vec<T>, ManagementError>>,
) -> Result<Vec<T>, ManagementError> {
    match list.await {
        Err(ManagementError::NotAllowed { .. }) => Ok(Vec::new()),
        other => other,
    }
}
