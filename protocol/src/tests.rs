//! What no change may alter: ids, what travels beside a body, and which changes of a schema are allowed.

mod compatibility;
mod ids;
