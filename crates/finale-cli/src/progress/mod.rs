//! How executions get on, for people who wait for them.

mod board;
mod frame;
mod news;
mod said;
mod tally;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use finale::{Event, EventNumber, ExecutionHandle, Workflow};
use futures_util::FutureExt;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval_at};

use self::board::Board;
use crate::console;
use crate::handlers::{Announcements, Handlers};
use crate::look::Look;

/// How often it is drawn at most.
const DRAW: Duration = Duration::from_millis(100);
/// Events that are taken into account before anything else gets its turn.
const EVENTS_MAX: usize = 1_024;

/// How executions get on; must be made and used inside an actix `System`.
#[derive(Debug)]
pub(crate) struct Progress {
    board: Rc<RefCell<Board>>,
    helpers: Vec<JoinHandle<()>>,
}

/// One execution that is followed until it is over, or this is dropped.
#[derive(Debug)]
pub(crate) struct Following {
    board: Rc<RefCell<Board>>,
    hearing: JoinHandle<()>,
    /// The last event that was processed.
    heard: watch::Receiver<EventNumber>,
}

impl Progress {
    /// Begins to show it, under that name.
    pub(crate) fn start(name: &str, handlers: &Handlers) -> Self {
        let announcements = handlers.announcements();
        let board = Board::new(Look::of_stderr(), name.to_owned(), announcements.clone());
        let live = board.look().live;
        let board = Rc::new(RefCell::new(board));
        let drawing = live.then(|| finale::actix::spawn(draw(Rc::clone(&board))));
        // A terminal is told when it is drawn.
        let listening = (!live).then(|| finale::actix::spawn(listen(Rc::clone(&board), announcements)));
        Self { board, helpers: drawing.into_iter().chain(listening).collect() }
    }

    /// Shows how this execution gets on, too.
    pub(crate) fn follow(&self, workflow: &Workflow, handle: &ExecutionHandle) -> Following {
        let execution = self.board.borrow_mut().add(handle.id(), workflow);
        let (tell, heard) = watch::channel(EventNumber::default());
        let hearing = finale::actix::spawn(hear(Rc::clone(&self.board), execution, handle.clone(), tell));
        Following { board: Rc::clone(&self.board), hearing, heard }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.helpers.iter().for_each(JoinHandle::abort);
        console::release();
        self.board.borrow_mut().tell_all();
        console::show_nothing();
    }
}

impl Following {
    /// Waits until all is told of an execution that is over.
    pub(crate) async fn finish(mut self) {
        // It does not panic, and nobody else aborts it.
        let _ = (&mut self.hearing).await;
    }

    /// Waits until all events up to this one are displayed.
    pub(crate) async fn until_told(&self, number: EventNumber) {
        let mut heard = self.heard.clone();
        // An error means that the reader of the events has ended, and all that it read was displayed.
        let _ = heard.wait_for(|heard| *heard >= number).await;
        self.board.borrow_mut().tell();
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.hearing.abort();
    }
}

async fn draw(board: Rc<RefCell<Board>>) {
    let mut ticks = interval_at(tokio::time::Instant::now() + DRAW, DRAW);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        board.borrow_mut().tell();
        board.borrow().draw();
    }
}

async fn listen(board: Rc<RefCell<Board>>, announcements: Announcements) {
    loop {
        announcements.more().await;
        board.borrow_mut().tell();
    }
}

async fn hear(board: Rc<RefCell<Board>>, execution: usize, handle: ExecutionHandle, tell: watch::Sender<EventNumber>) {
    // Without its events an execution runs as well.
    let Ok(mut events) = handle.events().await else { return };
    loop {
        match events.next().await {
            Ok(Some(event)) => {
                let more = || events.next().now_or_never()?.ok()?;
                let last = take(&mut board.borrow_mut(), execution, event, more);
                tell.send_if_modified(|heard| last.is_some_and(|last| std::mem::replace(heard, last) != last));
            }
            Ok(None) => return,
            Err(lagged) => match handle.events_after(lagged.after).await {
                Ok(resumed) => events = resumed,
                Err(_) => return,
            },
        }
        tokio::task::yield_now().await;
    }
}

/// Takes all events into account that are there; gives the number of the last one that has one.
fn take(board: &mut Board, execution: usize, event: Event, more: impl FnMut() -> Option<Event>) -> Option<EventNumber> {
    let mut last = None;
    for event in std::iter::once(event).chain(std::iter::from_fn(more).take(EVENTS_MAX)) {
        last = event.number.or(last);
        board.hear(execution, &event);
    }
    // A terminal is told when it is drawn.
    if !board.look().live {
        board.tell();
    }
    last
}
