//! What a domain's store is: it loads and saves the rows of a whole batch, with as few statements as its tables allow
//! and never one per message.

use sqlx::PgConnection;

use crate::domain::Domain;

/// The database side of a domain.
pub trait Store: Domain {
    /// Fills in every declared row that exists. Rows that a batch will most likely change are locked in key order until the
    /// transaction ends; others need not be, as saving checks what version they had.
    fn load(
        connection: &mut PgConnection,
        facts: &mut Self::Facts,
    ) -> impl Future<Output = Result<(), sqlx::Error>> + Send;

    /// Writes every changed row.
    fn save(
        connection: &mut PgConnection,
        facts: &Self::Facts,
    ) -> impl Future<Output = Result<(), SaveError>> + Send;
}

/// Why a batch's rows were not saved.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    /// Another worker wrote one of the rows since they were loaded; the batch is to be decided again.
    #[error("another worker changed a row of {table} in the meantime")]
    Conflict {
        /// The table.
        table: &'static str,
    },
    /// The database refused or is not there.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Checks that a save wrote every row that it was given: a row that another worker changed meanwhile is left out.
///
/// # Errors
///
/// [`SaveError::Conflict`] if fewer rows were written than expected.
pub fn all_written(table: &'static str, expected: usize, written: u64) -> Result<(), SaveError> {
    if u64::try_from(expected) == Ok(written) { Ok(()) } else { Err(SaveError::Conflict { table }) }
}

/// The variants of an enum and the texts that a column has for them.
#[derive(Debug)]
pub struct TextEnum<T: 'static>(pub &'static [(T, &'static str)]);

impl<T: Copy + PartialEq> TextEnum<T> {
    /// The text of a variant.
    ///
    /// # Panics
    ///
    /// If the variant is not listed.
    #[must_use]
    pub fn text(&self, variant: T) -> &'static str {
        let found = self.0.iter().find(|(known, _)| *known == variant);
        found.map(|(_, text)| *text).expect("every variant is listed")
    }

    /// The variant of a text.
    ///
    /// # Errors
    ///
    /// [`sqlx::Error::Decode`] if this release knows no such variant.
    pub fn read(&self, text: &str) -> Result<T, sqlx::Error> {
        stored(self.0.iter().find(|(_, known)| *known == text).map(|(variant, _)| *variant), text)
    }
}

/// Takes a stored value over.
///
/// # Errors
///
/// [`sqlx::Error::Decode`], with the text, if this release can't read it.
pub fn stored<T>(value: Option<T>, text: impl std::fmt::Display) -> Result<T, sqlx::Error> {
    value.ok_or_else(|| sqlx::Error::Decode(format!("a stored value can't be read: {text:.100}").into()))
}
