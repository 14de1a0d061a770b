//! Where one execution stands as far as its writer has written.

use crate::Quarantine;

use super::history::Known;
use super::summary::COMPLETED;

#[derive(Clone, Debug)]
pub(super) struct Head {
    pub(super) number: i64,
    pub(super) status: u8,
    /// Number of its last fact.
    pub(super) sequence: u64,
    pub(super) quarantine: Option<Box<Quarantine>>,
    /// What is wrong with what was kept of it.
    pub(super) problem: Option<&'static str>,
}

impl Head {
    pub(super) const fn has_ended(&self) -> bool {
        self.status >= COMPLETED
    }
}

impl From<Known> for Head {
    fn from(known: Known) -> Self {
        let Known { number, status, quarantine, sequence, problem, .. } = known;
        Self { number, status, sequence, quarantine: quarantine.map(Box::new), problem }
    }
}
