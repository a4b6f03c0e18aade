//! What `anteroom explain` prints: what the token says, how each check went, and whom it speaks for.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::Demands;
use crate::core::claims::Caller;
use crate::core::clock::Timestamp;
use crate::core::period::Period;
use crate::core::verdict::{Evidence, Refusal, Verdict};
use crate::http::CallerView;
use crate::verify::{Explanation, Outcome, Step};

/// The header parameters and claims that are shown. A claim that scopes are read from is shown where it counts.
const HEADER: [&str; 3] = ["alg", "kid", "typ"];
const CLAIMS: [&str; 10] = ["iss", "sub", "aud", "azp", "client_id", "exp", "nbf", "iat", "scope", "permissions"];
const TIMES: [&str; 3] = ["exp", "nbf", "iat"];

pub(super) fn write(
    told: &Explanation,
    length: usize,
    now: Timestamp,
    demands: Option<&Demands<'_>>,
    out: &mut impl Write,
) -> io::Result<()> {
    writeln!(out, "The token, {length} bytes, says (nobody has vouched for it):")?;
    facts(&HEADER, told.unverified_header.as_ref(), now, out)?;
    facts(&CLAIMS, told.unverified_claims.as_ref(), now, out)?;
    if told.unverified_header.is_none() && told.unverified_claims.is_none() {
        writeln!(out, "  nothing that can be read")?;
    }
    writeln!(out, "\nThe checks, as of {now}:")?;
    for step in &told.steps {
        check(step, told.verifier.as_deref(), out)?;
    }
    for hint in &told.hints {
        writeln!(out, "  hint: {hint}")?;
    }
    verdict(told, demands, out)
}

fn verdict(told: &Explanation, demands: Option<&Demands<'_>>, out: &mut impl Write) -> io::Result<()> {
    let by = told.verifier.as_deref().map(|name| format!(" by [verifiers.{name}]")).unwrap_or_default();
    match &told.verdict {
        Some(Verdict::Accepted(caller)) => {
            let shown = if demands.is_some() { "" } else { ", as /v1/whoami shows it" };
            writeln!(out, "\nACCEPTED{by}. The caller{shown}:")?;
            accepted(told, caller, demands.is_some(), out)?;
            demands.map_or(Ok(()), |demands| guarded(demands, out))
        }
        Some(Verdict::Rejected(Refusal { reason, .. })) => {
            writeln!(out, "\nREFUSED{by}: {}. {}", reason.code(), reason.sentence())?;
            demands.map_or(Ok(()), |demands| writeln!(out, "/guard/{} answers 401.", demands.guard))
        }
        Some(Verdict::Unavailable { .. }) => writeln!(
            out,
            "\nCAN NOT BE TOLD{by} now. A running gateway that still has what it takes serves on; any other answers 503."
        ),
        None => writeln!(out, "\nCAN NOT BE TOLD{by}: a check is left."),
    }
}

fn facts(
    names: &[&str],
    unverified: Option<&Map<String, Value>>,
    now: Timestamp,
    out: &mut impl Write,
) -> io::Result<()> {
    let Some(members) = unverified else { return Ok(()) };
    for (name, value) in names.iter().filter_map(|name| members.get_key_value(*name)) {
        let instant = value.as_f64().filter(|_| TIMES.contains(&name.as_str())).and_then(instant);
        let when = instant.map(|instant| format!(" = {instant}, {}", distance(instant, now))).unwrap_or_default();
        writeln!(out, "  {name:<12} {}{when}", escaped(value))?;
    }
    Ok(())
}

fn instant(seconds: f64) -> Option<Timestamp> {
    #[expect(clippy::cast_possible_truncation, reason = "within the years that can be written")]
    (0.0..253_402_300_800.0).contains(&seconds).then(|| Timestamp::from_seconds(seconds as i64))
}

/// How far an instant is: in whole seconds.
fn distance(instant: Timestamp, now: Timestamp) -> String {
    let seconds = instant.seconds() - now.seconds();
    let length = Period::seconds(seconds.unsigned_abs());
    let days = length.duration().as_secs() / 86_400;
    let rest = Period::seconds(length.duration().as_secs() % 86_400);
    let length = match (days, rest.duration()) {
        (0, _) => rest.to_string(),
        (days, Duration::ZERO) => format!("{days}d"),
        (days, _) => format!("{days}d {rest}"),
    };
    if seconds < 0 { format!("{length} ago") } else { format!("in {length}") }
}

fn check(step: &Step, verifier: Option<&str>, out: &mut impl Write) -> io::Result<()> {
    let Step { name, outcome } = step;
    match outcome {
        Outcome::Passed => {
            let by = verifier.filter(|_| *name == "issuer").map(|name| format!(" (decided by [verifiers.{name}])"));
            writeln!(out, "  {:<12} {name}{}", "ok", by.unwrap_or_default())
        }
        Outcome::NotReached => writeln!(out, "  {:<12} {name}", "not reached"),
        Outcome::Unknown(why) => writeln!(out, "  {:<12} {name}: {why}", "unknown"),
        Outcome::Failed(refusal) => {
            writeln!(out, "  {:<12} {name}: {}", "FAILED", refusal.reason.code())?;
            refusal.evidence.as_ref().map_or(Ok(()), |evidence| shown(evidence, out))
        }
    }
}

fn shown(evidence: &Evidence, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "  {:<12}   expected {}", "", evidence.expected)?;
    writeln!(out, "  {:<12}   got      {}", "", evidence.unverified_found)
}

/// What the guard asks for besides a genuine token.
fn guarded(demands: &Demands<'_>, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "\nWhat [guards.{}] asks for:", demands.guard)?;
    for (name, result) in &demands.checks {
        match result {
            Ok(()) => writeln!(out, "  {:<12} {name}", "ok")?,
            Err(denial) => {
                writeln!(out, "  {:<12} {name}: it lacks {}", "FAILED", denial.lacks)?;
                shown(&denial.evidence, out)?;
            }
        }
    }
    let (word, status) = if demands.are_met() { ("PASSES", 200) } else { ("DENIED", 403) };
    writeln!(out, "\n{word}: /guard/{} answers {status}.", demands.guard)
}

/// Whom the token speaks for. At a guard a scope counts by its issuer's word, too.
fn accepted(told: &Explanation, caller: &Arc<Caller>, at_guard: bool, out: &mut impl Write) -> io::Result<()> {
    for line in serde_json::to_string_pretty(&CallerView::from(&**caller))?.lines() {
        writeln!(out, "  {}", plain(line))?;
    }
    if told.scopes.is_empty() {
        return writeln!(out, "\nThe token carries no scope where [verifiers] looks for scopes (grants_from).");
    }
    writeln!(out, "\nThe scopes of the token:")?;
    for meaning in &told.scopes {
        let grants = match &meaning.grants {
            Some(scope) => format!("grants {scope}"),
            None if at_guard && caller.token_scopes.contains(&meaning.scope) => {
                "counts at guards by this name".to_owned()
            }
            None => "grants nothing here".to_owned(),
        };
        writeln!(out, "  {} {grants}", escaped(&json!(meaning.scope)))?;
    }
    Ok(())
}

fn escaped(value: &Value) -> String {
    plain(&value.to_string())
}

/// JSON in plain characters: nothing of a token's can move the cursor, break the line or turn the text around.
fn plain(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            ' '..='~' => text.push(character),
            _ => text.extend(character.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}"))),
        }
    }
    text
}
