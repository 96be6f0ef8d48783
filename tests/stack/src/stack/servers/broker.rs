//! Faults of a running RabbitMQ: alarms, and queues that accept no more.

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Servers, StackError};
use crate::services::management::{self, Method};

const EVENTS: &str = "events";
/// What the private node was started with.
const USUAL_MEMORY_LIMIT: &[&str] = &["set_vm_memory_high_watermark", "absolute", "1GB"];
const USUAL_DISK_LIMIT: &[&str] = &["set_disk_free_limit", "50MB"];

/// What the broker says it is short of; it then takes nothing from those who publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alarm {
    Memory,
    Disk,
}

impl Servers {
    /// Sets an alarm off. It goes with the node, too.
    pub async fn raise(&mut self, alarm: Alarm) -> Result<(), StackError> {
        self.raised.push(alarm);
        match alarm {
            Alarm::Memory => self.control(&["set_vm_memory_high_watermark", "absolute", "1"]).await,
            Alarm::Disk => self.control(&["set_disk_free_limit", "100000GB"]).await,
        }
    }

    pub async fn lift(&mut self, alarm: Alarm) -> Result<(), StackError> {
        match alarm {
            Alarm::Memory => self.control(USUAL_MEMORY_LIMIT).await?,
            Alarm::Disk => self.control(USUAL_DISK_LIMIT).await?,
        }
        self.raised.retain(|raised| *raised != alarm);
        Ok(())
    }

    /// Ends whatever alarm there is.
    pub async fn lift_all(&mut self) -> Result<(), StackError> {
        while let Some(alarm) = self.raised.last().copied() {
            self.lift(alarm).await?;
        }
        Ok(())
    }

    /// Makes a queue refuse whatever is published to it, and returns what makes it as it was.
    ///
    /// # Errors
    ///
    /// When the management API does not answer, or there is no such policy.
    pub async fn fill(&self, domain: &str) -> Result<Policy, StackError> {
        let path = format!("policies/{}/work.{domain}", self.vhost);
        let mut policy = self.management(Method::GET, &path, None).await?;
        let usual = Policy { path, body: policy.clone() };
        policy["definition"]["max-length"] = json!(1);
        self.put_policy(&Policy { body: policy, ..usual.clone() }).await?;
        Ok(usual)
    }

    /// Takes a queue its leader, as a node that goes away does: it neither takes nor gives messages, and keeps what it has.
    pub async fn stop_queue(&self, queue: &str) -> Result<(), StackError> {
        self.control(&["eval", &format!("ok = ra:stop_server(quorum_queues, {}).", self.replica(queue))])
            .await
    }

    /// Gives a queue its leader back.
    pub async fn start_queue(&self, queue: &str) -> Result<(), StackError> {
        self.control(&["eval", &format!("ok = ra:restart_server(quorum_queues, {}).", self.replica(queue))])
            .await
    }

    /// The queue's only replica, in Erlang's words.
    fn replica(&self, queue: &str) -> String {
        format!("{{'{}_{queue}', node()}}", self.vhost)
    }

    /// Takes away the binding by which an event reaches a domain's queue, and returns what makes it as it was.
    ///
    /// # Errors
    ///
    /// When the management API does not answer, or there is no such binding.
    pub async fn unbind(&self, domain: &str, event: &str) -> Result<Binding, StackError> {
        let nobody = || StackError::new("taking a binding away", format!("{domain} does not hear {event}"));
        let list = format!("bindings/{}/e/{EVENTS}/q/{domain}", self.vhost);
        let bindings = self.management(Method::GET, &list, None).await?;
        let mut bindings = bindings.as_array().into_iter().flatten();
        let binding = bindings.find(|binding| binding["routing_key"] == event).ok_or_else(nobody)?;
        let properties = binding["properties_key"].as_str().ok_or_else(nobody)?;
        self.management(Method::DELETE, &format!("{list}/{properties}"), None).await?;
        Ok(Binding { path: list, key: event.to_owned() })
    }

    pub async fn bind(&self, binding: &Binding) -> Result<(), StackError> {
        let body = json!({"routing_key": binding.key, "arguments": {}});
        self.management(Method::POST, &binding.path, Some(&body)).await.map(drop)
    }

    /// What the management API says about every queue of the vhost.
    pub async fn queues(&self) -> Result<Vec<Queue>, StackError> {
        let queues = self.management(Method::GET, &format!("queues/{}", self.vhost), None).await?;
        let figure = |value: &Value| value.as_u64().unwrap_or_default();
        let read = |queue: &Value| Queue {
            name: queue["name"].as_str().unwrap_or_default().to_owned(),
            messages: figure(&queue["messages"]),
            unacknowledged: figure(&queue["messages_unacknowledged"]),
            redelivered: figure(&queue["message_stats"]["redeliver"]),
        };
        Ok(queues.as_array().into_iter().flatten().map(read).collect())
    }

    /// Sets a policy as it was.
    pub async fn put_policy(&self, policy: &Policy) -> Result<(), StackError> {
        self.management(Method::PUT, &policy.path, Some(&policy.body)).await.map(drop)
    }

    async fn management(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, StackError> {
        Ok(management::ask(&self.management_url, method, path, body).await?)
    }

    async fn control(&self, arguments: &[&str]) -> Result<(), StackError> {
        let Some(mut command) = self.services.rabbitmqctl() else {
            return Err(StackError::new("rabbitmqctl", "the node is not private"));
        };
        command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
        let output = tokio::process::Command::from(command).kill_on_drop(true).output();
        let output = tokio::time::timeout(Duration::from_secs(60), output)
            .await
            .map_err(|_| StackError::new("rabbitmqctl", "no answer within 60 s"))??;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        Err(StackError::new("rabbitmqctl", said))
    }
}

/// A policy of the broker, as its management API has it.
#[derive(Debug, Clone)]
pub struct Policy {
    path: String,
    body: Value,
}

/// A binding of the broker that was taken away.
#[derive(Debug, Clone)]
pub struct Binding {
    path: String,
    key: String,
}

/// A queue's state, at most a second old.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    pub name: String,
    /// Ready and unacknowledged.
    pub messages: u64,
    /// Delivered to a worker that has not acknowledged them yet.
    pub unacknowledged: u64,
    /// Deliveries that were not the first one, since the node was started.
    pub redelivered: u64,
}
