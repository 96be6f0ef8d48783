//! Metrics: recorded anywhere with the `metrics` macros, and rendered in Prometheus' text format for `/metrics`.

use std::sync::OnceLock;
use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use millrace_faults::{Task, task};

/// Bucket limits of durations in seconds: from half a millisecond (a batch of one message) to a minute (a short retry delay).
const SECONDS: [f64; 14] =
    [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];
/// Bucket limits of batch sizes in messages.
const SIZES: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];
/// Histograms keep every sample in memory until they are drained; this is the time between two drains.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();

/// Starts recording for this process. Names of histograms must end in their unit, `_seconds` or `_messages`.
pub fn install(process: &str) {
    handle();
    metrics::gauge!(
        "millrace_build_info", "process" => process.to_owned(), "version" => env!("CARGO_PKG_VERSION")
    )
    .set(1.0);
}

/// All metrics in Prometheus' text format.
pub fn render() -> String {
    handle().render()
}

/// Starts draining histograms in a task of its own.
pub fn keep_up() {
    tokio::spawn(task(Task::Metrics, async {
        loop {
            tokio::time::sleep(UPKEEP_INTERVAL).await;
            handle().run_upkeep();
        }
    }));
}

fn handle() -> &'static PrometheusHandle {
    RECORDER.get_or_init(|| {
        let seconds = Matcher::Suffix("_seconds".to_owned());
        let messages = Matcher::Suffix("_messages".to_owned());
        let builder = PrometheusBuilder::new()
            .set_buckets_for_metric(seconds, &SECONDS)
            .and_then(|builder| builder.set_buckets_for_metric(messages, &SIZES))
            .expect("bucket lists that are not empty are accepted");
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        // Fails only for a second recorder in the same process; the first one stays in use then.
        let _ = metrics::set_global_recorder(recorder);
        handle
    })
}
