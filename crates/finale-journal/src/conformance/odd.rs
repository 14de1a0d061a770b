//! Texts, times and ids that nobody expects.

use finale_core::fact::Terminal;
use finale_core::{Payload, Time};

use super::stage::Stage;
use super::subject::{Stands, Step, Subject, Workflow, id};
use crate::{Expired, Filter, Purge, Quarantine};

/// Texts that somebody may hand in all the same.
const TEXTS: [&str; 14] = [
    "",
    " ",
    "\0",
    "a\0b",
    "\0\0tail",
    "'; DROP TABLE executions; --",
    "\"quoted\" \\ back",
    "line\nbreak\r\n\ttab",
    "ünïcödé",
    "e\u{301} is not \u{e9}",
    "日本語",
    "\u{1f980}\u{200d}\u{1f52c}",
    "\u{feff}\u{202e}\u{10ffff}",
    "%_*?[a-z]",
];

fn numbered() -> impl Iterator<Item = (u128, &'static str)> {
    (1..).zip(TEXTS)
}

pub(super) fn names_of_people(stage: &Stage<'_>) {
    let mut subjects: Vec<_> = numbered().map(|(number, text)| Subject::new(number).by(text)).collect();
    stage.written(&subjects.iter_mut().map(Subject::begin).collect::<Vec<_>>());
    for subject in &subjects {
        assert_eq!(stage.summary(subject.id()), Some(subject.summary()));
    }
}

pub(super) fn idempotency_keys(stage: &Stage<'_>) {
    let mut subjects: Vec<_> = numbered().map(|(number, text)| Subject::new(number).keyed(text)).collect();
    let mut pen = stage.written(&subjects.iter_mut().map(Subject::begin).collect::<Vec<_>>());
    for (number, text) in numbered() {
        assert_eq!(stage.keyed(text), Some(id(number)), "{text:?}");
    }
    for (subject, (number, text)) in subjects.iter_mut().zip(numbered()) {
        assert_eq!(stage.summary(id(number)), Some(subject.summary()));
        pen.append(&subject.complete());
        pen.forget(&[id(number)]);
        pen.settle();
        assert_eq!(stage.keyed(text), None, "{text:?}");
    }
}

pub(super) fn business_keys(stage: &Stage<'_>) {
    let mut subjects: Vec<_> = numbered().map(|(number, text)| Subject::new(number).about(text)).collect();
    stage.written(&subjects.iter_mut().map(Subject::begin).collect::<Vec<_>>());
    for (subject, (_, text)) in subjects.iter().zip(numbered()) {
        assert_eq!(stage.list(&Filter::new().business_key(text)), [subject.summary()], "{text:?}");
    }
}

pub(super) fn names_of_workflows(stage: &Stage<'_>) {
    let workflow = |text: &str, number: u128| {
        Workflow::new("odd", &format!("{number}.0.0")).called(text, &format!("{text}!"), &format!("{text}?"))
    };
    let workflows: Vec<_> = numbered().map(|(number, text)| workflow(text, number)).collect();
    let mut subjects: Vec<_> = (1..).zip(&workflows).map(|(number, workflow)| Subject::of(number, workflow)).collect();
    stage.written(&subjects.iter_mut().map(Subject::begin).collect::<Vec<_>>());
    for ((subject, workflow), text) in subjects.iter().zip(workflows).zip(TEXTS) {
        assert_eq!(stage.list(&Filter::new().workflow(text)), [subject.summary()], "{text:?}");
        assert_eq!(stage.definition(workflow.stored.hash), Some(workflow.stored));
    }
}

pub(super) fn errors(stage: &Stage<'_>) {
    let mut subjects: Vec<_> = numbered().map(|(number, _)| Subject::new(number)).collect();
    let mut pen = stage.written(&subjects.iter_mut().map(Subject::begin).collect::<Vec<_>>());
    for (subject, text) in subjects.iter_mut().zip(TEXTS) {
        pen.append(&subject.fail(text));
    }
    pen.settle();
    for subject in &subjects {
        assert_eq!(stage.summary(subject.id()), Some(subject.summary()));
    }
}

pub(super) fn errors_of_what_is_written_off(stage: &Stage<'_>) {
    let mut pen = stage.pen();
    for (number, text) in numbered() {
        pen.append(&Subject::new(number).begin());
        pen.write_off(id(number), Time::default(), text);
    }
    pen.settle();
    for (number, text) in numbered() {
        assert_eq!(stage.summary(id(number)).and_then(|summary| summary.error).as_deref(), Some(text));
    }
}

pub(super) fn reasons_of_a_quarantine(stage: &Stage<'_>) {
    let mut pen = stage.pen();
    let reasons: Vec<_> = numbered().map(|(number, text)| (number, because(text, number))).collect();
    for (number, quarantine) in &reasons {
        pen.append(&Subject::new(*number).begin());
        pen.quarantine(id(*number), Some(quarantine));
    }
    pen.settle();
    let live = stage.live(None, 100);
    assert_eq!(live.len(), reasons.len());
    for (live, (number, quarantine)) in live.into_iter().zip(reasons) {
        assert_eq!(stage.summary(id(number)).and_then(|summary| summary.error), Some(quarantine.reason.clone()));
        assert_eq!(live.quarantine, Some(quarantine));
    }
}

fn because(text: &str, number: u128) -> Quarantine {
    Quarantine { reason: text.into(), until_released: number.is_multiple_of(2) }
}

pub(super) fn long_texts(stage: &Stage<'_>) {
    let long = "long ".repeat(50_000);
    let mut subject = Subject::new(1).by(&long).keyed(&long).about(&long);
    stage.written(&[subject.begin(), subject.fail(&long)]);
    assert!(stage.summary(id(1)) == Some(subject.summary()), "the summary is not what was said");
    assert_eq!(stage.keyed(&long), Some(id(1)));
    assert_eq!(stage.keyed(&long[1..]), None);
}

pub(super) fn payloads(stage: &Stage<'_>) {
    let mut subjects: Vec<_> = numbered()
        .map(|(number, text)| Subject::new(number).given(Payload::encode(text).expect("a text is JSON")))
        .collect();
    stage.written(&subjects.iter_mut().map(Subject::begin).collect::<Vec<_>>());
    for subject in &subjects {
        assert_eq!(stage.history(subject.id()).as_deref(), Some(subject.history()));
    }
}

pub(super) fn the_first_and_the_last_id(stage: &Stage<'_>) {
    let (mut first, mut last) = (Subject::new(0), Subject::new(u128::MAX));
    let mut pen = stage.written(&[last.begin(), first.begin()]);
    assert_eq!(stage.live_ids(), [id(0), id(u128::MAX)]);
    assert_eq!(stage.live(Some(id(0)), 10).len(), 1);
    assert_eq!(stage.list(&Filter::new()), [last.summary(), first.summary()]);
    assert_eq!(stage.list(&Filter::new().before(id(u128::MAX))), [first.summary()]);
    pen.append(&first.complete());
    pen.append(&last.complete());
    pen.forget(&[id(0), id(u128::MAX)]);
    pen.settle();
    assert_eq!(stage.list(&Filter::new()), []);
}

pub(super) fn a_beginning_far_away(stage: &Stage<'_>) {
    let (early, late) = (Time::default(), Time::from_micros(i64::MAX / 2));
    let (mut first, mut last) = (Subject::new(1).at(early), Subject::new(2).at(late));
    stage.written(&[first.begin(), last.begin()]);
    assert_eq!(stage.list(&Filter::new()), [last.summary(), first.summary()]);
    assert_eq!(stage.list(&Filter::new().created_from(late)), [last.summary()]);
    assert_eq!(stage.list(&Filter::new().created_before(Time::from_micros(1))), [first.summary()]);
    assert_eq!(stage.list(&Filter::new().created_from(Time::from_micros(i64::MIN))).len(), 2);
}

pub(super) fn an_end_far_away(stage: &Stage<'_>) {
    let ends = [i64::MIN / 2, -1, 0, i64::MAX / 2].map(Time::from_micros);
    let mut pen = stage.pen();
    for (number, end) in (1..).zip(ends) {
        pen.append(&ended_at(Subject::new(number).whole(Terminal::Completed), end));
        pen.append(&Subject::new(100 + number).begin());
        pen.write_off(id(100 + number), end, "rotten");
    }
    pen.settle();
    for (number, end) in (1..).zip(ends) {
        let completed_at = |number| stage.summary(id(number)).and_then(|summary| summary.completed_at);
        assert_eq!((completed_at(number), completed_at(100 + number)), (Some(end), Some(end)));
    }
    let old = Expired { ended_before: Some(Time::from_micros(1)), all_but: None };
    let completed = Purge { completed: old, ..Purge::default() };
    assert_eq!(stage.purge(&completed, 10).executions, [1, 2, 3].map(id));
    assert_eq!(stage.purge(&Purge::all(old), 10).executions, [101, 102, 103].map(id));
}

fn ended_at(step: Step, at: Time) -> Step {
    Step { standing: Stands::Ended { status: Terminal::Completed, at, error: None }, ..step }
}
