//! Which requests to list, as a query says it.

use std::collections::BTreeSet;
use std::str::FromStr;

use utoipa::IntoParams;

use super::view::StatusName;
use crate::core::clock::Timestamp;
use crate::core::ports::requests::Filter;
use crate::core::request::Status;
use crate::http::code::Code;
use crate::http::problem::Problem;
use crate::queue::SUBMISSIONS;

/// The requests on a page: at most, and unless told otherwise.
const MOST: usize = 200;
const USUAL: usize = 50;
/// How many requests may be asked for by name.
const MOST_IDS: usize = 100;
/// How many types, and how many labels: a request has no more of these.
const MOST_TYPES: usize = 100;
const MOST_TAGS: usize = 20;
/// What a parameter that restricts to a label begins with.
const TAG: &str = "tag.";
/// The other parameters.
const NAMES: &str = "`status`, `stage`, `type`, `submitted_after`, `submitted_before`, `updated_after`, `idempotency_key`, `id`, \
    `tag.KEY`, `limit`, `cursor`";

/// What may be asked for, for the contract: [`ListQuery::read`] is what reads it.
#[derive(IntoParams)]
#[into_params(parameter_in = Query, style = Form)]
#[expect(dead_code, reason = "it is only described")]
pub(in crate::http) struct ListParameters {
    /// Only those with one of these statuses now; with commas between them.
    #[param(inline, explode = false, value_type = Option<Vec<StatusName>>)]
    status: Option<String>,
    /// Only those in this stage now.
    stage: Option<String>,
    /// Only those of one of these types, up to 100; with commas between them.
    #[param(explode = false, value_type = Option<Vec<String>>)]
    r#type: Option<String>,
    /// Only those that were submitted later than this.
    #[param(value_type = Option<String>, format = DateTime)]
    submitted_after: Option<String>,
    /// Only those that were submitted earlier than this.
    #[param(value_type = Option<String>, format = DateTime)]
    submitted_before: Option<String>,
    /// Only those that have changed later than this.
    #[param(value_type = Option<String>, format = DateTime)]
    updated_after: Option<String>,
    /// Only the one that was submitted with this `Idempotency-Key`.
    idempotency_key: Option<String>,
    /// Only those of these ids, up to 100; with commas between them.
    #[param(explode = false, value_type = Option<Vec<String>>)]
    id: Option<String>,
    /// Only those with this label, where `KEY` is its key; up to 20 may be given.
    #[param(rename = "tag.KEY")]
    tag: Option<String>,
    /// The most requests on a page: 1 to 200.
    #[param(minimum = 1, maximum = 200, default = 50, value_type = Option<usize>)]
    limit: Option<String>,
    /// The `next_cursor` of the page before; the filters must be the same.
    cursor: Option<String>,
}

/// What was asked for.
#[derive(Debug)]
pub(in crate::http) struct ListQuery {
    pub(in crate::http) filter: Filter,
    pub(in crate::http) limit: usize,
    pub(in crate::http) cursor: Option<String>,
}

impl ListQuery {
    /// Reads a query. Each parameter may come once.
    pub(super) fn read(query: &str) -> Result<Self, Problem> {
        Self::read_beside(query, |_, _| false)
    }

    /// The same, of a list that has more parameters: `takes` says of one whether it was taken.
    pub(in crate::http) fn read_beside(
        query: &str,
        mut takes: impl FnMut(&str, &str) -> bool,
    ) -> Result<Self, Problem> {
        let mut read = Self { filter: Filter::default(), limit: USUAL, cursor: None };
        let mut seen = BTreeSet::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if !takes(&name, &value) {
                read.set(&name, &value)?;
            }
            if !seen.insert(name.clone()) {
                return Err(malformed(&format!("The query can not be read: the parameter {name} comes twice.")));
            }
        }
        Ok(read)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), Problem> {
        let Self { filter, limit, cursor } = self;
        match name {
            "status" => {
                let known = Status::ALL.map(Status::name).join(", ");
                filter.statuses = several(name, value, &format!("made of {known}"))?;
                // A store asks for each by itself: one that is named twice would be listed twice.
                filter.statuses.sort_unstable();
                filter.statuses.dedup();
            }
            "stage" => filter.stage = Some(value.to_owned()),
            "type" => {
                filter.kinds = several(name, value, "a list of types")?;
                if filter.kinds.len() > MOST_TYPES {
                    return Err(malformed(&format!("The parameter type names more than {MOST_TYPES} types.")));
                }
            }
            "submitted_after" => filter.submitted_after = Some(instant(name, value)?),
            "submitted_before" => filter.submitted_before = Some(instant(name, value)?),
            "updated_after" => filter.updated_after = Some(instant(name, value)?),
            "idempotency_key" => filter.idempotency_key = Some((SUBMISSIONS, value.to_owned())),
            "id" => {
                // One that can not be an id names no request, and there is none of that name.
                let ids: Vec<String> = several(name, value, "a list of ids")?;
                if ids.len() > MOST_IDS {
                    return Err(malformed(&format!("The parameter id names more than {MOST_IDS} requests.")));
                }
                filter.ids = ids
                    .iter()
                    .map(|id| id.parse())
                    .collect::<Result<_, ()>>()
                    .map_err(|()| malformed("The parameter id is not made of ids as a submission answers them."))?;
            }
            "limit" => {
                let number = value.parse().ok().filter(|limit| (1..=MOST).contains(limit));
                let mistake = || malformed(&format!("The parameter limit is not between 1 and {MOST}."));
                *limit = number.ok_or_else(mistake)?;
            }
            "cursor" => *cursor = Some(value.to_owned()),
            _ => {
                let key = name.strip_prefix(TAG).filter(|key| !key.is_empty()).ok_or_else(|| unknown(name))?;
                filter.tags.insert(key.to_owned(), value.to_owned());
                if filter.tags.len() > MOST_TAGS {
                    return Err(malformed(&format!("The query asks for more than {MOST_TAGS} labels.")));
                }
            }
        }
        Ok(())
    }
}

fn unknown(name: &str) -> Problem {
    let name = name.escape_default();
    malformed(&format!("The query can not be read: unknown parameter `{name}`, expected one of {NAMES}."))
}

/// What stands between commas; nothing may be empty.
fn several<T: FromStr>(name: &str, value: &str, expected: &str) -> Result<Vec<T>, Problem> {
    let parts = value.split(',').map(|part| if part.is_empty() { None } else { part.parse().ok() });
    parts.collect::<Option<_>>().ok_or_else(|| malformed(&format!("The parameter {name} is not {expected}.")))
}

fn instant(name: &str, value: &str) -> Result<Timestamp, Problem> {
    value.parse().map_err(|()| {
        let form = "an instant as 2026-11-22T06:12:03.482Z (RFC 3339; in a query a plus is written %2B)";
        malformed(&format!("The parameter {name} is not {form}."))
    })
}

pub(in crate::http) fn malformed(detail: &str) -> Problem {
    Problem::detailed(Code::Malformed, detail)
}
