//! Reading maps whose keys are known, and the plain values in them.

use finale_core::expression::template;
use finale_core::nearest::nearest;
use serde_json::Value;

use super::report::Report;
use crate::error::{LoadProblem, Place};
use crate::tree::{Entry, Located, Tree};
use crate::warning::LoadWarning;

/// The keys of a map.
pub(crate) struct Keys {
    /// What is accepted; `x-*` is every key that begins with `x-`.
    pub(crate) accepted: &'static [&'static str],
    /// What people write out of habit, and what is meant.
    pub(crate) slips: &'static [(&'static str, &'static str)],
}

impl Keys {
    fn accepts(&self, key: &str) -> bool {
        self.accepted.iter().any(|accepted| match accepted.strip_suffix('*') {
            Some(begin) => key.starts_with(begin),
            None => *accepted == key,
        })
    }

    fn meant(&self, key: &str) -> Option<&'static str> {
        let normal = normal(key);
        let slip = self.slips.iter().find(|(slip, _)| *slip == normal);
        slip.map(|(_, meant)| *meant).or_else(|| nearest(key, self.accepted.iter().copied()))
    }
}

/// The form in which slips are listed.
fn normal(key: &str) -> String {
    key.to_lowercase().replace('-', "_")
}

/// A map whose keys are known.
#[derive(Clone, Copy)]
pub(super) struct Section<'a> {
    entries: &'a [Entry],
    place: Option<Place>,
}

impl<'a> Section<'a> {
    /// Opens a map and reports all keys that mean nothing in it; what is no map is reported too.
    pub(super) fn open(value: &'a Located, keys: &Keys, report: &mut Report<'a>) -> Option<Self> {
        Self::open_within(value, keys, &[], report)
    }

    /// Like [`open`](Self::open); `absent` are keys that other tools have, with what to do instead.
    pub(super) fn open_within(
        value: &'a Located,
        keys: &Keys,
        absent: &[(&str, &'static str)],
        report: &mut Report<'a>,
    ) -> Option<Self> {
        let entries = entries(value, report)?;
        for Entry { key, key_place, .. } in entries {
            if !keys.accepts(key) {
                let unknown = || match absent.iter().find(|(absent, _)| *absent == normal(key)) {
                    Some((_, instead)) => LoadProblem::Unsupported { key: key.clone(), instead },
                    None => {
                        LoadProblem::UnknownKey { key: key.clone(), nearest: keys.meant(key), accepted: keys.accepted }
                    }
                };
                report.inside(key, |report| report.add(*key_place, unknown));
            }
        }
        Some(Self { entries, place: value.place })
    }

    /// A map that was opened before; nothing is reported again.
    pub(super) fn reopen(value: &'a Located) -> Self {
        match &value.tree {
            Tree::Map(entries) => Self { entries, place: value.place },
            _ => Self { entries: &[], place: value.place },
        }
    }

    pub(super) fn entries(&self) -> &'a [Entry] {
        self.entries
    }

    /// The entry of a key; its value may be nothing.
    pub(super) fn entry(&self, key: &str) -> Option<&'a Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// What `read` makes of the value of a key; nothing if it is absent or wrong.
    pub(super) fn read<T>(
        &self,
        key: &str,
        report: &mut Report<'a>,
        read: impl FnOnce(&'a Located, &mut Report<'a>) -> Option<T>,
    ) -> Option<T> {
        let entry = self.entry(key)?;
        report.inside(&entry.key, |report| read(&entry.value, report))
    }

    /// Like [`read`](Self::read); that the key is absent is reported.
    pub(super) fn require<T>(
        &self,
        key: &'static str,
        report: &mut Report<'a>,
        read: impl FnOnce(&'a Located, &mut Report<'a>) -> Option<T>,
    ) -> Option<T> {
        if self.entry(key).is_none() {
            report.add(self.place, || LoadProblem::MissingKey { key, instead: None });
        }
        self.read(key, report, read)
    }

    /// Reports that both keys are absent.
    pub(super) fn require_either(&self, key: &'static str, other: &'static str, report: &mut Report<'a>) {
        if self.entry(key).is_none() && self.entry(other).is_none() {
            report.add(self.place, || LoadProblem::MissingKey { key, instead: Some(other) });
        }
    }

    /// Whether a boolean under that key is true; absent it is not.
    pub(super) fn flag(&self, key: &str, report: &mut Report<'a>) -> bool {
        self.read(key, report, boolean).unwrap_or_default()
    }
}

/// The entries of a map with any keys.
pub(super) fn entries<'a>(value: &'a Located, report: &mut Report<'a>) -> Option<&'a [Entry]> {
    match &value.tree {
        Tree::Map(entries) => Some(entries),
        _ => report.wrong_type(value, "a map"),
    }
}

/// Reports what is no map; `expected` has an example of one.
pub(super) fn expect_map<'a>(value: &'a Located, expected: &'static str, report: &mut Report<'a>) -> Option<()> {
    if value.tree.is_map() { Some(()) } else { report.wrong_type(value, expected) }
}

/// A text in which no template is read.
pub(super) fn text<'a>(value: &'a Located, report: &mut Report<'a>) -> Option<String> {
    let text = text_as(value, "text", report)?;
    if text.contains(template::OPEN) {
        report.warn(value.place, LoadWarning::UnreadTemplate);
    }
    Some(text.to_owned())
}

/// A text that cannot be taken for anything else; `expected` says what it is for.
pub(super) fn text_as<'a>(value: &'a Located, expected: &'static str, report: &mut Report<'a>) -> Option<&'a str> {
    value.certain_text(expected).map_err(|problem| report.add(value.place, || problem)).ok()
}

/// The text of a scalar, as it stands in the file.
pub(super) fn printed<'a>(value: &'a Located, report: &mut Report<'a>) -> Option<String> {
    value.written().or_else(|| report.wrong_type(value, "text"))
}

/// A value of any type; a scalar that may be meant as something else is reported.
pub(super) fn any<'a>(value: &'a Located, report: &mut Report<'a>) -> Option<Value> {
    is_certain(value, report).then(|| Value::from(value))
}

fn is_certain<'a>(value: &'a Located, report: &mut Report<'a>) -> bool {
    match &value.tree {
        Tree::List(elements) => {
            // All are looked at, also behind one that is in doubt.
            let doubtful =
                |(index, element): &(_, &'a _)| !report.inside_index(*index, |report| is_certain(element, report));
            elements.iter().enumerate().filter(doubtful).count() == 0
        }
        Tree::Map(entries) => {
            let doubtful = |entry: &&'a Entry| !report.inside(&entry.key, |report| is_certain(&entry.value, report));
            entries.iter().filter(doubtful).count() == 0
        }
        _ => match value.doubt() {
            Some(problem) => {
                report.add(value.place, || problem);
                false
            }
            None => true,
        },
    }
}

pub(super) fn boolean<'a>(value: &'a Located, report: &mut Report<'a>) -> Option<bool> {
    if let Tree::Bool(value) = &value.tree {
        return Some(*value);
    }
    let found = match &value.tree {
        // Its quotes are what is wrong with it.
        Tree::Text(text) if ["true", "false"].iter().any(|word| text.eq_ignore_ascii_case(word)) => {
            format!("`\"{text}\"`")
        }
        _ => shown(value),
    };
    report.add(value.place, || LoadProblem::BadBoolean { found });
    None
}

/// `true`, behind a key that says nothing else.
pub(super) fn only_true<'a>(value: &'a Located, report: &mut Report<'a>) -> Option<()> {
    if boolean(value, report)? {
        return Some(());
    }
    report.wrong_type(value, "`true`")
}

/// A whole number in a range.
pub(super) fn number<'a>(value: &'a Located, min: u64, max: u64, report: &mut Report<'a>) -> Option<u64> {
    let Tree::Number(number) = &value.tree else {
        return report.wrong_type(value, "a whole number");
    };
    let number = number.as_u64().filter(|number| (min..=max).contains(number));
    if number.is_none() {
        report.add(value.place, || LoadProblem::BadNumber { found: shown(value), min, max });
    }
    number
}

/// The value that a word stands for.
pub(super) fn word<'a, T: Copy>(
    value: &'a Located,
    what: &'static str,
    words: &[(&'static str, T)],
    accepted: &'static [&'static str],
    report: &mut Report<'a>,
) -> Option<T> {
    let Tree::Text(text) = &value.tree else {
        return report.wrong_type(value, "text");
    };
    let meaning = words.iter().find(|(word, _)| word == text).map(|(_, meaning)| *meaning);
    if meaning.is_none() {
        let nearest = || nearest(text, accepted.iter().copied());
        report.add(value.place, || LoadProblem::UnknownWord {
            what,
            value: text.clone(),
            nearest: nearest(),
            accepted,
        });
    }
    meaning
}

/// A value in an error message: short ones as they are, others by their type.
pub(super) fn shown(value: &Located) -> String {
    const SHOWN_MAX: usize = 40;
    let short = value.written().filter(|text| text.chars().count() <= SHOWN_MAX);
    short.map_or_else(|| value.tree.type_name().to_owned(), |text| format!("`{text}`"))
}
