//! Real files that cannot be part of the repository: `FINALE_CASES` names a directory that holds
//! blueprints in `synthorg-blueprints` and traces in `wfinstances`.

use std::path::PathBuf;

use finale_core::definition::{Definition, NodeKind};
use finale_formats::{Format, Loaded, load};

/// Every file of a directory; none if the variable is not set.
fn files(directory: &str, ending: &str) -> Vec<PathBuf> {
    let Some(cases) = std::env::var_os("FINALE_CASES") else {
        return Vec::new();
    };
    let entries = std::fs::read_dir(PathBuf::from(cases).join(directory)).expect("FINALE_CASES names the cases");
    let paths = entries.map(|entry| entry.expect("a directory can be read").path());
    paths.filter(|path| path.extension().is_some_and(|found| found == ending)).collect()
}

fn loaded(path: &PathBuf) -> Loaded {
    let bytes = std::fs::read(path).expect("the file can be read");
    load(&bytes, Format::Auto, &path.display().to_string()).unwrap_or_else(|error| panic!("{error}"))
}

fn tasks(definition: &Definition) -> usize {
    let nodes = definition.nodes.iter();
    nodes.filter(|node| matches!(node.kind, NodeKind::Task(_))).count()
}

#[test]
fn every_blueprint_is_loaded_under_its_own_name() {
    for path in files("synthorg-blueprints", "yaml") {
        let loaded = loaded(&path);
        assert_eq!(loaded.format, Format::Blueprint);
        assert_eq!(Some(loaded.definition.id.as_str()), path.file_stem().and_then(|stem| stem.to_str()));
    }
}

#[test]
fn every_trace_is_loaded_with_a_runtime_for_each_task() {
    for path in files("wfinstances", "json") {
        let loaded = loaded(&path);
        assert_eq!(loaded.format, Format::WfFormat);
        assert_eq!(tasks(&loaded.definition), loaded.runtimes.len());
        assert_eq!(loaded.definition.nodes.len(), loaded.runtimes.len() + 2);
    }
}
