//! What the authorization server keeps is kept for as long as it is of use, and nobody makes it grow without end or takes another's room.

use std::sync::Arc;
use std::time::Duration;

use anteroom::core::clock::{Clock, SetClock, Timestamp};
use anteroom::core::own_tokens::{Extent, OwnTokens, Revoked};
use anteroom::core::period::Period;
use anteroom::core::ports::records::{RecordChange, RecordKind, Records};
use anteroom::oauth::accounts::LoginError;
use anteroom::oauth::authorize::AuthorizationError;
use anteroom::oauth::clients::{Client, default_scopes};
use anteroom::oauth::device::DeviceRequest;
use anteroom::oauth::device::confirmation::UserCodeError;
use anteroom::oauth::given_back::GivenBack;
use anteroom::oauth::grant_type::GrantType;
use anteroom::oauth::issuer::IssuerSettings;
use anteroom::oauth::token::Credentials;
use anteroom::oauth::{AuthorizationServer, Issued, TokenError};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::alone::{ask, grant, person, refresh_token, start_as};
use super::flow::{APP_URI, VERIFIER};
use crate::stores::{Opened, START};

const HOUR: u64 = 3600;

/// One whose tokens live for so many hours.
async fn issuing(records: &Arc<dyn Records>, clock: &SetClock, hours: u64) -> (AuthorizationServer, Arc<OwnTokens>) {
    let settings = IssuerSettings { lifetime: Period::seconds(hours * HOUR), ..IssuerSettings::default() };
    let grants = [GrantType::AuthorizationCode, GrantType::RefreshToken, GrantType::DeviceCode];
    start_as(Arc::clone(records), clock, &grants, &settings).await
}

fn is_revoked(known: &OwnTokens, issued: &Issued) -> bool {
    let payload = URL_SAFE_NO_PAD.decode(issued.access_token.split('.').nth(1).unwrap()).unwrap();
    let claims: Map<String, Value> = serde_json::from_slice(&payload).unwrap();
    let issued_at = Timestamp::from_seconds(claims["iat"].as_i64().unwrap());
    known.is_revoked(claims["sub"].as_str().unwrap(), Some(issued_at), &claims)
}

/// Whoever runs the gateway may have shortened the life of tokens since; those that were issued before live as long as they were to.
#[tokio::test]
async fn what_is_taken_back_stays_so_for_as_long_as_its_tokens_were_to_live() {
    for is_refreshed in [false, true] {
        let opened = Opened::new("memory:");
        let (records, clock) = (opened.store.records(), &opened.clock);
        let (server, _) = issuing(&records, clock, 24).await;
        let code = grant(&server, &person("ada")).await.unwrap();
        let redeem = [("code", code.as_str()), ("redirect_uri", APP_URI), ("code_verifier", VERIFIER)];
        let first = ask(&server, "authorization_code", &redeem).await.unwrap();
        clock.advance(Duration::from_secs(HOUR));
        let first_refresh = refresh_token(&first);
        let refresh = [("refresh_token", first_refresh.as_str())];
        let last = if is_refreshed { ask(&server, "refresh_token", &refresh).await.unwrap() } else { first };

        let (server, known) = issuing(&records, clock, 1).await;
        let twice = ask(&server, "authorization_code", &redeem).await;
        assert!(matches!(twice, Err(TokenError::InvalidGrant(_))), "{twice:?}");
        let lives = if is_refreshed { 24 * HOUR } else { 23 * HOUR };
        for passes in [0, 2 * HOUR, lives - 2 * HOUR - 1] {
            clock.advance(Duration::from_secs(passes));
            records.forget(clock.now(), 100).await.unwrap();
            server.prepare().await.unwrap();
            let (_, elsewhere) = issuing(&records, clock, 1).await;
            assert_eq!([is_revoked(&known, &last), is_revoked(&elsewhere, &last)], [true, true], "{passes} s later");
        }
        clock.advance(Duration::from_secs(62));
        server.prepare().await.unwrap();
        assert!(known.revocations().is_empty(), "nothing of it is left");
    }
}

/// Many tokens of a subject, one after another.
async fn give_back(server: &AuthorizationServer, client: &Client, subject: &str, numbers: std::ops::Range<usize>) {
    for number in numbers {
        let (id, expires_at) = (format!("{subject}-{number}"), START.plus(Duration::from_secs(HOUR)));
        let token = GivenBack { id: &id, subject, grant_id: None, expires_at };
        server.revoke_token(client, &token).await.unwrap();
    }
}

#[tokio::test]
async fn who_gives_back_very_many_tokens_gives_back_all_and_takes_nobodys_room() {
    let opened = Opened::new("memory:");
    let (server, known) = issuing(&opened.store.records(), &opened.clock, 1).await;
    let app = Client::public("app", "App", vec![APP_URI.into()], default_scopes());
    let now = opened.clock.now();
    give_back(&server, &app, "greedy", 0..1000).await;
    assert_eq!((known.revocations().len(), known.revocations().get(&Revoked::Subject("greedy".into()))), (1000, None));
    give_back(&server, &app, "greedy", 1000..1002).await;
    let all = Extent { issued_by: now, until: now.plus(Duration::from_hours(366 * 24)) };
    assert_eq!(known.revocations().len(), 1001, "one in place of many");
    assert_eq!(known.revocations().get(&Revoked::Subject("greedy".into())), Some(&all));
    let id = "of a grant";
    let token = GivenBack { id, subject: "greedy", grant_id: Some(id), expires_at: now.plus(Duration::from_hours(1)) };
    server.revoke_token(&app, &token).await.unwrap();
    assert!(known.revocations().contains_key(&Revoked::Grant(id.into())), "no more than came of it");
    give_back(&server, &app, "modest", 0..1).await;
    let single = |subject: &str, number: usize| Revoked::Token(format!("{subject}-{number}"));
    assert!(known.revocations().contains_key(&single("modest", 0)));
    // Many together refuse nobody either.
    for other in 0..50 {
        give_back(&server, &app, &format!("other-{other}"), 0..1000).await;
    }
    give_back(&server, &app, "modest", 1..2).await;
    assert!(known.revocations().contains_key(&Revoked::Subject("modest".into())));
    assert!(known.revocations().len() <= 50_100, "{}", known.revocations().len());
    // When they have expired there is room again.
    opened.clock.advance(Duration::from_secs(2 * HOUR));
    server.prepare().await.unwrap();
    let expires_at = opened.clock.now().plus(Duration::from_hours(1));
    let token = GivenBack { id: "again", subject: "greedy", grant_id: None, expires_at };
    server.revoke_token(&app, &token).await.unwrap();
    assert!(known.revocations().contains_key(&Revoked::Token("again".into())));
}

#[tokio::test]
async fn all_that_has_expired_is_removed_however_much_it_is() {
    let opened = Opened::new("memory:");
    let (records, clock) = (opened.store.records(), &opened.clock);
    let expired = |number: usize| RecordChange {
        kind: RecordKind::Code,
        key: format!("code-{number}"),
        expected: None,
        body: Some(("{}".into(), Some(START))),
    };
    assert!(records.commit((0..12_001).map(expired).collect()).await.unwrap());
    clock.advance(Duration::from_secs(1));
    let (server, _) = issuing(&records, clock, 1).await;
    let kept = async || records.list(RecordKind::Code, None, 20_000).await.unwrap().len();
    let test = async {
        // Its minute comes once.
        while kept().await == 12_001 {
            clock.advance(Duration::from_secs(5));
            tokio::task::yield_now().await;
        }
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        kept().await
    };
    tokio::select! {
        never = server.keep() => match never {},
        left = test => assert_eq!(left, 0),
    }
}

/// Codes, grants and sessions lie in the store for a while: nobody makes them by the thousand.
#[tokio::test]
async fn a_person_lets_clients_in_and_logs_in_only_so_often() {
    let opened = Opened::new("memory:");
    let (server, _) = issuing(&opened.store.records(), &opened.clock, 1).await;
    let [ada, bob] = ["ada", "bob"].map(person);
    for _ in 0..60 {
        grant(&server, &ada).await.unwrap();
        server.begin_session(&ada, None).await.unwrap();
    }
    let refused = grant(&server, &ada).await.unwrap_err();
    assert!(matches!(refused, AuthorizationError::Told { error: "temporarily_unavailable", .. }), "{refused:?}");
    let wait = Duration::from_secs(5);
    let refused = server.begin_session(&ada, None).await.unwrap_err();
    assert!(matches!(refused, LoginError::Throttled { retry_after } if retry_after == wait), "{refused:?}");
    let request = DeviceRequest { credentials: Credentials::Id("app".into()), ..DeviceRequest::default() };
    let device = server.begin_device(&request).await.unwrap();
    let refused = server.decide_device(&device.user_code.to_string(), None, &ada, true).await.unwrap_err();
    assert!(matches!(refused, UserCodeError::Throttled { retry_after } if retry_after == wait), "{refused:?}");
    grant(&server, &bob).await.unwrap();
    server.begin_session(&bob, None).await.unwrap();
    opened.clock.advance(wait);
    server.decide_device(&device.user_code.to_string(), None, &ada, true).await.unwrap();
    assert!(grant(&server, &ada).await.is_err());
    server.begin_session(&ada, None).await.unwrap();
    opened.clock.advance(wait);
    grant(&server, &ada).await.unwrap();
}

/// Gateways on one store may be of two versions while they are changed one after another.
#[tokio::test]
async fn a_client_that_a_later_gateway_has_kept_is_read() {
    let opened = Opened::new("memory:");
    let records = opened.store.records();
    let settings = json!({
        "name": "The App", "public": true, "grants": ["authorization_code"], "redirect_uris": ["https://a.example/"],
        "consent": "ask", "scopes": ["requests:read"], "lifetime": "5m", "later": true,
    });
    let body = json!({ "settings": settings, "secrets": [], "made_at": START, "later": 1 }).to_string();
    let key = "later".to_owned();
    let change = RecordChange { kind: RecordKind::Client, key, expected: None, body: Some((body, None)) };
    assert!(records.commit(vec![change]).await.unwrap());
    let (server, _) = issuing(&records, &opened.clock, 1).await;
    let client = server.show_client("later").await.unwrap().client;
    assert_eq!((&*client.name, client.is_public, client.lifetime), ("The App", true, Some(Duration::from_mins(5))));
    assert_eq!(client.redirect_uris, ["https://a.example/"]);
}
