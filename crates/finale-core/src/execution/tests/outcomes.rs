//! The short way for what handlers come to, and storage that is used again.

use super::*;

fn chain() -> Compiled {
    compiled(Definition::builder("chain").task("a", "work").task("b", "work").after("a").build())
}

#[test]
fn an_outcome_comes_to_the_same_with_and_without_an_input_made_of_it() {
    let (mut long, mut short) = (Run::activated(chain(), "{}"), Run::activated(chain(), "{}"));
    let at = Time::from_micros(2_000);
    let failure = Failure::new(FailureClass::Failed, "no luck");
    let results: [Result<&[u8], &Failure>; 2] = [Ok(b"[1]"), Err(&failure)];
    for (path, result) in ["a", "b"].into_iter().zip(results) {
        let dispatch = long.work(path);
        let owned = result.map(|json| Payload::from_json(json).unwrap()).map_err(Failure::clone);
        let input = Input::Outcome { dispatch, result: owned, started: at, ended: at };
        long.execution.handle(&long.definition, at, input, &mut long.turn).unwrap();
        let told = short.execution.handle_outcome(&short.definition, at, dispatch, result, (at, at), &mut short.turn);
        told.unwrap();
        assert_eq!(long.turn.facts(), short.turn.facts());
        assert_eq!(long.turn.take_effects(), short.turn.take_effects());
        assert!(long.execution == short.execution);
        let again = short.execution.handle_outcome(&short.definition, at, dispatch, result, (at, at), &mut short.turn);
        assert!(again.is_err(), "it is refused like any other");
    }
    long.turn.discard();
    short.turn.discard();
}

#[test]
fn an_execution_in_used_storage_is_as_a_new_one() {
    let definition = chain();
    let mut used = Run::activated(chain(), "{}");
    used.done("a", "1");
    used.failed("b", "no luck");
    let mut execution = used.execution;
    execution.reset(id(), &definition);
    assert!(execution == Execution::new(id(), &definition));
    assert_eq!(execution.activation(), None);
    let other = compiled(Definition::builder("other").task("x", "work").build());
    execution.reset(id(), &other);
    assert!(execution == Execution::new(id(), &other));
}
