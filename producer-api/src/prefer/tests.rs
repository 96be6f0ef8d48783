//! Tests of the preference to wait.

use axum::http::{HeaderMap, HeaderValue};

use super::Wait;

fn of(values: &[&'static str]) -> Option<u64> {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append("prefer", HeaderValue::from_static(value));
    }
    Wait::of(&headers).map(|wait| wait.seconds)
}

#[test]
fn the_first_wait_counts_and_is_bounded() {
    assert_eq!(of(&["wait=5"]), Some(5));
    assert_eq!(of(&["respond-async, wait=10"]), Some(10), "the example of RFC 7240 §4.3");
    assert_eq!(of(&["return=minimal; foo=\"bar\"", "Wait = \"7\" ; x"]), Some(7));
    assert_eq!(of(&["wait=1, wait=2"]), Some(1));
    assert_eq!(of(&["wait=61"]), Some(60));
    assert_eq!(of(&["wait=99999999999999999999999"]), Some(60));
    for nothing in ["", "wait", "wait=", "wait=0", "wait=-1", "wait=1.5", "wait=soon", "waiting=5", "=5"] {
        assert_eq!(of(&[nothing]), None, "{nothing}");
    }
    assert_eq!(of(&[]), None);
}
