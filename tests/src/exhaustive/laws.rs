//! What must hold after every step.

use finale_core::execution::{Effect, Execution, Refused};
use finale_core::fact::{EndRequest, Fact};
use finale_core::record::{End, State};
use finale_core::{Compiled, ExecutionStatus, Time};

use super::open::Open;
use super::{Move, Step};

/// Something that must hold, and does not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Law {
    /// What is under way can be reported.
    #[error("what is under way was refused: {0}")]
    Refused(Refused),
    /// Facts can be read back.
    #[error("a fact cannot be read: {0}")]
    Unreadable(String),
    /// A running execution waits for something.
    #[error("it is not over, and nothing can happen any more")]
    NothingCanMove,
    /// Nothing is ever left to which nothing can happen: that an execution ends for it is the net below.
    #[error("it has stalled")]
    Stalled,
    /// The live state is the fold of the facts.
    #[error("the facts give another state than the one that was come to")]
    NotTheFold,
    /// A fact that was recorded fits where it was recorded.
    #[error("a recorded fact does not fit: {0}")]
    DoesNotFit(String),
    /// What is performed fits what is under way.
    #[error("an effect makes no sense: {0}")]
    WrongEffect(String),
    /// What was performed is what must be under way.
    #[error("what was performed is not what must be under way: {0}")]
    OutOfStep(String),
    /// The last fact is the end, and there is one.
    #[error("the end is not said as it must be: {0}")]
    WrongEnd(String),
    /// The record tells the truth.
    #[error("the record is wrong: {0}")]
    WrongRecord(String),
}

/// Looks at one step from a state, of which it is known what was under way; gives what is now.
pub(super) fn check(
    definition: &Compiled,
    (before, under_way): (&Execution, &Open),
    told: &Move,
    step: &Step,
) -> Result<Open, Law> {
    if step.facts.iter().any(|fact| matches!(fact, Fact::Ending(EndRequest::Stalled))) {
        return Err(Law::Stalled);
    }
    check_fold(definition, before, step)?;
    let now = Open::of(&step.after, definition);
    check_books(under_way, &now, told, step)?;
    check_end(definition, &now, step)?;
    Ok(now)
}

/// The same facts, taken in one by one, give the same state.
fn check_fold(definition: &Compiled, before: &Execution, step: &Step) -> Result<(), Law> {
    let mut folded = before.clone();
    for fact in &step.facts {
        let applied = folded.apply(definition, Time::default(), fact.clone(), &mut ());
        applied.map_err(|error| Law::DoesNotFit(format!("{error}: {fact:?}")))?;
    }
    if folded == step.after { Ok(()) } else { Err(Law::NotTheFold) }
}

/// What was under way before, with what was performed, is what must be under way now.
fn check_books(under_way: &Open, now: &Open, told: &Move, step: &Step) -> Result<(), Law> {
    if *told == Move::Crash {
        return check_recovery(now, step);
    }
    let mut books = under_way.clone();
    step.facts.iter().for_each(|fact| books.settle(fact));
    for effect in &step.effects {
        books.perform(effect).map_err(|what| Law::WrongEffect(format!("{effect:?}: {what}")))?;
    }
    // Somebody else may have gone on with it meanwhile.
    let continues = books.continues;
    books.continues = now.continues;
    if (now.continues && !continues) || books != *now {
        return Err(Law::OutOfStep(format!("performed {books:?}, must be {now:?}")));
    }
    Ok(())
}

/// A new process is told of every handler that must run.
fn check_recovery(now: &Open, step: &Step) -> Result<(), Law> {
    let is_told = |run: &&finale_core::Dispatch| {
        let is_it = |effect: &Effect| matches!(effect, Effect::Run { dispatch, .. } if dispatch == *run);
        step.effects.iter().any(is_it)
    };
    match now.runs.iter().find(|run| !is_told(run)) {
        None => Ok(()),
        Some(run) => Err(Law::OutOfStep(format!("{run:?} must run, and the new process was not told so"))),
    }
}

fn check_end(definition: &Compiled, now: &Open, step: &Step) -> Result<(), Law> {
    let is_over = step.after.status().is_terminal();
    let ends = step.facts.iter().filter(|fact| matches!(fact, Fact::Ended(_))).count();
    let said = step.effects.iter().filter(|effect| matches!(effect, Effect::Ended)).count();
    if ends != usize::from(is_over) || said != ends {
        return Err(Law::WrongEnd(format!(
            "{ends} facts and {said} effects say so, and it is {}",
            step.after.status()
        )));
    }
    if !is_over {
        return Ok(());
    }
    if !matches!(step.facts.last(), Some(Fact::Ended(_))) || !matches!(step.effects.last(), Some(Effect::Ended)) {
        return Err(Law::WrongEnd("something comes after it".to_owned()));
    }
    check_ended(definition, now, &step.after)
}

/// No node of an ended execution is at work, and its status is the one that its failures give.
fn check_ended(definition: &Compiled, now: &Open, execution: &Execution) -> Result<(), Law> {
    let wrong = |what: &str| Err(Law::WrongRecord(what.to_owned()));
    if *now != Open::default() || execution.running() > 0 || execution.waiting() > 0 {
        return wrong("it is over, and something is under way");
    }
    let record = execution.record(definition);
    let counts = record.counts;
    if counts.pending + counts.ready + counts.running + counts.waiting > 0 {
        return wrong("it is over, and a task is not settled");
    }
    if counts.completed + counts.failed + counts.cancelled + counts.skipped != counts.tasks {
        return wrong("a task is counted twice, or not at all");
    }
    let State::Ended(outcome) = &record.state else { return wrong("it is over, and its record does not say so") };
    match (&outcome.end, execution.status()) {
        (End::Completed { .. }, ExecutionStatus::Completed) if counts.tolerated + counts.handled < counts.failed => {
            wrong("it has completed over a failure that counts")
        }
        (End::Completed { .. }, ExecutionStatus::Completed) | (End::Cancelled { .. }, ExecutionStatus::Cancelled) => {
            Ok(())
        }
        (End::Failed { error }, ExecutionStatus::Failed) if error.to_string().trim().is_empty() => {
            wrong("it has failed of nothing")
        }
        (End::Failed { .. }, ExecutionStatus::Failed) => Ok(()),
        _ => wrong("its record has another end than its status"),
    }
}
