//! The `[login]` section: what stands in for options of `anteroom login` that are not given.

use serde::{Deserialize, Serialize};

use crate::secret::Source;

/// The `[login]` section.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LoginSettings {
    /// In place of `--client-id`.
    pub client_id: Option<String>,
    /// In place of `--client-secret`.
    pub client_secret: Option<Source>,
    /// In place of `--discovery-url`.
    pub discovery_url: Option<String>,
}
