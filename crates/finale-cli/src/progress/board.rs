//! What is known of all executions that are followed.

use std::collections::HashMap;

use finale::{Event, ExecutionId, Time, Workflow};

use super::frame::Frame;
use super::news::{coloured, plain};
use super::tally::{News, Tally};
use crate::handlers::Begun;
use crate::look::Look;
use crate::run::Simulation;
use crate::{console, time};

/// What is known of all executions that are followed, and what of it was not said yet.
#[derive(Debug)]
pub(super) struct Board {
    look: Look,
    name: String,
    started: Time,
    tallies: Vec<Tally>,
    ids: HashMap<ExecutionId, usize>,
    /// Commands of executions that are not followed yet.
    early: Vec<Begun>,
    untold: Vec<News>,
}

impl Board {
    pub(super) fn new(look: Look, name: String) -> Self {
        Self {
            look,
            name,
            started: time::now(),
            tallies: Vec::new(),
            ids: HashMap::new(),
            early: Vec::new(),
            untold: Vec::new(),
        }
    }

    pub(super) fn look(&self) -> Look {
        self.look
    }

    /// Begins with another execution; gives its number.
    pub(super) fn add(&mut self, id: ExecutionId, workflow: &Workflow, simulation: &Simulation) -> usize {
        let number = self.tallies.len();
        self.tallies.push(Tally::new(workflow, simulation));
        self.ids.insert(id, number);
        for begun in std::mem::take(&mut self.early) {
            self.begin(&begun);
        }
        number
    }

    /// Takes into account that a command begins.
    pub(super) fn begin(&mut self, begun: &Begun) {
        match self.ids.get(&begun.task.execution) {
            Some(number) => {
                let news = self.tallies[*number].begin(begun.task.key.node, begun.attempt, begun.at);
                self.untold.extend(news);
            }
            None => self.early.push(*begun),
        }
    }

    /// Takes an event into account; what happened before the process began is no news.
    pub(super) fn hear(&mut self, execution: usize, event: &Event) {
        let news = self.tallies[execution].hear(event);
        self.untold.extend(news.filter(|news| news.at >= self.started));
    }

    /// Says what was not said yet.
    pub(super) fn tell(&mut self) {
        let untold = std::mem::take(&mut self.untold);
        let text = match self.look.live {
            true => coloured(&untold, self.look, console::size().0),
            false => plain(&untold, self.look),
        };
        if !text.is_empty() {
            console::lines(&text);
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
