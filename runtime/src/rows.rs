//! The rows of one table that a batch may look at, by key, with the version at which each was loaded.

use std::collections::BTreeMap;
use std::fmt::Debug;

/// Rows that can be written, and never deleted.
///
/// A key that was declared and not found in the database does not exist. Looking at a key that was not declared, or writing
/// it, is a bug of the rule and panics: its message then fails alone.
#[derive(Debug, Clone, PartialEq)]
pub struct Rows<K, V>(Slots<K, V>);

/// Rows that can also be deleted: the type of [`DeletableRows::changed`] keeps a store from overlooking that.
#[derive(Debug, Clone, PartialEq)]
pub struct DeletableRows<K, V>(Slots<K, V>);

/// A row to save.
#[derive(Debug, PartialEq, Eq)]
pub struct Changed<'a, K, T> {
    /// The row's key.
    pub key: &'a K,
    /// Its new value. In a table whose rows may be deleted, `None` asks for that.
    pub value: T,
    /// The version to write: one above the version that must still be there, 1 for a row that must not exist yet.
    pub version: i64,
}

type Slots<K, V> = BTreeMap<K, Slot<V>>;

#[derive(Debug, Clone, PartialEq)]
struct Slot<V> {
    value: Option<V>,
    /// As it was loaded; 0 where there was no row.
    version: i64,
    changed: bool,
}

macro_rules! rows {
    ($name:ident) => {
        impl<K, V> Default for $name<K, V> {
            fn default() -> Self {
                Self(Slots::new())
            }
        }

        impl<K: Ord + Clone + Debug, V> $name<K, V> {
            /// Declares that deciding may look at this key.
            pub fn declare(&mut self, key: K) {
                self.0.entry(key).or_insert(Slot { value: None, version: 0, changed: false });
            }

            /// The declared keys in order, which is the order in which rows are locked.
            pub fn keys(&self) -> impl Iterator<Item = &K> {
                self.0.keys()
            }

            /// Takes over a row that was found in the database, at this version.
            pub fn fill(&mut self, key: K, value: V, version: i64) {
                self.0.insert(key, Slot { value: Some(value), version, changed: false });
            }

            /// The row, or `None` if it doesn't exist.
            ///
            /// # Panics
            ///
            /// If the key was not declared.
            #[must_use]
            pub fn get(&self, key: &K) -> Option<&V> {
                match self.0.get(key) {
                    Some(slot) => slot.value.as_ref(),
                    None => panic!("the rule looked at {key:?}, which it had not declared"),
                }
            }

            /// Every row that exists, in the order of the keys.
            pub fn existing(&self) -> impl Iterator<Item = (&K, &V)> {
                self.0.iter().filter_map(|(key, slot)| Some((key, slot.value.as_ref()?)))
            }

            /// Writes the row.
            ///
            /// # Panics
            ///
            /// If the key was not declared.
            pub fn put(&mut self, key: &K, value: V) {
                set(&mut self.0, key, Some(value));
            }
        }
    };
}

rows!(Rows);
rows!(DeletableRows);

impl<K, V> Rows<K, V> {
    /// The rows that were written, in the order of their keys.
    pub fn changed(&self) -> impl Iterator<Item = Changed<'_, K, &V>> {
        changed(&self.0)
            .filter_map(|row| Some(Changed { key: row.key, value: row.value?, version: row.version }))
    }
}

impl<K: Ord + Clone + Debug, V> DeletableRows<K, V> {
    /// Deletes the row.
    ///
    /// # Panics
    ///
    /// If the key was not declared.
    pub fn remove(&mut self, key: &K) {
        set(&mut self.0, key, None);
    }

    /// The rows that were written or deleted, in the order of their keys. One that came and went within the batch is not
    /// among them.
    pub fn changed(&self) -> impl Iterator<Item = Changed<'_, K, Option<&V>>> {
        changed(&self.0)
    }
}

fn changed<K, V>(slots: &Slots<K, V>) -> impl Iterator<Item = Changed<'_, K, Option<&V>>> {
    slots
        .iter()
        .filter(|(_, slot)| slot.changed && (slot.value.is_some() || slot.version != 0))
        .map(|(key, slot)| Changed { key, value: slot.value.as_ref(), version: slot.version + 1 })
}

fn set<K: Ord + Debug, V>(slots: &mut Slots<K, V>, key: &K, value: Option<V>) {
    match slots.get_mut(key) {
        Some(slot) => {
            slot.value = value;
            slot.changed = true;
        }
        None => panic!("the rule changed {key:?}, which it had not declared"),
    }
}
