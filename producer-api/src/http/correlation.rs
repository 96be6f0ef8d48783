//! The id that leads to a request in log, answer and queue: its job's id, or one of its own.

use std::sync::{Arc, OnceLock};

use millrace_protocol::JobId;
use tracing::{Span, field};
use uuid::Uuid;

/// One request's correlation id, and the span that carries it into every log line. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Correlation {
    id: Arc<OnceLock<Uuid>>,
    span: Span,
}

impl Correlation {
    pub fn of_request(method: &str, route: &str) -> Self {
        let span = tracing::info_span!(
            "request",
            http.method = method,
            http.route = route,
            correlation_id = field::Empty
        );
        Self { id: Arc::default(), span }
    }

    /// Notes that the request is about this job. The first id stays.
    pub fn set_job(&self, job: JobId) {
        self.settle(|| job.0);
    }

    /// The id; a new one if the request is about no job.
    pub fn id(&self) -> Uuid {
        self.settle(Uuid::now_v7)
    }

    pub fn span(&self) -> &Span {
        &self.span
    }

    fn settle(&self, id: impl FnOnce() -> Uuid) -> Uuid {
        *self.id.get_or_init(|| {
            let id = id();
            self.span.record("correlation_id", field::display(id));
            id
        })
    }
}
