//! The types that exist when none is configured.

use std::collections::BTreeMap;

use serde_json::json;

use super::settings::{FailureSettings, Processor, StageSettings, TypeSettings};
use crate::core::period::Period;
use crate::core::request::Status;

/// The types that exist when none is configured: `default` succeeds after 15 seconds, `demo-fail` fails after 5, and `demo-work` waits
/// for a worker.
pub fn built_in() -> BTreeMap<String, TypeSettings> {
    BTreeMap::from([
        ("default".into(), default()),
        ("demo-fail".into(), demo_fail()),
        ("demo-work".into(), demo_work()),
    ])
}

fn stage(seconds: u64, stage: &str, status: Status) -> StageSettings {
    StageSettings { after: Period::seconds(seconds), stage: stage.into(), status }
}

fn received() -> StageSettings {
    stage(0, "received", Status::Queued)
}

fn default() -> TypeSettings {
    TypeSettings {
        description: "A demonstration that succeeds after 15 seconds".into(),
        stages: Some(vec![received(), stage(5, "processing", Status::Running), stage(15, "done", Status::Succeeded)]),
        result: Some(json!({ "message": "processed {request_id}" })),
        ..TypeSettings::default()
    }
}

fn demo_fail() -> TypeSettings {
    TypeSettings {
        description: "A demonstration that fails after 5 seconds".into(),
        stages: Some(vec![received(), stage(5, "failed", Status::Failed)]),
        error: Some(FailureSettings {
            code: "demo_failure".into(),
            title: "Failed as asked".into(),
            detail: "Requests of the type demo-fail always fail. Submit one of the type default to see one succeed."
                .into(),
            retryable: false,
        }),
        ..TypeSettings::default()
    }
}

fn demo_work() -> TypeSettings {
    TypeSettings {
        processor: Processor::Lease,
        description: "A demonstration that waits for a worker: `examples/worker.py`".into(),
        attempts: Some(3),
        ..TypeSettings::default()
    }
}
