//! The `[types.NAME]` tables, as they are written.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::core::period::Period;
use crate::core::request::Status;
use crate::core::timeline::Failure;

/// One `[types.NAME]` table.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TypeSettings {
    /// What moves a request on.
    #[serde(default)]
    pub processor: Processor,
    /// What the type is for, shown in the contract.
    #[serde(default)]
    pub description: String,
    /// The stages, by time since submission.
    pub stages: Option<Vec<StageSettings>>,
    /// What a succeeded request gives; `{request_id}` in a text stands for the request's name.
    pub result: Option<Value>,
    /// What a failed request shows.
    pub error: Option<FailureSettings>,
    /// How many times workers may begin.
    pub attempts: Option<u32>,
    /// How long a lease lasts when the worker does not say.
    pub lease: Option<Period>,
    /// How long an attempt may take, heartbeats or not.
    pub run_timeout: Option<Period>,
    /// How long to wait between attempts.
    pub backoff: Option<BackoffSettings>,
    /// The JSON Schema of the result: a table, or `"file:PATH"`.
    pub result_schema: Option<Value>,
    /// The JSON Schema of the payload: a table, or `"file:PATH"`.
    pub schema: Option<Value>,
    /// Another API that the type is served by as well.
    pub dialect: Option<Dialect>,
    /// The scope that submitting and reading its requests needs, in place of those for requests of any type.
    pub scope: Option<String>,
    /// How long a token with that scope lives at most.
    pub scope_lifetime: Option<Period>,
}

/// What moves a request on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Processor {
    /// Stages by elapsed time.
    #[default]
    Timeline,
    /// Workers, who take out leases.
    Lease,
}

/// Another API that a type is served by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// The partner prototype's: `POST /request`, `GET /request/{request_id}`.
    Partner,
}

/// What a failed request shows.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FailureSettings {
    /// A stable code.
    pub code: String,
    /// A short title.
    pub title: String,
    /// What happened, and what to do.
    #[serde(default)]
    pub detail: String,
    /// Whether the same request may succeed later.
    #[serde(default)]
    pub retryable: bool,
}

impl From<FailureSettings> for Failure {
    fn from(settings: FailureSettings) -> Self {
        let FailureSettings { code, title, detail, retryable } = settings;
        Self { code, title, detail, retryable }
    }
}

/// One stage.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StageSettings {
    /// When it begins, after submission.
    pub after: Period,
    /// Its name.
    pub stage: String,
    /// The status of a request in it.
    pub status: Status,
}

/// How long to wait between attempts: twice as long after each.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackoffSettings {
    /// After the first attempt.
    pub first: Period,
    /// At most.
    pub most: Period,
}
