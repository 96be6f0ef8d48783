//! Paths and queries.

use millrace_testkit::random::Random;
use uuid::Uuid;

const SEGMENTS: [&str; 24] = [
    "",
    "v1",
    "v2",
    "jobs",
    "jobs.place",
    "trail",
    "events",
    "orders.place",
    "auth.note-key-use",
    "users.registered",
    "..",
    "%2e%2e",
    "%00",
    "%ff",
    "%",
    "%zz",
    "a%2Fb",
    "*",
    "{job}",
    "$(id)",
    "' OR 1=1--",
    "metrics",
    "healthz",
    "00000000-0000-0000-0000-000000000000",
];

const VALUES: [&str; 26] = [
    "",
    "0",
    "-1",
    "1",
    "200",
    "201",
    "99999999999999999999",
    "1.5",
    "NaN",
    "succeeded",
    "SUCCEEDED",
    "dead",
    "orders.place",
    "orders.placed",
    "2030-01-01T00:00:00Z",
    "0000-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999999+23:59",
    "-9999-01-01T00:00:00Z",
    "9223372036854775807-00000000000000000000000000000000",
    "-9223372036854775808-00000000000000000000000000000000",
    "253402300799999999-ffffffffffffffffffffffffffffffff",
    "%00",
    "%ff%fe",
    "%F0%9F%92%A9",
    "'",
    "a%26b%3Dc",
];

/// The target of a posted job.
pub fn job(random: &mut Random, command: &str) -> String {
    match random.below(20) {
        0 => format!("/v1/jobs/{command}/"),
        1 => format!("/v1/jobs/{}", random.pick(&SEGMENTS)),
        2 => format!("/v1/jobs/{}", command.to_uppercase()),
        3 => format!("/v1/jobs/{command}?{}", query(random)),
        4 => format!("/v1/jobs/{}", "x".repeat(random.below(9_000))),
        5 => format!("http://elsewhere.example/v1/jobs/{command}"),
        _ => format!("/v1/jobs/{command}"),
    }
}

/// The target of a read.
pub fn read(random: &mut Random, jobs: &[Uuid]) -> String {
    let job = match jobs {
        [] => Uuid::nil().to_string(),
        _ if random.below(4) > 0 => jobs[random.below(jobs.len())].to_string(),
        _ => random.pick(&SEGMENTS).to_owned(),
    };
    match random.below(10) {
        0..=2 => format!("/v1/jobs?{}", query(random)),
        3 => format!(
            "/v1/jobs/{job}?wait={}",
            random.pick(&["", "0", "1", "-1", "1.5", "x", "%31", "99999999999999999999"])
        ),
        4 => format!("/v1/jobs/{job}?{}", query(random)),
        5 => format!("/v1/jobs/{job}/trail"),
        6 => format!("/v1/jobs/{job}/events"),
        7 => format!("/jobs/{job}"),
        8 => random.pick(&["/healthz", "/readyz", "/metrics", "/docs", "/openapi.json", "/"]).to_owned(),
        _ => format!("/v1/jobs/{job}"),
    }
}

/// Any text that begins like a request target.
pub fn any(random: &mut Random, jobs: &[Uuid]) -> String {
    if random.below(3) == 0 {
        return read(random, jobs);
    }
    let segments = (0..random.below(6)).map(|_| format!("/{}", random.pick(&SEGMENTS)));
    let path = segments.collect::<String>();
    let path = if path.is_empty() { "/".to_owned() } else { path };
    // A space would be the end of the target.
    path.replace(' ', "%20")
}

/// Parameters of a listing, known and unknown, good and bad, once and twice.
fn query(random: &mut Random) -> String {
    let names = ["status", "command", "since", "limit", "cursor", "more", "", "limit[]", "%73tatus"];
    let pairs = (0..random.below(5)).map(|_| {
        let value = if random.below(30) == 0 {
            "x".repeat(random.below(20_000))
        } else {
            random.pick(&VALUES).to_owned()
        };
        format!("{}={value}", random.pick(&names))
    });
    pairs.collect::<Vec<_>>().join(random.pick(&["&", "&&", ";"]))
}
