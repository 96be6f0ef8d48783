//! The table of parcels, read and written a batch at a time.

use millrace_runtime::{SaveError, Store, all_written, stored};
use sqlx::PgConnection;

use crate::messages::ParcelId;
use crate::rules::{Facts, Parcel, Parcels};

const LOAD: &str = "
    SELECT parcel_id, grams, version FROM parcels.parcels WHERE parcel_id = ANY ($1) ORDER BY parcel_id FOR UPDATE";

/// Writes only rows that are as they were loaded: a missing row in the count means that another worker was faster.
const SAVE: &str = "
    INSERT INTO parcels.parcels AS stored (parcel_id, grams, version)
    SELECT * FROM unnest($1::uuid[], $2::integer[], $3::bigint[])
    ON CONFLICT (parcel_id) DO UPDATE SET grams = excluded.grams, version = excluded.version
    WHERE stored.version = excluded.version - 1";

impl Store for Parcels {
    async fn load(connection: &mut PgConnection, facts: &mut Facts) -> Result<(), sqlx::Error> {
        let ids: Vec<_> = facts.parcels.keys().map(|id| id.0).collect();
        let rows: Vec<(uuid::Uuid, i32, i64)> = sqlx::query_as(LOAD).bind(&ids).fetch_all(connection).await?;
        for (id, grams, version) in rows {
            let grams = stored(u32::try_from(grams).ok(), grams)?;
            facts.parcels.fill(ParcelId(id), Parcel { grams }, version);
        }
        Ok(())
    }

    async fn save(connection: &mut PgConnection, facts: &Facts) -> Result<(), SaveError> {
        let rows: Vec<_> = facts.parcels.changed().collect();
        if rows.is_empty() {
            return Ok(());
        }
        let written = sqlx::query(SAVE)
            .bind(rows.iter().map(|row| row.key.0).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| row.value.grams as i32).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| row.version).collect::<Vec<_>>())
            .execute(connection)
            .await?;
        all_written("parcels.parcels", rows.len(), written.rows_affected())
    }
}
