//! What poison costs: preloaded batches with and without it, in turns.

use std::time::Duration;

use uuid::Uuid;

use crate::hostile::good;
use crate::hostile::stage::{Broken, PAUSE, Stage};

const ROUNDS: usize = 5;
const MESSAGES: usize = 5_000;
/// One in so many is poison.
const POISON_EVERY: usize = 100;

/// Prints the ratio; a machine that does other things at the same time makes it no measure to fail by.
pub async fn run(stage: &mut Stage) -> Result<(), Broken> {
    let mut ratios = Vec::new();
    for number in 0..ROUNDS {
        // By turns, so that what the one leaves behind does not always meet the other.
        let poison_first = number % 2 == 1;
        let first = round(stage, poison_first).await?;
        let second = round(stage, !poison_first).await?;
        let (healthy, poisoned) = if poison_first { (second, first) } else { (first, second) };
        println!("hostile: {healthy:.0} healthy messages/s without poison, {poisoned:.0}/s with 1 %");
        ratios.push(poisoned / healthy);
    }
    ratios.sort_by(f64::total_cmp);
    println!(
        "hostile: with 1 % poison the pace is {:.2} of that without (median of {ROUNDS})",
        ratios[ROUNDS / 2]
    );
    Ok(())
}

/// Healthy messages per second.
async fn round(stage: &mut Stage, poisoned: bool) -> Result<f64, Broken> {
    stage.stop_worker().await?;
    let mut client = stage.client().await?;
    let mut healthy = Vec::new();
    for number in 0..MESSAGES {
        let id = Uuid::now_v7();
        let mut message = good::order(id);
        if poisoned && number % POISON_EVERY == 1 {
            message.body = b"{nonsense".to_vec();
        } else {
            healthy.push(id);
        }
        client.send(good::QUEUE, &message).await?;
    }
    client.confirmed_all().await?;
    stage.start_worker().await?;
    while stage.succeeded(&healthy).await? < healthy.len() {
        tokio::time::sleep(PAUSE).await;
    }
    stage.dead_letters(&mut client).await?;
    let seconds: f64 = sqlx::query_scalar(
        "SELECT extract(epoch FROM max(handled_at) - min(handled_at))::float8 FROM ledger.entries
         WHERE handler = 'orders' AND message_id = ANY ($1)",
    )
    .bind(&healthy)
    .fetch_one(&mut stage.database)
    .await?;
    let count = f64::from(u32::try_from(healthy.len()).unwrap_or(u32::MAX));
    Ok(count / Duration::from_secs_f64(seconds.max(0.001)).as_secs_f64())
}
