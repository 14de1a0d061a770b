//! The custom status: one line that a handler says of its execution.
//!
//! Setting it appends nothing. The line is kept beside the state until the execution records something, and is recorded
//! before that: a handler may set it as often as it likes.

use std::time::Duration;

use super::{EffectSink, Execution, Input, Notice, Refused, Turn};
use crate::compiled::{Compiled, Step};
use crate::fact::{CustomStatusSet, Fact};
use crate::id::{Dispatch, Epoch, WorkKey};
use crate::record::CustomStatus;
use crate::time::Time;

/// A task engine that gives each line a time of its own may be ahead of the clock by less than this.
const CLOCKS_APART: Duration = Duration::from_secs(1);

/// A line that was recorded, and the path of the node whose handler set it: its scope may be gone when somebody asks.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SetStatus {
    set: CustomStatusSet,
    node: Box<str>,
    /// The life in which it was set: clocks of others say nothing about what is older.
    epoch: Epoch,
}

/// A line that is not recorded yet. It is no part of the state that facts lead to, so it changes no comparison.
#[derive(Clone, Debug, Default)]
pub(super) struct Unrecorded(Option<Box<SetStatus>>);

impl PartialEq for Unrecorded {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

impl SetStatus {
    /// Whether one that was set at that time is no newer than this one.
    fn is_as_new(&self, epoch: Epoch, now: Time, set_at: Time) -> bool {
        // An execution that only waits hears nothing of a new process, whose clock may have been set back.
        let is_ahead = self.set.set_at > now.after(CLOCKS_APART);
        self.epoch == epoch && !is_ahead && set_at <= self.set.set_at
    }

    /// None if it was taken back.
    fn shown(&self) -> Option<CustomStatus> {
        let Self { set, node, .. } = self;
        let status = || CustomStatus { text: set.text.to_string(), node: node.to_string(), set_at: set.set_at };
        (!set.text.is_empty()).then(status)
    }
}

impl Execution {
    /// The last line that a handler has set, be it recorded or not.
    pub fn custom_status(&self) -> Option<CustomStatus> {
        self.unrecorded_status.0.as_deref().or(self.custom_status.as_deref())?.shown()
    }

    /// When the line was set that is known last, also if it took one back.
    pub fn custom_status_set_at(&self) -> Option<Time> {
        self.unrecorded_status.0.as_deref().or(self.custom_status.as_deref()).map(|status| status.set.set_at)
    }

    /// What a state that takes the place of this one is told first, if this one is lost: the last line of this life, which
    /// may not be recorded. Told of one that is recorded, it changes nothing.
    pub fn custom_status_again(&self) -> Option<Input> {
        let status = self.unrecorded_status.0.as_deref().or(self.custom_status.as_deref())?;
        let CustomStatusSet { key, attempt, set_at, text } = status.set.clone();
        let dispatch = Dispatch { key, attempt, epoch: status.epoch };
        (status.epoch == self.epoch).then_some(Input::CustomStatus { dispatch, set_at, text })
    }

    /// Takes in a line: it is seen from now on, and recorded with the next fact.
    ///
    /// One of a handler whose execution knows nothing of it any more changes nothing: its process is gone, or its scope.
    pub(super) fn set_custom_status(
        &mut self,
        definition: &Compiled,
        Dispatch { key, attempt, epoch }: Dispatch,
        (now, set_at): (Time, Time),
        text: &str,
    ) {
        let set = CustomStatusSet { key, attempt, set_at, text: CustomStatus::cut(text).into() };
        if epoch != self.epoch || self.allows_custom_status(definition, &set).is_err() {
            return;
        }
        let known = self.unrecorded_status.0.as_deref().or(self.custom_status.as_deref());
        if known.is_some_and(|known| known.is_as_new(self.epoch, now, set_at)) {
            // It was told before, or came later than what was set after it.
            return;
        }
        let node = self.status_node(definition, key);
        self.unrecorded_status.0 = Some(Box::new(SetStatus { set, node, epoch }));
    }

    /// Records the line that is not recorded yet, as the first fact of what is about to be recorded.
    #[inline]
    pub(super) fn record_custom_status(&mut self, definition: &Compiled, at: Time, turn: &mut Turn) {
        if let Some(unrecorded) = self.unrecorded_status.0.take() {
            self.commit(definition, at, Fact::CustomStatusSet(unrecorded.set), turn);
        }
    }

    /// Whether a handler may have set a line: it has begun.
    pub(super) fn allows_custom_status(&self, definition: &Compiled, set: &CustomStatusSet) -> Result<(), Refused> {
        let CustomStatusSet { key, attempt, text, .. } = set;
        let state = self.work(*key)?;
        if definition.at(key.node).step != Step::Handle {
            return Err(Refused::Invalid("the node has no handler"));
        }
        if text.len() > CustomStatus::TEXT_BYTES_MAX {
            return Err(Refused::Invalid("the custom status is too long"));
        }
        match state.attempt() {
            Some(current) if current >= *attempt => Ok(()),
            _ => Err(Refused::Stale { key: *key, attempt: *attempt }),
        }
    }

    pub(super) fn custom_status_set(
        &mut self,
        definition: &Compiled,
        set: CustomStatusSet,
        sink: &mut impl EffectSink,
    ) {
        let node = self.status_node(definition, set.key);
        let status = SetStatus { set, node, epoch: self.epoch };
        if sink.watched() {
            sink.notice(Notice::CustomStatus(status.shown()), None);
        }
        self.custom_status = Some(Box::new(status));
    }

    pub(super) fn forget_custom_status(&mut self) {
        self.custom_status = None;
        self.unrecorded_status = Unrecorded::default();
    }

    fn status_node(&self, definition: &Compiled, key: WorkKey) -> Box<str> {
        let path = self.path_inside(definition, key);
        path.map_or_else(|| definition.node(key.node).id.as_str().into(), |path| path.to_string().into())
    }
}
