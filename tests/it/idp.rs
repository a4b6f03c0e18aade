//! An issuer in another process's place: it publishes the keys that a test wants, and a gateway trusts it.

use serde_json::{Value, json};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::gateway::{Gateway, NOON};
use crate::patience::patiently;
use crate::verify::fake_provider::{Changing, jwks};
use crate::verify::keys::Signer;

/// What an RSA key that does not say more can be used with.
pub(crate) const RSA_ALGORITHMS: [&str; 6] = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"];

/// An issuer. Its keys are at its own address.
pub(crate) struct Idp {
    server: MockServer,
    answer: Changing,
}

impl Idp {
    pub(crate) async fn publishing(signers: &[&Signer]) -> Self {
        let idp = Self { server: MockServer::start().await, answer: Changing::from(jwks(signers)) };
        Mock::given(any()).respond_with(idp.answer.clone()).mount(&idp.server).await;
        idp
    }

    /// Publishes these from here on.
    pub(crate) fn publish(&self, signers: &[&Signer]) {
        self.answer.to(jwks(signers));
    }

    /// Answers with this status from here on.
    pub(crate) fn fail(&self, status: u16) {
        self.answer.to(ResponseTemplate::new(status));
    }

    /// The `iss` of its tokens.
    pub(crate) fn issuer(&self) -> String {
        self.server.uri()
    }

    /// The tables of a gateway that trusts it and itself, with these lines in the issuer's own.
    pub(crate) fn toml(&self, lines: &str) -> String {
        let issuer = self.issuer();
        format!(
            "[verifiers.self]\nkind = \"self\"\n[verifiers.idp]\nkind = \"oidc\"\nissuer = \"{issuer}\"\n\
             jwks_uri = \"{issuer}/keys\"\naudience = [\"anteroom\"]\n{lines}\n"
        )
    }

    /// A good token, signed with that key.
    pub(crate) fn token(&self, signer: &Signer) -> String {
        let header = json!({ "alg": signer.algorithm, "typ": "JWT", "kid": signer.kid });
        let expiry = NOON.seconds() + 86_400;
        signer.sign(&header, &json!({ "iss": self.issuer(), "sub": "ada", "aud": "anteroom", "exp": expiry }))
    }
}

/// The detailed readiness, as soon as the key set of the verifier `idp` is as the test says.
pub(crate) async fn readiness_when(gateway: &Gateway, is_so: impl Fn(&Value) -> bool) -> Value {
    let waiting = async {
        loop {
            let readiness = gateway.operate("/readyz").await.json();
            if is_so(&readiness["issuers"][0]["keys"]) {
                return readiness;
            }
        }
    };
    patiently(waiting).await
}
