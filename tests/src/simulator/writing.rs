//! How appends become durable: in batches, some time after, and the shards hear of it later still.

use super::bugs::Bug;
use super::messages::{Event, Inside};
use super::trace::Happening;
use super::world::World;

impl World {
    /// The journal has written a batch: some of what waits, the oldest first.
    pub(super) fn written(&mut self) {
        self.writing = false;
        let waiting = self.journal.unwritten();
        if waiting == 0 || self.journal.broken {
            return;
        }
        let count = if self.dice.happens(7_000) { waiting } else { 1 + self.dice.below(waiting) };
        self.write(count, true);
        self.begin_to_write();
    }

    pub(super) fn write_all(&mut self) {
        self.write(self.journal.unwritten(), false);
    }

    /// Writes that many appends, and says so to the shards they are of.
    pub(super) fn write(&mut self, count: usize, acknowledge: bool) {
        if count == 0 {
            return;
        }
        let written = self.journal.write(count);
        self.note(Happening::Written { appends: written.len() });
        for append in &written {
            self.auditor.written(append, &mut self.tally);
        }
        for shard in 0..self.process.shards.len() {
            let last = written.iter().rev().find(|append| append.shard == shard).map(|append| append.position);
            let ahead = self.has(Bug::WatermarkRunsAhead).then_some(self.process.shards[shard].position);
            if let Some(position) = ahead.or(last).filter(|_| acknowledge) {
                self.put_soon(Inside::Watermark { shard, position });
            }
        }
    }

    pub(super) fn begin_to_write(&mut self) {
        if !self.writing && self.journal.unwritten() > 0 {
            self.writing = true;
            let at = self.dice.soon(self.now, self.plan.write_micros);
            self.bag.put(at, Event::Written);
        }
    }
}
