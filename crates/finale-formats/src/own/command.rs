//! Templates in shell commands: what they give becomes part of the command.

use std::iter::Peekable;
use std::str::Chars;

use finale_core::expression::template::{self, Part};

use super::report::Report;
use crate::tree::Located;
use crate::warning::LoadWarning;

/// Warns of each template in a command that lets its value be more than one word.
pub(super) fn check<'a>(command: &'a Located, report: &mut Report<'a>) {
    let Some(Ok(parts)) = command.tree.text().map(template::parts) else {
        return;
    };
    let mut shell = Shell::default();
    for part in parts {
        match part {
            Part::Text(text) => {
                for expression in foreign(text) {
                    report.warn(command.place, LoadWarning::ForeignTemplate { expression: expression.to_owned() });
                }
                shell.read(text);
            }
            Part::Expression(expression) => {
                let expression_text = || expression.to_owned();
                if is_constant(expression) {
                    // Whoever wrote the file wrote the value.
                } else if shell.document.is_some() {
                    report.warn(command.place, LoadWarning::HereDocument { expression: expression_text() });
                } else if !is_quoted(expression) {
                    report.warn(command.place, LoadWarning::UnquotedTemplate { expression: expression_text() });
                } else if shell.quote.is_some() {
                    report.warn(command.place, LoadWarning::QuotedTwice { expression: expression_text() });
                }
            }
        }
    }
}

/// What stands between `{{` and `}}`, without a `$`, and is an expression of finale's.
fn foreign(text: &str) -> impl Iterator<Item = &str> {
    let inside = text.split("{{").skip(1).filter_map(|behind| behind.split_once("}}"));
    let is_ours = |inside: &&str| ["input.", "nodes.", "vars."].iter().any(|name| inside.starts_with(name));
    inside.map(|(inside, _)| inside.trim()).filter(is_ours)
}

/// Where in a command a shell is.
#[derive(Default)]
struct Shell {
    quote: Option<Quote>,
    /// What ends the here-document that begins with the next line.
    announced: Option<String>,
    /// What ends the here-document that the shell is in.
    document: Option<String>,
    /// What was read of the line.
    line: String,
}

/// A quote that is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quote {
    Double,
    Single,
    /// `$'...'`, in which a backslash means something.
    Dollar,
}

impl Shell {
    fn read(&mut self, text: &str) {
        let mut letters = text.chars().peekable();
        while let Some(letter) = letters.next() {
            if letter == '\n' {
                self.end_line();
                continue;
            }
            let is_word_begin = self.line.ends_with([' ', '\t', ';', '&', '|', '(']) || self.line.is_empty();
            let is_dollar = self.line.ends_with('$');
            let is_here = self.line.ends_with('<') && !self.line.ends_with("<<");
            self.line.push(letter);
            if self.document.is_some() {
                continue;
            }
            match (self.quote, letter) {
                (None | Some(Quote::Double | Quote::Dollar), '\\') => self.line.extend(letters.next()),
                (None, '"') => self.quote = Some(Quote::Double),
                (None, '\'') => self.quote = Some(if is_dollar { Quote::Dollar } else { Quote::Single }),
                (None, '#') if is_word_begin => while letters.next_if(|letter| *letter != '\n').is_some() {},
                (None, '<') if is_here && letters.peek() != Some(&'<') => {
                    let end = self.end_of_document(&mut letters);
                    self.announced = Some(end).filter(|end| !end.is_empty()).or_else(|| self.announced.take());
                }
                (Some(Quote::Double), '"') | (Some(Quote::Single | Quote::Dollar), '\'') => self.quote = None,
                _ => {}
            }
        }
    }

    /// The word behind `<<`, without its quotes.
    fn end_of_document(&mut self, letters: &mut Peekable<Chars<'_>>) -> String {
        while let Some(letter) = letters.next_if(|letter| matches!(letter, '-' | ' ')) {
            self.line.push(letter);
        }
        let mut end = String::new();
        while let Some(letter) = letters.next_if(|letter| !letter.is_whitespace() && !";&|<>()".contains(*letter)) {
            self.line.push(letter);
            end.extend(Some(letter).filter(|letter| !"\"'\\".contains(*letter)));
        }
        end
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        match &self.document {
            Some(end) if line.trim_start_matches('\t') == end => self.document = None,
            Some(_) => {}
            None => self.document = self.announced.take(),
        }
    }
}

/// Whether an expression is one text, number or word that stands for itself.
fn is_constant(expression: &str) -> bool {
    let is_text = expression.starts_with(['"', '\'']) && outside(expression).is_some_and(|outside| outside.is_empty());
    is_text || expression.parse::<f64>().is_ok() || matches!(expression, "true" | "false" | "none")
}

/// Whether the whole value of an expression goes through `quote` at last.
fn is_quoted(expression: &str) -> bool {
    const OPERATORS: [&str; 7] = ["and", "or", "not", "in", "is", "if", "else"];
    let Some((value, last)) = outside(expression).and_then(|outside| {
        let (value, last) = outside.rsplit_once('|')?;
        Some((value.to_owned(), last.trim().to_owned()))
    }) else {
        return false;
    };
    // An operator would bind less than the filter, which would quote its right side only.
    let is_operand = |c: char| c.is_alphanumeric() || c.is_whitespace() || matches!(c, '_' | '.' | '|');
    let words = || value.split(|c: char| !c.is_alphanumeric() && c != '_');
    last == "quote" && value.chars().all(is_operand) && words().all(|word| !OPERATORS.contains(&word))
}

/// What of an expression stands in no bracket and no quote; nothing if they do not match.
fn outside(expression: &str) -> Option<String> {
    let (mut outside, mut depth, mut quote) = (String::new(), 0_usize, None);
    let mut letters = expression.chars();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (Some(_), '\\') => _ = letters.next(),
            (Some(open), _) if open == letter => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(letter),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') => depth = depth.checked_sub(1)?,
            (None, _) if depth == 0 => outside.push(letter),
            (None, _) => {}
        }
    }
    (depth == 0 && quote.is_none()).then_some(outside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_quoted_when_quote_is_the_last_filter_of_all_of_it() {
        for expression in ["input.who | quote", "(input.a ~ input.b) | quote", "nodes[\"a-b\"].output | string|quote"] {
            assert!(is_quoted(expression), "{expression}");
        }
        let not = [
            "input.who",
            "input.quote",
            "quote",
            "input.a ~ input.b | quote",
            "input.a | quote | upper",
            "input.a | default(x | quote)",
            "input.a if input.b else input.c | quote",
            "not input.a | quote",
            "input.a | quotes",
            "\"| quote",
        ];
        for expression in not {
            assert!(!is_quoted(expression), "{expression}");
        }
    }

    #[test]
    fn constants_are_no_danger() {
        for expression in ["'${{'", "\"a\"", "3", "true"] {
            assert!(is_constant(expression), "{expression}");
        }
        for expression in ["'a' ~ input.b", "input", "'a'.b"] {
            assert!(!is_constant(expression), "{expression}");
        }
    }

    #[test]
    fn quotes_of_a_command_are_followed() {
        let open = |text: &str| {
            let mut shell = Shell::default();
            shell.read(text);
            shell.quote
        };
        assert_eq!(open("echo \"it's "), Some(Quote::Double));
        assert_eq!(open("echo 'a\\' \\\""), None);
        assert_eq!(open("echo \"a\\\""), Some(Quote::Double));
        assert_eq!(open("echo '\"' x"), None);
        assert_eq!(open("# it's a comment\necho "), None);
        assert_eq!(open("echo a#b' "), Some(Quote::Single));
        assert_eq!(open("echo $'a\\'b' "), None);
    }

    #[test]
    fn here_documents_are_followed() {
        let document = |text: &str| {
            let mut shell = Shell::default();
            shell.read(text);
            shell.document
        };
        assert_eq!(document("cat <<EOF\na "), Some("EOF".to_owned()));
        assert_eq!(document("cat <<-'E-F' > x\na\n"), Some("E-F".to_owned()));
        assert_eq!(document("cat << \"EOF\"; echo\na\nEO"), Some("EOF".to_owned()));
        let others =
            ["cat <<EOF a", "cat <<EOF\na\nEOF\necho ", "cat <<-EOF\n\tEOF\n", "cat <<< a\n", "echo '<<EOF'\n"];
        for text in others.into_iter().chain(["a < b\n", "# <<EOF\n"]) {
            assert_eq!(document(text), None, "{text:?}");
        }
    }
}
