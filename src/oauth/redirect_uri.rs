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

#[cfg(test)]
mod tests {
    use super::judge;

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
}
