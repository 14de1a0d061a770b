//! Calls in code.

use super::{Definition, Document, NodeKind, OnFailure, Policy, Siblings, Subworkflow};

/// A call of another workflow, for [`DefinitionBuilder::call`](super::DefinitionBuilder::call).
///
/// ```
/// use finale_core::compile::{Registry, compile};
/// use finale_core::definition::{Call, DeclaredType, Definition};
///
/// let ship = Definition::builder("ship").requires("order", DeclaredType::Integer).task("label", "print_label").build();
/// let order = Definition::builder("order")
///     .task("pack", "pack")
///     .call("ship", Call::of(ship).input("{'order': nodes.pack.output}"))
///     .after("pack")
///     .build();
/// assert!(compile(order, &Registry::new()).is_ok());
/// ```
#[derive(Clone, Debug)]
#[must_use = "a call is for DefinitionBuilder::call"]
pub struct Call {
    pub(super) node: Subworkflow,
    pub(super) definition: Option<Definition>,
    /// Whether it says what the called workflow is given.
    pub(super) is_bound: bool,
}

impl Call {
    /// A call of this workflow, in this version of it: the definition that calls it keeps it.
    pub fn of(definition: Definition) -> Self {
        let call = Self::to(definition.id.clone(), definition.version.clone());
        Self { definition: Some(definition), ..call }
    }

    /// A call of the workflow that is registered under that id and version.
    pub fn to(workflow: impl Into<String>, version: impl Into<String>) -> Self {
        let with = Document::from_json(b"{}").expect("an empty object is a document");
        let (workflow, version) = (Some(workflow.into()), Some(version.into()));
        Self {
            node: Subworkflow { workflow, version, with: Some(with), ..Subworkflow::default() },
            definition: None,
            is_bound: false,
        }
    }

    /// The expression that gives the input of the called workflow; by default that is an empty object.
    ///
    /// Takes the place of [`with`](Self::with).
    pub fn input(mut self, expression: impl Into<String>) -> Self {
        (self.node.input, self.node.with, self.is_bound) = (Some(expression.into()), None, true);
        self
    }

    /// The input of the called workflow as a document, in whose texts `${{ expression }}` stands for a value.
    ///
    /// Takes the place of [`input`](Self::input).
    pub fn with(mut self, document: Document) -> Self {
        (self.node.with, self.node.input, self.is_bound) = (Some(document), None, true);
        self
    }

    /// The expression that gives the output of the node; in it `output` is what the called workflow gave, which is the
    /// output of the node by default.
    pub fn output(mut self, expression: impl Into<String>) -> Self {
        self.node.output = Some(expression.into());
        self
    }

    /// What a failure inside does to the call; by default what the called workflow says.
    pub fn on_failure(mut self, on_failure: OnFailure) -> Self {
        self.policy().on_failure = on_failure;
        self
    }

    /// What becomes of running tasks inside when the end of the call is decided; by default what the called workflow says.
    pub fn siblings(mut self, siblings: Siblings) -> Self {
        self.policy().siblings = siblings;
        self
    }

    /// The execution may complete although the call failed: the failure is recorded, what depends on it goes on.
    pub fn optional(mut self) -> Self {
        self.node.optional = true;
        self
    }

    fn policy(&mut self) -> &mut Policy {
        let own = self.definition.as_ref().map(|definition| definition.policy).unwrap_or_default();
        self.node.policy.get_or_insert(own)
    }
}

/// The node that a call is, without the definition that it brings.
impl From<Call> for NodeKind {
    fn from(call: Call) -> Self {
        Self::Subworkflow(call.node)
    }
}

impl From<Definition> for Call {
    fn from(definition: Definition) -> Self {
        Self::of(definition)
    }
}

impl Definition {
    /// Lets calls find this workflow; says nothing if it is there already.
    pub(super) fn keep(&mut self, called: Definition) {
        if !self.workflows.contains(&called) {
            self.workflows.push(called);
        }
    }
}
