//! What is shown below while executions run.

use std::time::Duration;

use finale::{CustomStatus, Time};

use super::news::{Line, name};
use super::tally::{Counts, Tally, UnderWay};
use crate::look::{Look, Paint};
use crate::text::{columns, shortened};
use crate::time::duration;

/// How long a picture of the spinner is shown.
const SPIN: Duration = Duration::from_millis(100);
/// Lines of the terminal that are left to others: the header's, the one that says how many more there are, the cursor's.
const LINES_KEPT: usize = 4;

/// What is shown, and where.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame<'a> {
    pub(super) look: Look,
    pub(super) name: &'a str,
    pub(super) started: Time,
    pub(super) now: Time,
    pub(super) columns: usize,
    pub(super) lines: usize,
}

impl Frame<'_> {
    /// The lines, one below the other.
    pub(super) fn text(&self, tallies: &[Tally]) -> String {
        let room = self.lines.saturating_sub(LINES_KEPT).max(1);
        let status = tallies.iter().filter_map(Tally::custom_status).max_by_key(|status| status.set_at);
        // It takes the line of a node where there is more than one.
        let status = status.filter(|_| room > 1);
        let room = room - usize::from(status.is_some());
        let counts = tallies.iter().map(Tally::counts).fold(Counts::default(), Counts::and);
        let under_way: usize = tallies.iter().map(Tally::under_way_count).sum();
        let mut lines = vec![self.header(counts)];
        lines.extend(status.map(|status| self.custom_status(status)));
        let running = tallies.iter().flat_map(Tally::running).map(|one| (one, self.spinner(), Paint::Cyan));
        let saying = tallies.iter().flat_map(Tally::saying).map(|one| (one, self.spinner(), Paint::Cyan));
        let waiting = self.look.symbols().waiting;
        let queued = tallies.iter().flat_map(Tally::queued).map(|one| (one, waiting, Paint::Dim));
        let waiting = tallies.iter().flat_map(Tally::waiting).map(|one| (one, waiting, Paint::Yellow));
        lines.extend(
            running
                .chain(waiting)
                .chain(saying)
                .chain(queued)
                .take(room)
                .map(|(one, symbol, paint)| self.line(&one, symbol, paint)),
        );
        if under_way > room {
            lines.push(self.look.paint(Paint::Dim, &format!("  and {} more", under_way - room)));
        }
        self.look.fitting(lines.join("\n"))
    }

    fn header(&self, counts: Counts) -> String {
        let elapsed = format!("  {}", elapsed(self.now.since(self.started)));
        let said = format!("  {}", counts.said());
        let room = self.columns.saturating_sub(2 + columns(&said) + columns(&elapsed));
        // The counts are what somebody looks for.
        let name = if room < 4 { String::new() } else { shortened(self.name, room) };
        let said = shortened(&said, self.columns.saturating_sub(2 + columns(&name)));
        let fits = columns(&name) + columns(&said) + columns(&elapsed) + 2 <= self.columns;
        let elapsed = if fits { elapsed } else { String::new() };
        let spinner = self.look.paint(Paint::Cyan, self.spinner());
        format!("{spinner} {}{said}{}", self.look.paint(Paint::Bold, &name), self.look.paint(Paint::Dim, &elapsed))
    }

    fn line(&self, one: &UnderWay<'_>, symbol: &str, paint: Paint) -> String {
        let took = format!("  {}", elapsed(self.now.since(one.since)));
        let attempt = (one.attempt > 1).then(|| format!("attempt {}", one.attempt));
        let far = one.far.map(|far| far.text(self.look));
        let note = attempt.into_iter().chain(far).collect::<Vec<_>>().join("  ");
        let name = name(one.node, one.title);
        let line = Line { symbol, paint, name: &name, dim: &took, note: &note };
        format!("  {}", line.text(self.look, self.columns.saturating_sub(2)))
    }

    /// The line that a handler says of its execution.
    fn custom_status(&self, status: &CustomStatus) -> String {
        let text = format!("{} ({})", status.text, status.node);
        format!("  {}", self.look.paint(Paint::Dim, &shortened(&text, self.columns.saturating_sub(2))))
    }

    fn spinner(&self) -> &'static str {
        let pictures = self.look.symbols().at_work;
        let turns = self.now.since(self.started).as_millis() / SPIN.as_millis();
        pictures[(turns % pictures.len() as u128) as usize]
    }
}

impl Counts {
    fn and(self, other: Self) -> Self {
        Self {
            tasks: self.tasks + other.tasks,
            completed: self.completed + other.completed,
            running: self.running + other.running,
            queued: self.queued + other.queued,
            waiting: self.waiting + other.waiting,
            failed: self.failed + other.failed,
            cancelled: self.cancelled + other.cancelled,
            skipped: self.skipped + other.skipped,
        }
    }

    fn said(self) -> String {
        let mut said = format!("{} of {} done", self.completed, self.tasks);
        let others = [
            (self.running, "running"),
            (self.waiting, "waiting"),
            (self.queued, "queued"),
            (self.failed, "failed"),
            (self.cancelled, "cancelled"),
            (self.skipped, "skipped"),
        ];
        for (count, what) in others.into_iter().filter(|(count, _)| *count > 0) {
            said.push_str(&format!(", {count} {what}"));
        }
        said
    }
}

/// A duration that goes on: its digits must not dance.
fn elapsed(time: Duration) -> String {
    if time < Duration::from_secs(60) { format!("{:.1}s", time.as_secs_f64()) } else { duration(time) }
}
