//! The files on `docs/workflows.md`, run as that page says.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::fs;
use std::path::Path;

use common::{ended, finale, written};

/// The examples of a page: what stands behind the first fence of each, and its text.
fn blocks(page: &str) -> Vec<(&str, &str)> {
    let mut parts = page.split("```");
    let mut blocks = Vec::new();
    // What stands before a fence is no example.
    while let (Some(_), Some(block)) = (parts.next(), parts.next()) {
        blocks.extend(block.split_once('\n'));
    }
    blocks
}

#[test]
fn every_file_on_the_page_of_recipes_runs_with_the_command_under_it() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/workflows.md")).unwrap();
    let blocks = blocks(&page);
    let mut count = 0;
    for (position, (info, text)) in blocks.iter().enumerate() {
        if *info != "yaml" {
            continue;
        }
        count += 1;
        let id = text.lines().find_map(|line| line.strip_prefix("id: ")).unwrap();
        let file = written(&format!("{id}.yaml"), text);
        let (_, below) = blocks.get(position + 1).filter(|(info, _)| *info == "sh").unwrap_or(&("", ""));
        let told = shlex::split(below).unwrap();
        let arguments = match told.as_slice() {
            [] => vec!["--simulate".to_owned()],
            [finale, run, named, arguments @ ..] => {
                assert_eq!((finale.as_str(), run.as_str(), named), ("finale", "run", &format!("{id}.yaml")));
                arguments.to_vec()
            }
            _ => panic!("{id}: {below}"),
        };
        let ended = ended(finale().arg("run").arg(file).args(&arguments));
        assert_eq!(ended.code, Some(0), "{id} {arguments:?}: {ended:?}");
    }
    assert!(count > 20, "{count} files were found");
}
