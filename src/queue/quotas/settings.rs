//! The section `[quotas]`: what each owner may take, and the clients that have limits of their own.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::core::error::{Misconfiguration, Mistakes};

/// The highest rate: beyond it a limit would be none.
const MAX_RATE: u32 = 1_000_000;

/// The section `[quotas]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct QuotaSettings {
    /// How many calls of the API an owner may make in a second; 0: any number.
    pub requests_per_second: u32,
    /// How many at once; one second's worth unless it is given.
    pub burst: Option<u32>,
    /// How many requests of an owner may be open, that is, not at their end yet; 0: any number.
    pub open_requests: u64,
    /// `[quotas.clients.NAME]`
    pub clients: BTreeMap<String, ClientQuota>,
}

/// The table `[quotas.clients.NAME]`: what is not given is as for everybody.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClientQuota {
    /// The `iss` of the client's tokens; our own unless it is given.
    pub issuer: Option<String>,
    /// As in the section.
    pub requests_per_second: Option<u32>,
    /// As in the section.
    pub burst: Option<u32>,
    /// As in the section.
    pub open_requests: Option<u64>,
}

/// The limits that hold for somebody; 0: none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Terms {
    pub(super) requests_per_second: u32,
    pub(super) burst: u32,
    pub(super) open_requests: u64,
}

impl Default for QuotaSettings {
    fn default() -> Self {
        Self { requests_per_second: 5_000, burst: None, open_requests: 100_000, clients: BTreeMap::new() }
    }
}

impl QuotaSettings {
    /// Every mistake in the section that shows without the others.
    pub fn mistakes(&self) -> Vec<Misconfiguration> {
        let mut found = rate_mistakes("quotas", Some(self.requests_per_second), self.burst, self.requests_per_second);
        for (name, client) in &self.clients {
            let mut mistakes = Mistakes::of("quotas.clients", name);
            if client.is_empty() {
                let remedy = "Give it requests_per_second, burst or open_requests, or leave the table out";
                mistakes.add("", "it changes no limit", remedy);
            }
            let rate = client.requests_per_second.unwrap_or(self.requests_per_second);
            found.extend(mistakes.found);
            found.extend(rate_mistakes(
                &format!("quotas.clients.{name}"),
                client.requests_per_second,
                client.burst,
                rate,
            ));
        }
        found
    }

    /// How many calls an owner may make at once; none where any number may come.
    pub fn effective_burst(&self) -> Option<u32> {
        (self.requests_per_second > 0).then(|| self.burst.unwrap_or(self.requests_per_second))
    }

    /// What holds for everybody.
    pub(super) fn usual(&self) -> Terms {
        Terms {
            requests_per_second: self.requests_per_second,
            burst: self.burst.unwrap_or(self.requests_per_second),
            open_requests: self.open_requests,
        }
    }

    /// What holds for a client. A rate of its own has a burst of its own.
    pub(super) fn of(&self, client: &ClientQuota) -> Terms {
        let usual = self.usual();
        let rate = client.requests_per_second.unwrap_or(usual.requests_per_second);
        let burst = if client.requests_per_second.is_some() { rate } else { usual.burst };
        Terms {
            requests_per_second: rate,
            burst: client.burst.unwrap_or(burst),
            open_requests: client.open_requests.unwrap_or(usual.open_requests),
        }
    }
}

impl ClientQuota {
    fn is_empty(&self) -> bool {
        self.requests_per_second.is_none() && self.burst.is_none() && self.open_requests.is_none()
    }
}

/// The mistakes in the two keys of a rate: as they are given at `place`, where `rate` holds.
fn rate_mistakes(place: &str, given: Option<u32>, burst: Option<u32>, rate: u32) -> Vec<Misconfiguration> {
    let mut found = Vec::new();
    if given.is_some_and(|rate| rate > MAX_RATE) {
        let (problem, remedy) =
            (format!("{rate} is more than {MAX_RATE}"), format!("Give a number up to {MAX_RATE}, or 0 for no limit"));
        found.push(Misconfiguration::new(format!("{place}.requests_per_second"), problem, remedy));
    }
    let about_burst = match burst {
        Some(_) if rate == 0 => Some((
            "there is no limit that it could go beyond",
            "Give requests_per_second a number above 0, or leave burst out",
        )),
        Some(0) => Some((
            "with 0 no call would be let in",
            "Give a number above 0, or leave the key out: then it is one second's worth",
        )),
        _ => None,
    };
    found.extend(about_burst.map(|(problem, remedy)| Misconfiguration::new(format!("{place}.burst"), problem, remedy)));
    found
}
