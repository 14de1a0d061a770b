//! What a terminal is shown.

use std::time::Duration;

use finale::{CustomStatus, EventKind, ItemCounts, NodeStatus, Time, WorkKey, Workflow};
use finale_core::definition::{LoopCondition, Task};
use finale_core::{NodeIndex, ScopeId};

use super::frame::Frame;
use super::news::coloured;
use super::tally::{Change, News, Tally, What};
use crate::look::Look;
use crate::text::columns;

const COLUMNS: usize = 40;

fn look(colours: bool, unicode: bool) -> Look {
    let variables = move |name: &str| match name {
        "TERM" => Some("xterm".to_owned()),
        "NO_COLOR" => (!colours).then(|| "1".to_owned()),
        "LANG" => unicode.then(|| "C.UTF-8".to_owned()),
        _ => None,
    };
    Look::of(true, variables)
}

/// Tasks side by side, that are done outside.
fn outside(count: usize) -> Tally {
    tally(
        (0..count).fold(Workflow::builder("w"), |builder, number| builder.task(format!("t{number}"), Task::default())),
    )
}

/// A task that is done by a handler.
fn handled() -> Tally {
    tally(Workflow::builder("w").task("t0", "log"))
}

fn tally(builder: finale::WorkflowBuilder) -> Tally {
    Tally::new(&builder.build().unwrap())
}

fn second(second: i64) -> Time {
    Time::from_micros(second * 1_000_000)
}

/// A task of the definition's own graph.
fn go(tally: &mut Tally, task: &str, to: NodeStatus, at: i64) -> Option<News> {
    let key = tally.key(task);
    go_in(tally, (task, key), to, at)
}

/// A task in any scope.
fn go_in(tally: &mut Tally, (node, key): (&str, WorkKey), to: NodeStatus, at: i64) -> Option<News> {
    tally.go(Change { node, key, to, attempt: 1, at: second(at) })
}

/// The key of a task in the scope of that number.
fn key_in(tally: &Tally, scope: u32, node: &str) -> WorkKey {
    WorkKey { scope: ScopeId(scope), ..tally.key(node) }
}

fn frame(tally: Tally, columns: usize, lines: usize) -> String {
    let (look, started, now) = (look(false, true), second(0), second(5));
    Frame { look, name: "Build", started, now, columns, lines }.text(&[tally])
}

#[test]
fn the_header_counts_and_each_node_under_way_has_a_line() {
    let mut tally = outside(5);
    go(&mut tally, "t0", NodeStatus::Running, 1);
    go(&mut tally, "t0", NodeStatus::Completed, 2);
    go(&mut tally, "t1", NodeStatus::Running, 2);
    go(&mut tally, "t2", NodeStatus::Waiting, 3);
    go(&mut tally, "t3", NodeStatus::Failed, 3);
    let expected = "⠋ Build  1 of 5 done, 1 running, 1 waiting, 1 failed  5.0s\n  ⠋ t1  3.0s\n  ◌ t2  2.0s";
    assert_eq!(frame(tally, 80, 24), expected);
}

#[test]
fn there_are_no_more_lines_than_the_terminal_has_and_none_is_wider() {
    for lines in [1, 5, 10] {
        let mut tally = outside(100);
        (0..100).for_each(|number| drop(go(&mut tally, &format!("t{number}"), NodeStatus::Running, 1)));
        let shown = frame(tally, COLUMNS, lines);
        assert!(shown.lines().count() <= lines.max(3), "{lines}: {shown}");
        assert!(shown.lines().all(|line| columns(line) <= COLUMNS), "{shown}");
        assert!(shown.ends_with(" more"), "{shown}");
    }
}

#[test]
fn a_task_whose_handler_waits_for_its_turn_does_not_run() {
    let mut tally = handled();
    assert_eq!(go(&mut tally, "t0", NodeStatus::Running, 1), None);
    assert_eq!((tally.counts().running, tally.counts().queued), (0, 1));
    let begun = tally.begin(tally.key("t0"), 1, second(4)).unwrap();
    assert_eq!((begun.at, tally.counts().running), (second(4), 1));
    let done = go(&mut tally, "t0", NodeStatus::Completed, 5).unwrap();
    assert_eq!(coloured(&[done], look(false, true), COLUMNS), "✓ t0  1s\n");
}

#[test]
fn what_a_task_took_is_what_its_record_says() {
    let mut tally = handled();
    go(&mut tally, "t0", NodeStatus::Running, 1);
    tally.begin(tally.key("t0"), 1, second(4));
    tally.note_took("t0", Duration::from_millis(3_500));
    let done = go(&mut tally, "t0", NodeStatus::Completed, 5).unwrap();
    assert_eq!(coloured(&[done], look(false, true), COLUMNS), "✓ t0  3.5s\n");
}

#[test]
fn what_a_cancelled_task_took_is_what_its_record_says_too() {
    let mut tally = handled();
    go(&mut tally, "t0", NodeStatus::Running, 1);
    tally.begin(tally.key("t0"), 1, second(4));
    let cancelled = go(&mut tally, "t0", NodeStatus::Cancelled, 5).unwrap();
    assert_eq!(cancelled.what, What::Cancelled { took: Duration::from_secs(4) });
}

#[test]
fn a_handler_may_be_heard_of_before_its_task_runs() {
    let mut tally = handled();
    assert_eq!(go(&mut tally, "t0", NodeStatus::Ready, 1), None);
    assert_eq!(tally.begin(tally.key("t0"), 1, second(1)), None);
    assert!(go(&mut tally, "t0", NodeStatus::Running, 2).is_some());
    assert_eq!(tally.counts().running, 1);
}

#[test]
fn a_reason_is_cut_to_the_columns_and_has_no_orders_for_the_terminal() {
    let mut tally = outside(1);
    go(&mut tally, "t0", NodeStatus::Running, 1);
    tally.note("t0", "no\u{1b}[2J\nflour ".repeat(9));
    let failed = go(&mut tally, "t0", NodeStatus::Failed, 2).unwrap();
    let plain = coloured(std::slice::from_ref(&failed), look(false, true), COLUMNS);
    assert_eq!(plain, "✗ t0  1s  no\u{fffd}[2J flour no\u{fffd}[2J flour no\u{fffd}…\n");
    let ascii = coloured(std::slice::from_ref(&failed), look(false, false), COLUMNS);
    assert!(ascii.starts_with("x t0  1s  no") && ascii.ends_with("~\n"), "{ascii}");
    let colours = coloured(&[failed], look(true, true), COLUMNS);
    assert!(
        colours.starts_with("\u{1b}[31m✗\u{1b}[0m t0\u{1b}[2m  1s\u{1b}[0m  \u{1b}[31mno\u{fffd}[2J"),
        "{colours:?}"
    );
}

#[test]
fn the_nodes_that_are_skipped_at_once_share_a_line() {
    let mut tally = outside(9);
    let skipped: Vec<_> =
        (0..9).filter_map(|number| go(&mut tally, &format!("t{number}"), NodeStatus::Skipped, 1)).collect();
    assert_eq!(coloured(&skipped, look(false, true), COLUMNS), "– t0, t1, t2 and 6 more skipped\n");
}

#[test]
fn items_are_counted_one_by_one_and_only_their_failures_are_told() {
    let mut tally = tally(Workflow::builder("w").map("each", "input", "log"));
    let first = ("each[0]::each", key_in(&tally, 1, "each[0]::each"));
    let second = ("each[1]::each", key_in(&tally, 2, "each[1]::each"));
    assert_eq!(go_in(&mut tally, first, NodeStatus::Running, 1), None);
    assert!(tally.has_begun(first.1, 1) && !tally.has_begun(second.1, 1), "what its handler says is shown");
    assert_eq!(go_in(&mut tally, second, NodeStatus::Running, 1), None);
    assert_eq!(go_in(&mut tally, first, NodeStatus::Completed, 2), None);
    tally.note_took(second.0, Duration::from_millis(1_500));
    tally.note(second.0, "exit code 1".to_owned());
    let failed = go_in(&mut tally, second, NodeStatus::Failed, 3).unwrap();
    assert_eq!(failed.what, What::Failed { took: Duration::from_millis(1_500), reason: "exit code 1".to_owned() });
    assert_eq!((failed.node.as_str(), failed.at), (second.0, self::second(3)));
    let counts = tally.counts();
    assert_eq!((counts.tasks, counts.running, counts.completed, counts.failed), (2, 0, 1, 1));
}

#[test]
fn an_item_of_which_no_attempt_is_recorded_failed_after_the_time_since_it_began() {
    let mut tally = tally(Workflow::builder("w").map("each", "input", "log"));
    let item = ("each[0]::each", key_in(&tally, 1, "each[0]::each"));
    go_in(&mut tally, item, NodeStatus::Running, 1);
    let failed = go_in(&mut tally, item, NodeStatus::Failed, 4).unwrap();
    assert_eq!(failed.what, What::Failed { took: Duration::from_secs(3), reason: String::new() });
}

#[test]
fn each_call_of_a_workflow_has_its_own_nodes() {
    let part = Workflow::builder("part").task("x", "log").build().unwrap();
    let mut tally = tally(Workflow::builder("w").call("a", &part).call("b", &part));
    let (a, b) = (("a::x", key_in(&tally, 1, "a::x")), ("b::x", key_in(&tally, 2, "b::x")));
    assert_eq!(a.1.node, b.1.node, "they share the node");
    go_in(&mut tally, a, NodeStatus::Running, 1);
    go_in(&mut tally, b, NodeStatus::Running, 1);
    assert_eq!(tally.begin(b.1, 1, second(2)).unwrap().node, "b::x");
    assert_eq!((tally.counts().tasks, tally.counts().running, tally.counts().queued), (2, 1, 1));
    assert_eq!(go_in(&mut tally, b, NodeStatus::Completed, 3).unwrap().node, "b::x");
    let begun = tally.begin(a.1, 1, second(4)).unwrap();
    assert_eq!((begun.node.as_str(), begun.what), ("a::x", What::Started { attempt: 1 }));
    let done = go_in(&mut tally, a, NodeStatus::Completed, 9).unwrap();
    assert_eq!(done.what, What::Completed { took: Duration::from_secs(5) });
    assert_eq!((tally.counts().tasks, tally.counts().completed), (2, 2));
}

fn progressed(node: &str, share: f64, text: &str) -> EventKind {
    EventKind::Progressed { node: node.to_owned(), attempt: 1, share, text: text.to_owned() }
}

fn goes(node: &str, from: NodeStatus, to: NodeStatus) -> EventKind {
    let key = WorkKey::root(NodeIndex(0));
    EventKind::NodeTransitioned { node: node.to_owned(), key, from, to, attempt: 1, waiting_for: None }
}

#[test]
fn a_handler_that_says_how_far_it_is_has_a_bar() {
    let mut tally = handled();
    go(&mut tally, "t0", NodeStatus::Running, 1);
    tally.begin(tally.key("t0"), 1, second(1));
    tally.hear_said(&progressed("t0", 0.4, "4 of 10 files"), second(2));
    let line = |tally: &Tally| {
        let (look, started, now) = (look(false, true), second(0), second(5));
        let frame = Frame { look, name: "W", started, now, columns: 80, lines: 24 };
        frame.text(std::slice::from_ref(tally)).lines().nth(1).unwrap_or_default().to_owned()
    };
    assert_eq!(line(&tally), "  ⠋ t0  4.0s  ████░░░░░░ 40% 4 of 10 files");
    tally.hear_said(&progressed("t0", 0.999, ""), second(3));
    assert_eq!(line(&tally), "  ⠋ t0  4.0s  █████████░ 99%", "what is not done is not all of it");
    let attempted =
        EventKind::Attempted { node: "t0".to_owned(), attempt: 1, failure: None, took: Duration::from_secs(1) };
    tally.hear_said(&attempted, second(4));
    assert_eq!(line(&tally), "  ⠋ t0  4.0s", "it is gone with the attempt");
}

#[test]
fn a_map_has_a_bar_and_its_items_say_how_far_they_are() {
    let mut tally = tally(Workflow::builder("w").map("each", "input", "log"));
    go(&mut tally, "each", NodeStatus::Waiting, 1);
    let mut items = ItemCounts::default();
    (items.total, items.completed, items.failed, items.open) = (10, 2, 1, 7);
    tally.hear_said(&EventKind::ItemsCounted { node: "each".to_owned(), items }, second(1));
    tally.hear_said(&progressed("each[3]::each", 0.5, "half\u{1b}[2J of it"), second(2));
    let frame = |tally: &Tally, lines| {
        let (look, started, now) = (look(false, false), second(0), second(5));
        let frame = Frame { look, name: "W", started, now, columns: 80, lines };
        frame.text(std::slice::from_ref(tally)).lines().skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    let bar = "  . each  4.0s  ###------- 3 of 10, 1 failed";
    let item = "  - each[3]::each  3.0s  #####----- 50% half\u{fffd}[2J of it";
    assert_eq!(frame(&tally, 24), [bar, item]);
    assert_eq!(frame(&tally, 5), [bar, "  and 1 more"]);
    tally.hear_said(&goes("each[3]::each", NodeStatus::Running, NodeStatus::Completed), second(4));
    assert_eq!(frame(&tally, 24), [bar]);
}

#[test]
fn the_custom_status_stands_below_the_header() {
    let mut tally = outside(1);
    go(&mut tally, "t0", NodeStatus::Waiting, 1);
    let set = |text: &str| {
        let custom_status = CustomStatus { text: text.to_owned(), node: "t0".to_owned(), set_at: second(2) };
        EventKind::CustomStatusSet { custom_status: Some(custom_status).filter(|status| !status.text.is_empty()) }
    };
    tally.hear_said(&set("waiting for\nthe bank"), second(2));
    let frame = |tally: &Tally, columns| {
        let (look, started, now) = (look(false, true), second(0), second(5));
        let frame = Frame { look, name: "W", started, now, columns, lines: 24 };
        frame.text(std::slice::from_ref(tally)).lines().skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(frame(&tally, 80), ["  waiting for the bank (t0)", "  ◌ t0  4.0s"]);
    assert_eq!(frame(&tally, 20)[0], "  waiting for the b…");
    tally.hear_said(&set(""), second(3));
    assert_eq!(frame(&tally, 80), ["  ◌ t0  4.0s"]);
}

#[test]
fn a_loop_takes_as_long_as_all_its_rounds_and_the_waits_between_them() {
    let mut tally = tally(Workflow::builder("w").repeat("poll", "log", LoopCondition::until("round == 2"), 5));
    assert_eq!(go(&mut tally, "poll", NodeStatus::Waiting, 1).map(|news| news.what), Some(What::Waits));
    // Each round and each delay is another wait of the same node.
    for second in 2..5 {
        assert_eq!(go(&mut tally, "poll", NodeStatus::Waiting, second), None);
    }
    let done = go(&mut tally, "poll", NodeStatus::Completed, 5).unwrap();
    assert_eq!(coloured(&[done], look(false, true), COLUMNS), "✓ poll  4s\n");
}
