//! Methods and headers.

use millrace_testkit::random::Random;

use crate::mutation::bytes;
use crate::siege::http::Request;

pub fn method(random: &mut Random) -> String {
    let known =
        ["HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "POST", "get", "PROPFIND", "BREW", "M-SEARCH"];
    match random.below(12) {
        0 => "X".repeat(1 + random.below(300)),
        _ => random.pick(&known).to_owned(),
    }
}

/// The request with one header added, removed or changed.
pub fn changed(request: Request, random: &mut Random) -> Request {
    let (name, values): (&str, &[&str]) = match random.below(14) {
        0 => (
            "Idempotency-Key",
            &[
                "\"k-1\"",
                "k-1",
                "\"\"",
                "\"a\", \"b\"",
                "\"unended",
                "7",
                "?1",
                ":aGk=:",
                "\"a\";q=1",
                "\"ü\"",
            ],
        ),
        1 => (
            "Prefer",
            &["wait=1", "wait=0", "wait=-1", "wait", "wait=x, wait=1", "respond-async", "wait=\"1", ";;;=,"],
        ),
        2 => ("Last-Event-ID", &["", "00000000", "zzzzzzzz", "0", "ffffffffffffffff"]),
        3 => (
            "Authorization",
            &["", "Bearer", "Bearer ", "Bearer x", "Basic eDp5", "bearer  x y z", "Bearer \u{fc}"],
        ),
        4 => (
            "traceparent",
            &[
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                "00-00000000000000000000000000000000-0000000000000000-00",
                "x",
                "",
            ],
        ),
        5 => ("tracestate", &["a=1,b=2", "", ",,,,", "a=\u{fc}"]),
        6 => (
            "Content-Type",
            &[
                "text/plain",
                "application/json; charset=utf-16",
                "application/json;;;",
                "",
                "application/x-ndjson",
            ],
        ),
        7 => ("Content-Encoding", &["gzip", "identity", "br, gzip", ""]),
        8 => ("Expect", &["100-continue", "200-ok"]),
        9 => ("Host", &["", "a:b:c", "elsewhere.example", "[::1"]),
        10 => ("Origin", &["null", "https://elsewhere.example"]),
        11 => ("X-Correlation-Id", &["1", "'; DROP TABLE jobs", "\u{fc}"]),
        12 => return many(request, random),
        _ => {
            let most = if random.below(10) == 0 { 120_000 } else { 3_000 };
            let length = random.below(most);
            return request.with("X-Long", "x".repeat(length));
        }
    };
    let value = random.pick(values);
    match random.below(5) {
        // Twice, or beside the good one.
        0 => request.with(name, value).with(name, value),
        1 => request.with(name, value),
        2 => {
            // Bytes that are not text; a line end would end the header.
            let noise = bytes(random, 40).into_iter().filter(|byte| !b"\r\n".contains(byte));
            request.instead(name, noise.collect::<Vec<_>>())
        }
        _ => request.instead(name, value),
    }
}

fn many(request: Request, random: &mut Random) -> Request {
    (0..random.below(300)).fold(request, |request, number| request.with(&format!("X-{number}"), "1"))
}
