//! What the core must make of an input, known before it is told.

use finale_core::execution::{Effect, Input};
use finale_core::{Compiled, Dispatch, Execution, Time};

/// What is known of an input before the core decides on it.
pub(super) enum Expected {
    Nothing,
    /// An outcome of the attempt in progress, or of another one.
    Outcome {
        dispatch: Dispatch,
        is_current: bool,
    },
    /// A timer, and when it is due if it is armed.
    Timer {
        due: Option<Time>,
    },
}

type Checked = Result<(), (&'static str, String)>;

impl Expected {
    pub(super) fn of(state: &Execution, definition: &Compiled, input: &Input) -> Self {
        match input {
            Input::Outcome { dispatch, .. } | Input::Stopped { dispatch, .. } => {
                let is_current = is_current(&state.under_way(definition), *dispatch);
                Self::Outcome { dispatch: *dispatch, is_current }
            }
            Input::TimerFired(fired) => {
                let due = state.under_way(definition).into_iter().find_map(|effect| match effect {
                    Effect::ArmTimer { timer, due, .. } if timer == *fired => Some(due),
                    _ => None,
                });
                Self::Timer { due }
            }
            _ => Self::Nothing,
        }
    }

    pub(super) fn check(&self, now: Time, accepted: bool) -> Checked {
        match self {
            Self::Outcome { dispatch, is_current: false } if accepted => {
                Err(("a_stale_outcome_changes_nothing", format!("the outcome of {dispatch:?} was accepted")))
            }
            Self::Timer { due: None } if accepted => {
                Err(("a_timer_that_is_not_armed_changes_nothing", "it was accepted".to_owned()))
            }
            Self::Timer { due: Some(due) } if accepted && now < *due => {
                Err(("a_timer_never_fires_early", format!("it was due at {due}")))
            }
            _ => Ok(()),
        }
    }
}

fn is_current(under_way: &[Effect], wanted: Dispatch) -> bool {
    under_way.iter().any(|effect| match effect {
        Effect::Run { dispatch, .. } | Effect::Offer { dispatch, .. } => *dispatch == wanted,
        _ => false,
    })
}
