//! Requests as a sheet for people. What clients have chosen is printed without control characters.

use std::io::{self, Write};

use serde_json::Value;

/// A value as a word; what is not there is a dash.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::String(text) if text.is_empty() => "-".into(),
        Value::String(text) => text.chars().flat_map(printable).collect(),
        other => other.to_string(),
    }
}

/// No control character and no mark that turns the direction of writing reaches the terminal.
fn printable(character: char) -> Vec<char> {
    let turns = matches!(character, '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if character.is_control() || turns { character.escape_unicode().collect() } else { vec![character] }
}

/// One request whole.
pub(super) fn show(whole: &Value, out: &mut impl Write) -> io::Result<()> {
    let (request, work, owner) = (&whole["request"], &whole["work"], &whole["owner"]);
    let mut line = |name: &str, value: String| writeln!(out, "{name:<14}{value}");
    line("request", text(&request["request_id"]))?;
    line("type", text(&request["type"]))?;
    line("status", format!("{}, stage {}", text(&request["status"]), text(&request["stage"])))?;
    line("owner", format!("{} of {}", text(&owner["subject"]), text(&owner["issuer"])))?;
    line("submitted", format!("{}, trace {}", text(&request["submitted_at"]), text(&whole["trace_id"])))?;
    for (name, key) in [
        ("started", "started_at"),
        ("finished", "finished_at"),
        ("updated", "updated_at"),
        ("cancel asked", "cancel_requested_at"),
    ] {
        if !request[key].is_null() {
            line(name, text(&request[key]))?;
        }
    }
    if !whole["erased_at"].is_null() {
        line("erased", text(&whole["erased_at"]))?;
    }
    for (name, value) in request["tags"].as_object().into_iter().flatten() {
        line("tag", format!("{}={}", text(&Value::from(name.as_str())), text(value)))?;
    }
    if !work.is_null() {
        let (attempt, most) = (&work["attempt"], &work["max_attempts"]);
        line("attempts", format!("{attempt} of {most}, epoch {}", work["epoch"]))?;
        let worker = &work["worker"];
        if !worker.is_null() {
            let (id, subject, issuer) = (text(&worker["id"]), text(&worker["subject"]), text(&worker["issuer"]));
            line("worker", format!("{id} ({subject} of {issuer})"))?;
        }
        for (name, key) in [("ready", "ready_at"), ("lease ends", "lease_ends_at")] {
            if !work[key].is_null() {
                line(name, text(&work[key]))?;
            }
        }
    }
    let error = &request["error"];
    if !error.is_null() {
        line("error", format!("{}: {}", text(&error["code"]), text(&error["detail"])))?;
    }
    writeln!(out)?;
    events(whole["events"].as_array().map_or(&[], Vec::as_slice), out)
}

fn events(events: &[Value], out: &mut impl Write) -> io::Result<()> {
    let row =
        |event: &Value| ["version", "at", "kind", "status", "stage", "actor", "trace_id"].map(|key| text(&event[key]));
    let rows: Vec<_> = events.iter().map(row).collect();
    table(["VERSION", "AT", "EVENT", "STATUS", "STAGE", "BY", "TRACE"], &rows, out)
}

/// A page of requests.
pub(super) fn list(page: &Value, out: &mut impl Write) -> io::Result<()> {
    let row = |item: &Value| {
        let (request, owner) = (&item["request"], &item["owner"]);
        let [id, status, kind, at] = ["request_id", "status", "type", "submitted_at"].map(|key| text(&request[key]));
        [id, status, kind, at, format!("{} of {}", text(&owner["subject"]), text(&owner["issuer"]))]
    };
    let rows: Vec<_> = page["items"].as_array().into_iter().flatten().map(row).collect();
    table(["REQUEST", "STATUS", "TYPE", "SUBMITTED", "OWNER"], &rows, out)?;
    match page["next_cursor"].as_str() {
        Some(cursor) => writeln!(out, "\nThere are more: --cursor {cursor}"),
        None => Ok(()),
    }
}

fn table<const N: usize>(head: [&str; N], rows: &[[String; N]], out: &mut impl Write) -> io::Result<()> {
    let head = head.map(str::to_owned);
    let width = |column: usize| {
        let cells = rows.iter().chain([&head]).map(|row| row[column].chars().count());
        cells.max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..N).map(width).collect();
    for row in [&head].into_iter().chain(rows) {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}
