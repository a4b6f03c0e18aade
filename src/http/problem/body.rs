//! The body of problem details, as it is written and as the contract has it.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::core::quota::Exceeded;

/// A problem body, RFC 9457 section 3.1.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem, description = "What went wrong, as RFC 9457 problem details")]
pub(in crate::http) struct ProblemBody<'a> {
    /// Names the kind of problem: `urn:anteroom:error:CODE`.
    #[serde(rename = "type")]
    #[schema(example = "urn:anteroom:error:not_found")]
    pub(super) kind: String,
    /// The kind of problem in a few words.
    #[schema(example = "Not found")]
    pub(super) title: &'a str,
    /// The HTTP status.
    #[schema(example = 404)]
    pub(super) status: u16,
    /// What happened and what to do.
    #[schema(example = "There is nothing here under this name.")]
    pub(super) detail: &'a str,
    /// The stable code; for a refused token the reason.
    #[schema(example = "not_found")]
    pub(super) code: &'a str,
    /// Names this exchange in the gateway's log.
    #[schema(example = "4bf92f3577b34da6a3ce929d0e0e4736")]
    pub(super) trace_id: &'a str,
    /// The faults in the request body.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) errors: Vec<FaultBody<'a>>,
    /// The request as it stands, where that is why (409, 412).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub(super) request: Option<&'a Value>,
    /// The limit that is reached (429).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) limit: Option<LimitBody>,
    /// After how many seconds it is worth another try (429).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reset: Option<u64>,
}

/// One fault in a request body.
#[derive(Serialize, ToSchema)]
#[schema(as = Fault)]
pub(in crate::http) struct FaultBody<'a> {
    /// JSON Pointer (RFC 6901) from the body's root.
    #[schema(example = "/payload")]
    pub(super) pointer: &'a str,
    /// A stable code.
    #[schema(example = "missing_field")]
    pub(super) code: &'a str,
    /// What is wrong and what is expected.
    #[schema(example = "missing field `payload`")]
    pub(super) detail: &'a str,
}

/// A limit on what one owner takes.
#[derive(Serialize, ToSchema)]
#[schema(as = Limit)]
pub(in crate::http) struct LimitBody {
    /// Its name in the gateway's configuration.
    #[schema(example = "requests_per_second")]
    name: &'static str,
    /// How much it allows.
    #[schema(example = 5000)]
    value: u64,
}

impl From<&Exceeded> for LimitBody {
    fn from(exceeded: &Exceeded) -> Self {
        Self { name: exceeded.limit.name(), value: exceeded.value }
    }
}
