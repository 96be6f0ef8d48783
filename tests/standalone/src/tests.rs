//! The rules of parcels, given / when / then.

use millrace_given::{Flow, MemoryStore, Table, World, any_schedule, arrives, problem, published};
use millrace_protocol::Contract;
use proptest::prelude::*;

use crate::messages::{Send, Sent};
use crate::rules::{Facts, Parcels};

impl MemoryStore for Facts {
    fn load(&mut self, stored: &Self) {
        self.parcels.load(&stored.parcels);
    }
    fn save(&self, stored: &mut Self) {
        self.parcels.save(&mut stored.parcels);
    }
}

#[test]
fn a_parcel_is_sent_once_and_a_heavy_one_never() {
    let mut world = World::<Parcels>::default();
    let send = |number| arrives::<Parcels, _>(number, &Send::example());
    assert_eq!(published(&world.when(send(1))), [Sent::TYPE]);
    assert_eq!(problem(&world.when(send(2))), "parcel-already-sent");
    let heavy = Send { grams: 40_000, ..Send::example() };
    assert_eq!(
        problem(&World::<Parcels>::default().when(arrives::<Parcels, _>(1, &heavy))),
        "parcel-too-heavy"
    );
}

proptest! {
    #[test]
    fn any_order_and_repetition_ends_the_same(schedule in any_schedule()) {
        Flow::<Parcels>::default().then(&Send::example()).then(&Send::example()).ends_the_same(&schedule)?;
    }
}
