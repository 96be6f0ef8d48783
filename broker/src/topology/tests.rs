//! Differences between a topology and a broker, and the text that describes them.

use fancy_regex::Regex;
use millrace_protocol::topology::{ApplyTo, POLICY_PRIORITY, Topology};
use millrace_protocol::{About, Catalog, Contract, Domain, DomainName, Kind};
use reqwest::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use url::Url;

use super::*;

#[derive(Serialize, Deserialize, JsonSchema)]
struct Make {}

impl Contract for Make {
    const TYPE: &'static str = "offers.make";
    const KIND: Kind = Kind::Command;
    fn example() -> Self {
        Self {}
    }
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Stored {}

impl Contract for Stored {
    const TYPE: &'static str = "uploads.stored";
    const KIND: Kind = Kind::Event;
    fn example() -> Self {
        Self {}
    }
}

/// The topology of a small system.
fn topology(retry_scale: f64) -> Topology {
    let domain = |name| Domain::new(DomainName::new(name));
    let about = About { title: "Small", version: "1.0.0", description: "" };
    let domains = [
        domain("alarms"),
        domain("uploads").message::<Stored>(),
        domain("offers").message::<Make>().subscribes::<Stored>(),
        domain("parcels"),
    ];
    Topology::of(&Catalog::new(about, domains), retry_scale)
}

/// The broker right after `wanted` was applied, including what every vhost has.
fn applied(wanted: &Topology) -> State {
    let mut state = fresh();
    state.exchanges.extend(wanted.exchanges.iter().map(|it| exchange(&it.name, it.kind.name())));
    state.queues.extend(wanted.queues.iter().map(|name| queue(name, "quorum")));
    state.bindings.extend(wanted.queues.iter().map(|name| binding("", name, name)));
    state.bindings.extend(wanted.bindings.iter().map(|it| binding(&it.exchange, &it.queue, &it.key)));
    state.policies.extend(wanted.policies.iter().map(|it| FoundPolicy {
        name: it.name.clone(),
        pattern: it.pattern.clone(),
        apply_to: it.apply_to.name().to_owned(),
        priority: POLICY_PRIORITY,
        definition: it.definition.clone(),
    }));
    state
}

/// A new vhost.
fn fresh() -> State {
    State {
        version: "3.10.8".to_owned(),
        feature_flags: [("quorum_queue", true), ("stream_queue", true)]
            .map(|(name, on)| (name.to_owned(), on))
            .into(),
        exchanges: vec![
            exchange("", "direct"),
            exchange("amq.direct", "direct"),
            exchange("amq.topic", "topic"),
        ],
        ..State::default()
    }
}

fn exchange(name: &str, kind: &str) -> FoundExchange {
    FoundExchange {
        name: name.to_owned(),
        kind: kind.to_owned(),
        durable: true,
        auto_delete: false,
        internal: false,
        arguments: Map::new(),
    }
}

fn queue(name: &str, kind: &str) -> FoundQueue {
    FoundQueue {
        name: name.to_owned(),
        kind: kind.to_owned(),
        arguments: object(json!({ "x-queue-type": kind })),
    }
}

fn binding(exchange: &str, queue: &str, key: &str) -> FoundBinding {
    FoundBinding {
        source: exchange.to_owned(),
        destination: queue.to_owned(),
        destination_type: "queue".to_owned(),
        routing_key: key.to_owned(),
        arguments: Map::new(),
        properties_key: if key.is_empty() { "~".to_owned() } else { key.to_owned() },
    }
}

fn foreign_policy(name: &str, priority: i64) -> FoundPolicy {
    FoundPolicy {
        name: name.to_owned(),
        pattern: "^audit$".to_owned(),
        apply_to: "all".to_owned(),
        priority,
        definition: object(json!({ "max-length": 10 })),
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is not an object"),
    }
}

/// The plan after a change to an applied topology, as an operator reads it.
fn after(change: impl FnOnce(&mut State)) -> String {
    let wanted = topology(1.0);
    let mut state = applied(&wanted);
    change(&mut state);
    let plan = compare(&wanted, &state);
    let obstacles = plan.obstacles.iter().map(|it| format!("obstacle: {it}"));
    let warnings = plan.warnings.iter().map(|it| format!("warning: {it}"));
    let all: Vec<String> = obstacles.chain(plan.steps.iter().map(Step::to_string)).chain(warnings).collect();
    all.join("\n")
}

fn exchange_of<'a>(state: &'a mut State, name: &str) -> &'a mut FoundExchange {
    state.exchanges.iter_mut().find(|it| it.name == name).expect("it was applied")
}

fn queue_of<'a>(state: &'a mut State, name: &str) -> &'a mut FoundQueue {
    state.queues.iter_mut().find(|it| it.name == name).expect("it was applied")
}

fn policy_of<'a>(state: &'a mut State, name: &str) -> &'a mut FoundPolicy {
    state.policies.iter_mut().find(|it| it.name == name).expect("it was applied")
}

#[test]
fn there_is_no_step_after_applying() {
    for scale in [1.0, 0.1] {
        let wanted = topology(scale);
        assert_eq!(compare(&wanted, &applied(&wanted)), Plan::default());
        assert!(compare(&wanted, &applied(&wanted)).is_settled());
    }
}

#[test]
fn a_new_vhost_gets_everything_in_the_order_of_dependencies() {
    let wanted = topology(1.0);
    let plan = compare(&wanted, &fresh());
    let rank = |step: &Step| match step {
        Step::CreateExchange(_) => 0,
        Step::CreatePolicy(_) | Step::ChangePolicy { .. } => 1,
        Step::CreateQueue(_) => 2,
        Step::Bind(_) => 3,
        Step::Unbind { .. } | Step::RemovePolicy(_) => 4,
    };
    assert!(plan.steps.is_sorted_by_key(rank));
    let parts = wanted.exchanges.len() + wanted.policies.len() + wanted.queues.len() + wanted.bindings.len();
    assert_eq!(plan.steps.len(), parts);
    assert!(plan.obstacles.is_empty() && plan.warnings.is_empty() && !plan.is_settled());
}

#[test]
fn what_is_missing_is_created() {
    let done = after(|state| {
        state.exchanges.retain(|it| it.name != "events");
        state.policies.retain(|it| it.name != "retry.1s");
        state.queues.retain(|it| it.name != "offers");
        state.bindings.retain(|it| it.routing_key != "uploads.stored" || it.destination != "offers");
        state.bindings.retain(|it| it.source != "retry.5s");
    });
    insta::assert_snapshot!(done, @r#"
    create topic exchange `events`
    create policy `retry.1s` for queues `^retry\.1s$`: dead-letter-exchange "", dead-letter-strategy "at-least-once", message-ttl 1000, overflow "reject-publish", queue-leader-locator "balanced"
    create quorum queue `offers`
    bind `offers` to exchange `events` for `uploads.stored`
    bind `retry.5s` to exchange `retry.5s`
    "#);
}

#[test]
fn a_policy_is_compared_setting_by_setting() {
    let done = after(|state| {
        policy_of(state, "retry.1s").definition.insert("message-ttl".to_owned(), json!(7));
        policy_of(state, "retry.5s").definition.remove("dead-letter-strategy");
        policy_of(state, "parked").definition.insert("max-length".to_owned(), json!(3));
        policy_of(state, "unrouted").apply_to = "all".to_owned();
        let offers = policy_of(state, "work.offers");
        offers.priority = 0;
        offers.pattern = "^offers".to_owned();
    });
    insta::assert_snapshot!(done, @r#"
    change policy `unrouted`: applies to all → exchanges
    change policy `parked`: max-length 3 → not set
    change policy `work.offers`: pattern ^offers → ^offers$, priority 0 → 100
    change policy `retry.1s`: message-ttl 7 → 1000
    change policy `retry.5s`: dead-letter-strategy not set → "at-least-once"
    "#);
}

#[test]
fn leftovers_of_another_release_are_removed_last() {
    let done = after(|state| {
        state.bindings.push(binding("events", "offers", "uploads.renamed"));
        state.bindings.push(binding("unrouted", "offers", ""));
        state
            .policies
            .push(FoundPolicy { name: "retry.3s".to_owned(), ..foreign_policy("", POLICY_PRIORITY) });
        state.exchanges.retain(|it| it.name != "redrive");
    });
    insta::assert_snapshot!(done, @r"
    create direct exchange `redrive`
    remove the binding of `offers` to exchange `events` for `uploads.renamed`
    remove the binding of `offers` to exchange `unrouted`
    remove policy `retry.3s`, which is no longer needed
    ");
}

#[test]
fn a_binding_with_arguments_is_replaced() {
    let done = after(|state| {
        let found = state.bindings.iter_mut().find(|it| it.routing_key == "offers.make").expect("applied");
        found.arguments = object(json!({ "x": 1 }));
        found.properties_key = "offers.make~abc".to_owned();
    });
    insta::assert_snapshot!(done, @r"
    bind `offers` to exchange `commands` for `offers.make`
    remove the binding of `offers` to exchange `commands` for `offers.make`
    ");
}

#[test]
fn things_of_other_systems_are_left_alone() {
    let done = after(|state| {
        state.exchanges.push(exchange("audit", "fanout"));
        state.queues.push(queue("audit", "classic"));
        // To a foreign queue, from a foreign exchange, and from exchange to exchange.
        state.bindings.push(binding("events", "audit", "#"));
        state.bindings.push(binding("audit", "offers", ""));
        state.bindings.push(binding("amq.topic", "offers", "#"));
        let mut between = binding("events", "audit", "#");
        between.destination_type = "exchange".to_owned();
        state.bindings.push(between);
        let mut to_our_exchange = binding("events", "unrouted", "#");
        to_our_exchange.destination_type = "exchange".to_owned();
        state.bindings.push(to_our_exchange);
        // One has a name like ours but another priority, one our priority but another name.
        state.policies.push(foreign_policy("retry.mine", 3));
        state.policies.push(foreign_policy("audit", POLICY_PRIORITY));
    });
    assert_eq!(done, "");
}

#[test]
fn what_no_step_can_change_is_an_obstacle_that_says_what_to_do() {
    let done = after(|state| {
        *queue_of(state, "offers") = queue("offers", "classic");
        queue_of(state, "uploads").arguments.insert("x-message-ttl".to_owned(), json!(5));
        exchange_of(state, "events").kind = "fanout".to_owned();
        let commands = exchange_of(state, "commands");
        commands.durable = false;
        commands.arguments.insert("alternate-exchange".to_owned(), json!("elsewhere"));
    });
    insta::assert_snapshot!(done, @r"
    obstacle: exchange `commands` is a transient topic exchange with alternate-exchange and must be a durable topic exchange, and an exchange can't be changed: stop whoever publishes to it, remove it in the console, and apply again
    obstacle: exchange `events` is a durable fanout exchange and must be a durable topic exchange, and an exchange can't be changed: stop whoever publishes to it, remove it in the console, and apply again
    obstacle: queue `uploads` was declared with x-message-ttl, which win over policies and can't be changed: let it run empty, remove it in the console, and apply again
    obstacle: queue `offers` is a classic queue and must be a quorum queue, and a queue's type can't be changed: let it run empty, remove it in the console, and apply again
    ");
}

#[test]
fn a_broker_without_the_needed_features_is_refused() {
    let done = after(|state| {
        state.version = "3.9.29".to_owned();
        state.feature_flags.insert("quorum_queue".to_owned(), false);
        state.feature_flags.insert("stream_queue".to_owned(), false);
    });
    insta::assert_snapshot!(done, @r"
    obstacle: the broker is RabbitMQ 3.9.29; 3.10 is the first that can retry without losing messages: upgrade it
    obstacle: the broker has no quorum queues: turn them on with `rabbitmqctl enable_feature_flag quorum_queue`
    warning: feature flag `stream_queue` is off, so a message may be lost on its way to a retry or a dead-letter queue: turn it on with `rabbitmqctl enable_feature_flag stream_queue`
    ");
    for version in ["3.10.0", "3.13.7", "4.0.5", "4.3.6", "10.0.0-rc.1", "master"] {
        assert_eq!(after(|state| state.version = version.to_owned()), "", "{version}");
    }
}

#[test]
fn a_foreign_policy_that_wins_is_reported() {
    let foreign = |name: &str, pattern: &str, apply_to: &str, priority| FoundPolicy {
        pattern: pattern.to_owned(),
        apply_to: apply_to.to_owned(),
        ..foreign_policy(name, priority)
    };
    let done = after(|state| {
        state.policies.extend([
            foreign("weak", ".*", "all", POLICY_PRIORITY - 1),
            foreign("even", "^(uploads|events)$", "all", POLICY_PRIORITY),
            foreign("strong", "^(?!amq\\.|retry|.*dead|[aou])", "queues", 200),
            foreign("stronger", "^parcels$", "quorum_queues", 201),
            foreign("classic", ".*", "classic_queues", 300),
            foreign("redrive", "^red", "exchanges", 300),
        ]);
        state.operator_policies.push(foreign("limits", "^alarms$", "queues", 0));
    });
    insta::assert_snapshot!(done, @r"
    warning: only the strongest policy applies to an object, so policy `redrive` with priority 300 keeps ours with priority 100 off exchange `redrive`: narrow its pattern or lower its priority
    warning: only the strongest policy applies to an object, so policy `stronger` with priority 201 keeps ours with priority 100 off queue `parcels`: narrow its pattern or lower its priority
    warning: only the strongest policy applies to an object, so policy `even` with priority 100 keeps ours with priority 100 off exchange `events`, queue `uploads`: narrow its pattern or lower its priority
    warning: operator policy `limits` sets max-length 10 on queue `alarms`: where it is stricter than ours it wins, so check that it loses no messages
    ");
    let done = after(|state| state.policies.push(foreign("odd", "(", "exchanges", 200)));
    let count = done.matches("exchange `").count();
    assert_eq!(count, topology(1.0).exchanges.len(), "it may match anything:\n{done}");
}

#[test]
fn every_policy_has_a_name_of_ours_and_each_queue_exactly_one_policy() {
    let wanted = topology(1.0);
    for policy in &wanted.policies {
        assert!(Policy::is_our_name(&policy.name), "{}", policy.name);
    }
    let covering = |kind: ApplyTo, name: &str| {
        let matching = wanted.policies.iter().filter(|policy| {
            policy.apply_to == kind && Regex::new(&policy.pattern).unwrap().is_match(name).unwrap()
        });
        matching.count()
    };
    for queue in &wanted.queues {
        assert_eq!(covering(ApplyTo::Queues, queue), 1, "{queue}");
    }
    for exchange in &wanted.exchanges {
        assert!(covering(ApplyTo::Exchanges, &exchange.name) <= 1, "{}", exchange.name);
    }
}

#[test]
fn an_amqp_urls_path_names_the_vhost() {
    let vhost = |text: &str| vhost_of(&Url::parse(text).expect("a URL"));
    assert_eq!(vhost("amqp://host"), "/");
    assert_eq!(vhost("amqp://host/"), "/");
    assert_eq!(vhost("amqp://host/%2f"), "/");
    assert_eq!(vhost("amqp://host/%2F?heartbeat=5"), "/");
    assert_eq!(vhost("amqp://host/shop%20floor%2F%C3%A4"), "shop floor/ä");
    assert_eq!(vhost("amqp://host//x"), "/x");
}

fn management(vhost: &str) -> Management {
    let url = Url::parse("http://jo:p%40ss@rabbit:15672/prefix/?x=1").expect("a URL");
    Management::new(&url, vhost).expect("a client")
}

#[test]
fn names_are_encoded_in_paths() {
    let path = management("/").path("bindings", &["e", "a b", "q", "x/y?", "a+b%2F~e_"]);
    assert_eq!(path, "/api/bindings/%2F/e/a%20b/q/x%2Fy%3F/a%2Bb%252F~e_");
    assert_eq!(management("ä").path("queues", &["retry.1s"]), "/api/queues/%C3%A4/retry.1s");
}

#[test]
fn a_management_client_never_shows_its_password() {
    assert_eq!(format!("{:?}", management("v")), "Management(http://rabbit:15672/prefix as jo, vhost v)");
}

#[test]
fn refusals_are_told_apart() {
    let refusal = |status: u16, body: &str| {
        let status = StatusCode::from_u16(status).expect("a status");
        management("shop").refusal(status, body.as_bytes(), "/api/queues/shop", "list queues").to_string()
    };
    insta::assert_snapshot!(
        [
            refusal(401, r#"{"error":"not_authorized","reason":"Login failed"}"#),
            refusal(401, r#"{"error":"not_authorised","reason":"Not policymaker"}"#),
            refusal(403, r#"{"error":"forbidden","reason":"no"}"#),
            refusal(400, r#"{"error":"bad_request","reason":"inequivalent arg\n"}"#),
            refusal(400, r#"{"error":"bad_request","reason":{"a":1}}"#),
            refusal(503, r#"{"error":"internal","reason":"starting"}"#),
            refusal(502, "<html>"),
            refusal(403, "<html>"),
            refusal(302, ""),
        ]
        .join("\n"), @r#"
    http://rabbit:15672/prefix refuses user `jo` with this password (Login failed). Check both in AMQP_MANAGEMENT_URL
    User `jo` may not list queues in vhost `shop` (Not policymaker). Setting up the broker needs the tag `policymaker` (`rabbitmqctl set_user_tags jo policymaker`) and the permission to configure (`rabbitmqctl set_permissions -p shop jo '.*' '.*' '.*'`)
    User `jo` may not list queues in vhost `shop` (no). Setting up the broker needs the tag `policymaker` (`rabbitmqctl set_user_tags jo policymaker`) and the permission to configure (`rabbitmqctl set_permissions -p shop jo '.*' '.*' '.*'`)
    RabbitMQ refuses to list queues: inequivalent arg
    RabbitMQ refuses to list queues: {"a":1}
    RabbitMQ failed to list queues (status 503): starting. See the broker's log, then try again
    RabbitMQ failed to list queues (status 502): it gave no reason. See the broker's log, then try again
    http://rabbit:15672/prefix/api/queues/shop answers, but not as RabbitMQ's management API does (status 403). Check host, port (usually 15672; 5672 is AMQP) and http or https in AMQP_MANAGEMENT_URL
    http://rabbit:15672/prefix/api/queues/shop answers, but not as RabbitMQ's management API does (status 302). Check host, port (usually 15672; 5672 is AMQP) and http or https in AMQP_MANAGEMENT_URL
    "#);
}
