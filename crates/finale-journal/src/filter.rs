//! Which executions are meant.

use finale_core::{ExecutionId, ExecutionStatus, Time};

use crate::Summary;

/// Which executions are wanted, and how many of them. What is said of it must all be true of an execution.
///
/// ```
/// use finale_core::ExecutionStatus;
/// use finale_journal::Filter;
///
/// let filter = Filter::new().status(ExecutionStatus::Failed).workflow("order").business_key("order 7");
/// assert_eq!(filter.workflow.as_deref(), Some("order"));
/// assert_eq!(filter.limited(), 100);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Filter {
    /// Only those with that status. A quarantined execution is that, whatever else it is.
    pub status: Option<ExecutionStatus>,
    /// Only those of the workflow with that id.
    pub workflow: Option<String>,
    /// Only those with that business key.
    pub business_key: Option<String>,
    /// Only those activated then or later. [`Summary::created_at`] is what is compared.
    pub created_from: Option<Time>,
    /// Only those activated earlier.
    pub created_before: Option<Time>,
    /// Only those with a smaller id: the next page.
    pub before: Option<ExecutionId>,
    /// At most that many; see [`Filter::limited`].
    pub limit: Option<usize>,
}

impl Filter {
    /// The most that one page can hold.
    pub const LIMIT_MAX: usize = 1_000;

    /// All executions, 100 of them on a page.
    pub fn new() -> Self {
        Self::default()
    }

    /// Those with that status. A quarantined execution is that, whatever else it is.
    #[must_use]
    pub fn status(mut self, status: ExecutionStatus) -> Self {
        self.status = Some(status);
        self
    }

    /// Those of the workflow with that id.
    #[must_use]
    pub fn workflow(mut self, workflow: impl Into<String>) -> Self {
        self.workflow = Some(workflow.into());
        self
    }

    /// Those with that business key.
    #[must_use]
    pub fn business_key(mut self, key: impl Into<String>) -> Self {
        self.business_key = Some(key.into());
        self
    }

    /// Those activated then or later.
    #[must_use]
    pub fn created_from(mut self, time: Time) -> Self {
        self.created_from = Some(time);
        self
    }

    /// Those activated earlier.
    #[must_use]
    pub fn created_before(mut self, time: Time) -> Self {
        self.created_before = Some(time);
        self
    }

    /// Those older than that one: the `next` of the page before.
    #[must_use]
    pub fn before(mut self, execution: ExecutionId) -> Self {
        self.before = Some(execution);
        self
    }

    /// At most that many, up to [`Filter::LIMIT_MAX`]; default 100.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = Some(limit);
        self
    }

    /// How many are wanted at most: the limit, at least 1 and at most [`Filter::LIMIT_MAX`]; 100 if none was set.
    ///
    /// ```
    /// use finale_journal::Filter;
    ///
    /// assert_eq!(Filter::new().limit(20).limited(), 20);
    /// assert_eq!(Filter::new().limit(0).limited(), 1);
    /// assert_eq!(Filter::new().limit(5_000).limited(), 1_000);
    /// ```
    pub fn limited(&self) -> usize {
        self.limit.unwrap_or(100).clamp(1, Self::LIMIT_MAX)
    }

    /// Whether an execution is one of those that are wanted.
    pub fn takes(&self, summary: &Summary) -> bool {
        fn is<T: PartialEq + ?Sized>(wanted: Option<&T>, found: Option<&T>) -> bool {
            wanted.is_none_or(|wanted| found == Some(wanted))
        }
        is(self.status.as_ref(), Some(&summary.status))
            && is(self.workflow.as_deref(), Some(&summary.workflow.id))
            && is(self.business_key.as_deref(), summary.business_key.as_deref())
            && self.created_from.is_none_or(|from| summary.created_at >= from)
            && self.created_before.is_none_or(|before| summary.created_at < before)
            && self.before.is_none_or(|before| summary.id < before)
    }
}
