//! What a request must pass before it is served: a valid key, and its client's limits.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::keys::ApiKeys;
use crate::limits::Limits;

/// Who lets requests in.
#[derive(Debug)]
pub(crate) struct Admission {
    pub keys: ApiKeys,
    pub limits: Limits,
}

/// Lets a request through to its handler, which finds its client beside it, or answers why not.
pub(crate) async fn admit(
    State(admission): State<Arc<Admission>>,
    mut request: Request,
    next: Next,
) -> Response {
    let client = match admission.keys.client(request.headers()).await {
        Ok(client) => client,
        Err(problem) => return problem.into_response(),
    };
    let share = admission.limits.share(&client.id);
    match admission.limits.admit(&share) {
        Ok(admitted) => {
            request.extensions_mut().insert(client);
            request.extensions_mut().insert(share);
            admitted.through(next.run(request).await)
        }
        Err(problem) => problem.into_response(),
    }
}
