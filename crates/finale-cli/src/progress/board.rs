//! What is known of all executions that are followed.

use std::collections::HashMap;

use finale::{Event, EventKind, ExecutionId, Time, Workflow};

use super::frame::Frame;
use super::news::{coloured, plain};
use super::tally::{News, Tally};
use crate::handlers::{Announced, Announcements, Said};
use crate::look::Look;
use crate::text::{Lines, printable};
use crate::{console, time};

/// What is known of all executions that are followed, and what of it was not said yet.
#[derive(Debug)]
pub(super) struct Board {
    look: Look,
    name: String,
    started: Time,
    tallies: Vec<Tally>,
    ids: HashMap<ExecutionId, usize>,
    announcements: Announcements,
    /// Announcements of executions that are not followed yet, and of attempts whose start event has not arrived.
    early: Vec<Announced>,
    untold: Vec<Untold>,
}

/// Something that was not said yet.
#[derive(Debug)]
enum Untold {
    News(News),
    /// A message of `log`.
    Text(String),
}

impl Board {
    pub(super) fn new(look: Look, name: String, announcements: Announcements) -> Self {
        Self {
            look,
            name,
            started: time::now(),
            tallies: Vec::new(),
            ids: HashMap::new(),
            announcements,
            early: Vec::new(),
            untold: Vec::new(),
        }
    }

    pub(super) fn look(&self) -> Look {
        self.look
    }

    /// Begins with another execution; gives its number.
    pub(super) fn add(&mut self, id: ExecutionId, workflow: &Workflow) -> usize {
        let number = self.tallies.len();
        self.tallies.push(Tally::new(workflow));
        self.ids.insert(id, number);
        self.take_early();
        number
    }

    /// Takes an event into account; what happened before the process began is no news.
    pub(super) fn hear(&mut self, execution: usize, event: &Event) {
        self.take_announced();
        let news = self.tallies[execution].hear(event);
        self.untold.extend(news.filter(|news| news.at >= self.started).map(Untold::News));
        if matches!(event.kind, EventKind::NodeTransitioned { .. }) {
            self.take_early();
        }
    }

    /// Processes the queue of announcements.
    fn take_announced(&mut self) {
        while let Some(announced) = self.announcements.take() {
            self.take(announced);
        }
    }

    /// Retries the announcements that came too early.
    fn take_early(&mut self) {
        for announced in std::mem::take(&mut self.early) {
            self.take(announced);
        }
    }

    fn take(&mut self, announced: Announced) {
        let execution = match &announced {
            Announced::Begun(begun) => begun.task.execution,
            Announced::Said(said) => said.task.execution,
        };
        let tally = self.ids.get(&execution).map(|number| &mut self.tallies[*number]);
        match (announced, tally) {
            // Both are displayed after all events before the start of their attempt.
            (Announced::Begun(begun), Some(tally)) if tally.has_begun(begun.task.key, begun.attempt) => {
                let news = tally.begin(begun.task.key, begun.attempt, begun.at);
                self.untold.extend(news.map(Untold::News));
            }
            (Announced::Said(said), Some(tally)) if tally.has_begun(said.task.key, said.attempt) => {
                self.untold.push(Untold::Text(said.text));
            }
            (early, _) => self.early.push(early),
        }
    }

    /// Says what was not said yet.
    pub(super) fn tell(&mut self) {
        self.take_announced();
        let mut text = String::new();
        let mut news = Vec::new();
        for untold in std::mem::take(&mut self.untold) {
            match untold {
                Untold::News(one) => news.push(one),
                Untold::Text(said) => {
                    text.push_str(&self.said(&std::mem::take(&mut news)));
                    text.push_str(&printable(&said, Lines::Kept));
                    text.push('\n');
                }
            }
        }
        text.push_str(&self.said(&news));
        if !text.is_empty() {
            console::lines(&text);
        }
    }

    /// Like [`tell`](Self::tell), and displays the messages whose start event will not arrive any more.
    pub(super) fn tell_all(&mut self) {
        self.tell();
        for announced in std::mem::take(&mut self.early) {
            if let Announced::Said(Said { text, .. }) = announced {
                console::note(text);
            }
        }
    }

    fn said(&self, news: &[News]) -> String {
        match self.look.live {
            true => coloured(news, self.look, console::size().0),
            false => plain(news, self.look),
        }
    }

    /// Shows how things stand.
    pub(super) fn draw(&self) {
        let (columns, lines) = console::size();
        let (name, started, now) = (self.name.as_str(), self.started, time::now());
        let frame = Frame { look: self.look, name, started, now, columns, lines };
        console::show(frame.text(&self.tallies));
    }
}
