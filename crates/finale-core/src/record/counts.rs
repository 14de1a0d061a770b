//! Counts of tasks in words.

use std::fmt;

use super::Counts;

impl Counts {
    /// Whether every task is counted in exactly one status, and no more are tolerated than have failed.
    pub(super) fn add_up(&self) -> bool {
        let Self { tasks, pending, ready, running, queued, waiting, completed, failed, tolerated, cancelled, skipped } =
            *self;
        let statuses = [pending, ready, running, queued, waiting, completed, failed, cancelled, skipped];
        statuses.iter().map(|count| u64::from(*count)).sum::<u64>() == u64::from(tasks) && tolerated <= failed
    }
}

/// `9: 4 completed, 2 failed (1 of them tolerated), 3 skipped`; statuses that no task has are left out.
impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tasks, pending, ready, running, queued, waiting, completed, failed, tolerated, cancelled, skipped } =
            *self;
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
            match (status, tolerated) {
                ("failed", 0) => {}
                ("failed", _) if tolerated == failed => f.write_str(" (tolerated)")?,
                ("failed", _) => write!(f, " ({tolerated} of them tolerated)")?,
                _ => {}
            }
        }
        Ok(())
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
        let none = Counts { tasks: 4, pending: 1, ready: 1, running: 1, waiting: 1, ..Counts::default() };
        assert_eq!(none.to_string(), "4: 1 running, 1 waiting, 1 ready, 1 pending");
        assert_eq!(Counts::default().to_string(), "0");
    }

    #[test]
    fn what_does_not_add_up_is_seen() {
        assert!(!Counts { tasks: 1, ..Counts::default() }.add_up());
        assert!(!Counts { tasks: 1, failed: 1, tolerated: 2, ..Counts::default() }.add_up());
        assert!(!Counts { pending: u32::MAX, running: 1, ..Counts::default() }.add_up());
    }
}
