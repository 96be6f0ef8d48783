//! Rules for every response, whatever the request was: nothing internal, and problem details for every error.

use millrace_testkit::stack::Stack;
use serde_json::Value;
use url::Url;

use crate::siege::http::Answer;

#[cfg(test)]
mod tests;

/// Words of the implementation: database, libraries, sources. They count only as whole words.
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
/// Internal texts that count wherever they stand.
const INNER_TEXTS: [&str; 2] = [".rs:", "amqp://"];

/// How many characters are shown before and after a leaked word.
const AROUND: usize = 60;

/// Checks responses.
#[derive(Debug, Clone)]
pub struct AnswerRules {
    /// Passwords of this run, and the addresses of its servers.
    secrets: Vec<String>,
}

impl AnswerRules {
    pub fn of(stack: &Stack) -> Self {
        let reach = &stack.reach;
        let ways = [&reach.api_broker, &reach.api_database, &reach.worker_broker, &reach.worker_database];
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

    /// The rules that a response violates.
    pub fn violations(&self, answer: &Answer) -> Vec<String> {
        let mut violations = Vec::new();
        if let Some(word) = self.leak(answer) {
            violations.push(format!("it leaks: {}", short(word.as_bytes())));
        }
        violations.extend(malformed(answer));
        violations
    }

    /// The first internal text in an answer, with what stands around it.
    fn leak(&self, answer: &Answer) -> Option<String> {
        let headers = answer.head.headers.iter().map(|(name, value)| format!("{name}: {value}\n"));
        let all = headers.collect::<String>() + &String::from_utf8_lossy(&answer.body);
        if let Some(secret) = self.secrets.iter().find(|secret| all.contains(secret.as_str())) {
            return Some(secret.clone());
        }
        let all = all.to_lowercase();
        let text = INNER_TEXTS.iter().find_map(|text| all.find(text));
        let word = || INNER_WORDS.iter().find_map(|word| find_word(&all, word));
        let at = text.or_else(word)?;
        // With the text around it.
        Some(
            all[..at].chars().rev().take(AROUND).collect::<Vec<_>>().into_iter().rev().collect::<String>()
                + &all[at..].chars().take(AROUND).collect::<String>(),
        )
    }
}

/// Where the word stands by itself. `correlation_id` does not contain `relation`, and `line 1 column 2` is a place in the client's own JSON.
fn find_word(text: &str, word: &str) -> Option<usize> {
    let of_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    let mut traces = text.match_indices(word).map(|(at, _)| at);
    traces.find(|at| {
        let (before, behind) = (&text[..*at], &text[at + word.len()..]);
        let number = before.trim_end().trim_end_matches(|letter: char| letter.is_ascii_digit());
        let place = word == "column" && number.ends_with("line ");
        !before.ends_with(of_word) && !behind.starts_with(of_word) && !place
    })
}

/// Whether this is the HTTP library's own response to bytes that are not HTTP: a status, and nothing else.
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
        // A readiness probe's answer, which is no problem document.
        return None;
    }
    if kind != "application/problem+json" {
        return Some(format!("{} with Content-Type {kind}: {}", answer.status(), short(&answer.body)));
    }
    let problem = answer.json();
    let seen = problem["correlation_id"].as_str();
    let whole = ["type", "title", "detail", "instance"].iter().all(|field| problem[field].is_string());
    match () {
        () if seen != Some(id) => Some(format!("correlation_id is {seen:?}, X-Correlation-Id {id}")),
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

/// The beginning of these bytes, escaped, at most 300 characters.
pub fn short(bytes: &[u8]) -> String {
    const CHARS_MAX: usize = 300;
    let text: String = bytes.escape_ascii().map(char::from).take(CHARS_MAX).collect();
    if text.len() < CHARS_MAX { text } else { text + "…" }
}
