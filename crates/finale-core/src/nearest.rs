//! What somebody probably meant.

/// Longer names are not compared: the cost grows with the square of the length.
const LENGTH_MAX: usize = 64;
/// Among more names than this the search would cost more than the hint is worth.
const NAMES_MAX: usize = 1_000;

/// The name that is nearest to what was written, if one is near enough to be a slip; letter case does not count.
///
/// ```
/// use finale_core::nearest::nearest;
///
/// assert_eq!(nearest("tsk", ["start", "task"]), Some("task"));
/// assert_eq!(nearest("Parallel-Split", ["parallel_split"]), Some("parallel_split"));
/// assert_eq!(nearest("banana", ["start", "task"]), None);
/// ```
pub fn nearest<'n>(written: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    if written.len() > LENGTH_MAX {
        return None;
    }
    let written = written.to_lowercase();
    let letters = written.chars().count();
    let distance = |name: &str| strsim::osa_distance(&written, &name.to_lowercase());
    let comparable = names.into_iter().take(NAMES_MAX).filter(|name| name.len() <= LENGTH_MAX);
    comparable
        .map(|name| (distance(name), name))
        .filter(|(distance, name)| {
            let length = name.chars().count();
            // Of one letter for another nothing is left that could have been meant.
            *distance <= length.div_ceil(3) && *distance < length.max(letters)
        })
        .min()
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn swapped_letters_are_one_slip() {
        assert_eq!(nearest("strat", ["start", "end"]), Some("start"));
    }

    #[test]
    fn nothing_is_near_to_nothing_and_a_huge_name_costs_nothing() {
        assert_eq!(nearest("", ["start"]), None);
        assert_eq!(nearest("b", ["a"]), None);
        assert_eq!(nearest("aa", ["a"]), Some("a"));
        assert_eq!(nearest(&"a".repeat(1_000_000), ["start"]), None);
    }
}
