//! How people name a node: by the way that leads to it.

use std::fmt::{self, Write};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::id::{ParseIdError, number};

/// The way to a node through the scopes it is in: `approve`, `ship::label`, `import[17]::parse`, `poll#3::check`,
/// `charge@compensate::charge`, `@finally::finally`.
///
/// Scopes are named by the nodes that opened them: a call by the node alone, an item of a map with its index from 0 in
/// brackets, a round of a loop with its number from 1 behind a `#`, what undoes a node with `@compensate` behind it. What
/// runs when a scope ends is called `@finally`. An id with one of the characters `[ # @ \` or with `::` in it has a `\`
/// before them, and so has a colon at the end of an id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodePath {
    within: Vec<PathStep>,
    node: Box<str>,
}

/// One scope on the way to a node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathStep {
    /// Id of the node that opened the scope; empty for [`Instance::Finally`], which no node opens.
    pub node: Box<str>,
    /// Which of its scopes.
    pub instance: Instance,
}

/// Which of the scopes that a node opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Instance {
    /// The only one: of a call or a group.
    Single,
    /// That of an item, counted from 0.
    Item(u32),
    /// That of a round, counted from 1.
    Round(u32),
    /// What undoes the node.
    Compensation,
    /// What runs when the scope around it ends.
    Finally,
}

impl NodePath {
    /// The path of a node of the definition's own graph.
    pub fn root(node: &str) -> Self {
        Self::new(Vec::new(), node)
    }

    /// The path of a node inside these scopes, the outermost first.
    pub fn new(within: Vec<PathStep>, node: &str) -> Self {
        Self { within, node: node.into() }
    }

    /// The scopes on the way, the outermost first.
    pub fn within(&self) -> &[PathStep] {
        &self.within
    }

    /// The id of the node itself.
    pub fn node(&self) -> &str {
        &self.node
    }
}

impl fmt::Display for NodePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.within {
            write!(f, "{step}::")?;
        }
        write_id(f, &self.node)
    }
}

impl fmt::Display for PathStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_id(f, &self.node)?;
        match self.instance {
            Instance::Single => Ok(()),
            Instance::Item(index) => write!(f, "[{index}]"),
            Instance::Round(round) => write!(f, "#{round}"),
            Instance::Compensation => f.write_str(COMPENSATION),
            Instance::Finally => f.write_str(FINALLY),
        }
    }
}

const COMPENSATION: &str = "@compensate";
const FINALLY: &str = "@finally";

fn write_id(f: &mut fmt::Formatter<'_>, id: &str) -> fmt::Result {
    let mut rest = id.chars().peekable();
    while let Some(one) = rest.next() {
        let is_ambiguous = match one {
            '\\' | '[' | '#' | '@' => true,
            ':' => matches!(rest.peek(), Some(':') | None),
            _ => false,
        };
        if is_ambiguous {
            f.write_char('\\')?;
        }
        f.write_char(one)?;
    }
    Ok(())
}

impl FromStr for NodePath {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Parser(text).path().ok_or_else(|| ParseIdError::new("path of a node", text))
    }
}

/// Reads a path from what is left of its text.
struct Parser<'a>(&'a str);

impl Parser<'_> {
    fn path(mut self) -> Option<NodePath> {
        let mut within = Vec::new();
        loop {
            if let Some(rest) = self.0.strip_prefix(FINALLY) {
                self.0 = rest.strip_prefix("::")?;
                within.push(PathStep { node: Box::default(), instance: Instance::Finally });
                continue;
            }
            let node = self.id()?;
            if self.0.is_empty() {
                return Some(NodePath { within, node });
            }
            let instance = self.instance()?;
            self.0 = self.0.strip_prefix("::")?;
            within.push(PathStep { node, instance });
        }
    }

    fn id(&mut self) -> Option<Box<str>> {
        let mut id = String::new();
        let mut rest = self.0.chars();
        loop {
            let left = rest.as_str();
            if left.is_empty() || left.starts_with(['[', '#', '@']) || left.starts_with("::") {
                self.0 = left;
                return (!id.is_empty()).then(|| id.into());
            }
            match rest.next()? {
                '\\' => id.push(rest.next()?),
                one => id.push(one),
            }
        }
    }

    fn instance(&mut self) -> Option<Instance> {
        if let Some(rest) = self.0.strip_prefix('[') {
            let (index, rest) = rest.split_once(']')?;
            self.0 = rest;
            return number(index).map(Instance::Item);
        }
        if let Some(rest) = self.0.strip_prefix(COMPENSATION) {
            self.0 = rest;
            return Some(Instance::Compensation);
        }
        let Some(rest) = self.0.strip_prefix('#') else {
            return Some(Instance::Single);
        };
        let end = rest.find("::")?;
        let (round, rest) = rest.split_at(end);
        self.0 = rest;
        number(round).map(Instance::Round)
    }
}

impl Serialize for NodePath {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for NodePath {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn step(node: &str, instance: Instance) -> PathStep {
        PathStep { node: node.into(), instance }
    }

    #[test]
    fn paths_print_as_people_write_them() {
        let cases = [
            (NodePath::root("approve"), "approve"),
            (NodePath::new(vec![step("ship", Instance::Single)], "label"), "ship::label"),
            (NodePath::new(vec![step("import", Instance::Item(17))], "parse"), "import[17]::parse"),
            (NodePath::new(vec![step("poll", Instance::Round(3))], "check"), "poll#3::check"),
            (NodePath::new(vec![step("a", Instance::Single), step("b", Instance::Item(0))], "c"), "a::b[0]::c"),
            (NodePath::new(vec![step("a", Instance::Compensation)], "a"), "a@compensate::a"),
            (NodePath::new(vec![step("", Instance::Finally)], "tell"), "@finally::tell"),
            (NodePath::new(vec![step("a", Instance::Item(2)), step("", Instance::Finally)], "b"), "a[2]::@finally::b"),
            (NodePath::root("me@home"), r"me\@home"),
            (NodePath::root("task:1"), "task:1"),
            (NodePath::root("a::b"), r"a\::b"),
            (NodePath::root("x#1:"), r"x\#1\:"),
        ];
        for (path, text) in cases {
            assert_eq!(path.to_string(), text);
            assert_eq!(text.parse(), Ok(path));
        }
    }

    #[test]
    fn a_text_that_leads_nowhere_is_no_path() {
        for text in [
            "",
            "::a",
            "a::",
            "a[1]",
            "a[x]::b",
            "a[+1]::b",
            "a#::b",
            "a#01::b",
            "a[1]b::c",
            r"a\",
            "@finally",
            "a@compensate",
            "@a::b",
            "a@b::c",
        ] {
            assert!(text.parse::<NodePath>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_path_reads_back_from_its_text(
            ids in prop::collection::vec((r"[ab:@\[\]#\\0]{1,5}", 0..5_u8, any::<u32>()), 1..4),
            node in r"[ab:@\[\]#\\0]{1,5}",
        ) {
            let instance = |kind, number| match kind {
                0 => Instance::Single,
                1 => Instance::Item(number),
                2 => Instance::Round(number),
                3 => Instance::Compensation,
                _ => Instance::Finally,
            };
            let step = |(id, kind, number): &(String, u8, u32)| match instance(*kind, *number) {
                Instance::Finally => step("", Instance::Finally),
                instance => step(id, instance),
            };
            let within = ids.iter().map(step).collect();
            let path = NodePath::new(within, &node);
            prop_assert_eq!(path.to_string().parse(), Ok(path));
        }
    }
}
