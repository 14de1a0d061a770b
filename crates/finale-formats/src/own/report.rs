//! Collecting what is wrong, with the way to it.

use crate::error::{Fault, Faults, LoadError, LoadProblem, Place, Step};
use crate::places::Places;
use crate::tree::Located;
use crate::warning::{FileWarning, LoadWarning};

/// What is wrong so far, and where the reader is.
#[derive(Default)]
pub(super) struct Report<'a> {
    path: Vec<Way<'a>>,
    faults: Vec<Fault>,
    omitted: usize,
    warnings: Vec<FileWarning>,
    /// Where the parts of the graph stand that was read last, if that is inside of a node.
    body: Option<Places>,
    /// The same for what undoes that node.
    compensation: Option<Places>,
}

#[derive(Clone, Copy)]
enum Way<'a> {
    Key(&'a str),
    Index(usize),
}

impl<'a> Report<'a> {
    /// Reads what is under a key.
    pub(super) fn inside<T>(&mut self, key: &'a str, read: impl FnOnce(&mut Self) -> T) -> T {
        self.behind(Way::Key(key), read)
    }

    /// Reads an element of a list.
    pub(super) fn inside_index<T>(&mut self, index: usize, read: impl FnOnce(&mut Self) -> T) -> T {
        self.behind(Way::Index(index), read)
    }

    fn behind<T>(&mut self, way: Way<'a>, read: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(way);
        let value = read(self);
        self.path.pop();
        value
    }

    /// Keeps a problem; once there are too many it is only counted, and costs nothing.
    pub(super) fn add(&mut self, place: Option<Place>, problem: impl FnOnce() -> LoadProblem) {
        if self.faults.len() == LoadError::PROBLEMS_MAX {
            self.omitted += 1;
            return;
        }
        let fault = Fault::new(problem()).at(place).on_path(self.steps());
        self.faults.push(fault);
    }

    /// Keeps something that is allowed and dangerous; beyond a number nobody reads, it is dropped.
    pub(super) fn warn(&mut self, place: Option<Place>, warning: LoadWarning) {
        if self.warnings.len() < LoadError::PROBLEMS_MAX {
            let path = self.steps().collect();
            self.warnings.push(FileWarning { place, path, warning });
        }
    }

    /// Keeps where the parts of a graph stand that is inside of the node that is being read.
    pub(super) fn keep_body(&mut self, places: Places) {
        self.body = Some(places);
    }

    /// Where the parts of the graph stand that is inside of the node that was just read.
    pub(super) fn take_body(&mut self) -> Option<Places> {
        self.body.take()
    }

    /// Keeps where the parts of what is inside of a map stand, or, if that is one task, those of what undoes an item.
    pub(super) fn keep_item_compensation(&mut self, id: &str, inside: Option<Places>, compensation: Option<Places>) {
        self.body = inside.or_else(|| {
            let mut places = Places::default();
            places.compensations.insert(id.to_owned(), compensation?);
            Some(places)
        });
    }

    /// Keeps where the parts of what undoes the node stand that is being read.
    pub(super) fn keep_compensation(&mut self, places: Option<Places>) {
        self.compensation = places;
    }

    /// Where the parts of what undoes the node stand that was just read.
    pub(super) fn take_compensation(&mut self) -> Option<Places> {
        self.compensation.take()
    }

    fn steps(&self) -> impl DoubleEndedIterator<Item = Step> + '_ {
        self.path.iter().map(|way| match way {
            Way::Key(key) => Step::Key((*key).to_owned()),
            Way::Index(index) => Step::Index(*index),
        })
    }

    /// Keeps that a value has another type; there is no value then.
    pub(super) fn wrong_type<T>(&mut self, value: &Located, expected: &'static str) -> Option<T> {
        let found = value.tree.type_name();
        self.add(value.place, || LoadProblem::WrongType { expected, found });
        None
    }

    /// The warnings, if nothing was wrong.
    pub(super) fn finish(self) -> Result<Vec<FileWarning>, Faults> {
        if self.faults.is_empty() {
            return Ok(self.warnings);
        }
        Err(Faults { list: self.faults, omitted: self.omitted })
    }
}
