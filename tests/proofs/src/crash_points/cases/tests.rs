//! The table is complete, and each of its cases has a name of its own.

use std::collections::BTreeSet;

use super::{Case, Deaths, OF_API, OF_WORKERS, Position, all};

#[test]
fn every_point_that_the_armed_programs_know_has_cases() {
    let known: BTreeSet<_> = millrace_faults::Point::ALL.iter().map(|point| point.name()).collect();
    let tried: BTreeSet<_> = OF_WORKERS.iter().chain(&OF_API).map(|point| point.name).collect();
    assert_eq!(tried, known);
    let with_cases: BTreeSet<_> =
        all().filter(|case| case.left_out().is_none()).map(|case| case.point.name).collect();
    assert_eq!(with_cases, known);
}

#[test]
fn there_are_at_least_400_cases_and_each_has_its_own_name() {
    let cases: Vec<_> = all().filter(|case| case.left_out().is_none()).collect();
    let names: BTreeSet<_> = cases.iter().map(Case::to_string).collect();
    assert_eq!(names.len(), cases.len());
    assert!(cases.len() >= 400, "{}", cases.len());
    assert!(names.contains("orders/commit-sent/middle/twice/dead-letter"));
}

#[test]
fn positions_are_counted_from_one() {
    let hits = |position: Position| [1, 3, 12].map(|hits| position.of(hits));
    assert_eq!(hits(Position::First), [1, 1, 1]);
    assert_eq!(hits(Position::Middle), [1, 2, 6]);
    assert_eq!(hits(Position::Last), [1, 3, 12]);
}

#[test]
fn of_a_message_that_kills_again_and_again_one_is_given_up_and_no_more() {
    for case in all() {
        let allowed = case.given_up();
        assert!(!allowed.contains(&2), "{case}");
        assert_eq!(
            allowed.contains(&1),
            case.deaths == Deaths::UntilGivenUp && case.point.committed != Some(true)
        );
        assert_eq!(
            allowed.contains(&0),
            !(case.deaths == Deaths::UntilGivenUp && case.point.committed == Some(false))
        );
    }
}
