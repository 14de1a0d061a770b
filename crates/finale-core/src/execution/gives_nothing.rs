//! Scopes that are settled and give nothing all the same.

/// Why a scope gives nothing although it is settled.
pub(super) enum GivesNothing {
    /// That could not be evaluated.
    Unevaluated(Box<str>),
    /// It does not fit the schema that its workflow declares.
    Mismatch(Box<str>),
}

impl<E: std::fmt::Display> From<E> for GivesNothing {
    fn from(error: E) -> Self {
        Self::Unevaluated(error.to_string().into())
    }
}
