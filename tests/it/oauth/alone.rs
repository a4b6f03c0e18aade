//! The authorization server alone, on a store that the test has in hand: what a death between two writes, the removal of what has
//! expired, and a client that no configuration lets through leave standing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anteroom::app::SystemEntropy;
use anteroom::core::clock::{Clock, SetClock, Timestamp};
use anteroom::core::error::StoreError;
use anteroom::core::own_tokens::OwnTokens;
use anteroom::core::ports::records::{Record, RecordChange, RecordKind, Records};
use anteroom::core::type_scopes::TypeScopes;
use anteroom::oauth::accounts::Person;
use anteroom::oauth::accounts::settings::{AccountSettings, Login};
use anteroom::oauth::authorize::{AuthorizationError, AuthorizationParameters};
use anteroom::oauth::clients::{Client, Clients, default_scopes};
use anteroom::oauth::grant_type::GrantType;
use anteroom::oauth::issuer::{Issuer, IssuerSettings};
use anteroom::oauth::minter::Minter;
use anteroom::oauth::scopes::Scopes;
use anteroom::oauth::signer::Signer;
use anteroom::oauth::token::{Credentials, TokenRequest};
use anteroom::oauth::{AuthorizationServer, Issued, Parts, TokenError};
use secrecy::{ExposeSecret, SecretString};

use super::flow::{APP_URI, VERIFIER, request};
use crate::stores::Opened;

/// Records that can be written so many times yet.
struct Dying {
    records: Arc<dyn Records>,
    writes_left: AtomicUsize,
}

impl Dying {
    fn after(&self, writes: usize) {
        self.writes_left.store(writes, Ordering::Relaxed);
    }
}

type Answer<'a, T> = futures_util::future::BoxFuture<'a, Result<T, StoreError>>;

impl Records for Dying {
    fn find<'a>(&'a self, kind: RecordKind, key: &'a str) -> Answer<'a, Option<Record>> {
        self.records.find(kind, key)
    }

    fn list<'a>(&'a self, kind: RecordKind, after: Option<&'a str>, limit: usize) -> Answer<'a, Vec<Record>> {
        self.records.list(kind, after, limit)
    }

    fn commit(&self, changes: Vec<RecordChange>) -> Answer<'_, bool> {
        let one_less = |left: usize| left.checked_sub(1);
        if self.writes_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_err() {
            return Box::pin(async { Err(StoreError::Failed("the gateway has died".into())) });
        }
        self.records.commit(changes)
    }

    fn forget(&self, before: Timestamp, most: usize) -> Answer<'_, usize> {
        self.records.forget(before, most)
    }
}

/// An authorization server with the public client `app`, as it starts on these records.
async fn start(records: Arc<dyn Records>, clock: &SetClock) -> AuthorizationServer {
    start_with(records, clock, &[GrantType::AuthorizationCode, GrantType::RefreshToken]).await
}

/// The same, where `app` has these grants.
async fn start_with(records: Arc<dyn Records>, clock: &SetClock, grants: &[GrantType]) -> AuthorizationServer {
    start_as(records, clock, grants, &IssuerSettings::default()).await.0
}

/// The same with these settings, and what verifiers know of its tokens.
pub(super) async fn start_as(
    records: Arc<dyn Records>,
    clock: &SetClock,
    grants: &[GrantType],
    settings: &IssuerSettings,
) -> (AuthorizationServer, Arc<OwnTokens>) {
    let (clock, entropy): (Arc<dyn Clock>, _) = (Arc::new(clock.clone()), Arc::new(SystemEntropy));
    let signer = Signer::secret(&SecretString::from("x".repeat(32)));
    let issuer = Issuer::new("https://gw.example".into(), settings, signer, entropy.clone());
    let app = Client::public("app", "App", vec![APP_URI.into()], default_scopes()).using(grants.to_vec());
    let own_tokens = Arc::new(OwnTokens::default());
    let server = AuthorizationServer::new(Parts {
        clients: Clients::new([app]),
        accounts: AccountSettings { login: Login::Any, ..AccountSettings::default() },
        minter: Minter { issuer, scopes: Scopes::new(&TypeScopes::default()), clock: Arc::clone(&clock) },
        records,
        own_tokens: Arc::clone(&own_tokens),
        clock,
        entropy,
    });
    server.prepare().await.unwrap();
    (server, own_tokens)
}

/// What a client sends that does everything right.
fn asked() -> AuthorizationParameters {
    AuthorizationParameters::of(request("app", APP_URI, &[]).split_once('?').unwrap().1)
}

async fn code(server: &AuthorizationServer) -> String {
    grant(server, &person("ada")).await.unwrap()
}

pub(super) fn person(name: &str) -> Person {
    Person { id: format!("any:{name}"), name: name.into(), is_admin: false }
}

/// A person lets `app` in; answers the code.
pub(super) async fn grant(server: &AuthorizationServer, person: &Person) -> Result<String, AuthorizationError> {
    let request = server.judge_authorization(&asked()).await.unwrap();
    let address = server.grant_authorization(&request, person).await?;
    let query = address.expose_secret().split_once('?').unwrap().1.to_owned();
    Ok(form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "code").unwrap().1.into_owned())
}

pub(super) async fn ask(
    server: &AuthorizationServer,
    grant: &str,
    parameters: &[(&str, &str)],
) -> Result<Issued, TokenError> {
    let parameters = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let credentials = Credentials::Id("app".into());
    server
        .token(&TokenRequest { grant_type: Some(grant.into()), credentials, parameters, ..TokenRequest::default() })
        .await
}

pub(super) fn refresh_token(issued: &Issued) -> String {
    issued.refresh_token.as_ref().unwrap().expose_secret().to_owned()
}

/// Whichever write the gateway dies after: when what was seen twice has been refused, it stays so, also when the revocation of its
/// access tokens is of no use any more and forgotten.
#[tokio::test]
async fn a_grant_that_was_seen_to_end_never_comes_back() {
    for writes in 0..3 {
        let opened = Opened::new("memory:");
        let records = Arc::new(Dying { records: opened.store.records(), writes_left: AtomicUsize::new(100) });
        let server = start(records.clone(), &opened.clock).await;
        let code = code(&server).await;
        let redeem = [("code", code.as_str()), ("redirect_uri", APP_URI), ("code_verifier", VERIFIER)];
        let first = refresh_token(&ask(&server, "authorization_code", &redeem).await.unwrap());
        records.after(writes);
        let twice = ask(&server, "authorization_code", &redeem).await.unwrap_err();
        let was_told = matches!(twice, TokenError::InvalidGrant(_));
        records.after(100);

        let server = start(records.clone(), &opened.clock).await;
        opened.clock.advance(Duration::from_hours(2));
        server.prepare().await.unwrap();
        let refreshed = ask(&server, "refresh_token", &[("refresh_token", &first)]).await;
        let is_ended = matches!(refreshed, Err(TokenError::InvalidGrant(_)));
        // Where nothing at all could be written the gateway has not said that it had ended, and the next that sees it twice ends it.
        assert_eq!((was_told, is_ended), (writes > 0, writes > 0), "after {writes} writes");
    }
}

/// Whoever has stolen a code may come with it when it has long expired: it was stolen all the same.
#[tokio::test]
async fn a_code_that_comes_again_much_later_ends_all_that_came_of_it() {
    let opened = Opened::new("memory:");
    let records = opened.store.records();
    let server = start(Arc::clone(&records), &opened.clock).await;
    let [used, unused] = [code(&server).await, code(&server).await];
    let redeem = |code| [("code", code), ("redirect_uri", APP_URI), ("code_verifier", VERIFIER)];
    let first = refresh_token(&ask(&server, "authorization_code", &redeem(&used)).await.unwrap());
    opened.clock.advance(Duration::from_mins(50));
    // The code that nobody has redeemed, and its grant.
    assert_eq!(records.forget(opened.clock.now(), 100).await.unwrap(), 2);
    for code in [&unused, &used] {
        let refused = ask(&server, "authorization_code", &redeem(code)).await;
        assert!(matches!(refused, Err(TokenError::InvalidGrant(_))), "{refused:?}");
    }
    let refreshed = ask(&server, "refresh_token", &[("refresh_token", &first)]).await;
    assert!(matches!(refreshed, Err(TokenError::InvalidGrant(_))), "{refreshed:?}");
}

/// The configuration lets no such client have redirect URIs; one that was kept by an older gateway may have them.
#[tokio::test]
async fn who_may_not_use_codes_gets_none() {
    let opened = Opened::new("memory:");
    let server = start_with(opened.store.records(), &opened.clock, &[GrantType::DeviceCode]).await;
    let refused = server.judge_authorization(&asked()).await;
    assert!(
        matches!(&refused, Err(AuthorizationError::Told { error: "unauthorized_client", way_back, .. }) if way_back.redirect_uri() == APP_URI),
        "{refused:?}"
    );
}
