//! What there is to go on with.

use std::collections::HashMap;
use std::path::Path;

use finale::core::DefinitionHash;
use finale::journal::{JournalError, LiveExecution, SqliteJournal};
use finale::offline::{self, ReadError};
use finale::{ExecutionId, Workflow};

use crate::journal::{is_parked, live};
use crate::run::{Outside, RunError, Simulation, Surroundings, check_handlers, outside};

/// What there is to go on with.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) journal: SqliteJournal,
    /// What has not ended, oldest first.
    pub(super) live: Vec<LiveExecution>,
    pub(super) simulation: Simulation,
    workflows: HashMap<DefinitionHash, (Workflow, Outside)>,
}

impl Found {
    /// Looks whether there is somebody for everything that has to be done.
    ///
    /// Before anything goes on: without its handler an execution would be quarantined, and without somebody outside it
    /// would be waited for in vain.
    pub(super) fn read(journal: SqliteJournal, path: &Path, simulate: bool, terminal: bool) -> Result<Self, RunError> {
        let live = live(&journal)?;
        let mut simulation = Simulation::default();
        let mut workflows = HashMap::new();
        for workflow in read_workflows(&journal, &live)?.into_values() {
            let definition = workflow.definition();
            let place = format!("{}: workflow {:?}", path.display(), definition.id);
            if simulate {
                simulation = simulation.of_all_handlers(definition);
            }
            check_handlers(&simulation, definition, &place)?;
            let outside = outside(definition, simulate, terminal, &place)?;
            workflows.insert(workflow.hash(), (workflow, outside));
        }
        Ok(Self { journal, live, simulation, workflows })
    }

    /// Those that are not left where they are.
    pub(super) fn to_go_on(&self) -> impl Iterator<Item = &LiveExecution> {
        self.live.iter().filter(|live| !is_parked(live))
    }

    /// Who does the tasks of an execution; none if it cannot be read, so that it will be quarantined.
    pub(super) fn surroundings(&self, live: &LiveExecution) -> Option<Surroundings<'_>> {
        let (workflow, outside) = self.workflows.get(&live.definition)?;
        Some(Surroundings { workflow, simulation: &self.simulation, outside: *outside })
    }

    /// Whether somebody at the terminal does the tasks of an execution.
    pub(super) fn is_asked(&self, live: &LiveExecution) -> bool {
        self.surroundings(live).is_some_and(|surroundings| surroundings.outside == Outside::Asked)
    }

    /// Whether somebody at the terminal has anything to do.
    pub(super) fn is_anybody_asked(&self) -> bool {
        self.to_go_on().any(|live| self.is_asked(live))
    }

    /// How many nodes there can be under way at once.
    pub(super) fn nodes(&self) -> usize {
        let nodes = |live| self.surroundings(live).map_or(0, |surroundings| surroundings.workflow.compiled().len());
        self.to_go_on().map(nodes).sum()
    }
}

/// What goes on, each once.
fn read_workflows(
    journal: &SqliteJournal,
    live: &[LiveExecution],
) -> Result<HashMap<DefinitionHash, Workflow>, JournalError> {
    let mut workflows = HashMap::new();
    for live in live.iter().filter(|live| !is_parked(live)) {
        if workflows.contains_key(&live.definition) {
            continue;
        }
        if let Some(workflow) = read_workflow(journal, live.id)? {
            workflows.insert(live.definition, workflow);
        }
    }
    Ok(workflows)
}

fn read_workflow(journal: &SqliteJournal, id: ExecutionId) -> Result<Option<Workflow>, JournalError> {
    match offline::read(journal, id) {
        Ok(reading) => Ok(Some(reading.workflow().clone())),
        Err(ReadError::Journal(error)) => Err(error),
        // The runtime finds the same, and quarantines it.
        Err(_) => Ok(None),
    }
}
