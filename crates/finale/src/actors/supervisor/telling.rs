//! Ends that handlers of the runtime are told of, on this thread.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context as Polling, Poll};

use actix::Context;
use finale_core::ExecutionId;
use finale_core::supervisor::{EndTold, Input, KnownEnd, NotTold, TellEnd};
use futures_util::stream::{FuturesUnordered, StreamExt};

use crate::actors::shared::Shared;
use crate::actors::{past, reading};
use crate::ended::Ended;

use super::Supervisor;

/// How many answers are taken in before other actors of the thread get their turn.
const TURN_MAX: usize = 64;

/// The handlers at work. Those that are not over when the shard ends are dropped with this.
#[derive(Default)]
pub(super) struct Telling(FuturesUnordered<Pin<Box<dyn Future<Output = EndTold>>>>);

impl Supervisor {
    /// Begins to tell what is to be told.
    pub(super) fn tell_ends(&mut self) {
        for TellEnd { execution, end, handlers, within } in self.out.ends.drain(..) {
            let known = end.map(|KnownEnd { outcome, definition, business_key }| Ended {
                execution,
                workflow: self.shared.definition(definition).stored.workflow.clone(),
                business_key: business_key.map(Into::into),
                outcome,
                damage: None,
            });
            // The end of the shard is reported when nothing is left of it, and this is a part of it.
            let shared = Rc::clone(&self.shared);
            self.telling.0.push(Box::pin(async move {
                let told = match find(&shared, execution, known).await {
                    Ok(Some(ended)) => take(shared.ended.tell(&handlers, &ended, within, &shared.vitals).await),
                    Ok(None) => Err(NotTold::Forgotten),
                    Err(reason) => Err(NotTold::Failed { handlers, reason }),
                };
                EndTold { execution, told }
            }));
            // They have their first turn with the next turn of this actor.
            self.drive.wake_by_ref();
        }
    }

    /// Lets handlers go on, and takes in what became of them.
    pub(super) fn poll_telling(&mut self, context: &mut Context<Self>, polling: &mut Polling<'_>) {
        if self.telling.0.is_empty() {
            return;
        }
        for _ in 0..TURN_MAX {
            let Poll::Ready(Some(told)) = self.telling.0.poll_next_unpin(polling) else { return };
            self.tell(Input::EndTold(told), context);
        }
        polling.waker().wake_by_ref();
    }
}

/// What came of telling handlers, of those that have failed. The first reason is logged.
fn take(failed: Vec<(u16, String)>) -> Result<(), NotTold> {
    let Some((_, reason)) = failed.first() else { return Ok(()) };
    let reason = reason.as_str().into();
    Err(NotTold::Failed { handlers: failed.into_iter().map(|(number, _)| number).collect(), reason })
}

/// How an execution ended; none if it is forgotten.
async fn find(shared: &Rc<Shared>, execution: ExecutionId, known: Option<Ended>) -> Result<Option<Ended>, Box<str>> {
    if known.is_some() {
        return Ok(known);
    }
    let journal = Arc::clone(&shared.journal);
    let found = reading::read(&journal, move |journal| past::find_end(journal, execution)).await;
    found.unwrap_or_else(|| Err(past::GONE.into()))
}
