//! Nodes that run their body again and again: for each item of a list, or round by round.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Body, Document};

/// Runs a body once for each item of a list; its output is the list of what they gave, in the order of the items.
///
/// In the body `item` is the item, `index` its place from 0, and `input` the item too. An empty list is done at once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Map {
    /// The list; at most [`items_max`](crate::compile::Limits::items_max) items.
    pub items: Items,
    /// What runs for each item.
    pub body: Body,
    /// How many items may be under way at once, at least 1; by default there is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_concurrency: Option<u32>,
    /// How many items may fail; by default none. What a tolerated one gives is `null`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerate: Option<Tolerance>,
    /// Whether the scope that it is in may complete although it failed: the failure is recorded, what depends on it goes on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
}

/// What a map goes over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Items {
    /// What an expression gives, which must be a list; it is evaluated when the node is reached.
    Expression(String),
    /// A list that is written down, in whose texts templates may stand.
    List(Document),
}

impl From<&str> for Items {
    fn from(expression: &str) -> Self {
        Self::Expression(expression.to_owned())
    }
}

impl From<String> for Items {
    fn from(expression: String) -> Self {
        Self::Expression(expression)
    }
}

impl From<Document> for Items {
    fn from(list: Document) -> Self {
        Self::List(list)
    }
}

/// How many items of a map may fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tolerance {
    /// That many.
    Count(u32),
    /// That share of all of them, in percent; at most 100.
    Percent(u8),
}

impl Tolerance {
    /// How many of so many may fail.
    pub(crate) fn of(self, total: u32) -> u32 {
        match self {
            Self::Count(count) => count,
            // More than that are more than the share: failures * 100 > percent * total.
            Self::Percent(percent) => (u64::from(total) * u64::from(percent) / 100).min(u64::from(u32::MAX)) as u32,
        }
    }
}

/// Runs a body round by round, until a condition says that it is enough; its output is that of the last round.
///
/// In the body `round` is the number of the round, from 1, and `previous` what the round before gave, `null` in the first.
/// A round that fails fails the loop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Loop {
    /// What runs in each round.
    pub body: Body,
    /// Whether another round follows.
    pub condition: LoopCondition,
    /// The most rounds, at least 1; if the condition asks for more the loop fails with class `exhausted`.
    pub rounds_max: u32,
    /// How long to wait between two rounds; default none.
    #[serde(default, skip_serializing_if = "Duration::is_zero")]
    pub delay: Duration,
    /// Whether the scope that it is in may complete although it failed: the failure is recorded, what depends on it goes on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
}

/// Whether another round of a loop follows: an expression that must give `true` or `false`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoopCondition {
    /// Evaluated after each round: if it is true, that was the last one. In it `output` is what the round gave, `round` its
    /// number, and `previous` what the round before gave.
    Until(String),
    /// Evaluated before each round, and before the delay: if it is false, there is none. In it `round` is the number of that
    /// round, and `previous` what the round before gave. False at first it lets the loop complete with `null`.
    While(String),
}

impl LoopCondition {
    /// The loop ends when this is true of the round that is over.
    pub fn until(expression: impl Into<String>) -> Self {
        Self::Until(expression.into())
    }

    /// The loop goes on as long as this is true.
    pub fn while_true(expression: impl Into<String>) -> Self {
        Self::While(expression.into())
    }

    pub(crate) fn expression(&self) -> &str {
        match self {
            Self::Until(expression) | Self::While(expression) => expression,
        }
    }
}
