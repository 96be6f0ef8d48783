//! What every answer must be, whatever was asked: no inner words, and problem details where it is not a good one.

use millrace_testkit::stack::Stack;
use serde_json::Value;
use url::Url;

use crate::siege::wire::Answer;

#[cfg(test)]
mod tests;

/// Words of what is inside: database, libraries, sources. They count as words of their own only.
const INNER_WORDS: [&str; 10] = [
    "sqlstate",
    "sqlx",
    "lapin",
    "postgres",
    "postgresql",
    "relation",
    "column",
    "panicked",
    "stack",
    "struct",
];
/// The same, wherever they stand.
const INNER_TEXTS: [&str; 2] = [".rs:", "amqp://"];

/// So many characters around a finding are shown.
const AROUND: usize = 60;

/// Looks at answers.
#[derive(Debug, Clone)]
pub struct Judge {
    /// What belongs to this run: passwords, and where servers listen.
    secrets: Vec<String>,
}

impl Judge {
    pub fn of(stack: &Stack) -> Self {
        let reach = &stack.reach;
        let ways = [&reach.door_broker, &reach.door_database, &reach.worker_broker, &reach.worker_database];
        let mut secrets: Vec<_> = ways.map(|way| way.address().to_string()).into();
        let servers = &stack.servers;
        for url in [&servers.amqp_url, &servers.database_url, &servers.management_url] {
            let Ok(url) = Url::parse(url) else { continue };
            secrets.extend(url.password().map(str::to_owned));
            secrets.extend(url.host_str().zip(url.port()).map(|(host, port)| format!("{host}:{port}")));
        }
        secrets.push(stack.api_key.clone());
        secrets.retain(|secret| !secret.is_empty());
        Self { secrets }
    }

    /// What is wrong with an answer.
    pub fn findings(&self, answer: &Answer) -> Vec<String> {
        let mut findings = Vec::new();
        if let Some(word) = self.leak(answer) {
            findings.push(format!("it says: {}", short(word.as_bytes())));
        }
        findings.extend(malformed(answer));
        findings
    }

    /// The first word that must not get out.
    fn leak(&self, answer: &Answer) -> Option<String> {
        let headers = answer.head.headers.iter().map(|(name, value)| format!("{name}: {value}\n"));
        let all = headers.collect::<String>() + &String::from_utf8_lossy(&answer.body);
        if let Some(secret) = self.secrets.iter().find(|secret| all.contains(secret.as_str())) {
            return Some(secret.clone());
        }
        let all = all.to_lowercase();
        let text = INNER_TEXTS.iter().find_map(|text| all.find(text));
        let word = || INNER_WORDS.iter().find_map(|word| said(&all, word));
        let at = text.or_else(word)?;
        // With what stands around it.
        Some(
            all[..at].chars().rev().take(AROUND).collect::<Vec<_>>().into_iter().rev().collect::<String>()
                + &all[at..].chars().take(AROUND).collect::<String>(),
        )
    }
}

/// Where the word stands by itself: `correlation_id` is none of a database's, nor is a place in the client's own JSON.
fn said(text: &str, word: &str) -> Option<usize> {
    let of_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    let mut places = text.match_indices(word).map(|(at, _)| at);
    places.find(|at| {
        let (before, behind) = (&text[..*at], &text[at + word.len()..]);
        let number = before.trim_end().trim_end_matches(|letter: char| letter.is_ascii_digit());
        let place = word == "column" && number.ends_with("line ");
        !before.ends_with(of_word) && !behind.starts_with(of_word) && !place
    })
}

/// The server's own answer to what is no HTTP: a status, and nothing else.
pub fn is_bare(answer: &Answer) -> bool {
    [400, 414, 431, 505].contains(&answer.status())
        && answer.body.is_empty()
        && answer.head.header("x-correlation-id").is_none()
}

fn malformed(answer: &Answer) -> Option<String> {
    if is_bare(answer) {
        return None;
    }
    let Some(id) = answer.head.header("x-correlation-id") else {
        return Some(format!("{} without X-Correlation-Id", answer.status()));
    };
    let kind = answer.head.header("content-type").unwrap_or_default();
    if answer.status() < 400 || answer.body.is_empty() {
        return None;
    }
    if answer.json()["ready"] == Value::Bool(false) {
        // A probe that says why.
        return None;
    }
    if kind != "application/problem+json" {
        return Some(format!("{} with Content-Type {kind}: {}", answer.status(), short(&answer.body)));
    }
    let problem = answer.json();
    let told = problem["correlation_id"].as_str();
    let whole = ["type", "title", "detail", "instance"].iter().all(|field| problem[field].is_string());
    match () {
        () if told != Some(id) => Some(format!("correlation_id is {told:?}, X-Correlation-Id {id}")),
        () if problem["status"] != answer.status() => {
            Some(format!("status is {}, answered {}", problem["status"], answer.status()))
        }
        () if !whole => Some(format!("no whole problem details: {}", short(&answer.body))),
        () if answer.status() == 503 && answer.head.header("retry-after").is_none() => {
            Some(format!("503 without Retry-After: {}", short(&answer.body)))
        }
        () => None,
    }
}

/// The beginning of bytes, fit for a line.
pub fn short(bytes: &[u8]) -> String {
    const CHARS_MAX: usize = 300;
    let text: String = bytes.escape_ascii().map(char::from).take(CHARS_MAX).collect();
    if text.len() < CHARS_MAX { text } else { text + "…" }
}
