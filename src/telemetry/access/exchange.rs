//! An exchange, and the access line that tells of it.

use std::fmt::{self, Write as _};
use std::time::Duration;

use crate::core::clock::Timestamp;
use crate::core::request::RequestId;
use crate::core::verdict::{Evidence, Reason};

/// What an access line says.
#[derive(Debug)]
pub struct Exchange<'a> {
    /// When it ended.
    pub at: Timestamp,
    /// Names the exchange.
    pub trace_id: &'a str,
    /// The HTTP method.
    pub method: &'a str,
    /// The path as a template, so that no id is in it.
    pub path: &'a str,
    /// The HTTP status.
    pub status: u16,
    /// The code of the problem or error that was answered.
    pub code: Option<&'a str>,
    /// Why the token was refused.
    pub reason: Option<Reason>,
    /// The verifier that refused it.
    pub verifier: Option<&'a str>,
    /// What was expected of the token, and what was found.
    pub evidence: Option<&'a Evidence>,
    /// The guard that was asked.
    pub guard: Option<&'a str>,
    /// The method of the call that it was asked about.
    pub guarded_method: Option<&'a str>,
    /// The path of that call, without the query.
    pub guarded_path: Option<&'a str>,
    /// How long it took, in microseconds.
    pub duration_us: u64,
    /// Issuer and subject of the caller.
    pub owner: Option<(&'a str, &'a str)>,
    /// The queued request that it was about.
    pub request_id: Option<RequestId>,
    /// Whether it is only of interest to whoever looks for a fault.
    pub is_routine: bool,
}

impl<'a> Exchange<'a> {
    /// One of which there is no more to say than that it was, and how it was answered.
    pub fn plain(
        at: Timestamp,
        trace_id: &'a str,
        method: &'a str,
        path: &'a str,
        status: u16,
        took: Duration,
    ) -> Self {
        Self {
            at,
            trace_id,
            method,
            path,
            status,
            code: None,
            reason: None,
            verifier: None,
            evidence: None,
            guard: None,
            guarded_method: None,
            guarded_path: None,
            duration_us: took.as_micros().try_into().unwrap_or(u64::MAX),
            owner: None,
            request_id: None,
            is_routine: false,
        }
    }

    pub(super) fn as_json(&self, level: &str, line: &mut String) -> fmt::Result {
        line.reserve(USUAL_BYTES);
        let at = self.at.rfc3339();
        let at = str::from_utf8(&at).unwrap_or_default();
        let trace_id = [r#"","message":"exchange","trace_id":""#, self.trace_id, r#"","method":"#];
        push([r#"{"timestamp":""#, at, r#"","level":""#, level].into_iter().chain(trace_id), line);
        quote(self.method, line)?;
        push([r#","path":""#, self.path, r#"","status":"#], line);
        push_number(self.status.into(), line);
        let reason = self.reason.map(Reason::code);
        for (name, value) in [("code", self.code), ("reason", reason)] {
            if let Some(value) = value {
                push([",\"", name, "\":\"", value, "\""], line);
            }
        }
        for (name, value) in self.guarded().chain(self.why()) {
            write!(line, r#","{name}":"#)?;
            quote(value, line)?;
        }
        line.push_str(r#","duration_us":"#);
        push_number(self.duration_us, line);
        if let Some((issuer, subject)) = self.owner {
            line.push_str(r#","owner":["#);
            quote(issuer, line)?;
            line.push(',');
            quote(subject, line)?;
            line.push(']');
        }
        if let Some(id) = self.request_id {
            push([r#","request_id":""#, id.as_text(&mut [0; RequestId::LENGTH]), "\""], line);
        }
        line.push_str("}\n");
        Ok(())
    }

    /// What a guard was asked about.
    fn guarded(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let parts =
            [("guard", self.guard), ("guarded_method", self.guarded_method), ("guarded_path", self.guarded_path)];
        parts.into_iter().filter_map(|(name, value)| Some((name, value?)))
    }

    /// What there is to say about why the token did not do.
    fn why(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let evidence = |part: fn(&Evidence) -> &String| self.evidence.map(|evidence| part(evidence).as_str());
        let parts = [
            ("verifier", self.verifier),
            ("expected", evidence(|evidence| &evidence.expected)),
            ("got", evidence(|evidence| &evidence.unverified_found)),
        ];
        parts.into_iter().filter_map(|(name, value)| Some((name, value?)))
    }

    pub(super) fn as_text(&self, level: &str, line: &mut String) -> fmt::Result {
        let Self { at, trace_id, method, path, status, duration_us, .. } = self;
        write!(line, "{at} {level:>5} exchange trace_id={trace_id} method={method} path={path} status={status}")?;
        if let Some(code) = self.code {
            write!(line, " code={code}")?;
        }
        if let Some(reason) = self.reason {
            write!(line, " reason={}", reason.code())?;
        }
        for (name, value) in self.guarded().chain(self.why()) {
            write!(line, " {name}=")?;
            quote(value, line)?;
        }
        write!(line, " duration_us={duration_us}")?;
        if let Some((issuer, subject)) = self.owner {
            line.push_str(" owner=");
            quote(issuer, line)?;
            line.push(',');
            quote(subject, line)?;
        }
        if let Some(id) = self.request_id {
            write!(line, " request_id={id}")?;
        }
        line.push('\n');
        Ok(())
    }
}

/// About as long as a line is.
const USUAL_BYTES: usize = 384;

fn push<'a>(parts: impl IntoIterator<Item = &'a str>, line: &mut String) {
    parts.into_iter().for_each(|part| line.push_str(part));
}

/// A number in decimal digits: every line has two.
fn push_number(mut number: u64, line: &mut String) {
    let mut digits = [0; 20];
    let mut begin = digits.len();
    while begin == digits.len() || number > 0 {
        begin -= 1;
        // Less than ten.
        digits[begin] = b'0' + u8::try_from(number % 10).unwrap_or_default();
        number /= 10;
    }
    line.push_str(str::from_utf8(&digits[begin..]).unwrap_or_default());
}

/// A text of the caller's as JSON writes it: no line break and no control character of it reaches the log as such.
fn quote(text: &str, line: &mut String) -> fmt::Result {
    let plain = text.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\');
    line.push('"');
    if plain {
        line.push_str(text);
        line.push('"');
        return Ok(());
    }
    for character in text.chars() {
        match character {
            '"' | '\\' => line.extend(['\\', character]),
            // Beyond ASCII too: direction marks and other line ends are as good for forging as line feeds.
            ' '..='~' => line.push(character),
            _ => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    write!(line, "\\u{unit:04x}")?;
                }
            }
        }
    }
    line.push('"');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Exchange;
    use crate::core::clock::Timestamp;
    use crate::core::verdict::{Evidence, Reason};

    fn exchange() -> Exchange<'static> {
        Exchange {
            at: Timestamp::from_millis(1_795_327_923_482),
            trace_id: "4bf92f3577b34da6a3ce929d0e0e4736",
            method: "GET",
            path: "/v1/requests/{request_id}",
            status: 404,
            code: Some("not_found"),
            reason: None,
            verifier: None,
            evidence: None,
            guard: None,
            guarded_method: None,
            guarded_path: None,
            duration_us: 87,
            owner: Some(("https://idp.example/", "a\"b\\c\r\n\u{202e}😀")),
            request_id: "req_01M815515KP08QZRD2J0GYC6SN".parse().ok(),
            is_routine: false,
        }
    }

    #[test]
    fn a_line_of_json_is_json_with_every_field() {
        let mut line = String::new();
        exchange().as_json("INFO", &mut line).expect("written");
        let read: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(
            read,
            serde_json::json!({
                "timestamp": "2026-11-22T06:12:03.482Z", "level": "INFO", "message": "exchange",
                "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "method": "GET", "path": "/v1/requests/{request_id}",
                "status": 404, "code": "not_found", "duration_us": 87,
                "owner": ["https://idp.example/", "a\"b\\c\r\n\u{202e}😀"], "request_id": "req_01M815515KP08QZRD2J0GYC6SN",
            })
        );
        assert_eq!(line.matches('\n').count(), 1);
    }

    #[test]
    fn a_line_for_people_keeps_claims_on_the_line() {
        let mut line = String::new();
        exchange().as_text("INFO", &mut line).expect("written");
        assert_eq!(
            line,
            "2026-11-22T06:12:03.482Z  INFO exchange trace_id=4bf92f3577b34da6a3ce929d0e0e4736 method=GET \
             path=/v1/requests/{request_id} status=404 code=not_found duration_us=87 \
             owner=\"https://idp.example/\",\"a\\\"b\\\\c\\u000d\\u000a\\u202e\\ud83d\\ude00\" request_id=req_01M815515KP08QZRD2J0GYC6SN\n"
        );
    }

    #[test]
    fn a_decision_is_on_the_line_with_the_call_that_it_is_about() {
        let decision = Exchange {
            guard: Some("billing"),
            guarded_method: Some("PUT"),
            guarded_path: Some("/a\r\nb"),
            owner: None,
            request_id: None,
            ..exchange()
        };
        let (mut text, mut json) = (String::new(), String::new());
        decision.as_text("INFO", &mut text).expect("written");
        decision.as_json("INFO", &mut json).expect("written");
        let end = " guard=\"billing\" guarded_method=\"PUT\" guarded_path=\"/a\\u000d\\u000ab\" duration_us=87\n";
        assert!(text.ends_with(end), "{text}");
        let end = ",\"guard\":\"billing\",\"guarded_method\":\"PUT\",\"guarded_path\":\"/a\\u000d\\u000ab\",\"duration_us\":87}\n";
        assert!(json.ends_with(end), "{json}");
    }

    #[test]
    fn a_refusal_is_on_the_line_with_what_was_found_escaped_and_cut() {
        let evidence = Evidence::new("one of [\"anteroom\"]", &["a\"b\r\n\u{202e}", &"x".repeat(300)]);
        let refused = Exchange {
            status: 401,
            code: Some("unauthenticated"),
            reason: Some(Reason::AudienceMismatch),
            verifier: Some("idp"),
            evidence: Some(&evidence),
            owner: None,
            request_id: None,
            ..exchange()
        };
        let (mut text, mut json) = (String::new(), String::new());
        refused.as_text("INFO", &mut text).expect("written");
        refused.as_json("INFO", &mut json).expect("written");
        let found = format!("[\"a\\\"b\\r\\n\\u{{202e}}\",\"{}…", "x".repeat(179));
        assert_eq!(found.chars().count(), 201);
        let read: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!(
            (&read["code"], &read["reason"], &read["verifier"]),
            (&"unauthenticated".into(), &"audience_mismatch".into(), &"idp".into())
        );
        assert_eq!((&read["expected"], &read["got"]), (&"one of [\"anteroom\"]".into(), &found.into()));
        let whole = " code=unauthenticated reason=audience_mismatch verifier=\"idp\" \
                     expected=\"one of [\\\"anteroom\\\"]\" got=\"[\\\"a\\\\\\\"b\\\\r\\\\n\\\\u{202e}\\\",";
        assert!(text.contains(whole) && text.ends_with("\\u2026\" duration_us=87\n"), "{text}");
    }
}
