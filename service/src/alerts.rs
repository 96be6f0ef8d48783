//! Alerts: errors that need a person, unlike log lines, which are read only when somebody searches them.

use uuid::Uuid;

/// An error that needs a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// The alert's kind, such as `job-dead`: the label under which it is counted and can be silenced.
    pub name: &'static str,
    /// What happened, what it means and what to do, in full sentences. It must contain no secret.
    pub sentence: String,
    /// The job's id, where the alert is about one job.
    pub job_id: Option<Uuid>,
}

/// Where a process sends its alerts.
pub trait AlertSink: Send + Sync + 'static {
    /// Sends an alert. It must neither block nor panic: a failure to alert must not disturb the processing of messages.
    fn raise(&self, alert: Alert);
}

/// Logs alerts at level `ERROR` with the field `alert`, and counts them in the metric `millrace_alerts_total`.
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
