//! The numbers by which the state machines of one shard name things. They are dense, so that tables are indexed by them.

use std::fmt;

/// The place of an execution in its shard; its callback is registered under this number.
///
/// The Supervisor assigns slots at admission and reuses the index after the end. Messages about the ended execution may
/// still be on their way then, so a slot has a generation as well: executions that use the same index one after the other
/// have different slots, and a message for the first never reaches the second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot {
    index: u32,
    life: u32,
}

impl Slot {
    /// The first life of an index.
    pub const fn new(index: u32) -> Self {
        Self { index, life: 0 }
    }

    /// The index, for tables.
    pub const fn index(self) -> usize {
        self.index as usize
    }

    /// The slot of the next execution with the same index.
    #[must_use]
    pub const fn next_life(self) -> Self {
        Self { index: self.index, life: self.life.wrapping_add(1) }
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.life)
    }
}

/// A request from outside that waits for an answer. The state machines know only its number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// A shard of the runtime.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardNo(pub u16);

/// An actor for executions in the pool of its shard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActorNo(pub u32);

/// The receiver of messages about the tasks of an execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Callback {
    /// The Supervisor, which holds a parked execution as a plain value.
    Supervisor,
    /// The actor that hosts the execution.
    Actor(ActorNo),
}

impl Callback {
    /// The number as an index into a table of all callbacks.
    pub const fn index(self) -> usize {
        match self {
            Self::Supervisor => 0,
            Self::Actor(ActorNo(number)) => number as usize + 1,
        }
    }

    /// The callback with that index.
    pub const fn from_index(index: usize) -> Self {
        match index {
            0 => Self::Supervisor,
            actor => Self::Actor(ActorNo(actor as u32 - 1)),
        }
    }
}

/// A compiled definition of its shard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DefinitionNo(pub u32);

/// A registered handler of the runtime.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HandlerNo(pub u16);

/// A limit on the number of running handlers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LimitNo(pub u16);

impl LimitNo {
    /// The limit on all handlers together.
    pub const RUNTIME: Self = Self(0);

    /// The number as an index into a table of all limits.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A batch of outcomes; batches of a shard are numbered from 1 in the order in which they are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BatchNo(pub u64);

impl BatchNo {
    /// Acknowledges no batch.
    pub const NONE: Self = Self(0);
}

/// The future of a running handler, numbered by its owner. A number is reused only after its future is gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FutureNo(pub u32);

impl FutureNo {
    /// The number as an index into a table of all futures.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_that_is_given_again_is_another_slot() {
        let first = Slot::new(7);
        let second = first.next_life();
        assert_eq!(first.index(), second.index());
        assert_ne!(first, second);
    }

    #[test]
    fn callbacks_read_back_from_their_index() {
        for callback in [Callback::Supervisor, Callback::Actor(ActorNo(0)), Callback::Actor(ActorNo(9))] {
            assert_eq!(Callback::from_index(callback.index()), callback);
        }
    }
}
