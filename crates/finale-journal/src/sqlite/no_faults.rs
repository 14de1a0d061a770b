//! Faults where there is no feature `_test`: none, so that the compiler drops every question whether there is one.

/// Makes a journal fail; there is no such value.
#[derive(Clone, Debug)]
#[expect(unreachable_pub, reason = "it takes the place of the one for tests, which is public")]
pub enum SqliteFaults {}

impl SqliteFaults {
    pub(super) fn ignores_locks(&self) -> bool {
        match *self {}
    }

    pub(super) fn merges(&self) -> bool {
        match *self {}
    }

    pub(super) fn before_commit(&self) -> Result<(), String> {
        match *self {}
    }

    pub(super) fn after_commit(&self) -> Result<(), String> {
        match *self {}
    }

    pub(super) fn checkpoint(&self) -> Result<(), String> {
        match *self {}
    }
}
