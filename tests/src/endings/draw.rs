//! Random workflows with `finally` and `compensate` in all places.

use std::time::Duration;

use finale_core::Compiled;
use finale_core::compile::{Registry, compile};
use finale_core::definition::{
    Call, Definition, DefinitionBuilder, Document, Inside, Items, LoopCondition, OnFailure, Policy, Retry, Siblings,
    Signal, Task, Tolerance, Verdict,
};

use crate::dice::Dice;

fn policy(dice: &mut Dice) -> Policy {
    let ways = [OnFailure::FailFast, OnFailure::FailFast, OnFailure::WaitAll, OnFailure::Tolerate { count: 1 }];
    Policy { on_failure: *dice.choose(&ways), siblings: *dice.choose(&[Siblings::Cancel, Siblings::Finish]) }
}

/// What undoes a node or runs at the end.
fn ending(dice: &mut Dice, depth: usize, called: &[&str]) -> Inside {
    match dice.below(6) {
        0 => outside(dice).into(),
        // What a `finally` does with failures is not its to say.
        1 | 2 if depth > 0 => {
            let graph = workflow(dice, "ending", depth - 1, &[]);
            Definition { policy: Policy::default(), ..graph }.into()
        }
        3 if !called.is_empty() => Call::to(*dice.choose(called), "1.0.0").input("input").into(),
        _ => handled(dice).into(),
    }
}

/// A task for a handler, of which some are tried again, and some have only so much time in all.
fn handled(dice: &mut Dice) -> Task {
    let task = Task::handler("h");
    let task = if dice.one_in(4) { task.total_timeout(Duration::from_secs(5)) } else { task };
    match dice.below(6) {
        0 => task.retry(2, Duration::from_secs(1)),
        1 => task.retry_as(Retry::attempts(2).hold()),
        _ => task,
    }
}

/// A task for somebody outside, who may be too late.
fn outside(dice: &mut Dice) -> Task {
    let task = Task::external();
    match dice.below(4) {
        0 => task.timeout(Duration::from_secs(2)),
        1 => task.total_timeout(Duration::from_secs(4)),
        _ => task,
    }
}

/// Items and rounds, of which there is at least one: what takes no time at all completes in an order that nobody sees.
fn repeated(builder: DefinitionBuilder, id: String, dice: &mut Dice, depth: usize) -> DefinitionBuilder {
    let body: Inside = if dice.one_in(3) { "h".into() } else { workflow(dice, "body", depth - 1, &[]).into() };
    if dice.one_in(2) {
        let items: Vec<String> = (0..1 + dice.below(3)).map(|number| format!("{number}")).collect();
        let list = Document::from_json(format!("[{}]", items.join(",")).as_bytes()).expect("it is a document");
        let builder = builder.map(id, Items::List(list), body);
        let builder = if dice.one_in(3) { builder.max_concurrency(1) } else { builder };
        return if dice.one_in(3) { builder.tolerate(Tolerance::Count(1)) } else { builder };
    }
    let condition = match dice.below(3) {
        0 => LoopCondition::until(format!("round >= {}", 1 + dice.below(3))),
        1 => LoopCondition::while_true(format!("round <= {}", 1 + dice.below(2))),
        _ => LoopCondition::until("output"),
    };
    let builder = builder.repeat(id, body, condition, 1 + dice.below(3) as u32);
    if dice.one_in(2) { builder.round_delay(Duration::from_secs(1)) } else { builder }
}

/// A node that waits for a moment, for a signal, or for a judge, with what comes after its ways on; and a node that others
/// can come after.
fn waiting(
    builder: DefinitionBuilder,
    id: &str,
    source: Option<String>,
    dice: &mut Dice,
) -> (DefinitionBuilder, String) {
    let behind = |builder: DefinitionBuilder| match source {
        Some(source) => builder.after(source),
        None => builder,
    };
    match dice.below(3) {
        0 => (behind(builder.delay(id, Duration::from_secs(1 + dice.below(3) as u64))), id.to_owned()),
        1 => {
            // A name that no other node has: in which order nodes begin that wait in different scopes is not said.
            let signal = Signal::named(format!("signal {:x}", dice.next()));
            let is_limited = !dice.one_in(3);
            let signal = if is_limited { signal.timeout(Duration::from_secs(2)) } else { signal };
            let builder = behind(builder.signal(id, signal));
            if is_limited && dice.one_in(2) {
                let late = format!("{id}late");
                return (builder.on_timeout(&late).task(late, "h"), id.to_owned());
            }
            (builder, id.to_owned())
        }
        _ => {
            let (good, bad) = (format!("{id}good"), format!("{id}bad"));
            let builder = behind(builder.verification(id, "it is good", "a judge"));
            let builder = builder.task(&good, "h").on(id, Verdict::Pass);
            (builder.task(bad, "h").on(id, Verdict::Fail).on(id, Verdict::Refer), good)
        }
    }
}

/// A workflow of handlers, people, waits, groups, maps, loops and calls of these workflows, many of which can be undone.
fn workflow(dice: &mut Dice, id: &str, depth: usize, called: &[&str]) -> Definition {
    let mut builder = Definition::builder(id).policy(policy(dice));
    let count = 1 + dice.below(3);
    // What others can come after.
    let mut before: Vec<String> = Vec::new();
    for number in 0..count {
        let id = format!("n{number}");
        let source = if before.is_empty() || dice.one_in(3) { None } else { Some(dice.choose(&before).clone()) };
        if dice.one_in(6) {
            let behind;
            (builder, behind) = waiting(builder, &id, source, dice);
            before.push(behind);
            continue;
        }
        builder = match dice.below(8) {
            0 => builder.task(&id, outside(dice)),
            1 if depth > 0 => builder.group(&id, workflow(dice, "group", depth - 1, called)),
            2 if depth > 0 => repeated(builder, id.clone(), dice, depth),
            3 if !called.is_empty() => builder.call(&id, Call::to(*dice.choose(called), "1.0.0").input("input")),
            _ => builder.task(&id, handled(dice)),
        };
        if dice.one_in(6) {
            builder = builder.optional();
        }
        if dice.one_in(2) {
            let body = ending(dice, depth.min(1), called);
            builder = builder.compensate(body);
        }
        if let Some(source) = source {
            builder = builder.after(source);
        }
        before.push(id);
    }
    if dice.one_in(3) {
        let body = ending(dice, depth.min(1), called);
        builder = builder.finally(body);
    }
    builder.build()
}

/// A whole one, with the workflow that it calls.
pub fn definition(dice: &mut Dice) -> Definition {
    let inner = workflow(dice, "inner", 0, &[]);
    Definition { workflows: vec![inner], ..workflow(dice, "root", 2, &["inner"]) }
}

/// A compiled one; the same number gives the same one.
///
/// # Panics
/// When one of them does not compile.
pub fn compiled(dice: &mut Dice) -> Compiled {
    compile(definition(dice), &Registry::new()).expect("it is sound")
}
