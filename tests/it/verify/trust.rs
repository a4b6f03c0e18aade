//! One token at several doors: what one door found out about it changes no answer of another.

use anteroom::core::clock::{SetClock, Timestamp};
use anteroom::core::policy::Audience;
use anteroom::verify::{Chain, Trust};
use serde_json::json;
use tempfile::TempDir;

use super::keys::{RSA, SECRET, hmac};
use super::subjects::{ISSUER, OWN, chain, claims, now, verify, word};

/// Two verifiers, and the doors: the API, one for another audience, and one for our own tokens only.
struct Doors {
    chain: Chain,
    trusts: [Trust; 3],
    _files: TempDir,
}

impl Doors {
    fn open() -> Self {
        let files = tempfile::tempdir().unwrap();
        std::fs::write(files.path().join("keys"), RSA.public_pem()).unwrap();
        let toml = format!(
            "[verifiers.self]\nkind = \"self\"\n[verifiers.idp]\nkind = \"oidc\"\nissuer = \"{ISSUER}\"\n\
             audience = [\"anteroom\"]\nkeys = \"file:keys\"\n"
        );
        let chain = chain(&toml, files.path(), &SetClock::at(now())).unwrap();
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let billing = Audience { any: names(&["billing"]), all: Vec::new() };
        let trusts = [
            chain.api().clone(),
            chain.trust(&names(&["self", "idp"]), Some(billing)),
            chain.trust(&names(&["self"]), None),
        ];
        Self { chain, trusts, _files: files }
    }

    async fn judge(&self, (token, door, at): (&str, usize, Timestamp)) -> &'static str {
        word(&verify(&self.chain, token, &self.trusts[door], at).await)
    }
}

#[tokio::test]
async fn a_remembered_token_is_judged_by_the_terms_of_each_door() {
    let meant_for = |issuer: &str, audience: &str| {
        let mut claims = claims(issuer);
        claims["aud"] = audience.into();
        claims
    };
    let idp = |audience| RSA.sign(&json!({ "alg": "RS256" }), &meant_for(ISSUER, audience));
    let own = hmac(SECRET.as_bytes()).sign(&json!({ "alg": "HS256", "typ": "at+jwt" }), &meant_for(OWN, "anteroom"));
    let tokens = [own, idp("anteroom"), idp("billing")];
    let expired = now().plus_millis(86_400_000);
    let uses = || {
        let times = [now(), expired];
        tokens.iter().flat_map(move |token| (0..3).flat_map(move |door| times.map(|at| (token.as_str(), door, at))))
    };

    let mut answers = Vec::new();
    for first in uses() {
        answers.push(Doors::open().judge(first).await);
        for second in uses() {
            let doors = Doors::open();
            doors.judge(first).await;
            assert_eq!(doors.judge(second).await, Doors::open().judge(second).await, "{first:?}, then {second:?}");
        }
    }
    let expected = [
        ["accepted", "audience_mismatch", "accepted"],
        ["accepted", "audience_mismatch", "issuer_unknown"],
        ["audience_mismatch", "accepted", "issuer_unknown"],
    ];
    let in_time: Vec<_> = answers.iter().copied().step_by(2).collect();
    assert_eq!(in_time, expected.concat());
    assert!(answers.iter().skip(1).step_by(2).all(|late| ["token_expired", "issuer_unknown"].contains(late)));
}
