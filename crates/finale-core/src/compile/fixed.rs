//! Expressions that read nothing: what is wrong with what they come to is known before anything runs.

use crate::definition::{Node, NodeKind, Wait};
use crate::expression::moment::moment;
use crate::expression::{Expression, Nothing};
use crate::payload::Payload;
use crate::time::Time;

use super::problem::{Code, Problem};

/// No moment that is calculated without reading anything is before this one, in 1973: `2027-12-24` is a subtraction.
const CALCULATED_MIN: Time = Time::from_micros(100_000_000_000_000);

/// Whether a condition gives `true` or `false`, and what a node waits for is a moment, where that is known already.
pub(super) fn check(node: &Node, expression: &Expression) -> Option<Problem> {
    let is_known = expression.as_literal().is_some() || expression.is_fixed();
    if !is_known {
        return None;
    }
    let id = &node.id;
    let message = match &node.kind {
        NodeKind::Conditional(_) | NodeKind::Loop(_) => {
            let error = expression.condition(&Nothing).err()?;
            format!("the condition of {id:?} can never be evaluated: {error}")
        }
        NodeKind::Wait(Wait::Until(source)) => {
            let known = expression.value(&Nothing).map_err(|error| error.to_string());
            let wrong = known.and_then(|value| until(source, &value, expression.is_fixed())).err()?;
            format!("what {id:?} waits for is no moment: {wrong}")
        }
        _ => return None,
    };
    Some(Problem::of(Code::ExpressionInvalid, id, message))
}

fn until(source: &str, value: &Payload, is_calculated: bool) -> Result<(), String> {
    let moment = moment(value)?;
    if is_calculated && moment < CALCULATED_MIN {
        return Err(format!(
            "`{}` is calculated, and gives {value:?} milliseconds after 1970; a moment is a text in quotes: \
             '2026-01-31T12:00:00Z'",
            source.trim()
        ));
    }
    Ok(())
}
