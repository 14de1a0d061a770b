//! Which SQLite will do.

use crate::OpenProblem;

/// Up to 3.51.2 two connections that write and checkpoint at once can lose committed data.
const REQUIRED: i32 = 3_051_003;

/// Refuses a SQLite that loses data.
pub(super) fn check(found: i32) -> Result<(), OpenProblem> {
    if found >= REQUIRED {
        return Ok(());
    }
    Err(OpenProblem::OldSqlite { found: name(found), required: name(REQUIRED) })
}

fn name(version: i32) -> String {
    format!("{}.{}.{}", version / 1_000_000, version / 1_000 % 1_000, version % 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sqlite_that_loses_data_is_refused() {
        let refused = check(3_051_002).unwrap_err();
        assert_eq!(refused, OpenProblem::OldSqlite { found: "3.51.2".into(), required: "3.51.3".into() });
        assert!(check(3_050_099).is_err() && check(3_051_003).is_ok() && check(3_054_001).is_ok());
    }

    #[test]
    fn the_bundled_sqlite_will_do() {
        assert_eq!(check(rusqlite::version_number()), Ok(()));
    }
}
