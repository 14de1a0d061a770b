//! What can be wrong with a definition.

use std::fmt;

use crate::definition::Definition;

/// The stable name of a kind of problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Code {
    /// The definition has more nodes than allowed.
    TooManyNodes,
    /// The definition has more edges than allowed.
    TooManyEdges,
    /// A name or id that is required is blank.
    BlankField,
    /// The version is not `MAJOR.MINOR.PATCH` without leading zeros.
    BadVersion,
    /// A share of failures is more than 100 percent.
    BadTolerance,
    /// An execution has no time at all to end.
    BadEndingWithin,
    /// Something is to undo a node that does no work.
    NothingToCompensate,
    /// Something is said of a body that has no meaning there.
    UnusedInBody,
    /// Two nodes have one id.
    DuplicateNodeId,
    /// Two edges have one id.
    DuplicateEdgeId,
    /// An edge leaves a node that does not exist.
    UnknownEdgeSource,
    /// An edge enters a node that does not exist.
    UnknownEdgeTarget,
    /// An edge leads from a node to itself.
    SelfLoop,
    /// There is not exactly one start.
    StartCount,
    /// There is not exactly one end.
    EndCount,
    /// Two inputs have one name.
    DuplicateInput,
    /// Two outputs have one name.
    DuplicateOutput,
    /// A required input or output has a default, which could never be used.
    RequiredWithDefault,
    /// A default is not of the declared type.
    DefaultType,
    /// An output is declared optional.
    OptionalOutput,
    /// No way leads from the start to a node.
    UnreachableNode,
    /// No way leads from the start to the end.
    EndNotReachable,
    /// No way leads from a node to the end.
    DeadEndNode,
    /// Edges lead in a circle.
    CycleDetected,
    /// Two edges of one type lead from one node to one other.
    DuplicateEdge,
    /// A conditional has no `conditional_true` edge.
    ConditionalMissingTrue,
    /// A conditional has no `conditional_false` edge.
    ConditionalMissingFalse,
    /// A conditional has two edges for one answer.
    ConditionalDuplicateEdge,
    /// A conditional has an edge of another type than its answers.
    ConditionalExtraOutgoing,
    /// A `conditional_true` or `conditional_false` edge leaves a node that does not decide.
    ConditionalEdgeOutside,
    /// A split has fewer than two `parallel_branch` edges.
    SplitTooFewBranches,
    /// A `parallel_branch` edge leaves a node that is no split.
    BranchEdgeOutside,
    /// A task has no title.
    TaskMissingTitle,
    /// A task allows no attempt.
    BadRetry,
    /// A task gives an attempt no time at all.
    BadTimeout,
    /// A split lets no branch run.
    BadConcurrency,
    /// A task that runs at most once allows more attempts.
    AtMostOnceRetried,
    /// A task that runs at most once has no handler that could run.
    AtMostOnceExternal,
    /// A verification has no rubric or no evaluator.
    VerificationMissingConfig,
    /// A verification has no `verification_pass` edge.
    VerificationMissingPass,
    /// A verification has no `verification_fail` edge.
    VerificationMissingFail,
    /// A verification has no `verification_refer` edge.
    VerificationMissingRefer,
    /// A verification has two edges for one verdict.
    VerificationDuplicateEdge,
    /// A verification has an edge of another type than its verdicts.
    VerificationExtraOutgoing,
    /// A verification edge leaves a node that does not judge.
    VerificationEdgeOutside,
    /// An edge for failures leaves a node that cannot fail.
    OnFailureOutside,
    /// Several nodes are to handle the failure of one.
    OnFailureDuplicate,
    /// A task is optional, and another node is to handle its failure.
    OnFailureOptional,
    /// An edge for a signal that did not come leaves a node that does not wait for one, or waits for ever.
    OnTimeoutOutside,
    /// Several nodes are to run if the signal that one waits for does not come.
    OnTimeoutDuplicate,
    /// The signal that a node waits for has no name, or one that is too long.
    BadSignal,
    /// Other edges than those for failures lead to a node that handles failures.
    FailureHandlerEdges,
    /// A trigger rule has no meaning where it stands, or can never hold.
    BadTriggerRule,
    /// A join waits for more edges than lead to it, or says what becomes of losers that it cannot have.
    BadJoin,
    /// A condition (`when`) stands at a join that does not wait for all, or at a node that handles failures.
    GuardMisplaced,
    /// A condition, an input or the output is not an expression.
    ExpressionInvalid,
    /// An expression reads its own node, or one that comes after it, of which nothing is known yet.
    ReadsLaterNode,
    /// A condition asks for a status that the node it asks about cannot have by then.
    ConditionNeverTrue,
    /// The expressions with `vars` look back at more nodes, all together, than allowed.
    TooManyLookups,
    /// A sub-workflow node does not say which workflow it calls.
    SubworkflowRefMissing,
    /// A sub-workflow node does not say which version it calls.
    SubworkflowVersionUnpinned,
    /// The registry does not have the workflow that is called.
    SubworkflowNotFound,
    /// A required input of the called workflow is not bound.
    SubworkflowInputMissing,
    /// An input is bound that the called workflow does not have.
    SubworkflowInputUnknown,
    /// An input is bound to a value of another type.
    SubworkflowInputTypeMismatch,
    /// An output of the called workflow is not bound.
    SubworkflowOutputMissing,
    /// An output is bound that the called workflow does not have.
    SubworkflowOutputUnknown,
    /// An output is bound to a value of another type.
    SubworkflowOutputTypeMismatch,
    /// Workflows call each other in a circle.
    SubworkflowCycleDetected,
    /// The id of a node is the path of another one, which is inside of a node: reports and verdicts could mean either.
    AmbiguousNodeId,
    /// Workflows call each other through more levels than allowed.
    SubworkflowTooDeep,
    /// A workflow and those that it calls, each as often as it is called, have more nodes than allowed.
    SubworkflowTooLarge,
    /// Two workflows that are called have one id and version and are not the same.
    SubworkflowConflict,
    /// What goes in or comes out of a call is said in two ways at once.
    SubworkflowBoundTwice,
    /// What a map goes over is no list.
    BadItems,
    /// A list that is written down has more items than allowed.
    TooManyItems,
    /// A loop has no round.
    BadRounds,
    /// A schema is no JSON Schema that payloads can be checked by.
    SchemaInvalid,
    /// A definition declares a schema, and nothing here can check payloads by it.
    SchemaUnsupported,
    /// Two functions that a workflow is built of have one name, so that nobody could tell which one does a task.
    HandlerConflict,
}

impl Code {
    /// All codes.
    pub const ALL: [Self; 80] = [
        Self::TooManyNodes,
        Self::TooManyEdges,
        Self::BlankField,
        Self::BadVersion,
        Self::BadTolerance,
        Self::BadEndingWithin,
        Self::NothingToCompensate,
        Self::UnusedInBody,
        Self::DuplicateNodeId,
        Self::DuplicateEdgeId,
        Self::UnknownEdgeSource,
        Self::UnknownEdgeTarget,
        Self::SelfLoop,
        Self::StartCount,
        Self::EndCount,
        Self::DuplicateInput,
        Self::DuplicateOutput,
        Self::RequiredWithDefault,
        Self::DefaultType,
        Self::OptionalOutput,
        Self::UnreachableNode,
        Self::EndNotReachable,
        Self::DeadEndNode,
        Self::CycleDetected,
        Self::DuplicateEdge,
        Self::ConditionalMissingTrue,
        Self::ConditionalMissingFalse,
        Self::ConditionalDuplicateEdge,
        Self::ConditionalExtraOutgoing,
        Self::ConditionalEdgeOutside,
        Self::SplitTooFewBranches,
        Self::BranchEdgeOutside,
        Self::TaskMissingTitle,
        Self::BadRetry,
        Self::BadTimeout,
        Self::BadConcurrency,
        Self::AtMostOnceRetried,
        Self::AtMostOnceExternal,
        Self::VerificationMissingConfig,
        Self::VerificationMissingPass,
        Self::VerificationMissingFail,
        Self::VerificationMissingRefer,
        Self::VerificationDuplicateEdge,
        Self::VerificationExtraOutgoing,
        Self::VerificationEdgeOutside,
        Self::OnFailureOutside,
        Self::OnFailureDuplicate,
        Self::OnFailureOptional,
        Self::OnTimeoutOutside,
        Self::OnTimeoutDuplicate,
        Self::BadSignal,
        Self::FailureHandlerEdges,
        Self::BadTriggerRule,
        Self::BadJoin,
        Self::GuardMisplaced,
        Self::ExpressionInvalid,
        Self::ReadsLaterNode,
        Self::ConditionNeverTrue,
        Self::TooManyLookups,
        Self::SubworkflowRefMissing,
        Self::SubworkflowVersionUnpinned,
        Self::SubworkflowNotFound,
        Self::SubworkflowInputMissing,
        Self::SubworkflowInputUnknown,
        Self::SubworkflowInputTypeMismatch,
        Self::SubworkflowOutputMissing,
        Self::SubworkflowOutputUnknown,
        Self::SubworkflowOutputTypeMismatch,
        Self::SubworkflowCycleDetected,
        Self::AmbiguousNodeId,
        Self::SubworkflowTooDeep,
        Self::SubworkflowTooLarge,
        Self::SubworkflowConflict,
        Self::SubworkflowBoundTwice,
        Self::BadItems,
        Self::TooManyItems,
        Self::BadRounds,
        Self::SchemaInvalid,
        Self::SchemaUnsupported,
        Self::HandlerConflict,
    ];

    /// The name in messages and records; it never changes.
    #[expect(clippy::too_many_lines, reason = "there is a line for each")]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TooManyNodes => "too_many_nodes",
            Self::TooManyEdges => "too_many_edges",
            Self::BlankField => "blank_field",
            Self::BadVersion => "bad_version",
            Self::BadTolerance => "bad_tolerance",
            Self::BadEndingWithin => "bad_ending_within",
            Self::NothingToCompensate => "nothing_to_compensate",
            Self::UnusedInBody => "unused_in_body",
            Self::DuplicateNodeId => "duplicate_node_id",
            Self::DuplicateEdgeId => "duplicate_edge_id",
            Self::UnknownEdgeSource => "unknown_edge_source",
            Self::UnknownEdgeTarget => "unknown_edge_target",
            Self::SelfLoop => "self_loop",
            Self::StartCount => "start_count",
            Self::EndCount => "end_count",
            Self::DuplicateInput => "duplicate_input",
            Self::DuplicateOutput => "duplicate_output",
            Self::RequiredWithDefault => "required_with_default",
            Self::DefaultType => "default_type",
            Self::OptionalOutput => "optional_output",
            Self::UnreachableNode => "unreachable_node",
            Self::EndNotReachable => "end_not_reachable",
            Self::DeadEndNode => "dead_end_node",
            Self::CycleDetected => "cycle_detected",
            Self::DuplicateEdge => "duplicate_edge",
            Self::ConditionalMissingTrue => "conditional_missing_true",
            Self::ConditionalMissingFalse => "conditional_missing_false",
            Self::ConditionalDuplicateEdge => "conditional_duplicate_edge",
            Self::ConditionalExtraOutgoing => "conditional_extra_outgoing",
            Self::ConditionalEdgeOutside => "conditional_edge_outside",
            Self::SplitTooFewBranches => "split_too_few_branches",
            Self::BranchEdgeOutside => "branch_edge_outside",
            Self::TaskMissingTitle => "task_missing_title",
            Self::BadRetry => "bad_retry",
            Self::BadTimeout => "bad_timeout",
            Self::BadConcurrency => "bad_concurrency",
            Self::AtMostOnceRetried => "at_most_once_retried",
            Self::AtMostOnceExternal => "at_most_once_external",
            Self::VerificationMissingConfig => "verification_missing_config",
            Self::VerificationMissingPass => "verification_missing_pass",
            Self::VerificationMissingFail => "verification_missing_fail",
            Self::VerificationMissingRefer => "verification_missing_refer",
            Self::VerificationDuplicateEdge => "verification_duplicate_edge",
            Self::VerificationExtraOutgoing => "verification_extra_outgoing",
            Self::VerificationEdgeOutside => "verification_edge_outside",
            Self::OnFailureOutside => "on_failure_outside",
            Self::OnFailureDuplicate => "on_failure_duplicate",
            Self::OnFailureOptional => "on_failure_optional",
            Self::OnTimeoutOutside => "on_timeout_outside",
            Self::OnTimeoutDuplicate => "on_timeout_duplicate",
            Self::BadSignal => "bad_signal",
            Self::FailureHandlerEdges => "failure_handler_edges",
            Self::BadTriggerRule => "bad_trigger_rule",
            Self::BadJoin => "bad_join",
            Self::GuardMisplaced => "guard_misplaced",
            Self::ExpressionInvalid => "expression_invalid",
            Self::ReadsLaterNode => "reads_later_node",
            Self::ConditionNeverTrue => "condition_never_true",
            Self::TooManyLookups => "too_many_lookups",
            Self::SubworkflowRefMissing => "subworkflow_ref_missing",
            Self::SubworkflowVersionUnpinned => "subworkflow_version_unpinned",
            Self::SubworkflowNotFound => "subworkflow_not_found",
            Self::SubworkflowInputMissing => "subworkflow_input_missing",
            Self::SubworkflowInputUnknown => "subworkflow_input_unknown",
            Self::SubworkflowInputTypeMismatch => "subworkflow_input_type_mismatch",
            Self::SubworkflowOutputMissing => "subworkflow_output_missing",
            Self::SubworkflowOutputUnknown => "subworkflow_output_unknown",
            Self::SubworkflowOutputTypeMismatch => "subworkflow_output_type_mismatch",
            Self::SubworkflowCycleDetected => "subworkflow_cycle_detected",
            Self::AmbiguousNodeId => "ambiguous_node_id",
            Self::SubworkflowTooDeep => "subworkflow_too_deep",
            Self::SubworkflowTooLarge => "subworkflow_too_large",
            Self::SubworkflowConflict => "subworkflow_conflict",
            Self::SubworkflowBoundTwice => "subworkflow_bound_twice",
            Self::BadItems => "bad_items",
            Self::TooManyItems => "too_many_items",
            Self::BadRounds => "bad_rounds",
            Self::SchemaInvalid => "schema_invalid",
            Self::SchemaUnsupported => "schema_unsupported",
            Self::HandlerConflict => "handler_conflict",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One thing that is wrong with a definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Its kind.
    pub code: Code,
    /// The ids of the nodes that are concerned; empty if it is about the definition as a whole.
    pub nodes: Vec<String>,
    /// What is wrong, for people.
    pub message: String,
    /// The part of the definition that it is about, where that is no node.
    pub part: Option<Part>,
}

/// A part of a definition, by its position among its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Part {
    /// One of [`Definition::inputs`].
    Input(usize),
    /// One of [`Definition::outputs`].
    Output(usize),
    /// One of [`Definition::edges`].
    Edge(usize),
    /// [`Definition::input_schema`], or that of the node of the problem.
    InputSchema,
    /// [`Definition::output_schema`], or that of the node of the problem; also the schema of a signal.
    OutputSchema,
    /// One of [`Definition::workflows`]: the nodes of the problem are nodes of that workflow.
    Workflow(usize),
}

impl Problem {
    /// A problem of the definition as a whole.
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, nodes: Vec::new(), message: message.into(), part: None }
    }

    /// A problem of one node.
    pub(crate) fn of(code: Code, node: &str, message: impl Into<String>) -> Self {
        Self { code, nodes: vec![node.to_owned()], message: message.into(), part: None }
    }

    /// The same problem, of that part.
    pub(crate) fn at(self, part: Part) -> Self {
        Self { part: Some(part), ..self }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

/// Which checks found the problems; a phase begins only if the one before found none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// Whether the parts fit together: ids, edges, declarations.
    Structure,
    /// Whether the graph can be run: ways, branches, expressions.
    Graph,
    /// Whether the sub-workflows that are called exist and fit.
    Links,
    /// Whether payloads can be checked by the schemas; this crate does not look.
    Schemas,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Structure => "structure",
            Self::Graph => "graph",
            Self::Links => "links",
            Self::Schemas => "schemas",
        })
    }
}

/// Why a definition cannot be run: all problems that one phase found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub struct CompileError {
    /// Id of the workflow.
    pub workflow: String,
    /// Which checks found them.
    pub phase: Phase,
    /// What they found; never empty.
    pub problems: Vec<Problem>,
}

impl CompileError {
    /// What one phase found in a definition; for those who check more than the core does.
    pub fn new(definition: &Definition, phase: Phase, problems: Vec<Problem>) -> Self {
        Self { workflow: definition.id.clone(), phase, problems }
    }
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.problems.len();
        let noun = if count == 1 { "problem" } else { "problems" };
        write!(f, "workflow {:?} has {count} {noun} in its {}:", self.workflow, self.phase)?;
        self.problems.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}
