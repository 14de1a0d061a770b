//! Inside a crate the arrows between modules point one way.
//!
//! The rule: among the modules of one folder there is no circle of `use`, whole folders counted as one module. Between a
//! module and the modules inside it names go both ways: a child may use the types of its parent, and the parent what its
//! children do. A name that a parent passes on (`use child::Name`) counts as its child's.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

type Module = Vec<String>;
/// Which of the modules in a folder names which.
type Arrows = BTreeMap<String, BTreeSet<String>>;

const CRATES: [&str; 5] = ["finale-core", "finale-formats", "finale-journal", "finale", "finale-cli"];

/// Circles that are still there, by their folders: no module may join one, and one that is gone is taken out of the list.
///
/// An actor of actix is named by those who have its address, and the address by the messages that carry it; `Runtime` is
/// named in the errors and handles that it gives. That is one circle of types on each floor of `finale`.
const KNOWN: [(&str, &str, &[&str]); 5] = [
    (
        "finale",
        "",
        &[
            "activation",
            "actors",
            "builder",
            "completion",
            "context",
            "events",
            "handle",
            "handler",
            "message",
            "observe",
            "offline",
            "open_tasks",
            "reporting",
            "runtime",
            "stored",
            "task_error",
            "workflow",
        ],
    ),
    (
        "finale",
        "actors",
        &[
            "execution_actor",
            "local",
            "messages",
            "open_limit",
            "past",
            "permits",
            "requests",
            "shared",
            "start",
            "supervisor",
            "task_engine",
            "way_in",
        ],
    ),
    ("finale-cli", "", &["cause", "handlers", "progress", "run"]),
    ("finale-cli", "journal", &["error", "prefix"]),
    ("finale-core", "execution", &["apply", "edges", "ending", "scope", "turn"]),
];

/// One module: what it uses, and what it passes on, by the name under which it does.
#[derive(Debug, Default)]
struct Source {
    uses: Vec<Vec<String>>,
    passed_on: BTreeMap<String, Vec<String>>,
}

/// The modules of a crate by their paths, without those of tests.
fn modules(folder: &Path, path: &mut Module, found: &mut BTreeMap<Module, String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().path();
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        if name == "tests" {
            continue;
        }
        let is_own = ["mod", "lib", "main"].contains(&name.as_str());
        path.extend((!is_own).then_some(name));
        if file.is_dir() {
            modules(&file, path, found);
        } else if file.extension().is_some_and(|extension| extension == "rs") {
            let source = std::fs::read_to_string(&file).unwrap();
            found.entry(path.clone()).or_default().push_str(&code_of(&source));
        }
        path.truncate(path.len() - usize::from(!is_own));
    }
}

/// A source without its comments, its literals and its tests.
fn code_of(source: &str) -> String {
    let source = source.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let mut code = String::new();
    for line in source.lines() {
        let (mut in_literal, mut rest) = (false, line.split("//").next().unwrap().chars());
        while let Some(letter) = rest.next() {
            match letter {
                '\\' if in_literal => drop(rest.next()),
                '"' => in_literal = !in_literal,
                letter if !in_literal => code.push(letter),
                _ => {}
            }
        }
        code.push('\n');
    }
    code
}

/// All names of a `use` tree: `a::{b, c as d}` is `a::b` under the name `b` and `a::c` under the name `d`.
fn names(prefix: &[String], tree: &str, found: &mut Vec<(Vec<String>, String)>) {
    let tree = tree.trim();
    if let Some(group) = tree.strip_prefix('{') {
        let (mut depth, mut start) = (0, 0);
        let group = group.strip_suffix('}').unwrap();
        for (at, letter) in group.char_indices().chain([(group.len(), ',')]) {
            match letter {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    names(prefix, &group[start..at], found);
                    start = at + 1;
                }
                _ => {}
            }
        }
        return;
    }
    let end = tree.find(|one: char| !one.is_alphanumeric() && one != '_' && one != '*').unwrap_or(tree.len());
    let (name, rest) = (&tree[..end], tree[end..].trim());
    if name.is_empty() {
        return;
    }
    let mut path = prefix.to_vec();
    path.extend((name != "self" || prefix.is_empty()).then(|| name.to_owned()));
    match (rest.strip_prefix("::"), rest.strip_prefix("as ")) {
        (Some(rest), _) => names(&path, rest, found),
        (None, renamed) => {
            let known_as = renamed.map_or_else(|| path.last().cloned().unwrap_or_default(), str::to_owned);
            found.push((path, known_as));
        }
    }
}

/// What a module uses: in `use`, and by paths in its code.
fn read(code: &str) -> Source {
    let mut source = Source::default();
    let mut rest = String::new();
    for statement in code.split_inclusive([';', '{', '}']) {
        let words = statement.trim_start();
        let words = words.strip_prefix("pub").map_or(words, |rest| rest.trim_start_matches(|one| one != 'u'));
        if !words.starts_with("use ") {
            rest.push_str(statement);
            continue;
        }
        rest.push_str("use ");
        rest.push_str(words.strip_prefix("use ").unwrap());
    }
    // Groups hold braces, so the trees are cut out by hand.
    let mut body = String::new();
    let mut left = rest.as_str();
    while let Some(at) = left.find("use ") {
        let starts_word = left[..at].chars().next_back().is_none_or(|one| !one.is_alphanumeric() && one != '_');
        let end = left[at..].find(';').map(|end| at + end);
        let (Some(end), true) = (end, starts_word) else {
            body.push_str(&left[..at + 4]);
            left = &left[at + 4..];
            continue;
        };
        body.push_str(&left[..at]);
        let mut found = Vec::new();
        names(&[], &left[at + 4..end], &mut found);
        for (path, name) in found {
            source.uses.push(path.clone());
            source.passed_on.insert(name, path);
        }
        left = &left[end + 1..];
    }
    body.push_str(left);
    for path in body.split(|one: char| !one.is_alphanumeric() && one != '_' && one != ':') {
        let path: Vec<_> = path.split("::").map(str::to_owned).collect();
        if path.len() > 1 && path.iter().all(|name| !name.is_empty() && !name.contains(':')) {
            source.uses.push(path);
        }
    }
    source
}

/// The module in which a path ends, seen from another one; names that are passed on lead to where they come from.
fn resolve(sources: &BTreeMap<Module, Source>, from: &[String], path: &[String], depth: usize) -> Option<Module> {
    let supers = path.iter().take_while(|name| *name == "super").count();
    let (mut at, mut rest) = match path.first()?.as_str() {
        "crate" => (Vec::new(), &path[1..]),
        "self" => (from.to_vec(), &path[1..]),
        "super" => (from[..from.len().checked_sub(supers)?].to_vec(), &path[supers..]),
        name => {
            let child = [from, &[name.to_owned()]].concat();
            sources.contains_key(&child).then(|| (from.to_vec(), path))?
        }
    };
    while let Some((name, behind)) = rest.split_first() {
        let child = [at.as_slice(), std::slice::from_ref(name)].concat();
        if sources.contains_key(&child) {
            (at, rest) = (child, behind);
            continue;
        }
        let passed_on = sources.get(&at).and_then(|source| source.passed_on.get(name)).filter(|_| depth < 8);
        let found = passed_on.and_then(|path| {
            let path = [path.as_slice(), behind].concat();
            resolve(sources, &at, &path, depth + 1)
        });
        return Some(found.unwrap_or(at));
    }
    Some(at)
}

/// The arrows between the modules of each folder.
fn arrows(sources: &BTreeMap<Module, Source>) -> BTreeMap<Module, Arrows> {
    let mut folders: BTreeMap<Module, Arrows> = BTreeMap::new();
    for (module, source) in sources {
        for path in &source.uses {
            let Some(target) = resolve(sources, module, path, 0) else { continue };
            let common = module.iter().zip(&target).take_while(|(one, other)| one == other).count();
            if let (Some(from), Some(to)) = (module.get(common), target.get(common)) {
                let folder = folders.entry(module[..common].to_vec()).or_default();
                folder.entry(from.clone()).or_default().insert(to.clone());
            }
        }
    }
    folders
}

/// What can be reached from a module, in one step or more.
fn reached(arrows: &Arrows, from: &str) -> BTreeSet<String> {
    let (mut found, mut next) = (BTreeSet::new(), vec![from.to_owned()]);
    while let Some(module) = next.pop() {
        for target in arrows.get(&module).into_iter().flatten() {
            if found.insert(target.clone()) {
                next.push(target.clone());
            }
        }
    }
    found
}

/// The modules that reach themselves, in groups of those that reach each other.
fn circles(arrows: &Arrows) -> BTreeSet<Vec<String>> {
    let reached: BTreeMap<_, _> = arrows.keys().map(|module| (module, reached(arrows, module))).collect();
    let in_circle = arrows.keys().filter(|module| reached[module].contains(*module));
    in_circle
        .map(|module| arrows.keys().filter(|other| reached[module].contains(*other) && reached[other].contains(module)))
        .map(|circle| circle.cloned().collect())
        .collect()
}

fn sources_of(folder: &Path) -> BTreeMap<Module, Source> {
    let mut found = BTreeMap::new();
    modules(folder, &mut Vec::new(), &mut found);
    found.into_iter().map(|(module, code)| (module, read(&code))).collect()
}

#[test]
fn no_modules_of_a_folder_use_each_other_in_a_circle() {
    let mut found = BTreeSet::new();
    for name in CRATES {
        let sources = sources_of(&Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../crates/{name}/src")));
        assert!(sources.len() > 10, "{name} has more modules than {}", sources.len());
        for (folder, arrows) in arrows(&sources) {
            found.extend(circles(&arrows).into_iter().map(|circle| (name.to_owned(), folder.join("::"), circle)));
        }
    }
    let is_in = |circle: &[String], known: &[&str]| circle.iter().all(|module| known.contains(&module.as_str()));
    let is_known = |(name, folder, circle): &&(String, String, Vec<String>)| {
        KNOWN.iter().any(|known| (known.0, known.1) == (name, folder) && is_in(circle, known.2))
    };
    let new: Vec<_> = found.iter().filter(|circle| !is_known(circle)).collect();
    assert!(new.is_empty(), "a circle, or more modules in one that was known: {new:?}");
    for (name, folder, known) in KNOWN {
        let is_there = found.iter().any(|found| (&*found.0, &*found.1) == (name, folder) && is_in(&found.2, known));
        assert!(is_there, "{name}::{folder} has no circle any more: take it out of the list");
    }
}

#[test]
fn a_circle_is_found_also_behind_a_name_that_is_passed_on() {
    let source = |code: &str| read(&code_of(code));
    let module = |path: &str| path.split("::").filter(|name| !name.is_empty()).map(str::to_owned).collect::<Module>();
    let circles_of = |code: &[(&str, &str)]| {
        let sources = code.iter().map(|(path, code)| (module(path), source(code))).collect();
        arrows(&sources).into_values().flat_map(|arrows| circles(&arrows)).collect::<Vec<_>>()
    };
    let circle = vec![vec!["a".to_owned(), "b".to_owned()]];
    let direct = [("", ""), ("a", "use crate::b::{self, One};"), ("b", "fn f() { crate::a::g(); }")];
    assert_eq!(circles_of(&direct), circle);
    let passed_on = [("", "pub use b::One as Two;"), ("a", "use super::Two;"), ("b", "use crate::a;"), ("a::c", "")];
    assert_eq!(circles_of(&passed_on), circle);
    let inside = [("", ""), ("a", "mod c;\nuse c::One;"), ("a::c", "use super::Two;"), ("b", "use crate::a::Two;")];
    assert_eq!(circles_of(&inside), Vec::<Vec<String>>::new(), "a child and its parent");
    let told = [("", ""), ("a", "// crate::b\nfn f() { g(\"crate::b::One\") }"), ("b", "use crate::a;")];
    assert_eq!(circles_of(&told), Vec::<Vec<String>>::new(), "what only a comment or a literal names");
}
