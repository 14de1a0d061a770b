//! The end of a shard: in order, or because it failed.

use std::time::Duration;

use actix::{ActorContext, Context};
use finale_core::Time;
use finale_core::supervisor::{Input, Left};
use finale_core::task_engine::{self, Drained};

use crate::actors::messages::{Dismiss, ForEngine, ForExecution, GiveUp};
use crate::actors::requests::Waiting;
use crate::actors::start::Ending;
use crate::telemetry::TARGET;

use super::Supervisor;

/// A commit that takes shorter than this does not hang, however little time there is.
const HANGS_MIN: Duration = Duration::from_millis(50);

/// An orderly end that is under way.
pub(super) struct Leaving {
    /// How long it may take.
    within: Duration,
    /// When the shard must be gone.
    until: Time,
    drained: Drained,
}

impl Supervisor {
    pub(super) fn shut_down(&mut self, now: Time, within: Duration) {
        if self.leaving.is_some() {
            // Everybody who asks joins the same end.
            return;
        }
        let until = now.after(within);
        self.leaving = Some(Leaving { within, until, drained: Drained::default() });
        self.decide(now, Input::Close);
        self.engine.send(ForEngine::perform(task_engine::Input::Drain { deadline: until }));
    }

    pub(super) fn drained(&mut self, drained: Drained, context: &mut Context<Self>) {
        let Some(leaving) = &mut self.leaving else { return };
        leaving.drained = drained;
        let patience = self.shared.clock.until(leaving.until);
        let request = self.requests.put(Waiting::Leave);
        self.tell(Input::Leave { request, patience }, context);
    }

    pub(super) fn leave(&mut self, left: Left, context: &mut Context<Self>) {
        let (drained, within) =
            self.leaving.as_ref().map_or_else(Default::default, |leaving| (leaving.drained, leaving.within));
        // What a journal has that did not answer most of the while, nobody knows; it would not let itself be released either.
        let hangs = self.shared.port.lag().is_some_and(|lag| lag >= HANGS_MIN.max(within / 2));
        let in_order = left.in_order && !hangs;
        let ending = Ending { unfinished: left.unfinished, dropped: drained.dropped, in_order, gone: false };
        self.shared.ends_with(ending);
        self.actors.drain(..).for_each(|actor| actor.send(ForExecution::Dismiss(Dismiss)));
        self.engine_address.do_send(Dismiss);
        self.shared.port.close();
        context.stop();
    }

    /// A machine has panicked too often: nothing goes on here, and nobody waits for that.
    pub(super) fn shard_failed(&mut self) {
        tracing::error!(target: TARGET, shard = self.shared.index, "a shard has failed: nothing goes on there");
        for actor in &self.actors {
            actor.send(ForExecution::GiveUp(GiveUp(None)));
        }
        self.sides.iter().flatten().for_each(|side| side.completion.abandon());
        self.unreadable.values().for_each(|completion| completion.abandon());
        // Who loses their answer so hears that the runtime has stopped.
        drop(self.requests.take_all());
    }
}
