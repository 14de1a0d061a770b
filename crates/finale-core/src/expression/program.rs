//! What an expression is compiled to: steps over a stack of values, without recursion.

use minijinja::Value;

use super::Local;

/// The steps of an expression.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) steps: Box<[Step]>,
}

impl Program {
    /// Whether it only puts a value together: then the value is no larger than the text, and costs no more to make.
    pub(super) fn is_literal(&self) -> bool {
        let puts_together =
            |step: &Step| matches!(step, Step::Constant(_) | Step::List(_) | Step::Map(_) | Step::Negate(_));
        self.steps.iter().all(puts_together)
    }

    /// Whether it comes to the same whatever has happened.
    pub(super) fn reads_nothing(&self) -> bool {
        let reads = |step: &Step| {
            matches!(step, Step::Input | Step::Failure | Step::Failures | Step::Vars | Step::Local(_) | Step::Node(_))
        };
        !self.steps.iter().any(reads)
    }
}

/// One step. Jumps count from the step behind them.
#[derive(Debug)]
pub(super) enum Step {
    /// Pushes a value.
    Constant(Value),
    /// Pushes the input of the execution.
    Input,
    /// Pushes the first failure that the node handles.
    Failure,
    /// Pushes all failures that the node handles.
    Failures,
    /// Pushes what `vars` shows.
    Vars,
    /// Pushes what is known in some places only.
    Local(Local),
    /// Pushes the node at a place of the scope's list.
    Node(u32),
    /// Looks into the topmost value under a name.
    Attribute(Box<str>, Span),
    /// Looks into a value under the value above it.
    Item(Span),
    /// Cuts out of a value: above it are begin, end and step.
    Slice(Span),
    /// Turns the sign of a number.
    Negate(Span),
    /// Turns the truth of a value.
    Not(Span),
    /// Calculates with two numbers, texts or lists.
    Calculate(Calculation, Operands),
    /// Joins two values as texts.
    Concatenate(Operands),
    /// Compares two values.
    Compare(Comparison, Operands),
    /// Compares two values; if that is false it jumps with it, else it leaves the right one for the next comparison.
    Chain(Comparison, Operands, usize),
    /// Makes a list of the topmost values.
    List(usize),
    /// Makes a map of the topmost pairs of keys and values.
    Map(usize),
    /// Calls a function, filter or test.
    Call(Box<Call>),
    /// Drops the topmost value, and jumps if it is not true.
    JumpUnless(usize, Span),
    /// Jumps if the topmost value is not true and keeps it, else drops it.
    And(usize, Span),
    /// Jumps if the topmost value is true and keeps it, else drops it.
    Or(usize, Span),
    /// Jumps.
    Jump(usize),
}

/// A call of something that is built in.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) callee: Callee,
    /// How many values on the stack are arguments without a name; the value before `|` or `is` is the first of them.
    pub(super) positional: usize,
    /// The names of the arguments above them.
    pub(super) named: Box<[Box<str>]>,
    /// What the call is about, in errors.
    pub(super) subject: Span,
}

/// What is called.
#[derive(Clone, Copy, Debug)]
pub(super) enum Callee {
    Filter(&'static str),
    Test(&'static str),
    Range,
    Dict,
}

/// A part of the source.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Span {
    pub(super) start: u32,
    pub(super) end: u32,
}

/// The operands of an operator in the source.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operands {
    pub(super) left: Span,
    pub(super) right: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Calculation {
    Add,
    Subtract,
    Multiply,
    Divide,
    DivideWhole,
    Remainder,
    Power,
}

impl Calculation {
    pub(super) const fn sign(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::DivideWhole => "//",
            Self::Remainder => "%",
            Self::Power => "**",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    NotIn,
}
