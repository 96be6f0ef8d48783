//! Who hears what, how often it is tried, and what must exist on the broker.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::topology::{self, Topology, topology};
use crate::{Domain, Kind, RetryPolicy, Rung, catalog};

#[test]
fn who_hears_what() {
    let mut told = String::new();
    for entry in catalog::all() {
        let handlers: Vec<_> = entry.handlers().map(Domain::name).collect();
        let heard = if handlers.is_empty() { "nobody".to_owned() } else { handlers.join(", ") };
        let attempts = entry.retry.max_attempts();
        writeln!(told, "{:<20} {:<8} -> {heard} ({attempts} attempts)", entry.message_type, entry.exchange())
            .unwrap();
    }
    insta::assert_snapshot!(told);
}

#[test]
fn a_command_has_one_handler_and_everything_heard_exists() {
    for entry in catalog::all() {
        if entry.kind != Kind::Event {
            assert_eq!(entry.handlers().count(), 1, "{}", entry.message_type);
        }
    }
    for domain in Domain::ALL {
        for heard in domain.hears() {
            let entry =
                catalog::find(heard).unwrap_or_else(|| panic!("{domain} hears {heard}, which nobody says"));
            assert_eq!(entry.kind, Kind::Event, "{heard}");
        }
        assert_eq!(Domain::named(domain.name()), Some(domain));
    }
}

#[test]
fn policies_of_retrying() {
    let mut told = String::new();
    for (name, policy) in [("quick", RetryPolicy::QUICK), ("patient", RetryPolicy::PATIENT)] {
        for attempt in 1..=policy.max_attempts() {
            let after = policy.after(attempt).map_or("dead letter".to_owned(), Rung::exchange);
            writeln!(told, "{name}: after attempt {attempt} {after}").unwrap();
        }
    }
    insta::assert_snapshot!(told);
    assert_eq!(RetryPolicy::QUICK.after(0), RetryPolicy::QUICK.after(1), "attempts are counted from 1");
    assert_eq!(RetryPolicy::QUICK.after(u32::MAX), None);
}

#[test]
fn a_wait_is_never_shorter_than_asked_unless_the_ladder_ends() {
    for rung in Rung::LADDER {
        assert_eq!(Rung::at_least(rung.delay()), rung);
        assert!(Rung::at_least(rung.delay() - std::time::Duration::from_millis(1)) <= rung);
    }
    assert_eq!(Rung::at_least(std::time::Duration::MAX), Rung::H_1);
    assert!(Rung::LADDER.is_sorted_by_key(|rung| rung.delay()));
    assert!(Rung::LADDER.is_sorted(), "the longer wait is the greater rung");
}

#[test]
fn what_must_exist_on_the_broker() {
    insta::assert_snapshot!(told(&topology(1.0)));
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
    let topology = topology(1.0);
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

/// The ladder scaled down, for tests in a hurry, is still a ladder and never a queue without delay.
#[test]
fn a_scaled_ladder_keeps_its_order() {
    for scale in [0.1, 0.001, 0.0] {
        let delays: Vec<_> = topology(scale)
            .policies
            .iter()
            .filter(|policy| policy.name.starts_with("retry."))
            .map(|policy| policy.definition["message-ttl"].as_u64().unwrap())
            .collect();
        assert_eq!(delays.len(), Rung::LADDER.len());
        assert!(delays.is_sorted() && delays.iter().all(|delay| *delay >= 1), "{scale}: {delays:?}");
    }
    assert_eq!(topology::dead_queue(Domain::Orders), "orders.dead");
}
