//! The request types: what may be submitted, how it gets on, and what its payload must look like.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use super::schema::Schema;
use crate::core::clock::Timestamp;
use crate::core::error::{Error, Misconfiguration, Mistakes};
use crate::core::request::{Process, Simulation, Work};
use crate::core::timeline::{Failure, Flaw, Stage, Timeline};
use crate::core::type_scopes::TypeScopes;

mod built_in;
mod scope;
mod settings;
mod work;

pub use built_in::built_in;
pub use scope::scopes;
pub use settings::{BackoffSettings, Dialect, FailureSettings, Processor, StageSettings, TypeSettings};
pub use work::{LONGEST_LEASE, WorkRules};

/// A type that may be submitted.
#[derive(Debug)]
pub struct RequestType {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// The scope that submitting and reading its requests needs, where it names one.
    pub scope: Option<String>,
    mover: Mover,
    schema: Option<Schema>,
    dialect: Option<Dialect>,
}

/// What moves a request of a type on.
#[derive(Debug)]
enum Mover {
    Timeline(Arc<Timeline>),
    Work(WorkRules),
}

impl RequestType {
    fn build(name: &str, settings: &TypeSettings, base: &Path) -> Result<Self, Vec<Misconfiguration>> {
        if !is_name(name) {
            let remedy = "Use 1 to 64 letters, digits, \".\", \"_\" and \"-\"";
            let problem = format!("\"{}\" is not a name for a type", name.escape_debug());
            return Err(vec![Misconfiguration::new("types", problem, remedy)]);
        }
        let mut mistakes = Mistakes::of("types", name);
        refuse_foreign(settings, &mut mistakes);
        scope::judge(settings, &mut mistakes);
        let mover = match settings.processor {
            Processor::Timeline => timeline(settings, &mut mistakes).map(|timeline| Mover::Timeline(timeline.into())),
            Processor::Lease => Some(Mover::Work(WorkRules::build(settings, base, &mut mistakes))),
        };
        let schema = settings.schema.as_ref().and_then(|schema| {
            read_schema(schema, base).map_err(|problem| misread_schema(&mut mistakes, "schema", problem)).ok()
        });
        match mover {
            Some(mover) if mistakes.found.is_empty() => {
                let TypeSettings { description, dialect, scope, .. } = settings.clone();
                Ok(Self { name: name.into(), description, scope, mover, schema, dialect })
            }
            _ => Err(mistakes.found),
        }
    }

    /// What moves a request of this type on, at its submission.
    pub(super) fn begin(&self, submitted_at: Timestamp, begins_at: Timestamp) -> Process {
        match &self.mover {
            Mover::Timeline(timeline) => Process::Timeline(Simulation::new(Arc::clone(timeline))),
            Mover::Work(rules) => Process::Lease(Box::new(Work::new(submitted_at, begins_at, rules.attempts))),
        }
    }

    /// How workers work on it; none when time alone moves it on.
    pub fn work(&self) -> Option<&WorkRules> {
        match &self.mover {
            Mover::Work(rules) => Some(rules),
            Mover::Timeline(_) => None,
        }
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

/// Each processor has keys of its own, and those of another would go unheeded.
fn refuse_foreign(settings: &TypeSettings, mistakes: &mut Mistakes<'_>) {
    let TypeSettings { stages, result, error, attempts, lease, run_timeout, backoff, result_schema, .. } = settings;
    let is_partner = settings.dialect == Some(Dialect::Partner);
    let (processor, foreign): (_, &[(&str, bool)]) = match settings.processor {
        Processor::Timeline => (
            "lease",
            &[
                ("attempts", attempts.is_some()),
                ("lease", lease.is_some()),
                ("run_timeout", run_timeout.is_some()),
                ("backoff", backoff.is_some()),
                ("result_schema", result_schema.is_some()),
            ],
        ),
        Processor::Lease => (
            "timeline",
            &[
                ("stages", stages.is_some()),
                ("result", result.is_some()),
                ("error", error.is_some()),
                ("dialect", is_partner),
            ],
        ),
    };
    for (key, _) in foreign.iter().filter(|(_, is_set)| *is_set) {
        let problem = format!("it is only for types with processor = \"{processor}\"");
        mistakes.add(key, problem, "Remove it, or change the processor");
    }
}

fn timeline(settings: &TypeSettings, mistakes: &mut Mistakes<'_>) -> Option<Timeline> {
    if settings.dialect == Some(Dialect::Partner) && !suits_partner(settings.result.as_ref()) {
        let problem = format!("the partner dialect puts its members beside {}", PARTNER_MEMBERS.join(", "));
        mistakes.add("result", problem, "Give a table whose members have other names");
    }
    let Some(stages) = &settings.stages else {
        mistakes.add(
            "stages",
            "there are none",
            "Write the stages, or processor = \"lease\" where workers do the work",
        );
        return None;
    };
    let stages = stages.iter().map(|stage| Stage {
        after_millis: stage.after.millis(),
        stage: stage.stage.clone(),
        status: stage.status,
    });
    let error = settings.error.clone().map(Failure::from);
    let timeline = Timeline::new(stages.collect(), settings.result.clone(), error);
    timeline
        .map_err(|flaw| match &flaw {
            Flaw::Stages(problem) => mistakes.add("stages", problem, "Mend the table of stages"),
            Flaw::Result(problem) => mistakes.add("result", problem, "Mend the placeholder"),
        })
        .ok()
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

fn misread_schema(mistakes: &mut Mistakes<'_>, key: &str, problem: String) {
    let remedy =
        "Give a JSON Schema (draft 2020-12) as a table or \"file:PATH\", without references to other documents";
    mistakes.add(key, problem, remedy);
}

/// The types by name.
#[derive(Debug)]
pub struct Types {
    by_name: BTreeMap<String, RequestType>,
    scopes: TypeScopes,
}

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
                Err(found) => mistakes.extend(found),
            }
        }
        let partners: Vec<_> = types.values().filter(|kind| kind.dialect == Some(Dialect::Partner)).collect();
        if let [_, second, ..] = partners[..] {
            let (key, problem) = (format!("types.{}.dialect", second.name), "another type speaks this dialect already");
            mistakes.push(Misconfiguration::new(key, problem, "Keep `dialect = \"partner\"` on one type"));
        }
        if mistakes.is_empty() { Ok(Self { by_name: types, scopes: scopes(settings) }) } else { Err(mistakes) }
    }

    /// The type of that name.
    pub fn get(&self, name: &str) -> Option<&RequestType> {
        self.by_name.get(name)
    }

    /// The type that the partner prototype's door serves.
    pub fn partner(&self) -> Option<&RequestType> {
        self.by_name.values().find(|kind| kind.dialect == Some(Dialect::Partner))
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &RequestType> {
        self.by_name.values()
    }

    /// The scopes that they name.
    pub fn scopes(&self) -> &TypeScopes {
        &self.scopes
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }
}
