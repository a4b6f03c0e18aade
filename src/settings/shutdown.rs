//! The `[shutdown]` section: how the gateway stops.

use serde::{Deserialize, Serialize};

use crate::core::period::Period;

/// The `[shutdown]` section.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ShutdownSettings {
    /// How long `/readyz` says 503 before no new connection is taken; default: 1 s in production, 0 in development.
    pub delay: Option<Period>,
    /// How long requests in flight may take to finish.
    pub grace: Period,
}

impl Default for ShutdownSettings {
    fn default() -> Self {
        Self { delay: None, grace: Period::seconds(10) }
    }
}
