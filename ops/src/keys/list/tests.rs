//! A key as it is listed in each of its states.

use time::Duration;
use time::macros::datetime;

use super::*;

const NOW: OffsetDateTime = datetime!(2026-06-01 12:00 UTC);

fn key() -> Row {
    Row {
        key_id: Uuid::from_u128(0xa1),
        key_prefix: "mr_5e884898".to_owned(),
        client_id: "shop".to_owned(),
        name: "shop, production".to_owned(),
        scopes: vec!["jobs:orders.*".to_owned(), "jobs:users.register".to_owned()],
        status: "active".to_owned(),
        expires_at: None,
        last_used_at: None,
    }
}

#[test]
fn a_key_is_listed_with_its_client_status_and_last_use() {
    assert_eq!(
        in_words(&key(), NOW),
        "mr_5e884898 shop \"shop, production\": active, never expires, never used\n  \
         00000000-0000-0000-0000-0000000000a1 jobs:orders.* jobs:users.register"
    );
}

#[test]
fn a_key_works_until_it_expires_or_is_revoked() {
    let listed =
        |row: Row| in_words(&row, NOW).lines().next().unwrap().split_once(": ").unwrap().1.to_owned();
    let used = Some(NOW - Duration::milliseconds(90_500));
    assert_eq!(
        listed(Row { expires_at: Some(NOW + Duration::DAY), last_used_at: used, ..key() }),
        "active, expires 2026-06-02T12:00:00Z, last used 2026-06-01T11:58:29Z"
    );
    let expired = Row { expires_at: Some(NOW), ..key() };
    assert_eq!(listed(expired.clone()), "expired, expired 2026-06-01T12:00:00Z, never used");
    let revoked = Row { status: "revoked".to_owned(), ..expired };
    assert_eq!(listed(revoked), "revoked, expired 2026-06-01T12:00:00Z, never used");
}
