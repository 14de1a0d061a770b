//! The signals that nodes wait for, and whether those that are sent can be them.

use finale::Payload;
use finale_core::Compiled;
use finale_core::definition::{NodeKind, Signal, Wait};
use finale_core::expression::template::{Part, parts};

/// The signal that a node waits for, if it does.
pub(crate) const fn awaited_signal(kind: &NodeKind) -> Option<&Signal> {
    match kind {
        NodeKind::Wait(Wait::Signal(signal)) => Some(signal),
        _ => None,
    }
}

/// Whether what is done outside there is waited for a time only.
pub(super) fn waits_for_a_time(kind: &NodeKind) -> bool {
    match kind {
        NodeKind::Task(task) => task.timeout.is_some(),
        kind => awaited_signal(kind).is_some_and(|signal| signal.timeout.is_some()),
    }
}

/// Whether a signal is sent to each node that waits for it. Where the name is evaluated, nobody can know how often.
pub(super) fn is_sent(signal: &Signal, compiled: &Compiled, sent: &[(String, Payload)]) -> bool {
    let sent = sent.iter().filter(|(name, _)| can_be_named(signal, name)).count();
    if signal.is_evaluated() {
        return sent > 0;
    }
    let all = compiled.all_positions().map(|position| compiled.node(position));
    let waiting = all.filter(|node| awaited_signal(&node.kind).is_some_and(|other| other.name == signal.name)).count();
    sent >= waiting
}

/// Whether a node that waits for this signal can wait for one of that name. Where the name is a template, what stands beside its
/// expressions must be there, in that order.
pub(super) fn can_be_named(signal: &Signal, name: &str) -> bool {
    if !signal.is_evaluated() {
        return signal.name == name;
    }
    let Ok(parts) = parts(&signal.name) else { return true };
    let mut rest = name;
    let mut is_after_expression = false;
    for (position, part) in parts.iter().enumerate() {
        let Part::Text(text) = part else {
            is_after_expression = true;
            continue;
        };
        let is_last = position + 1 == parts.len();
        let found = match (is_after_expression, is_last) {
            (false, _) => rest.starts_with(text).then_some(0),
            (true, true) => rest.ends_with(text).then(|| rest.len() - text.len()),
            (true, false) => rest.find(text),
        };
        let Some(at) = found else { return false };
        rest = &rest[at + text.len()..];
        is_after_expression = false;
    }
    is_after_expression || rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_known_is_that_name_only() {
        assert!(can_be_named(&Signal::named("paid"), "paid"));
        assert!(!can_be_named(&Signal::named("paid"), "paid-7"));
    }

    #[test]
    fn what_stands_beside_the_expressions_of_a_name_must_be_there() {
        let signal = Signal::named("go-${{ input.n }}-of-${{ input.all }}!");
        for name in ["go-7-of-9!", "go--of-!", "go-a-of-b-of-c!!"] {
            assert!(can_be_named(&signal, name), "{name}");
        }
        for name in ["", "go-7", "go-7-of-9", "og-7-of-9!", "xgo-7-of-9!", "go-of-!"] {
            assert!(!can_be_named(&signal, name), "{name}");
        }
        assert!(can_be_named(&Signal::named("${{ input.name }}"), "anything"));
    }
}
