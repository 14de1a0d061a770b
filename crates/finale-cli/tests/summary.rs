//! What people get to read.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{ended, finale, own, run, written};
use serde_json::json;

#[test]
fn the_summary_says_how_it_ended_and_where_each_node_is() {
    let ended = run(own("parcel.json"), &["--simulate"]).with_code(0);
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert!(lines[0].starts_with("completed in ") && lines[0].ends_with("s: Parcel 1.0.0 (parcel)"), "{}", lines[0]);
    assert!(lines.contains(&"tasks      3: 2 completed, 1 skipped"), "{}", ended.stdout);
    let row = |id: &str| lines.iter().find(|line| line.starts_with(id)).unwrap().split_whitespace().collect::<Vec<_>>();
    assert_eq!(row("truck"), ["truck", "task", "skipped", "heavy", "went", "false"]);
    assert_eq!(row("weigh")[..3], ["weigh", "task", "completed"]);
}

#[test]
fn the_table_fits_80_columns_and_has_no_colours() {
    let id = "a-very-long-name-for-a-node-".repeat(4);
    let file = json!({
        "id": "w", "name": "W",
        "nodes": [
            {"id": "start", "type": "start", "label": "L"},
            {"id": id, "type": "task", "label": "L", "config": {"title": "T"}},
            {"id": "\u{1b}[31mred", "type": "task", "label": "L", "config": {"title": "T"}},
            {"id": "end", "type": "end", "label": "L"},
        ],
        "edges": [
            {"id": "1", "source_node_id": "start", "target_node_id": id},
            {"id": "2", "source_node_id": id, "target_node_id": "\u{1b}[31mred"},
            {"id": "3", "source_node_id": "\u{1b}[31mred", "target_node_id": "end"},
        ],
    });
    let file = written("wide.json", file.to_string());
    let fail = format!("{id}={}", "it went wrong in many ways, ".repeat(9));
    let ended = ended(finale().env("COLUMNS", "80").arg("run").arg(&file).args(["--simulate", "--fail", &fail]));
    let ended = ended.with_code(1);
    let table = ended.stdout.split_once("\n\n").unwrap().1;
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
    assert!(!ended.stdout.contains('\u{1b}'), "{}", ended.stdout);
}
