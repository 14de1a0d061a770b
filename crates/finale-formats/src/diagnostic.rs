//! Problems shown in the text they are about, like a compiler does.
//!
//! A [`LoadError`], a [`FileWarning`] and, with the [`Places`] of a file, the problems of a definition become
//! [`Diagnostic`]s, and [`render`] shows them with the lines in question.
//!
//! ```
//! use finale_formats::diagnostic::{Style, render};
//! use finale_formats::{Format, load};
//!
//! let text = "id: release\ntasks:\n  test:\n    shell: cargo test\n    needs: build\n";
//! let error = load(text.as_bytes(), Format::Auto, "release.yaml").unwrap_err();
//! let shown = render(&error.diagnostics(), "release.yaml", text, Style::Ascii);
//! assert!(shown.starts_with("error[file_unknown_key]: unknown key `needs`
//!  --> release.yaml:5:5
//!   |
//! 5 |     needs: build
//!   |     ^^^^^ did you mean `after`?
//! "));
//! ```

use std::borrow::Cow;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet, normalize_untrusted_str};
use finale_core::Definition;
use finale_core::compile::{self, Code, Problem, Warning, WarningCode};

use crate::error::{LoadError, LoadProblem, Path, list, quote_hint};
use crate::load::Loaded;
use crate::obeyed::without_invisible_orders;
use crate::places::Places;
use crate::warning::FileWarning;

/// How bad something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Severity {
    /// It can be run, and probably does not do what its author meant.
    Warning,
    /// It cannot be run.
    Error,
}

/// One thing that is wrong or suspicious in a file, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Diagnostic {
    /// Whether it can be run all the same.
    pub severity: Severity,
    /// The machine code, which does not change between versions.
    pub code: &'static str,
    /// What is wrong, for people.
    pub message: String,
    /// Line and column, both counted from 1, if the place is known.
    pub place: Option<(u32, u32)>,
    /// The way from the root of the document to the place, in words; empty if it is not known.
    pub path: String,
    /// What was probably meant.
    pub hint: Option<String>,
    /// What is to be known beside that.
    pub help: Option<String>,
}

/// How diagnostics are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Style {
    /// Lines of Unicode, no colour.
    #[default]
    Plain,
    /// Nothing that is not ASCII but the text of the file itself, no colour.
    Ascii,
    /// Like plain, with ANSI colours for a terminal.
    Colour,
}

impl LoadError {
    /// What is wrong, to be [rendered](render): a diagnostic for each problem.
    pub fn diagnostics(&self) -> Vec<Diagnostic> {
        let diagnostic = |problem: &crate::FileProblem| {
            let (message, hint, help) = parts(problem.problem());
            let path = Path(problem.path()).to_string();
            let (severity, code, place) = (Severity::Error, problem.code(), problem.line_column());
            Diagnostic { severity, code, message, place, path, hint, help }
        };
        self.problems().iter().map(diagnostic).collect()
    }
}

/// The problem itself, what was probably meant, and what is accepted.
fn parts(problem: &LoadProblem) -> (String, Option<String>, Option<String>) {
    let meant = |nearest: Option<&str>| nearest.map(|nearest| format!("did you mean `{nearest}`?"));
    let accepted = |accepted| Some(format!("accepted: {}", list(accepted)));
    match problem {
        LoadProblem::UnknownKey { key, nearest, accepted: words } => {
            (format!("unknown key `{key}`"), meant(*nearest), accepted(words))
        }
        LoadProblem::UnknownWord { what, value, nearest, accepted: words } => {
            (format!("unknown {what} `{value}`"), meant(*nearest), accepted(words))
        }
        LoadProblem::Unquoted { written, reason, instead } => {
            (reason.clone(), Some(quote_hint(written, instead.as_deref())), None)
        }
        LoadProblem::Unsupported { key, instead } => {
            (format!("there is no `{key}` here"), None, Some((*instead).to_owned()))
        }
        LoadProblem::UnknownNode { id, nearest } => {
            (format!("there is no node `{id}`"), meant(nearest.as_deref()), None)
        }
        other => (other.to_string(), None, None),
    }
}

impl FileWarning {
    /// What may go wrong, to be [rendered](render).
    pub fn diagnostic(&self) -> Diagnostic {
        let path = Path(self.path()).to_string();
        let hint = self.warning().hint().map(str::to_owned);
        Diagnostic {
            path,
            hint,
            ..diagnostic(Severity::Warning, self.code(), &self.warning().to_string(), self.line_column())
        }
    }
}

impl Places {
    /// What [`compile`](finale_core::compile()) found wrong with a definition, with its places in the file: that of the
    /// entry or the first node that a problem is about, else that of the key of the document.
    ///
    /// ```
    /// use finale_core::compile::{Registry, compile};
    /// use finale_formats::{Format, load};
    ///
    /// let text = b"id: release\ntasks:\n  test:\n    shell: cargo test\n    when: input.thorough ==\n";
    /// let loaded = load(text, Format::Auto, "release.yaml")?;
    /// let error = compile(loaded.definition.clone(), &Registry::new()).unwrap_err();
    /// let diagnostics = loaded.places.diagnostics(&loaded.definition, &error.problems);
    /// assert_eq!((diagnostics[0].code, diagnostics[0].place), ("expression_invalid", Some((5, 11))));
    /// # Ok::<(), finale_formats::LoadError>(())
    /// ```
    pub fn diagnostics(&self, definition: &Definition, problems: &[Problem]) -> Vec<Diagnostic> {
        let diagnostic = |problem: &Problem| {
            let place = self.place_of(definition, problem).map(|place| (place.line, place.column));
            diagnostic(Severity::Error, problem.code.as_str(), &problem.message, place)
        };
        problems.iter().map(diagnostic).collect()
    }

    /// What [`Compiled::warnings`](finale_core::Compiled::warnings) has, with its places in the file: those of the expressions.
    ///
    /// ```
    /// use finale_core::compile::{Registry, compile};
    /// use finale_formats::diagnostic::Severity;
    /// use finale_formats::{Format, load};
    ///
    /// let text = b"id: w\ninputs: {thorough: boolean}\ntasks:\n  test:\n    shell: cargo test\n    when: input.thorogh\n";
    /// let loaded = load(text, Format::Auto, "w.yaml")?;
    /// let compiled = compile(loaded.definition, &Registry::new()).unwrap();
    /// let warnings = loaded.places.warnings(compiled.warnings());
    /// assert_eq!((warnings[0].severity, warnings[0].code), (Severity::Warning, "undeclared_input"));
    /// assert_eq!(warnings[0].place, Some((6, 11)));
    /// # Ok::<(), finale_formats::LoadError>(())
    /// ```
    pub fn warnings(&self, warnings: &[Warning]) -> Vec<Diagnostic> {
        let diagnostic = |warning: &Warning| {
            let place = match warning.nodes.first() {
                // What is suspicious about it is no expression.
                Some(node) if warning.code == WarningCode::NeverFires => self.node(node),
                Some(node) => self.expression(node).or_else(|| self.node(node)),
                None => self.head("output"),
            };
            diagnostic(Severity::Warning, warning.code.as_str(), &warning.message, place)
        };
        warnings.iter().map(diagnostic).collect()
    }
}

impl Loaded {
    /// What is wrong with the parts of the definition and with its graph, all in one go; nothing if the parts fit
    /// together.
    ///
    /// [`compile`](finale_core::compile()) tells of the graph only when the parts fit.
    ///
    /// ```
    /// use finale_formats::{Format, load};
    ///
    /// let text = b"id: w\nversion: v1\ntasks:\n  a: {log: a, after: b}\n  b: {log: b, after: a}\n";
    /// let diagnostics = load(text, Format::Auto, "w.yaml")?.structural_problems();
    /// let codes: Vec<_> = diagnostics.iter().map(|diagnostic| diagnostic.code).collect();
    /// assert!(codes.contains(&"bad_version") && codes.contains(&"cycle_detected"));
    /// # Ok::<(), finale_formats::LoadError>(())
    /// ```
    pub fn structural_problems(&self) -> Vec<Diagnostic> {
        let limits = compile::Limits::default();
        let mut problems = compile::check_structure(&self.definition, &limits);
        let is_too_large = |problem: &Problem| matches!(problem.code, Code::TooManyNodes | Code::TooManyEdges);
        if !problems.is_empty() && !problems.iter().any(is_too_large) {
            problems.extend(compile::check_graph(&self.definition, &limits));
        }
        self.places.diagnostics(&self.definition, &problems)
    }
}

impl Diagnostic {
    /// An error that was found by somebody else than the loader or the compiler; `path` are the keys that lead to it.
    pub fn error(code: &'static str, message: &str, path: String, place: Option<(u32, u32)>) -> Self {
        Self { path, ..diagnostic(Severity::Error, code, message, place) }
    }
}

fn diagnostic(severity: Severity, code: &'static str, message: &str, place: Option<(u32, u32)>) -> Diagnostic {
    let (message, path) = (message.to_owned(), String::new());
    Diagnostic { severity, code, message, place, path, hint: None, help: None }
}

/// Shows diagnostics, each with the line it is about; `origin` is the name of the file, and `text` what stands in it.
///
/// The text need not be the one that was read: a place that it does not have is named and not shown, and neither is a line
/// of more than 1,000 bytes. There is no newline at the end.
pub fn render(diagnostics: &[Diagnostic], origin: &str, text: &str, style: Style) -> String {
    let renderer = match style {
        Style::Plain => Renderer::plain().decor_style(DecorStyle::Unicode),
        Style::Ascii => Renderer::plain().decor_style(DecorStyle::Ascii),
        Style::Colour => Renderer::styled().decor_style(DecorStyle::Unicode),
    };
    let text = without_invisible_orders(text);
    let text = Lines::of(&text);
    let shown: Vec<_> =
        diagnostics.iter().map(|diagnostic| renderer.render(&[group(diagnostic, origin, &text)])).collect();
    shown.join("\n\n")
}

fn group<'a>(diagnostic: &'a Diagnostic, origin: &'a str, text: &Lines<'a>) -> Group<'a> {
    let message = shown(&diagnostic.message);
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let group = level.primary_title(message).id(diagnostic.code);
    let extent = diagnostic.place.and_then(|place| text.extent(place));
    let mut group = match (extent, diagnostic.place) {
        (Some(extent), _) => {
            let label = diagnostic.hint.as_deref().map(shown);
            let annotation = AnnotationKind::Primary.span(extent.begin..extent.end).label(label.map(Cow::Owned));
            let snippet = Snippet::source(extent.text).line_start(extent.line).path(named(origin));
            group.element(snippet.annotation(annotation))
        }
        (None, Some((line, column))) => {
            let place = Origin::path(named(origin).unwrap_or("file"));
            group.element(place.line(line as usize).char_column(column as usize))
        }
        (None, None) => group.elements(named(origin).map(Origin::path)),
    };
    let unshown_hint = diagnostic.hint.as_deref().filter(|_| extent.is_none());
    for help in unshown_hint.into_iter().chain(diagnostic.help.as_deref()) {
        group = group.element(Level::HELP.message(shown(help)));
    }
    group
}

/// A text of somebody else, without what a terminal would obey.
fn shown(text: &str) -> String {
    normalize_untrusted_str(&without_invisible_orders(text))
}

fn named(origin: &str) -> Option<&str> {
    (!origin.is_empty()).then_some(origin)
}

/// A text with quick access to its lines.
struct Lines<'t> {
    lines: Vec<&'t str>,
}

/// What a place is about: a stretch of one line.
#[derive(Clone, Copy)]
struct Extent<'t> {
    text: &'t str,
    line: usize,
    begin: usize,
    end: usize,
}

impl<'t> Lines<'t> {
    const SHOWN_BYTES_MAX: usize = 1_000;

    fn of(text: &'t str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        Self { lines: text.lines().collect() }
    }

    fn extent(&self, (line, column): (u32, u32)) -> Option<Extent<'t>> {
        let line = line as usize;
        let text = *self.lines.get(line.checked_sub(1)?)?;
        if text.len() > Self::SHOWN_BYTES_MAX {
            return None;
        }
        let before = (column as usize).checked_sub(1)?;
        let begin = text.char_indices().map(|(at, _)| at).chain([text.len()]).nth(before)?;
        Some(Extent { text, line, begin, end: begin + length(&text[begin..]) })
    }
}

/// How long the word, key or quoted text is with which a text begins; at least one character, if there is one.
fn length(text: &str) -> usize {
    let first = text.chars().next();
    let end = match first {
        Some(quote @ ('"' | '\'')) => text[1..].find(quote).map(|end| end + 2),
        Some('{' | '[') => Some(1),
        _ => [": ", " #", ",", "}", "]", "\t"].into_iter().filter_map(|stop| text.find(stop)).min(),
    };
    let word = text[..end.unwrap_or(text.len())].trim_end().trim_end_matches(':');
    word.len().max(first.map_or(0, char::len_utf8))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diagnostic(place: Option<(u32, u32)>) -> Diagnostic {
        let (hint, help) = (Some("did you mean `b`?".into()), Some("accepted: `b`".into()));
        let (severity, message, path) = (Severity::Error, "unknown `a`".into(), String::new());
        Diagnostic { severity, code: "file_x", message, place, path, hint, help }
    }

    #[test]
    fn a_line_is_shown_with_what_is_wrong_in_it() {
        let text = "id: w\n# täts\ntä: {größe: a, b: c}\n";
        let shown = render(&[diagnostic(Some((3, 6)))], "f.yaml", text, Style::Ascii);
        let expected = "error[file_x]: unknown `a`
 --> f.yaml:3:6
  |
3 | tä: {größe: a, b: c}
  |      ^^^^^ did you mean `b`?
  |
  = help: accepted: `b`";
        assert_eq!(shown, expected);
        let warning = Diagnostic { severity: Severity::Warning, ..diagnostic(Some((3, 6))) };
        let shown = render(&[warning], "f.yaml", text, Style::Ascii);
        assert!(shown.starts_with("warning[file_x]: unknown `a`\n --> f.yaml:3:6"), "{shown}");
        let shown = render(&[diagnostic(Some((3, 6)))], "f.yaml", text, Style::Plain);
        assert!(shown.contains("╭▸ f.yaml:3:6"), "{shown}");
        let shown = render(&[diagnostic(Some((3, 6)))], "f.yaml", text, Style::Colour);
        assert!(shown.contains("\u{1b}["), "{shown}");
    }

    #[test]
    fn a_place_that_the_text_does_not_have_is_named_only() {
        let long = "a".repeat(2_000);
        for (place, text) in
            [((9, 1), "a"), ((1, 9), "a"), ((0, 0), "a"), ((u32::MAX, u32::MAX), "a"), ((1, 5), &*long)]
        {
            let shown = render(&[diagnostic(Some(place))], "f.yaml", text, Style::Ascii);
            let expected = format!("--> f.yaml:{}:{}", place.0, place.1);
            assert!(shown.contains(&expected) && shown.contains("did you mean"), "{shown}");
        }
        let shown = render(&[diagnostic(None)], "f.yaml", "a", Style::Ascii);
        assert!(shown.contains("--> f.yaml\n"), "{shown}");
        assert!(render(&[diagnostic(None)], "", "", Style::Ascii).starts_with("error[file_x]"));
        assert_eq!(render(&[], "f", "", Style::Plain), "");
    }

    #[test]
    fn the_end_of_a_line_and_of_the_text_can_be_pointed_at() {
        for text in ["ab", "ab\n", "ab\r\n"] {
            let shown = render(&[diagnostic(Some((1, 3)))], "f", text, Style::Ascii);
            assert!(shown.contains("1 | ab\n  |   ^"), "{shown}");
        }
    }

    #[test]
    fn what_is_marked_is_one_key_word_or_text() {
        let cases = [
            ("needs: build", 5),
            ("a b # c", 3),
            ("\"a: b\": c", 6),
            ("'open", 5),
            ("{a: b}", 1),
            ("yes}", 3),
            ("key:", 3),
            ("", 0),
            (": x", 1),
            ("ä", 2),
        ];
        for (text, expected) in cases {
            assert_eq!(length(text), expected, "{text}");
        }
    }

    #[test]
    fn control_characters_do_not_reach_a_terminal() {
        let mut hostile = diagnostic(Some((1, 1)));
        let obeyed = "\u{1b}\u{202e}\u{200e}\u{200f}\u{61c}\u{2067}\u{2028}\u{feff}";
        hostile.message = format!("a{obeyed}b");
        hostile.hint = Some(format!("c{obeyed}d"));
        let shown = render(&[hostile], "f", &format!("x{obeyed}[2J"), Style::Plain);
        assert!(!shown.contains(|letter| obeyed.contains(letter)), "{shown:?}");
    }
}
