//! What is published with each crate, and what the crates they are built from need.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn metadata(arguments: &[&str]) -> Value {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--format-version", "1", "--offline", "--locked"]).args(arguments).current_dir(root());
    let done = cargo.output().expect("cargo runs: it runs this test");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&done.stdout).unwrap()
}

/// The packages that are published.
fn published() -> Vec<Value> {
    let metadata = metadata(&["--no-deps"]);
    let packages = metadata["packages"].as_array().unwrap().iter();
    let published: Vec<_> = packages.filter(|package| package["publish"].is_null()).cloned().collect();
    assert_eq!(published.len(), 5, "the crates of the house");
    published
}

#[test]
fn every_published_crate_says_what_it_is() {
    for package in published() {
        let name = package["name"].as_str().unwrap();
        for key in ["description", "license", "repository", "homepage", "documentation", "readme", "rust_version"] {
            assert!(package[key].as_str().is_some_and(|text| !text.is_empty()), "{name} has no {key}");
        }
        assert_eq!(package["documentation"], format!("https://docs.rs/{name}"));
        let count = |key: &str| package[key].as_array().map_or(0, Vec::len);
        assert!((1..=5).contains(&count("keywords")), "{name} has {} keywords", count("keywords"));
        assert!((1..=5).contains(&count("categories")), "{name} has {} categories", count("categories"));
        for keyword in package["keywords"].as_array().unwrap() {
            assert!(keyword.as_str().unwrap().len() <= 20, "{name}: {keyword}");
        }
        assert_eq!(package["metadata"]["docs"]["rs"]["all-features"], true, "{name} is shown with all its features");
    }
}

#[test]
fn every_published_crate_has_its_licences_and_a_page_of_its_own() {
    for package in published() {
        let folder = Path::new(package["manifest_path"].as_str().unwrap()).parent().unwrap().to_owned();
        let read = |file: &Path| std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{file:?}: {error}"));
        for licence in ["LICENSE-MIT", "LICENSE-APACHE"] {
            assert_eq!(read(&folder.join(licence)), read(&root().join(licence)), "{folder:?}");
        }
        let page = read(&folder.join("README.md"));
        assert!(page.starts_with(&format!("# {}\n", package["name"].as_str().unwrap())), "{folder:?}");
    }
}

/// The numbers of a version, the first two of them.
fn version(text: &str) -> (u32, u32) {
    let mut numbers = text.split('.').map(|number| number.parse().unwrap());
    (numbers.next().unwrap(), numbers.next().unwrap_or_default())
}

/// The packages that the crates of the house are built from on this machine, with all their features.
fn built_from() -> Value {
    // What only other platforms need may not be there.
    let rustc = Command::new("rustc").arg("-vV").output().expect("rustc is beside cargo");
    let rustc = String::from_utf8(rustc.stdout).unwrap();
    let host = rustc.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    metadata(&["--all-features", "--filter-platform", host])
}

/// Whether a licence expression can be fulfilled by the allowed licences.
fn is_allowed(expression: &str, allowed: &[&str]) -> bool {
    let expression = expression.replace(" / ", " OR ").replace('/', " OR ");
    // Brackets are around alternatives only: what is outside of them has to be fulfilled as well.
    let all = expression.split(" AND ").map(|part| part.trim_start_matches('(').trim_end_matches(')').to_owned());
    all.collect::<Vec<_>>().iter().all(|part| part.split(" OR ").any(|licence| allowed.contains(&licence)))
}

#[test]
fn every_dependency_has_an_allowed_licence_and_comes_from_the_registry() {
    let deny = std::fs::read_to_string(root().join("deny.toml")).unwrap();
    let allowed = deny.split_once("\nallow = [").unwrap().1.split_once(']').unwrap().0;
    let allowed: Vec<_> = allowed.split('"').skip(1).step_by(2).collect();
    for (expression, expected) in [
        ("MIT OR Apache-2.0", true),
        ("GPL-3.0 OR MIT", true),
        ("MIT/Apache-2.0", true),
        ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
        ("(MIT OR Apache-2.0) AND GPL-3.0", false),
        ("AGPL-3.0", false),
    ] {
        assert_eq!(is_allowed(expression, &allowed), expected, "{expression}");
    }
    let metadata = built_from();
    for package in metadata["packages"].as_array().unwrap() {
        let licence = package["license"].as_str().unwrap_or_default();
        assert!(is_allowed(licence, &allowed), "{} is licensed under {licence:?}", package["name"]);
        let source = package["source"].as_str().unwrap_or("registry+");
        assert!(source.starts_with("registry+"), "{} comes from {source}", package["name"]);
    }
}

#[test]
fn no_dependency_needs_a_newer_compiler_than_we_promise() {
    let metadata = built_from();
    let packages = metadata["packages"].as_array().unwrap();
    let ours = packages.iter().find(|package| package["name"] == "finale-core").unwrap();
    let promised = version(ours["rust_version"].as_str().unwrap());
    let newer =
        packages.iter().filter(|package| package["rust_version"].as_str().is_some_and(|it| version(it) > promised));
    let newer: Vec<_> = newer.map(|package| format!("{} {}", package["name"], package["rust_version"])).collect();
    assert_eq!(newer, Vec::<String>::new(), "they need more than Rust {promised:?}");
    let page = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    assert!(page.contains(&format!("rust-version = \"{}.{}\"", promised.0, promised.1)));
}
