//! Request types that can not be: each mistake stops the start, and names its key.

use crate::gateway::Gateway;

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
