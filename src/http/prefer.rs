//! `Prefer: wait=N` (RFC 7240): how long a client is ready to wait for an answer.

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header::HeaderName;

/// The header of preferences.
pub(super) const PREFER: HeaderName = HeaderName::from_static("prefer");
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");
/// The most seconds that a call is held: proxies commonly cut at 60.
const MOST: u64 = 50;

/// How long a call may be held, as was asked for, within what is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wait {
    seconds: u64,
}

impl Wait {
    /// What the client asks for, if it asks.
    pub(super) fn of(request: &HttpRequest) -> Option<Self> {
        let lines = request.headers().get_all(PREFER).filter_map(|line| line.to_str().ok());
        // Of a preference that is given twice, the first counts (section 2).
        let value = lines.flat_map(|line| split(line, ',')).find_map(value)?;
        seconds_of(value).map(|seconds| Self { seconds })
    }

    /// As a duration.
    pub(super) fn duration(self) -> Duration {
        Duration::from_secs(self.seconds)
    }

    /// What `Preference-Applied` says.
    pub(super) fn applied(self) -> (HeaderName, String) {
        (PREFERENCE_APPLIED, format!("wait={}", self.seconds))
    }
}

/// The value of one preference, if it is this one.
fn value(preference: &str) -> Option<&str> {
    let name_and_value = split(preference, ';').next()?;
    let (name, value) = name_and_value.split_once('=').unwrap_or((name_and_value, ""));
    name.trim().eq_ignore_ascii_case("wait").then_some(value.trim())
}

/// The seconds that a value means; none when it can not be meant.
fn seconds_of(value: &str) -> Option<u64> {
    let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
    match value {
        // An empty value is none (section 2).
        "" => Some(MOST),
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => Some(digits.parse().unwrap_or(MOST).min(MOST)),
        _ => None,
    }
}

/// The parts of a text between separators that stand outside of quotes.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |character| {
        let separates = character == separator && !quoted;
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
        separates
    })
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::Wait;

    fn seconds(lines: &[&str]) -> Option<u64> {
        let request =
            lines.iter().fold(TestRequest::default(), |request, line| request.append_header(("prefer", *line)));
        Wait::of(&request.to_http_request()).map(|wait| wait.seconds)
    }

    #[test]
    fn a_wait_is_found_wherever_it_stands() {
        for (lines, wanted) in [
            (&["wait=10"][..], Some(10)),
            (&["WAIT = 10"], Some(10)),
            (&["wait=\"10\""], Some(10)),
            (&["respond-async, wait=10"], Some(10)),
            (&["respond-async", "handling=lenient", "wait=10;foo=\"a, wait=3\""], Some(10)),
            (&["x=\"a, wait=3\\\", wait=4\", wait=10"], Some(10)),
            (&["wait=10, wait=20"], Some(10)),
            (&["wait=10", "wait=20"], Some(10)),
            (&["wait"], Some(50)),
            (&["wait="], Some(50)),
            (&["wait=\"\""], Some(50)),
            (&["wait=51"], Some(50)),
            (&["wait=99999999999999999999999"], Some(50)),
            (&["wait=0"], Some(0)),
            (&["wait=-1"], None),
            (&["wait=1.5"], None),
            (&["wait=soon"], None),
            (&["waiting=10"], None),
            (&["foo; wait=10"], None),
            (&["respond-async"], None),
            (&[""], None),
            (&[], None),
        ] {
            assert_eq!(seconds(lines), wanted, "{lines:?}");
        }
    }
}
