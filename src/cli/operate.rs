//! Asks the running gateway over its admin socket; where none runs, the store is opened for the moment.

use std::sync::Arc;

use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};

use super::{Failure, sheet};
use crate::app::{Offline, SystemClock, SystemEntropy, admin_socket};
use crate::net::{LocalCall, LocalClient, LocalError};
use crate::settings::Settings;
use crate::telemetry::logs::{LogFormat, LogSettings};

/// A segment of a path.
pub(super) fn escaped(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

/// What is read at a path of the administration.
pub(super) fn get(settings: &Settings, path: &str) -> Result<Value, Failure> {
    operate(settings, path, LocalCall::Get)
}

/// What comes of sending JSON to a path of the administration.
pub(super) fn post(settings: &Settings, path: &str, body: &Value) -> Result<Value, Failure> {
    operate(settings, path, LocalCall::Post(body))
}

/// Deletes what a path of the administration names.
pub(super) fn delete(settings: &Settings, path: &str) -> Result<(), Failure> {
    operate(settings, path, LocalCall::Delete).map(drop)
}

/// What is answered when it went well, JSON or nothing; else the words of the problem.
fn operate(settings: &Settings, path: &str, call: LocalCall<'_>) -> Result<Value, Failure> {
    // What goes wrong on the way is told by what is answered.
    LogSettings { level: Some("error".into()), ..LogSettings::default() }.start(LogFormat::Pretty);
    let socket = admin_socket(&settings.server.data_dir);
    let client = LocalClient::of(&socket).map_err(|error| Failure::Failed(error.to_string()))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let answering = async {
        match client.call(path, call).await {
            Err(LocalError::Absent) => {
                if !matches!(call, LocalCall::Get) {
                    Offline::keeps_changes(settings).map_err(|mistake| settings.unusable(vec![mistake]))?;
                }
                let (clock, entropy) = (Arc::new(SystemClock::start()), Arc::new(SystemEntropy));
                let offline =
                    Offline::open(settings, clock, entropy).map_err(|mistakes| settings.unusable(mistakes))?;
                Ok::<_, Failure>(offline.serve_while(client.call(path, call)).await)
            }
            answer => Ok(answer),
        }
    };
    let answer = runtime.block_on(async {
        let mut interruptions = signal(SignalKind::interrupt())?;
        tokio::select! {
            biased;
            answer = answering => answer,
            _ = interruptions.recv() => Err(Failure::interrupted()),
        }
    })?;
    let (status, body) =
        answer.map_err(|error| Failure::Failed(format!("{} does not answer: {error}", socket.display())))?;
    if status == 204 {
        return Ok(Value::Null);
    }
    let body: Value = serde_json::from_slice(&body)
        .map_err(|_| Failure::Failed(format!("{} answered {status}, and no JSON", socket.display())))?;
    if (200..300).contains(&status) { Ok(body) } else { Err(Failure::Failed(problem(&body))) }
}

/// What a problem says: its detail, and each fault in what was sent.
fn problem(body: &Value) -> String {
    let fault = |fault: &Value| format!("\n  {}: {}", sheet::text(&fault["pointer"]), sheet::text(&fault["detail"]));
    let faults: String = body["errors"].as_array().into_iter().flatten().map(fault).collect();
    sheet::text(&body["detail"]) + &faults
}
