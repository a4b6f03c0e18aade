//! What commands print for people. What clients have chosen is printed without control characters.

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
    if is_harmful(character) { character.escape_unicode().collect() } else { vec![character] }
}

fn is_harmful(character: char) -> bool {
    let turns = matches!(character,
        '\u{61c}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    character.is_control() || turns
}

/// JSON for a terminal: the same value, and nothing in its strings that a terminal obeys.
pub(super) fn json(value: &Value) -> String {
    let escaped = |character: char| match character {
        // Between the lines; within a string it is escaped already.
        '\n' => "\n".to_owned(),
        harmful if is_harmful(harmful) => format!("\\u{:04x}", u32::from(harmful)),
        other => other.into(),
    };
    format!("{value:#}").chars().map(escaped).collect()
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
    events(items(&whole["events"]), out)?;
    match items(&whole["webhook_deliveries"]) {
        [] => Ok(()),
        told => {
            writeln!(out)?;
            deliveries(told, out)
        }
    }
}

pub(super) fn items(list: &Value) -> &[Value] {
    list.as_array().map_or(&[], Vec::as_slice)
}

/// What webhooks have told, and what came of the last attempt of each.
fn deliveries(told: &[Value], out: &mut impl Write) -> io::Result<()> {
    let row = |delivery: &Value| {
        let attempts = items(&delivery["attempts"]);
        let last = attempts.last().map_or("-".into(), |last| {
            let what = if last["status"].is_null() { &last["error"] } else { &last["status"] };
            format!("{} {}", text(&last["at"]), text(what))
        });
        let [id, event, status, next, url] =
            ["delivery_id", "event", "status", "next_attempt_at", "url"].map(|key| text(&delivery[key]));
        [id, event, status, attempts.len().to_string(), last, next, url]
    };
    let rows: Vec<_> = told.iter().map(row).collect();
    table(["WEBHOOK", "EVENT", "STATUS", "ATTEMPTS", "LAST", "NEXT", "TO"], &rows, out)
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

/// Columns under their names.
pub(super) fn table<const N: usize>(head: [&str; N], rows: &[[String; N]], out: &mut impl Write) -> io::Result<()> {
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    #[test]
    fn nothing_that_a_client_writes_is_obeyed_by_a_terminal() {
        let text = "a\u{1b}[2J\u{9b}2J\u{7f}\u{202e}\u{61c}\r\nb\u{e9}";
        assert_eq!(super::text(&text.into()), "a\\u{1b}[2J\\u{9b}2J\\u{7f}\\u{202e}\\u{61c}\\u{d}\\u{a}b\u{e9}");
        let value = json!({ (text): [text] });
        let printed = super::json(&value);
        assert!(!printed.chars().any(|c| c != '\n' && super::is_harmful(c)), "{printed:?}");
        assert_eq!(serde_json::from_str::<Value>(&printed).unwrap(), value);
    }
}
