//! What every schedule keeps to.

use std::collections::{BTreeMap, BTreeSet};

use clap::ValueEnum;

use super::Plan;
use crate::chaos::fault::{Kind, Step, Target};

fn all(plan: &Plan) -> impl Iterator<Item = &Step> {
    plan.programs.iter().chain(&plan.infrastructure)
}

#[test]
fn the_same_seed_gives_the_same_schedule_and_another_seed_another() {
    assert_eq!(Plan::draw(7, 160), Plan::draw(7, 160));
    assert_ne!(Plan::draw(7, 160).programs, Plan::draw(8, 160).programs);
    assert_ne!(Plan::draw(7, 160).infrastructure, Plan::draw(8, 160).infrastructure);
}

#[test]
fn a_longer_schedule_of_a_seed_begins_as_the_shorter_one_does() {
    let (short, long) = (Plan::draw(7, 160), Plan::draw(7, 400));
    let kinds = |steps: &[Step]| steps.iter().map(|step| step.kind).collect::<Vec<_>>();
    assert_eq!(kinds(&short.programs)[..32], kinds(&long.programs)[..32]);
}

#[test]
fn every_kind_occurs_once_there_are_five_times_as_many_faults() {
    let there_are: BTreeSet<Kind> = Kind::value_variants().iter().copied().collect();
    assert!(there_are.len() >= 33);
    for seed in 0..200 {
        let plan = Plan::draw(seed, there_are.len() * 5);
        assert_eq!(plan.faults(), there_are.len() * 5);
        let occurring: BTreeSet<Kind> = all(&plan).map(|step| step.kind).collect();
        assert_eq!(occurring, there_are, "seed {seed}");
    }
}

#[test]
fn every_way_meets_every_fault_of_ways() {
    let plan = Plan::draw(3, 160);
    let mut met: BTreeMap<Kind, BTreeSet<String>> = BTreeMap::new();
    for step in &plan.infrastructure {
        if let Target::Way(_) = step.target {
            met.entry(step.kind).or_default().insert(step.target.to_string());
        }
    }
    for kind in Kind::OF_EVERY_WAY {
        assert_eq!(met[&kind].len(), 3, "{kind}");
    }
}

#[test]
fn the_usual_campaign_takes_some_minutes_and_the_long_one_less_than_an_hour() {
    for seed in 0..50 {
        let usual = Plan::draw(seed, 160).takes().as_secs();
        assert!((200..400).contains(&usual), "seed {seed}: {usual} s");
        let long = Plan::draw(seed, 1500).takes().as_secs();
        assert!((1800..3000).contains(&long), "seed {seed}: {long} s");
    }
}
