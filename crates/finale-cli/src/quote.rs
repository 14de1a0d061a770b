//! Commands that somebody is told to type.

use std::path::Path;

/// A command of finale on a journal, as it is typed in a shell.
pub(crate) fn command(name: &str, journal: &Path, rest: impl std::fmt::Display) -> String {
    let line = format!("finale {name} --journal {} {rest}", quoted(&journal.to_string_lossy()));
    format!("`{}`", line.trim_end())
}

fn quoted(text: &str) -> String {
    let plain = |character: char| character.is_alphanumeric() || "_-./+:,@%=~".contains(character);
    if !text.is_empty() && !text.starts_with(['-', '~']) && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_quoted_where_the_shell_would_take_it_apart() {
        assert_eq!(command("resume", Path::new("a/b.db"), ""), "`finale resume --journal a/b.db`");
        assert_eq!(command("why", Path::new("my b's.db"), 7), r"`finale why --journal 'my b'\''s.db' 7`");
    }
}
