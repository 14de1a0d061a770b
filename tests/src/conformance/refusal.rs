//! Why a definition is not activated, in the words of the cases.

use finale_core::compile::{Code, CompileError, Phase};

use super::cases::ActivationFault;

/// What a definition was refused for.
#[derive(Debug)]
pub(super) struct Refusal {
    /// All names that are right for it.
    pub(super) faults: Vec<ActivationFault>,
    pub(super) message: String,
}

impl Refusal {
    /// A definition that could not even be read.
    pub(super) fn unreadable(error: &finale_formats::LoadError) -> Self {
        Self { faults: vec![ActivationFault::DefinitionInvalid], message: error.to_string() }
    }

    pub(super) fn of(error: &CompileError, has_registry: bool) -> Self {
        let faults = match error.phase {
            Phase::Links if has_registry => error.problems.iter().map(|problem| fault(problem.code)).collect(),
            // Without a registry no call can be resolved, whatever else is wrong with it.
            Phase::Links => vec![ActivationFault::NoRegistry],
            _ => vec![ActivationFault::DefinitionInvalid],
        };
        Self { faults, message: error.to_string() }
    }
}

fn fault(code: Code) -> ActivationFault {
    match code {
        Code::SubworkflowNotFound => ActivationFault::SubworkflowNotFound,
        // A circle of calls is deeper than any limit.
        Code::SubworkflowTooDeep | Code::SubworkflowTooLarge | Code::SubworkflowCycleDetected => {
            ActivationFault::DepthExceeded
        }
        _ => ActivationFault::SubworkflowIo,
    }
}
