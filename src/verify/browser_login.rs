//! How people log in at an issuer from the page of the API: by the authorization code flow with PKCE (RFC 7636), as a public client.
//!
//! Where that is, the issuer's discovery document tells. It is asked for at the start and by whoever wants to know, in the background:
//! nobody waits for it, and until it is there the page does without this way to log in.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;

use super::FetchErrorClass;
use super::discovery::{Discovery, DiscoveryError};
use crate::core::clock::Clock;
use crate::core::error::Mistakes;
use crate::core::schemes::{OURS, is_component_name};
use crate::core::verdict;
use crate::net::{HttpClient, Url, secure_url, shown};

/// How long the endpoints hold that the issuer has told, and how long to wait after an attempt that failed before another one.
const LIFETIME: Duration = Duration::from_hours(1);
const RETRY: Duration = Duration::from_secs(5);
/// The longest client id, in bytes: it is part of addresses.
const MAX_CLIENT_ID: usize = 255;

/// A way to log in that is open to people now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginOffer {
    /// The name of the verifier that accepts the tokens.
    pub verifier: String,
    /// Their issuer.
    pub issuer: String,
    /// The public client.
    pub client_id: String,
    /// Whom the token is to be meant for. Some issuers have to be told, as `audience`.
    pub audience: String,
    /// The scopes that can be asked for, each with what it grants here.
    pub scopes: BTreeMap<String, String>,
    /// What a token may grant here without being asked for: what every token grants, and what the roles of people mean.
    pub unasked: Vec<String>,
    /// Where people are sent (RFC 6749 section 3.1).
    pub authorization_endpoint: String,
    /// Where the page gets the token (RFC 6749 section 3.2).
    pub token_endpoint: String,
    /// The origin of that, as a Content-Security-Policy names it.
    pub token_origin: String,
}

/// What a login is made with.
pub(super) struct LoginSetup<'a> {
    pub(super) verifier: &'a str,
    pub(super) issuer: &'a str,
    pub(super) client_id: &'a str,
    pub(super) audience: &'a str,
    pub(super) scopes: &'a BTreeMap<String, String>,
    pub(super) grants: &'a [String],
    pub(super) allow_http: bool,
    pub(super) http: HttpClient,
    pub(super) clock: Arc<dyn Clock>,
}

/// Judges what is configured for it.
pub(super) fn judge(client_id: &str, mistakes: &mut Mistakes<'_>) {
    // RFC 6749 appendix A.1: visible ASCII and spaces; nobody means a space.
    if client_id.is_empty() || client_id.len() > MAX_CLIENT_ID || !client_id.bytes().all(|byte| byte.is_ascii_graphic())
    {
        let problem = format!("is empty, longer than {MAX_CLIENT_ID} bytes, or has something else than visible ASCII");
        mistakes.add("ui_client_id", problem, "Write the client id of a single-page application of that provider");
    }
    if !is_component_name(mistakes.name) || OURS.contains(&mistakes.name) {
        let problem = format!("makes \"{}\" the name of a security scheme, which it can not be", mistakes.name);
        let remedy = "Give the verifier another name, of letters, digits, \".\", \"-\" and \"_\"";
        mistakes.add("ui_client_id", problem, remedy);
    }
}

/// A login that is configured.
#[derive(Clone)]
pub struct BrowserLogin(Arc<Asked>);

struct Asked {
    /// What it is, but for what the issuer says of itself.
    offer: LoginOffer,
    allow_http: bool,
    http: HttpClient,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// Held by who asks.
    asking: Arc<tokio::sync::Mutex<()>>,
}

/// What the issuer told last, and until when it is not asked again, by the monotonic clock.
#[derive(Default)]
struct State {
    known: Option<Arc<LoginOffer>>,
    until: Duration,
    /// What an attempt failed with, which is not told twice.
    failed: Option<FetchErrorClass>,
}

#[derive(Debug, thiserror::Error)]
enum LoginError {
    #[error(transparent)]
    Discovery(#[from] DiscoveryError),
    #[error("it names {found} as its {member}, which {problem}")]
    Unfit { member: &'static str, found: String, problem: &'static str },
}

impl BrowserLogin {
    pub(super) fn new(setup: LoginSetup<'_>) -> Self {
        let offer = LoginOffer {
            verifier: setup.verifier.to_owned(),
            issuer: setup.issuer.to_owned(),
            client_id: setup.client_id.to_owned(),
            audience: setup.audience.to_owned(),
            scopes: setup.scopes.clone(),
            unasked: setup.grants.to_vec(),
            authorization_endpoint: String::new(),
            token_endpoint: String::new(),
            token_origin: String::new(),
        };
        let (allow_http, http, clock) = (setup.allow_http, setup.http, setup.clock);
        Self(Arc::new(Asked { offer, allow_http, http, clock, state: Mutex::default(), asking: Arc::default() }))
    }

    /// What is known now. Where that is nothing, or old, the issuer is asked meanwhile, so that a later call knows more.
    pub(super) fn known(&self) -> Option<Arc<LoginOffer>> {
        self.warm_up();
        self.0.state().known.clone()
    }

    /// Has the issuer be asked, if that is due. To be called within a runtime.
    pub(super) fn warm_up(&self) {
        let is_due = |asked: &Asked| asked.clock.monotonic() >= asked.state().until;
        let Ok(runtime) = Handle::try_current() else { return };
        let Ok(alone) = Arc::clone(&self.0.asking).try_lock_owned() else { return };
        // Looked at by who holds the lock: an attempt may just have ended.
        if is_due(&self.0) {
            let asked = Arc::clone(&self.0);
            runtime.spawn(async move {
                asked.ask().await;
                drop(alone);
            });
        }
    }
}

impl Asked {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask(&self) {
        let found = self.discover().await;
        let now = self.clock.monotonic();
        let mut state = self.state();
        match found {
            Ok(offer) => {
                let is_new = state.known.as_deref() != Some(&offer);
                *state = State { known: Some(Arc::new(offer)), until: now + LIFETIME, failed: None };
                drop(state);
                if is_new {
                    let (verifier, issuer) = (&self.offer.verifier, &self.offer.issuer);
                    tracing::info!(verifier, issuer, "people can log in at the issuer from /ui/");
                }
            }
            Err(error) => {
                let class = error.class();
                let is_news = state.failed.replace(class) != Some(class);
                state.until = now + RETRY;
                // Where it was it may still be, unless the issuer says otherwise.
                if !matches!(error, LoginError::Discovery(DiscoveryError::Net(_))) {
                    state.known = None;
                }
                drop(state);
                if is_news {
                    let (verifier, issuer) = (&self.offer.verifier, &self.offer.issuer);
                    tracing::warn!(verifier, issuer, %error, "it is not known where people log in at the issuer from /ui/");
                }
            }
        }
    }

    /// The offer, with what the issuer says of itself now.
    async fn discover(&self) -> Result<LoginOffer, LoginError> {
        const AUTHORIZATION: &str = "authorization_endpoint";
        const TOKEN: &str = "token_endpoint";
        let discovery = Discovery::fetch(&self.http, &self.offer.issuer, self.allow_http).await?;
        let (authorization, token) = (discovery.address(AUTHORIZATION)?, discovery.address(TOKEN)?);
        self.judge(AUTHORIZATION, &authorization)?;
        let url = self.judge(TOKEN, &token)?;
        let token_origin = origin(&url).map_err(|problem| LoginError::unfit(TOKEN, &token, problem))?;
        let mut offer = LoginOffer {
            authorization_endpoint: authorization,
            token_endpoint: token,
            token_origin,
            ..self.offer.clone()
        };
        // Words may be roles. An issuer that lists some of the words as scopes lists those that are (Keycloak refuses the others);
        // one that lists none does not tell (Auth0).
        let is_listed = |word: &str| discovery.lists("scopes_supported", word);
        let tells = offer.scopes.keys().any(|word| is_listed(word));
        let is_scope = |word: &str| is_scope_token(word) && (!tells || is_listed(word));
        let (scopes, roles) = offer.scopes.into_iter().partition(|(word, _)| is_scope(word));
        offer.scopes = scopes;
        let roles: BTreeMap<_, _> = roles;
        offer.unasked.extend(roles.into_values());
        Ok(offer)
    }

    /// A page sends people there: it has to be an address of the web, and safe from eavesdroppers.
    fn judge(&self, member: &'static str, address: &str) -> Result<Url, LoginError> {
        let url = secure_url(address, self.allow_http);
        let url = url.map_err(|problem| LoginError::unfit(member, address, problem))?;
        // RFC 6749 sections 3.1 and 3.2.
        if url.fragment().is_some() {
            return Err(LoginError::unfit(member, address, "has a fragment"));
        }
        Ok(url)
    }
}

impl LoginError {
    fn unfit(member: &'static str, address: &str, problem: &'static str) -> Self {
        Self::Unfit { member, found: verdict::shown(&shown(address)), problem }
    }

    fn class(&self) -> FetchErrorClass {
        match self {
            Self::Discovery(error) => error.class(),
            Self::Unfit { .. } => FetchErrorClass::Address,
        }
    }
}

/// The origin as a Content-Security-Policy names it (CSP 3, section 2.3.1). There a host is of letters, digits, dots and hyphens: what
/// else a URL allows would be a wildcard or the end of the directive, and an IPv6 address can not be named.
fn origin(url: &Url) -> Result<String, &'static str> {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    let is_named = |host: &str| !host.is_empty() && host.bytes().all(is_part);
    if !url.host_str().is_some_and(is_named) {
        return Err("has a host that no Content-Security-Policy can name");
    }
    Ok(url.origin().ascii_serialization())
}

/// RFC 6749 section 3.3. A role may be called anything, and can not be asked for.
fn is_scope_token(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\')
}
