//! Every route of the API, and who may take it: a table, from which alone the router is built.

use std::sync::Arc;

use axum::Router;
use axum::extract::FromRef;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, get};
use millrace_service::{Readiness, probes};

use crate::admission::{self, Admission};
use crate::documents::{self, OpenApiDocument};
use crate::jobs::intake::Intake;
use crate::jobs::{self, JobReader};
use crate::page;

/// Who may take a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Public: exposes no client's data.
    Public,
    /// A client with a valid API key, within its limits. It sees its own jobs alone, and may post what its key's scopes cover.
    Client,
}

/// A path and what answers it.
pub(crate) struct Route {
    pub path: &'static str,
    pub access: Access,
    answer: MethodRouter<AppState>,
}

/// The state of all handlers.
#[derive(Clone)]
pub(crate) struct AppState {
    pub intake: Arc<Intake>,
    pub reader: Arc<JobReader>,
    pub document: OpenApiDocument,
}

impl FromRef<AppState> for Arc<Intake> {
    fn from_ref(state: &AppState) -> Self {
        Arc::clone(&state.intake)
    }
}

impl FromRef<AppState> for Arc<JobReader> {
    fn from_ref(state: &AppState) -> Self {
        Arc::clone(&state.reader)
    }
}

impl FromRef<AppState> for OpenApiDocument {
    fn from_ref(state: &AppState) -> Self {
        state.document.clone()
    }
}

/// All routes.
pub(crate) fn table(readiness: &Readiness) -> Vec<Route> {
    let client = |path, answer| Route { path, access: Access::Client, answer };
    let public = |path, answer| Route { path, access: Access::Public, answer };
    vec![
        client("/v1/jobs", get(jobs::list::show).post(jobs::batch::accept)),
        // {job} is a command for POST and a job id for GET: the router allows one name only.
        client("/v1/jobs/{job}", get(jobs::view::show).post(jobs::post::accept)),
        client("/v1/jobs/{job}/trail", get(jobs::trail::show)),
        client("/v1/jobs/{job}/events", get(jobs::events::show)),
        public("/", get(page::home)),
        public("/jobs/{job}", get(page::job)),
        public("/assets/job.css", get(page::style)),
        public("/assets/{script}", get(page::script)),
        public("/healthz", get(probes::healthz)),
        public("/readyz", get(probes::readyz).with_state(readiness.clone())),
        public("/metrics", get(probes::metrics)),
        public("/openapi.json", get(documents::openapi)),
        public("/docs", get(documents::page)),
        public("/docs/{file}", get(documents::file)),
    ]
}

/// The router of this table.
pub(crate) fn router(table: Vec<Route>, state: AppState, admission: Arc<Admission>) -> Router {
    let admitted = from_fn_with_state(admission, admission::admit);
    let routed = table.into_iter().fold(Router::new(), |router, Route { path, access, answer }| {
        router.route(
            path,
            match access {
                Access::Public => answer,
                Access::Client => answer.layer(admitted.clone()),
            },
        )
    });
    routed.with_state(state)
}
