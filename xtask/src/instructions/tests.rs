//! Tests of what a comparison says about cases that cost more or less, or that only one side has.

use super::comparison::{Comparison, Verdict};
use super::counting::total;
use super::record::Counts;

fn counts(cases: &[(&str, u64)]) -> Counts {
    cases.iter().map(|(case, count)| ((*case).to_owned(), *count)).collect()
}

/// What is said of one case, and whether that is good enough.
fn verdict(recorded: &[(&str, u64)], now: &[(&str, u64)]) -> (Verdict, bool) {
    let (recorded, now) = (counts(recorded), counts(now));
    let comparison = Comparison::of(&recorded, &now);
    assert_eq!(comparison.0.len(), 1);
    (comparison.0[0].verdict(), comparison.holds())
}

#[test]
fn what_costs_no_more_than_the_tolerance_is_as_recorded() {
    for now in [9_700, 10_000, 10_300] {
        assert_eq!(verdict(&[("decide", 10_000)], &[("decide", now)]), (Verdict::AsRecorded, true));
    }
}

#[test]
fn what_costs_more_fails() {
    assert_eq!(verdict(&[("decide", 10_000)], &[("decide", 10_301)]), (Verdict::CostsMore, false));
}

#[test]
fn what_costs_less_is_said_and_does_not_fail() {
    assert_eq!(verdict(&[("decide", 10_000)], &[("decide", 9_699)]), (Verdict::CostsLess, true));
}

#[test]
fn a_case_without_a_record_fails() {
    assert_eq!(verdict(&[], &[("decide", 10_000)]), (Verdict::NotRecorded, false));
}

#[test]
fn a_record_without_its_case_fails() {
    assert_eq!(verdict(&[("decide", 10_000)], &[]), (Verdict::NotCounted, false));
}

#[test]
fn each_case_is_named_with_what_to_do() {
    let recorded = counts(&[("decide", 100), ("decode", 100), ("encode", 100), ("gone", 100)]);
    let now = counts(&[("decide", 100), ("decode", 110), ("encode", 90), ("new", 100)]);
    let comparison = Comparison::of(&recorded, &now);
    let advice = comparison.advice();
    let sentences: Vec<_> = advice.split("\n\n").filter_map(|sentence| sentence.split_once(": ")).collect();
    let cases: Vec<_> = sentences.iter().map(|(case, _)| *case).collect();
    assert_eq!(cases, ["decode", "encode", "new", "gone"]);
    assert!(sentences.iter().all(|(_, what)| what.contains("cargo xtask instructions --renew")), "{advice}");
    let table = comparison.to_string();
    assert!(table.contains("+10.00 %  costs more") && table.contains("-10.00 %  costs less"), "{table}");
}

#[test]
fn a_profile_without_instructions_is_no_count() {
    assert_eq!(total("events: Ir\nsummary: 42\n\ntotals: 42\n"), Some(42));
    assert_eq!(total("events: Ir\n\ntotals: 0\n"), None);
    assert_eq!(total("events: Ir\n"), None);
}
