//! The ledger's partitions: weeks that are prepared later have all that the first ones have.

use millrace_testkit::world::World;

use super::{ops, written};

const PARTITIONS: &str = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'ledger.entries'::regclass";
const INDEXED: &str = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'ledger.entries_jobs'::regclass";
const INDEXES: &str = "SELECT count(*) FROM pg_index JOIN pg_inherits ON indrelid = inhrelid WHERE inhparent = 'ledger.entries'::regclass";

#[tokio::test]
async fn a_week_that_is_prepared_later_is_indexed_like_the_others() {
    let world = World::empty().await;
    let before = world.count(PARTITIONS).await;
    assert_eq!(world.count("SELECT ledger.prepare_partitions(12)::bigint").await, 4);
    let partitions = world.count(PARTITIONS).await;
    assert_eq!(partitions, before + 4);
    assert_eq!(world.count(INDEXED).await, partitions, "each has the index of jobs");
    assert_eq!(world.count(INDEXES).await, 2 * partitions, "and it once, beside the primary key");
    world.finish().await;
}

#[tokio::test]
async fn a_database_that_is_up_to_date_is_left_alone() {
    let world = World::empty().await;
    for (arguments, said) in [
        (&["migrate"][..], "The schema is already up to date"),
        (&["prune", "--keep-days", "30"], "Nothing in the ledger is older than 30 days"),
    ] {
        let done = ops(&world, arguments).await;
        let (out, errors) = written(&done);
        assert!(done.status.success() && out.starts_with(said), "{out}{errors}");
    }
    world.finish().await;
}
