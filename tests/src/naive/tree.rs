//! Calls, groups, maps and loops as the semantics has them: whatever runs inside of a node is a naive execution of its own,
//! and the node is told what it came to, as if somebody outside had done it.

use std::collections::{BTreeMap, BTreeSet};

use finale_core::definition::{Definition, Node, NodeKind, Task};
use finale_core::execution::{Command, Input, Report};
use finale_core::fact::{Activation, Signalled, Timer};
use finale_core::failure::Failure;
use finale_core::{AttemptNo, Dispatch, Epoch, ExecutionStatus, NodeIndex, NodeStatus, Payload, WorkKey};

use super::inside::{self, Inside};
use super::waits::{Listener, is_sound};
use super::{Mistake, Naive, No};

/// A workflow with all that it calls. Calls hand on the input, and what they call says nothing of its output.
#[derive(Clone, Debug)]
pub struct Tree {
    /// As it was written.
    definition: Definition,
    /// The workflows that can be called.
    library: Vec<Definition>,
    naive: Naive,
    /// What runs inside of each node, by its number.
    inside: BTreeMap<usize, Inside>,
    /// The executions inside, by node and number.
    children: BTreeMap<(usize, u32), Tree>,
    /// What it was given.
    given: Option<Activation>,
    /// The nodes whose only execution inside is over.
    reported: BTreeSet<usize>,
    mistake: Option<Mistake>,
    /// How many recoveries it has seen.
    lives: u32,
}

impl Tree {
    /// An execution to which nothing has happened; `library` are the workflows that it calls, by their ids.
    pub fn new(definition: Definition, library: Vec<Definition>) -> Self {
        let nodes = definition.nodes.iter().map(as_task).collect();
        let naive = Naive::new(Definition { nodes, ..definition.clone() }).beginning_by_itself();
        let (inside, children) = (BTreeMap::new(), BTreeMap::new());
        Self {
            definition,
            library,
            naive,
            inside,
            children,
            given: None,
            reported: BTreeSet::new(),
            mistake: None,
            lives: 0,
        }
    }

    /// The same, which has misread a rule.
    #[must_use]
    pub fn misread(self, mistake: Option<Mistake>) -> Self {
        Self { mistake, ..self }
    }

    /// Begins it.
    pub fn activate(&mut self, activation: &Activation) -> Result<(), No> {
        self.naive.tell(&Input::Activate(activation.clone()), &[])?;
        self.given = Some(activation.clone());
        self.settle(activation);
        Ok(())
    }

    /// What a handler or somebody outside says of the work at the end of a way, in the current life. Each step of the way is
    /// a node, and which of what is inside of it.
    pub fn tell(
        &mut self,
        way: &[(usize, u32)],
        attempt: AttemptNo,
        told: &Told,
        activation: &Activation,
    ) -> Result<(), No> {
        if self.is_over() {
            return Err(No::Over);
        }
        let told = self.tell_inside(way, attempt, told);
        self.settle(activation);
        // What is over by itself waits for what it calls.
        told.map_err(|no| if no == No::Over { No::Late } else { no })
    }

    /// Somebody sends a signal: whoever waits for it in all that is inside shares the signals.
    pub fn signal(&mut self, signal: &Signalled, activation: &Activation) -> Result<(), No> {
        if self.is_over() {
            return Err(No::Over);
        }
        if self.naive.signals.is_known(signal) {
            return Ok(());
        }
        if !is_sound(signal) {
            return Err(No::Invalid);
        }
        self.naive.signals.note(signal);
        let listeners = self.naive.signals.listeners(&signal.name);
        let mut is_kept = true;
        for listener in listeners {
            if let Some(naive) = self.listening(listener) {
                naive.receive(listener.node, signal);
                naive.tell(&Input::Continue, &[]).expect("it is open");
                is_kept = false;
                if self.mistake != Some(Mistake::GivesSignalToAll) {
                    break;
                }
            }
        }
        if is_kept && self.mistake != Some(Mistake::LosesEarlySignal) {
            self.naive.signals.keep(signal);
        }
        self.settle(activation);
        Ok(())
    }

    /// The execution of a node that waits for a signal; none if the node waits no longer.
    fn listening(&mut self, listener: Listener) -> Option<&mut Naive> {
        if self.naive.member == listener.member {
            let takes = self.naive.is_listening(listener.node);
            return takes.then_some(&mut self.naive);
        }
        self.children.values_mut().find_map(|child| child.listening(listener))
    }

    /// The time that the node at the end of a way waits for has come.
    pub fn wait_is_over(&mut self, way: &[(usize, u32)], activation: &Activation) -> Result<(), No> {
        if self.is_over() {
            return Err(No::Over);
        }
        let over = self.wait_is_over_inside(way);
        self.settle(activation);
        over.map_err(|no| if no == No::Over { No::Invalid } else { no })
    }

    fn wait_is_over_inside(&mut self, way: &[(usize, u32)]) -> Result<(), No> {
        let (&(node, number), rest) = way.split_first().expect("a way leads to a node");
        match (rest, self.children.get_mut(&(node, number))) {
            ([], _) => {
                let timer = Timer::Wait(WorkKey::root(NodeIndex(node as u32)));
                self.naive.tell(&Input::TimerFired(timer), &[])
            }
            (_, Some(child)) => child.wait_is_over_inside(rest),
            // It is given back.
            (_, None) => Err(No::Invalid),
        }
    }

    /// The signals that nobody has taken, in their order.
    pub fn signals_left(&self) -> Vec<(String, serde_json::Value)> {
        self.naive.signals_left()
    }

    fn tell_inside(&mut self, way: &[(usize, u32)], attempt: AttemptNo, told: &Told) -> Result<(), No> {
        let (&(node, number), rest) = way.split_first().expect("a way leads to a node");
        if let [_, ..] = rest {
            return match self.children.get_mut(&(node, number)) {
                // What is over takes nothing, although what it is in goes on.
                Some(child) => {
                    child.tell_inside(rest, attempt, told).map_err(|no| if no == No::Over { No::Late } else { no })
                }
                // It is given back.
                None => Err(No::Invalid),
            };
        }
        let key = WorkKey::root(NodeIndex(node as u32));
        let dispatch = Dispatch { key, attempt, epoch: Epoch(self.lives) };
        self.naive.tell(&told.input(dispatch), &[])
    }

    /// The moment has come at which a round of the loop at the end of a way begins.
    pub fn fire(&mut self, way: &[(usize, u32)], round: u32, activation: &Activation) -> Result<(), No> {
        if self.is_over() {
            return Err(No::Over);
        }
        let fired = self.fire_inside(way, round);
        self.settle(activation);
        if fired { Ok(()) } else { Err(No::Invalid) }
    }

    fn fire_inside(&mut self, way: &[(usize, u32)], round: u32) -> bool {
        let (&(node, number), rest) = way.split_first().expect("a way leads to a node");
        if let [_, ..] = rest {
            return self.children.get_mut(&(node, number)).is_some_and(|child| child.fire_inside(rest, round));
        }
        self.inside.get_mut(&node).is_some_and(|inside| inside.fire(round))
    }

    /// Somebody wants its end.
    pub fn command(&mut self, command: Command, activation: &Activation) -> Result<(), No> {
        let is_cancel = matches!(command, Command::Cancel { .. });
        match self.status() {
            // What it calls is still being stopped: this one joins.
            ExecutionStatus::Ending if is_cancel => {}
            ExecutionStatus::Ending => return Err(No::NotRunning),
            _ => self.naive.tell(&Input::Command(command), &[])?,
        }
        self.settle(activation);
        Ok(())
    }

    /// The process is gone, and another one goes on.
    pub fn recover(&mut self, activation: &Activation) {
        self.lives += 1;
        if !self.naive.status().is_terminal() {
            let recovered = Input::Recovered { epoch: Epoch(self.lives), crashed: true };
            self.naive.tell(&recovered, &[]).expect("what is open can be recovered");
        }
        self.inside.values_mut().for_each(Inside::recover);
        self.children.values_mut().filter(|child| !child.is_over()).for_each(|child| child.recover(activation));
        self.settle(activation);
    }

    /// Where it is: it is over when all that it calls is.
    pub fn status(&self) -> ExecutionStatus {
        match self.naive.status() {
            status if status.is_terminal() && !self.is_over() => ExecutionStatus::Ending,
            status => status,
        }
    }

    fn is_over(&self) -> bool {
        self.naive.status().is_terminal() && self.children.values().all(Self::is_over)
    }

    /// Where all nodes are, by their paths; what is not called yet is pending. What runs for items and in rounds is not among
    /// them.
    pub fn statuses(&self, prefix: &str, all: &mut BTreeMap<String, NodeStatus>) {
        for (number, (node, status)) in self.definition.nodes.iter().zip(self.naive.nodes()).enumerate() {
            let path = format!("{prefix}{}", node.id);
            let child = self.children.get(&(number, 0)).filter(|_| inside::is_listed(node));
            all.insert(path.clone(), if self.is_left(number) { status } else { NodeStatus::Waiting });
            let within = format!("{path}::");
            match (child, inside::graph(node, &self.library).filter(|_| inside::is_listed(node))) {
                (Some(child), _) => child.statuses(&within, all),
                (None, Some(called)) if status == NodeStatus::Pending => {
                    Self::new(called, self.library.clone()).statuses(&within, all);
                }
                _ => {}
            }
        }
    }

    /// Whether nothing is under way any more inside of a node.
    fn is_left(&self, node: usize) -> bool {
        self.children.range((node, 0)..=(node, u32::MAX)).all(|(_, child)| child.is_over())
    }

    /// How many handlers are at work in all of it.
    pub fn running(&self) -> u32 {
        let own = self.naive.nodes().into_iter().filter(|status| *status == NodeStatus::Running).count() as u32;
        own + self.children.values().map(Self::running).sum::<u32>()
    }

    /// How many items of its own maps are open, done and not done, by the ids of the maps.
    pub fn items(&self) -> BTreeMap<String, (u32, u32, u32)> {
        let counts =
            |(node, inside): (&usize, &Inside)| Some((self.definition.nodes[*node].id.clone(), inside.items()?));
        self.inside.iter().filter_map(counts).collect()
    }

    /// Its output, once it has completed.
    pub fn output(&self) -> Option<&serde_json::Value> {
        self.naive.output()
    }

    /// Calls what is reached, tells callers what came of it, and closes what nobody wants any more, until nothing moves.
    fn settle(&mut self, activation: &Activation) {
        while self.step(activation) {}
    }

    fn step(&mut self, activation: &Activation) -> bool {
        let mut moved = false;
        for (number, status) in self.naive.nodes().into_iter().enumerate() {
            let node = self.definition.nodes[number].clone();
            let Some(graph) = inside::graph(&node, &self.library) else { continue };
            if status == NodeStatus::Waiting && !self.inside.contains_key(&number) {
                self.inside.insert(number, Inside::new(&node, self.mistake));
                moved = true;
            }
            if !self.inside.contains_key(&number) {
                continue;
            }
            if status == NodeStatus::Waiting {
                moved |= self.open(number, &graph);
            }
            let is_each = !inside::is_listed(&node);
            moved |= self.step_inside(number, status, is_each, activation);
            let result = self.inside.get(&number).and_then(Inside::result);
            if status == NodeStatus::Waiting
                && let Some(result) = result
            {
                let result = result.map(|output| Payload::encode(&output).expect("it was read from JSON"));
                let report = Report::new(WorkKey::root(NodeIndex(number as u32)), result);
                self.naive.tell(&Input::Reported(report), &[]).expect("it waits for that");
                return true;
            }
        }
        moved
    }

    /// Begins what may begin inside of a node.
    fn open(&mut self, number: usize, graph: &Definition) -> bool {
        let given = self.given.clone().expect("it was activated");
        let mut moved = false;
        while let Some((instance, input)) = self.inside.get_mut(&number).and_then(|inside| inside.next(&given.input)) {
            let mut child = Self::new(graph.clone(), self.library.clone()).misread(self.mistake);
            child.naive.member = self.naive.signals.join();
            if self.mistake != Some(Mistake::KeepsSignalsApart) {
                child.naive.signals = self.naive.signals.clone();
            }
            child.activate(&Activation { input, ..given.clone() }).expect("it is new");
            self.children.insert((number, instance), child);
            moved = true;
        }
        moved
    }

    /// Lets what is inside of a node go on, closes what nobody wants any more, and takes in what is over.
    fn step_inside(&mut self, number: usize, status: NodeStatus, is_each: bool, activation: &Activation) -> bool {
        let Some(inside) = self.inside.get_mut(&number) else { return false };
        let is_closed = status == NodeStatus::Cancelled;
        if is_closed {
            inside.close();
        }
        let (mut moved, is_unwanted) = (false, is_closed || inside.has_failed());
        let mut over = Vec::new();
        for (key, child) in self.children.range_mut((number, 0)..=(number, u32::MAX)) {
            moved |= child.step(activation);
            if is_unwanted && child.is_open() {
                child.command(Command::Cancel { by: "its caller".into() }, activation).expect("it is open");
                moved = true;
            }
            if child.is_over() {
                over.push(*key);
            }
        }
        for key in over {
            let output = self.children.get(&key).and_then(|child| child.output().cloned());
            if is_each {
                self.children.remove(&key);
            } else if self.reported.contains(&key.0) {
                continue;
            } else {
                self.reported.insert(key.0);
            }
            moved = true;
            let inside = self.inside.get_mut(&number).expect("it is there");
            // What was closed has not failed.
            inside.over(key.1, output.as_ref(), is_unwanted);
        }
        moved
    }

    fn is_open(&self) -> bool {
        self.naive.status() == ExecutionStatus::Running
    }
}

/// What is said of a piece of work.
#[derive(Clone, Debug)]
pub enum Told {
    /// Its handler is done.
    Outcome(Result<Payload, Failure>),
    /// Somebody outside reports.
    Reported(Result<Payload, Failure>),
    /// Its handler was stopped.
    Stopped,
}

impl Told {
    /// The input that says so of an attempt.
    pub fn input(&self, dispatch: Dispatch) -> Input {
        match self.clone() {
            Self::Outcome(result) => {
                Input::Outcome { dispatch, result, started: Default::default(), ended: Default::default() }
            }
            Self::Reported(result) => Input::Reported(Report::new(dispatch.key, result)),
            Self::Stopped => Input::Stopped { dispatch, how: finale_core::fact::StopOutcome::Stopped },
        }
    }
}

/// A node with something inside as what it is in takes it for: something that is done outside, once.
fn as_task(node: &Node) -> Node {
    let optional = match &node.kind {
        NodeKind::Subworkflow(call) => call.optional,
        NodeKind::Group(group) => group.optional,
        NodeKind::Map(map) => map.optional,
        NodeKind::Loop(repeated) => repeated.optional,
        _ => return node.clone(),
    };
    let task = Task { title: Some(node.label.clone()), optional, ..Task::external() };
    Node { kind: NodeKind::Task(task), ..node.clone() }
}
