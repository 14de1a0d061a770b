//! The line that a handler says of its execution.

use serde::{Deserialize, Serialize};

use crate::failure::cut_at;
use crate::time::Time;

/// The custom status of an execution: one line in the words of a handler, the last one that was set.
///
/// It is seen as soon as it is set, and recorded with the next fact of its execution, at the latest with the outcome of the
/// task that set it. What was recorded is there after a restart and after the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustomStatus {
    /// The line; never empty.
    pub text: String,
    /// The path of the node whose handler set it; of one in the definition's own graph that is its id.
    pub node: String,
    /// When it was set.
    pub set_at: Time,
}

impl CustomStatus {
    /// The longest line, in bytes; of a longer one the beginning is kept.
    pub const TEXT_BYTES_MAX: usize = 256;

    /// As much of a text as a custom status may have.
    pub fn cut(text: &str) -> &str {
        &text[..cut_at(text, Self::TEXT_BYTES_MAX)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_cut_between_letters() {
        assert_eq!(CustomStatus::cut("waiting for the bank"), "waiting for the bank");
        assert_eq!(CustomStatus::cut(&format!("x{}", "ä".repeat(200))), format!("x{}", "ä".repeat(127)));
    }
}
