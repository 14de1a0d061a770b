//! JSON as bytes, checked without recursion: a parser would go down for each level, and a number would surprise it late.

use super::PayloadError;

/// The shortest text that can be nested deeper than `depth_max`.
const fn deep_bytes_min(depth_max: usize) -> usize {
    2 * (depth_max + 1)
}

/// Longer numbers without an exponent may be out of range.
const DIGITS_IN_RANGE_MAX: usize = 308;

/// Refuses a document that is nested too deep, or holds a number that no parser could hold or half of a character.
///
/// The bytes must be a JSON document, or begin like one: brackets and quotes are trusted to mean what they mean there.
pub(super) fn check(document: &[u8], depth_max: usize) -> Result<(), PayloadError> {
    scan(document, depth_max, true)
}

/// Refuses a document that is nested too deep.
///
/// For documents that were written here: their numbers are finite, and their characters whole. Costs nothing for those that are too short to be deep.
pub(crate) fn check_depth(document: &[u8], depth_max: usize) -> Result<(), PayloadError> {
    if document.len() < deep_bytes_min(depth_max) {
        return Ok(());
    }
    scan(document, depth_max, false)
}

fn scan(document: &[u8], depth_max: usize, is_foreign: bool) -> Result<(), PayloadError> {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < document.len() {
        match document[at] {
            b'[' | b'{' => {
                depth += 1;
                if depth > depth_max {
                    return Err(PayloadError::TooDeep { depth_max });
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'"' => {
                let end = end_of_text(document, at + 1);
                if is_foreign {
                    check_text(&document[at + 1..end.min(document.len())])?;
                }
                at = end;
            }
            b'-' | b'0'..=b'9' if is_foreign => {
                let number = &document[at..end_of_number(document, at)];
                check_number(number)?;
                at += number.len() - 1;
            }
            _ => {}
        }
        at += 1;
    }
    Ok(())
}

/// Where the quote stands that closes a text.
fn end_of_text(document: &[u8], mut at: usize) -> usize {
    while at < document.len() && document[at] != b'"' {
        at += if document[at] == b'\\' { 2 } else { 1 };
    }
    at
}

/// Refuses a text with half of a surrogate pair: JSON allows to write that, and no parser can hold it.
fn check_text(text: &[u8]) -> Result<(), PayloadError> {
    let mut rest = text;
    while let Some(at) = rest.iter().position(|byte| *byte == b'\\') {
        rest = &rest[at..];
        let length = match (unit(rest), unit(rest.get(UNIT..).unwrap_or_default())) {
            (None, _) => 2,
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 2 * UNIT,
            (Some(half @ 0xd800..=0xdfff), _) => {
                return Err(PayloadError::Json(format!(
                    "not JSON: a text holds half of a surrogate pair, \\u{half:04x}"
                )));
            }
            (Some(_), _) => UNIT,
        };
        rest = rest.get(length..).unwrap_or_default();
    }
    Ok(())
}

/// The length of `\u1234`.
const UNIT: usize = 6;

/// The number in an escape like `\u1234`, if the text begins with one.
fn unit(text: &[u8]) -> Option<u16> {
    let digits = text.strip_prefix(b"\\u")?.get(..4)?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

fn end_of_number(document: &[u8], begin: usize) -> usize {
    let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
    begin + document[begin..].iter().take_while(|byte| is_part(byte)).count()
}

fn check_number(number: &[u8]) -> Result<(), PayloadError> {
    let may_be_infinite = number.len() > DIGITS_IN_RANGE_MAX || number.iter().any(|byte| matches!(byte, b'e' | b'E'));
    if !may_be_infinite {
        return Ok(());
    }
    let value = std::str::from_utf8(number).ok().and_then(|text| text.parse::<f64>().ok());
    if value.is_some_and(f64::is_infinite) { Err(PayloadError::NotFinite) } else { Ok(()) }
}
