//! The one moment that a machine waits for next.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Waker};
use std::time::Duration;

use finale_core::Time;
use tokio::time::{Instant, Sleep};

use crate::clock::Clock;

/// One sleep is no longer than this; what is further ahead is waited for in several.
const SLEEP_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// What is set is left as it is as long as it is early enough: then the task is woken once for nothing, which costs less than
/// to set it anew for each moment that passes without having been waited for.
pub(crate) struct Alarm {
    clock: Clock,
    sleep: Option<Pin<Box<Sleep>>>,
    /// For when the sleep is set, at the latest.
    set: Option<Time>,
    /// Who is woken by it.
    wakes: Option<Waker>,
}

impl Alarm {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, sleep: None, set: None, wakes: None }
    }

    /// Whether that moment has come; if not, the task is woken when it has. None for no moment.
    pub(crate) fn has_come(&mut self, moment: Option<Time>, context: &mut Context<'_>) -> bool {
        let Some(moment) = moment else { return false };
        loop {
            if self.set.is_none_or(|set| set > moment) {
                let wait = self.clock.until(moment).min(SLEEP_MAX);
                if wait.is_zero() {
                    return true;
                }
                self.set(moment, wait);
            }
            if !self.is_over(context) {
                return false;
            }
            // It may have been set for an earlier moment, or the moment was further ahead than one sleep is long, or than the
            // ticks of a sleep are fine.
            self.set = None;
        }
    }

    fn set(&mut self, moment: Time, wait: Duration) {
        self.set = Some(moment);
        self.wakes = None;
        let until = Instant::now() + wait;
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().reset(until),
            None => self.sleep = Some(Box::pin(tokio::time::sleep_until(until))),
        }
    }

    /// Whether the sleep is over; it need not be polled again as long as it wakes the same task.
    fn is_over(&mut self, context: &mut Context<'_>) -> bool {
        let Some(sleep) = &mut self.sleep else { return false };
        if self.wakes.as_ref().is_some_and(|wakes| wakes.will_wake(context.waker())) {
            return sleep.is_elapsed();
        }
        self.wakes = Some(context.waker().clone());
        sleep.as_mut().poll(context).is_ready()
    }
}
