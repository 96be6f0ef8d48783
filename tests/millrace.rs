//! The one test binary: whole flows on a real broker and a real database, the pipeline
//! as a model, and the rules of the house.

mod flows;
mod model;
mod tidy;
