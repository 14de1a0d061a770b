//! Numbers and texts as they are written.

use std::num::IntErrorKind;

use minijinja::Value;

use super::environment;
use super::error::ExpressionError;

/// A number: decimal, hexadecimal (`0xff`), octal or binary, with `_` between digits where they help.
pub(super) fn number(written: &str) -> Result<Value, ExpressionError> {
    let refuse = || ExpressionError::Syntax { detail: format!("syntax error: `{written}` is no number") };
    let digits = written.replace('_', "");
    if written.ends_with('_') {
        return Err(refuse());
    }
    let radix = match written.get(..2) {
        Some("0x" | "0X") => 16,
        Some("0o" | "0O") => 8,
        Some("0b" | "0B") => 2,
        _ if digits.bytes().all(|byte| byte.is_ascii_digit()) => 10,
        _ => {
            let number = digits.parse::<f64>().ok().filter(|number| number.is_finite());
            return number.map(Value::from).ok_or_else(refuse);
        }
    };
    let digits = if radix == 10 { &digits } else { &digits[2..] };
    u64::from_str_radix(digits, radix).map(Value::from).map_err(|error| match error.kind() {
        IntErrorKind::PosOverflow => ExpressionError::Syntax {
            detail: format!("syntax error: `{written}` is a larger integer than 64 bits hold"),
        },
        _ => refuse(),
    })
}

/// What stands between quotes.
pub(super) fn text(quoted: &str) -> Result<String, ExpressionError> {
    let is_closed = quoted.len() >= 2 && quoted.ends_with(&quoted[..1]);
    if !is_closed {
        let (detail, quote) = (format!("syntax error: the text {quoted} is not closed"), &quoted[..1]);
        return Err(ExpressionError::Syntax { detail: format!("{detail}; write `{quote}` behind it") });
    }
    let text = environment::unquoted(quoted);
    text.ok_or_else(|| ExpressionError::Syntax { detail: format!("syntax error: {quoted} is no text") })
}
