//! The client that people log in with at `/ui/`, which exists by itself in development mode.

use crate::core::error::Misconfiguration;
use crate::oauth::clients::{Client, ClientSettings};
use crate::oauth::grant_type::GrantType;
use crate::settings::Settings;

/// Where the page gets its codes, below the address that browsers know the gateway by.
const REDIRECT: &str = "/ui/oauth2-redirect.html";

/// The client, with these scopes; none where the configuration names the one of `/ui/`, or none is to be.
pub(super) fn ui_client(settings: &Settings, scopes: Vec<String>) -> Option<Client> {
    let id =
        settings.ui_client().filter(|id| settings.ui.client_id.is_none() && !settings.clients.contains_key(*id))?;
    // A public client may come from any port of these two (RFC 8252 section 7.3); a name is compared byte for byte.
    let mut bases = vec!["http://127.0.0.1".to_owned(), "http://[::1]".to_owned()];
    let port = settings.server.bind.port();
    bases.extend((port != 0).then(|| format!("http://localhost:{port}")));
    bases.extend(settings.server.public_url.clone());
    let page = |base: String| page_below(&base);
    Some(Client::public(id, "Swagger UI", bases.into_iter().map(page).collect(), scopes))
}

/// What keeps people from logging in with the client that is named for `/ui/`, where it is one of the configuration; else it may be one
/// that was added.
pub(super) fn mistake(settings: &Settings) -> Option<Misconfiguration> {
    let id = settings.ui.client_id.as_deref()?;
    let client = settings.clients.get(id)?;
    let (problem, remedy) = unfit(client, settings.server.public_url.as_deref())?;
    Some(Misconfiguration::new("ui.client_id", format!("names the client {id:?}, {problem}"), remedy))
}

fn unfit(client: &ClientSettings, public_url: Option<&str>) -> Option<(&'static str, String)> {
    let told = |problem, remedy: &str| Some((problem, remedy.to_owned()));
    if !client.public {
        return told("which has a secret, and a page can not keep one", "Name one with public = true");
    }
    if !client.grants().contains(&GrantType::AuthorizationCode) {
        return told("whose grants do not have authorization_code", "Add it, and the redirect URI of /ui/");
    }
    let is_page = |uri: &String| public_url.map_or_else(|| uri.ends_with(REDIRECT), |base| *uri == page_below(base));
    if client.redirect_uris.iter().any(is_page) {
        return None;
    }
    let uri = public_url.map_or_else(|| format!("one that ends with {REDIRECT}"), page_below);
    Some(("which no browser may come back to /ui/ with", format!("Add to its redirect_uris: {uri}")))
}

fn page_below(base: &str) -> String {
    format!("{}{REDIRECT}", base.trim_end_matches('/'))
}
