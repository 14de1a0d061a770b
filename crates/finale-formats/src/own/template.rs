//! `${{ expression }}` in a text.

/// A stretch of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part<'t> {
    /// To be taken as it is.
    Text(&'t str),
    /// To be evaluated; without the braces and the space around it.
    Expression(&'t str),
}

/// Splits a text; `Err` says what is wrong with it.
pub(crate) fn parts(text: &str) -> Result<Vec<Part<'_>>, &'static str> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(begin) = rest.find("${{") {
        if begin > 0 {
            parts.push(Part::Text(&rest[..begin]));
        }
        rest = &rest[begin + 3..];
        let end = end_of_expression(rest)?;
        parts.push(Part::Expression(rest[..end].trim()));
        rest = &rest[end + 2..];
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest));
    }
    Ok(parts)
}

/// Where the `}}` is that belongs to the `${{` before this text.
fn end_of_expression(text: &str) -> Result<usize, &'static str> {
    let bytes = text.as_bytes();
    let mut open = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'}' if open.is_empty() && bytes.get(at + 1) == Some(&b'}') => {
                return if text[..at].trim().is_empty() { Err("there is no expression in it") } else { Ok(at) };
            }
            quote @ (b'"' | b'\'') => at = end_of_quote(bytes, at + 1, quote),
            b'(' => open.push(b')'),
            b'[' => open.push(b']'),
            b'{' => open.push(b'}'),
            close @ (b')' | b']' | b'}') if open.pop() != Some(close) => {
                return Err("its brackets do not match");
            }
            b',' | b':' if open.is_empty() => return Err("there may be only one expression in it"),
            _ => {}
        }
        at += 1;
    }
    Err("its `}}` is missing")
}

/// Where the quote closes; the end of the text if it does not.
fn end_of_quote(bytes: &[u8], mut at: usize, quote: u8) -> usize {
    while at < bytes.len() && bytes[at] != quote {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at
}

/// The expression that a text stands for: it is one wholly, contains some, or is a text.
pub(crate) fn expression(text: &str) -> Result<String, &'static str> {
    let parts = parts(text)?;
    match parts.as_slice() {
        [] => Ok(quoted("")),
        [Part::Expression(expression)] => Ok((*expression).to_owned()),
        [Part::Text(text)] => Ok(quoted(text)),
        several => Ok(several.iter().map(operand).collect::<Vec<_>>().join(" ~ ")),
    }
}

/// What stands beside a `~`: text or expression, in brackets unless it is a plain path.
fn operand(part: &Part<'_>) -> String {
    match part {
        Part::Text(text) => quoted(text),
        // Printed as JSON prints it: what stands beside `~` would be `True`.
        Part::Expression(path) if is_path(path) => format!("{path}{PRINTED}"),
        Part::Expression(expression) => format!("({expression}){PRINTED}"),
    }
}

/// Behind an expression in a text: it prints as JSON does.
pub(crate) const PRINTED: &str = " | string";

/// Names with points between them.
pub(crate) fn is_path(expression: &str) -> bool {
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    expression.split('.').all(is_name)
}

/// A text as an expression.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a text has a JSON form")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_wholly_an_expression_becomes_its_value() {
        assert_eq!(expression("${{ input.tag }}"), Ok("input.tag".to_owned()));
        assert_eq!(expression(r#"${{ {"a": {"b": "}}"}} }}"#), Ok(r#"{"a": {"b": "}}"}}"#.to_owned()));
    }

    #[test]
    fn a_text_that_contains_expressions_is_joined() {
        assert_eq!(expression("v${{ input.tag }}!"), Ok(r#""v" ~ input.tag | string ~ "!""#.to_owned()));
        assert_eq!(expression("${{ 1 + 2 }}${{ input }}"), Ok("(1 + 2) | string ~ input | string".to_owned()));
    }

    #[test]
    fn a_text_without_expressions_is_quoted() {
        assert_eq!(expression("say \"hi\"\n$ {{ x }}"), Ok(r#""say \"hi\"\n$ {{ x }}""#.to_owned()));
        assert_eq!(expression(""), Ok("\"\"".to_owned()));
    }

    #[test]
    fn what_opens_must_close() {
        for text in
            ["${{", "a ${{ b", "${{ ' }}", "${{ \"\\", "${{ ( }}", "${{ ) }}", "${{ }}", "${{ a, b }}", "${{ (] }}"]
        {
            assert!(expression(text).is_err(), "{text}");
        }
    }
}
