//! How requests are grouped into windows.

use millrace_protocol::{ClientId, Envelope, Fingerprint, JobId, Route};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::{Request, WINDOW, WINDOW_BYTES, next_window};
use crate::wire::Outgoing;

/// A request with this many messages of this many bytes each.
fn request(messages: usize, bytes: usize) -> Request {
    let client = ClientId::parse("web-shop").unwrap();
    let envelope = Envelope::of_job(JobId(Uuid::now_v7()), client, "offers.make", 1, Fingerprint::of(b"{}"));
    let message = || Outgoing::new(Route::COMMAND, &envelope, vec![b' '; bytes]);
    Request { messages: (0..messages).map(|_| message()).collect(), answer: oneshot::channel().0 }
}

/// The number of requests in each window when all of these wait.
async fn windows(waiting: Vec<Request>) -> Vec<usize> {
    let (sender, mut requests) = mpsc::channel(waiting.len());
    for request in waiting {
        sender.send(request).await.unwrap();
    }
    drop(sender);
    let mut windows = Vec::new();
    while let Some(window) = next_window(&mut requests).await {
        windows.push(window.len());
    }
    windows
}

#[tokio::test]
async fn a_window_takes_all_waiting_requests_until_it_is_full() {
    let single = || request(1, 10);
    assert_eq!(windows((0..WINDOW + 3).map(|_| single()).collect()).await, [WINDOW, 3]);
}

#[tokio::test]
async fn a_request_is_never_split() {
    assert_eq!(windows(vec![request(1, 10), request(WINDOW * 2, 10), request(1, 10)]).await, [2, 1]);
}

#[tokio::test]
async fn large_messages_make_small_windows() {
    let half = || request(1, WINDOW_BYTES / 2);
    assert_eq!(windows(vec![half(), half(), half(), request(1, 10)]).await, [2, 2]);
}
