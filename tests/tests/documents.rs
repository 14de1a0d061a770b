//! The pages say what is so: links lead somewhere, promises name tests, and tables agree with the code.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::path::{Path, PathBuf};

use finale::Workflow;
use finale_core::NodeStatus;
use finale_core::compile::{self, Code, Phase, WarningCode};
use finale_core::definition::OnFailure;
use finale_core::execution::Why;
use finale_core::expression::limits;
use finale_core::record::NodeRecordState;
use finale_formats::{Format, LoadError, LoadProblem};
use finale_tests::chart::{Chart, chart};
use finale_tests::scenario::Scenario;
use serde_json::Value;

const SEMANTICS: &str = "docs/semantics.md";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The pages for readers, relative to the root.
fn pages() -> Vec<String> {
    let docs = std::fs::read_dir(root().join("docs")).unwrap();
    let docs = docs.map(|entry| format!("docs/{}", entry.unwrap().file_name().into_string().unwrap()));
    let docs = docs.filter(|name| Path::new(name).extension().is_some_and(|extension| extension == "md"));
    let pages = [
        "README.md",
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "crates/finale-core/README.md",
        "crates/finale-formats/README.md",
        "crates/finale-journal/README.md",
        "crates/finale-cli/README.md",
    ];
    pages.map(str::to_owned).into_iter().chain(docs).collect()
}

/// The lines that are no examples.
fn prose(page: &str) -> impl Iterator<Item = &str> {
    let mut is_example = false;
    page.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        is_example ^= is_fence;
        !is_fence && !is_example
    })
}

/// Where the links of a page lead to; one by a name that nothing is called leads to the name in brackets.
fn links(page: &str) -> Vec<String> {
    let named: BTreeMap<_, _> = prose(page).filter_map(named_link).collect();
    let mut links: Vec<_> = named.values().map(|link| (*link).to_owned()).collect();
    for line in prose(page) {
        // What stands between backticks is no link, but a link may have it as its text.
        let without_code: String = line.split('`').step_by(2).collect();
        let inside = |open, close| without_code.split(open).skip(1).filter_map(move |rest| rest.split_once(close));
        links.extend(inside("](", ')').map(|(link, _)| link.to_owned()));
        let names = inside("][", ']').map(|(name, _)| name).filter(|name| !named.contains_key(name));
        links.extend(names.map(|name| format!("[{name}]")));
    }
    links
}

/// `[name]: link`
fn named_link(line: &str) -> Option<(&str, &str)> {
    line.strip_prefix('[')?.split_once("]: ")
}

/// What a heading of a page is linked to by.
fn anchors(page: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    for heading in prose(page).filter(|line| line.starts_with('#')) {
        let text = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = text.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        let anchor = kept.collect::<String>().replace(' ', "-");
        let others = (1..).map(|number| format!("{anchor}-{number}"));
        let free = std::iter::once(anchor.clone()).chain(others).find(|anchor| !anchors.contains(anchor));
        anchors.extend(free);
    }
    anchors
}

/// The links of a page that lead nowhere.
fn broken(path: &str, page: &str) -> Vec<String> {
    let leads_somewhere = |link: &str| {
        let (file, anchor) = link.split_once('#').map_or((link, None), |(file, anchor)| (file, Some(anchor)));
        let target = match file {
            "" => root().join(path),
            file => root().join(path).parent().unwrap().join(file),
        };
        let has = |anchor: &str| std::fs::read_to_string(&target).is_ok_and(|page| anchors(&page).contains(anchor));
        target.exists() && anchor.is_none_or(has)
    };
    let is_ours = |link: &String| !link.contains("://") && !link.starts_with("mailto:");
    links(page).into_iter().filter(is_ours).filter(|link| !leads_somewhere(link)).collect()
}

#[test]
fn every_link_leads_to_a_file_or_a_heading() {
    let mut count = 0;
    for path in pages() {
        let page = read(&path);
        count += links(&page).len();
        assert_eq!(broken(&path, &page), Vec::<String>::new(), "links of {path} that lead nowhere");
    }
    assert!(count > 20, "{count} links were found in all");
}

#[test]
fn a_link_that_leads_nowhere_is_found() {
    let page = "[a](missing.md) [b](semantics.md#missing) [c](#missing)\n[d](semantics.md#statuses) [e](../README.md)\n\
                [`f`](nothing.md) `[g](no-link.md)`\n```\n[h](example.md)\n```\n[i](https://example.org/x#y)\n\
                [j][there] [k][nowhere] [l][unknown]\n[there]: guide.md\n[nowhere]: nowhere.md";
    let found = ["nowhere.md", "missing.md", "semantics.md#missing", "#missing", "nothing.md", "[unknown]"];
    assert_eq!(broken(SEMANTICS, page), found);
    let twice = anchors("# A `b` (c)!\n## Other\n### Other\n```sh\n# comment\n```");
    assert_eq!(twice.into_iter().collect::<Vec<_>>(), ["a-b-c", "other", "other-1"]);
}

#[test]
fn every_section_of_a_long_page_stands_in_its_contents() {
    for path in ["docs/files.md", SEMANTICS] {
        let page = read(path);
        let contents: BTreeSet<String> = links(page.split("\n## ").next().unwrap()).into_iter().collect();
        let is_section = |line: &&str| line.starts_with("## ") || line.starts_with("### ");
        let sections: Vec<String> = prose(&page).filter(is_section).map(str::to_owned).collect();
        let in_contents = |section: &&String| anchors(section).iter().any(|it| contents.contains(&format!("#{it}")));
        let missing: Vec<_> = sections.iter().filter(|section| !in_contents(section)).collect();
        assert_eq!(missing, Vec::<&String>::new(), "sections of {path} that its contents do not name");
        assert!(sections.len() > 20, "{path}: {sections:?}");
    }
}

#[test]
fn every_name_that_an_expression_may_see_stands_in_the_table() {
    let table = table("## Expressions");
    let names: BTreeSet<&str> = table.rows.iter().flat_map(|row| code(&row[0])).collect();
    let known = variants("crates/finale-core/src/expression/mod.rs", "Local");
    assert!(known.len() > 7, "{known:?}");
    // In definitions `child` only stands as `@child`.
    let known = known.iter().map(|name| snake(name)).filter(|name| name != "child");
    assert_eq!(known.filter(|name| !names.contains(name.as_str())).collect::<Vec<_>>(), Vec::<String>::new());
}

/// An example of a page: what stands between two fences.
struct Block<'p> {
    /// The number of its first fence, counted from 1.
    line: usize,
    /// What stands behind that.
    info: &'p str,
    text: String,
}

fn blocks(page: &str) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut open: Option<Block<'_>> = None;
    for (number, line) in page.lines().enumerate() {
        match (line.trim_start().strip_prefix("```"), &mut open) {
            (Some(info), None) => open = Some(Block { line: number + 1, info: info.trim(), text: String::new() }),
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some(block)) => block.text.extend([line, "\n"]),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a fence is not closed");
    blocks
}

/// What is wrong with a definition file or suspicious in it, if something is.
fn fault(name: &str, text: &str) -> Option<String> {
    let loaded = match finale_formats::load(text.as_bytes(), Format::Auto, name) {
        Ok(loaded) => loaded,
        Err(error) => return Some(error.to_string()),
    };
    match Workflow::new(loaded.definition) {
        Ok(workflow) => workflow.warnings().first().map(|warning| format!("{name}: {warning}")),
        Err(error) => Some(format!("{name}: {error}")),
    }
}

#[test]
fn every_definition_on_a_page_can_be_run() {
    let (mut count, mut faults) = (0, Vec::new());
    for path in pages() {
        let page = read(&path);
        for Block { line, info, text } in blocks(&page) {
            if matches!(info, "yaml" | "json") {
                count += 1;
                faults.extend(fault(&format!("{path}, line {line}.{info}"), &text));
            }
        }
    }
    assert_eq!(faults, Vec::<String>::new());
    assert!(count > 10, "{count} definitions were found in all");
}

#[test]
fn every_definition_among_the_examples_can_be_run() {
    let (mut count, mut faults, mut folders) = (0, Vec::new(), vec![root().join("examples")]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "yaml" || ending == "json") {
                count += 1;
                faults.extend(fault(&path.to_string_lossy(), &std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert_eq!(faults, Vec::<String>::new());
    assert!(count >= 3, "{count} definitions were found in all");
}

/// What a definition file is warned of.
fn warnings(name: &str, text: &str) -> Vec<String> {
    let warnings = finale_formats::load(text.as_bytes(), Format::Auto, name).map(|loaded| loaded.warnings);
    warnings.unwrap_or_default().iter().map(|warning| format!("{name}:{warning}")).collect()
}

#[test]
fn no_definition_on_a_page_or_among_the_examples_is_warned_of() {
    let mut found = Vec::new();
    for path in pages() {
        for Block { line, info, text } in blocks(&read(&path)) {
            if matches!(info, "yaml" | "json") {
                found.extend(warnings(&format!("{path}, line {line}.{info}"), &text));
            }
        }
    }
    let definitions = std::fs::read_dir(root().join("examples/definitions")).unwrap();
    let definitions = definitions.map(|entry| format!("examples/definitions/{}", entry.unwrap().file_name().display()));
    for path in std::iter::once("examples/release.yaml".to_owned()).chain(definitions) {
        found.extend(warnings(&path, &read(&path)));
    }
    assert_eq!(found, Vec::<String>::new());
    assert_eq!(warnings("w.yaml", "id: w\ntasks: {a: {shell: \"x ${{ input.x }}\"}}").len(), 1);
}

#[test]
fn a_definition_that_cannot_be_run_is_found() {
    let page = "```yaml\nid: w\ntasks: {a: {log: hi}}\n```\ntext\n  ```yaml\nid: w\ntasks: {a: {after: b}}\n  ```";
    let faults: Vec<_> = blocks(page).iter().map(|block| fault("x.yaml", &block.text)).collect();
    assert_eq!(faults, [None, Some("x.yaml:2:20: tasks.a.after: there is no node `b`".to_owned())]);
    assert_eq!(
        blocks(page).iter().map(|block| (block.line, block.info)).collect::<Vec<_>>(),
        [(1, "yaml"), (6, "yaml")]
    );
    let cycle = fault("x.yaml", "id: w\ntasks: {a: {log: a, after: b}, b: {log: b, after: a}}");
    assert!(cycle.as_ref().is_some_and(|fault| fault.contains("cycle_detected")), "{cycle:?}");
}

/// The keys and the fixed values that the JSON Schema of definition files knows.
fn words_of_files() -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut keys, mut values) = (BTreeSet::new(), BTreeSet::new());
    let schema: Value = serde_json::from_str(finale_formats::SCHEMA).unwrap();
    let mut open = vec![&schema];
    while let Some(value) = open.pop() {
        if let Some(properties) = value.get("properties").and_then(Value::as_object) {
            keys.extend(properties.keys().cloned());
        }
        let words = value.get("enum").and_then(Value::as_array).into_iter().flatten();
        values.extend(words.chain(value.get("const")).filter_map(|word| Some(word.as_str()?.to_owned())));
        match value {
            Value::Object(members) => open.extend(members.values()),
            Value::Array(elements) => open.extend(elements),
            _ => {}
        }
    }
    (keys, values)
}

/// Whether a text has that word, and not only as a part of another one.
fn has_word(text: &str, word: &str, behind: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '$');
    text.match_indices(&format!("{word}{behind}")).any(|(at, found)| {
        let after = text[at + found.len()..].chars().next();
        !text[..at].chars().next_back().is_some_and(is_part) && (!behind.is_empty() || !after.is_some_and(is_part))
    })
}

#[test]
fn every_key_of_a_file_stands_in_an_example_and_every_word_is_told() {
    let page = read("docs/workflows.md");
    let examples: String =
        blocks(&page).into_iter().filter(|block| block.info == "yaml").map(|block| block.text).collect();
    let (mut keys, values) = words_of_files();
    assert!(keys.len() > 70 && values.len() > 30, "{} keys, {} words", keys.len(), values.len());
    // It is for editors.
    assert!(keys.remove("$schema"));
    let missing: Vec<_> = keys.iter().filter(|key| !has_word(&examples, key, ":")).collect();
    assert_eq!(missing, Vec::<&String>::new(), "no example on docs/workflows.md says it");
    let pages = ["docs/workflows.md", "docs/files.md", "docs/semantics.md"].map(read).concat();
    let missing: Vec<_> = values.iter().filter(|word| !has_word(&pages, word, "")).collect();
    assert_eq!(missing, Vec::<&String>::new(), "no page says it");
}

#[test]
fn a_word_that_is_part_of_another_one_is_not_found() {
    assert!(has_word("{after: a, on: b}", "on", ":") && has_word("on: b", "on", ":"));
    assert!(!has_word("{version: 1}", "on", ":") && !has_word("{on_failure: a}", "on", ":"));
    assert!(has_word("`all`", "all", "") && !has_word("all_done", "all", ""));
}

#[test]
fn the_first_program_is_short_and_is_the_example_hello() {
    const LINES_MAX: usize = 22;
    let page = read("README.md");
    let blocks = blocks(&page);
    let program = &blocks.iter().find(|block| block.info == "rust").unwrap().text;
    assert!(program.lines().count() <= LINES_MAX, "it has {} lines", program.lines().count());
    let example = read("examples/src/bin/hello.rs");
    let is_header = |line: &&str| line.is_empty() || line.starts_with("//!") || line.starts_with("#![expect");
    let example: String = example.lines().skip_while(is_header).map(|line| format!("{line}\n")).collect();
    assert_eq!(*program, example);
}

#[test]
fn no_program_on_a_page_is_left_to_itself() {
    for path in pages() {
        let page = read(&path);
        let ignored = blocks(&page).into_iter().filter(|block| block.info.contains("ignore"));
        assert_eq!(ignored.map(|block| block.line).collect::<Vec<_>>(), [0; 0], "lines of {path}");
    }
}

/// The subcommands that the commands of a text have.
fn subcommands(text: &str) -> Vec<&str> {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    let commands = lines.flat_map(|line| line.split(['|', ';', '&'])).map(str::trim);
    let ours = |command| {
        let rest = ["finale ", "cargo run --release -- "].iter().find_map(|begin| str::strip_prefix(command, begin));
        rest?.split_whitespace().next()
    };
    commands.filter_map(ours).collect()
}

#[test]
fn every_command_on_a_page_has_a_subcommand_that_exists() {
    let known = variants("crates/finale-cli/src/main.rs", "Command");
    let known: BTreeSet<_> = known.iter().map(|name| snake(name).replace('_', "-")).collect();
    let mut count = 0;
    for path in pages() {
        let page = read(&path);
        for Block { line, text, .. } in blocks(&page).iter().filter(|block| block.info == "sh") {
            let used = subcommands(text);
            count += used.len();
            let unknown: Vec<_> = used.into_iter().filter(|name| !known.contains(*name)).collect();
            assert_eq!(unknown, Vec::<&str>::new(), "subcommands at line {line} of {path}; there are {known:?}");
        }
    }
    assert!(count > 5, "{count} commands were found in all");
}

#[test]
fn a_subcommand_is_what_stands_behind_the_command() {
    let text =
        "finale run a.yaml --yes && finale list\ncat x | finale show\ncargo run --release -- why\n# finale\ncargo test";
    assert_eq!(subcommands(text), ["run", "list", "show", "why"]);
}

/// A part of a page, from its heading to the next one that is not below it.
fn section<'p>(page: &'p str, heading: &str) -> &'p str {
    let level = heading.chars().take_while(|c| *c == '#').count();
    let line = format!("\n{heading}\n");
    let begin = page.find(&line).unwrap_or_else(|| panic!("there is no heading {heading:?}")) + line.len();
    let rest = &page[begin..];
    let ends = (1..=level).filter_map(|level| rest.find(&format!("\n{} ", "#".repeat(level))));
    &rest[..ends.min().unwrap_or(rest.len())]
}

/// A table of a page.
#[derive(Debug, Default)]
struct Table {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

fn tables(text: &str) -> Vec<Table> {
    let mut tables = Vec::new();
    let mut is_inside = false;
    for line in prose(text) {
        let Some(cells) = line.strip_prefix("| ").and_then(|line| line.strip_suffix('|')) else {
            is_inside = false;
            continue;
        };
        let cells: Vec<String> =
            cells.split(" |").map(|cell| cell.trim().trim_matches('|').trim().to_owned()).collect();
        if !is_inside {
            tables.push(Table { header: cells, rows: Vec::new() });
        } else if !cells.iter().all(|cell| cell.starts_with("---")) {
            tables.last_mut().unwrap().rows.push(cells);
        }
        is_inside = true;
    }
    tables
}

/// The only table of a section.
fn table(heading: &str) -> Table {
    let page = read(SEMANTICS);
    let mut tables = tables(section(&page, heading));
    assert_eq!(tables.len(), 1, "{heading} has one table");
    tables.remove(0)
}

/// What stands between backticks.
fn code(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// Every test of the workspace, by name.
fn tests() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut folders = vec![root().join("crates"), root().join("tests")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                names.extend(tests_of(&std::fs::read_to_string(path).unwrap()));
            }
        }
    }
    names
}

fn tests_of(source: &str) -> Vec<String> {
    let lines: Vec<_> = source.lines().map(str::trim).collect();
    let is_test = |line: &&str| matches!(*line, "#[test]" | "#[actix::test]");
    let name = |line: &str| Some(line.split_once("fn ")?.1.split_once('(')?.0.to_owned());
    lines.windows(2).filter(|pair| is_test(&pair[0])).filter_map(|pair| name(pair[1])).collect()
}

/// What is promised on a page: what ends with a comment that says what holds it.
fn promises(page: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = page;
    while let Some((promise, behind)) = rest.split_once("<!-- held by:") {
        let (held_by, next) = behind.split_once("-->").expect("a comment ends");
        let promise = promise.rsplit_once("\n- ").map_or(promise, |(_, promise)| promise);
        found.push((promise.trim().to_owned(), held_by.to_owned()));
        rest = next;
    }
    found
}

#[test]
fn every_promise_names_tests_that_exist() {
    let known = tests();
    for (path, least) in [("docs/durability.md", 25), (SEMANTICS, 100)] {
        let promises = promises(&read(path));
        assert!(promises.len() >= least, "{path} has {} promises", promises.len());
        for (promise, held_by) in promises {
            let names: Vec<_> = code(&held_by).collect();
            assert!(!names.is_empty() || held_by.contains("conformance cases"), "{path}: nothing holds {promise:?}");
            let unknown: Vec<_> = names.into_iter().filter(|name| !known.contains(*name)).collect();
            assert_eq!(unknown, Vec::<&str>::new(), "{path}: tests that are not there hold {promise:?}");
        }
    }
}

/// A name in snake case.
fn snake(name: &str) -> String {
    let mut snake = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.extend(c.to_lowercase());
    }
    snake
}

/// The variants of an enum, read from its source: the code of errors cannot list them.
fn variants(path: &str, name: &str) -> Vec<String> {
    let source = read(path);
    let body = source.split_once(&format!("enum {name} {{\n")).unwrap_or_else(|| panic!("{path} has no {name}")).1;
    let body = body.split_once("\n}").unwrap().0;
    let variant = |line: &str| {
        let line = line.strip_prefix("    ").filter(|line| line.starts_with(|c: char| c.is_ascii_uppercase()))?;
        Some(line.chars().take_while(char::is_ascii_alphanumeric).collect())
    };
    body.lines().filter_map(variant).collect()
}

/// The codes that a table lists, in a column.
fn listed(table: &Table, column: usize) -> Vec<String> {
    let codes = table.rows.iter().map(|row| code(&row[column]).next().unwrap().to_owned());
    codes.collect()
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort_unstable();
    names
}

#[test]
fn every_code_of_a_definition_is_listed_with_its_phase() {
    let table = table("### Definitions");
    let codes: Vec<_> = Code::ALL.iter().map(|code| code.as_str().to_owned()).collect();
    assert_eq!(sorted(listed(&table, 1)), sorted(codes.clone()));
    let variants = variants("crates/finale-core/src/compile/problem.rs", "Code");
    assert_eq!(variants.iter().map(|name| snake(name)).collect::<Vec<_>>(), codes, "ALL has all of them");
    let phases: Vec<_> = table.rows.iter().map(|row| row[0].clone()).collect();
    let known = [Phase::Structure, Phase::Graph, Phase::Links, Phase::Schemas].map(|phase| phase.to_string());
    assert_eq!(deduplicated(phases), known, "the order is that of the phases");
    assert!(table.rows.iter().all(|row| row.len() == 4 && row.iter().all(|cell| !cell.is_empty())), "{table:?}");
}

fn deduplicated(mut names: Vec<String>) -> Vec<String> {
    names.dedup();
    names
}

#[test]
fn every_warning_is_listed() {
    let path = "crates/finale-formats/src/warning.rs";
    let of_files = codes(path, "LoadWarning").unwrap();
    let names: Vec<_> = of_files.keys().cloned().collect();
    assert_eq!(sorted(names), sorted(variants(path, "LoadWarning")));
    let of_files = of_files.into_values().map(Option::unwrap);
    let known = WarningCode::ALL.iter().map(|code| code.as_str().to_owned()).chain(of_files).collect();
    assert_eq!(sorted(listed(&table("### Warnings"), 0)), sorted(known));
    let variants = variants("crates/finale-core/src/warning.rs", "WarningCode");
    let codes: Vec<_> = WarningCode::ALL.iter().map(|code| code.as_str().to_owned()).collect();
    assert_eq!(variants.iter().map(|name| snake(name)).collect::<Vec<_>>(), codes, "ALL has all of them");
}

#[test]
fn every_code_of_a_file_is_listed() {
    let path = "crates/finale-formats/src/error/problem.rs";
    let codes = codes(path, "LoadProblem").unwrap();
    assert_eq!(sorted(codes.keys().cloned().collect()), sorted(variants(path, "LoadProblem")));
    assert_eq!(codes["Empty"].as_deref(), Some(LoadProblem::Empty.code()), "they are read as they are");
    // A problem of the definition in it has the code that definitions have.
    let codes = codes.into_values().flatten().collect();
    assert_eq!(sorted(listed(&table("### Files"), 0)), sorted(codes));
}

/// The codes of an error by variant, as its `code` gives them; none for those that are the code of the error inside.
fn codes(path: &str, name: &str) -> Option<BTreeMap<String, Option<String>>> {
    let source = read(path);
    let (_, body) = source.split_once(&format!("\nimpl {name} {{\n"))?;
    let (_, body) = body.split_once("\n}")?.0.split_once("fn code(&self)")?;
    let arms = body.lines().filter_map(|line| line.trim().strip_prefix("Self::")?.split_once(" => "));
    let name = |pattern: &str| pattern.chars().take_while(char::is_ascii_alphanumeric).collect();
    let code = |value: &str| value.strip_prefix('"')?.split_once('"').map(|(code, _)| code.to_owned());
    Some(arms.map(|(pattern, value)| (name(pattern), code(value))).collect())
}

#[test]
fn every_error_at_run_time_is_listed_with_its_code() {
    for (path, name) in [
        ("crates/finale/src/runtime/start_error.rs", "StartError"),
        ("crates/finale/src/runtime/registered.rs", "RegisterError"),
        ("crates/finale/src/activation.rs", "ActivateError"),
        ("crates/finale/src/errors.rs", "CommandError"),
        ("crates/finale/src/errors.rs", "ReportError"),
        ("crates/finale-core/src/payload.rs", "PayloadError"),
        ("crates/finale-core/src/record.rs", "OutputError"),
        ("crates/finale/src/context/output.rs", "TaskOutputError"),
        ("crates/finale/src/offline.rs", "ReadError"),
        ("crates/finale-journal/src/error.rs", "JournalError"),
        ("crates/finale-journal/src/error.rs", "OpenProblem"),
    ] {
        let table = table(&format!("#### `{name}`"));
        assert_eq!(sorted(listed(&table, 0)), sorted(variants(path, name)), "{name}");
        let codes = codes(path, name);
        assert_eq!(table.header[1] == "code", codes.is_some(), "{name} has codes, or has none");
        for (row, codes) in table.rows.iter().zip(codes.iter().cycle()) {
            let (variant, cell) = (code(&row[0]).next().unwrap(), row[1].as_str());
            match &codes[variant] {
                Some(known) => assert_eq!(cell, format!("`{known}`"), "{name}::{variant}"),
                None => assert!(cell.starts_with("of its "), "{name}::{variant} has the code of the error inside"),
            }
        }
    }
}

#[test]
fn every_status_of_an_answer_is_listed_with_its_codes() {
    let source = read("crates/finale/src/response.rs");
    let body = source.split_once("fn status(code: &str)").unwrap().1.split_once("\n}").unwrap().0;
    let mut known = BTreeMap::new();
    // Before each status stand its codes; before the first one, what the function gives.
    let mut parts = body.split_once("match code {").unwrap().1.split("StatusCode::");
    let mut codes = parts.next().unwrap();
    for part in parts {
        let (status, next) = part.split_at(part.find(|c: char| !c.is_ascii_uppercase() && c != '_').unwrap());
        known.insert(status.replace('_', " "), sorted(quoted(codes)));
        codes = next;
    }
    let rows = table("### As an answer of actix-web").rows.into_iter();
    let name = |status: &str| status.split_once(' ').unwrap().1.to_uppercase();
    let said = rows.map(|row| (name(&row[0]), sorted(code(&row[1]).map(str::to_owned).collect())));
    assert_eq!(said.collect::<BTreeMap<_, _>>(), known);
}

/// What stands between quotes.
fn quoted(source: &str) -> Vec<String> {
    source.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The fields of a struct, as its `Debug` form tells them.
fn fields(value: &impl Debug) -> BTreeMap<String, String> {
    let text = format!("{value:#?}");
    let field =
        |line: &str| line.trim().trim_end_matches(',').split_once(": ").map(|(a, b)| (a.to_owned(), b.to_owned()));
    text.lines().filter_map(field).collect()
}

/// The limits that a section lists, with their defaults.
fn listed_limits(heading: &str) -> BTreeMap<String, String> {
    let rows = table(heading).rows.into_iter();
    rows.map(|row| (code(&row[0]).next().unwrap().to_owned(), row[1].replace(',', ""))).collect()
}

#[test]
fn every_limit_is_listed_with_its_default() {
    assert_eq!(listed_limits("### Of a runtime"), fields(&finale::Limits::default()));
    assert_eq!(listed_limits("### Of a definition"), fields(&compile::Limits::default()));
    assert_eq!(listed_limits("### Of a file"), fields(&finale_formats::Limits::default()));
    let answers = [
        ("Filter::LIMIT_MAX", finale::Filter::LIMIT_MAX),
        ("Why::AWAITED_MAX", Why::AWAITED_MAX),
        ("LoadError::PROBLEMS_MAX", LoadError::PROBLEMS_MAX),
    ];
    let answers = answers.map(|(name, limit)| (name.to_owned(), limit.to_string()));
    assert_eq!(listed_limits("### Of answers"), answers.into());
}

#[test]
fn every_limit_of_expressions_is_listed() {
    let known = [
        ("SOURCE_BYTES_MAX", limits::SOURCE_BYTES_MAX),
        ("TOKENS_MAX", limits::TOKENS_MAX),
        ("DEPTH_MAX", limits::DEPTH_MAX),
        ("FUEL_MAX", usize::try_from(limits::FUEL_MAX).unwrap()),
        ("RESULT_BYTES_MAX", limits::RESULT_BYTES_MAX),
        ("RESULT_DEPTH_MAX", limits::RESULT_DEPTH_MAX),
    ];
    let known: BTreeMap<_, _> = known.map(|(name, limit)| (name.to_owned(), limit.to_string())).into();
    let source = read("crates/finale-core/src/expression/limits.rs");
    let all = source.lines().filter_map(|line| Some(line.strip_prefix("pub const ")?.split_once(':')?.0.to_owned()));
    assert_eq!(all.collect::<BTreeSet<_>>(), known.keys().cloned().collect());
    assert_eq!(listed_limits("### Of an expression"), known);
}

#[test]
fn how_deep_a_payload_may_be_is_said() {
    let known = [("payload::DEPTH_MAX".to_owned(), finale_core::payload::DEPTH_MAX.to_string())];
    assert_eq!(listed_limits("### Of a payload"), known.into());
}

#[test]
fn every_fixed_limit_of_a_file_is_told() {
    let page = read(SEMANTICS);
    let said = section(&page, "### Of a file");
    for (name, limit) in [
        ("DEPTH_MAX", finale_formats::Limits::DEPTH_MAX),
        ("ANCHORS_MAX", finale_formats::Limits::ANCHORS_MAX),
        ("ALIASED_VALUES_MAX", finale_formats::Limits::ALIASED_VALUES_MAX),
    ] {
        let line = said.lines().find_map(|line| line.split_once(&format!("`Limits::{name}`, ")));
        let number = line.map(|(_, number)| number.trim_end_matches(['.', ';']).replace(',', ""));
        assert_eq!(number, Some(limit.to_string()), "{name}");
    }
}

#[test]
fn every_filter_and_test_of_the_language_is_listed() {
    let source = read("crates/finale-core/src/expression/known.rs");
    let page = read(SEMANTICS);
    let items: Vec<String> = section(&page, "## Expressions").split("\n- ").map(str::to_owned).collect();
    for (constant, item) in [("FILTERS", "Filters, behind `|`:"), ("TESTS", "Tests, behind `is`:")] {
        let list = source.split_once(&format!("const {constant}: [")).unwrap().1;
        let list = list.split_once("= [").unwrap().1.split_once(']').unwrap().0;
        let known: Vec<_> = list.split('"').skip(1).step_by(2).collect();
        let said = items.iter().find_map(|text| text.strip_prefix(item)).unwrap();
        let said = said.split_once("\n\n").map_or(said, |(said, _)| said);
        assert_eq!(code(said).collect::<Vec<_>>(), known, "{constant}");
    }
}

#[test]
fn the_truth_table_of_edges_is_what_the_core_does() {
    let rows = table("### The truth table of edges").rows;
    let pairs: BTreeSet<_> = rows.iter().map(|row| row[0].clone()).collect();
    assert_eq!(pairs.len(), 6, "each pair is there once: {pairs:?}");
    for row in &rows {
        let (one, other) = row[0].split_once(", ").unwrap();
        // The order in which they are settled must not matter.
        for edges in [[one, other], [other, one]] {
            let wait_all = || OnFailure::WaitAll;
            let tolerate = || OnFailure::Tolerate { count: 2 };
            assert_eq!(decided(edges, "x", wait_all()), (row[1].as_str(), row[2].as_str()), "{edges:?}");
            assert_eq!(decided(edges, "join", wait_all()), (row[1].as_str(), row[2].as_str()), "{edges:?}");
            assert_eq!(decided(edges, "x", tolerate()), (row[1].as_str(), row[2].as_str()), "{edges:?}");
            assert_eq!(decided(edges, "join", tolerate()), (row[3].as_str(), row[4].as_str()), "{edges:?}");
        }
    }
}

/// Leads two edges into a node, and says what becomes of it and of the edge behind it.
fn decided(edges: [&str; 2], node: &str, on_failure: OnFailure) -> (&'static str, &'static str) {
    let mut story = Scenario::new(two_edges(edges, node).on_failure(on_failure)).activate();
    for (number, edge) in edges.into_iter().enumerate() {
        story = match edge {
            "live" => story.complete(&format!("n{number}"), Value::Null),
            "blocked" => story.fail(&format!("n{number}"), "no luck"),
            _ => story,
        };
    }
    let skipped = |story: &Scenario, node: &str| match story.node(node).state {
        NodeRecordState::Skipped { reason } => Some(if reason.contains(" went ") { "dead" } else { "blocked" }),
        _ => None,
    };
    if let Some(why) = skipped(&story, node) {
        assert_eq!(skipped(&story, "after"), Some(why), "what is behind is skipped for the same reason");
        return ("is skipped", why);
    }
    if node == "x" {
        story = story.complete(node, Value::Null);
    }
    assert_eq!(story.node("after").state.status(), NodeStatus::Running);
    let _story = story.complete("after", Value::Null);
    ("runs", "live")
}

/// A decision leads away from the node where an edge is to be dead; the other edges come from tasks.
fn two_edges(edges: [&str; 2], node: &str) -> Chart {
    let way = |(number, edge): (usize, &str)| match edge {
        "dead" => format!("p:branch>n{number} n{number}:true>{node} n{number}:false>e"),
        _ => format!("p:branch>n{number} n{number}>{node}"),
    };
    let ways: Vec<_> = edges.into_iter().enumerate().map(way).collect();
    let mut chart = chart(&format!("s>p {} {node}>after after>e", ways.join(" ")));
    for (number, _) in edges.into_iter().enumerate().filter(|(_, edge)| *edge == "dead") {
        chart = chart.condition(&format!("n{number}"), "false");
    }
    chart
}
