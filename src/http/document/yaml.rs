//! The contract as YAML.

use actix_web::web::Bytes;
use serde_json::Value;

use super::{Contract, etag};

/// The contract as YAML, and what names this state of it.
#[derive(Debug)]
pub struct Yaml {
    /// The text.
    pub content: Bytes,
    pub(in crate::http) etag: String,
}

impl Contract {
    /// The contract as YAML.
    ///
    /// # Errors
    /// The serializer's.
    pub fn yaml(&self) -> Result<&Yaml, serde_json::Error> {
        if let Some(yaml) = self.yaml.get() {
            return Ok(yaml);
        }
        let document: Value = serde_json::from_slice(&self.json)?;
        let content = yaml_serde::to_string(&document).map_err(serde::ser::Error::custom)?;
        Ok(self.yaml.get_or_init(|| Yaml { etag: etag(content.as_bytes()), content: content.into() }))
    }
}
