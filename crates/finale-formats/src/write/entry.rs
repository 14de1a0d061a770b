//! What a file is written of.

use crate::tree::{Entry, Located, Tree};

pub(super) fn text(key: &str, text: &str) -> Entry {
    Entry::new(key, Tree::Text(text.to_owned()))
}

pub(super) fn number(number: u64) -> Located {
    Tree::Number(number.into()).into()
}
