//! What `anteroom explain` guesses at, where a token is refused before a verifier has looked at it.

use serde_json::json;

use super::{IDP, checks, claims, explain, folder, sign, told};
use crate::verify::keys::RSA;

#[test]
fn what_was_copied_along_with_a_token_is_named() {
    // The verifier that nobody trusts has nothing to do with a token that can not be read.
    let folder = folder(IDP);
    let token = sign(&RSA, &claims(&json!({ "iss": "https://spare.example/" })));
    let (cut, _) = token.split_at(token.len() - 1);
    let quotes = "it stands in quotes: paste the token alone; a client has to send it without them, too";
    for (input, hint) in [
        (format!("\"{token}\""), quotes),
        (format!("{token}\n{token}"), "there are spaces or line breaks in it: paste one token alone, in one piece"),
        (
            json!({ "access_token": token, "token_type": "Bearer" }).to_string(),
            "it is a JSON document: paste the token alone, the value of access_token, without its quotes",
        ),
        (cut.to_owned(), "it begins like a JWT: it may have been cut off"),
    ] {
        let output = explain(folder.path(), &[], &input);
        let text = String::from_utf8(output.stdout).unwrap();
        let end = format!(
            "\n  not reached  issuer\n  hint: {hint}\n\nREFUSED: token_malformed. The token is not well-formed.\n"
        );
        assert!(text.ends_with(&end) && output.status.code() == Some(1), "{hint}: {text}");
    }
}

/// A verifier that asks about tokens of [`IDP`]'s issuer: about these, and in front of a guard too.
fn asking(tokens: &str, chain: &str) -> tempfile::TempDir {
    folder(&format!(
        "[verify]\nchain = [{chain}]\n[verifiers.self]\nkind = \"self\"\n[verifiers.desk]\nkind = \"introspection\"\n\
         issuer = \"https://idp.example/\"\naudience = [\"anteroom\"]\nclient_id = \"anteroom\"\nclient_secret = \"file:idp.pem\"\n\
         tokens = \"{tokens}\"\n[guards.billing]\nauthenticated = true\nverifiers = [\"desk\"]\n"
    ))
}

#[test]
fn an_issuer_that_is_asked_about_other_tokens_is_named_as_the_cause() {
    let (jwt, opaque) = (sign(&RSA, &claims(&json!({}))), "opaque-token-of-some-kind");
    let only_opaque = "[verifiers.desk] is asked about opaque tokens only (tokens = \"opaque\")";
    let refused = format!(
        "  ok           form\n  FAILED       issuer: issuer_unknown\n                 expected an issuer that is trusted here, and \
         {only_opaque}\n                 got      \"https://idp.example/\"\n  hint: {only_opaque}; set tokens = \"jwt\" or \"all\" \
         there, or name a verifier that takes its JWTs\n  hint: no verifier of JWTs is trusted here\n\n\
         REFUSED: issuer_unknown. The token's issuer is not one that the gateway trusts.\n"
    );
    let (text, code) = told(asking("opaque", "\"desk\"").path(), &[], &jwt);
    assert_eq!((checks(&text), code), (refused.as_str(), 1));
    // Not in the chain, and that is nothing to the guard.
    let folder = asking("opaque", "\"self\"");
    let (text, _) = told(folder.path(), &["--guard", "billing"], &jwt);
    assert_eq!(checks(&text), format!("{refused}/guard/billing answers 401.\n"));
    let (text, _) = told(folder.path(), &[], &jwt);
    let elsewhere = "  hint: the issuers trusted here are \"http://localhost:8080\" (self)\n  \
                     hint: [verifiers.desk] is of this issuer, and verify.chain does not name it\n\nREFUSED: ";
    assert!(text.contains(&format!("got      \"https://idp.example/\"\n{elsewhere}")), "{text}");

    let only_jwts = "[verifiers.desk] is asked about JWTs only (tokens = \"jwt\")";
    let (text, _) = told(asking("jwt", "\"desk\"").path(), &[], opaque);
    let refused = format!(
        "  FAILED       form: token_malformed\n                 expected three segments with dots between them, for {only_jwts}\n\
         \x20                got      1\n  not reached  issuer\n  hint: it reads like an opaque token, and {only_jwts}; \
         set tokens = \"opaque\" or \"all\" there\n\nREFUSED: token_malformed. "
    );
    assert!(checks(&text).starts_with(&refused), "{text}");
}
