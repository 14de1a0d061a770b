//! Executions by what a second activation is known by.

use finale_core::fact::Terminal;

use super::stage::Stage;
use super::subject::{Subject, id};

pub(super) fn a_key_leads_to_its_execution(stage: &Stage<'_>) {
    stage.written(&[Subject::new(1).keyed("one").begin(), Subject::new(2).keyed("two").begin()]);
    assert_eq!((stage.keyed("one"), stage.keyed("two")), (Some(id(1)), Some(id(2))));
}

pub(super) fn an_unknown_key_leads_nowhere(stage: &Stage<'_>) {
    assert_eq!(stage.keyed("one"), None);
    stage.written(&[Subject::new(1).keyed("one").begin(), Subject::new(2).begin()]);
    for unknown in ["", "on", "one ", " one", "One", "one\0", "o%", "o_e"] {
        assert_eq!(stage.keyed(unknown), None, "{unknown:?}");
    }
}

pub(super) fn a_business_key_is_no_idempotency_key(stage: &Stage<'_>) {
    stage.written(&[Subject::new(1).about("order 7").begin()]);
    assert_eq!(stage.keyed("order 7"), None);
}

pub(super) fn a_key_is_held_beyond_the_end(stage: &Stage<'_>) {
    let mut subject = Subject::new(1).keyed("one");
    stage.written(&[subject.begin(), subject.complete()]);
    assert_eq!(stage.keyed("one"), Some(id(1)));
}

pub(super) fn a_key_is_free_when_its_execution_is_forgotten(stage: &Stage<'_>) {
    let mut pen = stage.written(&[Subject::new(1).keyed("one").whole(Terminal::Completed)]);
    pen.forget(&[id(1)]);
    pen.settle();
    assert_eq!(stage.keyed("one"), None);
}

pub(super) fn a_key_that_is_free_again_leads_to_whom_it_is_given(stage: &Stage<'_>) {
    let mut pen = stage.written(&[Subject::new(1).keyed("one").whole(Terminal::Failed)]);
    pen.forget(&[id(1)]);
    pen.append(&Subject::new(2).keyed("one").begin());
    pen.settle();
    assert_eq!(stage.keyed("one"), Some(id(2)));
    pen.forget(&[id(1)]);
    pen.settle();
    assert_eq!(stage.keyed("one"), Some(id(2)), "who held it before is forgotten already");
}

pub(super) fn others_keep_their_keys_when_one_is_forgotten(stage: &Stage<'_>) {
    let mut pen = stage.pen();
    for number in 1..=20 {
        pen.append(&Subject::new(number).keyed(&format!("key {number}")).whole(Terminal::Completed));
    }
    pen.forget(&[id(7), id(8)]);
    pen.settle();
    for number in 1..=20 {
        let expected = (!(7..=8).contains(&number)).then(|| id(number));
        assert_eq!(stage.keyed(&format!("key {number}")), expected);
    }
}

pub(super) fn a_key_is_found_by_the_next_owner(stage: &Stage<'_>) {
    stage.written(&[Subject::new(1).keyed("one").begin()]);
    let mut pen = stage.pen();
    assert_eq!(stage.keyed("one"), Some(id(1)));
    pen.append(&Subject::new(2).keyed("two").begin());
    pen.settle();
    assert_eq!((stage.keyed("one"), stage.keyed("two")), (Some(id(1)), Some(id(2))));
}
