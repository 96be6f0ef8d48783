//! The topology on a broker: compares it with what this release needs, describes the difference and applies it.
//!
//! Everything goes through the management HTTP API, because AMQP can't declare policies. Only operators apply a topology;
//! workers and the API need no permission to configure anything but reply queues.

mod findings;
mod management;
mod plan;
mod state;

#[cfg(test)]
mod tests;

use std::time::Duration;

use millrace_protocol::topology::{POLICY_PRIORITY, Policy, Topology};
use serde_json::json;

pub use findings::{Obstacle, Warning};
pub use management::{Management, ManagementError, vhost_of};
use plan::compare;
pub use plan::{Plan, Step};
#[cfg(test)]
use state::{FoundBinding, FoundExchange, FoundPolicy, FoundQueue, State};
use state::{QUEUE_TYPE, QUORUM};

/// In a cluster, the other nodes learn of a change a moment later, so the result is compared this often before it counts as
/// different.
const SETTLE_CHECKS: u32 = 20;
const SETTLE_PAUSE: Duration = Duration::from_millis(250);

/// Why a topology was not applied.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TopologyError {
    /// The management API failed or refused. Steps taken before remain, and applying again is safe.
    #[error(transparent)]
    Management(#[from] ManagementError),
    /// A person must remove these obstacles first. Nothing was changed.
    #[error("Nothing was changed, because:{}", lines(.0))]
    Blocked(Vec<Obstacle>),
    /// All steps were taken, and these are needed again.
    #[error("All steps were taken, but the broker still differs; somebody else is changing it:{}", lines(.0))]
    Unsettled(Vec<Step>),
}

fn lines(items: &[impl ToString]) -> String {
    items.iter().map(|item| format!("\n  {}", item.to_string())).collect()
}

/// Compares the broker with `wanted` and changes nothing.
pub async fn plan(management: &Management, wanted: &Topology) -> Result<Plan, TopologyError> {
    Ok(compare(wanted, &state::read(management).await?))
}

/// Changes the broker until it matches `wanted`, calls `done` after each step, and compares again at the end. Applying twice
/// does no harm. Gives the remaining warnings.
pub async fn apply(
    management: &Management,
    wanted: &Topology,
    mut done: impl FnMut(&Step),
) -> Result<Vec<Warning>, TopologyError> {
    let Plan { steps, obstacles, .. } = plan(management, wanted).await?;
    if !obstacles.is_empty() {
        return Err(TopologyError::Blocked(obstacles));
    }
    for step in &steps {
        carry_out(management, step).await?;
        done(step);
    }
    for _ in 1..SETTLE_CHECKS {
        let left = plan(management, wanted).await?;
        if left.is_settled() {
            return Ok(left.warnings);
        }
        tokio::time::sleep(SETTLE_PAUSE).await;
    }
    let left = plan(management, wanted).await?;
    if left.is_settled() { Ok(left.warnings) } else { Err(TopologyError::Unsettled(left.steps)) }
}

async fn carry_out(management: &Management, step: &Step) -> Result<(), ManagementError> {
    let doing = step.to_string();
    match step {
        Step::CreateExchange(exchange) => {
            let body = json!({
                "type": exchange.kind.name(), "durable": true, "auto_delete": false, "internal": false,
                "arguments": {},
            });
            management.put("exchanges", &[&exchange.name], &body, &doing).await
        }
        Step::CreatePolicy(policy) | Step::ChangePolicy { policy, .. } => {
            let Policy { name, pattern, apply_to, definition } = policy;
            let body = json!({
                "pattern": pattern, "apply-to": apply_to.name(), "definition": definition,
                "priority": POLICY_PRIORITY,
            });
            management.put("policies", &[name], &body, &doing).await
        }
        Step::CreateQueue(name) => {
            let body = json!({
                "durable": true, "auto_delete": false, "arguments": { QUEUE_TYPE: QUORUM },
            });
            management.put("queues", &[name], &body, &doing).await
        }
        Step::Bind(binding) => {
            let names = ["e", &binding.exchange, "q", &binding.queue];
            let body = json!({ "routing_key": binding.key, "arguments": {} });
            management.post("bindings", &names, &body, &doing).await
        }
        Step::Unbind { binding, properties_key } => {
            let names = ["e", &binding.exchange, "q", &binding.queue, properties_key];
            management.delete("bindings", &names, &doing).await
        }
        Step::RemovePolicy(name) => management.delete("policies", &[name], &doing).await,
    }
}
