//! Which bodies are refused, where, and in which words: clients read these sentences in the API's answers.

use millrace_protocol::{Contract, Invalid, UnknownFields, decode};
use serde_json::{Value, json};

use crate::{auth, catalog, orders, payments, users};

/// The example of a message with the value at a JSON pointer replaced.
fn with<T: Contract>(pointer: &str, value: Value) -> Vec<u8> {
    let mut body = serde_json::to_value(T::example()).unwrap();
    match body.pointer_mut(pointer) {
        Some(place) => *place = value,
        None => body[&pointer[1..]] = value,
    }
    serde_json::to_vec(&body).unwrap()
}

/// The example of a message with the field at a JSON pointer taken away.
fn without<T: Contract>(pointer: &str) -> Vec<u8> {
    let mut body = serde_json::to_value(T::example()).unwrap();
    let (parent, field) = pointer.rsplit_once('/').unwrap();
    body.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(field).unwrap();
    serde_json::to_vec(&body).unwrap()
}

/// The text of an order with one part of it replaced, for what no JSON value can express.
fn order_with(part: &str, replacement: &str) -> Vec<u8> {
    let text = serde_json::to_string(&orders::Place::example()).unwrap();
    assert!(text.contains(part), "{text}");
    text.replacen(part, replacement, 1).into_bytes()
}

fn lines(number: usize) -> Vec<u8> {
    let line = serde_json::to_value(orders::Place::example()).unwrap()["lines"][0].clone();
    with::<orders::Place>("/lines", Value::Array(vec![line; number]))
}

fn uses(number: usize) -> Vec<u8> {
    let one = serde_json::to_value(auth::NoteKeyUse::example()).unwrap()["uses"][0].clone();
    with::<auth::NoteKeyUse>("/uses", Value::Array(vec![one; number]))
}

fn said<T: Contract>(body: &[u8]) -> String {
    match decode::<T>(body, UnknownFields::Refuse) {
        Ok(_) => "accepted".to_owned(),
        Err(invalid) => {
            let kind = if matches!(invalid, Invalid::NotJson(_)) { "not JSON" } else { "invalid" };
            let each =
                invalid.violations().iter().map(|one| format!("\n    {:?}: {}", one.pointer, one.message));
            format!("{kind}{}", each.collect::<String>())
        }
    }
}

#[test]
fn refused_bodies() {
    use orders::Place;
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("an empty body", Vec::new()),
        ("a body of spaces", b"  ".to_vec()),
        ("not JSON", b"hello".to_vec()),
        ("a text that is not UTF-8", [br#"{"user_id":""#, &[0xff, 0xfe][..], br#""}"#].concat()),
        ("a body cut off", order_with("", "")[..60].to_vec()),
        ("bytes after the end", order_with("\"pm_ok\"}", "\"pm_ok\"} {}")),
        (
            "an id as a list of bytes",
            with::<Place>("/user_id", json!([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16])),
        ),
        ("single quotes", b"{'user_id': 1}".to_vec()),
        ("null", b"null".to_vec()),
        ("a number", b"5".to_vec()),
        ("a text", b"\"order\"".to_vec()),
        ("a list", b"[]".to_vec()),
        (
            "the fields' values as a list",
            br#"[null,"01980000-0000-7000-8000-00000000c0de","EUR",[["A",1,5]],"pm_ok"]"#.to_vec(),
        ),
        ("a line's values as a list", with::<Place>("/lines/0", json!(["A", 1, 5]))),
        ("an empty object", b"{}".to_vec()),
        ("a missing field", without::<Place>("/user_id")),
        ("a missing field in a line", without::<Place>("/lines/0/quantity")),
        ("an optional field left out", without::<Place>("/order_id")),
        ("an optional field set to null", with::<Place>("/order_id", Value::Null)),
        ("a required field set to null", with::<Place>("/user_id", Value::Null)),
        ("an unknown field", with::<Place>("/note", json!("be quick"))),
        (
            "an unknown field in a line",
            with::<Place>(
                "/lines/0",
                json!({"sku": "A", "quantity": 1, "unit_price_minor": 5, "colour": "red"}),
            ),
        ),
        ("an unknown field with a slash and a tilde", with::<Place>("/a~/b", json!(1))),
        ("two unknown fields", order_with("{\"order_id\"", "{\"a\":1,\"b\":2,\"order_id\"")),
        (
            "an unknown field 10,000 lists deep",
            order_with("{\"order_id\"", &format!("{{\"deep\":{deep},\"order_id\"")),
        ),
        ("lines 10,000 lists deep", order_with("\"lines\":[", &format!("\"lines\":[{deep},"))),
        (
            "a duplicate field",
            order_with("\"currency\":\"EUR\"", "\"currency\":\"EUR\",\"currency\":\"USD\""),
        ),
        ("a duplicate field in a line", order_with("\"quantity\":2", "\"quantity\":2,\"quantity\":3")),
        ("an id that is none", with::<Place>("/user_id", json!("ada"))),
        ("an id that is a number", with::<Place>("/user_id", json!(7))),
        ("lines that are an object", with::<Place>("/lines", json!({}))),
        ("no lines", lines(0)),
        ("101 lines", lines(101)),
        ("100 lines", lines(100)),
        ("a line that is a text", with::<Place>("/lines/0", json!("tea"))),
        ("a quantity of zero", with::<Place>("/lines/0/quantity", json!(0))),
        ("a negative quantity", with::<Place>("/lines/0/quantity", json!(-1))),
        ("a quantity that is too large", with::<Place>("/lines/0/quantity", json!(1_000_001))),
        ("a quantity beyond 32 bits", with::<Place>("/lines/0/quantity", json!(4_294_967_297u64))),
        ("a quantity as a float", with::<Place>("/lines/0/quantity", json!(1.5))),
        ("a quantity as a text", with::<Place>("/lines/0/quantity", json!("2"))),
        ("a quantity as a truth", with::<Place>("/lines/0/quantity", json!(true))),
        ("money as a float", with::<Place>("/lines/0/unit_price_minor", json!(12.5))),
        ("money as a whole float", with::<Place>("/lines/0/unit_price_minor", json!(12.0))),
        ("money as a text", with::<Place>("/lines/0/unit_price_minor", json!("1250"))),
        ("negative money", with::<Place>("/lines/0/unit_price_minor", json!(-1))),
        ("money above 2^53", with::<Place>("/lines/0/unit_price_minor", json!(9_007_199_254_740_992_i64))),
        (
            "money above 2^63",
            with::<Place>("/lines/0/unit_price_minor", json!(9_223_372_036_854_775_808_u64)),
        ),
        ("money above 2^64", order_with("1250", "99999999999999999999")),
        ("money beyond any float", order_with("1250", "1e999")),
        (
            "money that overflows in the sum",
            with::<Place>("/lines/0/unit_price_minor", json!(9_007_199_254_740_991_i64)),
        ),
        ("a total of zero", with::<Place>("/lines/0/unit_price_minor", json!(0))),
        ("a currency in lower case", with::<Place>("/currency", json!("eur"))),
        ("a currency that is none", with::<Place>("/currency", json!("XXX"))),
        ("a payment method that is none", with::<Place>("/payment_method", json!("visa"))),
        ("NUL in a text", with::<Place>("/lines/0/sku", json!("A\0B"))),
        ("a raw NUL in a text", order_with("TEA-EARL", "TEA\0EARL")),
        ("a lone surrogate", order_with("TEA-EARL", "TEA\\ud800EARL")),
        ("a text that is too long", with::<Place>("/lines/0/sku", json!("A".repeat(65)))),
        ("an empty text", with::<Place>("/lines/0/sku", json!(""))),
    ];
    let mut told = String::new();
    for (name, body) in cases {
        told.push_str(&format!("{name}: {}\n", said::<Place>(&body)));
    }
    insta::assert_snapshot!(told);
}

#[test]
fn refused_values_of_other_messages() {
    let cases = [
        ("a name with NUL", said::<users::Register>(&with::<users::Register>("/name", json!("Ada\0")))),
        ("an empty name", said::<users::Register>(&with::<users::Register>("/name", json!("")))),
        (
            "an address without @",
            said::<users::Register>(&with::<users::Register>("/email", json!("ada.example.com"))),
        ),
        (
            "an address as a list",
            said::<users::ChangeEmail>(&with::<users::ChangeEmail>("/email", json!(["a@b"]))),
        ),
        (
            "a password in place of its hash",
            said::<auth::SetPassword>(&with::<auth::SetPassword>("/password_hash", json!("hunter2"))),
        ),
        (
            "a password that is a number",
            said::<auth::SetPassword>(&with::<auth::SetPassword>("/password_hash", json!(12345))),
        ),
        (
            "a user whose id is a secret",
            said::<auth::SetPassword>(&with::<auth::SetPassword>("/user_id", json!("hunter2"))),
        ),
        (
            "a number whose text is a secret",
            said::<orders::Place>(&with::<orders::Place>("/lines/0/quantity", json!("hunter2"))),
        ),
        (
            "a reason whose text is a secret",
            said::<orders::Cancelled>(&with::<orders::Cancelled>("/reason", json!("hunter2"))),
        ),
        ("no scopes", said::<auth::IssueApiKey>(&with::<auth::IssueApiKey>("/scopes", json!([])))),
        (
            "33 scopes",
            said::<auth::IssueApiKey>(&with::<auth::IssueApiKey>("/scopes", json!(vec!["jobs:*"; 33]))),
        ),
        (
            "a scope that is none",
            said::<auth::IssueApiKey>(&with::<auth::IssueApiKey>("/scopes/0", json!("all"))),
        ),
        (
            "a time that is none",
            said::<auth::IssueApiKey>(&with::<auth::IssueApiKey>("/expires_at", json!("tomorrow"))),
        ),
        (
            "a time as a number",
            said::<auth::IssueApiKey>(&with::<auth::IssueApiKey>("/expires_at", json!(1_893_456_000))),
        ),
        ("no uses", said::<auth::NoteKeyUse>(&with::<auth::NoteKeyUse>("/uses", json!([])))),
        ("1001 uses", said::<auth::NoteKeyUse>(&uses(1001))),
        ("1000 uses", said::<auth::NoteKeyUse>(&uses(1000))),
        (
            "a use at no time",
            said::<auth::NoteKeyUse>(&with::<auth::NoteKeyUse>("/uses/0/used_at", json!("noon"))),
        ),
        (
            "an amount without currency",
            said::<payments::Captured>(&without::<payments::Captured>("/amount/currency")),
        ),
        (
            "an amount as a list",
            said::<payments::Captured>(&with::<payments::Captured>("/amount", json!([5, "EUR"]))),
        ),
    ];
    let told: String = cases.iter().map(|(name, said)| format!("{name}: {said}\n")).collect();
    insta::assert_snapshot!(told);
}

/// As a worker reads, so does the table that a release is checked by before it is rolled out.
#[test]
fn the_catalog_reads_as_workers_do() {
    let reads = |version, body: &[u8]| {
        catalog().find("orders.cancel").unwrap().reads(version, body).map_err(|why| why.to_string())
    };
    let newer = with::<orders::Cancel>("/note", json!("a field of a newer release"));
    assert_eq!(reads(1, &newer), Ok(()));
    let unknown = "`orders.cancel` version 2 is not known to this release, which reads version 1";
    assert_eq!(reads(2, &newer), Err(unknown.to_owned()));
    let spoilt = with::<orders::Cancel>("/order_id", json!(7));
    assert_eq!(
        reads(1, &spoilt),
        Err("the body is not a valid `orders.cancel`: /order_id: expected a UUID, found a whole number"
            .to_owned())
    );
}

/// Consumers ignore what they don't know, since a newer producer may already send it.
#[test]
fn unknown_fields_are_ignored_by_consumers_only() {
    let body = with::<orders::Cancel>("/note", json!({"deep": [1, 2]}));
    assert_eq!(decode::<orders::Cancel>(&body, UnknownFields::Ignore), Ok(orders::Cancel::example()));
    assert!(decode::<orders::Cancel>(&body, UnknownFields::Refuse).is_err());
}
