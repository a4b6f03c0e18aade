//! A request, its statuses, and `view`: the one pure function that says how a request gets on at a given time.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use ulid::Ulid;

use super::clock::Timestamp;
use super::entropy::Entropy;
use super::timeline::{Failure, Timeline};

/// How a request gets on. The list is closed; what is particular to a type goes into the stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Accepted, and not to start yet.
    Scheduled,
    /// Waiting its turn.
    Queued,
    /// Being worked on.
    Running,
    /// Failed an attempt, and will be tried again.
    Retrying,
    /// Done. Terminal.
    Succeeded,
    /// Given up. Terminal.
    Failed,
    /// Cancelled by its owner. Terminal.
    Cancelled,
    /// Not begun before its deadline. Terminal.
    Expired,
}

impl Status {
    /// Every status there is.
    pub const ALL: [Self; 8] = [
        Self::Scheduled,
        Self::Queued,
        Self::Running,
        Self::Retrying,
        Self::Succeeded,
        Self::Failed,
        Self::Cancelled,
        Self::Expired,
    ];

    /// Whether a request stays as it is from here on.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled | Self::Expired)
    }

    /// The name, as on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Retrying => "retrying",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Status {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|status| status.name() == name).ok_or(())
    }
}

/// The name of a queued request: `req_` and a ULID, whose 80 random bits make it unguessable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(Ulid);

impl RequestId {
    const PREFIX: &'static str = "req_";

    /// A new id for a request submitted at `now`.
    pub fn draw(now: Timestamp, entropy: &dyn Entropy) -> Self {
        let random = u128::from_be_bytes(entropy.draw());
        Self(Ulid::from_parts(u64::try_from(now.millis()).unwrap_or(0), random))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; ulid::ULID_LEN];
        write!(f, "{}{}", Self::PREFIX, self.0.array_to_str(&mut text))
    }
}

impl FromStr for RequestId {
    type Err = ();

    /// Reads the one form that `Display` writes; any other spelling names no request.
    fn from_str(text: &str) -> Result<Self, ()> {
        let id = Ulid::from_string(text.strip_prefix(Self::PREFIX).ok_or(())?).map(Self).map_err(|_| ())?;
        if id.to_string() == text { Ok(id) } else { Err(()) }
    }
}

/// Whose a request is: issuer and subject together, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owner {
    /// The `iss` of the token that submitted it.
    pub issuer: String,
    /// The `sub` of the token that submitted it.
    pub subject: String,
}

/// A client's own labels on a request.
pub type Tags = BTreeMap<String, String>;

/// A request as the store keeps it, without its payload.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Its name.
    pub id: RequestId,
    /// Whose it is.
    pub owner: Owner,
    /// The name of its type.
    pub kind: String,
    /// The stages it passes through, as configured when it was submitted.
    pub timeline: Arc<Timeline>,
    /// When it was submitted.
    pub submitted_at: Timestamp,
    /// When its owner cancelled it.
    pub cancelled_at: Option<Timestamp>,
    /// Another name that its submitter knows it by, unique per owner (the partner prototype's `QR-…`).
    pub alias: Option<String>,
    /// Its owner's labels.
    pub tags: Tags,
}

/// How a request gets on at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// The status.
    pub status: Status,
    /// The name of the stage.
    pub stage: String,
    /// When it first ran.
    pub started_at: Option<Timestamp>,
    /// When it reached its end.
    pub finished_at: Option<Timestamp>,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When it will change next; none when terminal.
    pub next_change_at: Option<Timestamp>,
    /// Why it failed.
    pub error: Option<Failure>,
    /// What it gave.
    pub result: Option<Value>,
    /// Names this state of the request: equal versions of one request are equal views.
    pub version: String,
}

/// How `request` gets on at `now`. Pure and total: every reader asks this function and no other.
pub fn view(request: &Request, now: Timestamp) -> View {
    let (timeline, submitted_at) = (&request.timeline, request.submitted_at);
    let moment = request.cancelled_at.unwrap_or(now);
    let index = timeline.index_at(submitted_at, moment);
    let stage = &timeline.stages()[index];
    let status = if request.cancelled_at.is_some() { Status::Cancelled } else { stage.status };
    let begins = |index| timeline.begins(index, submitted_at);
    let began_to_run = timeline.stages()[..=index].iter().position(|stage| stage.status == Status::Running);
    let updated_at = request.cancelled_at.or_else(|| begins(index)).unwrap_or(submitted_at);
    View {
        status,
        stage: stage.stage.clone(),
        started_at: began_to_run.and_then(begins),
        finished_at: status.is_terminal().then_some(updated_at),
        updated_at,
        next_change_at: if status.is_terminal() { None } else { begins(index + 1) },
        error: if status == Status::Failed { timeline.error().cloned() } else { None },
        result: if status == Status::Succeeded { timeline.result(&request.public_name()) } else { None },
        version: if status == Status::Cancelled { format!("{index}.cancelled") } else { index.to_string() },
    }
}

impl Request {
    /// This request, cancelled at `now`; `None` when it has reached its end by then.
    ///
    /// A clock that went back does not make a request end before it was submitted.
    pub fn cancelled(&self, now: Timestamp) -> Option<Self> {
        let cancelled_at = Some(now.max(self.submitted_at));
        (!view(self, now).status.is_terminal()).then(|| Self { cancelled_at, ..self.clone() })
    }

    /// The name that the submitter was given.
    pub fn public_name(&self) -> String {
        self.alias.clone().unwrap_or_else(|| self.id.to_string())
    }
}
