//! The filter `quote`: a value as one word of a shell command.

use minijinja::value::ValueKind;
use minijinja::{Error, ErrorKind, Value};

use super::{json, limits};

/// Quotes a value for a POSIX shell: a text so that the shell takes all of it for one word, a list as the words of its
/// elements with spaces between them, anything else as its JSON.
pub(super) fn quote(value: &Value) -> Result<Value, Error> {
    let mut quoted = String::new();
    match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => {
            for (position, element) in value.try_iter()?.enumerate() {
                quoted.push_str(if position > 0 { " " } else { "" });
                add_word(&element, &mut quoted)?;
            }
        }
        _ => add_word(value, &mut quoted)?,
    }
    Ok(Value::from(quoted))
}

fn add_word(value: &Value, quoted: &mut String) -> Result<(), Error> {
    let word = match value.as_str() {
        Some(text) => shlex::try_quote(text).map(|word| quoted.push_str(&word)),
        None => {
            let printed = json::write(value, limits::RESULT_BYTES_MAX).map_err(json::Unprintable::into_error)?;
            shlex::try_quote(&String::from_utf8_lossy(&printed)).map(|word| quoted.push_str(&word))
        }
    };
    word.map_err(|_| invalid("a text with a NUL character cannot be quoted for a shell".to_owned()))?;
    if quoted.len() > limits::RESULT_BYTES_MAX {
        return Err(invalid(format!("the quoted text is larger than the {} bytes allowed", limits::RESULT_BYTES_MAX)));
    }
    Ok(())
}

fn invalid(detail: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, detail)
}
