//! The query of the operators' list: read strictly, for a filter that was misspelt must not show everything.

use std::str::FromStr;

use crate::core::ports::requests::{Filter, Position};
use crate::core::request::{Owner, RequestId, Status, Tags};
use crate::http::code::Code;
use crate::http::problem::Problem;
use crate::http::requests::list::{MOST, USUAL, cursor, position};

/// What is asked for.
pub(super) struct Query {
    pub(super) owner: Option<Owner>,
    pub(super) filter: Filter,
    pub(super) limit: usize,
    pub(super) after: Option<Position>,
}

impl Query {
    pub(super) fn read(text: &str) -> Result<Self, Problem> {
        let (mut issuer, mut subject, mut limit, mut after) = (None, None, None, None);
        let (mut statuses, mut kinds, mut ids) = (None, None, None);
        let mut tags = Tags::new();
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            let place = match &*name {
                "issuer" => &mut issuer,
                "subject" => &mut subject,
                "status" => &mut statuses,
                "type" => &mut kinds,
                "id" => &mut ids,
                "limit" => &mut limit,
                "cursor" => &mut after,
                other => {
                    let Some(label) = other.strip_prefix("tag.") else { return Err(unknown(other)) };
                    if tags.insert(label.to_owned(), value.into_owned()).is_some() {
                        return Err(repeated(other));
                    }
                    continue;
                }
            };
            if place.replace(value.into_owned()).is_some() {
                return Err(repeated(&name));
            }
        }
        let owner = match (issuer, subject) {
            (Some(issuer), Some(subject)) => Some(Owner { issuer, subject }),
            (None, None) => None,
            _ => return Err(malformed("The parameters issuer and subject name an owner together: send both.")),
        };
        let known = || format!("is not one of {}", Status::ALL.map(Status::name).join(", "));
        let filter = Filter {
            statuses: items::<Status>("status", statuses.as_deref(), &known)?,
            kinds: items::<String>("type", kinds.as_deref(), &String::new)?,
            ids: items::<RequestId>("id", ids.as_deref(), &|| "is not a list of request ids".into())?,
            tags,
            ..Filter::default()
        };
        let limit = limit.map_or(Some(USUAL), |limit: String| limit.parse().ok());
        let limit = limit.filter(|limit| (1..=MOST).contains(limit));
        let limit = limit.ok_or_else(|| malformed(&format!("The parameter limit is not between 1 and {MOST}.")))?;
        let mut query = Self { owner, filter, limit, after: None };
        query.after = after.map(|cursor| position(&cursor, &query.bound_to())).transpose()?;
        Ok(query)
    }

    /// The cursor of the page after that position.
    pub(super) fn cursor(&self, last: Position) -> String {
        cursor(last, &self.bound_to())
    }

    fn bound_to(&self) -> (&'static str, &Option<Owner>, &Filter) {
        ("admin", &self.owner, &self.filter)
    }
}

/// The items between commas.
fn items<T: FromStr>(name: &str, text: Option<&str>, why: &dyn Fn() -> String) -> Result<Vec<T>, Problem> {
    let Some(text) = text else { return Ok(Vec::new()) };
    let items: Result<Vec<T>, _> = text.split(',').map(str::parse).collect();
    let items = items.map_err(|_| malformed(&format!("The parameter {name} {}.", why())))?;
    if items.len() > MOST {
        return Err(malformed(&format!("The parameter {name} has more than {MOST} items.")));
    }
    Ok(items)
}

fn unknown(name: &str) -> Problem {
    let name = name.escape_default().take(64).collect::<String>();
    let known = "issuer, subject, status, type, id, tag.NAME, limit, cursor";
    malformed(&format!("There is no parameter \"{name}\"; there are {known}."))
}

fn repeated(name: &str) -> Problem {
    malformed(&format!("The parameter {} comes twice.", name.escape_default().take(64).collect::<String>()))
}

fn malformed(detail: &str) -> Problem {
    Problem::detailed(Code::Malformed, detail)
}
