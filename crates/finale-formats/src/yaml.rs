//! YAML text to a [`Located`] value; the only module that knows the YAML library.

use serde::de::{Deserialize, DeserializeOwned, Deserializer, MapAccess, SeqAccess};
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::options::{AliasLimits, MergeKeyPolicy};
use serde_saphyr::{Error, Options, Spanned};

use crate::error::{Fault, LoadProblem, Place};
use crate::tree::{Inside, Located, Tree, TreeVisitor};

/// Reads a document of at most that many values, aliases expanded.
pub(crate) fn parse(text: &str, values_max: usize) -> Result<Located, Fault> {
    read(
        text,
        values_max,
        |message, source| LoadProblem::Syntax { message, source },
        |root: Spanned<Marked>| root.into(),
    )
}

/// Decodes text that could be parsed into a type that says itself what it accepts.
pub(crate) fn decode<T: DeserializeOwned + Send>(text: &str, values_max: usize) -> Result<T, Fault> {
    read(text, values_max, |message, source| LoadProblem::Shape { message, source }, |decoded: T| decoded)
}

type Otherwise = fn(String, Box<dyn std::error::Error + Send + Sync>) -> LoadProblem;

/// Reads here what is nested as files mostly are, and anything deeper where there is enough stack for it.
fn read<D: DeserializeOwned, T: Send>(
    text: &str,
    values_max: usize,
    otherwise: Otherwise,
    finish: fn(D) -> T,
) -> Result<T, Fault> {
    let read = |depth_max| {
        let decoded = serde_saphyr::from_str_with_options(text, options(values_max, depth_max));
        decoded.map(finish).map_err(|error| (is_too_deep(&error), fault(error, values_max, otherwise)))
    };
    match read(SHALLOW_DEPTH_MAX) {
        Ok(read) => Ok(read),
        Err((false, fault)) => Err(fault),
        Err((true, too_deep)) => std::thread::scope(|scope| {
            let deep = std::thread::Builder::new().stack_size(DEPTH_MAX * STACK_OF_LEVEL);
            match deep.spawn_scoped(scope, || read(DEPTH_MAX).map_err(|(_, fault)| fault)) {
                Ok(deep) => deep.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
                Err(_) => Err(too_deep),
            }
        }),
    }
}

fn is_too_deep(error: &Error) -> bool {
    matches!(error, Error::Budget { breach: BudgetBreach::Depth { .. }, .. })
}

/// An alias repeats what it stands for, so a small file could ask for a huge document.
const REPLAYED_EVENTS_MAX: usize = 100_000;
const ANCHORS_MAX: usize = 1_000;

/// The parser recurses and takes up to 40 KiB of stack per level in a debug build, where a thread
/// may have no more than 2 MiB. A definition has seven levels, and the values in it a few more.
const SHALLOW_DEPTH_MAX: usize = 24;

/// A value that is nested as deep as a payload may be, and what is around it in a file.
const DEPTH_MAX: usize = 104;

/// Twice what a level takes.
const STACK_OF_LEVEL: usize = 80 << 10;

fn options(values_max: usize, depth_max: usize) -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            // A list or a map is one value and two events.
            max_events: values_max.saturating_mul(2),
            max_nodes: values_max,
            max_documents: 1,
            max_depth: depth_max,
            max_anchors: ANCHORS_MAX,
            max_aliases: REPLAYED_EVENTS_MAX,
        },
        alias_limits: alias_limits(),
        merge_keys: MergeKeyPolicy::Merge,
        strict_booleans: true,
        emit_comments: false,
        with_snippet: false,
    }
}

fn alias_limits() -> AliasLimits {
    serde_saphyr::alias_limits! {
        max_total_replayed_events: REPLAYED_EVENTS_MAX,
        max_replay_stack_depth: 32,
    }
}

fn fault(error: Error, values_max: usize, otherwise: Otherwise) -> Fault {
    let place = error.location().and_then(place);
    let problem = match &error {
        error if is_too_deep(error) => LoadProblem::TooDeep,
        Error::Budget { breach: BudgetBreach::Events { .. } | BudgetBreach::Nodes { .. }, .. } => {
            LoadProblem::TooManyValues { values_max }
        }
        _ => {
            let mut message = error.to_string();
            // The place is told apart from the message.
            if let Some(end) = message.find(" at line ") {
                message.truncate(end);
            }
            otherwise(advised(message), Box::new(error))
        }
    };
    Fault::new(problem).at(place)
}

/// What the parser says, and what to do about it.
const ADVICE: [(&str, &str); 8] = [
    ("tab", "indent with spaces, YAML takes no tabs for that"),
    ("mapping values are not allowed", "a text with `: ` in it needs quotes"),
    ("unexpected character", "a text that begins with this character needs quotes"),
    ("unknown anchor", "a text that begins with `*` needs quotes"),
    ("did not find expected ',' or '}'", "inside of braces a text with `{`, `}`, `[`, `]` or `,` needs quotes"),
    ("did not find expected ',' or ']'", "inside of brackets a text with `{`, `}`, `[`, `]` or `,` needs quotes"),
    ("illegal placement of ':'", "a bracket or brace before it may not be closed"),
    ("did not find expected key", "is it indented like the keys beside it?"),
];

fn advised(message: String) -> String {
    if let Some(key) = message.strip_prefix("duplicate mapping key: ").and_then(|rest| rest.split(", set ").next()) {
        return format!("the key `{key}` is there twice");
    }
    match ADVICE.iter().find(|(part, _)| message.contains(part)) {
        Some((_, advice)) => format!("{message}: {advice}"),
        None => message,
    }
}

fn place(location: serde_saphyr::Location) -> Option<Place> {
    let count = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    (location.line() > 0).then(|| Place { line: count(location.line()), column: count(location.column()) })
}

struct Marked(Tree);

impl<'de> Deserialize<'de> for Marked {
    fn deserialize<D: Deserializer<'de>>(decoder: D) -> Result<Self, D::Error> {
        decoder.deserialize_any(TreeVisitor::new(Marks)).map(Self)
    }
}

impl From<Spanned<Marked>> for Located {
    fn from(marked: Spanned<Marked>) -> Self {
        Self { tree: marked.value.0, place: place(marked.referenced) }
    }
}

struct Marks;

impl<'de> Inside<'de> for Marks {
    fn element<A: SeqAccess<'de>>(&self, list: &mut A) -> Result<Option<Located>, A::Error> {
        let element = list.next_element::<Spanned<Marked>>()?;
        Ok(element.map(Located::from))
    }

    fn key<A: MapAccess<'de>>(&self, map: &mut A) -> Result<Option<(String, Option<Place>)>, A::Error> {
        let key = map.next_key::<Spanned<String>>()?;
        Ok(key.map(|key| (key.value, place(key.referenced))))
    }

    fn value<A: MapAccess<'de>>(&self, map: &mut A) -> Result<Located, A::Error> {
        map.next_value::<Spanned<Marked>>().map(Located::from)
    }
}
