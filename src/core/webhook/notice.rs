//! What is told of the changes of a request: the deliveries that a store writes in the same commit as the change.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Delivery, DeliveryId, Endpoint};
use crate::core::clock::Timestamp;
use crate::core::request::{By, Event, EventKind, Process, Request, Simulation, Version, View, Work, view};

/// What the type of an event begins with; the status follows.
pub const EVENT_PREFIX: &str = "request.";

/// What is told of the submission of a request, whatever has become of it since.
pub fn of_submission(endpoints: &[Endpoint], request: &Request) -> Vec<Delivery> {
    let process = match &request.process {
        Process::Timeline(simulation) => Process::Timeline(Simulation::new(Arc::clone(&simulation.timeline))),
        Process::Lease(work) => {
            Process::Lease(Box::new(Work::new(request.submitted_at, request.begins_at(), work.most_attempts)))
        }
    };
    let request = Request { process, version: Version::default(), ..request.clone() };
    let event = request.submitted_event(&By::default());
    of_event(endpoints, &request, &event, request.submitted_at)
}

/// What is told of an act at `now`, which made `after` out of `before` and led to these events. Of a timeline, the stages that have
/// begun from `since` are told as well.
pub fn of_act(
    endpoints: &[Endpoint],
    (before, after): (&Request, &Request),
    events: &[Event],
    (since, now): (Timestamp, Timestamp),
) -> Vec<Delivery> {
    if endpoints.is_empty() || after.erased_at.is_some() {
        return Vec::new();
    }
    let mut told = of_passed(endpoints, before, since, now);
    let events = events.iter().filter(|event| event.kind != EventKind::TimePassed || before.simulation().is_none());
    told.extend(events.flat_map(|event| {
        let of = if event.version.write == before.version.write { before } else { after };
        of_event(endpoints, of, event, now)
    }));
    told.extend(of_passed(endpoints, after, since, now));
    unrepeated(told)
}

/// What is told of the stages of a timeline that have begun from `since` until `now`. What workers work on is told by their acts.
pub fn of_passed(endpoints: &[Endpoint], request: &Request, since: Timestamp, now: Timestamp) -> Vec<Delivery> {
    if request.simulation().is_none() || request.erased_at.is_some() {
        return Vec::new();
    }
    let events = request.passed_events(now).into_iter().filter(|event| event.at >= since);
    events.flat_map(|event| of_event(endpoints, request, &event, now)).collect()
}

/// When a timeline next has something to tell; none when there is nothing to wait for.
pub fn following(request: &Request, now: Timestamp) -> Option<Timestamp> {
    request.simulation().filter(|_| request.erased_at.is_none())?;
    view(request, now).next_change_at
}

/// A request in a delivery has a name for each endpoint and state: what comes again is the same.
fn unrepeated(mut told: Vec<Delivery>) -> Vec<Delivery> {
    let mut seen = std::collections::HashSet::new();
    told.retain(|delivery| seen.insert(delivery.id));
    told
}

fn of_event(endpoints: &[Endpoint], request: &Request, event: &Event, now: Timestamp) -> Vec<Delivery> {
    let listening: Vec<_> = endpoints.iter().filter(|endpoint| endpoint.wants(event.status, event.at)).collect();
    if listening.is_empty() {
        return Vec::new();
    }
    let (kind, body) = (format!("{EVENT_PREFIX}{}", event.status), body(request, event).to_string());
    let delivery = |endpoint: &Endpoint| {
        let id = DeliveryId::of(endpoint.id, request.id, event.version, event.at);
        let delivery = Delivery::new(id, endpoint.id, kind.clone(), body.clone(), now);
        Delivery { request: Some(request.id), version: event.version, ..delivery }
    };
    listening.into_iter().map(delivery).collect()
}

/// So much text of a worker's or an owner's is told at most, as JSON in bytes; the request itself has the rest.
const MOST_TEXT: usize = 2000;
/// A result or tags of more bytes than this are not told at all.
const MOST_VALUE: usize = 4 * 1024;

/// The body of a delivery: the request as it stood, in less than 20 kB.
fn body(request: &Request, event: &Event) -> Value {
    let view = View { status: event.status, stage: event.stage.clone(), ..view(request, event.at) };
    let work = request.work();
    let error = view.error.map(|error| {
        let (title, detail) = (shortened(&error.title), shortened(&error.detail));
        json!({ "code": shortened(&error.code), "title": title, "detail": detail, "retryable": error.retryable })
    });
    let progress = work.and_then(|work| work.progress.as_ref()).map(|progress| {
        let message = progress.message.as_deref().map(shortened);
        json!({ "percent": progress.percent, "message": message })
    });
    let is_small = |value: &Value| value.to_string().len() <= MOST_VALUE;
    json!({
        "type": format!("{EVENT_PREFIX}{}", event.status),
        "timestamp": event.at,
        "data": {
            "request_id": request.id.to_string(),
            "type": request.kind,
            "status": view.status.name(),
            "stage": shortened(&view.stage),
            "version": event.version.to_string(),
            "progress": progress,
            "submitted_at": request.submitted_at,
            "started_at": view.started_at,
            "finished_at": view.finished_at,
            "updated_at": view.updated_at,
            "cancel_requested_at": request.cancel_requested_at(),
            "attempt": event.attempt,
            "tags": Some(json!(request.tags)).filter(is_small),
            "error": error,
            "result": view.result.filter(is_small),
        },
    })
}

fn shortened(text: &str) -> &str {
    let mut bytes = 0;
    let beyond = text.char_indices().find(|(_, character)| {
        bytes += match character {
            '"' | '\\' => 2,
            control if control.is_ascii_control() => 6,
            other => other.len_utf8(),
        };
        bytes > MOST_TEXT
    });
    &text[..beyond.map_or(text.len(), |(at, _)| at)]
}

#[cfg(test)]
mod tests {
    use super::{MOST_TEXT, shortened};

    #[test]
    fn text_is_as_short_as_json_as_it_may_be() {
        for character in ["a", "\u{1}", "\"", "\u{20ac}"] {
            let text = character.repeat(3000);
            let json = serde_json::to_string(shortened(&text)).unwrap();
            assert!((MOST_TEXT - 6..=MOST_TEXT + 2).contains(&json.len()), "{}", json.len());
        }
        assert_eq!(shortened("as it is"), "as it is");
    }
}
