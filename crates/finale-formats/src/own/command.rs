//! Templates in shell commands: what they give becomes part of the command.

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
            Part::Text(text) => shell.read(text),
            Part::Expression(expression) => {
                let expression_text = || expression.to_owned();
                if is_constant(expression) {
                    // Whoever wrote the file wrote the value.
                } else if !is_quoted(expression) {
                    report.warn(command.place, LoadWarning::UnquotedTemplate { expression: expression_text() });
                } else if shell.quote.is_some() {
                    report.warn(command.place, LoadWarning::QuotedTwice { expression: expression_text() });
                }
            }
        }
    }
}

/// Where in a command a shell is.
#[derive(Default)]
struct Shell {
    /// The quote that is open.
    quote: Option<char>,
}

impl Shell {
    fn read(&mut self, text: &str) {
        let mut letters = text.chars();
        while let Some(letter) = letters.next() {
            match (self.quote, letter) {
                // Between single quotes a backslash is a backslash.
                (None | Some('"'), '\\') => _ = letters.next(),
                (None, '"' | '\'') => self.quote = Some(letter),
                (Some(quote), _) if quote == letter => self.quote = None,
                _ => {}
            }
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
        assert_eq!(open("echo \"it's "), Some('"'));
        assert_eq!(open("echo 'a\\' \\\""), None);
        assert_eq!(open("echo \"a\\\""), Some('"'));
        assert_eq!(open("echo '\"' x"), None);
    }
}
