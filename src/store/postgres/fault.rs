//! Why the server did not do something, in the classes that a caller tells apart.

use deadpool_postgres::{PoolError, TimeoutType};
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use crate::core::error::StoreError;

/// Why an operation did not happen.
#[derive(Clone, Debug)]
pub(super) enum Fault {
    /// There is no space left; nothing was changed.
    Full,
    /// Too much is going on; nothing was changed.
    Busy,
    /// Another transaction was in the way; nothing was changed, and it may work at once.
    Conflict,
    /// What was to be unique is not; nothing was changed.
    Taken(String),
    /// The record of that name can not be read.
    Damaged(String),
    /// Anything else. Nobody knows how far it came.
    Failed(String),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let Some(answer) = error.as_db_error() else { return Self::Failed(told(&error)) };
        let code = answer.code();
        if *code == SqlState::DISK_FULL {
            Self::Full
        } else if [SqlState::T_R_DEADLOCK_DETECTED, SqlState::T_R_SERIALIZATION_FAILURE].contains(code) {
            Self::Conflict
        } else if *code == SqlState::UNIQUE_VIOLATION {
            Self::Taken(answer.constraint().unwrap_or("a unique index").to_owned())
        } else if code.code().starts_with("53")
            || [SqlState::LOCK_NOT_AVAILABLE, SqlState::QUERY_CANCELED].contains(code)
        {
            Self::Busy
        } else {
            Self::Failed(told(&error))
        }
    }
}

impl From<PoolError> for Fault {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Timeout(TimeoutType::Wait) => Self::Busy,
            PoolError::Timeout(_) => Self::Failed("the server does not answer".into()),
            PoolError::Backend(error) => error.into(),
            other => Self::Failed(other.to_string()),
        }
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Full => Self::Full,
            Fault::Busy | Fault::Conflict => Self::Busy,
            Fault::Taken(what) => Self::Failed(format!("what is stored already stands in the way: {what}").into()),
            Fault::Damaged(id) => Self::Damaged(id),
            Fault::Failed(told) => Self::Failed(told.into()),
        }
    }
}

/// What an error says, down to its cause.
pub(super) fn told(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let mut told: Vec<String> = Vec::new();
    for cause in causes.map(ToString::to_string) {
        // Some repeat what their cause says.
        if !told.iter().any(|before| before.contains(&cause)) {
            told.push(cause);
        }
    }
    told.join(": ")
}
