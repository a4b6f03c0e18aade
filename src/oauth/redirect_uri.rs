//! Where a person's browser may be sent with an authorization code, RFC 9700 section 2.1.

/// Longer ones are nobody's.
const LONGEST: usize = 2_000;

/// The hosts that are this machine itself, whatever a name server says; RFC 8252 section 7.3.
const LOOPBACK: [&str; 2] = ["http://127.0.0.1", "http://[::1]"];

/// Whether a client may have that redirect URI.
///
/// # Errors
/// What is wrong with it, to be put after it.
pub fn judge(uri: &str) -> Result<(), &'static str> {
    if uri.len() > LONGEST {
        return Err("is longer than 2000 bytes");
    }
    if !uri.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte)) {
        return Err("has characters that a URI can not have: write them percent-encoded");
    }
    if uri.contains('#') {
        return Err("has a fragment (RFC 6749 section 3.1.2)");
    }
    let Some((scheme, rest)) = uri.split_once(':') else {
        return Err("is not a whole URI: it has no scheme");
    };
    let authority = rest.strip_prefix("//").map(|rest| rest.split(['/', '?']).next().unwrap_or_default());
    match (scheme, authority) {
        ("https", Some(authority)) | ("http", Some(authority)) if authority.is_empty() || authority.contains('@') => {
            Err("has no host, or a user name before it")
        }
        ("https", Some(_)) => Ok(()),
        ("http", Some(authority)) if is_loopback(authority) => Ok(()),
        ("http" | "https", _) => Err("is neither https nor of this machine itself: a code would be sent unprotected"),
        _ if is_private_use(scheme) => Ok(()),
        _ => Err("has a scheme that is neither https nor a name of your own with a dot in it, as com.example.app"),
    }
}

fn is_loopback(authority: &str) -> bool {
    let host = authority.strip_prefix('[').map_or_else(
        || authority.split(':').next().unwrap_or_default(),
        |rest| rest.split(']').next().unwrap_or_default(),
    );
    matches!(host, "127.0.0.1" | "::1" | "localhost")
}

/// RFC 8252 section 7.1: a reversed domain name of the program's maker. One without a dot, as `javascript`, means something already.
fn is_private_use(scheme: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".+-".contains(&byte);
    scheme.starts_with(|first: char| first.is_ascii_lowercase()) && scheme.contains('.') && scheme.bytes().all(allowed)
}

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
    fn what_a_client_may_have() {
        let good = [
            "https://app.example/cb",
            "https://app.example:8443/cb?tenant=a",
            "http://localhost:3000/cb",
            "http://127.0.0.1/cb",
            "http://[::1]:8000/cb",
            "com.example.app:/cb",
        ];
        for uri in good {
            assert_eq!(judge(uri), Ok(()), "{uri}");
        }
        let bad = [
            "http://app.example/cb",
            "http://localhost.evil.example/cb",
            "http://127.0.0.1@evil.example/cb",
            "https:///cb",
            "https:/cb",
            "https://app.example/cb#there",
            "https://app.example/a b",
            "https://app.example/\u{e9}",
            "javascript:alert(1)",
            "data:text/html,x",
            "/cb",
            "",
            "https://*.example/cb\n",
        ];
        for uri in bad {
            assert!(judge(uri).is_err(), "{uri}");
        }
        assert!(judge(&format!("https://app.example/{}", "a".repeat(2_000))).is_err());
    }

    #[test]
    fn byte_for_byte_but_for_the_port_of_a_program_on_this_machine() {
        assert!(matches("https://app.example/cb", "https://app.example/cb", false));
        for other in ["https://app.example/cb/", "https://app.example/cb?a", "https://app.example:443/cb", "https://APP.example/cb"] {
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
        assert_eq!(with_parameters("https://a.example/cb", &code), "https://a.example/cb?code=a+b&iss=https%3A%2F%2Fgw.example");
        assert_eq!(with_parameters("https://a.example/cb?t=1", &code[..1]), "https://a.example/cb?t=1&code=a+b");
        assert_eq!(with_parameters("https://a.example/cb?", &code[..1]), "https://a.example/cb?code=a+b");
    }
}
