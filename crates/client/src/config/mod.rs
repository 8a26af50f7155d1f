//! What can be set, what each default is and why, and which settings do not go together.

mod error;

pub use error::ConfigError;
