//! What is decided by evaluating expressions; the results become facts, so that a replay evaluates nothing.

use super::gives_nothing::GivesNothing;
use super::instances::{Items, limited};
use super::scope::{Scope, ScopeEnd, ScopeRole};
use super::{Execution, NodeState, waits};
use crate::compile::accept;
use crate::compiled::{Call, CallResult, Compiled, Graph, Opening, OpeningKind, Step};
use crate::expression::moment::moment;
use crate::expression::{Facts, Local, NodeView};
use crate::fact::Decision;
use crate::id::{ScopeId, WorkKey};
use crate::payload::Payload;
use crate::record::NodeFailure;
use crate::status::NodeStatus;

type Evaluated = Result<Payload, GivesNothing>;

impl Execution {
    /// Evaluates what a reached node needs before it can go on, or what a scope gives that is settled.
    pub(super) fn decide(&self, definition: &Compiled, key: WorkKey) -> Decision {
        if self.gives(definition, key) {
            let given = self.decide_given(definition, key.scope);
            return match given {
                Ok(output) => Decision::Output(output),
                Err(GivesNothing::Unevaluated(reason)) => Decision::Failed(reason),
                Err(GivesNothing::Mismatch(reason)) => Decision::Mismatch(reason),
            };
        }
        let compiled = definition.at(key.node);
        let Some(expression) = &compiled.expression else {
            return match &compiled.call {
                Some(call) => decide_input(definition, call, self.input_of(key)),
                None => Decision::Failed("the node has no expression".into()),
            };
        };
        if self.is_between_rounds(key) {
            return self.decide_round(definition, key, expression);
        }
        let seen = self.seen(definition, key.scope, Some(key));
        let decided = match (compiled.step, &compiled.call) {
            (Step::Decide, _) => expression.condition(&seen).map(Decision::Branch),
            (Step::Open(Opening { kind: OpeningKind::Items, .. }), None) => {
                expression.value(&seen).map(|list| decide_items(definition, list))
            }
            (Step::Until, _) => expression.value(&seen).map(|value| checked(moment(&value), value)),
            (Step::AwaitSignal, _) => expression.value(&seen).map(|value| checked(waits::signal_name(&value), value)),
            (_, None) => expression.value(&seen).map(Decision::Input),
            (_, Some(call)) => match expression.value(&seen) {
                Ok(value) => Ok(match accept("input", &call.inputs, value) {
                    Ok(input) => decide_input(definition, call, input),
                    Err(error) => Decision::Failed(error.to_string().into()),
                }),
                Err(error) => Err(error),
            },
        };
        decided.unwrap_or_else(|error| Decision::Failed(error.to_string().into()))
    }

    /// The failures that a node handles, in the order in which they happened; none unless the definition names it as what
    /// handles failures.
    pub fn handled_failures(&self, definition: &Compiled, key: WorkKey) -> Vec<NodeFailure> {
        let nodes = self.handled_by(definition, key);
        nodes.filter_map(|node| self.failure(definition, WorkKey { node, ..key })).collect()
    }

    /// Whether what is decided at this key is what its scope gives.
    pub(super) fn gives(&self, definition: &Compiled, key: WorkKey) -> bool {
        let is_due = |scope: &Scope| scope.end == ScopeEnd::Settled && !scope.over;
        let gives = |scope: &Scope| is_due(scope) && scope.graph(definition).start == key.node;
        self.scope(key.scope).is_some_and(gives)
    }

    /// Whether what a scope gives must be evaluated: else it is the output of its last tasks.
    pub(super) fn must_decide_given(definition: &Compiled, scope: &Scope) -> bool {
        if scope.role != ScopeRole::Body {
            // Nobody is given it.
            return false;
        }
        let call = definition.at(scope.parent.node).call.as_deref();
        let is_made = call.is_some_and(|call| !call.outputs.is_empty() || !matches!(call.result, CallResult::Own));
        is_made || scope.graph(definition).says_what_it_gives()
    }

    fn decide_given(&self, definition: &Compiled, id: ScopeId) -> Evaluated {
        let scope = self.open_scope(id);
        let graph = scope.graph(definition);
        // The root is given back to nobody.
        let call = definition.at(scope.parent.node).call.as_ref().filter(|_| !id.is_root());
        let Some(call) = call else {
            return self.decide_output_of(definition, id, graph);
        };
        let checked = |given| accept("output", &call.outputs, given).map_err(GivesNothing::from);
        let in_caller = |output, child| Called {
            caller: self.seen(definition, scope.parent.scope, Some(scope.parent)),
            output,
            child,
        };
        match &call.result {
            CallResult::Own => checked(self.decide_output_of(definition, id, graph)?),
            CallResult::Made(expression) => {
                let output = checked(self.decide_output_of(definition, id, graph)?)?;
                expression.value(&in_caller(output, Payload::NULL)).map_err(Into::into)
            }
            CallResult::Bound(expression) => {
                let child = graph.vars.value(&self.seen(definition, id, None))?;
                let bound = expression.value(&in_caller(Payload::NULL, child))?;
                checked(bound)
            }
        }
    }

    /// Evaluates the output expression of a scope; where there is none, its output is that of its last tasks.
    fn decide_output_of(&self, definition: &Compiled, id: ScopeId, graph: &Graph) -> Evaluated {
        let output = match &graph.output {
            Some(expression) => expression.value(&self.seen(definition, id, None))?,
            None => {
                let output = self.sinks_output(definition, id, graph);
                limited(output.size(), || output)?
            }
        };
        let schema = graph.output_schema.as_deref();
        let checked = definition.check(schema, "the output of the workflow", &output);
        checked.map_err(|mismatch| GivesNothing::Mismatch(mismatch.to_string().into()))?;
        Ok(output)
    }

    /// Evaluates the output expression and checks the output, where the definition says something of it.
    pub(super) fn decide_output(&self, definition: &Compiled) -> Result<Option<Payload>, GivesNothing> {
        let graph = definition.own();
        if !graph.says_what_it_gives() {
            return Ok(None);
        }
        let output = self.decide_output_of(definition, ScopeId::ROOT, graph)?;
        // That of the last tasks is recorded already.
        Ok(Some(output).filter(|_| graph.output.is_some()))
    }

    /// What an expression of that scope sees, be it one of a node.
    pub(super) fn seen<'a>(&'a self, definition: &'a Compiled, id: ScopeId, key: Option<WorkKey>) -> Seen<'a> {
        Seen { execution: self, definition, key, id, scope: self.open_scope(id), input: self.scope_input(id) }
    }

    /// What a name stands for that the nearest map or loop around a scope gives its meaning.
    fn local(&self, definition: &Compiled, mut id: ScopeId, local: Local) -> Payload {
        while !id.is_root() {
            let scope = self.open_scope(id);
            match (scope.role, local) {
                (ScopeRole::Finally, Local::Verdict) => {
                    return Payload::encode(self.verdict(scope.parent.scope).name()).unwrap_or_default();
                }
                (ScopeRole::Finally, Local::Error) => {
                    let error = self.verdict_error(definition, scope.parent.scope);
                    return Payload::encode(&error).unwrap_or_default();
                }
                (ScopeRole::Compensation, Local::Output) => {
                    return self.output_of(scope.parent).cloned().unwrap_or_default();
                }
                (ScopeRole::Body, _) => {}
                _ => {
                    id = scope.parent.scope;
                    continue;
                }
            }
            if let Some(value) = self.nests.get(&scope.parent).and_then(|nest| nest.local(scope.instance, local)) {
                return value;
            }
            id = scope.parent.scope;
        }
        Payload::NULL
    }
}

/// What a map goes over, if that is a list that is not too long.
fn decide_items(definition: &Compiled, list: Payload) -> Decision {
    match Items::new(list.clone()) {
        Ok(items) if items.len() > definition.items_max as usize => {
            let (count, max) = (items.len(), definition.items_max);
            Decision::TooMany(format!("{count} items are more than the {max} allowed").into())
        }
        Ok(_) => Decision::Input(list),
        Err(reason) => Decision::Failed(reason.into()),
    }
}

/// What a workflow that is called is given, unless it does not fit the schema that the workflow declares.
fn decide_input(definition: &Compiled, call: &Call, input: Payload) -> Decision {
    match definition.check(call.input_schema.as_ref(), "the input of the workflow", &input) {
        Ok(()) => Decision::Input(input),
        Err(mismatch) => Decision::Mismatch(mismatch.to_string().into()),
    }
}

/// What a node waits for, unless there is no such thing.
fn checked<T>(checked: Result<T, String>, value: Payload) -> Decision {
    checked.map_or_else(|error| Decision::Failed(error.into()), |_| Decision::Input(value))
}

/// What the result of a call sees: the scope of its caller, and what was called.
struct Called<'a> {
    caller: Seen<'a>,
    output: Payload,
    child: Payload,
}

impl Facts for Called<'_> {
    fn input(&self) -> &Payload {
        self.caller.input()
    }

    fn node(&self, position: u32) -> NodeView {
        self.caller.node(position)
    }

    fn failures(&self) -> Payload {
        self.caller.failures()
    }

    fn local(&self, local: Local) -> Payload {
        match local {
            Local::Output => self.output.clone(),
            Local::Child => self.child.clone(),
            other => self.caller.local(other),
        }
    }
}

/// What expressions see: the scope they are in.
pub(super) struct Seen<'a> {
    execution: &'a Execution,
    definition: &'a Compiled,
    /// The node whose expression it is; none for what the scope gives.
    key: Option<WorkKey>,
    id: ScopeId,
    scope: &'a Scope,
    input: Payload,
}

impl Facts for Seen<'_> {
    fn input(&self) -> &Payload {
        &self.input
    }

    fn local(&self, local: Local) -> Payload {
        self.execution.local(self.definition, self.id, local)
    }

    fn failures(&self) -> Payload {
        let failures = self.key.map(|key| self.execution.handled_failures(self.definition, key)).unwrap_or_default();
        Payload::encode(&failures).expect("what a record says of a failure is JSON")
    }

    fn node(&self, position: u32) -> NodeView {
        let Some((state, unsettled)) = self.execution.seen_node(self.scope, position) else {
            return NodeView { status: NodeStatus::Pending, output: None, error: None };
        };
        if let Some(status) = unsettled {
            return NodeView { status, output: None, error: None };
        }
        let (output, error) = match state {
            NodeState::Completed { output, .. } => (Some(output.clone()), None),
            NodeState::Failed { failure, .. } => (None, Some(failure.to_string())),
            _ => (None, None),
        };
        NodeView { status: state.seen_status(), output, error }
    }
}

impl Execution {
    /// The node that an expression in this scope calls by that number; behind the nodes of the scope come those around it.
    ///
    /// With it goes what the node was when the scope was opened, if it was not settled then.
    fn seen_node<'a>(&'a self, mut scope: &'a Scope, mut position: u32) -> Option<(&'a NodeState, Option<NodeStatus>)> {
        let mut unsettled = None;
        while position >= scope.len() {
            position -= scope.len();
            if scope.role != ScopeRole::Body {
                // All is settled around it.
                (scope, unsettled) = (self.scope(scope.parent.scope)?, None);
                continue;
            }
            let nest = self.nests.get(&scope.parent)?;
            scope = self.scope(scope.parent.scope)?;
            unsettled = (position < scope.len()).then(|| nest.unsettled_then(scope.position(position))).flatten();
        }
        Some((scope.at(scope.position(position)), unsettled))
    }
}
