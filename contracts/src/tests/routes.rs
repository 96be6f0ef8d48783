//! Which domain gets what, how often it is tried, and what must exist on the broker.

use std::collections::BTreeSet;
use std::fmt::Write;

use millrace_protocol::topology::Topology;
use millrace_protocol::topology::dead_queue;
use millrace_protocol::{DelayQueue, Kind, RetrySchedule};

use crate::{catalog, orders};

#[test]
fn who_subscribes_to_what() {
    let mut told = String::new();
    for entry in catalog().entries() {
        let handlers: Vec<_> = entry.handlers().iter().map(|domain| domain.as_str()).collect();
        let to = if handlers.is_empty() { "nobody".to_owned() } else { handlers.join(", ") };
        let attempts = entry.retry.max_attempts();
        writeln!(
            told,
            "{:<20} {:<8} -> {to} ({attempts} attempts)",
            entry.message_type,
            entry.route().exchange
        )
        .unwrap();
    }
    insta::assert_snapshot!(told);
}

#[test]
fn a_command_has_one_handler_and_every_domain_is_found_by_its_name() {
    for entry in catalog().entries() {
        if entry.kind != Kind::Event {
            assert_eq!(entry.handlers().len(), 1, "{}", entry.message_type);
        }
    }
    for domain in catalog().domains() {
        assert_eq!(catalog().domain(domain.as_str()), Some(*domain));
    }
}

#[test]
fn retry_schedules() {
    let mut told = String::new();
    for (name, policy) in [("quick", RetrySchedule::QUICK), ("patient", RetrySchedule::PATIENT)] {
        for attempt in 1..=policy.max_attempts() {
            let after = policy.after(attempt).map_or("dead letter".to_owned(), DelayQueue::name);
            writeln!(told, "{name}: after attempt {attempt} {after}").unwrap();
        }
    }
    insta::assert_snapshot!(told);
    assert_eq!(RetrySchedule::QUICK.after(0), RetrySchedule::QUICK.after(1), "attempts are counted from 1");
    assert_eq!(RetrySchedule::QUICK.after(u32::MAX), None);
}

#[test]
fn a_wait_is_never_shorter_than_asked_unless_it_is_the_longest() {
    for queue in DelayQueue::ALL {
        assert_eq!(DelayQueue::at_least(queue.delay()), queue);
        assert!(DelayQueue::at_least(queue.delay() - std::time::Duration::from_millis(1)) <= queue);
    }
    assert_eq!(DelayQueue::at_least(std::time::Duration::MAX), DelayQueue::H_1);
    assert!(DelayQueue::ALL.is_sorted_by_key(|queue| queue.delay()));
    assert!(DelayQueue::ALL.is_sorted(), "the longer delay is the greater one");
}

#[test]
fn what_must_exist_on_the_broker() {
    insta::assert_snapshot!(told(&Topology::of(catalog(), 1.0)));
}

fn told(topology: &Topology) -> String {
    let mut told = String::new();
    for exchange in &topology.exchanges {
        writeln!(told, "exchange {} ({})", exchange.name, exchange.kind.name()).unwrap();
    }
    for queue in &topology.queues {
        writeln!(told, "queue {queue}").unwrap();
    }
    for binding in &topology.bindings {
        writeln!(told, "binding {} -> {} for {:?}", binding.exchange, binding.queue, binding.key).unwrap();
    }
    for policy in &topology.policies {
        let (name, pattern, apply_to) = (&policy.name, &policy.pattern, policy.apply_to.name());
        let definition = serde_json::to_string(&policy.definition).unwrap();
        writeln!(told, "policy {name} for {apply_to} {pattern}: {definition}").unwrap();
    }
    told
}

#[test]
fn every_binding_and_policy_is_about_something_that_exists_and_names_are_used_once() {
    let topology = Topology::of(catalog(), 1.0);
    let exchanges: BTreeSet<_> = topology.exchanges.iter().map(|exchange| exchange.name.as_str()).collect();
    let queues: BTreeSet<_> = topology.queues.iter().map(String::as_str).collect();
    let bindings: BTreeSet<_> = topology.bindings.iter().collect();
    let policies: BTreeSet<_> = topology.policies.iter().map(|policy| &policy.name).collect();
    assert_eq!(exchanges.len(), topology.exchanges.len());
    assert_eq!(queues.len(), topology.queues.len());
    assert_eq!(bindings.len(), topology.bindings.len());
    assert_eq!(policies.len(), topology.policies.len());
    for binding in &topology.bindings {
        assert!(
            exchanges.contains(binding.exchange.as_str()) && queues.contains(binding.queue.as_str()),
            "{binding:?}"
        );
    }
    for queue in &topology.queues {
        assert!(topology.bindings.iter().any(|binding| binding.queue == *queue), "{queue} gets nothing");
    }
}

/// Scaled down for tests in a hurry, the delays keep their order, and none is zero.
#[test]
fn scaled_delays_keep_their_order() {
    for scale in [0.1, 0.001, 0.0] {
        let delays: Vec<_> = Topology::of(catalog(), scale)
            .policies
            .iter()
            .filter(|policy| policy.name.starts_with("retry."))
            .map(|policy| policy.definition["message-ttl"].as_u64().unwrap())
            .collect();
        assert_eq!(delays.len(), DelayQueue::ALL.len());
        assert!(delays.is_sorted() && delays.iter().all(|delay| *delay >= 1), "{scale}: {delays:?}");
    }
    assert_eq!(dead_queue(orders::DOMAIN), "orders.dead");
}
