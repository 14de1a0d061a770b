//! Keys that people know from other tools and finale has not, with what to do instead.

const BESIDE: &str = "tasks that say nothing of each other run side by side; `map` runs a task for each value";
const MATRIX: &str = "say it at the tasks that run for each combination: `map: {matrix: ...}`";
const NO_SCHEDULE: &str = "no workflow is started by the clock; let cron or your application start it, or begin with a node like `{until: input.begin_at}`";
const BY_INPUTS: &str = "name what a run is given under `inputs`, and hand it over by `finale run --input`";
const UNDER_NODES: &str = "write it under `nodes`, with an id of its own";
const WHEN_IT_FAILS: &str = "name the node that handles the failure, `on_failure: NODE`, at the task that may fail; or say \
                             `trigger_rule: one_failed`, or `all_done`, at what is to run, with `on_failure: wait_all` \
                             for the workflow; what runs at the end, whatever it is, stands under `finally`, beside `tasks`";
const AT_THE_END: &str = "what runs at the end, whatever it is, stands under `finally`, beside `tasks`";
const NOTHING_BEFORE: &str =
    "it begins when it is needed: nothing comes before or after it, and its failure is recorded";
const PER_TASK: &str = "say it at each task; YAML can repeat it, with an anchor under a key that begins with `x-`";

/// Beside `tasks`.
pub(super) const OF_A_FILE: &[(&str, &str)] = &[
    ("schedule", NO_SCHEDULE),
    ("schedules", NO_SCHEDULE),
    ("cron", NO_SCHEDULE),
    ("interval", NO_SCHEDULE),
    ("on", BY_INPUTS),
    ("trigger", BY_INPUTS),
    ("triggers", BY_INPUTS),
    ("matrix", MATRIX),
    ("strategy", MATRIX),
    ("env", PER_TASK),
    ("environment", PER_TASK),
    ("retry", PER_TASK),
    ("retries", PER_TASK),
    ("timeout", PER_TASK),
    ("defaults", PER_TASK),
    ("default_args", PER_TASK),
];

/// In a task.
pub(super) const OF_A_TASK: &[(&str, &str)] = &[
    ("parallel", BESIDE),
    ("schedule", NO_SCHEDULE),
    ("cron", NO_SCHEDULE),
    ("join", UNDER_NODES),
    ("split", UNDER_NODES),
    ("verification", UNDER_NODES),
    ("assign", UNDER_NODES),
    ("delay", UNDER_NODES),
    ("signal", UNDER_NODES),
    ("on_success", "what has it in its `after` runs when this one is done"),
    ("finally", AT_THE_END),
    ("always", AT_THE_END),
];

/// In what undoes a task, or runs at the end.
pub(super) const OF_A_BODY: &[(&str, &str)] = &[
    ("after", NOTHING_BEFORE),
    ("needs", NOTHING_BEFORE),
    ("when", "write a `group` in which a task says `when`"),
    ("if", "write a `group` in which a task says `when`"),
    ("map", "write a `group` in which a task says `map`"),
    ("loop", "write a `group` in which a task says `loop`"),
    ("optional", NOTHING_BEFORE),
    ("on_failure", NOTHING_BEFORE),
    ("trigger_rule", NOTHING_BEFORE),
    ("compensate", "write a `group` in which a task says `compensate`"),
];

/// Functions by which other tools ask how the tasks before went.
const STATUS_FUNCTIONS: [&str; 5] = ["always", "failure", "success", "cancelled", "success_or_failure"];

/// A function in a condition that asks how the tasks before went, and what to do instead.
pub(super) fn status_function(condition: &str) -> Option<(&'static str, &'static str)> {
    let is_called = |name: &&str| {
        condition.match_indices(*name).any(|(at, _)| {
            let begins = !condition[..at].ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '.'));
            begins && condition[at + name.len()..].trim_start().starts_with('(')
        })
    };
    let name = STATUS_FUNCTIONS.into_iter().find(is_called)?;
    let instead = match name {
        "success" => "a task runs only if what comes before it was done: leave it out",
        "cancelled" | "always" => AT_THE_END,
        _ => WHEN_IT_FAILS,
    };
    Some((name, instead))
}

/// Words that stand behind `on_failure` elsewhere, and what to write at a task, where the node stands that handles it.
const ANSWERS_TO_A_FAILURE: [(&str, &str); 11] = [
    ("continue", TOLERATED),
    ("ignore", TOLERATED),
    ("skip", TOLERATED),
    ("tolerate", TOLERATED),
    ("warn", TOLERATED),
    ("retry", "how often it is tried says `retry: 3`"),
    ("fail", OF_THE_WORKFLOW),
    ("stop", OF_THE_WORKFLOW),
    ("abort", OF_THE_WORKFLOW),
    ("fail_fast", OF_THE_WORKFLOW),
    ("wait_all", OF_THE_WORKFLOW),
];
const TOLERATED: &str = "a task whose failure stops nothing says `optional: true`; at a task `on_failure` names the node that \
                         handles its failure";
const OF_THE_WORKFLOW: &str = "what a failure does to the workflow, `fail_fast`, `wait_all` or `{tolerate: N}`, stands beside \
                               `tasks`; at a task `on_failure` names the node that handles its failure";

/// A word behind `on_failure` of a task that means no node, and what to write instead.
pub(super) fn answer_to_a_failure(word: &str) -> Option<(&'static str, &'static str)> {
    ANSWERS_TO_A_FAILURE.into_iter().find(|(known, _)| *known == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_of_other_tools_are_found_in_conditions() {
        let cases = [
            ("always()", Some("always")),
            ("input.x and failure ( )", Some("failure")),
            ("${{ !cancelled() }}", Some("cancelled")),
            ("input.always", None),
            ("nodes.a.success()", None),
            ("my_always()", None),
        ];
        for (condition, expected) in cases {
            assert_eq!(status_function(condition).map(|(function, _)| function), expected, "{condition}");
        }
    }

    #[test]
    fn what_is_absent_is_no_key() {
        let lists = [
            (OF_A_FILE, super::super::KEYS),
            (OF_A_TASK, super::super::task::KEYS),
            (OF_A_BODY, super::super::task::body::KEYS),
        ];
        for (absent, keys) in lists {
            for (key, _) in absent {
                assert!(!keys.accepted.contains(key), "{key}");
                assert!(keys.slips.iter().all(|(slip, _)| slip != key), "{key} is answered in two ways");
            }
        }
    }
}
