//! The definitions that run on one thread, by number.

use std::collections::BTreeSet;
use std::rc::Rc;

use finale_core::DefinitionHash;
use finale_core::number::DefinitionNo;
use rustc_hash::FxHashMap;

use super::bound::Bound;
use crate::activation::ActivateError;
use crate::context::Data;
use crate::handler::Handlers;
use crate::workflow::Workflow;

/// So many are kept at least, whether something needs them or not.
const IDLE_MAX: usize = 1_024;

#[derive(Default)]
pub(crate) struct Definitions {
    /// None where the number is free.
    bound: Vec<Option<Rc<Bound>>>,
    numbers: FxHashMap<DefinitionHash, DefinitionNo>,
    free: Vec<DefinitionNo>,
    /// So many are kept before it is looked which of them nothing needs any more.
    kept_max: usize,
}

impl Definitions {
    pub(crate) fn get(&self, number: DefinitionNo) -> Option<Rc<Bound>> {
        self.bound.get(number.0 as usize)?.clone()
    }

    /// The number of a workflow, and whether it is new here.
    ///
    /// # Errors
    /// When it does not compile here: a limit was changed since it was checked.
    pub(crate) fn number(
        &mut self,
        workflow: &Workflow,
        handlers: &Handlers,
        data: &Data,
    ) -> Result<(DefinitionNo, bool), ActivateError> {
        if let Some(number) = self.numbers.get(&workflow.hash()) {
            return Ok((*number, false));
        }
        let bound = Rc::new(Bound::new(workflow, handlers, data.clone())?);
        let number = self.free.pop().unwrap_or_else(|| {
            self.bound.push(None);
            DefinitionNo(self.bound.len() as u32 - 1)
        });
        self.bound[number.0 as usize] = Some(bound);
        self.numbers.insert(workflow.hash(), number);
        Ok((number, true))
    }

    /// The numbers of those that are kept.
    pub(crate) fn all(&self) -> Vec<DefinitionNo> {
        let known = (0..).map(DefinitionNo).zip(&self.bound);
        known.filter(|(_, bound)| bound.is_some()).map(|(number, _)| number).collect()
    }

    /// Whether so many are kept that it is worth looking which of them nothing needs any more.
    pub(crate) fn are_many(&self) -> bool {
        self.numbers.len() >= self.kept_max.max(IDLE_MAX)
    }

    /// Forgets those that are neither in use nor held by anybody; their numbers are used again.
    pub(crate) fn forget_all_but(&mut self, used: &BTreeSet<DefinitionNo>) {
        let Self { bound, numbers, free, kept_max } = self;
        numbers.retain(|_, number| {
            let place = &mut bound[number.0 as usize];
            let is_needed = used.contains(number) || place.as_ref().is_some_and(|bound| Rc::strong_count(bound) > 1);
            if !is_needed {
                *place = None;
                free.push(*number);
            }
            is_needed
        });
        *kept_max = 2 * numbers.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Task, Workflow};

    fn number(definitions: &mut Definitions, id: usize) -> (u32, bool) {
        let workflow = Workflow::builder(format!("workflow-{id}")).task("approve", Task::external()).build();
        let workflow = workflow.expect("it is sound");
        let numbered = definitions.number(&workflow, &Handlers::default(), &Data::default());
        numbered.map(|(number, is_new)| (number.0, is_new)).expect("it compiles")
    }

    #[test]
    fn what_is_used_or_held_is_kept_and_other_numbers_are_used_again() {
        let mut definitions = Definitions::default();
        for id in 0..IDLE_MAX {
            assert!(!definitions.are_many());
            assert_eq!(number(&mut definitions, id), (id as u32, true));
        }
        assert!(definitions.are_many());
        let held = definitions.get(DefinitionNo(7)).expect("it is there");
        definitions.forget_all_but(&BTreeSet::from([DefinitionNo(3)]));
        assert_eq!(definitions.all(), [3, 7].map(DefinitionNo));
        assert!(!definitions.are_many() && definitions.get(DefinitionNo(8)).is_none());
        assert_eq!((number(&mut definitions, 3), number(&mut definitions, 7)), ((3, false), (7, false)));
        let (again, is_new) = number(&mut definitions, 8);
        assert!(is_new && (again as usize) < IDLE_MAX, "{again} is a number that was used before");
        drop(held);
        definitions.forget_all_but(&BTreeSet::new());
        assert_eq!(definitions.all(), []);
    }
}
