//! The contract: served as it is committed, whole, and true of what is answered.

mod promises;
mod served;

use serde_json::Value;

/// One operation of a document.
struct Operation<'a> {
    path: &'a str,
    method: &'a str,
    says: &'a Value,
}

impl Operation<'_> {
    fn id(&self) -> &str {
        self.says["operationId"].as_str().unwrap()
    }

    /// The scope that it names; an empty one when any token will do, none when it is not guarded.
    fn scope(&self) -> Option<&str> {
        let scopes = self.says["security"].as_array()?.iter().find_map(|way| way.get("oauth2"))?;
        Some(scopes[0].as_str().unwrap_or_default())
    }

    fn has_response(&self, status: u16) -> bool {
        self.says["responses"].get(status.to_string()).is_some()
    }
}

fn operations(document: &Value) -> Vec<Operation<'_>> {
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        operations.extend(item.as_object().unwrap().iter().map(|(method, says)| Operation { path, method, says }));
    }
    operations
}
