//! Calls, groups, maps and loops as the semantics has them: whatever runs inside of a node is a naive execution of its own,
//! and the node is told what it came to, as if somebody outside had done it.

use std::collections::{BTreeMap, BTreeSet};

use finale_core::definition::{Definition, Node, NodeKind, Task, Verdict};
use finale_core::execution::{Command, Input, Report};
use finale_core::fact::{Activation, Operation, OperatorAction, Signalled, StopOutcome, Timer};
use finale_core::failure::Failure;
use finale_core::{AttemptNo, Dispatch, Epoch, ExecutionStatus, NodeIndex, NodeStatus, Payload, WorkKey};

use super::endings::{COMPENSATION, End, Stage};
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
    /// The executions inside that are over and of which that is known.
    reported: BTreeSet<(usize, u32)>,
    /// What is known of its end.
    pub(super) end: End,
    /// What an operator has said of nodes in which something is still under way.
    operated: BTreeMap<usize, Operation>,
    /// The nodes with something inside that an operator has ended.
    ended_by_operator: BTreeSet<usize>,
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
            end: End::default(),
            operated: BTreeMap::new(),
            ended_by_operator: BTreeSet::new(),
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

    /// An operator says something of the node at the end of a way.
    pub fn operate(
        &mut self,
        way: &[(usize, u32)],
        action: &OperatorAction,
        activation: &Activation,
    ) -> Result<(), No> {
        if self.is_over() {
            return Err(No::Over);
        }
        let told = self.operate_inside(way, action);
        self.settle(activation);
        told
    }

    fn operate_inside(&mut self, way: &[(usize, u32)], action: &OperatorAction) -> Result<(), No> {
        let (&(node, number), rest) = way.split_first().expect("a way leads to a node");
        if let [_, ..] = rest {
            let child = self.children.get_mut(&(node, number)).ok_or(No::Invalid)?;
            return child.operate_inside(rest, action);
        }
        let key = WorkKey::root(NodeIndex(node as u32));
        let operation = Operation { key, by: "me".into(), reason: "so".into(), action: action.clone() };
        let is_waiting = self.naive.nodes()[node] == NodeStatus::Waiting;
        let Some(inside) = self.inside.get_mut(&node).filter(|_| is_waiting) else {
            return self.naive.tell(&Input::Operate(operation), &[]);
        };
        match action {
            OperatorAction::RunNow if inside.run_now() => return Ok(()),
            OperatorAction::Retry | OperatorAction::RunNow => return Err(No::Early),
            _ if self.operated.contains_key(&node) => return Err(No::Early),
            _ => self.operated.insert(node, operation),
        };
        Ok(())
    }

    /// Somebody wants its end.
    pub fn command(&mut self, command: Command, activation: &Activation) -> Result<(), No> {
        let is_cancel = matches!(command, Command::Cancel { .. } | Command::ForceCancel { .. });
        if matches!(command, Command::ForceCancel { .. }) && !self.is_over() {
            self.force();
        }
        if matches!(command, Command::Complete { .. }) && self.is_open() {
            self.stays_done();
        }
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
        if !self.is_over() {
            self.inside.values_mut().for_each(Inside::recover);
            self.recover_calls(activation);
            self.recover_end();
        }
        // What is over may have something inside that undoes it.
        self.children.values_mut().for_each(|child| child.recover(activation));
        self.settle(activation);
    }

    /// What is called goes on where it was, unless that is misread.
    fn recover_calls(&mut self, activation: &Activation) {
        if self.mistake != Some(Mistake::CallsTwice) {
            return;
        }
        for (&(number, instance), child) in &mut self.children {
            let is_called = self.definition.nodes.get(number).is_some_and(inside::is_listed) && instance == 0;
            if is_called && child.is_open() {
                let mut again = Self::new(child.definition.clone(), child.library.clone()).misread(child.mistake);
                again.lives = child.lives;
                again.activate(activation).expect("it is new");
                *child = again;
            }
        }
    }

    /// The moment has come at which it must be over.
    pub fn deadline(&mut self, activation: &Activation) -> Result<(), No> {
        if self.naive.status() == ExecutionStatus::Running {
            self.naive.tell(&Input::TimerFired(Timer::Deadline), &[])?;
        }
        self.settle(activation);
        Ok(())
    }

    /// Where it is: it is over when all that it calls is.
    pub fn status(&self) -> ExecutionStatus {
        match self.naive.status() {
            status if status.is_terminal() && !self.is_over() => ExecutionStatus::Ending,
            status => self.misread_status(status),
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.end.stage == Stage::Over
    }

    /// Whether its end is decided and nothing is under way in its graph any more.
    pub(super) fn is_idle(&self) -> bool {
        let is_left = (0..self.definition.nodes.len()).all(|node| self.is_left(node));
        self.naive.status().is_terminal() && is_left
    }

    pub(super) fn verdict(&self) -> ExecutionStatus {
        self.naive.status()
    }

    pub(super) fn definition(&self) -> &Definition {
        &self.definition
    }

    pub(super) const fn mistake(&self) -> Option<Mistake> {
        self.mistake
    }

    pub(super) fn children(&mut self) -> &mut BTreeMap<(usize, u32), Self> {
        &mut self.children
    }

    pub(super) fn all_child_keys(&self) -> Vec<(usize, u32)> {
        self.children.keys().copied().collect()
    }

    pub(super) fn child(&self, key: (usize, u32)) -> Option<&Self> {
        self.children.get(&key)
    }

    /// Lets a graph begin inside of it.
    pub(super) fn begin(&mut self, key: (usize, u32), graph: Definition) {
        let given = self.given.clone().expect("it was activated");
        let mut child = Self::new(graph, self.library.clone()).misread(self.mistake);
        child.end.forced = self.end.forced;
        child.naive.member = self.naive.signals.join();
        child.naive.signals = self.naive.signals.clone();
        child.activate(&given).expect("it is new");
        self.children.insert(key, child);
    }

    pub(super) fn node_statuses(&self) -> Vec<NodeStatus> {
        self.naive.nodes()
    }

    pub(super) fn output_of_inside(&self, node: usize) -> Option<Result<serde_json::Value, Failure>> {
        self.inside.get(&node).and_then(Inside::result)
    }

    /// Somebody wants its end whatever its graph is at.
    pub(super) fn cancel(&mut self) {
        if self.is_open() {
            let cancel = Input::Command(Command::Cancel { by: "its caller".into() });
            self.naive.tell(&cancel, &[]).expect("it is open");
        }
    }

    /// Where all nodes are, by their paths; what is not called yet is pending. What runs for items and in rounds is not among
    /// them.
    pub fn statuses(&self, prefix: &str, all: &mut BTreeMap<String, NodeStatus>) {
        for (number, (node, status)) in self.definition.nodes.iter().zip(self.naive.nodes()).enumerate() {
            let path = format!("{prefix}{}", node.id);
            let child = self.children.get(&(number, 0)).filter(|_| inside::is_listed(node));
            all.insert(path.clone(), if self.is_left(number) { status } else { NodeStatus::Waiting });
            self.add_compensation((number, &path), all);
            let within = format!("{path}::");
            match (child, inside::graph(node, &self.library).filter(|_| inside::is_listed(node))) {
                (Some(child), _) => child.statuses(&within, all),
                (None, Some(called)) if status == NodeStatus::Pending => {
                    Self::new(called, self.library.clone()).statuses(&within, all);
                }
                _ => {}
            }
        }
        self.add_finally(prefix, all);
    }

    /// By the paths of calls and groups that failed by what is inside of them: the paths of the nodes that these failed by.
    pub fn causes(&self, prefix: &str, all: &mut BTreeMap<String, Vec<String>>) {
        let statuses = self.naive.nodes();
        for (&(number, instance), child) in &self.children {
            let Some(node) = self.definition.nodes.get(number).filter(|node| instance == 0 && inside::is_listed(node))
            else {
                continue;
            };
            let within = format!("{prefix}{}::", node.id);
            child.causes(&within, all);
            let failed = child.naive.failures();
            let is_by_itself = statuses[number] == NodeStatus::Failed && !self.ended_by_operator.contains(&number);
            if is_by_itself && child.verdict() == ExecutionStatus::Failed && !failed.is_empty() {
                let within = if self.mistake == Some(Mistake::FailsWithoutPath) { "" } else { &within };
                let path = |cause: &usize| format!("{within}{}", child.definition.nodes[*cause].id);
                all.insert(format!("{prefix}{}", node.id), failed.iter().map(path).collect());
            }
        }
    }

    pub(super) fn library(&self) -> &[Definition] {
        &self.library
    }

    /// Whether nothing is under way any more inside of a node.
    pub(super) fn is_left(&self, node: usize) -> bool {
        let mut inside = self.children.range((node, 0)..(node, COMPENSATION));
        inside.all(|(_, child)| child.is_over()) && !self.is_undoing(node)
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
        let mut moved = self.note_completed();
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
            if status != NodeStatus::Waiting {
                // What it is in has come to its end: that counts more.
                self.operated.remove(&number);
            }
            let is_operated = self.operated.contains_key(&number);
            if status == NodeStatus::Waiting && !is_operated {
                moved |= self.open(number, &graph);
            }
            let is_each = !inside::is_listed(&node);
            moved |= self.step_inside(number, status, is_each, activation);
            let is_left = self.is_left(number) || self.mistake == Some(Mistake::OperatorDoesNotWait);
            if is_left && let Some(operation) = self.operated.remove(&number) {
                self.naive.tell(&Input::Operate(operation), &[]).expect("it waits");
                self.ended_by_operator.insert(number);
                return true;
            }
            let result = self.output_of_inside(number).filter(|_| !is_operated);
            if self.must_undo_inside(number, status) {
                moved |= self.undo_inside(number);
            } else if status == NodeStatus::Waiting
                && let Some(result) = result
            {
                let result = result.map(|output| Payload::encode(&output).expect("it was read from JSON"));
                let report = Report::new(WorkKey::root(NodeIndex(number as u32)), result);
                self.naive.tell(&Input::Reported(report), &[]).expect("it waits for that");
                return true;
            }
        }
        moved | self.step_end(activation)
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
            child.end.forced = self.end.forced;
            child.activate(&Activation { input, ..given.clone() }).expect("it is new");
            self.children.insert((number, instance), child);
            moved = true;
        }
        moved
    }

    /// Lets what is inside of a node go on, closes what nobody wants any more, and takes in what is over.
    fn step_inside(&mut self, number: usize, status: NodeStatus, is_each: bool, activation: &Activation) -> bool {
        let Some(inside) = self.inside.get_mut(&number) else { return false };
        let is_closed = status == NodeStatus::Cancelled || self.operated.contains_key(&number);
        if is_closed {
            inside.close();
        }
        let (mut moved, is_unwanted) = (false, is_closed || inside.has_failed());
        // What an operator completes or skips is not undone, other than what they fail.
        let is_taken_as_done = |operation: &Operation| operation.action != OperatorAction::Fail;
        let is_taken_as_done = self.operated.get(&number).is_some_and(is_taken_as_done);
        let stays_done = is_closed && (self.end.stays_done || is_taken_as_done);
        let mut over = Vec::new();
        for (key, child) in self.children.range_mut((number, 0)..(number, COMPENSATION)) {
            moved |= child.step(activation);
            if is_unwanted && child.is_open() {
                if stays_done {
                    child.stays_done();
                }
                child.command(Command::Cancel { by: "its caller".into() }, activation).expect("it is open");
                moved = true;
            }
            if child.is_over() && !self.reported.contains(key) {
                over.push(*key);
            }
        }
        for key in over {
            let child = self.children.get(&key).expect("it is there");
            let output = child.output().cloned();
            if child.verdict() == ExecutionStatus::Completed && !child.undoable().is_empty() {
                self.end.kept.entry(key.0).or_default().push(key.1);
                self.reported.insert(key);
            } else if is_each {
                self.children.remove(&key);
            } else {
                self.reported.insert(key);
            }
            moved = true;
            let inside = self.inside.get_mut(&number).expect("it is there");
            // What was closed has not failed.
            inside.over(key.1, output.as_ref(), is_unwanted);
        }
        moved
    }

    pub(super) fn step_child(&mut self, key: (usize, u32), activation: &Activation) -> bool {
        self.children.get_mut(&key).is_some_and(|child| child.step(activation))
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
    /// Its handler was stopped, or has not begun.
    Stopped(StopOutcome),
    /// It is judged.
    Judged(Verdict),
    /// Somebody outside has not done it in time.
    TimedOut,
    /// The wait before its next attempt is over.
    BackoffOver,
    /// The time for all attempts at it is over.
    OutOfTime,
}

impl Told {
    /// The input that says so of an attempt.
    pub fn input(&self, dispatch: Dispatch) -> Input {
        match self.clone() {
            Self::Outcome(result) => {
                Input::Outcome { dispatch, result, started: Default::default(), ended: Default::default() }
            }
            Self::Reported(result) => Input::Reported(Report::new(dispatch.key, result)),
            Self::Stopped(how) => Input::Stopped { dispatch, how },
            Self::Judged(verdict) => Input::Verdict { key: dispatch.key, verdict, by: "a judge".into() },
            Self::TimedOut => Input::TimerFired(Timer::Timeout(dispatch.key, dispatch.attempt)),
            Self::BackoffOver => Input::TimerFired(Timer::Backoff(dispatch.key, dispatch.attempt)),
            Self::OutOfTime => Input::TimerFired(Timer::Total(dispatch.key)),
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
