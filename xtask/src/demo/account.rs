//! The account: whether every job, order, queue and cent ended where it had to.

use std::collections::HashMap;
use std::fmt::Write;
use std::time::{Duration, Instant};

use millrace_stack::services::management::{self, Method};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use uuid::Uuid;

use super::load::Load;
use super::settle::{self, Unsettled};
use super::story::Story;
use crate::backends::Backends;
use crate::error::Error;

/// Where the one unreadable message has to be in the end.
const DEAD_QUEUE: &str = "orders.dead";
/// RabbitMQ updates its queue counts every five seconds unless configured otherwise.
const COUNT_DEADLINE: Duration = Duration::from_secs(15);
const COUNT_PAUSE: Duration = Duration::from_millis(300);
const PROBLEMS_SHOWN: usize = 20;

/// Everything that did not end as it had to.
#[derive(Debug, Default)]
pub struct Account {
    pub problems: Vec<String>,
    orders: usize,
}

#[derive(Debug, Deserialize)]
struct Queue {
    name: String,
    #[serde(default)]
    messages: u64,
}

impl Account {
    pub fn verdict(&self) -> String {
        if self.problems.is_empty() {
            return format!(
                "all is well: {} orders, none lost, every flow settled, every cent accounted for",
                self.orders
            );
        }
        let mut text = format!("NOT all is well, {} problem(s):\n", self.problems.len());
        for problem in self.problems.iter().take(PROBLEMS_SHOWN) {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "  {problem}");
        }
        if self.problems.len() > PROBLEMS_SHOWN {
            let _ = writeln!(
                text,
                "  … and {} more, in target/demo/problems.txt",
                self.problems.len() - PROBLEMS_SHOWN
            );
        }
        text + "the logs are in target/demo/"
    }

    pub fn unsettled(&mut self, unsettled: &[Unsettled]) {
        self.problems.extend(
            unsettled.iter().map(|Unsettled { job, view }| format!("job {job}: {}", settle::in_words(view))),
        );
    }

    /// All queues must be empty, but for the one dead letter, which must say why it is there.
    pub async fn queues(&mut self, backends: &Backends) -> Result<String, Error> {
        let queues = counted(backends).await?;
        let mut text = String::from("Queues:");
        for Queue { name, messages } in &queues {
            let _ = write!(text, "  {name} {messages}");
        }
        for Queue { name, messages } in &queues {
            if *messages != expected_in(name) {
                self.problems.push(format!(
                    "queue {name} holds {messages} message(s) instead of {}",
                    expected_in(name)
                ));
            }
        }
        match dead_letters_reason(backends).await? {
            Some(reason) => _ = write!(text, "\n  {DEAD_QUEUE}: \"{reason}\""),
            None => self.problems.push(format!("the message in {DEAD_QUEUE} does not say why it is there")),
        }
        Ok(text + "\n")
    }

    /// Each order must be in the state in which its story ends.
    pub async fn orders(&mut self, backends: &Backends, load: &Load) -> Result<String, Error> {
        let mut database = backends.database().await?;
        let rows: Vec<(Uuid, String, String)> =
            sqlx::query_as("SELECT order_id, status, payment FROM orders.orders")
                .fetch_all(&mut database)
                .await
                .map_err(Error::database("reading the orders"))?;
        let found: HashMap<Uuid, (&str, &str)> = rows
            .iter()
            .map(|(order, status, payment)| (*order, (status.as_str(), payment.as_str())))
            .collect();
        let mut as_expected: HashMap<Story, usize> = HashMap::new();
        for (order, story) in &load.placed {
            match found.get(order) {
                Some(state) if *state == story.ends_as() => *as_expected.entry(*story).or_default() += 1,
                Some((status, payment)) => self.problems.push(format!(
                    "job {order}: its order is {status} and {payment}, but was to be {}",
                    story.in_words()
                )),
                None => self
                    .problems
                    .push(format!("job {order}: there is no such order; it was to be {}", story.in_words())),
            }
        }
        if found.len() != load.placed.len() {
            self.problems.push(format!(
                "{} orders were placed, but there are {}",
                load.placed.len(),
                found.len()
            ));
        }
        self.orders = load.placed.len();
        let mut text = format!("Orders: {} placed", load.placed.len());
        for story in Story::ALL {
            let _ = write!(
                text,
                "; {} {}",
                as_expected.get(&story).copied().unwrap_or_default(),
                story.in_words()
            );
        }
        Ok(text)
    }

    /// In each currency, captured minus refunded must equal the sum of all paid and not refunded orders.
    pub async fn money(&mut self, backends: &Backends) -> Result<String, Error> {
        const SUMS: &str = "
            SELECT currency, captured, refunded, coalesce(owed, 0)
            FROM (SELECT currency,
                         coalesce(sum(amount_minor) FILTER (WHERE status IN ('captured', 'refunded')), 0)::bigint AS captured,
                         coalesce(sum(amount_minor) FILTER (WHERE status = 'refunded'), 0)::bigint AS refunded
                  FROM payments.payments GROUP BY currency) AS taken
            FULL JOIN (SELECT currency, sum(total_minor)::bigint AS owed
                       FROM orders.orders WHERE payment = 'paid' GROUP BY currency) AS paid USING (currency)
            ORDER BY currency";
        let mut database = backends.database().await?;
        let sums: Vec<(String, Option<i64>, Option<i64>, i64)> = sqlx::query_as(SUMS)
            .fetch_all(&mut database)
            .await
            .map_err(Error::database("adding up the money"))?;
        let mut text = String::from("Money:");
        for (currency, captured, refunded, owed) in &sums {
            let (captured, refunded) = (captured.unwrap_or_default(), refunded.unwrap_or_default());
            let agree = captured - refunded == *owed;
            let sign = if agree { '=' } else { '≠' };
            let _ = write!(
                text,
                "  {currency} {} captured − {} refunded {sign} {} of orders paid and not refunded",
                amount(captured),
                amount(refunded),
                amount(*owed),
            );
            if !agree {
                self.problems.push(format!(
                    "{currency}: captured − refunded is {}, but paid orders come to {}",
                    amount(captured - refunded),
                    amount(*owed)
                ));
            }
        }
        if sums.is_empty() {
            self.problems.push("no money was captured at all".to_owned());
        }
        Ok(text)
    }
}

pub(super) fn amount(minor: i64) -> String {
    let sign = if minor < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", minor.unsigned_abs() / 100, minor.unsigned_abs() % 100)
}

fn expected_in(queue: &str) -> u64 {
    u64::from(queue == DEAD_QUEUE)
}

/// The queues and how much is in them, once that is as expected or has been waited for long enough.
async fn counted(backends: &Backends) -> Result<Vec<Queue>, Error> {
    let (url, path) =
        (&backends.addresses.management_url, format!("queues/{}?columns=name,messages", backends.vhost()?));
    let until = Instant::now() + COUNT_DEADLINE;
    loop {
        let mut queues: Vec<Queue> = read(management::get(url, &path).await?)?;
        queues.sort_by(|a, b| a.name.cmp(&b.name));
        let as_expected = queues.iter().all(|queue| queue.messages == expected_in(&queue.name));
        if as_expected || Instant::now() > until {
            return Ok(queues);
        }
        tokio::time::sleep(COUNT_PAUSE).await;
    }
}

/// What an operator reads who opens the dead letter in the console.
async fn dead_letters_reason(backends: &Backends) -> Result<Option<String>, Error> {
    let (url, path) =
        (&backends.addresses.management_url, format!("queues/{}/{DEAD_QUEUE}/get", backends.vhost()?));
    let look = json!({"count": 1, "ackmode": "ack_requeue_true", "encoding": "auto"});
    let messages: Vec<Value> = read(management::ask(url, Method::POST, &path, Some(&look)).await?)?;
    let reason = messages.first().and_then(|message| message.pointer("/properties/headers/failure-reason"));
    Ok(reason.and_then(Value::as_str).map(str::to_owned))
}

fn read<T: DeserializeOwned>(answer: Value) -> Result<T, Error> {
    serde_json::from_value(answer).map_err(|error| Error::Http {
        what: "reading what the management API says".to_owned(),
        reason: error.to_string(),
    })
}
