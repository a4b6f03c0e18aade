//! The authorization request: what a client sends a person's browser with, RFC 6749 section 4.1.1, with PKCE, RFC 7636.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};

use super::accounts::Person;
use super::clients::{Client, Consent, generate_secret};
use super::code::Code;
use super::grant_type::GrantType;
use super::grants::Grant;
use super::shelf::insert;
use super::{AuthorizationServer, redirect_uri};
use crate::core::error::StoreError;

/// The parameters of an authorization request, as they came; none is given twice but those that are named.
#[derive(Debug, Default)]
pub struct AuthorizationParameters {
    /// Each parameter's first value.
    pub values: BTreeMap<String, String>,
    /// Which came more than once.
    pub repeated: BTreeSet<String>,
}

impl AuthorizationParameters {
    /// Those of a query.
    pub fn of(query: &str) -> Self {
        let mut parameters = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if parameters.values.contains_key(&*name) {
                parameters.repeated.insert(name.into_owned());
            } else {
                parameters.values.insert(name.into_owned(), value.into_owned());
            }
        }
        parameters
    }

    /// A parameter's value; RFC 6749 section 3.1: one without a value counts as left out.
    fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

/// A client's request to be let at what is a person's: its client and where the answer goes are beyond doubt.
#[derive(Debug)]
pub struct AuthorizationRequest {
    /// Who asks.
    pub client: Arc<Client>,
    /// How the person is to be asked.
    pub prompt: Prompt,
    way_back: WayBack,
    asked: Vec<String>,
    challenge: String,
}

/// Where a browser is sent with the answer.
#[derive(Clone, Debug)]
pub struct WayBack {
    redirect_uri: String,
    state: Option<String>,
}

/// How the client wants the person to be asked; the words of OpenID Connect Core section 3.1.2.1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Prompt {
    /// As usual.
    #[default]
    Usual,
    /// Not at all: the answer follows from what is known, or is a refusal.
    Nothing,
    /// The person is to log in anew.
    Login,
    /// The person is to consent, even where that is usually taken for granted.
    Consent,
}

/// Why a browser is not sent back with a code.
#[derive(Debug, thiserror::Error)]
pub enum AuthorizationError {
    /// It is not certain that the client's is the address that the browser would be sent to: so it is sent nowhere, and the person is
    /// told.
    #[error("{0}")]
    Nowhere(&'static str),
    /// The client is told by way of the browser.
    #[error("{description}")]
    Told {
        /// Where that is.
        way_back: WayBack,
        /// The code; RFC 6749 section 4.1.2.1, and OpenID Connect Core section 3.1.2.6.
        error: &'static str,
        /// What is wrong.
        description: &'static str,
    },
    /// The store could not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl WayBack {
    /// Where it leads.
    pub fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    /// The refusal that is told this way.
    pub fn refuse(&self, error: &'static str, description: &'static str) -> AuthorizationError {
        AuthorizationError::Told { way_back: self.clone(), error, description }
    }

    /// The address with the answer; RFC 9207: and with who answers.
    fn with(&self, answer: &[(&str, &str)], issuer: &str) -> String {
        let mut parameters = answer.to_vec();
        parameters.extend(self.state.as_deref().map(|state| ("state", state)));
        parameters.push(("iss", issuer));
        redirect_uri::with_parameters(&self.redirect_uri, &parameters)
    }
}

impl AuthorizationRequest {
    /// Where the answer goes.
    pub fn way_back(&self) -> &WayBack {
        &self.way_back
    }

    /// Whether the person has to be asked.
    pub fn needs_consent(&self) -> bool {
        self.client.consent == Consent::Ask || self.prompt == Prompt::Consent
    }

    /// The refusal that is told to the client.
    pub fn refuse(&self, error: &'static str, description: &'static str) -> AuthorizationError {
        self.way_back.refuse(error, description)
    }
}

impl AuthorizationServer {
    /// Judges an authorization request.
    ///
    /// # Errors
    /// An unknown client or a redirect URI that is not the client's are told to the person alone (RFC 6749 section 4.1.2.1); all else
    /// to the client.
    pub async fn judge_authorization(
        &self,
        parameters: &AuthorizationParameters,
    ) -> Result<AuthorizationRequest, AuthorizationError> {
        let (client, redirect_uri) = self.who_and_where(parameters).await?;
        // Which of two is meant is not guessed at.
        let is_clear = !parameters.repeated.contains("state");
        let state = parameters.values.get("state").filter(|_| is_clear).cloned();
        let way_back = WayBack { redirect_uri, state };
        match judge_rest(&client, parameters) {
            Ok((prompt, challenge, asked)) => Ok(AuthorizationRequest { client, prompt, way_back, asked, challenge }),
            Err((error, description)) => Err(way_back.refuse(error, description)),
        }
    }

    async fn who_and_where(
        &self,
        parameters: &AuthorizationParameters,
    ) -> Result<(Arc<Client>, String), AuthorizationError> {
        let nowhere = |why| Err(AuthorizationError::Nowhere(why));
        if ["client_id", "redirect_uri"].into_iter().any(|name| parameters.repeated.contains(name)) {
            return nowhere("The link names two programs, or two addresses to go on to.");
        }
        let Some(id) = parameters.get("client_id") else {
            return nowhere("The link does not name the program that sent you here: client_id is missing.");
        };
        let Some(client) = self.clients.find(id).await? else {
            return nowhere(
                "The program that sent you here is not known to this gateway: no client has this client_id.",
            );
        };
        let Some(asked) = parameters.get("redirect_uri") else {
            return nowhere("The link does not say where to go on to: redirect_uri is missing.");
        };
        let is_own = |known: &String| redirect_uri::matches(known, asked, client.is_public);
        if !client.redirect_uris.iter().any(is_own) {
            return nowhere(
                "The link would go on to an address that is not registered for the program that sent you here.",
            );
        }
        Ok((client, asked.to_owned()))
    }

    /// What of what it asks for it would get from a person, each with what it allows.
    ///
    /// # Errors
    /// Nothing at all.
    pub fn offer(
        &self,
        request: &AuthorizationRequest,
        person: &Person,
    ) -> Result<Vec<(String, String)>, AuthorizationError> {
        let is_asked = |scope: &String| request.asked.is_empty() || request.asked.contains(scope);
        let granted = self.grantable(&request.client, person).into_iter().filter(is_asked);
        let allows = |scope: &str| self.minter.scopes.get(scope).map(|scope| scope.allows.clone()).unwrap_or_default();
        let offered: Vec<_> =
            granted.map(|scope| (allows(&scope), scope)).map(|(allows, scope)| (scope, allows)).collect();
        if offered.is_empty() {
            return Err(
                request.refuse("invalid_scope", "none of the scopes asked for is one that this client can have")
            );
        }
        Ok(offered)
    }

    /// Grants what is asked for, and answers the address that the browser goes on to, with a code in it.
    ///
    /// # Errors
    /// Those of [`Self::offer`], and the store's.
    pub async fn grant_authorization(
        &self,
        request: &AuthorizationRequest,
        person: &Person,
    ) -> Result<SecretString, AuthorizationError> {
        let scopes: Vec<_> = self.offer(request, person)?.into_iter().map(|(scope, _)| scope).collect();
        let (now, grant_id, code) = (self.clock.now(), self.new_grant_id(), generate_secret(&*self.entropy));
        let expires_at = now.plus(super::code::LIFETIME);
        let grant = Grant {
            client_id: request.client.id.clone(),
            subject: person.id.clone(),
            name: person.name.clone(),
            scope: scopes.join(" "),
            granted_at: now,
            expires_at,
        };
        let kept = Code {
            client_id: request.client.id.clone(),
            redirect_uri: request.way_back.redirect_uri.clone(),
            challenge: request.challenge.clone(),
            grant_id: grant_id.clone(),
            used_and_kept_until: None,
            expires_at,
        };
        let key = super::shelf::hashed(code.expose_secret());
        if !self.shelf.commit(vec![insert(&key, &kept)?, insert(&grant_id, &grant)?]).await? {
            return Err(StoreError::Failed("a code or a grant of that name exists already".into()).into());
        }
        let answer = request.way_back.with(&[("code", code.expose_secret())], self.minter.issuer.url());
        Ok(SecretString::from(answer))
    }

    /// The address that the browser goes on to with a refusal.
    pub fn refusal_address(&self, way_back: &WayBack, error: &str, description: &str) -> String {
        way_back.with(&[("error", error), ("error_description", description)], self.minter.issuer.url())
    }
}

type Told = (&'static str, &'static str);

/// What is told to the client when it is wrong: all but who and where.
fn judge_rest(client: &Client, parameters: &AuthorizationParameters) -> Result<(Prompt, String, Vec<String>), Told> {
    let invalid = |description| Err(("invalid_request", description));
    if !parameters.repeated.is_empty() {
        return invalid("a parameter is repeated");
    }
    match parameters.get("response_type") {
        Some("code") => {}
        None => return invalid("the parameter response_type is missing"),
        Some(_) => return Err(("unsupported_response_type", "the only response_type that is offered is code")),
    }
    if parameters.get("response_mode").is_some_and(|mode| mode != "query") {
        return invalid("the only response_mode that is offered is query");
    }
    for (name, error) in [("request", "request_not_supported"), ("request_uri", "request_uri_not_supported")] {
        if parameters.get(name).is_some() {
            return Err((error, "requests are taken as parameters alone"));
        }
    }
    if !client.grants.contains(&GrantType::AuthorizationCode) {
        return Err((
            "unauthorized_client",
            "this client may not use this grant: its grants do not name authorization_code",
        ));
    }
    let challenge = challenge(parameters).map_err(|description| ("invalid_request", description))?;
    let scope = parameters.get("scope").unwrap_or_default();
    let asked = scope.split(' ').filter(|scope| !scope.is_empty()).map(str::to_owned).collect();
    Ok((prompt(parameters)?, challenge, asked))
}

/// RFC 9700 section 2.1.1: PKCE is required of everybody, and by S256, since `plain` protects from nobody who sees the request.
fn challenge(parameters: &AuthorizationParameters) -> Result<String, &'static str> {
    if parameters.get("code_challenge_method") != Some("S256") {
        return Err("PKCE is required: code_challenge_method must be S256");
    }
    let is_base64url = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let challenge = parameters.get("code_challenge").unwrap_or_default();
    if challenge.len() != 43 || !challenge.bytes().all(is_base64url) {
        return Err(
            "PKCE is required: code_challenge must be the SHA-256 of the code_verifier as base64url, 43 characters",
        );
    }
    Ok(challenge.to_owned())
}

fn prompt(parameters: &AuthorizationParameters) -> Result<Prompt, Told> {
    let words: BTreeSet<_> =
        parameters.get("prompt").unwrap_or_default().split(' ').filter(|word| !word.is_empty()).collect();
    if words.iter().any(|word| !["none", "login", "consent", "select_account"].contains(word)) {
        return Err(("invalid_request", "prompt knows none, login, consent and select_account"));
    }
    match (words.contains("none"), words.len()) {
        (true, 1) => Ok(Prompt::Nothing),
        (true, _) => Err(("invalid_request", "prompt=none stands alone")),
        _ if words.contains("login") || words.contains("select_account") => Ok(Prompt::Login),
        _ if words.contains("consent") => Ok(Prompt::Consent),
        _ => Ok(Prompt::Usual),
    }
}
