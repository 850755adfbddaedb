//! What every benchmark says: where and when it was measured, and what many samples come to.

pub mod setting;
pub mod stats;
