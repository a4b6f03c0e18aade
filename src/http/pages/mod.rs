//! Pages for people: what they have in common. They need no script, load nothing, and can not be framed.

use std::sync::LazyLock;

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::oauth::clients::hash;

pub(in crate::http) mod browser;
pub(in crate::http) mod consent;
pub(in crate::http) mod form;
mod problem;

pub(in crate::http) use problem::problem;

/// Colours as the reader's system has them; lengths in `rem`, so that the page grows with the reader's letters.
const STYLE: &str = "\
:root{color-scheme:light dark}\
body{margin:0;font:1rem/1.5 system-ui,sans-serif}\
main{box-sizing:border-box;max-width:28rem;margin:0 auto;padding:2rem 1rem;overflow-wrap:anywhere}\
h1{font-size:1.5rem;line-height:1.25}\
label{display:block;margin:1rem 0 .25rem}\
input{box-sizing:border-box;width:100%;padding:.5rem;font:inherit}\
button{margin:1.5rem .5rem 0 0;padding:.5rem 1rem;font:inherit}\
[role=alert]{padding:.5rem 1rem;border-left:.25rem solid #c00}";

/// The style stands in the page, and no other counts: its hash is in the policy.
static STYLE_SOURCE: LazyLock<String> = LazyLock::new(|| format!("'sha256-{}'", STANDARD.encode(hash(STYLE))));

/// A page. `goes_on_to` is the redirect URI that a form in it may end at: browsers hold redirects after a form to the policy, too.
pub(in crate::http) fn page(
    status: StatusCode,
    title: &str,
    content: Markup,
    goes_on_to: Option<&str>,
) -> HttpResponse {
    let onward = goes_on_to.and_then(source).map(|source| format!(" {source}")).unwrap_or_default();
    let policy = format!(
        "default-src 'none'; style-src {}; form-action 'self'{onward}; base-uri 'none'; frame-ancestors 'none'",
        *STYLE_SOURCE
    );
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " – Anteroom" }
                style { (PreEscaped(STYLE)) }
            }
            body { main { h1 { (title) } (content) } }
        }
    };
    HttpResponse::build(status)
        .insert_header((header::CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((header::CONTENT_SECURITY_POLICY, policy))
        // With none at all, browsers would not say of a form either which page it comes from.
        .insert_header((header::REFERRER_POLICY, "same-origin"))
        .body(page.into_string())
}

/// Sends the browser on with GET; RFC 9700 section 4.12.
pub(in crate::http) fn see_other(address: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((header::LOCATION, address)).finish()
}

/// The source expression of a redirect URI, Content Security Policy Level 3 section 2.3.1; its whole scheme where there is none of its
/// host, as of `[::1]`.
fn source(uri: &str) -> Option<String> {
    let (scheme, rest) = uri.split_once(':')?;
    let is_scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    if !scheme.bytes().all(is_scheme) {
        return None;
    }
    let authority = rest.strip_prefix("//").and_then(|rest| rest.split(['/', '?']).next()).unwrap_or_default();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-.:".contains(&byte);
    let is_web = matches!(scheme, "http" | "https") && !authority.is_empty() && authority.bytes().all(is_plain);
    Some(if is_web { format!("{scheme}://{authority}") } else { format!("{scheme}:") })
}

#[cfg(test)]
mod tests {
    use super::source;

    #[test]
    fn nothing_in_a_redirect_uri_adds_to_the_policy() {
        for (uri, expected) in [
            ("https://app.example/cb?a=b", "https://app.example"),
            ("https://app.example?a=b", "https://app.example"),
            ("http://127.0.0.1:49152/cb", "http://127.0.0.1:49152"),
            ("http://[::1]:49152/cb", "http:"),
            ("https://a;script-src,b/cb", "https:"),
            ("https://*/cb", "https:"),
            ("com.example.app:/cb", "com.example.app:"),
        ] {
            assert_eq!(source(uri).as_deref(), Some(expected), "{uri}");
        }
        assert_eq!(source("a; script-src *:b"), None);
    }
}
