//! Definitions, kept with the executions that run them.

use finale_core::DefinitionHash;
use finale_core::fact::Terminal;

use super::stage::Stage;
use super::subject::{Subject, Workflow, id};

pub(super) fn a_definition_reads_back_as_it_was_given(stage: &Stage<'_>) {
    let workflow = Workflow::new("order", "2.1.0");
    stage.written(&[Subject::of(1, &workflow).begin()]);
    assert_eq!(stage.definition(workflow.stored.hash), Some(workflow.stored));
}

pub(super) fn an_unknown_hash_has_none(stage: &Stage<'_>) {
    let unknown = DefinitionHash::from_bytes([7; 16]);
    assert_eq!(stage.definition(unknown), None);
    stage.written(&[Subject::new(1).begin()]);
    assert_eq!(stage.definition(unknown), None);
}

pub(super) fn many_executions_share_one(stage: &Stage<'_>) {
    let workflow = Workflow::new("order", "1.0.0");
    let begun: Vec<_> = (1..=50).map(|number| Subject::of(number, &workflow).begin()).collect();
    stage.written(&begun);
    assert_eq!(stage.definition(workflow.stored.hash), Some(workflow.stored.clone()));
    let live = stage.live(None, 100);
    assert!(live.iter().all(|live| live.definition == workflow.stored.hash), "{live:?}");
}

pub(super) fn versions_of_a_workflow_are_kept_apart(stage: &Stage<'_>) {
    let (one, two) = (Workflow::new("order", "1.0.0"), Workflow::new("order", "2.0.0"));
    let (mut first, mut second) = (Subject::of(1, &one), Subject::of(2, &two));
    stage.written(&[first.begin(), second.begin()]);
    assert_eq!(stage.definition(one.stored.hash), Some(one.stored));
    assert_eq!(stage.definition(two.stored.hash), Some(two.stored));
    assert_eq!(stage.summary(id(1)), Some(first.summary()));
    assert_eq!(stage.summary(id(2)), Some(second.summary()));
}

pub(super) fn a_definition_stays_as_long_as_somebody_runs_it(stage: &Stage<'_>) {
    let workflow = Workflow::new("order", "1.0.0");
    let (mut stays, mut goes) = (Subject::of(1, &workflow), Subject::of(2, &workflow));
    let mut pen = stage.written(&[goes.begin(), stays.begin(), goes.complete()]);
    pen.forget(&[id(2)]);
    pen.settle();
    assert_eq!(stage.definition(workflow.stored.hash), Some(workflow.stored.clone()));
    assert_eq!(stage.summary(id(1)), Some(stays.summary()));
    pen.append(&Subject::of(3, &workflow).begin());
    pen.settle();
    assert_eq!(stage.definition(workflow.stored.hash), Some(workflow.stored));
}

pub(super) fn a_definition_stays_with_an_execution_that_has_ended(stage: &Stage<'_>) {
    let workflow = Workflow::new("order", "1.0.0");
    let mut subject = Subject::of(1, &workflow);
    stage.written(&[subject.whole(Terminal::Completed)]);
    assert_eq!(stage.definition(workflow.stored.hash), Some(workflow.stored));
    assert_eq!(stage.summary(id(1)), Some(subject.summary()));
}

pub(super) fn a_definition_comes_back_after_all_who_ran_it_are_gone(stage: &Stage<'_>) {
    let workflow = Workflow::new("order", "1.0.0");
    let mut pen = stage.written(&[Subject::of(1, &workflow).whole(Terminal::Completed)]);
    pen.forget(&[id(1)]);
    pen.settle();
    let mut next = Subject::of(2, &workflow);
    pen.append(&next.begin());
    pen.settle();
    assert_eq!(stage.definition(workflow.stored.hash), Some(workflow.stored));
    assert_eq!(stage.summary(id(2)), Some(next.summary()));
}

pub(super) fn the_bytes_of_a_definition_mean_nothing_to_the_journal(stage: &Stage<'_>) {
    let every_byte: Vec<_> = (0..=255).cycle().take(100_000).collect();
    let odd = [Workflow::new("a", "1.0.0").kept_as(&[]), Workflow::new("b", "1.0.0").kept_as(&every_byte)];
    let begun: Vec<_> = (1..).zip(&odd).map(|(number, workflow)| Subject::of(number, workflow).begin()).collect();
    stage.written(&begun);
    for workflow in odd {
        assert_eq!(stage.definition(workflow.stored.hash), Some(workflow.stored));
    }
}
