//! What a plain scalar of YAML means.
//!
//! A number is what JSON takes for one, a boolean `true` or `false`, nothing `null` or `~`. What other readers of YAML
//! take for a number besides (`0755`, `1_000`, `0x1f`, `.5`, `+1`) is kept as text, with a note that it is doubtful.

use serde_json::Number;

use crate::tree::{Doubt, Notation, Tree};

/// Reads a scalar that has no quotes.
pub(crate) fn plain(text: &str) -> (Tree, Notation) {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => (Tree::Null, Notation::Canonical),
        "true" | "True" | "TRUE" => (Tree::Bool(true), Notation::of(text, "true")),
        "false" | "False" | "FALSE" => (Tree::Bool(false), Notation::of(text, "false")),
        _ => number(text).unwrap_or_else(|| (Tree::Text(text.to_owned()), Notation::Canonical)),
    }
}

fn number(text: &str) -> Option<(Tree, Notation)> {
    // Most scalars are words: nothing else is looked at in them.
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.')) {
        return None;
    }
    if is_json_number(text) {
        return Some(json_number(text));
    }
    is_number_elsewhere(text).then(|| (Tree::Text(text.to_owned()), Notation::Doubtful(Doubt::Numeral)))
}

/// The number that a text of JSON's grammar stands for.
pub(crate) fn json_number(text: &str) -> (Tree, Notation) {
    let is_whole = !text.contains(['.', 'e', 'E']);
    match text.parse::<Number>() {
        // A whole number that 64 bits do not hold is read as the nearest float; `-0` is one that is meant.
        Ok(number) if !is_whole || !number.is_f64() || number.as_f64() == Some(0.0) => {
            let notation = Notation::of(text, &number.to_string());
            (Tree::Number(number), notation)
        }
        _ => (Tree::Text(text.to_owned()), Notation::Doubtful(Doubt::TooLarge)),
    }
}

/// Whether a text is `-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?`.
fn is_json_number(text: &str) -> bool {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let has_leading_zero = whole.len() > 1 && whole.starts_with('0');
    is_digits(whole) && !has_leading_zero && fraction.is_none_or(is_digits) && exponent.is_none_or(is_digits)
}

/// Whether version 1.1 or 1.2 of YAML takes a text for a number that is none in JSON.
fn is_number_elsewhere(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned.to_ascii_lowercase().as_str(), ".inf" | ".nan") {
        return true;
    }
    let with_base = |prefix: &str, is_digit: fn(u8) -> bool| {
        let digits = unsigned.strip_prefix(prefix);
        digits.is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte == b'_' || is_digit(byte)))
    };
    if with_base("0x", |byte| byte.is_ascii_hexdigit())
        || with_base("0o", |byte| matches!(byte, b'0'..=b'7'))
        || with_base("0b", |byte| matches!(byte, b'0' | b'1'))
    {
        return true;
    }
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (unsigned, None),
    };
    let digits = mantissa.bytes().filter(u8::is_ascii_digit).count();
    let points = mantissa.bytes().filter(|byte| *byte == b'.').count();
    let is_mantissa = mantissa.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'_'));
    is_mantissa && digits > 0 && points <= 1 && !mantissa.starts_with('_') && exponent.is_none_or(is_digits)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_what_json_takes_for_one() {
        for (text, printed) in
            [("0", "0"), ("-7", "-7"), ("18446744073709551615", "18446744073709551615"), ("0.5", "0.5")]
        {
            let (tree, notation) = plain(text);
            let Tree::Number(number) = tree else { panic!("{text}") };
            assert_eq!((number.to_string().as_str(), notation), (printed, Notation::Canonical), "{text}");
        }
        for text in ["3.10", "1.50", "1e3", "1E+3", "-0", "1.0e2", "12345678901234567890123.5"] {
            let (tree, notation) = plain(text);
            assert!(matches!(tree, Tree::Number(_)), "{text}");
            assert_eq!(notation, Notation::Written(text.into()), "{text}");
        }
    }

    #[test]
    fn what_only_other_readers_take_for_a_number_is_doubtful_text() {
        let numerals = [
            "0755", "007", "00", "-01", "+1", ".5", "5.", "1_000", "0x1F", "0o17", "0b11", "01.5", "00e1", "1_0.5",
            ".inf", "-.Inf", ".NaN", "+1e3",
        ];
        for text in numerals {
            assert_eq!(plain(text), (Tree::Text(text.into()), Notation::Doubtful(Doubt::Numeral)), "{text}");
        }
        for text in ["18446744073709551616", "-9223372036854775809", "1e999", "123456789012345678901234567890"] {
            assert_eq!(plain(text), (Tree::Text(text.into()), Notation::Doubtful(Doubt::TooLarge)), "{text}");
        }
    }

    #[test]
    fn everything_else_is_text() {
        for text in [
            "1.2.3",
            "2024-05-01",
            "12:30",
            "1h30m",
            "-",
            "+",
            ".",
            "..",
            "1e",
            "e3",
            "0xZZ",
            "0b12",
            "-x",
            "_1",
            "yes",
            "1,5",
        ] {
            assert_eq!(plain(text), (Tree::Text(text.into()), Notation::Canonical), "{text}");
        }
    }

    #[test]
    fn booleans_and_nothing_have_three_spellings() {
        assert_eq!(plain("TRUE"), (Tree::Bool(true), Notation::Written("TRUE".into())));
        assert_eq!(plain("false"), (Tree::Bool(false), Notation::Canonical));
        for text in ["", "~", "null", "Null", "NULL"] {
            assert_eq!(plain(text), (Tree::Null, Notation::Canonical), "{text}");
        }
    }
}
