//! What people write who know other tools, and what they are told.

use finale_formats::{Format, load};

fn problems(text: &str) -> Vec<String> {
    let error = load(text.as_bytes(), Format::Own, "f.yaml").expect_err("something is wrong with it");
    error.problems().iter().map(ToString::to_string).collect()
}

fn told(text: &str, parts: &[&str]) {
    let problems = problems(text);
    for part in parts {
        assert!(problems.iter().any(|problem| problem.contains(part)), "{text}: {part}: {problems:?}");
    }
}

#[test]
fn a_task_says_what_other_tools_say_in_other_words() {
    let cases: [(&str, &[&str]); 18] = [
        ("needs: b", &["did you mean `after`?"]),
        ("matrix: {os: [a, b]}", &["did you mean `map: {matrix: ...}`?"]),
        ("for-each: [a, b]", &["did you mean `map`?"]),
        ("while: input.x", &["did you mean `loop: {while: ..., rounds_max: ...}`?"]),
        ("loop: {until: a, while: b}", &["`rounds_max`", "one of them says when it ends"]),
        ("if: always()", &["did you mean `when`?", "there is no `always()` here: what runs at the end"]),
        ("when: failure() and input.x", &["there is no `failure()` here: name the node that handles the failure"]),
        ("when: ${{ success() }}", &["there is no `success()` here: a task runs only if"]),
        ("join: all", &["there is no `join` here: write it under `nodes`"]),
        ("schedule: 0 4 * * *", &["there is no `schedule` here: no workflow is started by the clock"]),
        ("on_failure: clean_up", &["there is no node `clean_up`"]),
        ("rescue: b", &["did you mean `on_failure`?"]),
        ("finally: b", &["there is no `finally` here: what runs at the end, whatever it is, stands under `finally`"]),
        ("trigger_rule: always", &["unknown trigger rule `always`", "`all_done`", "`{at_least: N}`"]),
        ("{optional: true, on_failure: b}", &["`optional`", "its failure is either tolerated or handled"]),
        (
            "retry: {attempts: 3, backoff: {kind: linear, initial: 1s, factor: 2}}",
            &["tasks.a.retry.backoff.factor", "only an exponential backoff has a factor"],
        ),
        ("timeout: 1m30", &["`1m30` is no duration: its last number has no unit; write `1m30s`"]),
        ("depends-on: [b]", &["did you mean `after`?"]),
    ];
    for (text, parts) in cases {
        told(&format!("id: w\ntasks:\n  b: {{}}\n  a:\n    {text}\n"), parts);
    }
}

#[test]
fn a_file_says_what_other_tools_say_in_other_words() {
    let cases: [(&str, &[&str]); 7] = [
        ("tasks:\n  - id: a\n", &["tasks: expected a map with each node under its id, like `build: {shell: make}`"]),
        ("nodes: [{id: a}]\n", &["nodes: expected a map with each node under its id"]),
        ("tasks: {}\nschedule: daily\n", &["there is no `schedule` here: no workflow is started by the clock"]),
        ("tasks: {}\non: {push: {}}\n", &["there is no `on` here: name what a run is given under `inputs`"]),
        ("tasks: {}\nenv: {A: 1}\n", &["there is no `env` here: say it at each task"]),
        (
            "tasks: {}\non_failure: tolerate\n",
            &[
                "unknown answer to a failure `tolerate`, did you mean `{tolerate: N}`?; accepted: `fail_fast`, `wait_all`, `{tolerate: N}`, `{tolerate: {percent: N}}`",
            ],
        ),
        ("tasks: {}\non_failure: {max_failures: 2}\n", &["did you mean `tolerate`?"]),
    ];
    for (text, parts) in cases {
        told(&format!("id: w\n{text}"), parts);
    }
}

#[test]
fn a_key_that_begins_with_x_is_a_place_for_anchors() {
    let text = "
id: w
x-retry: &retry {attempts: 3, backoff: 10s}
x-note: anything
tasks:
  a: {log: hi, retry: *retry}
";
    let plain = "id: w\ntasks:\n  a: {log: hi, retry: {attempts: 3, backoff: 10s}}\n";
    let definition = |text: &str| load(text.as_bytes(), Format::Auto, "f.yaml").unwrap().definition;
    assert_eq!(definition(text), definition(plain));
    told("id: w\ntasks: {a: {x-note: 1}}\n", &["unknown key `x-note`"]);
}

#[test]
fn what_other_tools_answer_to_a_failure_of_a_task_is_told_with_what_to_write() {
    let task = |word: &str| format!("id: w\ntasks: {{a: {{handler: x, on_failure: {word}}}}}\n");
    told(
        &task("continue"),
        &["there is no `on_failure: continue` here: a task whose failure stops nothing says `optional: true`"],
    );
    told(&task("retry"), &["there is no `on_failure: retry` here: how often it is tried says `retry: 3`"]);
    told(&task("wait_all"), &["`fail_fast`, `wait_all` or `{tolerate: N}`, stands beside `tasks`"]);
    told(&task("sometimes"), &["there is no node `sometimes`"]);
    // A node may have such a name.
    let named = "id: w\ntasks: {a: {handler: x, on_failure: abort}, abort: {handler: x}}\n";
    assert!(load(named.as_bytes(), Format::Auto, "f.yaml").is_ok());
}

#[test]
fn what_has_another_shape_is_told_by_an_example() {
    let cases: [(&str, &[&str]); 5] = [
        ("loop: 3", &["b.loop: expected a map like `{until: output.done, rounds_max: 10}`, found a number"]),
        ("loop: {rounds_max: 3}", &["the key `until` or `while` is missing"]),
        ("map: {max_concurrency: 3}", &["the key `items` or `matrix` is missing"]),
        ("map: {items: [1], tolerate: 10%}", &["a whole number, or a share like `{percent: 10}`"]),
        ("compensate: undo", &["expected a map that says what is done, like `{shell: ./clean_up}`, found text"]),
    ];
    for (text, parts) in cases {
        told(&format!("id: w\ntasks:\n  a: {{}}\n  b:\n    shell: x\n    {text}\n"), parts);
    }
    told("id: w\ntasks: {a: {log: '${{ input.x ? 1 : 2 }}'}}\n", &["write `A if CONDITION else B`"]);
    told("id: w\ntasks: {a: {}}\nfinally: clean_up\n", &["finally: expected a map that says what is done, like"]);
    told(
        "id: w\ntasks: {a: {}, b: {}}\nedges: [a -> b]\n",
        &["edges[0]: expected a map like `{from: build, to: test}`"],
    );
    told("id: w\non_failure: {tolerate: 10%}\ntasks: {a: {}}\n", &["or a share like `{percent: 10}`"]);
}

#[test]
fn one_mistake_is_told_once() {
    for text in [
        "id: w\nnodes: {a: {delay: 1s}}\ntasks: {a: {log: x}}\n",
        "id: w\ntasks: {a: {handler: h, input: input.x, with: {b: 1}}}\n",
        "id: w\ntasks: {a: {shell: y, input: input.x}}\n",
    ] {
        assert_eq!(problems(text).len(), 1, "{:?}", problems(text));
    }
    let itself = problems("id: w\nsiblings: maybe\ntasks: {a: {log: x, after: a}}\n");
    assert_eq!(itself.len(), 2, "{itself:?}");
    assert!(itself[1].contains("an edge leads from \"a\" to itself"), "{itself:?}");
}
