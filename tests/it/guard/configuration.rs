//! Mistakes in `[guards.NAME]`: each is told with its key, and none opens a service.

use crate::gateway::Gateway;

#[test]
fn a_mistake_is_told_with_its_key_and_nothing_starts() {
    let list = "is empty, or a name in it is";
    for (table, key, problem) in [
        ("[guards.a]", "guards.a", "asks for nothing, and does not say that this is meant"),
        ("[guards.a]\naudience = [\"x\"]", "guards.a", "asks for nothing, and does not say that this is meant"),
        ("[guards.a]\nverifiers = [\"self\"]", "guards.a", "asks for nothing, and does not say that this is meant"),
        ("[guards.a]\npublic = true\nscopes = [\"x\"]", "guards.a.public", "is set beside other keys"),
        ("[guards.a]\npublic = true\nauthenticated = true", "guards.a.public", "is set beside other keys"),
        ("[guards.a]\npublic = true\nverifiers = [\"self\"]", "guards.a.public", "is set beside other keys"),
        ("[guards.a]\npublic = true\nheaders = { subject = \"X-S\" }", "guards.a.public", "is set beside other keys"),
        (
            "[guards.a]\nauthenticated = true\nverifiers = [\"slef\"]",
            "guards.a.verifiers",
            "names \"slef\", and there is no such verifier",
        ),
        (
            "[guards.a]\nauthenticated = true\nverifiers = []",
            "guards.a.verifiers",
            "is empty, so that no token would be good",
        ),
        ("[guards.a]\nscopes = []", "guards.a.scopes", list),
        ("[guards.a]\nscopes_any = [\"\"]", "guards.a.scopes_any", list),
        ("[guards.a]\nscopes = [\"a b\"]", "guards.a.scopes", "a name in it is not a scope"),
        ("[guards.a]\nscopes_any = [\"a\\\"b\"]", "guards.a.scopes_any", "a name in it is not a scope"),
        ("[guards.a]\npermissions = []", "guards.a.permissions", list),
        ("[guards.a]\npermissions_any = [\"p\", \"\"]", "guards.a.permissions_any", list),
        ("[guards.a]\nauthenticated = true\naudience = []", "guards.a.audience", list),
        ("[guards.a]\nauthenticated = true\naudience_all = [\"\"]", "guards.a.audience_all", list),
        ("[guards.a]\nclaims = []", "guards.a.claims", "is empty"),
        ("[guards.\"a/b\"]\nauthenticated = true", "guards.a/b", "can not stand in a path"),
        ("[guards.\"\"]\nauthenticated = true", "guards.", "can not stand in a path"),
    ] {
        let mistakes = Gateway::refusal(table);
        let told: Vec<_> = mistakes.iter().map(|mistake| (mistake.key.as_str(), mistake.problem.as_str())).collect();
        assert_eq!(told, [(key, problem)], "{table}");
    }
}

#[test]
fn a_header_that_proxies_or_services_could_mistake_tells_no_identity() {
    let plain = |name: &str| format!("\"{name}\" can not be the name of an identity header");
    let taken = |name: &str| format!("\"{name}\" means something else to the gateway or to proxies");
    for (name, problem) in [
        ("X_User", plain("X_User")),
        ("X.User", plain("X.User")),
        ("X User", plain("X User")),
        ("", plain("")),
        ("Authorization", plain("Authorization")),
        ("Set-Cookie", plain("Set-Cookie")),
        ("X-Accel-Redirect", taken("X-Accel-Redirect")),
        ("X-Forwarded-For", taken("X-Forwarded-For")),
        ("X-Trace-Id", taken("X-Trace-Id")),
        ("X-Request-Id", taken("X-Request-Id")),
        ("x-anteroom-email", "\"X-Anteroom-Email\" is the name of another one".into()),
    ] {
        let toml = format!("[guards.a]\nauthenticated = true\nheaders = {{ subject = {name:?} }}");
        let mistakes = Gateway::refusal(&toml);
        let key = if problem.ends_with("another one") { "guards.a.headers.email" } else { "guards.a.headers.subject" };
        let told: Vec<_> = mistakes.iter().map(|mistake| (mistake.key.as_str(), &mistake.problem)).collect();
        assert_eq!(told, [(key, &problem)], "{name}");
    }
}

#[test]
fn every_guard_and_the_verifiers_that_they_name_are_judged_at_once() {
    let mut told: Vec<_> = Gateway::refusal(
        "[verify]\nchain = [\"self\"]\n[verifiers.self]\nkind = \"self\"\n[verifiers.idp]\nkind = \"oidc\"\n\
         [guards.a]\nverifiers = [\"idp\"]\nauthenticated = true\n[guards.b]\n",
    )
    .into_iter()
    .map(|mistake| mistake.key)
    .collect();
    told.sort();
    assert_eq!(told, ["guards.b", "verifiers.idp.audience", "verifiers.idp.issuer"]);
}
