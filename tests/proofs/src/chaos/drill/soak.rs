//! The infrastructure fails each 20 s and the programs are never touched: what they hold must not grow.

use std::sync::Arc;
use std::time::Duration;

use millrace_testkit::stack::servers::Servers;
use sqlx::Connection;
use tokio::time::sleep;

use crate::chaos::infrastructure;
use crate::chaos::plan::Plan;
use crate::chaos::run::Outcome;
use crate::chaos::shared::Shared;
use crate::report::Scenario;

const EVERY: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Shorter than this, a soak says nothing about growth.
const MEANINGFUL: Duration = Duration::from_secs(600);
const GROWTH_MAX_KIB_PER_HOUR: f64 = 8.0 * 1024.0;

pub(super) async fn perform(
    seed: u64,
    over: Duration,
    shared: &Arc<Shared>,
    servers: &mut Servers,
    scenario: &mut Scenario,
) {
    let plan = Plan::soak(seed, EVERY, over);
    let database_url = servers.database_url.clone();
    let faults = plan.infrastructure.len();
    tokio::select! {
        () = infrastructure::run(Arc::clone(shared), servers, plan.infrastructure) => {}
        () = watch_sessions(&database_url, shared) => {}
    }
    scenario.note(format!("{faults} faults of the infrastructure, one each {} s", EVERY.as_secs()));
}

/// A session that stays in a transaction holds its locks; none may for longer than the workers' own limit.
async fn watch_sessions(url: &str, shared: &Shared) {
    let statement = "SELECT application_name FROM pg_stat_activity WHERE state LIKE 'idle in transaction%' \
                     AND application_name LIKE '%-worker' AND state_change < now() - interval '20 seconds'";
    loop {
        sleep(LOOK_EVERY).await;
        // The database is away now and then; that is what this is about.
        let Ok(mut session) = sqlx::PgConnection::connect(url).await else { continue };
        let stuck: Vec<String> =
            sqlx::query_scalar(statement).fetch_all(&mut session).await.unwrap_or_default();
        for name in stuck {
            shared.surprise(format!("a session of {name} was idle in a transaction for more than 20 s"));
        }
        let _ = session.close().await;
    }
}

/// How much the programs grew in an hour, as of the last two thirds of a soak.
pub(super) fn growth(over: Duration, outcome: &Outcome, scenario: &mut Scenario) {
    for (name, seen) in &outcome.samples {
        let slope = slope(&seen.series[seen.series.len() / 3..]) * 3600.0;
        scenario.note(format!("{name} grew by {slope:.0} KiB per hour"));
        if over >= MEANINGFUL {
            scenario.require(slope <= GROWTH_MAX_KIB_PER_HOUR, || {
                format!("{name} grew by {slope:.0} KiB an hour")
            });
        }
    }
}

/// Of the straight line that lies closest to the points.
fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.iter().map(|_| 1.0).sum::<f64>();
    let (x_sum, y_sum) = points.iter().fold((0.0, 0.0), |(x, y), point| (x + point.0, y + point.1));
    let (x_mean, y_mean) = (x_sum / count, y_sum / count);
    let (mut above, mut below) = (0.0, 0.0);
    for (x, y) in points {
        above += (x - x_mean) * (y - y_mean);
        below += (x - x_mean) * (x - x_mean);
    }
    if below > 0.0 { above / below } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::slope;

    #[test]
    fn a_slope_is_found_through_noise() {
        let points: Vec<(f64, f64)> = (0..100)
            .map(|second| (f64::from(second), f64::from(second) * 3.0 + f64::from(second % 2)))
            .collect();
        assert!((slope(&points) - 3.0).abs() < 0.01);
        assert!(slope(&[]).abs() < f64::EPSILON);
    }
}
