//! Each source: the servers that it starts answer, and are gone when their holder is, however that one ended.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use lapin::options::{BasicGetOptions, BasicPublishOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Connection, ConnectionProperties};

use super::answers::block_on;
use super::containers::name_and_tag;
use super::given::usual_management_url;
use super::{FORCED_SOURCE, Services, ServicesError, containers, private, programs, say, without_login};

/// Tells `holder` which source to take.
const HOLD: &str = "MILLRACE_TEST_HOLD";
const GONE_DEADLINE: Duration = Duration::from_secs(20);

#[test]
fn private_servers_hold_quorum_queues_and_are_gone_once_dropped() {
    let Ok(programs) = programs::find() else {
        return not_run("private servers: their programs are not on this machine");
    };
    let services = private::start(&programs).expect("the programs are there");
    assert!(services.description.starts_with("private RabbitMQ "), "{}", services.description);
    let left = Left::by(&services);
    assert!(!left.processes().is_empty(), "the servers carry the mark by which they are found");

    block_on(a_quorum_queue_works(&services.amqp_url));
    block_on(durability_is_on(&services.database_url));

    drop(services);
    left.assert_gone(Duration::ZERO);
}

#[test]
fn private_servers_are_gone_after_their_holder_was_killed() {
    if programs::find().is_err() {
        return not_run("private servers: their programs are not on this machine");
    }
    killing_the_holder_leaves_nothing("private");
}

#[test]
fn containers_are_gone_after_their_holder_was_killed() {
    match containers::start() {
        Ok(services) => {
            assert!(services.description.starts_with("containers with RabbitMQ "), "{}", services.description)
        }
        Err(error @ (ServicesError::NoEngine { .. } | ServicesError::NoImage { .. })) => {
            return not_run(&format!("containers: {error}"));
        }
        Err(error) => panic!("{error}"),
    }
    killing_the_holder_leaves_nothing("containers");
}

/// Not a test but the process that the tests above kill; without the variable it has nothing to do.
#[test]
fn holder() {
    if std::env::var_os(HOLD).is_none() {
        return;
    }
    let services = Services::shared();
    let left = Left::by(services);
    println!("held {} {}", left.mark, left.directory.as_deref().unwrap_or(Path::new("-")).display());
    std::thread::sleep(Duration::from_secs(120));
}

#[test]
fn an_image_is_split_where_its_tag_begins() {
    assert_eq!(name_and_tag("postgres:18"), ("postgres", "18"));
    assert_eq!(name_and_tag("registry:5000/team/postgres"), ("registry:5000/team/postgres", "latest"));
    assert_eq!(name_and_tag("registry:5000/postgres:18"), ("registry:5000/postgres", "18"));
    assert_eq!(name_and_tag("postgres@sha256:ab12"), ("postgres@sha256", "ab12"));
}

#[test]
fn the_management_api_is_guessed_beside_the_broker() {
    let guess = |url| usual_management_url(url).expect("a good URL");
    assert_eq!(guess("amqp://anna:secret@mq.example:5673/%2f"), "http://anna:secret@mq.example:15672");
    assert_eq!(guess("amqp://localhost"), "http://guest:guest@localhost:15672");
}

#[test]
fn a_described_url_has_no_login() {
    assert_eq!(without_login("amqp://anna:secret@mq.example:5673/%2f"), "amqp://mq.example:5673");
    assert_eq!(
        without_login("postgres://anna:secret@db:5432/shop?sslmode=disable"),
        "postgres://db:5432/shop"
    );
}

fn killing_the_holder_leaves_nothing(source: &str) {
    let mut holder = hold(source);
    let left = Left::announced_by(&mut holder);
    assert!(left.running() > 0, "{source}: nothing runs, so nothing is shown");
    holder.kill().expect("our own child");
    holder.wait().expect("our own child");
    left.assert_gone(GONE_DEADLINE);
}

fn hold(source: &str) -> Child {
    let mut holder = Command::new(std::env::current_exe().expect("a test has a program"));
    holder
        .args(["--exact", "services::tests::holder", "--nocapture"])
        .env(HOLD, "1")
        .env(FORCED_SOURCE, source);
    holder.stdout(Stdio::piped()).spawn().expect("the test's own program")
}

/// What a holder would leave if nobody cleared up after it.
struct Left {
    mark: String,
    directory: Option<PathBuf>,
}

impl Left {
    fn by(services: &Services) -> Self {
        let mark = services.watchdog.as_ref().expect("started, not given").mark().1.to_owned();
        Self { mark, directory: services.private.as_ref().map(|servers| servers.directory.clone()) }
    }

    fn announced_by(holder: &mut Child) -> Self {
        let output = BufReader::new(holder.stdout.take().expect("piped"));
        let line = output
            .lines()
            .map_while(Result::ok)
            .find_map(|line| line.split_once("held ").map(|(_, rest)| rest.to_owned()));
        let line = line.expect("the holder says what it holds");
        let (mark, directory) = line.split_once(' ').expect("two words");
        Self { mark: mark.to_owned(), directory: (directory != "-").then(|| PathBuf::from(directory)) }
    }

    fn processes(&self) -> Vec<String> {
        let carries_mark = |process: &fs::DirEntry| {
            let environment = fs::read(process.path().join("environ")).unwrap_or_default();
            String::from_utf8_lossy(&environment).contains(&self.mark)
        };
        let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
        processes
            .filter(carries_mark)
            .map(|process| process.file_name().to_string_lossy().into_owned())
            .collect()
    }

    fn containers(&self) -> Vec<String> {
        let list = ["ps", "--all", "--format", "{{.Names}}", "--filter"];
        let filter = format!("name=millrace-{}", self.mark);
        let Ok(output) = Command::new("docker").args(list).arg(filter).output() else { return Vec::new() };
        String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
    }

    fn running(&self) -> usize {
        self.processes().len() + self.containers().len()
    }

    fn assert_gone(&self, deadline: Duration) {
        let until = Instant::now() + deadline;
        loop {
            let directory = self.directory.as_ref().filter(|directory| directory.exists());
            if self.running() == 0 && directory.is_none() {
                return;
            }
            let late = Instant::now() > until;
            assert!(
                !late,
                "left: processes {:?}, containers {:?}, {directory:?}",
                self.processes(),
                self.containers()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

async fn a_quorum_queue_works(amqp_url: &str) {
    let connection =
        Connection::connect(amqp_url, ConnectionProperties::default()).await.expect("it answered before");
    let channel = connection.create_channel().await.expect("a channel");
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare("q".into(), durable, arguments).await.expect("a quorum queue");
    channel.confirm_select(Default::default()).await.expect("confirms");
    let published = channel.basic_publish(
        "".into(),
        "q".into(),
        BasicPublishOptions::default(),
        b"hello",
        BasicProperties::default(),
    );
    let confirmation = published.await.expect("sent").await.expect("answered");
    assert!(confirmation.is_ack());
    let got = channel.basic_get("q".into(), BasicGetOptions::default()).await.expect("asked");
    assert_eq!(got.expect("a message").delivery.data, b"hello");
    connection.close(200, "done".into()).await.expect("closed");
}

async fn durability_is_on(database_url: &str) {
    use sqlx::Connection as _;
    let mut connection = sqlx::PgConnection::connect(database_url).await.expect("it answered before");
    for setting in ["fsync", "synchronous_commit", "full_page_writes"] {
        let query = sqlx::query_scalar("SELECT current_setting($1)").bind(setting);
        let value: String = query.fetch_one(&mut connection).await.expect("a setting");
        assert_eq!(value, "on", "{setting}");
    }
    connection.close().await.expect("closed");
}

fn not_run(reason: &str) {
    say(&format!("NOT TESTED HERE, {reason}"));
}
