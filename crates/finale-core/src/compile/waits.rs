//! What nodes that wait need.

use super::nodes::Report;
use super::problem::Code;
use super::structure::is_blank;
use crate::definition::{NodeKind, Signal, Wait};

pub(super) fn check_wait(wait: &Wait, report: &mut Report<'_>) {
    let Wait::Signal(Signal { name, timeout, schema }) = wait else { return };
    report.add_if(is_blank(name), Code::BadSignal, |node| {
        format!("{node:?} does not say by its name which signal it waits for")
    });
    let (bytes, bytes_max) = (name.len(), Signal::NAME_BYTES_MAX);
    report.add_if(bytes > bytes_max && !wait_is_evaluated(wait), Code::BadSignal, |node| {
        format!("the name of the signal that {node:?} waits for has {bytes} bytes, at most {bytes_max} are allowed")
    });
    report.add_if(schema.is_some() && wait_is_evaluated(wait), Code::BadSignal, |node| {
        format!(
            "{node:?} says by a schema what its signal must say, and the name of the signal is known only when the node is \
             reached: a signal is checked when it is sent, so give it a name without `${{{{ }}}}`, or no schema"
        )
    });
    report.add_if(timeout.is_some_and(|timeout| timeout.is_zero()), Code::BadTimeout, |node| {
        format!("{node:?} gives the signal that it waits for no time: with a timeout of 0s none could come")
    });
}

fn wait_is_evaluated(wait: &Wait) -> bool {
    matches!(wait, Wait::Signal(signal) if signal.is_evaluated())
}

/// Only what waits for a signal, and not for ever, waits in vain; one node runs then.
pub(super) fn check_on_timeout(kind: &NodeKind, count: usize, report: &mut Report<'_>) {
    let may_time_out = matches!(kind, NodeKind::Wait(Wait::Signal(Signal { timeout: Some(_), .. })));
    report.add_if(count > 0 && !may_time_out, Code::OnTimeoutOutside, |node| match kind {
        NodeKind::Wait(Wait::Signal(_)) => {
            format!("an on_timeout edge leaves {node:?}, which has no timeout and waits for ever")
        }
        kind => {
            let what = if let NodeKind::Task(_) = kind { "task: on_failure handles its timeout" } else { kind.name() };
            format!("an on_timeout edge leaves {node:?}, which does not wait for a signal; it is a {what}")
        }
    });
    report.add_if(count > 1, Code::OnTimeoutDuplicate, |node| {
        format!("{count} nodes are to run if the signal that {node:?} waits for does not come, there can be only one")
    });
}
