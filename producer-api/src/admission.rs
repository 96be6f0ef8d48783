//! Admission: a request needs a valid key, and must be within its client's limits.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::keys::ApiKeys;
use crate::limits::Limits;

/// What requests are admitted by.
#[derive(Debug)]
pub(crate) struct Admission {
    pub keys: ApiKeys,
    pub limits: Limits,
}

/// Admits a request and adds its client and the client's share to it, or answers why not.
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
