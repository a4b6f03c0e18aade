//! Where people's browsers may be sent with a code: RFC 9700 section 2.1, and RFC 8252 section 7 for programs on somebody's machine.

use std::net::IpAddr;

use crate::net::Url;

/// A redirect URI is no longer than this.
const LONGEST: usize = 2000;

/// Whether that can be a redirect URI of a client: https, or http to this machine, or a private scheme with a dot in it (a domain turned
/// round, RFC 8252 section 7.1); without fragment, user name and wildcard. It is compared byte for byte later on, so it has to stand
/// here as clients send it.
///
/// # Errors
/// What is wrong, to be put after the URI.
pub fn judge(uri: &str) -> Result<(), &'static str> {
    if uri.len() > LONGEST {
        return Err("is longer than 2000 bytes");
    }
    if !uri.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("has spaces, control characters or characters beyond ASCII: percent-encode them");
    }
    if uri.contains('*') {
        return Err("has a wildcard, and is compared byte for byte: list each URI");
    }
    if uri.contains('#') {
        return Err("has a fragment, which RFC 6749 section 3.1.2 forbids");
    }
    if uri.contains('\\') {
        return Err("has a backslash, which browsers take for a slash");
    }
    let url = Url::parse(uri).map_err(|_| "is not an absolute URI")?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("has a user name or a password in it");
    }
    match url.scheme() {
        "https" | "http" if !has_authority(uri) => Err("has no // after its scheme"),
        "https" => Ok(()),
        "http" if is_loopback(&url) => Ok(()),
        "http" => Err("is http to another machine, where a code can be read on the way: use https"),
        private if private.contains('.') => Ok(()),
        _ => Err("has a scheme that is neither https nor a private one with a dot, as com.example.app"),
    }
}

/// A browser would read `https:host` as `https://host`, and nobody else.
fn has_authority(uri: &str) -> bool {
    uri.split_once(':').is_some_and(|(_, rest)| rest.starts_with("//"))
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    host == "localhost" || host.trim_matches(['[', ']']).parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

/// The hosts that are this machine itself, whatever a name server says; RFC 8252 section 7.3.
const LOOPBACK: [&str; 2] = ["http://127.0.0.1", "http://[::1]"];

/// Whether the redirect URI asked for is the one that was registered: byte for byte, but for the port on this machine itself of a public
/// client, which takes one that is free (RFC 8252 section 7.3).
pub(super) fn matches(registered: &str, asked: &str, is_public: bool) -> bool {
    registered == asked || is_public && without_port(registered).is_some_and(|kept| Some(kept) == without_port(asked))
}

/// The host and what follows the port, of a redirect URI on this machine.
fn without_port(uri: &str) -> Option<(&'static str, &str)> {
    let (host, rest) = LOOPBACK.into_iter().find_map(|host| Some((host, uri.strip_prefix(host)?)))?;
    let rest = match rest.strip_prefix(':') {
        Some(port) => {
            let digits = port.bytes().take_while(u8::is_ascii_digit).count();
            port[..digits].parse::<u16>().ok().filter(|port| *port != 0)?;
            &port[digits..]
        }
        None => rest,
    };
    (rest.is_empty() || rest.starts_with(['/', '?'])).then_some((host, rest))
}

/// The address with these parameters added to its own.
pub(super) fn with_parameters(uri: &str, parameters: &[(&str, &str)]) -> String {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    let joint = match uri.split_once('?') {
        None => "?",
        Some((_, own)) if own.is_empty() || own.ends_with('&') => "",
        Some(_) => "&",
    };
    format!("{uri}{joint}{query}")
}

#[cfg(test)]
mod tests {
    use super::{judge, matches, with_parameters};

    #[test]
    fn where_a_code_is_safe() {
        for good in [
            "https://app.example/callback",
            "https://app.example:8443/callback?tenant=a%20b",
            "http://localhost:3000/callback",
            "http://127.0.0.1/",
            "http://[::1]:9000/callback",
            "com.example.app:/callback",
            "com.example.app://callback",
        ] {
            assert_eq!(judge(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn where_it_is_not() {
        let long = format!("https://app.example/{}", "x".repeat(2000));
        for bad in [
            "",
            "/callback",
            "app.example/callback",
            "http://app.example/callback",
            "http://localhost.app.example/",
            "http://127.0.0.1.app.example/",
            "https://app.example/callback#",
            "https://app.example/#here",
            "https://*.app.example/callback",
            "https://app.example/*",
            "https://me@app.example/",
            "https://me:you@app.example/",
            "https:app.example/",
            "https:\\\\app.example/",
            "https://app.example/a b",
            "https://app.example/\r\nset-cookie:a",
            "https://\u{e4}pp.example/",
            "javascript:alert(1)",
            "data:text/html,x",
            "file:///etc/passwd",
            "myapp://callback",
            &long,
        ] {
            assert!(judge(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn byte_for_byte_but_for_the_port_of_a_program_on_this_machine() {
        assert!(matches("https://app.example/cb", "https://app.example/cb", false));
        for other in [
            "https://app.example/cb/",
            "https://app.example/cb?a",
            "https://app.example:443/cb",
            "https://APP.example/cb",
        ] {
            assert!(!matches("https://app.example/cb", other, true), "{other}");
        }
        for (registered, asked) in [
            ("http://127.0.0.1/cb", "http://127.0.0.1:49152/cb"),
            ("http://127.0.0.1:80/cb?a=b", "http://127.0.0.1:49152/cb?a=b"),
            ("http://[::1]/cb", "http://[::1]:1/cb"),
        ] {
            assert!(matches(registered, asked, true), "{asked}");
            assert!(!matches(registered, asked, false), "{asked}");
        }
        for asked in [
            "http://127.0.0.1:0/cb",
            "http://127.0.0.1:65536/cb",
            "http://127.0.0.1:/cb",
            "http://127.0.0.1:1@evil.example/cb",
            "http://127.0.0.1.evil.example/cb",
            "http://127.0.0.1:49152/other",
            "http://[::1]:1/cb",
            "http://localhost:1/cb",
        ] {
            assert!(!matches("http://127.0.0.1/cb", asked, true), "{asked}");
        }
    }

    #[test]
    fn a_query_of_its_own_is_kept() {
        let code = [("code", "a b"), ("iss", "https://gw.example")];
        assert_eq!(
            with_parameters("https://a.example/cb", &code),
            "https://a.example/cb?code=a+b&iss=https%3A%2F%2Fgw.example"
        );
        assert_eq!(with_parameters("https://a.example/cb?t=1", &code[..1]), "https://a.example/cb?t=1&code=a+b");
        assert_eq!(with_parameters("https://a.example/cb?", &code[..1]), "https://a.example/cb?code=a+b");
    }
}
