//! Loading a file of any of the formats.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use finale_core::Definition;

use crate::error::{Fault, Faults, LoadError, LoadProblem};
pub use crate::limits::Limits;
pub use crate::own::CalledFile;
use crate::places::Places;
use crate::tree::{Located, Tree};
use crate::warning::FileWarning;
use crate::{decode, json, own, synthorg, wfformat, yaml};

/// Loads a definition with the default [`Limits`].
///
/// `origin` is the name of the file; it is used in errors, and its ending, `.json`, `.yaml` or
/// `.yml`, tells what the text is written in. With another ending, text that begins with `{` or `[`
/// is JSON, and anything else is YAML.
pub fn load(bytes: &[u8], format: Format, origin: &str) -> Result<Loaded, LoadError> {
    Limits::default().load(bytes, format, origin)
}

/// What a file contained.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Loaded {
    /// The format it was in; never [`Format::Auto`].
    pub format: Format,
    /// The definition, not checked yet.
    pub definition: Definition,
    /// How long each task took in the recorded run, by node id; empty for all formats but `WfFormat`.
    pub runtimes: BTreeMap<String, Duration>,
    /// Where its nodes stand in the file, for errors that are found later.
    pub places: Places,
    /// The workflows that it calls and that stand in other files, which nobody has read yet; see
    /// [`add_called`](Self::add_called).
    pub called_files: Vec<CalledFile>,
    /// What is suspicious in the file itself, in its order; what is in the definition, compiling it finds.
    pub warnings: Vec<FileWarning>,
}

impl Loaded {
    /// Adds a workflow that was read from another file: calls find it by its id, in the version that it has.
    pub fn add_called(&mut self, called: Definition) {
        self.definition.workflows.push(called);
        self.places.workflows.resize_with(self.definition.workflows.len(), Places::default);
        own::pin(&mut self.definition, &BTreeMap::new());
    }
}

/// What a file contains.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// Whatever its keys say: `tasks`, `blueprint`, `workflow` or `nodes`.
    #[default]
    Auto,
    /// finale's own format: see [`own`].
    Own,
    /// A `SynthOrg` blueprint.
    Blueprint,
    /// A `WfCommons` trace.
    WfFormat,
    /// A `SynthOrg` workflow definition, or the serialized form of [`Definition`].
    Definition,
}

const FORMATS: [(&str, Format); 5] = [
    ("auto", Format::Auto),
    ("finale", Format::Own),
    ("blueprint", Format::Blueprint),
    ("wfformat", Format::WfFormat),
    ("definition", Format::Definition),
];

impl Format {
    /// The name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Own => "finale",
            Self::Blueprint => "blueprint",
            Self::WfFormat => "wfformat",
            Self::Definition => "definition",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, UnknownFormat> {
        FORMATS
            .into_iter()
            .find_map(|(known, format)| (known == name).then_some(format))
            .ok_or_else(|| UnknownFormat { name: name.to_owned() })
    }
}

/// No format has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown format `{name}`; there are `auto`, `finale`, `blueprint`, `wfformat` and `definition`")]
pub struct UnknownFormat {
    name: String,
}

impl Limits {
    /// Loads a definition, like [`load()`], within these limits.
    pub fn load(&self, bytes: &[u8], format: Format, origin: &str) -> Result<Loaded, LoadError> {
        let text = self.text(bytes).map_err(|problem| LoadError::new(origin, problem))?;
        let document = Document { text, syntax: Syntax::of(text, origin), values_max: self.values_max };
        document.load(format).map_err(|faults| faults.into_error(origin))
    }

    fn text<'a>(&self, bytes: &'a [u8]) -> Result<&'a str, LoadProblem> {
        let bytes_max = self.bytes_max;
        if bytes.len() > bytes_max {
            return Err(LoadProblem::TooLarge { bytes: bytes.len(), bytes_max });
        }
        let text = str::from_utf8(bytes).map_err(|error| LoadProblem::NotUtf8 { valid_bytes: error.valid_up_to() })?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if text.trim().is_empty() {
            return Err(LoadProblem::Empty);
        }
        Ok(text)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Syntax {
    Json,
    Yaml,
}

impl Syntax {
    fn of(text: &str, origin: &str) -> Self {
        let ending = Path::new(origin).extension().and_then(|ending| ending.to_str());
        match ending.map(str::to_ascii_lowercase).as_deref() {
            Some("json") => Self::Json,
            Some("yaml" | "yml") => Self::Yaml,
            _ if text.trim_start().starts_with(['{', '[']) => Self::Json,
            _ => Self::Yaml,
        }
    }
}

struct Document<'a> {
    text: &'a str,
    syntax: Syntax,
    values_max: usize,
}

impl Document<'_> {
    fn load(&self, format: Format) -> Result<Loaded, Faults> {
        let root = match self.syntax {
            Syntax::Json => json::parse(self.text, self.values_max)?,
            Syntax::Yaml => yaml::parse(self.text, self.values_max)?,
        };
        let locate = |fault: Fault| fault.located_by(|path| root.place_of(path));
        let format = if format == Format::Auto { detect(&root).map_err(locate)? } else { format };
        if format == Format::Own {
            let own::Read { definition, places, warnings, files } = own::read(&root)?;
            let runtimes = BTreeMap::new();
            return Ok(Loaded { format, definition, runtimes, places, called_files: files, warnings });
        }
        let (definition, runtimes) = interpret(&root, format).map_err(locate)?;
        let warnings = match format {
            Format::Blueprint => synthorg::warnings(&root),
            Format::Definition if !is_serialized(&root) => synthorg::warnings(&root),
            _ => Vec::new(),
        };
        let (places, called_files) = (Places::of_lists(&root), Vec::new());
        Ok(Loaded { format, definition, runtimes, places, called_files, warnings })
    }
}

fn interpret(root: &Located, format: Format) -> Result<(Definition, BTreeMap<String, Duration>), Fault> {
    let definition = match format {
        Format::WfFormat => {
            let workflow = wfformat::workflow(root)?;
            return Ok((workflow.definition, workflow.runtimes));
        }
        Format::Blueprint => synthorg::blueprint(root)?,
        _ if is_serialized(root) => decode::decode(root)?,
        _ => synthorg::definition(root)?,
    };
    Ok((definition, BTreeMap::new()))
}

fn detect(root: &Located) -> Result<Format, Fault> {
    let fields = root.open_fields()?;
    let has = |key| fields.get(key).is_some();
    let is_own = fields.entries().any(|(key, value)| key == "tasks" || key == "nodes" && value.tree.is_map());
    if has("blueprint") {
        Ok(Format::Blueprint)
    } else if is_own {
        Ok(Format::Own)
    } else if has("workflow") {
        Ok(Format::WfFormat)
    } else if has("nodes") {
        Ok(Format::Definition)
    } else {
        const KEYS_MAX: usize = 5;
        let keys = fields.entries().map(|(key, _)| key.chars().take(40).collect());
        Err(Fault::new(LoadProblem::UnknownFormat { keys: keys.take(KEYS_MAX).collect() }))
    }
}

/// The serialized form of a definition and `SynthOrg`'s differ in the keys of their nodes and edges.
fn is_serialized(root: &Located) -> bool {
    let first_has = |list: &str, key: &str| match root.tree.get(list).map(|list| &list.tree) {
        Some(Tree::List(elements)) => elements.first().is_some_and(|first| first.tree.get(key).is_some()),
        _ => false,
    };
    root.tree.get("policy").is_some()
        || root.tree.get("output").is_some()
        || first_has("nodes", "kind")
        || first_has("edges", "source")
}
