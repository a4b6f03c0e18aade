//! The request types: what may be submitted, how it gets on, and what its payload must look like.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::schema::Schema;
use crate::core::clock::Timestamp;
use crate::core::error::{Error, Misconfiguration};
use crate::core::period::Period;
use crate::core::request::{Process, Simulation, Status};
use crate::core::timeline::{Failure, Flaw, Stage, Timeline};

/// One `[types.NAME]` table.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TypeSettings {
    /// What moves a request on.
    #[serde(default)]
    pub processor: Processor,
    /// What the type is for, shown in the contract.
    #[serde(default)]
    pub description: String,
    /// The stages, by time since submission.
    pub stages: Vec<StageSettings>,
    /// What a succeeded request gives; `{request_id}` in a text stands for the request's name.
    pub result: Option<Value>,
    /// What a failed request shows.
    pub error: Option<FailureSettings>,
    /// The JSON Schema of the payload: a table, or `"file:PATH"`.
    pub schema: Option<Value>,
    /// Another API that the type is served by as well.
    pub dialect: Option<Dialect>,
}

/// What moves a request on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Processor {
    /// Stages by elapsed time.
    #[default]
    Timeline,
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

/// A type that may be submitted.
#[derive(Debug)]
pub struct RequestType {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    timeline: Arc<Timeline>,
    schema: Option<Schema>,
    dialect: Option<Dialect>,
}

impl RequestType {
    fn build(name: &str, settings: &TypeSettings, base: &Path) -> Result<Self, Misconfiguration> {
        let key = |key: &str| format!("types.{name}.{key}");
        if !is_name(name) {
            let remedy = "Use 1 to 64 letters, digits, \".\", \"_\" and \"-\"";
            return Err(Misconfiguration::new(
                "types",
                format!("\"{}\" is not a name for a type", name.escape_debug()),
                remedy,
            ));
        }
        if settings.dialect == Some(Dialect::Partner) && !suits_partner(settings.result.as_ref()) {
            let problem = format!("the partner dialect puts its members beside {}", PARTNER_MEMBERS.join(", "));
            return Err(Misconfiguration::new(key("result"), problem, "Give a table whose members have other names"));
        }
        let stages = settings.stages.iter().map(|stage| Stage {
            after_millis: stage.after.millis(),
            stage: stage.stage.clone(),
            status: stage.status,
        });
        let timeline =
            Timeline::new(stages.collect(), settings.result.clone(), settings.error.clone().map(Failure::from))
                .map_err(|flaw| match &flaw {
                    Flaw::Stages(problem) => Misconfiguration::new(key("stages"), problem, "Mend the table of stages"),
                    Flaw::Result(problem) => Misconfiguration::new(key("result"), problem, "Mend the placeholder"),
                })?;
        let schema = settings.schema.as_ref().map(|schema| read_schema(schema, base)).transpose().map_err(|problem| {
            let remedy = "Give a JSON Schema (draft 2020-12) as a table or \"file:PATH\", without references to other documents";
            Misconfiguration::new(key("schema"), problem, remedy)
        })?;
        let (description, dialect) = (settings.description.clone(), settings.dialect);
        Ok(Self { name: name.into(), description, timeline: Arc::new(timeline), schema, dialect })
    }

    /// What moves a request of this type on, at its submission.
    pub(super) fn begin(&self, _submitted_at: Timestamp, _begins_at: Timestamp) -> Process {
        Process::Timeline(Simulation::new(Arc::clone(&self.timeline)))
    }

    /// The schema of its payload.
    pub fn schema(&self) -> Option<&Value> {
        self.schema.as_ref().map(Schema::source)
    }

    /// Judges a payload; `root` is its JSON Pointer in the body it came in.
    pub(super) fn check(&self, payload: &Value, root: &str) -> Result<(), Error> {
        self.schema.as_ref().map_or(Ok(()), |schema| schema.check(payload, root))
    }
}

fn is_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=64).contains(&name.len()) && name.bytes().all(allowed)
}

/// The members of the partner prototype's own answer, beside which those of the result stand.
const PARTNER_MEMBERS: [&str; 4] = ["request_id", "status", "submitted_at", "finished_at"];

fn suits_partner(result: Option<&Value>) -> bool {
    match result {
        None => true,
        Some(Value::Object(members)) => !PARTNER_MEMBERS.iter().any(|name| members.contains_key(*name)),
        Some(_) => false,
    }
}

fn read_schema(schema: &Value, base: &Path) -> Result<Schema, String> {
    let source = match schema {
        Value::String(place) => {
            let path: PathBuf = place.strip_prefix("file:").ok_or("it is a text that is not \"file:PATH\"")?.into();
            let path = base.join(path);
            let unreadable = |error: &dyn std::fmt::Display| format!("{} can not be read: {error}", path.display());
            let text = std::fs::read_to_string(&path).map_err(|error| unreadable(&error))?;
            serde_json::from_str(&text).map_err(|error| unreadable(&error))?
        }
        table => table.clone(),
    };
    Schema::compile(source)
}

/// The types by name.
#[derive(Debug)]
pub struct Types(BTreeMap<String, RequestType>);

impl Types {
    /// Builds the types that are configured; those built in, when none is. `file:` paths are relative to `base`.
    ///
    /// # Errors
    /// Every mistake there is.
    pub fn build(settings: &BTreeMap<String, TypeSettings>, base: &Path) -> Result<Self, Vec<Misconfiguration>> {
        let mut types = BTreeMap::new();
        let mut mistakes = Vec::new();
        for (name, settings) in settings {
            match RequestType::build(name, settings, base) {
                Ok(kind) => _ = types.insert(name.clone(), kind),
                Err(mistake) => mistakes.push(mistake),
            }
        }
        let partners: Vec<_> = types.values().filter(|kind| kind.dialect == Some(Dialect::Partner)).collect();
        if let [_, second, ..] = partners[..] {
            let (key, problem) = (format!("types.{}.dialect", second.name), "another type speaks this dialect already");
            mistakes.push(Misconfiguration::new(key, problem, "Keep `dialect = \"partner\"` on one type"));
        }
        if mistakes.is_empty() { Ok(Self(types)) } else { Err(mistakes) }
    }

    /// The type of that name.
    pub fn get(&self, name: &str) -> Option<&RequestType> {
        self.0.get(name)
    }

    /// The type that the partner prototype's door serves.
    pub fn partner(&self) -> Option<&RequestType> {
        self.0.values().find(|kind| kind.dialect == Some(Dialect::Partner))
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &RequestType> {
        self.0.values()
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

/// The types that exist when none is configured: `default` succeeds after 15 seconds, `demo-fail` fails after 5.
pub fn built_in() -> BTreeMap<String, TypeSettings> {
    let stage =
        |seconds, stage: &str, status| StageSettings { after: Period::seconds(seconds), stage: stage.into(), status };
    let received = || stage(0, "received", Status::Queued);
    let default = TypeSettings {
        processor: Processor::Timeline,
        description: "A demonstration that succeeds after 15 seconds".into(),
        stages: vec![received(), stage(5, "processing", Status::Running), stage(15, "done", Status::Succeeded)],
        result: Some(json!({ "message": "processed {request_id}" })),
        error: None,
        schema: None,
        dialect: None,
    };
    let demo_fail = TypeSettings {
        description: "A demonstration that fails after 5 seconds".into(),
        stages: vec![received(), stage(5, "failed", Status::Failed)],
        result: None,
        error: Some(FailureSettings {
            code: "demo_failure".into(),
            title: "Failed as asked".into(),
            detail: "Requests of the type demo-fail always fail. Submit one of the type default to see one succeed."
                .into(),
            retryable: false,
        }),
        ..default.clone()
    };
    BTreeMap::from([("default".into(), default), ("demo-fail".into(), demo_fail)])
}
