//! What can be wrong with an expression, before and while it is evaluated.

use minijinja::ErrorKind;

use super::known::{FILTERS, TESTS};
use super::{Local, limits};
use crate::nearest::nearest;

/// What an expression sees of a node.
pub(super) const NODE_PARTS: [&str; 3] = ["status", "output", "error"];

/// Why a text is no expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExpressionError {
    /// The text is longer than allowed.
    #[error("{bytes} bytes are more than the {bytes_max} bytes allowed for an expression")]
    TooLong {
        /// Length of the text.
        bytes: usize,
        /// The limit it exceeds.
        bytes_max: usize,
    },
    /// There are more words and signs than allowed.
    #[error("more than the {tokens_max} words and signs allowed for an expression")]
    TooManyTokens {
        /// The limit it exceeds.
        tokens_max: usize,
    },
    /// Brackets, `else` and filters that nest their results are nested deeper than allowed.
    #[error(
        "brackets, `else` or filters are nested deeper than the {depth_max} levels allowed; split the expression over several nodes"
    )]
    NestedTooDeep {
        /// The limit it exceeds.
        depth_max: usize,
    },
    /// The grammar does not allow it.
    #[error("{detail}")]
    Syntax {
        /// What was found where.
        detail: String,
    },
    /// The grammar does not allow it, and there is a `=` where a comparison could stand.
    #[error("`=` compares nothing; write `==`")]
    SingleEquals,
    /// There is no variable or function of that name.
    #[error("`{name}` is unknown: an expression here sees {}{}", seen(known), hint_for_name(name, *is_node))]
    UnknownName {
        /// The name.
        name: String,
        /// Whether a node has that id.
        is_node: bool,
        /// What is known there beside `input`, `nodes` and `vars`.
        known: Vec<Local>,
    },
    /// There is no filter of that name.
    #[error("there is no filter `{name}`{}", hint_for_filter(name))]
    UnknownFilter {
        /// The name.
        name: String,
    },
    /// There is no test of that name.
    #[error("there is no test `{name}`{}", hint_for_test(name))]
    UnknownTest {
        /// The name.
        name: String,
    },
    /// There is no node with that id.
    #[error("there is no node {id:?}{}", hint_for_node(nearest.as_deref()))]
    UnknownNode {
        /// The id that was asked for.
        id: String,
        /// The id that is most like it, if one is.
        nearest: Option<String>,
    },
    /// Nothing of a node has that name.
    #[error("a node has `status`, `output` and `error`, and no `{name}`{}", hint_for_part(name))]
    UnknownPart {
        /// The name.
        name: String,
    },
    /// The id of a node holds a hyphen, which the dot notation reads as a subtraction.
    #[error("`nodes.{id}` is read as a subtraction; write `nodes[\"{id}\"]`")]
    Hyphen {
        /// The id that was meant.
        id: String,
    },
    /// `nodes` is used in another way than by a fixed id.
    #[error("`nodes` needs the id of a node right behind it: write `nodes.name` or `nodes[\"name\"]`")]
    BareNodes,
}

/// All names that are known, in words.
fn seen(known: &[Local]) -> String {
    let names = ["input", "nodes", "vars"].into_iter().chain(known.iter().map(|local| local.name()));
    let mut names: Vec<_> = names.map(|name| format!("`{name}`")).collect();
    let last = names.pop().unwrap_or_default();
    format!("{} and {last}", names.join(", "))
}

fn hint_for_name(name: &str, is_node: bool) -> String {
    match name {
        "null" => "; nothing is written `none`".to_owned(),
        name if is_node => format!(" (perhaps `nodes.{name}`)"),
        // Words of other systems.
        "inputs" | "params" | "parameters" => " (perhaps `input`)".to_owned(),
        "tasks" | "steps" | "needs" | "jobs" => " (perhaps `nodes`)".to_owned(),
        name => format!(" (perhaps `input.{name}` or `vars.{name}`)"),
    }
}

fn hint_for_part(name: &str) -> String {
    let meant = match name {
        // Words of other systems.
        "result" | "outcome" | "conclusion" | "state" => Some("status"),
        "outputs" | "value" | "return_value" => Some("output"),
        _ => nearest(name, NODE_PARTS),
    };
    meant.map(|part| format!("; did you mean `{part}`?")).unwrap_or_default()
}

fn hint_for_filter(name: &str) -> String {
    let meant = match name {
        // Words of other systems.
        "upcase" | "uppercase" | "toupper" => Some("upper"),
        "downcase" | "lowercase" | "tolower" => Some("lower"),
        "len" | "size" => Some("length"),
        "strip" => Some("trim"),
        "json" | "to_json" | "toJSON" => Some("tojson"),
        _ => nearest(name, FILTERS),
    };
    meant.map(|filter| format!("; did you mean `{filter}`?")).unwrap_or_default()
}

fn hint_for_test(name: &str) -> String {
    if nearest(name, ["empty"]).is_some() {
        return "; ask whether `| length == 0`".to_owned();
    }
    let meant = match name {
        // Words of other systems.
        "null" | "nil" => Some("none"),
        _ => nearest(name, TESTS),
    };
    meant.map(|test| format!("; did you mean `{test}`?")).unwrap_or_default()
}

fn hint_for_node(nearest: Option<&str>) -> String {
    nearest.map(|id| format!("; did you mean {id:?}?")).unwrap_or_default()
}

/// Why an expression gave nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EvaluationError {
    /// Something undefined was used, or is the result.
    #[error("{what} is undefined; ask with `is defined` or give a `| default(...)`")]
    Undefined {
        /// What is undefined, as far as it is known.
        what: String,
    },
    /// A condition gave something else than `true` or `false`.
    #[error("a condition must give true or false, this one gave a {found}")]
    NotBoolean {
        /// The type it gave.
        found: String,
    },
    /// A number in the result is not finite.
    #[error("the result holds a number that is infinite or none (NaN)")]
    NotFinite,
    /// The result is something that JSON cannot say.
    #[error("the result holds a {found}, which JSON cannot say")]
    NotJson {
        /// The type it holds.
        found: String,
    },
    /// The result is larger than allowed.
    #[error("the result is larger than the {bytes_max} bytes allowed")]
    TooLarge {
        /// The limit it exceeds.
        bytes_max: usize,
    },
    /// The result is nested deeper than allowed.
    #[error("the result is nested deeper than the {depth_max} levels allowed")]
    TooDeep {
        /// The limit it exceeds.
        depth_max: usize,
    },
    /// The evaluation took more steps than allowed.
    #[error("the evaluation takes more than the {fuel_max} steps allowed")]
    TooMuchWork {
        /// The limit it exceeds.
        fuel_max: u64,
    },
    /// An input or output that it needs could not be read.
    #[error("{what} cannot be read: {detail}")]
    Unreadable {
        /// Which one.
        what: String,
        /// What the parser says.
        detail: String,
    },
    /// An operation does not fit its operands.
    #[error("{detail}")]
    Failed {
        /// Which operation, and why.
        detail: String,
    },
}

impl EvaluationError {
    pub(super) fn failed(detail: impl Into<String>) -> Self {
        Self::Failed { detail: detail.into() }
    }
}

impl From<minijinja::Error> for EvaluationError {
    fn from(error: minijinja::Error) -> Self {
        // What a filter of ours could not do it says itself.
        if let Some(ours) = std::error::Error::source(&error).and_then(|source| source.downcast_ref::<Self>()) {
            return ours.clone();
        }
        let detail = describe(&error);
        match error.kind() {
            ErrorKind::OutOfFuel => Self::TooMuchWork { fuel_max: limits::FUEL_MAX },
            ErrorKind::UndefinedError => {
                Self::Undefined { what: error.detail().unwrap_or("a value it uses").to_owned() }
            }
            _ => Self::Failed { detail },
        }
    }
}

/// On its way through the engine.
impl From<EvaluationError> for minijinja::Error {
    fn from(error: EvaluationError) -> Self {
        let detail = error.to_string();
        Self::new(ErrorKind::InvalidOperation, detail).with_source(error)
    }
}

/// The kind and the detail of an error, without the position in a text that the user has not written so.
pub(super) fn describe(error: &minijinja::Error) -> String {
    match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    }
}
