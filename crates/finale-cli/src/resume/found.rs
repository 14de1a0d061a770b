//! What there is to go on with.

use std::cell::OnceCell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use finale::journal::{JournalError, LiveExecution, SqliteJournal};
use finale::offline::{self, ReadError};
use finale::{ExecutionId, Workflow};
use finale_core::definition::NodeKind;
use finale_core::{Compiled, DefinitionHash, NodeIndex};

use super::Arguments;
use crate::handlers::{CommandPaths, Handlers, LogsOption, runs_command};
use crate::journal::{is_parked, live};
use crate::run::{
    Outside, RunError, Simulation, Surroundings, Willing, awaited_signal, check_answers, check_handlers, close,
    end_leftover_commands,
};
use crate::run_file::RunFile;

/// What there is to go on with.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) journal: SqliteJournal,
    /// What has not ended, oldest first.
    pub(super) live: Vec<LiveExecution>,
    pub(super) simulation: Simulation,
    pub(super) handlers: Handlers,
    workflows: HashMap<DefinitionHash, (Workflow, Outside)>,
    run_file: Arc<RunFile>,
    willing: Willing,
}

impl Found {
    /// Looks whether there is somebody for everything that has to be done.
    ///
    /// Before anything goes on: without its handler an execution would be quarantined, and without somebody outside it
    /// would be waited for in vain.
    pub(super) fn read(arguments: &Arguments, terminal: bool) -> Result<Self, RunError> {
        let journal = arguments.place.write()?;
        let (path, live) = (&arguments.place.path, live(&journal)?);
        let found = read_workflows(&journal, &live)?;
        let simulation = simulation(arguments, &found)?;
        let willing = Willing { simulate: arguments.simulate, yes: arguments.yes, terminal };
        let mut workflows = HashMap::new();
        for (hash, workflow) in found {
            let definition = workflow.definition();
            let place = format!("{}: workflow {:?}", path.display(), definition.id);
            check_handlers(&simulation, definition, &place)?;
            let over = OnceCell::new();
            let is_over = |at: NodeIndex| {
                let read = || over_in_all(&journal, &live, hash, workflow.compiled());
                over.get_or_init(read).contains(&at)
            };
            let outside = willing.outside(workflow.compiled(), &simulation, &place, is_over)?;
            check_answers(&workflow, &simulation, outside, &place, is_over)?;
            workflows.insert(hash, (workflow, outside));
        }
        let open: HashSet<ExecutionId> = live.iter().map(|live| live.id).collect();
        let run_file = Arc::new(RunFile::open(path, |id| open.contains(&id))?);
        let logs = arguments.handlers.logs.clone().map_or(LogsOption::Unsaid, LogsOption::Below);
        let paths = CommandPaths::new(logs, arguments.directory.as_deref(), Some(Arc::clone(&run_file)));
        let handlers = Handlers::new(paths.map_err(RunError::WorkingDirectory)?, &arguments.handlers);
        let found = Self { journal, live, simulation, handlers, workflows, run_file, willing };
        found.check_directories()?;
        if arguments.simulate {
            found.check_schemas(path)?;
        }
        end_leftover_commands(&found.run_file)?;
        Ok(found)
    }

    /// Checks that the working directories of commands still exist.
    fn check_directories(&self) -> Result<(), RunError> {
        for live in self.to_go_on() {
            let Some(Surroundings { workflow, simulation, .. }) = self.surroundings(live) else { continue };
            let compiled = workflow.compiled();
            let directory = self.handlers.paths().of(live.id).directory;
            let commands = compiled.all_positions().any(|node| runs_command(compiled, node, simulation));
            if commands && !directory.is_dir() {
                return Err(RunError::NoDirectory { execution: live.id, directory });
            }
        }
        Ok(())
    }

    /// Checks that it is known what tasks and signals give that have a schema: it is kept with the execution, and what a
    /// simulation gives need not fit it.
    fn check_schemas(&self, path: &Path) -> Result<(), RunError> {
        for live in self.to_go_on() {
            let Some(Surroundings { workflow, simulation, .. }) = self.surroundings(live) else { continue };
            let compiled = workflow.compiled();
            let mut unknown = compiled.all_positions().filter(|node| has_unknown_output(compiled, *node, simulation));
            let Some(first) = unknown.next() else { continue };
            let Ok(reading) = offline::read(&self.journal, live.id) else { continue };
            let record = reading.record();
            let is_open = |position: &NodeIndex| {
                let id = &compiled.node(*position).id;
                !record.nodes.iter().any(|node| node.id == *id && node.state.status().is_settled())
            };
            if let Some(node) = std::iter::once(first).chain(unknown).find(is_open) {
                let node = compiled.node(node);
                let option = match awaited_signal(&node.kind) {
                    Some(signal) => format!("--signal {}=PAYLOAD", signal.name),
                    None => format!("--done {}=OUTPUT", node.id),
                };
                return Err(RunError::NothingFits { file: path.display().to_string(), node: node.id.clone(), option });
            }
        }
        Ok(())
    }

    /// Removes from the run file what no later process needs.
    pub(super) fn close(&self) -> Result<(), JournalError> {
        close(&self.run_file, &self.journal)
    }

    /// Those that are not left where they are.
    pub(super) fn to_go_on(&self) -> impl Iterator<Item = &LiveExecution> {
        self.live.iter().filter(|live| !is_parked(live))
    }

    /// Who does the tasks of an execution; none if it cannot be read, so that it will be quarantined.
    pub(super) fn surroundings(&self, live: &LiveExecution) -> Option<Surroundings<'_>> {
        let (workflow, outside) = self.workflows.get(&live.definition)?;
        // A handler of an application can have left something to an operator whose definition does not say so.
        let outside = if *outside == Outside::Nobody { self.willing.agreed() } else { *outside };
        Some(Surroundings { workflow, simulation: &self.simulation, outside, is_kept: true })
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
        let nodes = |live| {
            self.surroundings(live).map_or(0, |surroundings| surroundings.workflow.compiled().all_positions().len())
        };
        self.to_go_on().map(nodes).sum()
    }
}

/// The nodes of a definition itself that are over in all executions of it that go on.
fn over_in_all(
    journal: &SqliteJournal,
    live: &[LiveExecution],
    definition: DefinitionHash,
    compiled: &Compiled,
) -> HashSet<NodeIndex> {
    let mut over: HashSet<NodeIndex> = compiled.all_positions().collect();
    for live in live.iter().filter(|live| live.definition == definition && !is_parked(live)) {
        let nodes = offline::read(journal, live.id).map_or(Vec::new(), |reading| reading.record().nodes);
        let settled = nodes.iter().filter(|node| node.state.status().is_settled());
        let settled: HashSet<NodeIndex> = settled.filter_map(|node| compiled.position(&node.id)).collect();
        over.retain(|at| settled.contains(at));
    }
    over
}

/// Whether a node declares what it gives, and it was not said in advance what that is.
fn has_unknown_output(compiled: &Compiled, position: NodeIndex, simulation: &Simulation) -> bool {
    match &compiled.node(position).kind {
        NodeKind::Task(task) => task.output_schema.is_some() && !simulation.answers().is_told(compiled, position),
        kind => awaited_signal(kind).is_some_and(|signal| {
            signal.schema.is_some() && !simulation.signals().iter().any(|(name, _)| *name == signal.name)
        }),
    }
}

/// What tasks come to that nobody really does.
fn simulation(arguments: &Arguments, workflows: &HashMap<DefinitionHash, Workflow>) -> Result<Simulation, RunError> {
    let compiled: Vec<_> = workflows.values().map(Workflow::compiled).collect();
    let answers = arguments.answered.answers(&compiled);
    let file = arguments.place.path.display();
    let answers = answers.map_err(|error| RunError::Answer { file: file.to_string(), error })?;
    // Of recorded runs nothing is known any more: their tasks are done at once.
    let signals = arguments.answered.signals(&compiled);
    let signals = signals.map_err(|error| RunError::Answer { file: file.to_string(), error })?;
    let simulation = Simulation::new(BTreeMap::new(), answers).with_signals(signals);
    let all = |simulation: Simulation, workflow: &Workflow| simulation.of_all_handlers(workflow.definition());
    Ok(if arguments.simulate { workflows.values().fold(simulation, all) } else { simulation })
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
