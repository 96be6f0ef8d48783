//! API keys are as unpredictable as the bits they are made of, and do not show themselves.

use std::collections::HashSet;

use crate::ApiKey;

#[test]
fn a_key_is_its_bits_to_the_base_of_62() {
    let zero = ApiKey::of([0; 32]);
    assert_eq!(zero.reveal(), format!("mr_{}", "0".repeat(43)));
    let mut one = [0; 32];
    one[31] = 62;
    assert_eq!(ApiKey::of(one).reveal(), format!("mr_{}10", "0".repeat(41)));
    // 2^256 - 1 to the base of 62.
    assert_eq!(ApiKey::of([0xff; 32]).reveal(), "mr_yhjskwdA6OZ1AL1YmHWZWm8LLG7HjnuCA2j5rOw8Xp1");
}

#[test]
fn a_hash_is_that_of_the_text() {
    let key = ApiKey::of([7; 32]);
    assert_eq!(ApiKey::hash_of(key.reveal()).as_str(), key.hash().as_str());
    assert_eq!(
        ApiKey::hash_of("abc").as_str(),
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
    assert!(key.reveal().starts_with(key.prefix().as_str()) && key.prefix().as_str().len() == 11);
}

#[test]
fn keys_of_different_bits_differ_and_use_the_whole_alphabet() {
    let bits = |number: u32| *blake3::hash(&number.to_le_bytes()).as_bytes();
    let keys: HashSet<String> = (0..200).map(|number| ApiKey::of(bits(number)).reveal().to_owned()).collect();
    assert_eq!(keys.len(), 200);
    let used: HashSet<char> = keys.iter().flat_map(|key| key[3..].chars()).collect();
    assert_eq!(used.len(), 62);
}

#[test]
fn a_key_does_not_show_itself() {
    assert_eq!(format!("{:?}", ApiKey::of([7; 32])), "ApiKey(…)");
}
