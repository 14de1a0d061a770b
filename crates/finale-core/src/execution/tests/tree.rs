//! Scopes inside scopes: how they are opened, named, judged, closed and given back.

use super::*;

/// `call` runs a graph with `before` and the map `each`, whose items are a task each; `after` comes behind it.
fn three_levels(policy: Policy) -> Compiled {
    let mut items = Definition::builder("items").task("before", "work").task("each", "work").after("before").build();
    items.policy = policy;
    let map = compiled(with_input(items, "each", "nodes.before.output"));
    let map = map.with_bodies(vec![Body { node: "each", kind: OpeningKind::Items, definition: one_task("parse") }]);
    let root = Definition::builder("root").task("call", "work").task("after", "work").after("call").build();
    compiled(root).with_bodies(vec![Body { node: "call", kind: OpeningKind::Single, definition: map }])
}

fn with_input(mut definition: Definition, id: &str, input: &str) -> Definition {
    for node in definition.nodes.iter_mut().filter(|node| node.id == id) {
        if let crate::definition::NodeKind::Task(task) = &mut node.kind {
            *task = Task { input: Some(input.to_owned()), ..std::mem::take(task) };
        }
    }
    definition
}

#[test]
fn work_in_scopes_is_named_by_paths_and_its_output_stays_with_the_node_that_opened_them() {
    let mut run = Run::activated(three_levels(Policy::default()), r#"{"order": 7}"#);
    assert_eq!(run.status_of("call"), NodeStatus::Waiting);
    let waits = run.execution.state_at(run.work("call").key).waiting_for();
    assert_eq!(waits, Some(WaitingFor::Scope));
    run.done("call::before", r#"[ "a", {"b": [1, 2]} ,3]"#);
    let given = |effect: &Effect| match effect {
        Effect::Run { input: Some(input), .. } => Some(format!("{input:?}")),
        _ => None,
    };
    let inputs: Vec<_> = run.effects.iter().filter_map(given).collect();
    assert_eq!(
        inputs,
        [r#""a""#, r#"{"b": [1, 2]}"#, "3"],
        "what is inside is given its item, or what the execution is"
    );
    let why = run.execution.why(&run.definition);
    let awaited: Vec<_> = why.awaited.iter().map(|awaited| awaited.node.as_str()).collect();
    assert_eq!(awaited, ["call::each[0]::parse", "call::each[1]::parse", "call::each[2]::parse"]);
    run.check();
    for (path, output) in [("call::each[1]::parse", "1"), ("call::each[0]::parse", "0"), ("call::each[2]::parse", "2")]
    {
        run.done(path, output);
    }
    assert_eq!(
        (run.execution.inner.len(), run.execution.nests.len()),
        (1, 2),
        "the items are given back, the call is kept, and how many items there were"
    );
    run.done("after", "null");
    run.check();
    let call = run.work("call").key;
    assert_eq!(run.execution.output_of(call).map(|output| format!("{output:?}")).as_deref(), Some("[0,1,2]"));
    assert_eq!(run.execution.status(), ExecutionStatus::Completed);
    let counts = run.execution.counts(&run.definition);
    assert_eq!((counts.tasks, counts.completed), (5, 5), "tasks are counted in all scopes");
    assert_eq!(run.output(), "null");
}

#[test]
fn a_scope_that_is_over_takes_nothing_more_and_its_number_is_never_used_again() {
    let mut run = Run::activated(three_levels(Policy::default()), "null");
    run.done("call::before", "[1]");
    let parse = run.work("call::each[0]::parse");
    run.done("call::each[0]::parse", "1");
    let late = Input::Outcome {
        dispatch: parse,
        result: Ok(Payload::NULL),
        started: run.execution.at,
        ended: run.execution.at,
    };
    assert_eq!(run.try_tell(late.clone()), Err(Refused::ScopeOver { key: parse.key }));
    let never = Dispatch { key: WorkKey { scope: ScopeId(99), ..parse.key }, ..parse };
    let unknown = Input::Outcome {
        dispatch: never,
        result: Ok(Payload::NULL),
        started: run.execution.at,
        ended: run.execution.at,
    };
    assert_eq!(run.try_tell(unknown), Err(Refused::Unknown));
    assert_eq!(run.execution.next_scope, parse.key.scope.0 + 1);
    run.done("after", "null");
    assert_eq!(run.try_tell(late), Err(Refused::AlreadyTerminal(ExecutionStatus::Completed)));
}

#[test]
fn an_empty_list_is_done_at_once_and_what_is_no_list_fails() {
    let mut run = Run::activated(three_levels(Policy::default()), "null");
    run.done("call::before", "[]");
    assert_eq!(run.status_of("after"), NodeStatus::Running);
    run.check();
    let mut run = Run::activated(three_levels(Policy::default()), "null");
    run.done("call::before", "7");
    let error = run.error();
    assert!(
        error.starts_with(
            r#"task "Call" (call) could not be evaluated: call::each could not be evaluated: the items are no list"#
        ),
        "{error}"
    );
    run.check();
}

#[test]
fn a_failure_ends_its_scope_and_fails_the_node_that_opened_it_with_the_path_to_its_cause() {
    let mut run = Run::activated(three_levels(Policy::default()), "null");
    run.done("call::before", "[1,2,3]");
    let others = [run.work("call::each[0]::parse"), run.work("call::each[2]::parse")];
    run.failed("call::each[1]::parse", "bad row");
    assert_eq!(run.execution.status(), ExecutionStatus::Running, "handlers of other items are being stopped");
    let stop = |effect: &Effect| match effect {
        Effect::Stop { dispatch, .. } => Some(*dispatch),
        _ => None,
    };
    let stops: Vec<_> = run.effects.iter().filter_map(stop).collect();
    assert_eq!(stops, others);
    run.stopped(others[0]);
    run.stopped(others[1]);
    assert_eq!(run.error(), r#"task "Call" (call) failed: call::each[1]::parse failed: bad row"#);
    assert_eq!(
        (run.execution.inner.len(), run.execution.nests.len()),
        (1, 2),
        "the items are given back, the call is kept, and how many items there were"
    );
    run.check();
}

#[test]
fn a_cancel_reaches_every_scope_in_one_turn() {
    let mut run = Run::activated(three_levels(Policy::default()), "null");
    run.done("call::before", "[1,2]");
    let at_work = run.at_work();
    run.tell(Input::Command(Command::Cancel { by: "jo".into() }));
    assert_eq!(run.execution.status(), ExecutionStatus::Ending);
    let stops: Vec<_> = run.effects.iter().filter(|effect| matches!(effect, Effect::Stop { .. })).collect();
    assert_eq!(stops.len(), 2);
    assert_eq!(run.status_of("after"), NodeStatus::Skipped);
    run.stopped(at_work[0]);
    // It was done before it could be stopped.
    let finished = Input::Outcome {
        dispatch: at_work[1],
        result: Ok(Payload::NULL),
        started: run.execution.at,
        ended: run.execution.at,
    };
    run.tell(finished);
    assert_eq!(run.execution.status(), ExecutionStatus::Cancelled);
    let how: Vec<_> = run.execution.interrupted().iter().map(|it| it.interruption).collect();
    assert_eq!(how, [Interruption::Stopped(crate::fact::StopOutcome::Stopped), Interruption::Finished]);
    assert_eq!(run.status_of("call"), NodeStatus::Cancelled);
    run.check();
}

#[test]
fn a_recovery_takes_up_what_was_at_work_in_all_scopes() {
    let mut run = Run::activated(three_levels(Policy::default()), "null");
    run.done("call::before", "[1,2]");
    run.done("call::each[0]::parse", "1");
    run.tell(Input::Recovered { epoch: Epoch(1), crashed: true });
    let again = run.work("call::each[1]::parse");
    assert_eq!((again.attempt, run.at_work()), (AttemptNo::FIRST.next(), vec![again]));
    run.done("call::each[1]::parse", "2");
    run.done("after", "null");
    assert_eq!(run.execution.status(), ExecutionStatus::Completed);
    run.check();
}

/// One fact for each item and a constant amount of memory for each that is open, and nothing that looks at all of them
/// for one of them.
#[test]
fn a_hundred_thousand_items_fold_replay_encode_and_are_given_back_in_linear_space() {
    let items = 100_000;
    let mut run = Run::activated(three_levels(Policy { on_failure: OnFailure::FailFast, ..Policy::default() }), "null");
    let list = format!("[{}]", vec!["7"; items].join(","));
    let before = run.execution.allocated();
    run.done("call::before", &list);
    let turns = run.go_on();
    let drawn = items * 3 / edges::CONSEQUENCES_MAX as usize;
    assert!((1..=drawn + 1).contains(&turns), "{turns} turns");
    let open = run.execution.allocated() - before;
    assert!(open <= 200 * items, "{} bytes an item", open / items);

    let dispatches = run.at_work();
    assert_eq!(dispatches.len(), items);
    let facts = run.history.len();
    let mut halfway = None;
    for (number, dispatch) in dispatches.into_iter().enumerate() {
        run.execution
            .handle_outcome(
                &run.definition,
                Time::from_micros(1_000),
                dispatch,
                Ok(b"null"),
                (Time::from_micros(1_000), Time::from_micros(1_000)),
                &mut run.turn,
            )
            .expect("it is taken");
        run.history.extend_from_slice(run.turn.facts());
        run.turn.appended();
        run.effects.extend(run.turn.take_effects());
        if number == items / 2 {
            halfway = Some(run.execution.allocated() - before);
        }
    }
    assert!(halfway.unwrap() < open * 2 / 3, "what is finished is given back while others are open");
    assert!((run.history.len() - facts) / items <= 16, "{} bytes a fact", (run.history.len() - facts) / items);
    assert_eq!(
        (run.execution.inner.len(), run.execution.nests.len()),
        (1, 2),
        "the items are given back, the call is kept, and how many items there were"
    );
    run.done("after", "null");
    assert_eq!(run.execution.status(), ExecutionStatus::Completed);
    assert_eq!(run.execution.counts(&run.definition).completed as usize, items + 2);
    run.check();
}
