//! How much of a file is read.

/// How much of a file is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Length of the file; default 64 MiB.
    pub bytes_max: usize,
    /// Number of values (texts, numbers, lists, maps, ...) in the document, with YAML aliases
    /// expanded; default 4 Mi, which 100,000 nodes do not reach.
    pub values_max: usize,
}

impl Limits {
    /// How many lists and maps may be inside each other.
    pub const DEPTH_MAX: usize = 127;
    /// How many anchors (`&name`) a YAML file may have.
    pub const ANCHORS_MAX: usize = 1_000;
    /// How many values the anchors and aliases (`*name`) of a YAML file may stand for, all together.
    pub const ALIASED_VALUES_MAX: usize = 100_000;
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes_max: 64 << 20, values_max: 4 << 20 }
    }
}

impl Limits {
    /// Changes the length that a file may have.
    #[must_use]
    pub const fn bytes_max(mut self, bytes_max: usize) -> Self {
        self.bytes_max = bytes_max;
        self
    }

    /// Changes the number of values that a document may have.
    #[must_use]
    pub const fn values_max(mut self, values_max: usize) -> Self {
        self.values_max = values_max;
        self
    }
}
