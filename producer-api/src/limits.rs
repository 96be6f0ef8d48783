//! Limits: requests at once, of all clients and of one, and requests a second of one client.
//!
//! Each process counts for itself. A request that exceeds its client's own limit is answered 429, one that exceeds the API's
//! is answered 503; both answers say when to try again.

use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::HeaderValue;
use axum::response::Response;
use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use http_body::{Body as HttpBody, Frame, SizeHint};
use millrace_protocol::ClientId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::problem::Problem;
use crate::rate_headers;

#[cfg(test)]
mod tests;

type Rate = RateLimiter<NotKeyed, InMemoryState, DefaultClock, StateInformationMiddleware>;

/// The limits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Allowed {
    /// Requests at once, of all clients together.
    pub in_flight: usize,
    /// Requests at once of one client.
    pub client_in_flight: usize,
    /// Requests a second of one client. After a second without any, all of them may come at once.
    pub client_per_second: NonZeroU32,
}

/// The limits, and how much of them is in use.
pub(crate) struct Limits {
    allowed: Allowed,
    permits: Arc<Semaphore>,
    clients: Mutex<HashMap<ClientId, Arc<Share>>>,
}

/// How much of its limits one client uses.
pub(crate) struct Share {
    permits: Arc<Semaphore>,
    rate: Rate,
    policy: HeaderValue,
}

/// A request that was admitted. It counts as being served until this is dropped.
#[derive(Debug)]
pub(crate) struct Admitted {
    _permits: [OwnedSemaphorePermit; 2],
    remaining: u32,
    policy: HeaderValue,
}

impl Limits {
    pub fn new(allowed: Allowed) -> Self {
        Self { allowed, permits: Arc::new(Semaphore::new(allowed.in_flight)), clients: Mutex::default() }
    }

    /// A client's share. Shares are never removed: clients are few, since each needs a key.
    pub fn share(&self, client: &ClientId) -> Arc<Share> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = clients.get(client) {
            return Arc::clone(share);
        }
        let share = Arc::new(Share::new(self.allowed));
        clients.insert(client.clone(), Arc::clone(&share));
        share
    }

    /// Admits a request of this client, or returns the limit that it exceeds.
    pub fn admit(&self, share: &Share) -> Result<Admitted, Problem> {
        let permit = Arc::clone(&self.permits).try_acquire_owned().map_err(|_| Problem::Overloaded)?;
        let own = Arc::clone(&share.permits).try_acquire_owned().map_err(|_| Problem::TooManyInFlight)?;
        let remaining = share.rate.check().map_err(|not_until| {
            let wait = not_until.wait_time_from(DefaultClock::default().now());
            Problem::RateLimited { policy: share.policy.clone(), wait }
        })?;
        let remaining = remaining.remaining_burst_capacity();
        Ok(Admitted { _permits: [permit, own], remaining, policy: share.policy.clone() })
    }
}

impl Share {
    fn new(allowed: Allowed) -> Self {
        let per_second = allowed.client_per_second;
        Self {
            permits: Arc::new(Semaphore::new(allowed.client_in_flight)),
            rate: RateLimiter::direct(Quota::per_second(per_second))
                .with_middleware::<StateInformationMiddleware>(),
            policy: rate_headers::policy(per_second),
        }
    }

    /// Waits until the client may post one more job, as a line of a batch: a batch is slowed down, not refused.
    pub async fn take_one(&self) {
        while let Err(not_until) = self.rate.check() {
            // Tokio's timer has a resolution of a millisecond.
            let wait = not_until.wait_time_from(DefaultClock::default().now());
            tokio::time::sleep(wait.max(Duration::from_millis(1))).await;
        }
    }
}

impl Admitted {
    /// Writes what is left of the client's rate into the answer, and counts the request as being served until the last byte
    /// of the answer is sent.
    pub fn through(self, mut response: Response) -> Response {
        rate_headers::write(response.headers_mut(), &self.policy, self.remaining);
        response.map(|body| Body::new(Held { body, _admitted: self }))
    }
}

/// The body of an answer, which keeps its request admitted.
struct Held {
    body: Body,
    _admitted: Admitted,
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
