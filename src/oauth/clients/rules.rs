//! What a client has to be, whether it is configured or added.

use std::time::Duration;

use super::invisible::is_invisible;
use super::{ClientSettings, Consent};
use crate::oauth::grant_type::GrantType;
use crate::oauth::redirect_uri;

/// The times in a token are whole seconds.
const SHORTEST_LIFETIME: Duration = Duration::from_secs(1);
/// A client has at most so many redirect URIs.
const MOST_REDIRECT_URIS: usize = 20;
/// What people are told that a client is called has at most so many characters.
const LONGEST_NAME: usize = 200;

/// A mistake: the key, what is wrong, and what to do.
type Mistake = (&'static str, String, String);

/// What is wrong with a client, but for its scopes and the places of its secrets.
pub(super) fn judge(settings: &ClientSettings) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    let mut add = |key, problem: String, remedy: &str| mistakes.push((key, problem, remedy.to_owned()));
    let grants = settings.grants();
    if settings.public && !settings.secrets.is_empty() {
        let remedy = "Take the secrets away, or public = true";
        add("secrets", "there are some, and a public client has none".into(), remedy);
    }
    if settings.public && grants.contains(&GrantType::ClientCredentials) {
        let remedy = "Take client_credentials away, or public = true";
        add("grants", "client_credentials needs a secret, and a public client has none".into(), remedy);
    }
    for (key, problem, remedy) in judge_grants(settings, &grants) {
        add(key, problem.into(), remedy);
    }
    if grants.contains(&GrantType::AuthorizationCode) && settings.redirect_uris.is_empty() {
        let remedy = "Name the addresses that people's browsers come back to with a code";
        add("redirect_uris", "there is none, and `grants` names authorization_code".into(), remedy);
    }
    for uri in &settings.redirect_uris {
        if let Err(problem) = redirect_uri::judge(uri) {
            add("redirect_uris", format!("{uri:?} {problem}"), "Write it as the client sends it, byte for byte");
        }
    }
    if settings.redirect_uris.len() > MOST_REDIRECT_URIS {
        let problem = format!("there are more than {MOST_REDIRECT_URIS}");
        add("redirect_uris", problem, "Make a client for each of the programs");
    }
    if settings.lifetime.is_some_and(|lifetime| lifetime.duration() < SHORTEST_LIFETIME) {
        let problem = "is less than a second, so that a token would be expired as soon as it is given";
        add("lifetime", problem.into(), "Leave it out, or write one like \"1h\"");
    }
    let is_told = |name: &String| (1..=LONGEST_NAME).contains(&name.chars().count()) && !name.chars().any(is_invisible);
    if !settings.name.as_ref().is_none_or(is_told) {
        let problem =
            format!("is empty, longer than {LONGEST_NAME} characters or has control characters or invisible ones");
        add("name", problem, "Leave it out, or write what people call the client");
    }
    mistakes
}

/// What of the grants does not go together, or with what is said of people's browsers.
fn judge_grants(
    settings: &ClientSettings,
    grants: &[GrantType],
) -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    let has = |grant| grants.contains(&grant);
    let (by_code, by_device) = (has(GrantType::AuthorizationCode), has(GrantType::DeviceCode));
    let refresh_alone = has(GrantType::RefreshToken) && !by_code && !by_device;
    let mistakes = [
        (
            grants.is_empty(),
            "grants",
            "there is none, so the client can not get a token",
            "Name authorization_code, refresh_token or device_code, or redirect_uris",
        ),
        (
            refresh_alone,
            "grants",
            "refresh_token goes on from authorization_code or device_code, and neither is there",
            "Name one of them, or take refresh_token away",
        ),
        (
            !settings.redirect_uris.is_empty() && !by_code,
            "redirect_uris",
            "there are some, and `grants` does not name authorization_code, which alone sends browsers there",
            "Name authorization_code, or take them away",
        ),
        (
            settings.consent == Consent::Auto && !by_code,
            "consent",
            "is \"auto\", and `grants` does not name authorization_code, the only one that can do without asking",
            "Leave it out, or name authorization_code",
        ),
    ];
    mistakes.into_iter().filter_map(|(is_one, key, problem, remedy)| is_one.then_some((key, problem, remedy)))
}
