//! Everything that can be done with a journal, in an order that chance makes up: until every operation has succeeded and
//! every error has been seen, and at least for a while.

use std::collections::BTreeSet;

use finale_core::fact::Terminal::{Cancelled, Completed, Failed};
use finale_core::{ExecutionId, ExecutionStatus, Time};

use super::Skipped;
use super::pen::Pen;
use super::stage::Stage;
use super::subject::{BEGINNING, SECOND, Stands, Step, Subject, id};
use crate::{Expired, Filter, JournalError, Purge, Quarantine, Summary};

/// What must have happened before a case is over.
const WANTED: [&str; 24] = [
    "begin",
    "go on",
    "complete",
    "fail",
    "cancel",
    "whole",
    "quarantine",
    "lift",
    "write off",
    "forget",
    "told",
    "purge keeps untold",
    "purge by age",
    "purge by count",
    "list",
    "histories",
    "live",
    "claim",
    "release",
    "error: gap",
    "error: ended",
    "error: fenced",
    "error: second beginning",
    "error: fenced purge",
];
const STEPS_MIN: usize = 300;
const STEPS_MAX: usize = 20_000;

pub(super) fn of_seed_1(stage: &mut Stage<'_>) {
    play(stage, 1, Life::One);
}

pub(super) fn of_seed_2(stage: &mut Stage<'_>) {
    play(stage, 2, Life::One);
}

pub(super) fn of_seed_3(stage: &mut Stage<'_>) {
    play(stage, 3, Life::One);
}

pub(super) fn of_seed_4_over_restarts(stage: &mut Stage<'_>) -> Result<(), Skipped> {
    stage.reopen([])?;
    play(stage, 4, Life::Restarts);
    Ok(())
}

pub(super) fn of_seed_5_over_crashes(stage: &mut Stage<'_>) -> Result<(), Skipped> {
    stage.crash([])?;
    play(stage, 5, Life::Crashes);
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Life {
    One,
    Restarts,
    Crashes,
}

/// What is known of one execution beside the journal.
struct Known {
    subject: Subject,
    key: String,
    summary: Summary,
    quarantine: Option<String>,
    /// Whether somebody has to be told of its end.
    to_tell: bool,
}

impl Known {
    fn is_untold(&self) -> bool {
        self.to_tell && self.summary.completed_at.is_some()
    }
}

struct World<'w, 's> {
    stage: &'w mut Stage<'s>,
    pen: Option<Pen>,
    old: Option<Pen>,
    known: Vec<Known>,
    next: u128,
    now: Time,
    dice: u64,
    seen: BTreeSet<&'static str>,
}

fn play(stage: &mut Stage<'_>, seed: u64, life: Life) {
    let pen = Some(stage.pen());
    let (known, seen) = (Vec::new(), BTreeSet::new());
    let mut world = World { stage, pen, old: None, known, next: 1, now: BEGINNING, dice: seed, seen };
    let mut steps = 0;
    while steps < STEPS_MIN || !WANTED.iter().all(|wanted| world.seen.contains(wanted)) {
        assert!(steps < STEPS_MAX, "only {:?} happened in {steps} steps", world.seen);
        world.step();
        if steps % 50 == 49 {
            world.another_life(life);
        }
        if steps % 10 == 9 {
            world.check();
        }
        steps += 1;
    }
    world.check();
}

impl World<'_, '_> {
    fn below(&mut self, end: usize) -> usize {
        self.dice = self.dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.dice >> 33) as usize % end
    }

    fn pen(&mut self) -> &mut Pen {
        self.pen.as_mut().expect("there is a pen between lives")
    }

    /// An execution of those that are open, or of those that have ended.
    fn any(&mut self, open: bool) -> Option<usize> {
        let fits = |known: &Known| known.summary.completed_at.is_none() == open;
        let found: Vec<_> = (0..self.known.len()).filter(|index| fits(&self.known[*index])).collect();
        if found.is_empty() { None } else { Some(found[self.below(found.len())]) }
    }

    fn step(&mut self) {
        match self.below(22) {
            0..=3 => self.begin(),
            4 | 5 => self.go_on(),
            6 | 7 => self.end(),
            8 => self.whole(),
            9 => self.park(),
            10 => self.write_off(),
            11 => self.forget(),
            12 => self.purge(),
            13 => self.claim(),
            14 => self.release(),
            15 => self.refused_gap(),
            16 => self.refused_end(),
            17 => self.refused_old(),
            18 => self.refused_beginning(),
            19 => self.histories(),
            20 => self.told(),
            _ => self.look(),
        }
    }

    /// One that was not activated yet, and its key; somebody has to be told of the ends of some.
    fn subject(&mut self) -> (Subject, String, bool) {
        let number = self.next;
        (self.next, self.now) = (number + 1, self.now.after(SECOND * 100));
        let key = format!("key {number}");
        let subject = Subject::new(number).keyed(&key).about("all").at(self.now);
        let to_tell = self.below(3) == 0;
        (if to_tell { subject.told_of() } else { subject }, key, to_tell)
    }

    fn begin(&mut self) {
        let (mut subject, key, to_tell) = self.subject();
        self.pen().append(&subject.begin());
        let summary = subject.summary();
        self.known.push(Known { subject, key, summary, quarantine: None, to_tell });
        self.seen.insert("begin");
    }

    fn whole(&mut self) {
        let (mut subject, key, to_tell) = self.subject();
        let end = [Completed, Failed, Cancelled][self.below(3)];
        self.pen().append(&subject.whole(end));
        let summary = subject.summary();
        self.known.push(Known { subject, key, summary, quarantine: None, to_tell });
        self.seen.insert("whole");
    }

    fn append(&mut self, index: usize, step: &Step) {
        self.pen().append(step);
        let known = &mut self.known[index];
        known.summary = known.subject.summary();
        if known.summary.completed_at.is_some() {
            known.quarantine = None;
        }
    }

    fn go_on(&mut self) {
        if let Some(index) =
            self.any(true).filter(|index| self.known[*index].summary.status == ExecutionStatus::Running)
        {
            let step = self.known[index].subject.again();
            self.append(index, &step);
            self.seen.insert("go on");
        }
    }

    fn end(&mut self) {
        let Some(index) = self.any(true) else { return };
        if self.known[index].summary.status == ExecutionStatus::Ending {
            let step = self.known[index].subject.stopped();
            self.append(index, &step);
            return;
        }
        let which = self.below(3);
        let subject = &mut self.known[index].subject;
        let (step, what) = match which {
            0 => (subject.complete(), "complete"),
            1 => (subject.fail("broken"), "fail"),
            _ => (subject.cancel(), "cancel"),
        };
        self.append(index, &step);
        self.seen.insert(what);
    }

    fn park(&mut self) {
        let Some(index) = self.any(true) else { return };
        let execution = self.known[index].subject.id();
        let reason = if self.known[index].quarantine.is_none() { Some(format!("odd {}", self.dice)) } else { None };
        let quarantine = reason.clone().map(|reason| Quarantine { reason, until_released: true });
        self.pen().quarantine(execution, quarantine.as_ref());
        self.seen.insert(if reason.is_some() { "quarantine" } else { "lift" });
        self.known[index].quarantine = reason;
    }

    fn write_off(&mut self) {
        if self.below(3) > 0 {
            return;
        }
        let Some(index) = self.any(true) else { return };
        let (execution, now) = (self.known[index].subject.id(), self.now);
        match self.known[index].to_tell {
            true => self.pen().write_off_to_tell(execution, now, "rotten"),
            false => self.pen().write_off(execution, now, "rotten"),
        };
        let known = &mut self.known[index];
        known.quarantine = None;
        known.summary.status = ExecutionStatus::Failed;
        (known.summary.completed_at, known.summary.error) = (Some(now), Some("rotten".into()));
        self.seen.insert("write off");
    }

    fn forget(&mut self) {
        let Some(index) = self.any(false) else { return };
        let execution = self.known.remove(index).subject.id();
        self.pen().forget(&[execution]);
        self.seen.insert("forget");
    }

    /// Of some that have ended everybody was told, and of one that has not, which does not count.
    fn told(&mut self) {
        let untold: Vec<_> = (0..self.known.len()).filter(|index| self.known[*index].is_untold()).collect();
        let mut told: Vec<_> = untold.into_iter().filter(|_| self.below(2) == 0).collect();
        told.iter().for_each(|index| self.known[*index].to_tell = false);
        if !told.is_empty() {
            self.seen.insert("told");
        }
        told.extend(self.any(true));
        let told: Vec<_> = told.into_iter().map(|index| self.known[index].subject.id()).collect();
        self.pen().told(&told);
    }

    fn purge(&mut self) {
        self.pen().settle();
        let by_age = self.below(2) == 0;
        let expired = match by_age {
            true => Expired { ended_before: Some(self.now.before(SECOND * 3_000)), all_but: None },
            false => Expired { ended_before: None, all_but: Some(7) },
        };
        let keeps_untold = self.below(2) == 0;
        let mut gone = BTreeSet::new();
        loop {
            let purged = self.stage.purge(&Purge { keeps_untold, ..Purge::all(expired) }, 4);
            gone.extend(purged.executions);
            if !purged.more {
                break;
            }
        }
        let mut expected = self.expired(expired);
        let untold: Vec<_> =
            self.known.iter().filter(|known| known.is_untold()).map(|known| known.subject.id()).collect();
        if keeps_untold && untold.iter().filter(|untold| expected.remove(untold)).count() > 0 {
            self.seen.insert("purge keeps untold");
        }
        assert_eq!(gone, expected, "{expired:?}, and those that are untold are kept: {keeps_untold}");
        self.known.retain(|known| !gone.contains(&known.subject.id()));
        if !gone.is_empty() {
            self.seen.insert(if by_age { "purge by age" } else { "purge by count" });
        }
    }

    /// What must have been forgotten. No two executions end at the same moment, unless one was written off.
    fn expired(&self, expired: Expired) -> BTreeSet<ExecutionId> {
        let mut gone = BTreeSet::new();
        for status in [ExecutionStatus::Completed, ExecutionStatus::Failed, ExecutionStatus::Cancelled] {
            let of_status = self.known.iter().filter(|known| known.summary.status == status);
            let mut ended: Vec<_> = of_status.map(|known| (known.summary.completed_at, known.subject.id())).collect();
            ended.sort_unstable();
            let kept = expired.all_but.unwrap_or(u64::MAX);
            let beyond = ended.len().saturating_sub(usize::try_from(kept).unwrap_or(usize::MAX));
            let old = |at: Option<Time>| expired.ended_before.is_some_and(|before| at.is_some_and(|at| at < before));
            let ids = ended.iter().enumerate().filter(|(index, (at, _))| *index < beyond || old(*at));
            gone.extend(ids.map(|(_, (_, id))| *id));
        }
        gone
    }

    fn claim(&mut self) {
        if let Some(pen) = self.pen.take() {
            pen.settle();
            self.old = Some(pen);
        }
        let epoch = self.stage.claim().epoch;
        self.pen = Some(self.stage.pen_of(epoch, 0));
        self.seen.insert("claim");
    }

    fn release(&mut self) {
        self.pen().settle();
        let epoch = self.stage.epoch();
        self.stage.journal().release(epoch).expect("the owner may release");
        self.old = self.pen.take();
        let claim = self.stage.claim();
        assert!(!claim.crashed, "it was left in order");
        self.pen = Some(self.stage.pen_of(claim.epoch, 0));
        self.seen.insert("release");
    }

    fn refused_gap(&mut self) {
        let Some(index) = self.any(true) else { return };
        let (execution, ahead) = (self.known[index].subject.id(), 1_000 + self.below(1_000) as u64);
        let step = bare(execution, ahead);
        assert!(matches!(self.pen().refused(&step), JournalError::Gap { found, .. } if found == ahead));
        self.seen.insert("error: gap");
    }

    fn refused_end(&mut self) {
        let Some(index) = self.any(false) else { return };
        let execution = self.known[index].subject.id();
        assert_eq!(self.pen().refused(&bare(execution, 2)), JournalError::Ended(execution));
        self.seen.insert("error: ended");
    }

    fn refused_old(&mut self) {
        let Some(mut old) = self.old.take() else { return };
        assert!(matches!(old.refused(&Subject::new(u128::MAX).begin()), JournalError::Fenced { .. }));
        self.old = Some(old);
        self.seen.insert("error: fenced");
        let older = crate::Epoch(self.stage.epoch().0 - 1);
        let refused = self.stage.journal().purge(older, &Purge::default(), 1);
        assert!(matches!(refused, Err(JournalError::Fenced { .. })), "{refused:?}");
        self.seen.insert("error: fenced purge");
    }

    fn refused_beginning(&mut self) {
        let Some(index) = self.any(true) else { return };
        let number = self.known[index].subject.id().as_u128();
        assert!(matches!(self.pen().refused(&Subject::new(number).begin()), JournalError::Gap { .. }));
        self.seen.insert("error: second beginning");
    }

    fn look(&mut self) {
        self.pen().settle();
        let status =
            [ExecutionStatus::Completed, ExecutionStatus::Running, ExecutionStatus::Quarantined][self.below(3)];
        let listed = self.stage.list_ids(&Filter::new().status(status).limit(1_000));
        let fits = |known: &&Known| self.expected(known).status == status;
        let expected: Vec<_> = self.known.iter().rev().filter(fits).map(|known| known.subject.id()).collect();
        assert_eq!(listed, expected, "those that are {status}");
        self.seen.insert("list");
        let open = self.known.iter().filter(|known| known.summary.completed_at.is_none());
        assert_eq!(self.stage.live_ids(), open.map(|known| known.subject.id()).collect::<Vec<_>>());
        self.seen.insert("live");
    }

    /// Nothing need be durable for that. What is read so must not be taken for the newest later.
    fn histories(&mut self) {
        let mut ids: Vec<_> = self.known.iter().map(|known| known.subject.id()).collect();
        ids.push(id(self.next));
        let found = self.stage.histories(&ids);
        for (known, history) in self.known.iter().zip(&found) {
            assert_eq!(history.as_deref(), Some(known.subject.history()));
        }
        assert_eq!(found.last(), Some(&None));
        self.seen.insert("histories");
    }

    fn another_life(&mut self, life: Life) {
        if life == Life::One {
            return;
        }
        self.pen().settle();
        self.old = None;
        let pen = self.pen.take();
        let lived = if life == Life::Restarts { self.stage.reopen(pen) } else { self.stage.crash(pen) };
        lived.expect("it was possible before");
        self.pen = Some(self.stage.pen());
    }

    fn expected(&self, known: &Known) -> Summary {
        let mut summary = known.summary.clone();
        if let Some(reason) = &known.quarantine {
            summary.status = ExecutionStatus::Quarantined;
            summary.error = Some(reason.clone());
        }
        summary
    }

    /// Everything is as it is known to be, and there is nothing else.
    fn check(&mut self) {
        self.pen().settle();
        let listed = self.stage.list(&Filter::new().business_key("all").limit(1_000));
        let expected: Vec<_> = self.known.iter().rev().map(|known| self.expected(known)).collect();
        assert_eq!(listed, expected);
        for known in &self.known {
            assert_eq!(self.stage.history(known.subject.id()).as_deref(), Some(known.subject.history()));
            assert_eq!(self.stage.keyed(&known.key), Some(known.subject.id()));
        }
        let untold = self.known.iter().filter(|known| known.is_untold()).map(|known| known.subject.id());
        assert_eq!(self.stage.untold(None, 1_000), untold.collect::<Vec<_>>());
        assert_eq!(self.stage.summary(id(self.next)), None);
        assert_eq!(self.stage.journal().health(), Ok(()));
    }
}

/// Facts that are refused before anybody reads them.
pub(super) fn bare(execution: ExecutionId, first_sequence: u64) -> Step {
    let (facts, standing) = (vec![0], Stands::Running);
    Step { execution, first_sequence, count: 1, facts, begins: None, standing, to_tell: false }
}
