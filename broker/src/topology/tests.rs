//! What a topology and a broker differ in.
