//! Tests of cutting a body into lines, and of the answers to lines that are no jobs.

use std::io;
use std::time::Duration;

use axum::body::Body;
use futures_util::{StreamExt, stream};
use proptest::prelude::*;

use super::lines::{Line, lines};
use super::{Posted, not_a_job};
use crate::problem::Problem;

const DEADLINE: Duration = Duration::from_millis(100);

async fn cut(body: Body) -> Vec<Line> {
    lines(body, 10, DEADLINE).collect().await
}

fn chunks(parts: &[&'static str]) -> Body {
    let parts: Vec<io::Result<&'static str>> = parts.iter().map(|part| Ok(*part)).collect();
    Body::from_stream(stream::iter(parts))
}

fn whole(text: &str) -> Line {
    Line::Whole(text.as_bytes().to_vec())
}

#[tokio::test]
async fn lines_are_lines_wherever_the_chunks_are_cut() {
    for parts in
        [&["a\nbc\n\n  \nd"][..], &["a", "\n", "b", "c\n", "\n  \n", "d"], &["", "a\nb", "", "c\n\n  \nd"]]
    {
        assert_eq!(cut(chunks(parts)).await, [whole("a"), whole("bc"), whole("d")], "{parts:?}");
    }
    assert_eq!(cut(Body::empty()).await, []);
    assert_eq!(cut(chunks(&["\n", "\n"])).await, []);
}

#[tokio::test]
async fn a_line_that_is_too_long_is_skipped_and_the_next_is_read() {
    let too_long = || Line::TooLong { max_bytes: 10 };
    assert_eq!(cut(chunks(&["0123456789\n", "x"])).await, [whole("0123456789"), whole("x")]);
    assert_eq!(cut(chunks(&["01234567890\nx"])).await, [too_long(), whole("x")]);
    assert_eq!(cut(chunks(&["012345", "67890", "123", "45\nx\n"])).await, [too_long(), whole("x")]);
    assert_eq!(cut(chunks(&["a\n", "01234567890123456789"])).await, [whole("a"), too_long()]);
}

#[tokio::test]
async fn a_body_that_is_cut_off_or_stalls_ends() {
    let broken = stream::iter([Ok("a\nb"), Err(io::Error::other("gone"))]);
    assert_eq!(cut(Body::from_stream(broken)).await, [whole("a"), Line::BrokenOff]);
    let still = stream::iter([Ok::<_, io::Error>("a\nb")]).chain(stream::pending());
    assert_eq!(cut(Body::from_stream(still)).await, [whole("a"), Line::TooSlow { deadline_ms: 100 }]);
}

#[test]
fn an_answer_to_a_line_that_is_no_job_repeats_neither_its_values_nor_internal_names() {
    let answer = |line: &str| {
        let error = serde_json::from_str::<Posted<'_>>(line).expect_err("no job");
        match not_a_job(&error) {
            Problem::Invalid(violations) | Problem::NotJson(violations) => violations[0].message.clone(),
            other => panic!("{other:?}"),
        }
    };
    for line in [
        r#""hunter2hunter2""#,
        r#"["hunter2hunter2"]"#,
        r#"{"command": ["hunter2hunter2"], "data": {}}"#,
        r#"{"command": {"a": "hunter2hunter2"}, "data": {}}"#,
        r#"{"command": "a", "data": {}, "idempotency_key": {"hunter2hunter2": 1}}"#,
        r#"{"command": "a", "data": {}, "more": "hunter2hunter2"}"#,
        r#"{"command": "hunter2hunter2"}"#,
        r#"{"command": "hunter2hunter2""#,
    ] {
        let answer = answer(line);
        assert!(
            !["hunter2", "struct", "Posted"].iter().any(|word| answer.contains(word)),
            "{line}: {answer}"
        );
    }
    assert!(answer(r#"{"command": "a"}"#).starts_with("missing field `data`"));
    assert!(answer(r#"{"command": "a", "data": 1, "more": 1}"#).starts_with("unknown field `more`;"));
}

proptest! {
    #[test]
    fn cutting_is_what_splitting_is(texts in proptest::collection::vec("[ab]{0,12}", 0..8), size in 1..7_usize) {
        let body = texts.join("\n");
        let parts: Vec<io::Result<Vec<u8>>> = body.as_bytes().chunks(size).map(|part| Ok(part.to_vec())).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let lines = runtime.block_on(cut(Body::from_stream(stream::iter(parts))));
        let expected: Vec<Line> = texts.iter().filter(|text| !text.is_empty()).map(|text| match text.len() {
            0..=10 => whole(text),
            _ => Line::TooLong { max_bytes: 10 },
        }).collect();
        prop_assert_eq!(lines, expected);
    }
}
