//! What somebody probably meant.

/// The accepted word that is nearest to what was written, if one is near enough to be a slip.
pub(crate) fn nearest(written: &str, accepted: &[&'static str]) -> Option<&'static str> {
    /// Longer than any word that is accepted, so that a huge key costs nothing.
    const WRITTEN_LENGTH_MAX: usize = 64;
    if written.len() > WRITTEN_LENGTH_MAX {
        return None;
    }
    let written = written.to_lowercase();
    accepted
        .iter()
        .map(|word| (distance(&written, word), *word))
        .filter(|(distance, word)| *distance <= (word.len() + 1) / 3)
        .min()
        .map(|(_, word)| word)
}

/// How many characters must be changed, added or removed to get from one word to the other.
fn distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.chars().count()).collect();
    for (line, left) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, right) in right.chars().enumerate() {
            let replaced = diagonal + usize::from(left != right);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::nearest;

    const WORDS: &[&str] = &["start", "end", "task", "parallel_split"];

    #[test]
    fn a_slip_finds_its_word() {
        assert_eq!(nearest("tsk", WORDS), Some("task"));
        assert_eq!(nearest("strat", WORDS), Some("start"));
        assert_eq!(nearest("Parallel-Split", WORDS), Some("parallel_split"));
    }

    #[test]
    fn another_word_finds_nothing() {
        assert_eq!(nearest("banana", WORDS), None);
        assert_eq!(nearest("", WORDS), None);
        assert_eq!(nearest(&"a".repeat(1_000_000), WORDS), None);
    }
}
