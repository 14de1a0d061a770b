//! Whether what is said of further attempts makes sense.

use std::time::Duration;

use super::nodes::Report;
use super::problem::Code;
use crate::definition::{Backoff, FailureKind, Growth, Retry};
use crate::failure::Failure;

pub(super) fn check(retry: &Retry, report: &mut Report<'_>) {
    let mut wrong = |is_wrong: bool, what: &dyn Fn() -> String| {
        report.add_if(is_wrong, Code::BadRetry, |node| format!("task {node:?} {}", what()));
    };
    wrong(retry.attempts == 0, &|| "allows no attempt; 1 is the least".to_owned());
    wrong(retry.within == Some(Duration::ZERO), &|| "gives its further attempts no time: within is 0s".to_owned());
    let Backoff { initial, growth, max, jitter_percent } = retry.backoff;
    if let Growth::Exponential { factor } = growth {
        let is_wrong = !(1.0..=Backoff::FACTOR_MAX).contains(&factor);
        wrong(is_wrong, &|| {
            format!("has a backoff with the factor {factor}; it must be from 1 to {}", Backoff::FACTOR_MAX)
        });
    }
    wrong(growth != Growth::Constant && initial.is_zero(), &|| {
        format!("has a {} backoff that begins with 0s and so never grows", growth.name())
    });
    wrong(max.is_some_and(|max| max < initial), &|| {
        "has a backoff whose max is shorter than its first wait".to_owned()
    });
    wrong(jitter_percent > 100, &|| format!("has a jitter of {jitter_percent} percent; 100 is the most"));
    for kind in retry.on.iter().chain(&retry.not_on) {
        match kind {
            FailureKind::Class(class) => wrong(!class.is_retryable(), &|| {
                format!("says when {} is tried again, which it never is", class.name())
            }),
            FailureKind::Code(code) => {
                wrong(code.trim().is_empty(), &|| "names a blank code of a failure".to_owned());
                wrong(code.len() > Failure::CODE_BYTES_MAX, &|| {
                    format!(
                        "names a code of a failure with {} bytes; {} is the most",
                        code.len(),
                        Failure::CODE_BYTES_MAX
                    )
                });
            }
        }
    }
    let both = retry.on.iter().find(|kind| retry.not_on.contains(kind));
    wrong(both.is_some(), &|| format!("is and is not tried again on {}", both.map_or("", FailureKind::name)));
}
