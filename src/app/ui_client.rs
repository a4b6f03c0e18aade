//! The client that people log in with at `/ui/`, which exists by itself in development mode.

use crate::oauth::clients::Client;
use crate::settings::Settings;

/// The client, with these scopes; none where the configuration names the one of `/ui/`, or none is to be.
pub(super) fn ui_client(settings: &Settings, scopes: Vec<String>) -> Option<Client> {
    let id =
        settings.ui_client().filter(|id| settings.ui.client_id.is_none() && !settings.clients.contains_key(*id))?;
    // A public client may come from any port of these two (RFC 8252 section 7.3); a name is compared byte for byte.
    let mut bases = vec!["http://127.0.0.1".to_owned(), "http://[::1]".to_owned()];
    let port = settings.server.bind.port();
    bases.extend((port != 0).then(|| format!("http://localhost:{port}")));
    bases.extend(settings.server.public_url.clone());
    let page = |base: String| format!("{}/ui/oauth2-redirect.html", base.trim_end_matches('/'));
    Some(Client::public(id, "Swagger UI", bases.into_iter().map(page).collect(), scopes))
}
