//! Scopes that nodes open: how they begin, how they are judged, and what comes of them.

use super::endings::Settles;
use super::gives_nothing::GivesNothing;
use super::instances::{ByOperator, CAUSES_MAX, Instance, Items, Nest, limited};
use super::node::WaitFor;
use super::scope::{Scope, ScopeEnd, ScopeRole, Stage};
use super::{EffectSink, EndReason, Execution, NodeState, Notice, Phase};
use crate::compiled::{Compiled, Opening, OpeningKind};
use crate::fact::StopOutcome;
use crate::failure::{Failure, FailureClass, OUTPUT_SCHEMA};
use crate::id::{NodeIndex, ScopeId, WorkKey};
use crate::payload::Payload;
use crate::status::NodeStatus;

impl Execution {
    /// Lets a node wait for scopes of its own; they are opened one by one, as consequences of the same fact.
    pub(super) fn open_nest(
        &mut self,
        definition: &Compiled,
        key: WorkKey,
        opening: Opening,
        given: Option<Payload>,
        sink: &mut impl EffectSink,
    ) {
        let items = match opening.kind {
            OpeningKind::Single | OpeningKind::Rounds => {
                if let Some(given) = given {
                    self.open_scope_mut(key.scope).set_input(key.node, given);
                }
                None
            }
            OpeningKind::Items => match Items::new(given.unwrap_or_else(|| self.input_of(key))) {
                Ok(items) => Some(items),
                Err(reason) => return self.undecidable(definition, key, FailureClass::Expression, &reason, sink),
            },
        };
        let unsettled = self.unsettled_around(definition, key.scope, opening.graph);
        let nest = Nest::new(definition.at(key.node), opening, items, unsettled);
        let state = NodeState::Waiting(WaitFor::Scope { since: self.at });
        self.move_to(definition, key, state, sink);
        let (is_over, wants_another) = (nest.is_over(), nest.wants_another());
        self.nests.insert(key, Box::new(nest));
        self.notice_items(definition, key, sink);
        if is_over {
            self.settle_nest(definition, key, sink);
        } else if wants_another {
            self.queue_opening(key);
        } else {
            // The condition of a loop is asked first.
            self.undecided.push_back(key);
        }
    }

    /// Queues a node that has a scope to open.
    pub(super) fn queue_opening(&mut self, key: WorkKey) {
        if let Some(nest) = self.nests.get_mut(&key)
            && !std::mem::replace(&mut nest.is_queued, true)
        {
            self.opening.push_back(key);
        }
    }

    /// The nodes that a graph looks at around itself and that are not settled.
    fn unsettled_around(&self, definition: &Compiled, id: ScopeId, graph: u32) -> Box<[(NodeIndex, NodeStatus)]> {
        let scope = self.open_scope(id);
        let captures = definition.graphs[graph as usize].captures.iter();
        let states = captures.map(|place| {
            let node = scope.position(*place);
            (node, scope.at(node).seen_status())
        });
        states.filter(|(_, status)| !status.is_settled()).collect()
    }

    /// Opens the next scope of the node that has waited longest for that; says whether there was one.
    pub(super) fn open_next(&mut self, definition: &Compiled) -> bool {
        while let Some(&key) = self.opening.front() {
            let id = ScopeId(self.next_scope);
            match self.nests.get_mut(&key) {
                Some(nest) if nest.wants_another() => {
                    let number = nest.opened_next(id);
                    self.next_scope = self.next_scope.checked_add(1).expect("a history has fewer than 2^32 scopes");
                    let graph = &definition.graphs[nest.graph() as usize];
                    let mut scope = Scope::new(graph, nest.graph(), key, number);
                    scope.is_of_ending = self.scope(key.scope).is_some_and(|around| around.is_of_ending);
                    self.inner.insert(id, Box::new(scope));
                    self.reach(WorkKey { scope: id, node: graph.start });
                    return true;
                }
                // When one of them is over it comes again.
                Some(nest) => nest.is_queued = false,
                None => {}
            }
            self.opening.pop_front();
        }
        false
    }

    /// Judges an inner scope like an execution, and gives it back once it has come to its end and nothing runs in it.
    pub(super) fn judge_scope(&mut self, definition: &Compiled, id: ScopeId, sink: &mut impl EffectSink) {
        let is_judged = |scope: &&Scope| !scope.over && scope.stage == Stage::Graph;
        let Some(scope) = self.inner.get(&id).map(Box::as_ref).filter(is_judged) else { return };
        match scope.end {
            ScopeEnd::Undecided => match self.end_reason(definition, scope) {
                None => return,
                Some(EndReason::Settled) if Self::must_decide_given(definition, scope) => {
                    let key = WorkKey { scope: id, node: scope.graph(definition).start };
                    self.open_scope_mut(id).end = ScopeEnd::Settled;
                    return self.undecided.push_back(key);
                }
                Some(EndReason::Settled) => {
                    return match self.scope_output(definition, id) {
                        Ok(output) => self.wind_up(definition, id, Instance::Completed(output), sink),
                        Err(reason) => {
                            let nothing = GivesNothing::Unevaluated(reason.into());
                            self.settle_scope(definition, id, Err(nothing), sink);
                        }
                    };
                }
                Some(reason) => self.fail_scope(definition, id, &reason, sink),
            },
            ScopeEnd::Settled | ScopeEnd::Completed => return,
            ScopeEnd::Failed | ScopeEnd::Closed { .. } => {}
        }
        if self.inner.get(&id).is_some_and(|scope| scope.is_idle()) {
            self.wind_up(definition, id, Instance::Over, sink);
        }
    }

    /// Ends a scope with what was evaluated: its output, or why there is none.
    pub(super) fn settle_scope(
        &mut self,
        definition: &Compiled,
        id: ScopeId,
        output: Result<Payload, GivesNothing>,
        sink: &mut impl EffectSink,
    ) {
        if id.is_root() {
            return self.settle_root(definition, output, sink);
        }
        let instance = match output {
            Ok(output) => Instance::Completed(output),
            Err(nothing) => {
                let failure = Box::new(self.gives_nothing(definition, id, nothing, sink));
                let scope = self.open_scope_mut(id);
                (scope.end, scope.failure) = (ScopeEnd::Failed, Some(failure));
                Instance::Over
            }
        };
        self.wind_up(definition, id, instance, sink);
    }

    /// What a scope has failed of that was settled and gives nothing.
    fn gives_nothing(
        &self,
        definition: &Compiled,
        id: ScopeId,
        nothing: GivesNothing,
        sink: &mut impl EffectSink,
    ) -> Failure {
        let opener = self.open_scope(id).parent;
        let path = self.path(definition, opener).map(|path| path.to_string()).unwrap_or_default();
        match nothing {
            GivesNothing::Unevaluated(reason) => {
                if sink.watched() {
                    let notice = Notice::ExpressionFailed { key: opener, reason: reason.clone() };
                    sink.notice(notice, self.path_inside(definition, opener));
                }
                let reason = format!("{path}: its output could not be evaluated: {reason}");
                Failure::new(FailureClass::Expression, reason)
            }
            GivesNothing::Mismatch(reason) => {
                Failure::new(FailureClass::Failed, format!("{path}: {reason}")).with_code(OUTPUT_SCHEMA)
            }
        }
    }

    /// Ends a scope: that of an item is taken out of the tree, unless something in it may have to be undone, and what it gave
    /// stays with the node that opened it.
    pub(super) fn give_back(
        &mut self,
        definition: &Compiled,
        id: ScopeId,
        instance: Instance,
        sink: &mut impl EffectSink,
    ) {
        let Some(scope) = self.inner.get_mut(&id) else { return };
        if scope.role != ScopeRole::Body {
            return self.ending_is_over(definition, id, sink);
        }
        let (key, number, failure) = (scope.parent, scope.instance, scope.failure.take());
        let is_each = self.nests.get(&key).is_some_and(|nest| nest.is_each());
        let may_be_undone = matches!(instance, Instance::Completed(_)) && self.has_undoable(definition, id);
        if is_each && !may_be_undone {
            self.forget_scope(definition, id);
        } else if let Some(scope) = self.inner.get_mut(&id) {
            scope.over = true;
            scope.trim();
            self.forget_slots(id);
        }
        let Some(nest) = self.nests.get_mut(&key) else { return };
        if may_be_undone {
            nest.keep(id);
        }
        if nest.one_is_over(&instance, failure.map(|failure| *failure)) {
            for other in nest.all_open().filter(|other| *other != id).collect::<Vec<_>>() {
                self.close_scope(definition, other, sink);
            }
        }
        self.notice_items(definition, key, sink);
        if !is_each {
            return self.settle_single(definition, key, id, instance, sink);
        }
        let Some(nest) = self.nests.get_mut(&key) else { return };
        if nest.is_over() {
            nest.set(number, instance);
            self.settle_nest(definition, key, sink);
        } else if nest.rounds.is_some() {
            nest.set(number, Instance::Over);
            self.round_over(key, &instance);
        } else {
            nest.set(number, instance);
            if nest.wants_another() {
                self.queue_opening(key);
            }
        }
    }

    /// Says how many items of a map are where, if that is what the node is.
    fn notice_items(&self, definition: &Compiled, key: WorkKey, sink: &mut impl EffectSink) {
        if sink.watched()
            && let Some(items) = self.nests.get(&key).and_then(|nest| nest.item_counts(false))
        {
            sink.notice(Notice::Items { key, items }, self.path_inside(definition, key));
        }
    }

    /// Takes a scope out of the tree, with those inside of it that are over and were kept.
    fn forget_scope(&mut self, definition: &Compiled, id: ScopeId) {
        let mut open = vec![id];
        while let Some(id) = open.pop() {
            let Some(scope) = self.inner.remove(&id) else { continue };
            if !scope.is_of_ending {
                self.count_gone(definition, &scope);
            }
            self.forget_earlier(id);
            self.forget_slots(id);
            open.extend(self.forget_endings(id));
            let nests: Vec<WorkKey> = self.nests.range(WorkKey::all_of(id)).map(|(key, _)| *key).collect();
            for nest in nests.iter().filter_map(|key| self.nests.remove(key)) {
                open.extend(nest.get(0));
                open.extend(nest.kept());
            }
        }
    }

    /// The only scope of a node is over: so is the node. The scope is kept.
    fn settle_single(
        &mut self,
        definition: &Compiled,
        key: WorkKey,
        id: ScopeId,
        instance: Instance,
        sink: &mut impl EffectSink,
    ) {
        let Some(nest) = self.nests.get_mut(&key) else { return };
        nest.set(0, Instance::Kept(id));
        let (closed, failure) = (nest.is_closed(), nest.failure());
        let output = if let Instance::Completed(output) = instance { output } else { Payload::NULL };
        self.settle_opener(definition, key, (closed, failure, output), sink);
    }

    /// All scopes of a node are over: so is the node. How many there were is kept.
    fn settle_nest(&mut self, definition: &Compiled, key: WorkKey, sink: &mut impl EffectSink) {
        let Some(nest) = self.nests.get_mut(&key) else { return };
        let (closed, failure) = (nest.is_closed(), nest.failure());
        let gives = !closed && failure.is_none();
        let (failure, output) = match gives.then(|| nest.outputs()) {
            None => (failure, Payload::NULL),
            Some(Ok(output)) => (None, output),
            Some(Err(failure)) => (Some(failure), Payload::NULL),
        };
        nest.trim(definition.at(key.node).is_undoable);
        self.settle_opener(definition, key, (closed, failure, output), sink);
    }

    /// Settles a node with scopes of its own: if it does not complete, what these did is undone first.
    pub(super) fn settle_opener(
        &mut self,
        definition: &Compiled,
        key: WorkKey,
        settles: Settles,
        sink: &mut impl EffectSink,
    ) {
        let completes = !settles.0 && settles.1.is_none();
        let settles = match definition.at(key.node).is_undoable && !completes {
            true => self.undo_node(definition, key, settles, sink),
            false => Some(settles),
        };
        if let Some(settles) = settles {
            self.settle_opener_for_good(definition, key, settles, sink);
        }
    }

    /// Lets a node wait for scopes, whatever it waited for.
    pub(super) fn wait_for_scopes(&mut self, definition: &Compiled, key: WorkKey, sink: &mut impl EffectSink) {
        if !matches!(self.state_at(key), NodeState::Waiting(WaitFor::Scope { .. })) {
            let since = self.since(key).unwrap_or(self.at);
            self.move_to(definition, key, NodeState::Waiting(WaitFor::Scope { since }), sink);
        }
    }

    pub(super) fn settle_opener_for_good(
        &mut self,
        definition: &Compiled,
        key: WorkKey,
        (closed, failure, output): Settles,
        sink: &mut impl EffectSink,
    ) {
        let started = self.since(key).unwrap_or(self.at);
        let ended = self.at;
        if let Some(by) = self.nests.get_mut(&key).and_then(|nest| nest.operated.take()) {
            return self.settle_as_said(definition, key, *by, sink);
        }
        if closed {
            let state = NodeState::Cancelled { attempt: None, since: started, at: ended, how: StopOutcome::Closed };
            return self.move_to(definition, key, state, sink);
        }
        if let Some(failure) = failure {
            let state = NodeState::Failed { attempt: None, lost: 0, started, ended, failure };
            return self.fail(definition, key, state, sink);
        }
        self.move_to(definition, key, NodeState::Completed { attempt: None, started, ended, output }, sink);
        self.follow(key);
    }

    /// Ends a node with scopes as an operator says, as soon as nothing is under way in them.
    pub(super) fn end_nest(&mut self, definition: &Compiled, key: WorkKey, by: ByOperator, sink: &mut impl EffectSink) {
        let Some(nest) = self.nests.get_mut(&key) else { return };
        // What counts as done, or as not needed, stays as it is.
        let compensates = matches!(by, ByOperator::Failed(_));
        nest.operated = Some(Box::new(by));
        nest.close(compensates);
        let open: Vec<_> = nest.all_open().collect();
        if nest.is_over() {
            return self.settle_nest(definition, key, sink);
        }
        for id in open {
            self.close_scope_as(definition, id, compensates, sink);
        }
    }

    /// Closes the scopes of a node that nobody needs any more.
    pub(super) fn close_nest(&mut self, definition: &Compiled, key: WorkKey, sink: &mut impl EffectSink) {
        let mut open = Vec::new();
        self.close_nest_in_tree(definition, key, true, &mut open, sink);
        for id in open {
            self.close_scope(definition, id, sink);
        }
    }

    /// Lets no further scope of a node begin, and adds those to close that are open. The node is over if there are none.
    pub(super) fn close_nest_in_tree(
        &mut self,
        definition: &Compiled,
        key: WorkKey,
        compensates: bool,
        open: &mut Vec<ScopeId>,
        sink: &mut impl EffectSink,
    ) {
        let is_undoing = self.is_undoing(key);
        let Some(nest) = self.nests.get_mut(&key) else { return };
        // What it is in has come to its end: that counts more than what an operator said before.
        nest.operated = None;
        if is_undoing {
            // It comes to its end by itself, and nobody needs it any more.
            return self.close_undoing(key);
        }
        nest.close(compensates);
        open.extend(nest.all_open());
        if nest.is_over() {
            self.settle_nest(definition, key, sink);
        }
    }

    /// Fails an inner scope: nothing new begins in it, and what is under way is closed, told to stop or left to finish.
    fn fail_scope(&mut self, definition: &Compiled, id: ScopeId, reason: &EndReason, sink: &mut impl EffectSink) {
        let failure = Box::new(self.scope_failure(definition, id));
        let scope = self.open_scope_mut(id);
        let finish = reason.lets_finish(scope.graph(definition).policy.siblings);
        (scope.end, scope.failure) = (ScopeEnd::Failed, Some(failure));
        let inside = self.close_tree(definition, id, true, sink);
        for id in inside {
            if finish {
                self.let_scope_finish(id, sink);
            } else {
                self.stop_scope(id, sink);
            }
        }
    }

    /// Ends an inner scope because of something outside of it: what it would have come to is of no interest any more.
    pub(super) fn close_scope(&mut self, definition: &Compiled, id: ScopeId, sink: &mut impl EffectSink) {
        self.close_scope_as(definition, id, true, sink);
    }

    /// The same; `compensates` says whether what was done in it is undone.
    fn close_scope_as(&mut self, definition: &Compiled, id: ScopeId, compensates: bool, sink: &mut impl EffectSink) {
        let scope = self.open_scope_mut(id);
        if scope.stage != Stage::Graph {
            // Nothing cuts short what it does at its end.
            return;
        }
        scope.close(compensates);
        let inside = self.close_tree(definition, id, compensates, sink);
        inside.into_iter().for_each(|id| self.stop_scope(id, sink));
    }

    /// What a scope has failed of: in the words of its causes, each with the whole path that leads there.
    fn scope_failure(&self, definition: &Compiled, id: ScopeId) -> Failure {
        let scope = self.open_scope(id);
        let causes = scope.failures();
        let mut class = FailureClass::Failed;
        let mut words = Vec::new();
        for &node in causes.iter().take(CAUSES_MAX) {
            if let NodeState::Failed { failure, .. } = scope.at(node) {
                if words.is_empty() {
                    class = failure.class;
                }
                words.push(self.cause(definition, WorkKey { scope: id, node }, failure));
            }
        }
        let mut text = words.join("; ");
        if causes.len() > CAUSES_MAX {
            text.push_str(&format!("; and {} more", causes.len() - CAUSES_MAX));
        }
        Failure::new(class, text)
    }

    fn cause(&self, definition: &Compiled, key: WorkKey, failure: &Failure) -> String {
        let path = self.path(definition, key).map(|path| path.to_string()).unwrap_or_default();
        // What a scope inside failed of says its whole path already.
        if failure.reason.starts_with(&path) { failure.reason.to_string() } else { format!("{path} {failure}") }
    }

    /// Whether anything new may begin in a scope.
    #[inline]
    pub(super) fn goes_on(&self, id: ScopeId) -> bool {
        if id.is_root() {
            // The end of the root is that of the execution.
            return matches!(self.phase, Phase::Running);
        }
        // With the execution ends every scope but those that its end is made of.
        self.inner.get(&id).is_some_and(|scope| matches!(scope.end, ScopeEnd::Undecided))
    }

    /// Whether the end of the scope of some work is decided.
    pub(super) fn is_ending(&self, id: ScopeId) -> bool {
        match id.is_root() {
            true => matches!(self.phase, Phase::Ending(_)),
            false => self.scope(id).is_some_and(|scope| scope.end != ScopeEnd::Undecided),
        }
    }

    fn scope_output(&self, definition: &Compiled, id: ScopeId) -> Result<Payload, String> {
        let scope = self.open_scope(id);
        if scope.role != ScopeRole::Body {
            return Ok(Payload::NULL);
        }
        let output = self.sinks_output(definition, id, scope.graph(definition));
        limited(output.size(), || output)
    }
}
