//! The few expressions that random definitions use, with a second way to evaluate them.

use serde_json::Value;

/// An expression whose meaning can be told without the expression language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Formula {
    /// Whether `input.x` is greater than this.
    XAbove(u8),
    /// The value `input.x`.
    X,
    /// A member that the input does not have.
    Missing,
    /// Whether that node has completed.
    Completed(usize),
    /// The output of that node, which only a completed task has.
    Output(usize),
    /// How many failures the node handles whose expression it is.
    Failures,
}

impl Formula {
    /// The expression as text.
    pub fn source(&self) -> String {
        match self {
            Self::XAbove(limit) => format!("input.x > {limit}"),
            Self::X => "input.x".to_owned(),
            Self::Missing => "input.missing".to_owned(),
            Self::Completed(node) => format!(r#"nodes["n{node}"].status == "completed""#),
            Self::Failures => "failures | length".to_owned(),
            Self::Output(node) => format!(r#"nodes["n{node}"].output"#),
        }
    }

    /// The expression that a text is.
    ///
    /// # Panics
    /// When the text is none of these.
    pub fn of(source: &str) -> Self {
        let node = || source.split('"').nth(1).and_then(|id| id[1..].parse().ok()).expect("the text names a node");
        match source {
            "input.x" => Self::X,
            "input.missing" => Self::Missing,
            "failures | length" => Self::Failures,
            _ if source.ends_with(".output") => Self::Output(node()),
            _ if source.starts_with("nodes") => Self::Completed(node()),
            _ => Self::XAbove(source.rsplit(' ').next().and_then(|limit| limit.parse().ok()).expect("a limit")),
        }
    }

    /// What it comes to; none if it cannot be evaluated.
    ///
    /// A view of a node (found by the number in its id) is whether it has completed, and its output if it has one.
    pub fn value(&self, x: u64, failures: usize, node: impl Fn(usize) -> (bool, Option<Value>)) -> Option<Value> {
        match self {
            Self::XAbove(limit) => Some(Value::from(x > u64::from(*limit))),
            Self::X => Some(Value::from(x)),
            Self::Missing => None,
            Self::Failures => Some(Value::from(failures)),
            Self::Completed(other) => Some(Value::from(node(*other).0)),
            Self::Output(other) => node(*other).1,
        }
    }
}
