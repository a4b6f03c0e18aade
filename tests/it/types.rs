//! Request types that can not be: each mistake stops the start, and names its key.

use crate::gateway::{Gateway, client};

const STAGES: &str = "stages = [{ after = \"0s\", stage = \"a\", status = \"queued\" }, { after = \"1s\", stage = \"b\", status = \"succeeded\" }]";

/// The mistakes of a configuration with one type.
fn mistakes(name: &str, rest: &str) -> Vec<String> {
    let found = Gateway::refusal(&format!("[types.\"{name}\"]\n{STAGES}\n{rest}\n"));
    found.iter().map(|mistake| format!("{}: {}", mistake.key, mistake.problem)).collect()
}

#[test]
fn a_misspelt_placeholder_is_the_results_fault() {
    assert_eq!(
        mistakes("t", "result = { url = \"https://x/{request_idd}\" }"),
        ["types.t.result: the result names {request_idd}, and the only placeholder is {request_id}"]
    );
}

#[test]
fn a_name_that_no_contract_could_hold_is_refused() {
    assert_eq!(mistakes("a b", ""), ["types: \"a b\" is not a name for a type"]);
}

#[test]
fn the_partner_dialect_needs_a_result_that_fits_beside_its_own_members() {
    let problem =
        "types.t.result: the partner dialect puts its members beside request_id, status, submitted_at, finished_at";
    for result in ["{ status = \"DONE\" }", "\"done\""] {
        assert_eq!(mistakes("t", &format!("dialect = \"partner\"\nresult = {result}")), [problem]);
    }
}

/// The mistakes of a configuration with one type, all of it.
fn mistakes_of(table: &str) -> Vec<String> {
    let found = Gateway::refusal(&format!("[types.t]\n{table}\n"));
    found.iter().map(|mistake| format!("{}: {}", mistake.key, mistake.problem)).collect()
}

#[test]
fn each_processor_has_keys_of_its_own() {
    let not_for_timelines = ["attempts = 2", "lease = \"1m\"", "run_timeout = \"1m\"", "result_schema = {}"];
    for line in not_for_timelines {
        let key = line.split(' ').next().unwrap();
        assert_eq!(mistakes("t", line), [format!("types.t.{key}: it is only for types with processor = \"lease\"")]);
    }
    let foreign = format!("processor = \"lease\"\n{STAGES}\nresult = 1\ndialect = \"partner\"");
    let told = ["stages", "result", "dialect"]
        .map(|key| format!("types.t.{key}: it is only for types with processor = \"timeline\""));
    assert_eq!(mistakes_of(&foreign), told);
    assert_eq!(mistakes_of("description = \"x\""), ["types.t.stages: there are none"]);
}

#[test]
fn the_rules_for_workers_have_limits() {
    let table = "processor = \"lease\"\nattempts = 0\nlease = \"61m\"\nrun_timeout = \"500ms\"\n\
                 backoff = { first = \"2m\", most = \"1m\" }\nresult_schema = { type = \"objekt\" }";
    let told = mistakes_of(table);
    let (schema, others) = told.split_last().unwrap();
    assert_eq!(
        others,
        [
            "types.t.attempts: it is 0",
            "types.t.lease: it is too short or too long",
            "types.t.run_timeout: it is too short or too long",
            "types.t.backoff: its times do not fit together",
        ]
    );
    assert!(schema.starts_with("types.t.result_schema: "), "{schema}");
}

#[test]
fn a_scope_that_no_token_could_be_narrowed_to_is_refused() {
    for name in ["", "a b", "a\\\"b", "zürich", &"x".repeat(129)] {
        assert_eq!(
            mistakes("t", &format!("scope = \"{name}\"")),
            ["types.t.scope: is not the name of a scope"],
            "{name}"
        );
    }
    for name in ["requests:read", "admin", "openid", "offline_access"] {
        let problem = format!("types.t.scope: \"{name}\" has a meaning of its own");
        assert_eq!(mistakes("t", &format!("scope = \"{name}\"")), [problem]);
    }
    assert_eq!(mistakes("t", "scope_lifetime = \"5s\""), ["types.t.scope_lifetime: the type names no scope"]);
    let short = "scope = \"t\"\nscope_lifetime = \"999ms\"";
    assert_eq!(mistakes("t", short), ["types.t.scope_lifetime: 999ms is too short for a token"]);
    let long = "scope = \"t\"\nscope_lifetime = \"367 days\"";
    assert_eq!(mistakes("t", long), ["types.t.scope_lifetime: 8808h is longer than 366 days"]);
}

#[test]
fn a_client_has_no_scope_that_no_type_names() {
    let acme = client("acme", "an-example-of-a-secret", &["current_time"]);
    let found = Gateway::refusal(&format!("[types.t]\n{STAGES}\nscope = \"epoch_time\"\n{acme}"));
    let told: Vec<_> = found.iter().map(ToString::to_string).collect();
    let known = "requests:read, requests:write, requests:work, webhooks:manage, admin, epoch_time";
    assert_eq!(told, [format!("clients.acme.scopes: \"current_time\" is not a scope. Use {known}")]);
}
