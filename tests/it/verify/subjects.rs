//! One subject per kind of verifier: a chain that has it, and a signer whose tokens it accepts.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anteroom::app::SystemEntropy;
use anteroom::core::clock::{SetClock, Timestamp};
use anteroom::core::error::Misconfiguration;
use anteroom::core::period::Period;
use anteroom::core::type_scopes::TypeScopes;
use anteroom::core::verdict::Verdict;
use anteroom::net::NetSettings;
use anteroom::telemetry::metrics::Metrics;
use anteroom::verify::{Chain, OwnIssuer, Setup, Trust, Waiting};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use secrecy::SecretString;
use serde_json::{Value, json};
use tempfile::TempDir;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use super::keys::{EC, ED, OTHER_RSA, RSA, SECRET, Signer, hmac};

/// 2026-11-22T06:00:00Z, in seconds.
pub(crate) const NOW: i64 = 1_795_327_200;
pub(crate) const OWN: &str = "http://localhost:8080";
/// A secret that [`ISSUER`] shares with us.
pub(crate) const SHARED: &str = "Vq7tD2nXw9KcR4bYz6LmH8sJf3PgA5eU";
pub(crate) const ISSUER: &str = "https://issuer.example/tenant";
pub(crate) const OTHER_ISSUER: &str = "https://other.example/";

pub(crate) fn now() -> Timestamp {
    Timestamp::from_seconds(NOW)
}

/// A verifier under test. Its chain has a second issuer, whose only key is [`OTHER_RSA`], and a third one that is asked about opaque tokens
/// and knows none of them.
pub(crate) struct Subject {
    pub(crate) name: &'static str,
    pub(crate) issuer: &'static str,
    pub(crate) chain: Chain,
    pub(crate) signer: Signer,
    /// Whether it looks keys up by their `kid`.
    pub(crate) looks_keys_up: bool,
    /// Whether it asks the issuer whether a signature is good.
    pub(crate) asks: bool,
    opaque: MockServer,
    _files: TempDir,
    _server: Option<MockServer>,
}

/// The `verifiers` of a configuration in TOML.
pub(crate) fn tables(toml: &str) -> BTreeMap<String, config::Value> {
    let source = config::File::from_str(toml, config::FileFormat::Toml);
    let whole = config::Config::builder().add_source(source).build().unwrap();
    whole.get_table("verifiers").unwrap().into_iter().collect()
}

/// Our own issuer, with these secrets.
pub(crate) fn own_issuer(secrets: &[&str]) -> OwnIssuer {
    let secrets = secrets.iter().map(|secret| SecretString::from((*secret).to_owned())).collect();
    OwnIssuer {
        url: OWN.into(),
        audience: vec!["anteroom".into(), "api-prototype".into()],
        secrets: Some(secrets),
        tokens: Arc::default(),
    }
}

pub(crate) fn setup<'a>(base: &'a Path, clock: &SetClock, own: Option<OwnIssuer>) -> Setup<'a> {
    let settings = NetSettings { timeout: Period::seconds(60), ..NetSettings::default() };
    Setup {
        base,
        net: settings.open(base).unwrap(),
        clock: Arc::new(clock.clone()),
        entropy: Arc::new(SystemEntropy),
        metrics: Arc::new(Metrics::new()),
        waiting: Waiting::within(1024),
        type_scopes: TypeScopes::default(),
        own,
    }
}

/// A chain of these verifiers, in the order of their names.
pub(crate) fn chain(toml: &str, base: &Path, clock: &SetClock) -> Result<Chain, Vec<Misconfiguration>> {
    let tables = tables(toml);
    let names: Vec<_> = tables.keys().cloned().collect();
    Chain::build(
        &names,
        &[],
        &tables,
        &setup(base, clock, Some(own_issuer(&[SECRET, "another secret, good for a rotation"]))),
    )
}

/// The verdict on these credentials, at the door that trusts so.
pub(crate) async fn verify(chain: &Chain, bearer: &str, trust: &Trust, now: Timestamp) -> Verdict {
    chain.verify(bearer.as_bytes(), trust, now).await
}

/// Every kind under test.
pub(crate) async fn all() -> Vec<Subject> {
    let rsa = || RSA.clone();
    vec![
        Subject::own().await,
        Subject::hs256().await,
        Subject::asking().await,
        Subject::by_file("oidc, PEM file", rsa(), &RSA.public_pem(), false).await,
        Subject::by_file("oidc, JWK Set file", rsa(), &json!({ "keys": [RSA.jwk()] }).to_string(), true).await,
        Subject::served("oidc, served RS256", rsa()).await,
        Subject::served("oidc, served PS256", RSA.with(Algorithm::PS256)).await,
        Subject::served("oidc, served ES256", EC.clone()).await,
        Subject::served("oidc, served EdDSA", ED.clone()).await,
    ]
}

impl Subject {
    async fn own() -> Self {
        Self::new("self", OWN, "[verifiers.self]\nkind = \"self\"\n", hmac(SECRET.as_bytes()), None).await
    }

    async fn hs256() -> Self {
        let toml = table("hs256", "secrets = [\"file:keys\"]");
        Self::new("hs256", ISSUER, &toml, hmac(SHARED.as_bytes()), Some(SHARED)).await
    }

    /// Its issuer alone knows the secret, and is asked about each token.
    async fn asking() -> Self {
        let (server, signer) = (MockServer::start().await, hmac(b"what only the provider knows, and we do not"));
        Mock::given(any()).respond_with(introspection(signer.clone())).mount(&server).await;
        let asking = format!(
            "endpoint = \"{}\"\ntokens = \"jwt\"\nclient_id = \"gateway\"\nclient_secret = \"file:keys\"\nrate = 100000",
            server.uri()
        );
        let subject =
            Self::new("introspection, JWTs", ISSUER, &table("introspection", &asking), signer, Some("secret")).await;
        Self { asks: true, _server: Some(server), ..subject }
    }

    async fn by_file(name: &'static str, signer: Signer, keys: &str, looks_keys_up: bool) -> Self {
        let subject =
            Self::new(name, ISSUER, &oidc("keys = \"file:keys\"", signer.algorithm), signer, Some(keys)).await;
        Self { looks_keys_up, ..subject }
    }

    async fn served(name: &'static str, signer: Signer) -> Self {
        let server = MockServer::start().await;
        let keys = ResponseTemplate::new(200).set_body_json(json!({ "keys": [OTHER_RSA.jwk(), signer.jwk()] }));
        Mock::given(any()).respond_with(keys).mount(&server).await;
        let toml = oidc(&format!("jwks_uri = \"{}/keys\"", server.uri()), signer.algorithm);
        Self { looks_keys_up: true, _server: Some(server), ..Self::new(name, ISSUER, &toml, signer, None).await }
    }

    async fn new(name: &'static str, issuer: &'static str, toml: &str, signer: Signer, keys: Option<&str>) -> Self {
        let files = tempfile::tempdir().unwrap();
        std::fs::write(files.path().join("other.pem"), OTHER_RSA.public_pem()).unwrap();
        std::fs::write(files.path().join("keys"), keys.unwrap_or_default()).unwrap();
        let other = format!(
            "[verifiers.other]\nkind = \"oidc\"\nissuer = \"{OTHER_ISSUER}\"\naudience = [\"anteroom\"]\n\
             algorithms = [\"RS256\", \"PS256\", \"ES256\", \"EdDSA\"]\nkeys = \"file:other.pem\"\n"
        );
        let opaque = MockServer::start().await;
        let inactive = ResponseTemplate::new(200).set_body_json(json!({ "active": false }));
        Mock::given(any()).respond_with(inactive).mount(&opaque).await;
        let asked = format!(
            "[verifiers.opaque]\nkind = \"introspection\"\nissuer = \"https://opaque.example/\"\naudience = [\"anteroom\"]\n\
             endpoint = \"{}\"\nclient_id = \"gateway\"\nclient_secret = \"file:other.pem\"\nrate = 100000\n",
            opaque.uri()
        );
        let chain = chain(&format!("{toml}{other}{asked}"), files.path(), &SetClock::at(now())).unwrap();
        let (looks_keys_up, asks) = (false, false);
        Self { name, issuer, chain, signer, looks_keys_up, asks, opaque, _files: files, _server: None }
    }

    /// Whether its tokens are signed with a secret.
    pub(crate) fn has_secret(&self) -> bool {
        self.signer.algorithm == Algorithm::HS256
    }

    pub(crate) fn is_own(&self) -> bool {
        self.issuer == OWN
    }

    /// The reason for which a token is refused that a verifier with keys refuses for this one: whether a signature is good, and by
    /// which key, is for the issuer to say where it is asked.
    pub(crate) fn refuses(&self, token: &str, reason: &'static str) -> &'static str {
        let is_about_keys = ["algorithm_not_allowed", "key_unknown", "signature_invalid"].contains(&reason);
        let claims = token.split('.').nth(1).and_then(|claims| URL_SAFE_NO_PAD.decode(claims).ok()).unwrap_or_default();
        let names_it = serde_json::from_slice::<Value>(&claims).is_ok_and(|claims| claims["iss"] == self.issuer);
        if self.asks && is_about_keys && names_it { "token_inactive" } else { reason }
    }

    /// The header of a good token.
    pub(crate) fn header(&self) -> Value {
        let typ = if self.is_own() { "at+jwt" } else { "JWT" };
        json!({ "alg": self.signer.algorithm, "typ": typ, "kid": self.signer.kid })
    }

    /// The claims of a good token.
    pub(crate) fn claims(&self) -> Value {
        claims(self.issuer)
    }

    /// A good token.
    pub(crate) fn token(&self) -> String {
        self.signer.sign(&self.header(), &self.claims())
    }

    /// A token, well signed, with something else in its header.
    pub(crate) fn with_header(&self, change: impl FnOnce(&mut Value)) -> String {
        let mut header = self.header();
        change(&mut header);
        self.signer.sign(&header, &self.claims())
    }

    /// A token, well signed, with something else in its claims.
    pub(crate) fn with_claims(&self, change: impl FnOnce(&mut Value)) -> String {
        let mut claims = self.claims();
        change(&mut claims);
        self.signer.sign(&self.header(), &claims)
    }

    /// How many tokens the issuer was asked about to which opaque ones are sent.
    pub(crate) async fn opaque_calls(&self) -> usize {
        self.opaque.received_requests().await.unwrap().len()
    }

    /// The verdict in one word.
    pub(crate) async fn judge(&self, token: &str, now: Timestamp) -> &'static str {
        word(&verify(&self.chain, token, self.chain.api(), now).await)
    }
}

/// What an issuer says of JWTs: of those that it signed, what they say themselves.
fn introspection(signer: Signer) -> impl Fn(&Request) -> ResponseTemplate {
    let read = |segment: &str| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(segment).unwrap()).unwrap();
    move |request| {
        let form: BTreeMap<String, String> = form_urlencoded::parse(&request.body).into_owned().collect();
        let token = &form["token"];
        let [header, claims, _] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
        let is_signed = signer.sign_input(&format!("{header}.{claims}")) == *token && read(header)["alg"] == "HS256";
        let mut answer = if is_signed { read(claims) } else { json!({}) };
        answer["active"] = is_signed.into();
        ResponseTemplate::new(200).set_body_json(answer)
    }
}

/// The claims of a good token of this issuer.
pub(crate) fn claims(issuer: &str) -> Value {
    json!({
        "iss": issuer, "sub": "acme", "aud": "anteroom", "iat": NOW - 10, "exp": NOW + 3600,
        "client_id": "acme-client", "scope": "requests:read unheard-of",
    })
}

/// The code of the reason, or `accepted`, or `unavailable`.
pub(crate) fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Accepted(_) => "accepted",
        Verdict::Rejected(refusal) => refusal.reason.code(),
        Verdict::Unavailable { .. } => "unavailable",
    }
}

fn oidc(keys: &str, algorithm: Algorithm) -> String {
    table("oidc", &format!("algorithms = [\"{algorithm:?}\"]\n{keys}"))
}

/// The table of a verifier for [`ISSUER`], with these lines.
fn table(kind: &str, lines: &str) -> String {
    format!(
        "[verifiers.idp]\nkind = \"{kind}\"\nissuer = \"{ISSUER}\"\naudience = [\"anteroom\", \"api\"]\n{lines}\n\
         scopes = {{ \"requests:read\" = \"requests:read\", \"write:requests\" = \"requests:write\" }}\n"
    )
}
