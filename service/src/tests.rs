//! Tests of settings, secrets, readiness and the server.

use std::ffi::OsString;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use clap::{CommandFactory, Parser};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::liveness::Liveness;
use crate::readiness::{Check, Readiness};
use crate::secret::{InvalidUrl, Secret};
use crate::server::{Limits, Server};
use crate::settings::{
    self, BrokerSettings, DatabaseSettings, DrainSettings, SettingsError, TelemetrySettings,
};

#[derive(Debug, Parser)]
#[command(name = "sample")]
struct Sample {
    #[command(flatten)]
    broker: BrokerSettings,
    #[command(flatten)]
    database: DatabaseSettings,
    #[command(flatten)]
    drain: DrainSettings,
    #[command(flatten)]
    telemetry: TelemetrySettings,
    /// A secret
    #[arg(long, env = "SAMPLE_SECRET", hide_env_values = true)]
    secret: Option<String>,
}

const AMQP: &str = "--amqp-url=amqp://millrace:hunter2@broker.internal:5672/main";
const DATABASE: &str = "--database-url=postgres://millrace:hunter2@127.0.0.1/main";

fn read(arguments: &[&str]) -> Result<(Sample, String), String> {
    let all = std::iter::once("sample").chain(arguments.iter().copied()).map(OsString::from);
    match settings::read_from::<Sample>(Sample::command(), all) {
        Ok((sample, effective)) => Ok((sample, effective.to_string())),
        Err(SettingsError::Value(sentence)) => Err(sentence),
        Err(SettingsError::Usage(error)) => Err(format!("usage: {}", error.kind())),
    }
}

#[test]
fn a_missing_value_is_named_by_its_variable() {
    // Variables that no environment has: those of the real settings may well be set where tests run.
    #[derive(Debug, Parser)]
    struct Missing {
        #[arg(long, env = "SET_NOWHERE_A")]
        _first: String,
        #[arg(long, env = "SET_NOWHERE_B")]
        _second: String,
    }
    let missing = |arguments: &[&str]| {
        let all = std::iter::once("sample").chain(arguments.iter().copied()).map(OsString::from);
        settings::read_from::<Missing>(Missing::command(), all).unwrap_err().to_string()
    };
    assert_eq!(missing(&["--first=x"]), "SET_NOWHERE_B is not set; --help describes each setting");
    assert_eq!(missing(&[]), "SET_NOWHERE_A and SET_NOWHERE_B are not set; --help describes each setting");
}

#[test]
fn a_wrong_value_is_explained_and_a_secret_one_is_not_repeated() {
    let refused = |flag: &str| read(&[AMQP, DATABASE, flag]).unwrap_err();
    assert_eq!(
        refused("--drain-deadline-ms=5"),
        "DRAIN_DEADLINE_MS is wrong (it is \"5\"): expected a whole number of milliseconds from 100 to 600000"
    );
    assert_eq!(refused("--log-format=yaml"), "LOG_FORMAT is wrong (it is \"yaml\"): expected text or json");
    let sentence = read(&[DATABASE, "--amqp-url=http://guest:hunter2@localhost"]).unwrap_err();
    assert_eq!(sentence, "AMQP_URL is wrong: it must begin with amqp:// or amqps://");
    assert_eq!(refused("--colour=red"), "usage: unexpected argument found");
}

#[test]
fn a_database_on_another_machine_must_say_whether_to_encrypt() {
    let elsewhere = "postgres://millrace:hunter2@db.internal/main";
    assert_eq!(settings::database_url(elsewhere), Err(InvalidUrl::SslModeMissing));
    assert!(settings::database_url(&format!("{elsewhere}?sslmode=disable")).is_ok());
    for local in [
        "postgres://localhost/main",
        "postgres://[::1]:5433/main",
        "postgres:///main?host=/run/postgresql",
        "postgres://%2Frun%2Fpostgresql/main",
    ] {
        assert!(settings::database_url(local).is_ok(), "{local}");
    }
    assert_eq!(settings::database_url("postgres:///main?host=db.internal"), Err(InvalidUrl::SslModeMissing));
}

#[test]
fn effective_settings_show_everything_but_secrets() {
    let (sample, effective) = read(&[AMQP, DATABASE, "--secret=hunter2"]).expect("valid settings");
    assert_eq!(
        effective,
        "AMQP_URL=amqp://millrace:masked@broker.internal:5672/main, \
         DATABASE_URL=postgres://millrace:masked@127.0.0.1/main, DRAIN_DEADLINE_MS=10000 (default), \
         LOG_FORMAT=text (default), LOG_FILTER=info (default), SAMPLE_SECRET=…"
    );
    assert!(
        !format!("{:?} {:?} {:?}", sample.broker, sample.database, Secret::new("hunter2"))
            .contains("hunter2")
    );
    assert_eq!(sample.drain.drain_deadline, Duration::from_secs(10));
    let in_query = settings::database_url("postgres://localhost/main?password=hunter2").expect("a valid URL");
    assert!(!in_query.to_string().contains("hunter2"), "{in_query}");
}

#[test]
fn ready_needs_every_check_and_a_report_that_is_not_too_old() {
    let readiness = Readiness::of(&["broker", "database"]);
    readiness.set("broker", Check::Ready);
    assert!(!readiness.now().ready, "the database has not reported");
    readiness.set_for("database", Check::Ready, Duration::from_secs(60));
    assert!(readiness.now().ready);
    readiness.set_for("database", Check::Ready, Duration::ZERO);
    assert_eq!(readiness.now().checks["database"].reason.as_deref(), Some("was last seen ready 0 s ago"));
    readiness.set("database", Check::NotReady("is gone".to_owned()));
    assert_eq!(
        serde_json::to_string(&readiness.now()).expect("plain data"),
        r#"{"ready":false,"checks":{"broker":{"ready":true},"database":{"ready":false,"reason":"is gone"}}}"#
    );
    readiness.set("database", Check::Ready);
    readiness.stopping();
    assert!(!readiness.now().ready);
}

#[test]
fn a_check_is_ready_when_it_is_for_every_part() {
    let readiness = Readiness::of(&["broker"]).with_parts(2, &["queue"]);
    readiness.set("broker", Check::Ready);
    readiness.set_part("queue", 0, Check::Ready);
    assert!(!readiness.now().ready, "the second part has not reported");
    readiness.set_part("queue", 1, Check::Ready);
    assert!(readiness.now().ready);
    readiness.set_part("queue", 0, Check::NotReady("is gone".to_owned()));
    readiness.set_part("queue", 1, Check::Ready);
    assert_eq!(
        readiness.now().checks["queue"].reason.as_deref(),
        Some("is gone"),
        "one part does not hide another"
    );
}

#[tokio::test]
async fn a_contained_panic_is_an_error_with_its_message() {
    use crate::panics::{contain, contain_async};

    assert_eq!(contain(|| 7), Ok(7));
    assert_eq!(contain(|| -> u8 { panic!("at {}", 3) }), Err("at 3".to_owned()));
    let later = async {
        tokio::task::yield_now().await;
        panic!("later")
    };
    assert_eq!(contain_async::<u8>(later).await, Err("later".to_owned()));
}

#[tokio::test]
async fn a_loop_shows_signs_of_life_while_it_waits() {
    let liveness = Liveness::new(Duration::from_secs(600));
    let lane = liveness.watch("lane 0");
    assert_eq!(lane.while_waiting(async { 7 }).await, 7);
    assert!(liveness.now().alive);
}

/// Starts itself again as the process that is to end.
#[test]
fn a_panic_in_any_task_ends_the_process() {
    const CHILD: &str = "MILLRACE_TEST_IS_TO_PANIC";
    if std::env::var_os(CHILD).is_some() {
        crate::panics::end_the_process();
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(async {
            let contained = tokio::spawn(crate::panics::contain_async(async { panic!("contained") }));
            assert_eq!(contained.await.expect("a task that goes on"), Err::<(), _>("contained".to_owned()));
            tokio::spawn(async { panic!("nobody awaits this task") });
            std::future::pending::<()>().await;
        });
    }
    let mut child = std::process::Command::new(std::env::current_exe().expect("this program"));
    child.args(["--exact", "tests::a_panic_in_any_task_ends_the_process"]).env(CHILD, "yes");
    let ended = child.output().expect("this program starts");
    assert_eq!(ended.status.code(), Some(70), "{}", String::from_utf8_lossy(&ended.stdout));
}

const LIMITS: Limits =
    Limits { header_read: Duration::from_millis(200), connections: 8, drain: Duration::from_secs(5) };

async fn serve(
    router: Router,
    stop: &CancellationToken,
) -> (std::net::SocketAddr, tokio::task::JoinHandle<()>) {
    let any = "127.0.0.1:0".parse().expect("an address");
    let server = Server::bind("LISTEN", any, LIMITS).await.expect("a free port");
    (server.address(), tokio::spawn(server.run(router, stop.clone())))
}

#[tokio::test]
async fn a_client_that_never_finishes_its_header_is_cut_off() {
    let (address, _server) = serve(Router::new(), &CancellationToken::new()).await;
    let mut client = TcpStream::connect(address).await.expect("a connection");
    client.write_all(b"GET / HTTP/1.1\r\nHost: slow").await.expect("a write");
    let mut answer = Vec::new();
    let closed = tokio::time::timeout(Duration::from_secs(5), client.read_to_end(&mut answer)).await;
    assert!(closed.is_ok(), "the server still waits for the rest of the header");
}

#[tokio::test]
async fn a_request_in_flight_is_finished_when_the_server_stops() {
    let stop = CancellationToken::new();
    let (inside, gate) = (std::sync::Arc::new(tokio::sync::Notify::new()), CancellationToken::new());
    let (entered, open) = (inside.clone(), gate.clone());
    let answer = move || async move {
        entered.notify_one();
        open.cancelled().await;
        "done"
    };
    let (address, server) = serve(Router::new().route("/", get(answer)), &stop).await;
    let mut client = TcpStream::connect(address).await.expect("a connection");
    client.write_all(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n").await.expect("a write");
    inside.notified().await;
    stop.cancel();
    gate.cancel();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.expect("a whole answer");
    assert!(answer.ends_with("done"), "{answer}");
    server.await.expect("the server ends by itself");
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn probes_answer_over_http() {
    use axum::body::{Body, to_bytes};
    use axum::http::{Request, StatusCode};
    use tower::ServiceExt;

    let readiness = Readiness::of(&["broker"]);
    let liveness = Liveness::new(Duration::ZERO);
    let ask = |path: &'static str| {
        let router = crate::probes::router(readiness.clone(), liveness.clone());
        async move {
            let request = Request::get(path).body(Body::empty()).expect("a request");
            let response = router.oneshot(request).await.expect("an answer");
            let status = response.status();
            let body = to_bytes(response.into_body(), 1 << 20).await.expect("a body");
            (status, String::from_utf8(body.to_vec()).expect("text"))
        }
    };
    assert_eq!(ask("/healthz").await, (StatusCode::OK, r#"{"alive":true}"#.to_owned()));
    let lane = liveness.watch("lane 0");
    assert_eq!(
        ask("/healthz").await,
        (StatusCode::SERVICE_UNAVAILABLE, r#"{"alive":false,"stuck":["lane 0"]}"#.to_owned())
    );
    drop(lane);
    assert_eq!(ask("/healthz").await.0, StatusCode::OK);
    assert_eq!(ask("/readyz").await.0, StatusCode::SERVICE_UNAVAILABLE);
    readiness.set("broker", Check::Ready);
    assert_eq!(
        ask("/readyz").await,
        (StatusCode::OK, r#"{"ready":true,"checks":{"broker":{"ready":true}}}"#.to_owned())
    );
    crate::prometheus::install("sample");
    let (status, text) = ask("/metrics").await;
    assert_eq!(status, StatusCode::OK);
    assert!(text.contains("millrace_build_info{process=\"sample\""), "{text}");
}
