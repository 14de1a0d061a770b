//! The beginning of an id, as somebody types it.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use finale::journal::{JournalError, JournalReader};
use finale::{Filter, Summary};
use finale_core::ExecutionId;

use super::Problem;

/// How many candidates are named when a beginning fits several ids.
const CANDIDATES_MAX: usize = 10;
/// How many hexadecimal digits an id has.
const DIGITS: usize = 32;

/// An id, or the beginning of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Prefix {
    text: String,
    first: u128,
    last: u128,
}

/// A text that begins no id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected the id of an execution, or the beginning of one: hexadecimal digits and dashes")]
pub(crate) struct NoId;

impl FromStr for Prefix {
    type Err = NoId;

    fn from_str(text: &str) -> Result<Self, NoId> {
        let digits = text.replace('-', "");
        let well_formed = (1..=DIGITS).contains(&digits.len()) && digits.chars().all(|digit| digit.is_ascii_hexdigit());
        if !well_formed {
            return Err(NoId);
        }
        let padded = |with: &str| u128::from_str_radix(&(digits.clone() + &with.repeat(DIGITS - digits.len())), 16);
        let (first, last) = (padded("0").map_err(|_| NoId)?, padded("f").map_err(|_| NoId)?);
        Ok(Self { text: text.to_owned(), first, last })
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Prefix {
    /// The one execution whose id begins so.
    pub(crate) fn find(&self, reader: &impl JournalReader, journal: &Path) -> Result<Summary, Problem> {
        let mut candidates = self.candidates(reader)?;
        match (candidates.pop(), candidates.is_empty()) {
            (Some(found), true) => Ok(found),
            (None, _) => Err(Problem::Unknown { journal: journal.to_owned(), prefix: self.clone() }),
            (Some(last), false) => {
                let more = candidates.len() == CANDIDATES_MAX;
                if !more {
                    candidates.push(last);
                }
                Err(Problem::Ambiguous { prefix: self.clone(), candidates, more })
            }
        }
    }

    /// The executions whose ids begin so, newest first; one more than are named.
    fn candidates(&self, reader: &impl JournalReader) -> Result<Vec<Summary>, JournalError> {
        let mut filter = Filter::new().limit(CANDIDATES_MAX + 1);
        filter.before = self.last.checked_add(1).and_then(id);
        let mut found = reader.list(&filter)?;
        found.retain(|summary| summary.id.as_u128() >= self.first);
        Ok(found)
    }
}

fn id(number: u128) -> Option<ExecutionId> {
    let digits = format!("{number:032x}");
    let parts = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
    parts.join("-").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_stands_for_all_ids_that_begin_so() {
        let prefix: Prefix = "0199B1c2-0".parse().unwrap();
        assert_eq!(prefix.first, 0x0199_b1c2_0000_0000_0000_0000_0000_0000);
        assert_eq!(prefix.last, 0x0199_b1c2_0fff_ffff_ffff_ffff_ffff_ffff);
        assert_eq!(id(prefix.last).unwrap().as_u128(), prefix.last);
    }

    #[test]
    fn anything_else_begins_no_id() {
        for text in ["", "-", "xyz", "0199 b1c2", &"0".repeat(33)] {
            assert_eq!(text.parse::<Prefix>(), Err(NoId), "{text}");
        }
    }
}
