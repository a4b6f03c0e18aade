//! A timeline: the stages that a request passes through as time goes by, and what it shows at its end.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::clock::Timestamp;
use super::request::Status;

/// One stage of a timeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// When it begins: milliseconds after the request was submitted.
    pub after_millis: i64,
    /// Its name, free to choose.
    pub stage: String,
    /// The status that a request has while in it.
    pub status: Status,
}

/// Why a request failed, as its owner reads it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
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

/// A table of stages with the outcome at its end. Immutable: stored once by content, and named by the requests that it governs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Definition")]
pub struct Timeline {
    stages: Vec<Stage>,
    result: Option<Value>,
    error: Option<Failure>,
}

/// A timeline as it is stored, and not yet judged.
#[derive(Deserialize)]
struct Definition {
    stages: Vec<Stage>,
    result: Option<Value>,
    error: Option<Failure>,
}

impl TryFrom<Definition> for Timeline {
    type Error = Flaw;

    fn try_from(Definition { stages, result, error }: Definition) -> Result<Self, Flaw> {
        Self::new(stages, result, error)
    }
}

/// Why a table of stages can not be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// A stage breaks a rule.
    #[error("{0}")]
    Stages(String),
    /// The template of the result does.
    #[error("{0}")]
    Result(String),
}

/// A stretch of submission times: after `after` (exclusive, none: since ever) until `until` (inclusive, none: for ever).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubmittedWithin {
    /// Exclusive lower end.
    pub after: Option<Timestamp>,
    /// Inclusive upper end.
    pub until: Option<Timestamp>,
}

impl SubmittedWithin {
    /// Whether `instant` lies in the stretch.
    pub fn contains(&self, instant: Timestamp) -> bool {
        self.after.is_none_or(|after| instant > after) && self.until.is_none_or(|until| instant <= until)
    }
}

impl Timeline {
    /// Checks the table: the first stage begins at 0, each later than the one before, and a terminal status stands last and only there.
    ///
    /// # Errors
    /// A sentence that names the offending stage, or placeholder, and the rule.
    pub fn new(stages: Vec<Stage>, result: Option<Value>, error: Option<Failure>) -> Result<Self, Flaw> {
        check_stages(&stages).map_err(Flaw::Stages)?;
        check_placeholders(result.as_ref()).map_err(Flaw::Result)?;
        Ok(Self { stages, result, error })
    }

    /// The stages, in order; never empty.
    pub fn stages(&self) -> &[Stage] {
        &self.stages
    }

    /// What a failed request shows.
    pub fn error(&self) -> Option<&Failure> {
        self.error.as_ref()
    }

    /// When a request submitted at `submitted_at` enters the stage `index`; none past the last one.
    pub fn begins(&self, index: usize, submitted_at: Timestamp) -> Option<Timestamp> {
        self.stages.get(index).map(|stage| submitted_at.plus_millis(stage.after_millis))
    }

    /// The submission times at which a request that nobody cancelled has `status` at `now`.
    pub fn submitted_within(&self, status: Status, now: Timestamp) -> Vec<SubmittedWithin> {
        let begin = |index: usize| self.stages.get(index).map(|stage| now.plus_millis(-stage.after_millis));
        let stretch = |index: usize| SubmittedWithin {
            after: begin(index + 1),
            until: if index == 0 { None } else { begin(index) },
        };
        (0..self.stages.len()).filter(|&index| self.stages[index].status == status).map(stretch).collect()
    }

    /// The result of a succeeded request: the template with its placeholders filled in.
    pub fn result(&self, request_id: &str) -> Option<Value> {
        self.result.as_ref().map(|template| fill(template, request_id))
    }
}

/// The rules of [`Timeline::new`] for stages.
fn check_stages(stages: &[Stage]) -> Result<(), String> {
    let Some((last, rest)) = stages.split_last() else {
        return Err("there are no stages".into());
    };
    if stages[0].after_millis != 0 {
        return Err(format!("stage \"{}\" is the first and must begin after \"0s\"", stages[0].stage));
    }
    if let Some(pair) = stages.windows(2).find(|pair| pair[0].after_millis >= pair[1].after_millis) {
        return Err(format!("stage \"{}\" must begin later than \"{}\"", pair[1].stage, pair[0].stage));
    }
    if let Some(early) = rest.iter().find(|stage| stage.status.is_terminal()) {
        return Err(format!("stage \"{}\" has the terminal status {} and is not the last", early.stage, early.status));
    }
    if !matches!(last.status, Status::Succeeded | Status::Failed) {
        return Err(format!("the last stage \"{}\" must have the status succeeded or failed", last.stage));
    }
    Ok(())
}

/// The one placeholder that a result template knows.
const PLACEHOLDER: &str = "{request_id}";

fn fill(template: &Value, request_id: &str) -> Value {
    match template {
        Value::String(text) => Value::String(text.replace(PLACEHOLDER, request_id)),
        Value::Array(items) => items.iter().map(|item| fill(item, request_id)).collect(),
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), fill(value, request_id))).collect(),
        other => other.clone(),
    }
}

/// A misspelt placeholder would reach the client as it stands: refuse every `{word}` that is not known.
fn check_placeholders(template: Option<&Value>) -> Result<(), String> {
    match template {
        Some(Value::String(text)) => match placeholders(text).find(|word| *word != "request_id") {
            Some(word) => Err(format!("the result names {{{word}}}, and the only placeholder is {PLACEHOLDER}")),
            None => Ok(()),
        },
        Some(Value::Array(items)) => items.iter().try_for_each(|item| check_placeholders(Some(item))),
        Some(Value::Object(members)) => members.values().try_for_each(|value| check_placeholders(Some(value))),
        _ => Ok(()),
    }
}

fn placeholders(text: &str) -> impl Iterator<Item = &str> {
    let is_word = |word: &&str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    text.split('{').skip(1).filter_map(|rest| rest.split_once('}').map(|(word, _)| word)).filter(is_word)
}
