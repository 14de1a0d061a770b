//! The one place where code of the user is called: a panic there becomes a value.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use finale_core::{Failure, FailureClass};

/// Calls into code of the user; its panic becomes the failure of its own task.
///
/// Nothing of ours is changed inside the closure, so whatever the panic left half-done is the user's alone.
pub(crate) fn fenced<T>(call: impl FnOnce() -> T) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|panic| {
        let failure = Failure::new(FailureClass::Panicked, said(panic.as_ref()));
        discard(panic);
        failure
    })
}

/// Throws away what a panic carried, which is the user's as well and can panic when it is dropped.
#[allow(clippy::mem_forget, reason = "there is no end to destructors that panic with what panics when dropped")]
fn discard(panic: Box<dyn Any + Send>) {
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
        std::mem::forget(again);
    }
}

/// Calls what the application counts and logs with. What panics there has nobody to be told of it, and changes nothing.
pub(crate) fn fenced_observer(tell: impl FnOnce()) {
    let _ = fenced(tell);
}

/// Drops something of the user; a panic in its destructor harms nobody else.
pub(crate) fn fenced_drop<T>(value: T) {
    if let Err(failure) = fenced(|| drop(value)) {
        tracing::warn!(target: crate::telemetry::TARGET, reason = %failure.reason, "a destructor panicked");
    }
}

fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}
