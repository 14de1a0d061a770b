//! What the tests share: ways to write definitions down, a driver that checks every step, and a second opinion.
//!
//! [`Driven`](driven::Driven) tells an execution things and checks after each what must always hold;
//! [`Naive`](naive::Naive) is the reference that the core is compared with.

pub mod actor;
pub mod books;
pub mod chart;
pub mod conformance;
pub mod dice;
pub mod driven;
pub mod endings;
pub mod exhaustive;
pub mod formula;
pub mod kill;
mod ledger;
pub mod lives;
pub mod naive;
pub mod random;
pub mod scenario;
pub mod settled;
pub mod simulator;
pub mod tasks;

/// The snippets of the documents, run as tests: here is everything that they use.
#[cfg(doctest)]
mod documents {
    #[doc = include_str!("../../README.md")]
    struct Readme;

    #[doc = include_str!("../../docs/guide.md")]
    struct Guide;

    #[doc = include_str!("../../docs/workflows.md")]
    struct Workflows;

    #[doc = include_str!("../../docs/files.md")]
    struct Files;

    #[doc = include_str!("../../docs/semantics.md")]
    struct Semantics;

    #[doc = include_str!("../../docs/durability.md")]
    struct Durability;
}
