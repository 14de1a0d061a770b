//! Tasks in code.

use std::time::Duration;

use super::{Backoff, Delivery, Document, Retry, Task, Work};

impl Task {
    /// A task that the handler registered under this name does.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use finale_core::definition::Task;
    ///
    /// let task = Task::handler("charge_card")
    ///     .title("Charge the card")
    ///     .input("nodes.reserve.output")
    ///     .timeout(Duration::from_secs(30))
    ///     .retry(3, Duration::from_secs(1));
    /// assert_eq!(task.retry.attempts, 3);
    /// ```
    pub fn handler(name: impl Into<String>) -> Self {
        Self { work: Work::Handler(name.into()), ..Self::default() }
    }

    /// A task that somebody outside does, who reports by task id.
    ///
    /// ```
    /// use finale_core::definition::{Task, Work};
    ///
    /// let task = Task::external().title("Read it and approve").assignee("the editor");
    /// assert_eq!(task.work, Work::External);
    /// ```
    pub fn external() -> Self {
        Self::default()
    }

    /// What is to be done, for people; by default the id of its node in words.
    #[must_use]
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = Some(title.into());
        self
    }

    /// The expression that gives the input of the handler; by default the input of the execution.
    ///
    /// Takes the place of [`with`](Self::with).
    #[must_use]
    pub fn input(mut self, expression: impl Into<String>) -> Self {
        (self.input, self.with) = (Some(expression.into()), None);
        self
    }

    /// The input of the handler as a document, in whose texts `${{ expression }}` stands for a value.
    ///
    /// Takes the place of [`input`](Self::input). What has no `${{` in it is given to the handler as it is.
    ///
    /// ```
    /// use finale_core::definition::{Document, Task};
    /// use serde_json::json;
    ///
    /// let document = Document::new(&json!({"to": "${{ input.customer }}", "lines": [1, 2, 3]}))?;
    /// let task = Task::handler("send_letter").with(document);
    /// # Ok::<(), finale_core::PayloadError>(())
    /// ```
    #[must_use]
    pub fn with(mut self, document: Document) -> Self {
        (self.with, self.input) = (Some(document), None);
        self
    }

    /// The execution may complete although this task failed: the failure is recorded, what depends on it goes on.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    /// How long one attempt may take, longer than zero: of a handler from when it begins, of somebody outside from when
    /// they are asked. By default there is no limit.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// How often it is tried in all, at least once, and how long to wait before each further attempt: a duration, or a
    /// [`Backoff`].
    #[must_use]
    pub fn retry(self, attempts: u16, backoff: impl Into<Backoff>) -> Self {
        self.retry_as(Retry::attempts(attempts).backoff(backoff))
    }

    /// When it is tried again, and what becomes of it when it is not.
    #[must_use]
    pub fn retry_as(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// Its handler begins at most once, even over crashes; see [`Delivery::AtMostOnce`].
    #[must_use]
    pub fn at_most_once(mut self) -> Self {
        self.delivery = Delivery::AtMostOnce;
        self
    }

    /// Who is asked to do it, if it is external.
    #[must_use]
    pub fn assignee(mut self, who: impl Into<String>) -> Self {
        self.assignee = Some(who.into());
        self
    }

    /// A fact about it that finale keeps and shows but gives no meaning.
    #[must_use]
    pub fn label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.insert(name.into(), value.into());
        self
    }
}

impl From<&str> for Task {
    fn from(handler: &str) -> Self {
        Self::handler(handler)
    }
}

impl From<String> for Task {
    fn from(handler: String) -> Self {
        Self::handler(handler)
    }
}
