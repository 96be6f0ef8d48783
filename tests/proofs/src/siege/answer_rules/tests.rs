//! Tests of which words count as internal.

use super::find_word;

#[test]
fn only_a_word_by_itself_is_told() {
    for (text, word) in [
        (r#"{"correlation_id": "1"}"#, "relation"),
        ("not json: expected value at line 1 column 12", "column"),
        ("millrace_postgres_total 1", "postgres"),
        ("stacked", "stack"),
    ] {
        assert_eq!(find_word(text, word), None, "{text}");
    }
    for (text, word, at) in [
        (r#"error: relation "entries" does not exist"#, "relation", 7),
        (r#"line 1: column "a" does not exist"#, "column", 8),
        ("correlation, relation", "relation", 13),
        ("postgres", "postgres", 0),
    ] {
        assert_eq!(find_word(text, word), Some(at), "{text}");
    }
}
