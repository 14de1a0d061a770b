//! What the child runs: a few kinds of workflows, each with something that a crash could get wrong.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use finale::Workflow;
use finale_core::definition::{Call, Definition, Delivery, JoinStrategy, Losers, OnFailure, Retry};

use crate::chart::{Chart, chart};

/// A kind of workflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Five tasks in a row.
    Chain,
    /// Six tasks at once, between two others.
    Fan,
    /// A task for somebody outside between two others.
    Ask,
    /// A task that fails now and then and is tried again after a while.
    Flaky,
    /// A task that must not be run twice, and one behind it.
    Once,
    /// A task that takes long, with a time limit for each attempt.
    Slow,
    /// A workflow of three tasks in a row that is called, with tasks before and behind it.
    Call,
    /// Two at a time behind a split, a join that stops who is late, and a task whose failure another one handles.
    Race,
}

impl Kind {
    pub(super) const ALL: [Self; 8] =
        [Self::Chain, Self::Fan, Self::Ask, Self::Flaky, Self::Once, Self::Slow, Self::Call, Self::Race];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Chain => "chain",
            Self::Fan => "fan",
            Self::Ask => "ask",
            Self::Flaky => "flaky",
            Self::Once => "once",
            Self::Slow => "slow",
            Self::Call => "call",
            Self::Race => "race",
        }
    }

    /// The workflow.
    pub(super) fn workflow(self) -> Workflow {
        let mut definition = self.chart().definition();
        self.name().clone_into(&mut definition.id);
        if self == Self::Call {
            let called = Definition { id: "called".to_owned(), ..chart("s>x x>y y>z z>e").definition() };
            let call = definition.nodes.iter_mut().find(|node| node.id == "call").expect("it is in the chart");
            call.kind = Call::to("called", "1.0.0").input("input").into();
            definition.workflows = vec![called];
        }
        Workflow::new(definition).expect("the workflows of the load are sound")
    }

    fn chart(self) -> Chart {
        match self {
            Self::Chain => chart("s>a a>b b>c c>d d>e"),
            Self::Fan => chart("s>a a>u a>v a>w a>x a>y a>z u>join v>join w>join x>join y>join z>join join>b b>e"),
            Self::Ask => chart("s>a a>ask ask>b b>e").outside("ask"),
            Self::Flaky => chart("s>flaky flaky>b b>e").task("flaky", |task| {
                task.retry = Retry::attempts(6).backoff(Duration::from_millis(3));
            }),
            Self::Once => chart("s>once s>a once>b a>e b>e")
                .on_failure(OnFailure::WaitAll)
                .task("once", |task| task.delivery = Delivery::AtMostOnce),
            Self::Call => chart("s>a a>call call>b b>e"),
            Self::Slow => chart("s>slow slow>b b>e").task("slow", |task| {
                task.timeout = Some(Duration::from_millis(20));
                task.retry = Retry::attempts(3);
            }),
            Self::Race => {
                let branches = "s>p p:branch>u p:branch>v p:branch>w p:branch>x u>join v>join w>join x>join";
                chart(&format!("{branches} join>flaky flaky>b b>e flaky:failed>a a>e")).at_once("p", 2).join(
                    "join",
                    JoinStrategy::AtLeast { count: 2 },
                    Losers::Cancel,
                )
            }
        }
    }

    /// The names of all handlers that the workflows need.
    pub(super) fn handlers() -> Vec<String> {
        let mut names: Vec<String> = Self::ALL
            .iter()
            .map(|kind| kind.workflow())
            .flat_map(|workflow| {
                let compiled = workflow.compiled();
                compiled
                    .all_positions()
                    .filter_map(|node| compiled.handler(node).map(str::to_owned))
                    .collect::<Vec<_>>()
            })
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|kind| kind.name() == name);
        found.ok_or_else(|| format!("there is no kind {name:?}"))
    }
}
