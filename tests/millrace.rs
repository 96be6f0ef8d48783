//! The one test binary: whole flows on a real broker and a real database, and the rules of the house.

mod flows;
mod tidy;
