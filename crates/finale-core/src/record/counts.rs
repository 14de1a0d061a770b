//! Counts of tasks in words.

use std::fmt;

use super::Counts;

impl Counts {
    /// Whether every task is counted in exactly one status, and no more are tolerated or handled than have failed.
    pub(super) fn add_up(&self) -> bool {
        let Self { tasks, pending, ready, running, queued, waiting, completed, failed, cancelled, skipped, .. } = *self;
        let statuses = [pending, ready, running, queued, waiting, completed, failed, cancelled, skipped];
        let uncounted = u64::from(self.tolerated) + u64::from(self.handled);
        statuses.iter().map(|count| u64::from(*count)).sum::<u64>() == u64::from(tasks) && uncounted <= failed.into()
    }
}

/// `9: 4 completed, 2 failed (1 of them tolerated), 3 skipped`; statuses that no task has are left out.
impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tasks, pending, ready, running, queued, waiting, completed, failed, cancelled, skipped, .. } = *self;
        let statuses = [
            (completed, "completed"),
            (failed, "failed"),
            (cancelled, "cancelled"),
            (skipped, "skipped"),
            (running, "running"),
            (queued, "queued"),
            (waiting, "waiting"),
            (ready, "ready"),
            (pending, "pending"),
        ];
        write!(f, "{tasks}")?;
        for (number, (count, status)) in statuses.into_iter().filter(|(count, _)| *count > 0).enumerate() {
            f.write_str(if number == 0 { ": " } else { ", " })?;
            write!(f, "{count} {status}")?;
            if status == "failed" {
                self.fmt_uncounted(f)?;
            }
        }
        Ok(())
    }
}

impl Counts {
    /// What of the failures does not count against the execution.
    fn fmt_uncounted(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let uncounted = [(self.tolerated, "tolerated"), (self.handled, "handled")];
        let uncounted: Vec<_> = uncounted.into_iter().filter(|(count, _)| *count > 0).collect();
        match uncounted[..] {
            [] => Ok(()),
            [(count, word)] if count == self.failed => write!(f, " ({word})"),
            [(count, word)] => write!(f, " ({count} of them {word})"),
            _ => {
                let words: Vec<_> = uncounted.iter().map(|(count, word)| format!("{count} {word}")).collect();
                write!(f, " (of them {})", words.join(", "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_adds_up() {
        let counts = Counts { tasks: 9, completed: 4, failed: 2, tolerated: 1, skipped: 3, ..Counts::default() };
        assert!(counts.add_up());
        assert_eq!(counts.to_string(), "9: 4 completed, 2 failed (1 of them tolerated), 3 skipped");
        let all = Counts { tasks: 2, failed: 2, tolerated: 2, ..Counts::default() };
        assert_eq!(all.to_string(), "2: 2 failed (tolerated)");
        let handled = Counts { tasks: 3, failed: 3, tolerated: 1, handled: 1, ..Counts::default() };
        assert_eq!(handled.to_string(), "3: 3 failed (of them 1 tolerated, 1 handled)");
        let handled = Counts { tasks: 1, failed: 1, handled: 1, ..Counts::default() };
        assert_eq!(handled.to_string(), "1: 1 failed (handled)");
        let none = Counts { tasks: 4, pending: 1, ready: 1, running: 1, waiting: 1, ..Counts::default() };
        assert_eq!(none.to_string(), "4: 1 running, 1 waiting, 1 ready, 1 pending");
        assert_eq!(Counts::default().to_string(), "0");
    }

    #[test]
    fn what_does_not_add_up_is_seen() {
        assert!(!Counts { tasks: 1, ..Counts::default() }.add_up());
        assert!(!Counts { tasks: 1, failed: 1, tolerated: 2, ..Counts::default() }.add_up());
        assert!(!Counts { tasks: 1, failed: 1, tolerated: 1, handled: 1, ..Counts::default() }.add_up());
        assert!(!Counts { pending: u32::MAX, running: 1, ..Counts::default() }.add_up());
    }
}
