//! The one moment that a machine waits for next.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use finale_core::Time;
use tokio::time::{Instant, Sleep};

use crate::clock::Clock;

/// One sleep is no longer than this; what is further ahead is waited for in several.
const SLEEP_MAX: Duration = Duration::from_secs(24 * 60 * 60);

pub(crate) struct Alarm {
    clock: Clock,
    sleep: Option<Pin<Box<Sleep>>>,
    set: Option<Time>,
}

impl Alarm {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, sleep: None, set: None }
    }

    /// Whether that moment has come; if not, the task is woken when it has. None for no moment.
    pub(crate) fn has_come(&mut self, moment: Option<Time>, context: &mut Context<'_>) -> bool {
        let Some(moment) = moment else {
            self.set = None;
            return false;
        };
        loop {
            if self.set != Some(moment) {
                let wait = self.clock.until(moment).min(SLEEP_MAX);
                if wait.is_zero() {
                    self.set = None;
                    return true;
                }
                self.set = Some(moment);
                let until = Instant::now() + wait;
                match &mut self.sleep {
                    Some(sleep) => sleep.as_mut().reset(until),
                    None => self.sleep = Some(Box::pin(tokio::time::sleep_until(until))),
                }
            }
            let polled = self.sleep.as_mut().map(|sleep| sleep.as_mut().poll(context));
            if !matches!(polled, Some(Poll::Ready(()))) {
                return false;
            }
            // It may have been further ahead than one sleep is long, or than the ticks of a sleep are fine.
            self.set = None;
        }
    }
}
