//! Lists of executions, filtered and in pages.

use finale_core::fact::Terminal;
use finale_core::{ExecutionId, ExecutionStatus, Time};

use super::stage::Stage;
use super::subject::{BEGINNING, SECOND, Subject, Workflow, id};
use crate::{Filter, Quarantine, Summary};

/// Thirty executions of two workflows and of all statuses; what must be said of them, newest first.
fn crowd(stage: &Stage<'_>) -> Vec<Summary> {
    let workflows = [Workflow::new("one", "1.0.0"), Workflow::new("two", "1.0.0")];
    let quarantine = Quarantine { reason: "it panicked".into(), until_released: true };
    let mut pen = stage.pen();
    let mut expected: Vec<_> = (1..=30u32)
        .map(|number| {
            let workflow = &workflows[number as usize % 2];
            let mut subject = Subject::of(number.into(), workflow).about(&format!("order {}", number % 4));
            pen.append(&subject.begin());
            match number % 6 {
                1 => pen.append(&subject.complete()),
                2 => pen.append(&subject.fail("broken")),
                3 => pen.append(&subject.cancel()),
                4 => {
                    pen.append(&subject.cancel());
                    pen.append(&subject.stopped())
                }
                5 => {
                    pen.quarantine(subject.id(), Some(&quarantine));
                    let (status, error) = (ExecutionStatus::Quarantined, Some(quarantine.reason.clone()));
                    return Summary { status, error, ..subject.summary() };
                }
                _ => pen.append(&subject.again()),
            };
            subject.summary()
        })
        .collect();
    pen.settle();
    expected.reverse();
    expected
}

/// That a filter takes exactly those that it must, and some of them.
fn takes(stage: &Stage<'_>, crowd: &[Summary], filter: &Filter) {
    let expected: Vec<_> = crowd.iter().filter(|summary| filter.takes(summary)).take(filter.limited()).collect();
    assert!(!expected.is_empty(), "{filter:?} takes nothing, and shows nothing");
    assert_eq!(stage.list(filter).iter().collect::<Vec<_>>(), expected, "{filter:?}");
}

fn at(seconds: u32) -> Time {
    BEGINNING.after(SECOND * seconds)
}

pub(super) fn an_empty_journal_has_none(stage: &Stage<'_>) {
    assert_eq!(stage.list(&Filter::new()), []);
}

pub(super) fn everything_is_listed_newest_first(stage: &Stage<'_>) {
    let crowd = crowd(stage);
    assert_eq!(stage.list(&Filter::new()), crowd);
}

pub(super) fn shards_make_no_difference(stage: &Stage<'_>) {
    let epoch = stage.claim().epoch;
    let mut pens: Vec<_> = (0..3).map(|shard| stage.pen_of(epoch, shard)).collect();
    for number in [5u128, 3, 9, 1, 7, 2, 8, 6, 4] {
        pens[(number % 3) as usize].append(&Subject::new(number).begin());
    }
    pens.iter().for_each(super::pen::Pen::settle);
    assert_eq!(stage.list_ids(&Filter::new()), (1..=9).rev().map(id).collect::<Vec<_>>());
    assert_eq!(stage.list_ids(&Filter::new().limit(2)), [id(9), id(8)]);
}

pub(super) fn by_status(stage: &Stage<'_>) {
    use ExecutionStatus::{Cancelled, Completed, Ending, Failed, Quarantined, Running};
    let crowd = crowd(stage);
    for status in [Running, Ending, Quarantined, Completed, Failed, Cancelled] {
        takes(stage, &crowd, &Filter::new().status(status));
    }
}

pub(super) fn a_quarantined_execution_is_not_running(stage: &Stage<'_>) {
    let crowd = crowd(stage);
    let running = stage.list(&Filter::new().status(ExecutionStatus::Running));
    assert!(running.iter().all(|summary| summary.error.is_none()), "{running:?}");
    assert!(running.len() < crowd.len());
}

pub(super) fn by_workflow(stage: &Stage<'_>) {
    let crowd = crowd(stage);
    takes(stage, &crowd, &Filter::new().workflow("one"));
    takes(stage, &crowd, &Filter::new().workflow("two"));
    assert_eq!(stage.list(&Filter::new().workflow("three")), []);
    assert_eq!(stage.list(&Filter::new().workflow("on")), []);
    assert_eq!(stage.list(&Filter::new().workflow("One")), []);
}

pub(super) fn by_workflow_all_versions(stage: &Stage<'_>) {
    let versions = ["1.0.0", "2.0.0"].map(|version| Workflow::new("order", version));
    stage.written(&[Subject::of(1, &versions[0]).begin(), Subject::of(2, &versions[1]).begin()]);
    assert_eq!(stage.list_ids(&Filter::new().workflow("order")), [id(2), id(1)]);
}

pub(super) fn by_business_key(stage: &Stage<'_>) {
    let crowd = crowd(stage);
    takes(stage, &crowd, &Filter::new().business_key("order 1"));
    takes(stage, &crowd, &Filter::new().business_key("order 3"));
    assert_eq!(stage.list(&Filter::new().business_key("order")), []);
    assert_eq!(stage.list(&Filter::new().business_key("")), [], "none is not the empty one");
}

pub(super) fn a_business_key_is_shared(stage: &Stage<'_>) {
    let mut subjects: Vec<_> = (1..=3).map(|number| Subject::new(number).about("order 7")).collect();
    let mut pen = stage.written(&subjects.iter_mut().map(Subject::begin).collect::<Vec<_>>());
    pen.append(&subjects[0].complete());
    pen.settle();
    assert_eq!(stage.list_ids(&Filter::new().business_key("order 7")), [id(3), id(2), id(1)]);
}

pub(super) fn from_a_moment_on(stage: &Stage<'_>) {
    let crowd = crowd(stage);
    takes(stage, &crowd, &Filter::new().created_from(at(20)));
    assert_eq!(stage.list_ids(&Filter::new().created_from(at(30))), [id(30)], "that moment is included");
    assert_eq!(stage.list(&Filter::new().created_from(at(31))), []);
}

pub(super) fn before_a_moment(stage: &Stage<'_>) {
    let crowd = crowd(stage);
    takes(stage, &crowd, &Filter::new().created_before(at(20)));
    assert_eq!(stage.list_ids(&Filter::new().created_before(at(2))), [id(1)], "that moment is not included");
    assert_eq!(stage.list(&Filter::new().created_before(at(1))), []);
}

pub(super) fn before_an_execution(stage: &Stage<'_>) {
    let crowd = crowd(stage);
    takes(stage, &crowd, &Filter::new().before(id(17)));
    takes(stage, &crowd, &Filter::new().before(id(u128::MAX)));
    assert_eq!(stage.list(&Filter::new().before(id(1))), []);
}

pub(super) fn by_all_filters_together(stage: &Stage<'_>) {
    let crowd = crowd(stage);
    let filter = Filter::new().status(ExecutionStatus::Failed).workflow("one");
    takes(stage, &crowd, &filter);
    let filter = filter.created_from(at(8)).created_before(at(27)).before(id(25));
    takes(stage, &crowd, &filter);
    takes(stage, &crowd, &filter.clone().limit(1));
    takes(stage, &crowd, &filter.business_key("order 2"));
    let nobody = Filter::new().workflow("two").business_key("order 2");
    assert_eq!(stage.list(&nobody), [], "those with even numbers are of the other workflow");
}

pub(super) fn pages_lose_and_repeat_nothing(stage: &Stage<'_>) {
    let crowd = crowd(stage);
    for size in [1, 4, 29, 30, 31] {
        assert_eq!(pages(stage, &Filter::new().limit(size), || {}), ids(&crowd), "in pages of {size}");
    }
    let filter = Filter::new().workflow("two");
    let expected: Vec<_> = crowd.into_iter().filter(|summary| filter.takes(summary)).collect();
    assert_eq!(pages(stage, &filter.limit(4), || {}), ids(&expected));
}

fn ids(summaries: &[Summary]) -> Vec<ExecutionId> {
    summaries.iter().map(|summary| summary.id).collect()
}

fn pages(stage: &Stage<'_>, filter: &Filter, mut between: impl FnMut()) -> Vec<ExecutionId> {
    let (mut all, mut next) = (Vec::new(), filter.clone());
    loop {
        let page = stage.list_ids(&next);
        let Some(last) = page.last() else {
            return all;
        };
        next = filter.clone().before(*last);
        all.extend(page);
        between();
    }
}

pub(super) fn pages_are_stable_while_others_begin(stage: &Stage<'_>) {
    let (crowd, mut pen, mut new) = (crowd(stage), stage.pen(), 100);
    let seen = pages(stage, &Filter::new().limit(4), || {
        new += 1;
        pen.append(&Subject::new(new).begin());
        pen.settle();
    });
    assert_eq!(seen, ids(&crowd));
}

pub(super) fn no_more_come_than_are_asked_for(stage: &Stage<'_>) {
    let crowd = crowd(stage);
    for limit in [1, 2, 29, 30, 31, usize::MAX] {
        takes(stage, &crowd, &Filter::new().limit(limit));
    }
    assert_eq!(stage.list(&Filter::new().limit(0)).len(), 1, "a page holds at least one");
}

pub(super) fn a_page_is_limited(stage: &Stage<'_>) {
    let mut pen = stage.pen();
    let more = Filter::LIMIT_MAX as u128 + 50;
    for number in 1..=more {
        pen.append(&Subject::new(number).whole(Terminal::Completed));
    }
    pen.settle();
    let newest: Vec<_> = (1..=more).rev().map(id).collect();
    assert_eq!(stage.list_ids(&Filter::new()), newest[..100], "without a limit a page has 100");
    assert_eq!(stage.list_ids(&Filter::new().limit(1_000_000)), newest[..Filter::LIMIT_MAX]);
}

pub(super) fn pages_lose_nothing_while_others_are_purged(stage: &Stage<'_>) {
    let mut pen = stage.pen();
    for number in 1..=400u128 {
        let mut subject = Subject::new(number);
        let step = if number % 4 == 0 { subject.begin() } else { subject.whole(Terminal::Failed) };
        pen.append(&step);
    }
    pen.settle();
    let everything = crate::Purge::all(crate::Expired { ended_before: None, all_but: Some(0) });
    std::thread::scope(|scope| {
        let purging = scope.spawn(|| while stage.purge(&everything, 20).more {});
        let mut running = true;
        while running {
            running = !purging.is_finished();
            let (mut found, mut before) = (Vec::new(), None);
            loop {
                let mut filter = Filter::new().limit(37);
                filter.before = before;
                let page = stage.list_ids(&filter);
                before = page.last().copied();
                found.extend(page);
                if before.is_none() {
                    break;
                }
            }
            let open: Vec<_> = found.into_iter().filter(|found| found.as_u128() % 4 == 0).collect();
            assert_eq!(open, (1..=100).rev().map(|number| id(number * 4)).collect::<Vec<_>>());
        }
    });
}
