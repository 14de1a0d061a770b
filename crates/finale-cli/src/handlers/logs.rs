//! The files with the output of commands: their names, and their ends.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::time::Duration;

use finale::Time;
use twox_hash::XxHash3_64;

use super::tail::{BYTES_MAX, Tail};
use crate::time;

/// A name as long as this fits every file system, with what is put behind it.
const NAME_BYTES_MAX: usize = 160;

/// How much earlier than other clocks that of a file system may tell the time.
const CLOCKS_APART_MAX: Duration = Duration::from_secs(2);

/// The last lines of a log; none if there is no log, or only one from before that time.
pub(crate) fn last_lines(path: &Path, since: Time) -> Option<String> {
    let mut file = File::open(path).ok()?;
    let metadata = file.metadata().ok()?;
    if time::of(metadata.modified().ok()? + CLOCKS_APART_MAX) < since {
        return None;
    }
    let length = metadata.len();
    // One byte more tells whether the first line is whole.
    file.seek(SeekFrom::Start(length.saturating_sub(BYTES_MAX as u64 + 1))).ok()?;
    let mut bytes = Vec::new();
    file.take(BYTES_MAX as u64 + 1).read_to_end(&mut bytes).ok()?;
    let mut tail = Tail::default();
    tail.push(&bytes);
    Some(tail.last_lines().text)
}

/// The id of a node as the name of a file: no two ids have the same.
pub(super) fn file_name(node: &str) -> String {
    let mut name = String::new();
    for (position, character) in node.char_indices() {
        match character {
            '.' if position == 0 => name.push_str("%2E"),
            '-' | '_' | '.' => name.push(character),
            _ if character.is_alphanumeric() => name.push(character),
            _ => {
                let mut bytes = [0; 4];
                character.encode_utf8(&mut bytes).bytes().for_each(|byte| name.push_str(&format!("%{byte:02X}")));
            }
        }
    }
    if name.len() > NAME_BYTES_MAX {
        let end = (0..=NAME_BYTES_MAX).rev().find(|end| name.is_char_boundary(*end)).unwrap_or_default();
        name.truncate(end);
        // The name is for people and scripts: it must be the same with every release.
        name.push_str(&format!("%{:016x}", XxHash3_64::oneshot(node.as_bytes())));
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_node_cannot_lead_out_of_the_directory() {
        assert_eq!(file_name("build-2.x_注文"), "build-2.x_注文");
        assert_eq!(file_name("../a b"), "%2E.%2Fa%20b");
        assert_eq!(file_name("a\\b:\0"), "a%5Cb%3A%00");
    }

    #[test]
    fn two_long_ids_have_two_names_that_fit() {
        let (one, other) = (file_name(&("é".repeat(500) + "1")), file_name(&("é".repeat(500) + "2")));
        assert_ne!(one, other);
        assert!(one.len() < 200, "{one}");
    }

    #[test]
    fn the_name_of_a_long_id_is_the_same_with_every_release() {
        let name = file_name(&"a".repeat(200));
        assert_eq!(name, format!("{}%ac2bd404bce6c995", "a".repeat(160)));
    }
}
