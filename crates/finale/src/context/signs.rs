//! What a handler says of itself while it works.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use finale_core::record::{CustomStatus, TaskProgress};

/// What a handler says of itself while it works, from whatever thread.
#[derive(Debug, Default)]
pub(crate) struct Signs(Mutex<Sign>);

#[derive(Debug, Default)]
struct Sign {
    /// Whether it said something that the engine has not heard.
    is_new: bool,
    progress: Option<TaskProgress>,
    custom_status: Option<Box<str>>,
    /// Lets the engine hear it.
    engine: Option<Waker>,
}

/// A handler is alive.
#[derive(Debug)]
pub(crate) struct SignOfLife {
    /// How far it is, if it says so.
    pub(crate) progress: Option<TaskProgress>,
    /// What custom status it has set, if it has.
    pub(crate) custom_status: Option<Box<str>>,
}

impl Signs {
    /// Nothing was said yet; what is said wakes the engine.
    pub(super) fn heard_by(engine: Option<Waker>) -> Self {
        Self(Mutex::new(Sign { engine, ..Sign::default() }))
    }

    fn lock(&self) -> MutexGuard<'_, Sign> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn progress(&self, share: f64, text: &str) {
        let progress = TaskProgress::new(share, text);
        self.give(|sign| sign.progress = Some(progress));
    }

    pub(super) fn set_status(&self, text: &str) {
        let text = CustomStatus::cut(text).into();
        self.give(|sign| sign.custom_status = Some(text));
    }

    fn give(&self, say: impl FnOnce(&mut Sign)) {
        let mut sign = self.lock();
        say(&mut sign);
        let is_first = !std::mem::replace(&mut sign.is_new, true);
        let engine = sign.engine.clone().filter(|_| is_first);
        drop(sign);
        engine.into_iter().for_each(Waker::wake);
    }

    /// What the engine has not heard; none if nothing was said.
    pub(super) fn take(&self) -> Option<SignOfLife> {
        let mut sign = self.lock();
        let Sign { is_new, progress, custom_status, .. } = &mut *sign;
        let said = || SignOfLife { progress: progress.take(), custom_status: custom_status.take() };
        std::mem::take(is_new).then(said)
    }

    /// The engine is woken by another waker from now on.
    pub(super) fn wakes(&self, engine: &Waker) {
        self.lock().engine = Some(engine.clone());
    }

    /// The handler is alive.
    pub(super) fn heartbeat(&self) {
        self.give(|_| {});
    }

    pub(super) fn reset(&mut self) {
        *self.0.get_mut().unwrap_or_else(PoisonError::into_inner) = Sign::default();
    }
}
