//! The statuses of a request: a closed list, four of them terminal.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

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
    /// Not done by its deadline. Terminal.
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
