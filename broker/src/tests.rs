//! The wire format, as bytes that others rely on.
