//! Arrows only point down: which crate may know which.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Each crate of the house that has a layer, and the ones it may name.
const MAY_NAME: [(&str, &[&str]); 5] = [
    ("finale-core", &[]),
    ("finale-formats", &["finale-core"]),
    ("finale-journal", &["finale-core"]),
    ("finale", &["finale-core", "finale-journal"]),
    ("finale-cli", &["finale", "finale-core", "finale-formats", "finale-journal"]),
];

/// What would bring time, chance, threads, tasks or I/O into the core.
const NOT_IN_THE_CORE: [&str; 18] = [
    "actix",
    "actix-rt",
    "async-std",
    "crossbeam-channel",
    "fastrand",
    "futures",
    "futures-core",
    "futures-util",
    "getrandom",
    "metrics",
    "mio",
    "parking_lot",
    "rand",
    "rand_core",
    "smol",
    "socket2",
    "tokio",
    "tracing",
];

fn cargo(arguments: &[&str]) -> String {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    let done = Command::new(env!("CARGO")).args(arguments).args(["--offline", "--manifest-path", manifest]).output();
    let done = done.expect("cargo runs: it runs this test");
    assert!(done.status.success(), "cargo {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).expect("cargo writes UTF-8")
}

/// The crates of the workspace and what each names, those for tests left out.
fn named() -> BTreeMap<String, BTreeSet<String>> {
    let metadata: Value = serde_json::from_str(&cargo(&["metadata", "--format-version", "1", "--no-deps"])).unwrap();
    let text = |value: &Value| value.as_str().expect("a name").to_owned();
    let packages = metadata["packages"].as_array().unwrap().iter();
    packages
        .map(|package| {
            let dependencies = package["dependencies"].as_array().unwrap().iter();
            let real = dependencies.filter(|dependency| dependency["kind"] != "dev");
            (text(&package["name"]), real.map(|dependency| text(&dependency["name"])).collect())
        })
        .collect()
}

/// Every crate that a crate of ours is built from, itself included.
fn built_from(package: &str) -> BTreeSet<String> {
    let tree = cargo(&["tree", "-p", package, "-e", "normal,build", "--prefix", "none", "--format", "{p}"]);
    tree.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

#[test]
fn no_crate_names_one_above_it() {
    let named = named();
    for (name, may_name) in MAY_NAME {
        let ours = named.keys().filter(|known| named[name].contains(*known));
        let forbidden: Vec<_> = ours.filter(|known| !may_name.contains(&known.as_str())).collect();
        assert!(forbidden.is_empty(), "{name} names {forbidden:?}");
    }
}

/// Words that only somebody who shares, waits or looks at a clock needs, and the files that may say one all the same.
///
/// Payloads are encoded into a buffer of their thread before their length is known. It holds nothing between two of them,
/// so nothing that the core decides depends on it. What one comparison costs is counted while it is made.
const NOT_IN_ITS_SOURCES: [(&str, &[&str]); 9] = [
    ("Rc", &[]),
    ("RefCell", &[]),
    ("Cell", &["payload.rs", "payload/strict.rs", "expression/order.rs"]),
    ("thread_local", &["payload.rs", "payload/strict.rs"]),
    ("async", &[]),
    ("await", &[]),
    ("Instant", &[]),
    ("SystemTime", &[]),
    ("Mutex", &[]),
];

/// The words of a source, without its comments and without its tests.
fn words_of(source: &str) -> BTreeSet<&str> {
    let code = source.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let lines = code.lines().map(|line| line.split("//").next().unwrap_or_default());
    lines.flat_map(|line| line.split(|one: char| !one.is_alphanumeric() && one != '_')).collect()
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "tests") {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn no_file_of_the_core_shares_waits_or_looks_at_a_clock() {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/finale-core/src"), &mut files);
    assert!(files.len() > 40, "the core has more files than {}", files.len());
    for file in files.iter().filter(|file| file.file_name().is_some_and(|name| name != "tests.rs")) {
        let source = std::fs::read_to_string(file).unwrap();
        let words = words_of(&source);
        for (word, excepted) in NOT_IN_ITS_SOURCES {
            let is_excepted = excepted.iter().any(|name| file.ends_with(name));
            assert!(is_excepted || !words.contains(word), "{} names {word}", file.display());
        }
    }
}

#[test]
fn every_crate_of_the_house_has_its_layer() {
    let with_layer: BTreeSet<_> = MAY_NAME.iter().map(|(name, _)| (*name).to_owned()).collect();
    // Packages that are not for users may know everything.
    let internal =
        ["finale-benches", "finale-examples", "finale-next", "finale-next-tests", "finale-tests"].map(str::to_owned);
    let all: BTreeSet<_> = named().into_keys().filter(|name| !internal.contains(name)).collect();
    assert_eq!(all, with_layer);
}

#[test]
fn nothing_that_is_not_for_users_is_needed_by_what_is() {
    for (name, dependencies) in named() {
        if MAY_NAME.iter().any(|(layer, _)| *layer == name) {
            let internal = ["finale-benches", "finale-examples", "finale-next", "finale-next-tests", "finale-tests"];
            assert!(internal.iter().all(|package| !dependencies.contains(*package)), "{name}");
        }
    }
}

#[test]
fn the_core_has_no_clock_no_chance_no_tasks_and_no_input_or_output() {
    let built_from = built_from("finale-core");
    assert!(built_from.contains("finale-core"), "the list is that of the core: {built_from:?}");
    let found: Vec<_> = NOT_IN_THE_CORE.iter().filter(|name| built_from.contains(**name)).collect();
    assert!(found.is_empty(), "the core is built from {found:?}");
    let ours: Vec<_> = built_from.iter().filter(|name| name.starts_with("finale")).collect();
    assert_eq!(ours, ["finale-core"]);
}

/// The modules and crates that users of `finale` can name; everything else that they need is at its root.
const PUBLIC: [&str; 13] = [
    "actix",
    "comparison",
    "durability",
    "files",
    "guide",
    "journal",
    "message",
    "offline",
    "prelude",
    "schemars",
    "semantics",
    "telemetry",
    "workflows",
];

#[test]
fn no_other_module_and_no_other_crate_is_part_of_the_surface() {
    let lib = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/finale/src/lib.rs")).unwrap();
    let name = |line: &str| {
        let module = line.strip_prefix("pub mod ").map(|rest| rest.trim_end_matches([';', '{', '}', ' ']));
        let krate = line.strip_prefix("pub use ").filter(|rest| !rest.contains("::")).map(|rest| {
            let rest = rest.trim_end_matches(';');
            rest.rsplit(" as ").next().unwrap_or(rest)
        });
        module.or(krate).map(str::to_owned)
    };
    let found: BTreeSet<String> = lib.lines().filter_map(name).collect();
    assert_eq!(found, PUBLIC.map(str::to_owned).into());
}

#[test]
fn what_is_for_tests_alone_is_behind_a_private_feature() {
    let lib = |name: &str| {
        std::fs::read_to_string(format!("{}/../crates/{name}/src/lib.rs", env!("CARGO_MANIFEST_DIR"))).unwrap()
    };
    for (name, double) in [("finale", "pub use faults::"), ("finale-journal", "pub use held::")] {
        let lib = lib(name);
        let lines: Vec<_> = lib.lines().collect();
        let at = lines.iter().position(|line| line.starts_with(double)).unwrap();
        assert_eq!(lines[at - 1], r#"#[cfg(feature = "_test")]"#, "{name}");
        assert!(!lib.contains("doc(hidden)"), "{name} hides nothing that it does not guard");
    }
}

#[test]
fn formats_know_no_shell() {
    let built_from = built_from("finale-formats");
    for shell in ["actix", "tokio", "finale", "finale-journal"] {
        assert!(!built_from.contains(shell), "{shell}");
    }
}
