//! Which shards live on this thread: what is activated here is best begun here.

use std::cell::RefCell;
use std::sync::Arc;

use super::inbox::Inbox;
use super::way_in::ToShard;

thread_local! {
    /// The inboxes of the shards of this thread, and their numbers.
    static HERE: RefCell<Vec<(*const Inbox<ToShard>, u16)>> = const { RefCell::new(Vec::new()) };
}

/// Notes that a shard lives on this thread.
pub(crate) fn settle(inbox: &Arc<Inbox<ToShard>>, shard: u16) {
    HERE.with_borrow_mut(|here| here.push((Arc::as_ptr(inbox), shard)));
}

/// Notes that a shard does not live here any more.
pub(crate) fn leave(inbox: &Arc<Inbox<ToShard>>) {
    // A thread that is at its end has no such table any more.
    let _ = HERE.try_with(|here| here.borrow_mut().retain(|(other, _)| *other != Arc::as_ptr(inbox)));
}

/// The shard of a runtime that lives on this thread, if one does.
pub(crate) fn shard(inboxes: &[Arc<Inbox<ToShard>>]) -> Option<u16> {
    let is_of = |inbox: *const Inbox<ToShard>, shard: u16| {
        inboxes.get(usize::from(shard)).is_some_and(|other| Arc::as_ptr(other) == inbox)
    };
    HERE.with_borrow(|here| here.iter().find(|(inbox, shard)| is_of(*inbox, *shard)).map(|(_, shard)| *shard))
}
