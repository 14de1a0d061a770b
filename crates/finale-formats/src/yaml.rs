//! YAML text to a [`Located`] value: what the events of the parser mean. The only module that knows the YAML library.
//!
//! The values are put together here rather than by serde, because a scalar must stay what was written where text is
//! meant, and because every limit and every mistake has a message of finale's own.

mod map;
mod message;

use std::collections::HashMap;

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};

use self::map::OpenMap;
use crate::error::{Fault, FileLimit, LoadProblem, Place};
use crate::limits::Limits;
use crate::scalar;
use crate::tree::{Located, Notation, Tree};

/// An alias repeats what it stands for, so a small file could ask for a huge document.
const ALIASED_VALUES_MAX: usize = Limits::ALIASED_VALUES_MAX;
const ANCHORS_MAX: usize = Limits::ANCHORS_MAX;
const DEPTH_MAX: usize = Limits::DEPTH_MAX;

/// Reads a document of at most that many values, aliases expanded.
pub(crate) fn parse(text: &str, values_max: usize) -> Result<Located, Fault> {
    refuse_control_characters(text)?;
    Composer::new(text, values_max).document()
}

/// YAML forbids them, and a terminal would obey them.
fn refuse_control_characters(text: &str) -> Result<(), Fault> {
    let is_forbidden = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}');
    let Some(at) = text.find(is_forbidden) else {
        return Ok(());
    };
    let line_begin = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let place = Place {
        line: count(text[..at].matches('\n').count() + 1),
        column: count(text[line_begin..at].chars().count() + 1),
    };
    let code = text[at..].chars().next().map_or(0, u32::from);
    let message = format!(
        "the control character U+{code:04X} may not stand in a file; in a text with double quotes it is written `\\x{code:02x}`"
    );
    Err(syntax(message).at(Some(place)))
}

/// A mistake that the parser does not know of.
fn syntax(message: impl Into<String>) -> Fault {
    Fault::new(LoadProblem::Syntax { message: message.into(), source: None })
}

fn over(limit: FileLimit, max: usize) -> Fault {
    Fault::new(LoadProblem::OverLimit { limit, max })
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn place(span: &Span) -> Place {
    Place { line: count(span.start.line()), column: count(span.start.col() + 1) }
}

/// A list or a map that is not closed yet.
enum Open {
    List { elements: Vec<Located>, place: Place, anchor: usize },
    Map { map: OpenMap, place: Place, anchor: usize },
}

/// Puts values together from events.
struct Composer<'t> {
    parser: Parser<'t, StrInput<'t>>,
    values_max: usize,
    values: usize,
    open: Vec<Open>,
    /// What each anchor stands for, by its number, as soon as that is complete.
    anchors: HashMap<usize, Located>,
    anchor_count: usize,
    /// The values in `anchors`, and those that aliases repeated.
    aliased_values: usize,
    root: Option<Located>,
}

impl<'t> Composer<'t> {
    fn new(text: &'t str, values_max: usize) -> Self {
        let mut options = granit_parser::options! {
            // The scanner sees a bracket before the composer does, so that the composer never gets to its own limit.
            flow_nesting_limit: DEPTH_MAX,
            block_nesting_limit: DEPTH_MAX,
        };
        options.set_emit_comments(false);
        Self {
            parser: Parser::new_from_str_with_options(text, options),
            values_max,
            values: 0,
            open: Vec::new(),
            anchors: HashMap::new(),
            anchor_count: 0,
            aliased_values: 0,
            root: None,
        }
    }

    fn document(mut self) -> Result<Located, Fault> {
        while let Some(event) = self.parser.next_event() {
            let (event, span) = event.map_err(fault)?;
            let here = place(&span);
            match event {
                Event::DocumentStart(..) if self.root.is_some() => {
                    return Err(over(FileLimit::Documents, 1).at(Some(here)));
                }
                Event::Scalar(text, style, anchor, tag) => {
                    // The parser says `~` where nothing stands.
                    let is_absent = style == ScalarStyle::Plain && span.start.index() == span.end.index();
                    let text = if is_absent { "" } else { &*text };
                    self.scalar(text, style, anchor, tag.as_deref(), here)?;
                }
                Event::SequenceStart(_, anchor, tag) => {
                    check_tag(tag.as_deref(), "seq", here)?;
                    self.begin(Open::List { elements: Vec::new(), place: here, anchor }, anchor, here)?;
                }
                Event::MappingStart(_, anchor, tag) => {
                    check_tag(tag.as_deref(), "map", here)?;
                    self.begin(Open::Map { map: OpenMap::default(), place: here, anchor }, anchor, here)?;
                }
                Event::SequenceEnd | Event::MappingEnd => self.end()?,
                Event::Alias(anchor) => self.alias(anchor, here)?,
                _ => {}
            }
        }
        self.root.ok_or_else(|| Fault::new(LoadProblem::Empty))
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        here: Place,
    ) -> Result<(), Fault> {
        let is_plain = style == ScalarStyle::Plain && tag.is_none();
        if let Some(Open::Map { map, .. }) = self.open.last_mut()
            && !map.expects_value()
        {
            map.key(text, is_plain, here)?;
            if anchor == 0 {
                return Ok(());
            }
            let value = Located { place: Some(here), ..Tree::Text(text.to_owned()).into() };
            return self.remember(anchor, &value, here);
        }
        self.spend(1, here)?;
        let (tree, notation) = match tag {
            Some(tag) => tagged(text, tag, here)?,
            None if is_plain => scalar::plain(text),
            None => (Tree::Text(text.to_owned()), Notation::Canonical),
        };
        let value = Located { tree, place: Some(here), notation };
        self.remember(anchor, &value, here)?;
        self.add(value)
    }

    fn begin(&mut self, open: Open, anchor: usize, here: Place) -> Result<(), Fault> {
        if let Some(Open::Map { map, .. }) = self.open.last()
            && !map.expects_value()
        {
            return Err(syntax("a list or a map cannot be a key").at(Some(here)));
        }
        if self.open.len() == DEPTH_MAX {
            return Err(over(FileLimit::Depth, DEPTH_MAX).at(Some(here)));
        }
        self.spend(1, here)?;
        if anchor > 0 {
            self.count_anchor(here)?;
        }
        self.open.push(open);
        Ok(())
    }

    fn end(&mut self) -> Result<(), Fault> {
        let (value, anchor) = match self.open.pop() {
            Some(Open::List { elements, place, anchor }) => (located(Tree::List(elements), place), anchor),
            Some(Open::Map { map, place, anchor }) => (located(Tree::Map(map.close()), place), anchor),
            None => return Ok(()),
        };
        if anchor > 0 {
            self.keep(anchor, &value)?;
        }
        self.add(value)
    }

    /// Puts a value where it belongs.
    fn add(&mut self, value: Located) -> Result<(), Fault> {
        match self.open.last_mut() {
            Some(Open::List { elements, .. }) => elements.push(value),
            Some(Open::Map { map, .. }) => map.value(value)?,
            None => self.root = Some(value),
        }
        Ok(())
    }

    fn alias(&mut self, anchor: usize, here: Place) -> Result<(), Fault> {
        let Some(known) = self.anchors.get(&anchor) else {
            return Err(syntax("the alias stands inside of what it stands for").at(Some(here)));
        };
        let mut value = known.clone();
        value.place = Some(here);
        if let Some(Open::Map { map, .. }) = self.open.last_mut()
            && !map.expects_value()
        {
            let Tree::Text(text) = &value.tree else {
                return Err(syntax("a key must be a text, and this alias stands for none").at(Some(here)));
            };
            return map.key(text, false, here);
        }
        let (values, depth) = (value.count(), value.depth());
        if self.open.len() + depth > DEPTH_MAX {
            return Err(over(FileLimit::Depth, DEPTH_MAX).at(Some(here)));
        }
        self.spend(values, here)?;
        self.spend_aliased(values, here)?;
        self.add(value)
    }

    fn remember(&mut self, anchor: usize, value: &Located, here: Place) -> Result<(), Fault> {
        if anchor == 0 {
            return Ok(());
        }
        self.count_anchor(here)?;
        self.keep(anchor, value)
    }

    fn count_anchor(&mut self, here: Place) -> Result<(), Fault> {
        self.anchor_count += 1;
        if self.anchor_count > ANCHORS_MAX {
            return Err(over(FileLimit::Anchors, ANCHORS_MAX).at(Some(here)));
        }
        Ok(())
    }

    /// What anchors stand for is copied too, so that it counts like what aliases repeat.
    fn keep(&mut self, anchor: usize, value: &Located) -> Result<(), Fault> {
        self.spend_aliased(value.count(), value.place.unwrap_or(Place { line: 1, column: 1 }))?;
        self.anchors.insert(anchor, value.clone());
        Ok(())
    }

    fn spend(&mut self, values: usize, here: Place) -> Result<(), Fault> {
        self.values = self.values.saturating_add(values);
        if self.values > self.values_max {
            return Err(over(FileLimit::Values, self.values_max).at(Some(here)));
        }
        Ok(())
    }

    fn spend_aliased(&mut self, values: usize, here: Place) -> Result<(), Fault> {
        self.aliased_values += values;
        if self.aliased_values > ALIASED_VALUES_MAX {
            return Err(over(FileLimit::Aliases, ALIASED_VALUES_MAX).at(Some(here)));
        }
        Ok(())
    }
}

fn located(tree: Tree, place: Place) -> Located {
    Located { place: Some(place), ..tree.into() }
}

/// The value of a scalar with a tag: `!!str` and `!` make a text of it, the tags of other scalars must be right.
fn tagged(text: &str, tag: &Tag, here: Place) -> Result<(Tree, Notation), Fault> {
    if tag.is_yaml_core_schema_tag("str") || (tag.handle().is_empty() && tag.suffix() == "!") {
        return Ok((Tree::Text(text.to_owned()), Notation::Canonical));
    }
    let (tree, notation) = scalar::plain(text);
    let name = match &tree {
        Tree::Null => "null",
        Tree::Bool(_) => "bool",
        Tree::Number(number) if number.is_f64() => "float",
        Tree::Number(_) => "int",
        Tree::Text(_) | Tree::List(_) | Tree::Map(_) => "str",
    };
    check_tag(Some(tag), name, here)?;
    Ok((tree, notation))
}

fn check_tag(tag: Option<&Tag>, right: &str, here: Place) -> Result<(), Fault> {
    match tag {
        Some(tag) if !tag.is_yaml_core_schema_tag(right) => {
            let message = format!("the tag `{}` does not belong here: leave it out", tag.original());
            Err(syntax(message).at(Some(here)))
        }
        _ => Ok(()),
    }
}

fn fault(error: ScanError) -> Fault {
    let marker = *error.marker();
    let place = Place { line: count(marker.line().max(1)), column: count(marker.col() + 1) };
    let problem = match error.kind() {
        ErrorKind::RecursionLimitExceeded => LoadProblem::OverLimit { limit: FileLimit::Depth, max: DEPTH_MAX },
        kind => LoadProblem::Syntax { message: message::of(kind), source: Some(Box::new(error)) },
    };
    Fault::new(problem).at(Some(place))
}

#[cfg(test)]
mod tests;
