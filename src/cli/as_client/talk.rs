//! Calls, told one by one where that is wanted; never what is secret in them.

use std::io::{self, Write};
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::printable;
use crate::cli::Failure;
use crate::core::clock::Clock;
use crate::net::{Call, Caller, NetError, Reply, shown};

/// Calls servers.
pub(super) struct Talk {
    caller: Caller,
    clock: Arc<dyn Clock>,
    debug: bool,
}

pub(super) const FORM: &str = "application/x-www-form-urlencoded";
pub(super) const JSON: &str = "application/json";

impl Talk {
    pub(super) fn new(caller: Caller, clock: Arc<dyn Clock>, debug: bool) -> Self {
        Self { caller, clock, debug }
    }

    /// Makes a call.
    pub(super) async fn call(&self, url: &str, call: Call<'_>) -> Result<Reply, NetError> {
        let (method, began) = (if call.body.is_some() { "POST" } else { "GET" }, self.clock.monotonic());
        let answer = self.caller.call(url, call).await;
        if self.debug {
            let outcome = match &answer {
                Ok(reply) => reply.status.to_string(),
                Err(error) => error.class().name().to_owned(),
            };
            let took = self.clock.monotonic().saturating_sub(began).as_millis();
            // Where standard error is gone there is nobody left to tell.
            let _ = writeln!(io::stderr(), "{method} {} {outcome} {took} ms", printable(&shown(url)));
        }
        answer
    }
}

/// The JSON of an answer.
pub(super) fn json<T: DeserializeOwned>(reply: &Reply, url: &str) -> Result<T, Failure> {
    serde_json::from_slice(&reply.body).map_err(|error| {
        // Its own words may hold what was answered, but for these.
        let told = error.to_string();
        let missing = told.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
        let what = match missing {
            Some(name) => format!("without {name}"),
            None if error.is_data() => "in another form than was expected".into(),
            None => "without the JSON that was expected".into(),
        };
        let (url, status) = (printable(url), reply.status);
        Failure::Failed(format!("{url} answered {status} {what}: check that it is the address that is meant"))
    })
}

/// What a server says of what went wrong: in the words of RFC 9457 or of RFC 6749, else by its status.
pub(super) fn complaint(reply: &Reply, url: &str) -> String {
    let said: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let words = ["detail", "error_description", "title", "error"].iter().find_map(|name| said[name].as_str());
    let words = words.map_or_else(|| "it does not say why".into(), printable);
    format!("{} answered {}: {words}", printable(url), reply.status)
}
