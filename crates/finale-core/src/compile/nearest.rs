//! The name that was probably meant.

/// Among more names than this nobody is helped by a search that costs time for each wrong name.
const NAMES_MAX: usize = 1000;
/// Longer names are not compared.
const CHARS_MAX: usize = 32;
/// A name that differs in more places is another name.
const DISTANCE_MAX: usize = 2;

/// The name with the fewest differences, if there are few.
pub(crate) fn nearest<'n>(name: &str, names: impl ExactSizeIterator<Item = &'n String>) -> Option<&'n String> {
    let name: Vec<char> = name.chars().take(CHARS_MAX + 1).collect();
    if names.len() > NAMES_MAX || name.len() > CHARS_MAX {
        return None;
    }
    names
        .filter_map(|candidate| Some((distance(&name, candidate)?, candidate)))
        .filter(|(distance, candidate)| *distance <= DISTANCE_MAX && *distance < candidate.chars().count())
        .min()
        .map(|(_, candidate)| candidate)
}

/// The Levenshtein distance; nothing where the lengths alone say that it is too large.
fn distance(name: &[char], other: &str) -> Option<usize> {
    let other: Vec<char> = other.chars().take(CHARS_MAX + DISTANCE_MAX + 1).collect();
    if name.len().abs_diff(other.len()) > DISTANCE_MAX {
        return None;
    }
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, left) in name.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, right) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(left != right);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row.last().copied()
}
