//! What may not be left to chance: whose tokens a verifier decides about, and whose requests its owners are.

use std::path::Path;

use anteroom::core::clock::SetClock;
use anteroom::verify::{Chain, Mention};

use super::configuration::{files, mistakes, oidc, tell};
use super::subjects::{OWN, chain, now, setup, tables};

#[test]
fn what_guards_name_is_told_where_they_name_it() {
    let idp = |name: &str, issuer: &str| {
        format!("[verifiers.{name}]\nkind = \"oidc\"\nissuer = \"https://{issuer}\"\naudience = [\"a\"]\n")
    };
    let toml = [idp("a", "one.example"), idp("b", "one.example"), idp("c", "two.example"), idp("d", "two.example")];
    let mention = |guard: &str, name: &str| Mention { key: format!("guards.{guard}.verifiers"), name: name.into() };
    let build = |others: &[Mention]| {
        let setup = setup(Path::new("."), &SetClock::at(now()), None);
        tell(Chain::build(&["a".into()], others, &tables(&toml.concat()), &setup))
    };
    assert_eq!(build(&[mention("g", "a"), mention("g", "c"), mention("h", "c"), mention("h", "e")]), [""; 0]);
    let remedy = "have the same issuer. Keep one verifier for each issuer";
    assert_eq!(
        build(&[mention("g", "b"), mention("g", "c"), mention("g", "d")]),
        [
            format!("guards.g.verifiers: names \"b\", and verify.chain names \"a\", which {remedy}"),
            format!("guards.g.verifiers: names \"c\" and \"d\", which {remedy}"),
        ]
    );
    assert_eq!(
        build(&[mention("g", "c"), mention("h", "d")]),
        [format!("guards.h.verifiers: names \"d\", and guards.g.verifiers names \"c\", which {remedy}")]
    );
}

/// Metrics could not tell it from the lack of one.
#[test]
fn no_verifier_is_called_none() {
    let own = "[verifiers.none]\nkind = \"self\"\n";
    let told = tell(chain(own, Path::new("."), &SetClock::at(now())));
    assert_eq!(told, ["verifiers.none: is what metrics call the lack of a verifier. Give it another name"]);
}

/// A subject here and a client id there could be the same name, and so the same owner.
#[test]
fn two_verifiers_of_one_issuer_agree_on_the_owner() {
    let jwts = oidc("");
    let opaque = "[verifiers.asked]\nkind = \"introspection\"\nissuer = \"https://idp.example/\"\naudience = [\"anteroom\"]\n\
                  client_id = \"anteroom\"\nclient_secret = \"file:nonsense\"\n";
    let files = files();
    let build = |lines: &str| mistakes(&format!("{jwts}{opaque}{lines}"), files.path());
    assert_eq!(build(""), [""; 0]);
    assert_eq!(
        build("owner = \"client\""),
        [
            "verify.chain: names \"asked\" and \"idp\", which have the same issuer and differ in `owner`. Write the same in both"
        ]
    );
}

/// Of any kind: an owner of ours belongs to tokens of ours.
#[test]
fn our_own_issuer_is_nobody_elses() {
    let files = files();
    let own = format!("issuer = \"{OWN}\"\naudience = [\"anteroom\"]");
    for lines in [
        format!("kind = \"oidc\"\n{own}"),
        format!("kind = \"hs256\"\n{own}\nsecrets = [\"file:good\"]"),
        format!("kind = \"introspection\"\n{own}\nclient_id = \"anteroom\"\nclient_secret = \"file:good\""),
    ] {
        assert_eq!(
            mistakes(&format!("[verifiers.idp]\n{lines}\n"), files.path()),
            ["verifiers.idp.issuer: is our own, and whoever makes its tokens could speak in our name. \
              Name the other issuer, or write kind = \"self\""],
            "{lines}"
        );
    }
}
