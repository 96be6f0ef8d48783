//! Alerts: errors that a person should look at, told apart from log lines that only matter to who is searching.

use uuid::Uuid;

/// One thing that a person should look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// The kind of alert, by which it is counted and silenced, such as `job-dead`.
    pub name: &'static str,
    /// What happened, what it means and what to do.
    pub sentence: String,
    /// The job it is about, where there is one.
    pub job_id: Option<Uuid>,
}

/// Where alerts go. A process gets one at its start and hands it to whoever may have to raise one.
pub trait AlertSink: Send + Sync + 'static {
    /// Passes the alert on. Must neither block nor fail: trouble with alerting must not become trouble with the work.
    fn raise(&self, alert: Alert);
}

/// Writes alerts into the log, at level `ERROR` with the field `alert`, and counts them in `millrace_alerts_total`.
#[derive(Debug, Clone, Copy, Default)]
pub struct LogAlerts;

impl AlertSink for LogAlerts {
    fn raise(&self, alert: Alert) {
        metrics::counter!("millrace_alerts_total", "alert" => alert.name).increment(1);
        match alert.job_id {
            Some(job_id) => tracing::error!(alert = alert.name, job.id = %job_id, "{}", alert.sentence),
            None => tracing::error!(alert = alert.name, "{}", alert.sentence),
        }
    }
}
