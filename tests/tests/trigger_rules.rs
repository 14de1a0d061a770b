//! The table of trigger rules on the page, read as it is written, against the core: every combination of up to four edges,
//! in every order in which they can settle.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;

use finale_core::compile::{self, Registry};
use finale_core::definition::{Definition, Node, OnFailure, Task, TriggerRule, Verdict};
use finale_core::execution::{Execution, Input, Report, SEMANTICS, Turn};
use finale_core::fact::Activation;
use finale_core::failure::{Failure, FailureClass};
use finale_core::{Compiled, ExecutionId, NodeStatus, Payload, Time, WorkKey};

/// What becomes of an edge.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Edge {
    Live,
    Dead,
    Blocked,
    /// Its source failed, and that is tolerated.
    Tolerated,
}

const EDGES: [Edge; 4] = [Edge::Live, Edge::Dead, Edge::Blocked, Edge::Tolerated];
const EDGES_MAX: u32 = 4;

/// A row of the table.
struct Row {
    rule: TriggerRule,
    /// What must hold, all of it.
    clauses: Vec<String>,
    is_early: bool,
}

/// The rows of the table on the page; that of `at_least(n)` once for each number.
fn rows() -> Vec<Row> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/semantics.md");
    let page = std::fs::read_to_string(page).unwrap();
    let section = page.split_once("\n### Trigger rules\n").unwrap().1.split_once("\n### ").unwrap().0;
    let mut rows = Vec::new();
    for line in section.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        let name = cells[0].trim_matches('`');
        let clauses = || cells[1].split(", ").map(str::to_owned).collect();
        let is_early = cells[2] == "yes";
        match name.strip_suffix("(n)") {
            Some("at_least") => rows.extend((1..=EDGES_MAX).map(|count| Row {
                rule: TriggerRule::AtLeast { count },
                clauses: clauses(),
                is_early,
            })),
            Some(other) => panic!("{other} is no rule with a count"),
            None => {
                let rule = TriggerRule::ALL.into_iter().find(|rule| rule.name() == name).expect("a rule that exists");
                rows.push(Row { rule, clauses: clauses(), is_early });
            }
        }
    }
    rows
}

impl Row {
    /// Whether the rule holds over what is settled of so many edges.
    fn holds(&self, settled: &[Edge], edges: usize) -> bool {
        self.clauses.iter().all(|clause| {
            let count = |wanted: &[Edge]| settled.iter().filter(|edge| wanted.contains(edge)).count();
            let (good, bad) = (count(&[Edge::Live]), count(&[Edge::Blocked, Edge::Tolerated]));
            match clause.as_str() {
                "all are settled" => settled.len() == edges,
                "none is blocked" => count(&[Edge::Blocked]) == 0,
                "at least one is live" => count(&[Edge::Live, Edge::Tolerated]) >= 1,
                "all are live and not failed" => good == edges,
                "one is live and not failed" => good >= 1,
                "n are live and not failed" => match self.rule {
                    TriggerRule::AtLeast { count } => good >= count as usize,
                    rule => panic!("{rule} has no number"),
                },
                "one is blocked or failed" => bad >= 1,
                "all are blocked or failed" => bad == edges,
                other => panic!("nobody knows what {other:?} means"),
            }
        })
    }

    /// Where the node is, and whether what comes after it hears of a failure if the node was skipped.
    fn expected(&self, order: &[Edge], settled: usize) -> (Expected, bool) {
        let holds_by = (1..=settled).any(|by| self.holds(&order[..by], order.len()));
        let passes_failure =
            order.contains(&Edge::Blocked) && !matches!(self.rule, TriggerRule::OneFailed | TriggerRule::AllFailed);
        let expected = match (holds_by, settled == order.len()) {
            (true, _) => Expected::Begun,
            (false, false) => Expected::Pending,
            (false, true) => Expected::Skipped,
        };
        (expected, passes_failure)
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Expected {
    Pending,
    Begun,
    Skipped,
}

/// `x` has the rule and comes after all sources; `y` runs unless it hears of a failure.
fn definition(rule: TriggerRule, edges: &[Edge]) -> Definition {
    let mut builder = Definition::builder("rule").on_failure(OnFailure::WaitAll);
    for (number, edge) in edges.iter().enumerate() {
        let id = format!("s{number}");
        builder = match edge {
            Edge::Live | Edge::Blocked => builder.task(id, Task::external()),
            Edge::Tolerated => builder.task(id, Task::external().optional()),
            Edge::Dead => builder.verification(id, "a rubric", "a judge"),
        };
    }
    builder = builder.task("x", Task::external()).trigger_rule(rule);
    for (number, edge) in edges.iter().enumerate() {
        builder = match edge {
            Edge::Dead => builder.on(format!("s{number}"), Verdict::Pass),
            _ => builder.after(format!("s{number}")),
        };
    }
    builder = builder.task("y", Task::external()).after("x").trigger_rule(TriggerRule::NoneFailed);
    let mut definition = builder.build();
    let end = definition.nodes.iter().find(|node| node.label == "end").map(|node: &Node| node.id.clone()).unwrap();
    for number in (0..edges.len()).filter(|number| edges[*number] == Edge::Dead) {
        for verdict in [Verdict::Fail, Verdict::Refer] {
            definition.connect(format!("s{number}"), end.clone(), verdict.edge());
        }
    }
    definition
}

struct Run<'d> {
    definition: &'d Compiled,
    execution: Execution,
    turn: Turn,
}

impl<'d> Run<'d> {
    fn new(definition: &'d Compiled) -> Self {
        let execution = Execution::new(ExecutionId::from_uuid(uuid::Uuid::from_u128(1)), definition);
        let mut run = Self { definition, execution, turn: Turn::new() };
        run.tell(Input::Activate(Activation {
            definition: definition.hash(),
            semantics: SEMANTICS,
            input: Payload::NULL,
            by: "tester".into(),
            deadline: None,
            idempotency_key: None,
            business_key: None,
        }));
        run
    }

    fn tell(&mut self, input: Input) {
        self.execution.handle(self.definition, Time::default(), input, &mut self.turn).unwrap();
        self.turn.appended();
    }

    fn key(&self, id: &str) -> WorkKey {
        WorkKey::root(self.definition.position(id).unwrap())
    }

    fn settle(&mut self, number: usize, edge: Edge) {
        let key = self.key(&format!("s{number}"));
        self.tell(match edge {
            Edge::Live => Input::Reported(Report::new(key, Ok(Payload::NULL))),
            Edge::Blocked | Edge::Tolerated => {
                Input::Reported(Report::new(key, Err(Failure::new(FailureClass::Failed, "so it is"))))
            }
            Edge::Dead => Input::Verdict { key, verdict: Verdict::Fail, by: "a judge".into() },
        });
    }

    fn status(&self, id: &str) -> NodeStatus {
        self.execution.node_status(self.key(id)).unwrap()
    }
}

/// All orders of the first numbers.
fn orders(count: usize) -> Vec<Vec<usize>> {
    let mut orders = vec![Vec::new()];
    for number in 0..count {
        let with = |order: &Vec<usize>| {
            let places = (0..=order.len()).map(|place| {
                let mut order = order.clone();
                order.insert(place, number);
                order
            });
            places.collect::<Vec<_>>()
        };
        orders = orders.iter().flat_map(with).collect();
    }
    orders
}

fn check(row: &Row, edges: &[Edge]) -> usize {
    let compiled = compile::compile(definition(row.rule, edges), &Registry::new()).unwrap();
    let orders = orders(edges.len());
    for order in &orders {
        let mut run = Run::new(&compiled);
        let sorted: Vec<Edge> = order.iter().map(|&number| edges[number]).collect();
        for (settled, &number) in (1..).zip(order) {
            run.settle(number, edges[number]);
            let (expected, passes_failure) = row.expected(&sorted, settled);
            let found = match run.status("x") {
                NodeStatus::Pending => Expected::Pending,
                NodeStatus::Waiting => Expected::Begun,
                NodeStatus::Skipped => Expected::Skipped,
                other => panic!("x is {other}"),
            };
            assert_eq!(found, expected, "{} over {:?} of {sorted:?}", row.rule, &sorted[..settled]);
            let behind = match (expected, passes_failure) {
                (Expected::Skipped, true) => NodeStatus::Skipped,
                (Expected::Skipped, false) => NodeStatus::Waiting,
                _ => NodeStatus::Pending,
            };
            assert_eq!(run.status("y"), behind, "behind {} over {sorted:?}", row.rule);
        }
    }
    orders.len()
}

#[test]
fn the_table_of_trigger_rules_is_what_the_core_does() {
    let rows = rows();
    assert_eq!(rows.len(), TriggerRule::ALL.len() - 1 + EDGES_MAX as usize, "every rule has a row");
    let mut runs = 0;
    for row in &rows {
        assert_eq!(row.is_early, row.rule.is_early(), "{}", row.rule);
        let waits = row.clauses.iter().any(|clause| clause == "all are settled");
        assert_eq!(row.is_early, !waits, "{} says in both columns whether it waits", row.rule);
        for count in 1..=EDGES_MAX as usize {
            if matches!(row.rule, TriggerRule::AtLeast { count: needed } if needed as usize > count) {
                continue;
            }
            for number in 0..EDGES.len().pow(count as u32) {
                let edge = |place: usize| EDGES[number / EDGES.len().pow(place as u32) % EDGES.len()];
                let edges: Vec<Edge> = (0..count).map(edge).collect();
                runs += check(row, &edges);
            }
        }
    }
    assert!(runs > 60_000, "{runs} runs");
}
