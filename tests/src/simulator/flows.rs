//! Random workflows, in a form that all lives of a process share.

use std::sync::Arc;

use finale_core::compile::{self, Registry};
use finale_core::definition::{OnFailure, Policy, Siblings};
use finale_core::number::HandlerNo;
use finale_core::task_engine::TaskNode;
use finale_core::{Compiled, NodeStatus, WorkKey};

use crate::dice::Dice;
use crate::random::Case;

/// The handlers of all processes: one without a limit, one with, and one that blocks its thread.
pub(super) const HANDLERS: u16 = 3;

#[derive(Clone, Debug)]
pub(super) struct Flow {
    pub(super) compiled: Arc<Compiled>,
    pub(super) nodes: Box<[TaskNode]>,
}

impl Flow {
    pub(super) fn random(dice: &mut Dice) -> Self {
        loop {
            let nodes =
                (0..dice.below(9)).map(|_| (dice.byte(), dice.byte(), dice.byte(), dice.byte(), dice.byte())).collect();
            let case = Case { nodes, inputs: Vec::new(), head: (dice.byte(), dice.byte(), dice.one_in(2)) };
            let ways = [OnFailure::FailFast, OnFailure::WaitAll, OnFailure::Tolerate { count: 1 }];
            let siblings = *dice.choose(&[Siblings::Cancel, Siblings::Finish]);
            let definition = case.definition(Policy { on_failure: *dice.choose(&ways), siblings });
            let Ok(compiled) = compile::compile(definition, &Registry::new()) else { continue };
            let mut nodes = TaskNode::all_of(&compiled, |_| Some(HandlerNo(0)));
            for node in &mut nodes {
                node.handler = node.handler.map(|_| HandlerNo(dice.below(usize::from(HANDLERS)) as u16));
            }
            return Self { compiled: Arc::new(compiled), nodes };
        }
    }

    /// The verifications that wait for a verdict.
    pub(super) fn judged(&self, state: &finale_core::Execution) -> Vec<WorkKey> {
        let is_judged = |key: &WorkKey| {
            let is_verification = self.compiled.node(key.node).kind.name() == "verification";
            is_verification && state.node_status(*key) == Some(NodeStatus::Waiting)
        };
        self.compiled.positions().map(WorkKey::root).filter(is_judged).collect()
    }
}
