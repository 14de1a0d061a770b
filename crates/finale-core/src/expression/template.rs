//! `${{ expression }}` in a text.
//!
//! A text that is nothing but one becomes the value of the expression; a text that has some in it becomes a text, into
//! which each value is printed as JSON prints it, texts without quotes; a text that has none is itself.

/// What begins an expression in a text.
pub const OPEN: &str = "${{";

/// A stretch of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'t> {
    /// To be taken as it is.
    Text(&'t str),
    /// To be evaluated; without the braces and the space around it.
    Expression(&'t str),
}

/// Splits a text; `Err` says what is wrong with it.
///
/// ```
/// use finale_core::expression::template::{Part, parts};
///
/// assert_eq!(parts("v${{ input.tag }}"), Ok(vec![Part::Text("v"), Part::Expression("input.tag")]));
/// assert_eq!(parts("v${{ input.tag"), Err("its `}}` is missing"));
/// ```
pub fn parts(text: &str) -> Result<Vec<Part<'_>>, &'static str> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(begin) = rest.find(OPEN) {
        if begin > 0 {
            parts.push(Part::Text(&rest[..begin]));
        }
        rest = &rest[begin + OPEN.len()..];
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
            b'?' => return Err("`?` means nothing in it: write `A if CONDITION else B`"),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_split_into_what_is_taken_and_what_is_evaluated() {
        assert_eq!(parts(""), Ok(vec![]));
        assert_eq!(parts("$ {{ x }}"), Ok(vec![Part::Text("$ {{ x }}")]));
        assert_eq!(parts(r#"${{ {"a": {"b": "}}"}} }}"#), Ok(vec![Part::Expression(r#"{"a": {"b": "}}"}}"#)]));
        let joined = [Part::Text("v"), Part::Expression("input.tag"), Part::Expression("1 + 2"), Part::Text("!")];
        assert_eq!(parts("v${{ input.tag }}${{1 + 2}}!"), Ok(joined.to_vec()));
    }

    #[test]
    fn a_choice_of_other_languages_is_told_what_it_is_here() {
        assert!(parts("${{ input.x ? 1 : 2 }}").is_err_and(|why| why.contains("`A if CONDITION else B`")));
        assert!(parts("${{ input.x == '?' }}").is_ok());
    }

    #[test]
    fn what_opens_must_close() {
        for text in
            ["${{", "a ${{ b", "${{ ' }}", "${{ \"\\", "${{ ( }}", "${{ ) }}", "${{ }}", "${{ a, b }}", "${{ (] }}"]
        {
            assert!(parts(text).is_err(), "{text}");
        }
    }
}
