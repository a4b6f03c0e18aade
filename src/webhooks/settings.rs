//! The section `[webhooks]`, and the endpoints that stand in it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};

use super::event_names;
use super::signing::Key;
use crate::core::clock::Timestamp;
use crate::core::entropy::Entropy;
use crate::core::error::Misconfiguration;
use crate::core::period::Period;
use crate::core::request::Owner;
use crate::core::webhook::{Endpoint, EndpointId};
use crate::net::{Net, Pusher, Range, Reach};
use crate::secret::Source;

/// How long an endpoint may take at most: a delivery that is on its way for [`LEASE`](crate::core::webhook::LEASE) is sent again, and
/// what came of it has to be written down before.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(30);

/// The section `[webhooks]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WebhookSettings {
    /// Whether endpoints may be told without encryption.
    pub allow_http: bool,
    /// Ranges of addresses outside the public Internet that endpoints may have.
    pub allow_private: Vec<Range>,
    /// How long an endpoint may take to answer.
    pub timeout: Period,
    /// How long the key before the newest one still signs.
    pub rotation_overlap: Period,
    /// How long a delivery is kept after its end.
    pub retention: Period,
    /// `[webhooks.endpoints.NAME]`
    pub endpoints: BTreeMap<String, EndpointSettings>,
}

impl Default for WebhookSettings {
    fn default() -> Self {
        Self {
            allow_http: false,
            allow_private: Vec::new(),
            timeout: Period::seconds(15),
            rotation_overlap: Period::seconds(24 * 3600),
            retention: Period::seconds(7 * 24 * 3600),
            endpoints: BTreeMap::new(),
        }
    }
}

/// One `[webhooks.endpoints.NAME]` table.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndpointSettings {
    /// Where.
    pub url: String,
    /// Of whose requests: the client of that id, by tokens of our own.
    pub client: Option<String>,
    /// Of whose requests: whoever has these in their tokens.
    pub owner: Option<Owner>,
    /// Of which events.
    #[serde(default)]
    pub events: Vec<String>,
    /// Its keys; all of them sign, so that one can take the place of another.
    pub secrets: Vec<Source>,
}

/// What follows from the section.
#[derive(Debug)]
pub struct WebhookPlan {
    pub(super) settings: WebhookSettings,
    pub(super) pusher: Pusher,
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) keys: BTreeMap<String, Vec<Key>>,
}

/// What the section is judged with.
#[derive(Clone, Copy)]
pub struct Judged<'a> {
    /// The folder that a relative path is relative to.
    pub base: &'a Path,
    /// The `iss` of our own tokens.
    pub issuer: &'a str,
    /// Whether this is development mode, where endpoints on this machine are told.
    pub is_development: bool,
    /// What clients are made with.
    pub net: &'a Net,
    /// When an endpoint is made that was not there before.
    pub now: Timestamp,
    /// What names are drawn from.
    pub entropy: &'a dyn Entropy,
}

impl WebhookSettings {
    /// Judges the section and reads the keys that it names.
    ///
    /// # Errors
    /// Every mistake there is.
    pub fn build(&self, with: Judged<'_>) -> Result<WebhookPlan, Vec<Misconfiguration>> {
        let mut mistakes = Vec::new();
        if self.timeout.duration().is_zero() {
            let remedy = "Leave it out, or write a time greater than 0";
            mistakes.push(Misconfiguration::new("webhooks.timeout", "is 0", remedy));
        }
        if self.timeout.duration() > LONGEST_TIMEOUT {
            let problem = "is more than 30 s: a delivery could be sent again while it is still on its way";
            mistakes.push(Misconfiguration::new("webhooks.timeout", problem, "Write a time of up to 30 s"));
        }
        let reach = Reach { private: self.allow_private.clone(), loopback: with.is_development, http: self.allow_http };
        let (mut endpoints, mut keys) = (Vec::new(), BTreeMap::new());
        for (name, endpoint) in &self.endpoints {
            match endpoint.build(name, &reach, with) {
                Ok((endpoint, signing)) => {
                    endpoints.push(endpoint);
                    keys.insert(name.clone(), signing);
                }
                Err(found) => mistakes.extend(found),
            }
        }
        let pusher = with.net.pusher(reach, self.timeout.duration()).map_err(|mistake| mistakes.push(mistake));
        match pusher {
            Ok(pusher) if mistakes.is_empty() => Ok(WebhookPlan { settings: self.clone(), pusher, endpoints, keys }),
            _ => Err(mistakes),
        }
    }
}

impl EndpointSettings {
    fn build(
        &self,
        name: &str,
        reach: &Reach,
        with: Judged<'_>,
    ) -> Result<(Endpoint, Vec<Key>), Vec<Misconfiguration>> {
        let mut mistakes = Vec::new();
        let mut add = |key: &str, problem: String, remedy: &str| {
            mistakes.push(Misconfiguration::new(format!("webhooks.endpoints.{name}.{key}"), problem, remedy));
        };
        if let Err(problem) = reach.judge(&self.url) {
            let remedy = "Write an https address, and see webhooks.allow_http and webhooks.allow_private";
            add("url", format!("the address {problem}"), remedy);
        }
        let owner = match (&self.client, &self.owner) {
            (Some(client), None) => Owner { issuer: with.issuer.to_owned(), subject: client.clone() },
            (None, Some(owner)) => owner.clone(),
            _ => {
                add(
                    "client",
                    "whose requests it is told of is not said, or said twice".into(),
                    "Write client = \"ID\", or owner = { issuer = \"…\", subject = \"…\" }",
                );
                Owner { issuer: String::new(), subject: String::new() }
            }
        };
        let statuses = event_names::parse(&self.events).unwrap_or_else(|(_, problem)| {
            add("events", problem, "Write names of events, or leave it out");
            Vec::new()
        });
        let keys = self.read_keys(with.base, &mut add);
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let endpoint = Endpoint {
            id: EndpointId::draw(with.now, with.entropy),
            owner,
            name: Some(name.to_owned()),
            url: self.url.clone(),
            description: String::new(),
            statuses,
            keys: Vec::new(),
            created_at: with.now,
            disabled: None,
            failures: 0,
            failing_since: None,
            resting_until: None,
        };
        Ok((endpoint, keys))
    }

    fn read_keys(&self, base: &Path, add: &mut impl FnMut(&str, String, &str)) -> Vec<Key> {
        if self.secrets.is_empty() {
            add(
                "secrets",
                "there is none, so nothing can be signed".into(),
                "Name a file or a variable that has \"whsec_\" and 24 to 64 random bytes in base64",
            );
        }
        let mut keys = Vec::new();
        for source in &self.secrets {
            let key = source.read(base).and_then(|text| Ok(Key::parse(text.expose_secret().trim())?));
            match key {
                Ok(key) => keys.push(key),
                Err(problem) => add(
                    "secrets",
                    format!("{source}: {problem}"),
                    "Put a key there: \"whsec_\" and base64, or \"whsk_\" and base64",
                ),
            }
        }
        keys
    }
}
