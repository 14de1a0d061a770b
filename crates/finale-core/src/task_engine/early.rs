//! Reports that arrive before their tasks are open.

use std::collections::BTreeMap;

use super::TaskEngine;
use super::message::EarlyReport;
use super::outbox::{EarlyAnswer, Outbox, Reply};
use crate::id::WorkKey;
use crate::number::{RequestId, Slot};

/// The kept reports, oldest first for each task.
#[derive(Clone, Debug, Default)]
pub(super) struct EarlyReports {
    reports: BTreeMap<(Slot, WorkKey), Vec<EarlyReport>>,
    len: usize,
}

impl EarlyReports {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Takes out everything.
    pub(super) fn take_all(&mut self) -> Vec<EarlyReport> {
        std::mem::take(self).reports.into_values().flatten().collect()
    }

    fn keep(&mut self, report: EarlyReport) {
        self.reports.entry((report.slot, report.key)).or_default().push(report);
        self.len += 1;
    }

    fn take(&mut self, slot: Slot, key: WorkKey) -> Vec<EarlyReport> {
        let reports = self.reports.remove(&(slot, key)).unwrap_or_default();
        self.len -= reports.len();
        reports
    }

    fn keys_of(&self, slot: Slot) -> Vec<WorkKey> {
        let from = self.reports.range((slot, WorkKey::default())..);
        from.map(|((other, key), _)| (*other, *key)).take_while(|(other, _)| *other == slot).map(|it| it.1).collect()
    }
}

impl TaskEngine {
    /// Keeps a report until its task opens, if there is room.
    pub(super) fn keep_early(&mut self, report: EarlyReport, out: &mut Outbox) {
        let early_reports_max = self.options.early_reports_max;
        let Some(entry) = self.slots.get_mut(report.slot) else {
            return answer(report.request, EarlyAnswer::Unknown, out);
        };
        let id = entry.registration.as_ref().map(|registration| registration.task_id(report.key));
        if id.is_some_and(|id| self.open.attempt(id).is_some()) {
            // The task opened while the report was on its way.
            return self.deliveries.report(entry.callback(), report, out);
        }
        if self.early.len() >= early_reports_max {
            return answer(report.request, EarlyAnswer::Saturated { early_reports_max }, out);
        }
        entry.early += 1;
        self.early.keep(report);
    }

    /// Gives the reports on a task back, because it is open now or has settled.
    pub(super) fn give_back_early(&mut self, slot: Slot, key: WorkKey, out: &mut Outbox) {
        let Some(entry) = self.slots.get_mut(slot).filter(|entry| entry.early > 0) else { return };
        for report in self.early.take(slot, key) {
            entry.early -= 1;
            self.deliveries.report(entry.callback(), report, out);
        }
    }

    /// Answers all reports of an execution without giving them back.
    pub(super) fn answer_early(&mut self, slot: Slot, with: EarlyAnswer, out: &mut Outbox) {
        for key in self.early.keys_of(slot) {
            self.early.take(slot, key).into_iter().for_each(|report| answer(report.request, with, out));
        }
    }
}

fn answer(request: Option<RequestId>, answer: EarlyAnswer, out: &mut Outbox) {
    out.replies.extend(request.map(|request| Reply { request, answer }));
}
