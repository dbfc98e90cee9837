//! State codec.
