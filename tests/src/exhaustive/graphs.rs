//! Small graphs of all kinds of nodes, from numbers.

use finale_core::definition::{Call, Definition, OnFailure, Policy, Siblings};

use crate::dice::Dice;
use crate::random::Case;

/// How a graph is made a part of another one.
enum Place {
    /// It is the whole workflow.
    Alone,
    /// A workflow calls it, beside another task.
    Called,
}

/// A definition of at most `inner_max` nodes beside start and end; the same number gives the same one.
pub fn graph(seed: u64, inner_max: usize) -> Definition {
    let mut dice = Dice::new(seed);
    match *dice.choose(&[Place::Alone, Place::Alone, Place::Alone, Place::Called]) {
        Place::Alone => case(&mut dice, inner_max),
        Place::Called => called(&mut dice, inner_max),
    }
}

fn case(dice: &mut Dice, inner_max: usize) -> Definition {
    let seed = |dice: &mut Dice| (dice.byte(), dice.byte(), dice.byte(), dice.byte(), dice.byte());
    let count = 1 + dice.below(inner_max);
    let nodes = (0..count).map(|_| seed(dice)).collect();
    let case = Case { nodes, inputs: Vec::new(), head: (dice.byte(), dice.byte(), false) };
    case.definition(policy(dice))
}

fn policy(dice: &mut Dice) -> Policy {
    let ways = [OnFailure::FailFast, OnFailure::WaitAll, OnFailure::Tolerate { count: 1 }];
    Policy { on_failure: *dice.choose(&ways), siblings: *dice.choose(&[Siblings::Cancel, Siblings::Finish]) }
}

fn called(dice: &mut Dice, inner_max: usize) -> Definition {
    let inside = case(dice, inner_max.saturating_sub(2).max(1));
    let call = Call::of(inside).input("input");
    let call = if dice.one_in(3) { call.optional() } else { call };
    let builder = Definition::builder("outer").policy(policy(dice)).call("call", call).task("beside", "h");
    match dice.below(3) {
        0 => builder,
        1 => builder.after("call"),
        _ => builder.task("after", "h").after("call"),
    }
    .build()
}
