//! Tasks in code.

use std::time::Duration;

use super::{Backoff, Delivery, Document, Retry, Schema, Task, Work};

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

    /// What its handler must be given; whoever does it outside is given its input unchecked.
    ///
    /// ```
    /// use finale_core::definition::{Schema, Task};
    ///
    /// let order = Schema::from_json(br#"{"type": "object", "required": ["item"]}"#)?;
    /// let euros = Schema::from_json(br#"{"type": "integer", "minimum": 0}"#)?;
    /// let task = Task::handler("reserve_stock").input_schema(order).output_schema(euros);
    /// assert!(task.output_schema.is_some());
    /// # Ok::<(), finale_core::definition::SchemaError>(())
    /// ```
    #[must_use]
    pub fn input_schema(mut self, schema: Schema) -> Self {
        self.input_schema = Some(schema);
        self
    }

    /// What it must give: its handler, whoever reports it, and an operator who completes it by hand.
    #[must_use]
    pub fn output_schema(mut self, schema: Schema) -> Self {
        self.output_schema = Some(schema);
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

    /// How long an attempt may wait for a place before its handler begins; see [`Times::queue`](super::Times::queue).
    #[must_use]
    pub fn queue_timeout(mut self, timeout: Duration) -> Self {
        self.times.queue = Some(timeout);
        self
    }

    /// How long all attempts together may take; see [`Times::total`](super::Times::total).
    #[must_use]
    pub fn total_timeout(mut self, timeout: Duration) -> Self {
        self.times.total = Some(timeout);
        self
    }

    /// How long its handler may say nothing; see [`Times::heartbeat`](super::Times::heartbeat).
    #[must_use]
    pub fn heartbeat(mut self, timeout: Duration) -> Self {
        self.times.heartbeat = Some(timeout);
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
