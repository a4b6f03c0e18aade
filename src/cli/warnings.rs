//! What can be used as it is, and is seldom meant: told at the start and by `anteroom check`.

use serde_json::Value;

use crate::http::Mode;
use crate::oauth::accounts::settings::Login;
use crate::settings::Settings;
use crate::verify::parse_table;

/// Every warning about these settings, each as one sentence.
pub(super) fn warnings(settings: &Settings) -> Vec<String> {
    let verifiers = settings.chain().iter().flat_map(|name| about_verifier(name, settings));
    let of_server = [no_client, no_public_url, development_elsewhere, open_issuer, any_login];
    of_server
        .into_iter()
        .filter_map(|about| about(settings))
        .chain(tokens_elsewhere(settings))
        .chain(verifiers)
        .collect()
}

fn no_client(settings: &Settings) -> Option<String> {
    settings.serves_nobody().then(|| {
        "no client is configured, so only those that were added get a token here: add one with `anteroom client add NAME`; or run \
         `anteroom client new NAME`, put the lines it prints into the file that --config or ANTEROOM_CONFIG names (or set \
         ANTEROOM__CLIENTS='{\"NAME\": {\"secrets\": [\"sha256:…\"]}}'), and restart; or add an oidc verifier, see config/auth0.toml"
            .to_owned()
    })
}

/// The issuer names the owner of requests, so it is not to be changed once there are some.
fn no_public_url(settings: &Settings) -> Option<String> {
    let is_told = settings.server.public_url.is_some() || settings.issuer.url.is_some();
    let is_elsewhere = settings.server.effective_mode() == Mode::Production && settings.believes_itself();
    (is_elsewhere && !is_told).then(|| {
        format!(
            "neither server.public_url nor issuer.url is set, so our tokens and the metadata name \"{}\" as their issuer: set \
             server.public_url to the address that clients call, before there are requests that belong to that name",
            settings.issuer_url()
        )
    })
}

fn development_elsewhere(settings: &Settings) -> Option<String> {
    let is_development = settings.server.effective_mode() == Mode::Development;
    (is_development && !settings.server.bind.ip().is_loopback()).then(|| {
        format!(
            "server.mode is \"development\", and {} can be reached from elsewhere: callers from there are refused, and a demo client may \
             exist; leave server.mode out, or bind to 127.0.0.1",
            settings.server.bind
        )
    })
}

fn open_issuer(settings: &Settings) -> Option<String> {
    settings.issuer.open.then(|| "issuer.open is on: whoever reaches this gateway gets a token".to_owned())
}

fn any_login(settings: &Settings) -> Option<String> {
    (settings.accounts.login == Login::Any)
        .then(|| "accounts.login is \"any\": every name is let in with any password".to_owned())
}

fn tokens_elsewhere(settings: &Settings) -> impl Iterator<Item = String> {
    let places = [("query", settings.verify.token_in_query), ("form", settings.verify.token_in_form)];
    places.into_iter().filter(|(_, is_on)| *is_on).map(|(key, _)| {
        format!(
            "verify.token_in_{key} is on: addresses and forms are kept in histories and logs, and so are tokens in them"
        )
    })
}

const DISCOVERY: &str = "/.well-known/openid-configuration";

/// About a verifier that guards the API.
fn about_verifier(name: &str, settings: &Settings) -> Vec<String> {
    let table = settings.verifiers.get(name).and_then(|table| parse_table(name, table.clone()).ok());
    let Some(holds) = table.map(|settings| settings.effective()) else { return Vec::new() };
    let mut warnings = Vec::new();
    let is_empty = |key: &str| match &holds[key] {
        Value::Object(members) => members.is_empty(),
        Value::Array(items) => items.is_empty(),
        // A kind that has no such key.
        _ => false,
    };
    if is_empty("scopes") && is_empty("grants") {
        warnings.push(format!(
            "verifiers.{name} has neither scopes nor grants: its tokens are accepted, and may call nothing but GET /v1/whoami; say in \
             `scopes` what its scopes mean here, see config/auth0.toml"
        ));
    }
    if let Some(issuer) = holds["issuer"].as_str().and_then(|issuer| issuer.strip_suffix(DISCOVERY)) {
        warnings.push(format!(
            "verifiers.{name}.issuer is the address of a discovery document: write the `iss` of its tokens, likely \"{issuer}\" or \
             \"{issuer}/\""
        ));
    }
    warnings
}
