//! Commands that somebody is told to type.

use std::borrow::Cow;
use std::path::Path;

/// A command of finale on a journal, as it is typed in a shell.
pub(crate) fn command(name: &str, journal: &Path, rest: impl std::fmt::Display) -> String {
    let line = format!("finale {name} --journal {} {rest}", quoted(&journal.to_string_lossy()));
    format!("`{}`", line.trim_end())
}

fn quoted(text: &str) -> String {
    // It refuses only what has a NUL character, and no path has one. What begins with a dash would be an option.
    let text = if text.starts_with('-') { format!("./{text}") } else { text.to_owned() };
    shlex::try_quote(&text).map_or_else(|_| text.clone(), Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_quoted_where_the_shell_would_take_it_apart() {
        assert_eq!(command("resume", Path::new("a/b.db"), ""), "`finale resume --journal a/b.db`");
        assert_eq!(command("why", Path::new("my b's.db"), 7), r#"`finale why --journal "my b's.db" 7`"#);
        assert_eq!(command("why", Path::new("~a$(b).db"), 7), "`finale why --journal '~a$(b).db' 7`");
        assert_eq!(command("why", Path::new("-a.db"), 7), "`finale why --journal ./-a.db 7`");
    }
}
