//! How much is let in: requests at once, of all clients and of one, and requests a second of one client.
//!
//! Each door counts for itself. What exceeds a client's own share is its own fault (429), what exceeds the door's is not
//! (503); both say when to come back.

use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use http_body::{Body as HttpBody, Frame, SizeHint};
use millrace_contracts::ClientId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::problem::Problem;

#[cfg(test)]
mod tests;

type Rate = RateLimiter<NotKeyed, InMemoryState, DefaultClock, StateInformationMiddleware>;

/// What is allowed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Allowed {
    /// Requests at once, of all clients together.
    pub in_flight: usize,
    /// Requests at once of one client.
    pub client_in_flight: usize,
    /// Requests a second of one client, and so many at once after a while without any.
    pub client_per_second: NonZeroU32,
}

/// What is taken up.
pub(crate) struct Limits {
    allowed: Allowed,
    places: Arc<Semaphore>,
    clients: Mutex<HashMap<ClientId, Arc<Share>>>,
}

/// One client's share.
pub(crate) struct Share {
    places: Arc<Semaphore>,
    rate: Rate,
    policy: HeaderValue,
}

/// A request that was let in. It takes up its place until this is dropped.
#[derive(Debug)]
pub(crate) struct Admitted {
    _places: [OwnedSemaphorePermit; 2],
    remaining: u32,
    policy: HeaderValue,
}

impl Limits {
    pub fn new(allowed: Allowed) -> Self {
        Self { allowed, places: Arc::new(Semaphore::new(allowed.in_flight)), clients: Mutex::default() }
    }

    /// A client's share. Clients are few: each was given a key.
    pub fn share(&self, client: &ClientId) -> Arc<Share> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = clients.get(client) {
            return Arc::clone(share);
        }
        let share = Arc::new(Share::new(self.allowed));
        clients.insert(client.clone(), Arc::clone(&share));
        share
    }

    /// Lets a request of this client in, or says what it exceeds.
    pub fn admit(&self, share: &Share) -> Result<Admitted, Problem> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| Problem::Overloaded)?;
        let own = Arc::clone(&share.places).try_acquire_owned().map_err(|_| Problem::TooManyInFlight)?;
        let remaining = share.rate.check().map_err(|not_until| {
            let wait = not_until.wait_time_from(DefaultClock::default().now());
            Problem::RateLimited { policy: share.policy.clone(), wait }
        })?;
        let remaining = remaining.remaining_burst_capacity();
        Ok(Admitted { _places: [place, own], remaining, policy: share.policy.clone() })
    }
}

impl Share {
    fn new(allowed: Allowed) -> Self {
        let per_second = allowed.client_per_second;
        Self {
            places: Arc::new(Semaphore::new(allowed.client_in_flight)),
            rate: RateLimiter::direct(Quota::per_second(per_second))
                .with_middleware::<StateInformationMiddleware>(),
            policy: HeaderValue::try_from(format!("\"client\";q={per_second};w=1")).expect("visible ASCII"),
        }
    }

    /// Waits until one more job may be taken in, as a line of a batch: a batch is slowed down, not refused.
    pub async fn take_one(&self) {
        while let Err(not_until) = self.rate.check() {
            // A millisecond at least, the finest that the runtime's timer knows.
            let wait = not_until.wait_time_from(DefaultClock::default().now());
            tokio::time::sleep(wait.max(Duration::from_millis(1))).await;
        }
    }
}

impl Admitted {
    /// Tells what is left of the client's rate (draft-ietf-httpapi-ratelimit-headers-10), and keeps the request's place
    /// until the answer's last byte is on its way.
    pub fn through(self, mut response: Response) -> Response {
        tell(response.headers_mut(), &self.policy, self.remaining);
        response.map(|body| Body::new(Held { body, _place: self }))
    }
}

/// An answer's body, and the place that it keeps.
struct Held {
    body: Body,
    _place: Admitted,
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Writes `RateLimit-Policy` and `RateLimit`: what is allowed in a second, and what is left of it.
pub(crate) fn tell(headers: &mut HeaderMap, policy: &HeaderValue, remaining: u32) {
    headers.insert("ratelimit-policy", policy.clone());
    let left = HeaderValue::try_from(format!("\"client\";r={remaining};t=1")).expect("visible ASCII");
    headers.insert("ratelimit", left);
}

impl fmt::Debug for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Limits({:?})", self.allowed)
    }
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Share({:?})", self.policy)
    }
}
