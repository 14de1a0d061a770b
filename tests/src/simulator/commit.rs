//! A model of the way of a turn: append, wait for the watermark, answer, perform. It follows the shell of the product.

use std::collections::VecDeque;

use finale_core::ExecutionStatus;
use finale_core::execution::{Effect, Input, Turn};

use super::bugs::Bug;
use super::journal::{Append, NotTaken, chained};
use super::messages::{Answer, Inside, Mail, Number};
use super::process::{Answers, Held, Standing, Work};
use super::tally::Count;
use super::trace::Happening;
use super::world::World;

impl World {
    pub(super) fn commit(&mut self, number: Number, turn: &mut Turn, mut answers: Answers) {
        let appended = self.append(number, turn);
        let (position, durable) = match appended {
            Ok(appended) => appended,
            Err(why) => return self.refuse(number, turn, answers, why),
        };
        let Some(live) = self.process.lives.get(&number) else { return };
        let (last_sequence, status, shard) = (live.state.sequence(), live.state.status(), live.shard);
        let mut effects = std::mem::take(&mut answers.under_way);
        effects.extend(turn.take_effects());
        let held = Held { position, number, last_sequence, status, effects, answers };
        let held = self.let_go_too_early(held);
        if durable && self.process.shards[shard].held.is_empty() {
            self.perform(held);
        } else {
            self.process.shards[shard].held.push_back(held);
        }
    }

    /// One append; gives its position, and whether it is durable at once.
    fn append(&mut self, number: Number, turn: &mut Turn) -> Result<(u64, bool), NotTaken> {
        let process = &mut self.process;
        if process.standing == Standing::Failed {
            return Err(NotTaken::Broken);
        }
        let Some(live) = process.lives.get_mut(&number) else { return Err(NotTaken::Ended) };
        let shard = &mut process.shards[live.shard];
        if turn.count() == 0 {
            // Nothing new: what is said must only not overtake what was said before.
            return Ok((shard.position, shard.held.is_empty()));
        }
        shard.position += 1;
        let append = Append {
            life: process.life,
            shard: live.shard,
            position: shard.position,
            number,
            definition: live.index,
            first: turn.last_sequence() + 1 - u64::from(turn.count()),
            count: turn.count(),
            after: live.chain,
            facts: turn.facts().to_vec(),
            ends: matches!(turn.effects().last(), Some(Effect::Ended)),
        };
        self.put_in_the_journal(append)?;
        turn.appended();
        let position = self.process.shards[self.process.shard_of(number)].position;
        Ok((position, self.plan.immediate))
    }

    fn put_in_the_journal(&mut self, append: Append) -> Result<(), NotTaken> {
        let number = append.number;
        let appends = if self.has(Bug::EndInSecondAppend) { append.split_end() } else { vec![append] };
        for append in appends {
            self.journal.append(&append)?;
            let (first, count, bytes) = (append.first, append.count, chained(0, &append.facts));
            self.note(Happening::Appended { number, first, count, bytes });
            self.tally.add_some(Count::Facts, count.into());
            self.auditor.appended(&append, self.process.life);
            if let Some(live) = self.process.lives.get_mut(&number) {
                live.chain = chained(append.after, &append.facts);
            }
        }
        if let Some(live) = self.process.lives.get(&number) {
            self.auditor.compare(number, &live.state);
        }
        if self.plan.immediate {
            self.write_all();
        } else {
            self.begin_to_write();
        }
        Ok(())
    }

    /// The facts could not be appended: nothing of the turn ever happened.
    fn refuse(&mut self, number: Number, turn: &mut Turn, answers: Answers, why: NotTaken) {
        turn.discard();
        self.note(Happening::NotTaken { number, why });
        self.answer_unknown(answers);
        if why == NotTaken::Broken {
            self.process.standing = Standing::Failed;
        } else {
            self.die(number, Vec::new());
        }
    }

    pub(super) fn answer_unknown(&mut self, answers: Answers) {
        let seen = answers.seen.into_iter().map(|(asking, ..)| asking);
        for asking in answers.replies.into_iter().map(|(asking, ..)| asking).chain(seen) {
            self.answer(asking, Answer::Unknown);
        }
    }

    /// Everything of this shard up to this position is durable.
    pub(super) fn watermark(&mut self, shard: usize, position: u64) {
        self.note(Happening::Watermark { shard, position });
        let shards = if self.has(Bug::ForeignWatermark) { 0..self.process.shards.len() } else { shard..shard + 1 };
        for shard in shards {
            while let Some(held) = self.process.shards[shard].next_held(position) {
                self.perform(held);
            }
        }
    }

    fn perform(&mut self, held: Held) {
        let Held { number, last_sequence, status, mut effects, answers, .. } = held;
        let ended = matches!(effects.last(), Some(Effect::Ended));
        if ended {
            effects.pop();
            self.put_soon(Inside::Publish { number });
        }
        let decided = self.becomes_visible(number, last_sequence, status);
        self.give(number, answers);
        self.settled_early(number);
        self.hand_over(number, effects);
        if decided {
            // What waits for a place is closed: nothing begins after the end is decided.
            self.work(number, Work::Reconcile { number });
        }
    }

    /// What the turn came to may be seen from now on; says whether that is that the end is decided.
    fn becomes_visible(&mut self, number: Number, last_sequence: u64, status: ExecutionStatus) -> bool {
        let Some(live) = self.process.lives.get_mut(&number) else { return false };
        let before = std::mem::replace(&mut live.durable, last_sequence);
        let decided = status == ExecutionStatus::Ending && live.published != ExecutionStatus::Ending;
        live.published = status;
        let begun = if before == 0 && last_sequence > 0 { std::mem::take(&mut live.begun) } else { Vec::new() };
        self.auditor.visible(number, last_sequence, status);
        for asking in begun {
            self.answer(asking, Answer::Activated(number));
        }
        decided
    }

    fn give(&mut self, number: Number, answers: Answers) {
        for (asking, sequence, status) in answers.seen {
            self.note(Happening::Shown { number, sequence, status });
            self.answer(asking, Answer::Seen { sequence, status });
        }
        for (asking, is_cancel, result) in answers.replies {
            match (self.process.lives.get_mut(&number), result) {
                // A cancellation is answered when everything is stopped.
                (Some(live), Ok(())) if is_cancel => live.cancels.push(asking),
                (_, Ok(())) => self.answer(asking, Answer::Done),
                (_, Err(refused)) => self.answer(asking, Answer::Refused(refused)),
            }
        }
    }

    /// Reports on tasks that will never be asked for are told to the core again, for an answer.
    fn settled_early(&mut self, number: Number) {
        let Some(live) = self.process.lives.get_mut(&number) else { return };
        if live.published != ExecutionStatus::Running {
            return;
        }
        let state = &live.state;
        let is_settled = |key| state.node_status(key).is_some_and(|status| status.is_settled());
        let settled: Vec<_> = live.early.extract_if(.., |(report, _)| is_settled(report.key)).collect();
        for (report, asking) in settled {
            self.send(number, Mail::Tell(Input::Reported(report), Some(asking)));
        }
    }

    pub(super) fn hand_over(&mut self, number: Number, effects: Vec<Effect>) {
        if effects.is_empty() {
            return;
        }
        let is_first = self.process.lives.get_mut(&number).is_some_and(|live| std::mem::take(&mut live.recovered));
        let effects = if is_first { self.first_effects(effects) } else { effects };
        if let Some(live) = self.process.lives.get_mut(&number) {
            live.unperformed += 1;
        }
        self.work(number, Work::Perform { number, effects: VecDeque::from(effects) });
    }

    /// What shells with a mistake do before the facts are durable; what is left waits.
    fn let_go_too_early(&mut self, mut held: Held) -> Held {
        let number = held.number;
        if self.has(Bug::ShowBeforeDurable) {
            let seen = std::mem::take(&mut held.answers.seen);
            self.give(number, Answers { seen, ..Answers::default() });
        }
        if self.has(Bug::AcknowledgeBeforeDurable) {
            let replies = std::mem::take(&mut held.answers.replies);
            self.give(number, Answers { replies, ..Answers::default() });
        }
        if self.has(Bug::PerformBeforeDurable) {
            let ended = held.effects.pop_if(|effect| *effect == Effect::Ended);
            let effects = std::mem::take(&mut held.effects);
            held.effects.extend(ended);
            self.hand_over(number, effects);
        }
        if self.has(Bug::PublishBeforeDurable) && matches!(held.effects.last(), Some(Effect::Ended)) {
            held.effects.pop();
            self.put_soon(Inside::Publish { number });
        }
        held
    }
}
