//! Which addresses may be asked.

use std::borrow::Cow;
use std::net::IpAddr;

use reqwest::Url;

/// What is said of an address that would be asked without encryption.
pub(super) const EXPOSED: &str = "is not https (http is allowed for localhost only, or with allow_http = true)";

/// Reads an address that may be asked: https, or http on this machine itself (RFC 8414 section 2 demands https), or http anywhere
/// where the operator allows it.
///
/// # Errors
/// What is wrong, to be put after the address.
pub fn secure_url(text: &str, allow_http: bool) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_| "is not a URL")?;
    match url.scheme() {
        "https" => {}
        "http" if allow_http || is_loopback(&url) => {}
        _ => return Err(EXPOSED),
    }
    // It would stand in every message about the address.
    if !url.username().is_empty() || url.password().is_some() {
        return Err("has a user name or a password in it");
    }
    Ok(url)
}

/// An address as it may be shown, right or wrong: without what comes before an `@`, which may be a password.
pub fn shown(address: &str) -> Cow<'_, str> {
    let Some((hidden, rest)) = address.rsplit_once('@') else { return address.into() };
    let scheme = ["https://", "http://"].into_iter().find(|scheme| hidden.starts_with(scheme)).unwrap_or_default();
    format!("{scheme}…@{rest}").into()
}

/// Whether an address is asked without encryption, and on another machine.
pub(super) fn is_exposed(url: &Url) -> bool {
    url.scheme() != "https" && !is_loopback(url)
}

fn is_loopback(url: &Url) -> bool {
    match url.host_str() {
        Some("localhost") => true,
        Some(host) => host.trim_matches(['[', ']']).parse().is_ok_and(|address: IpAddr| address.is_loopback()),
        None => false,
    }
}
