//! `Prefer: wait=N`, RFC 7240: how long a client would rather wait than be answered at once.

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header::HeaderName;

pub(super) const PREFER: HeaderName = HeaderName::from_static("prefer");
pub(super) const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// Proxies cut what takes a minute.
const MOST_SECONDS: u64 = 50;

/// How long a client is willing to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wait {
    seconds: u64,
}

impl Wait {
    /// What the client prefers; none when it does not say, or can not be understood, which is not an error (section 2).
    pub(super) fn of(request: &HttpRequest) -> Option<Self> {
        let lines = request.headers().get_all(PREFER).filter_map(|line| line.to_str().ok());
        lines.flat_map(|line| parts(line, ',')).find_map(Self::read)?
    }

    /// Reads one preference: not this one, or this one and whether it can be understood. The first one counts.
    fn read(preference: &str) -> Option<Option<Self>> {
        let preference = parts(preference, ';').next().unwrap_or_default();
        let (name, value) = preference.split_once('=').unwrap_or((preference, ""));
        if !name.trim().eq_ignore_ascii_case("wait") {
            return None;
        }
        let value = value.trim();
        let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
        if value.is_empty() {
            return Some(Some(Self { seconds: MOST_SECONDS }));
        }
        let is_number = value.bytes().all(|byte| byte.is_ascii_digit());
        // What is too large for a number is too long anyway.
        let seconds = value.parse().unwrap_or(MOST_SECONDS);
        Some(is_number.then_some(Self { seconds: seconds.min(MOST_SECONDS) }))
    }

    /// How long the client is held at most.
    pub(super) fn duration(self) -> Duration {
        Duration::from_secs(self.seconds)
    }

    /// What `Preference-Applied` says.
    pub(super) fn applied(self) -> (HeaderName, String) {
        (PREFERENCE_APPLIED, format!("wait={}", self.seconds))
    }
}

/// The parts of a list, where a separator in quotes is none.
fn parts(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    text.split(move |character| {
        let was_escaped = std::mem::take(&mut is_escaped);
        match character {
            '\\' if is_quoted && !was_escaped => is_escaped = true,
            '"' if !was_escaped => is_quoted = !is_quoted,
            _ => {}
        }
        character == separator && !is_quoted
    })
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::{PREFER, Wait};

    fn seconds(lines: &[&str]) -> Option<u64> {
        let request = lines.iter().fold(TestRequest::default(), |request, line| request.append_header((PREFER, *line)));
        Wait::of(&request.to_http_request()).map(|wait| wait.seconds)
    }

    #[test]
    fn is_found_among_other_preferences() {
        for line in ["wait=20", "Wait = 20", "wait=\"20\"", "respond-async, wait=20", "wait=20; a=b", "wait=20, wait=5"]
        {
            assert_eq!(seconds(&[line]), Some(20), "{line}");
        }
        assert_eq!(seconds(&["return=minimal", "respond-async,wait=20"]), Some(20));
        assert_eq!(seconds(&["note=\"a, wait=7; \\\", wait=8\", wait=20"]), Some(20));
    }

    #[test]
    fn is_bounded() {
        for line in ["wait", "wait=", "wait=50", "wait=51", "wait=99999999999999999999999"] {
            assert_eq!(seconds(&[line]), Some(50), "{line}");
        }
        assert_eq!(seconds(&["wait=0"]), Some(0));
    }

    #[test]
    fn what_can_not_be_understood_is_no_preference() {
        for line in ["", "waiting=5", "wait=-1", "wait=5s", "wait=soon", "a=wait", "a; wait=5", "wait=soon, wait=5"] {
            assert_eq!(seconds(&[line]), None, "{line}");
        }
        assert_eq!(seconds(&[]), None);
    }
}
