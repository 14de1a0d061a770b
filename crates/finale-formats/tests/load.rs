//! Files as they come: text, formats, limits and places.

use std::fmt::Write as _;

use finale_core::Definition;
use finale_formats::{Format, Limits, LoadError, Loaded, load};

const DEFINITION: &str = r#"{
  "id": "w", "name": "W",
  "nodes": [{"id": "n", "type": "task", "label": "N", "config": {"title": "Do n"}}]
}"#;

const BLUEPRINT: &str = "
blueprint:
  name: flow
  display_name: Flow
  nodes:
    - id: n
      type: task
      label: N
      config: {title: Do n}
";

const TRACE: &str = r#"{"workflow": {"specification": {"tasks": [{"id": "t"}]}}}"#;

fn auto(text: impl AsRef<[u8]>, origin: &str) -> Result<Loaded, LoadError> {
    load(text.as_ref(), Format::Auto, origin)
}

fn message(text: impl AsRef<[u8]>, origin: &str) -> String {
    auto(text, origin).expect_err("the text is wrong").to_string()
}

#[test]
fn the_format_is_told_by_the_keys() {
    let format = |text| auto(text, "").unwrap().format;
    assert_eq!(format(DEFINITION), Format::Definition);
    assert_eq!(format(BLUEPRINT), Format::Blueprint);
    assert_eq!(format(TRACE), Format::WfFormat);
    assert_eq!(
        message(r#"{"steps": []}"#, "a.json"),
        "a.json:1:1: cannot tell the format: a file of finale has the key `tasks`, a blueprint has `blueprint`, WfFormat \
         has `workflow`, a definition has `nodes`; here are `steps`"
    );
}

#[test]
fn a_format_that_is_asked_for_is_not_guessed() {
    let error = load(DEFINITION.as_bytes(), Format::Blueprint, "a.json").unwrap_err();
    assert_eq!(error.code(), "file_unknown_key");
    let error = load(DEFINITION.as_bytes(), Format::WfFormat, "a.json").unwrap_err();
    assert_eq!(error.code(), "file_missing_key");
}

#[test]
fn formats_have_names() {
    for format in [Format::Auto, Format::Own, Format::Blueprint, Format::WfFormat, Format::Definition] {
        assert_eq!(format.to_string().parse(), Ok(format));
    }
    assert!("bluprint".parse::<Format>().is_err());
}

#[test]
fn the_own_form_comes_back_as_it_was_written() {
    let definition = auto(DEFINITION, "").unwrap().definition;
    let json = serde_json::to_string_pretty(&definition).unwrap();
    assert_eq!(auto(&json, "w.json").unwrap().definition, definition);
    let yaml = serde_saphyr::to_string(&definition).unwrap();
    assert_eq!(auto(&yaml, "w.yaml").unwrap().definition, definition);
}

#[test]
fn the_own_form_refuses_unknown_keys_with_a_place() {
    let mut definition = serde_json::to_value(auto(DEFINITION, "").unwrap().definition).unwrap();
    definition["nodes"][0]["colour"] = "red".into();
    let json = message(definition.to_string(), "w.json");
    assert!(json.starts_with("w.json:1:") && json.contains("unknown field `colour`, expected one of"), "{json}");
    let yaml = message(serde_saphyr::to_string(&definition).unwrap(), "w.yaml");
    assert!(yaml.starts_with("w.yaml:") && yaml.contains("colour"), "{yaml}");
}

#[test]
fn json_and_yaml_errors_name_path_line_and_column() {
    let json = DEFINITION.replace("\"task\"", "\"tsk\"");
    let expected = "w.json:3:33: nodes[0].type: unknown node type `tsk`, did you mean `task`?";
    assert!(message(&json, "w.json").starts_with(expected), "{}", message(&json, "w.json"));
    let yaml = BLUEPRINT.replace("label: N", "label: 12");
    assert_eq!(message(&yaml, "f.yaml"), "f.yaml:8:14: blueprint.nodes[0].label: expected text, found a number");
    let yaml = BLUEPRINT.replace("type: task", "typ: task");
    let expected = "f.yaml:7:7: blueprint.nodes[0].typ: unknown key `typ`, did you mean `type`?";
    assert!(message(&yaml, "f.yaml").starts_with(expected), "{}", message(&yaml, "f.yaml"));
}

#[test]
fn text_that_is_none_is_refused() {
    assert_eq!(auto("", "f").unwrap_err().code(), "file_empty");
    assert_eq!(auto(" \n", "f").unwrap_err().code(), "file_empty");
    assert_eq!(auto("# only a comment", "f.yaml").unwrap_err().code(), "file_wrong_type");
    assert_eq!(auto(b"{\"id\": \"\xff\"}", "f").unwrap_err().code(), "file_not_utf8");
    assert_eq!(auto("{\"id\": ", "f.json").unwrap_err().code(), "file_syntax");
    assert_eq!(auto("a: [", "f.yaml").unwrap_err().code(), "file_syntax");
    assert_eq!(auto("[]", "f.json").unwrap_err().code(), "file_wrong_type");
}

#[test]
fn a_byte_order_mark_is_skipped() {
    assert!(auto(format!("\u{feff}{DEFINITION}"), "").is_ok());
    assert!(auto(format!("\u{feff}{BLUEPRINT}"), "").is_ok());
}

#[test]
fn numbers_must_be_finite() {
    let node = |position: &str| BLUEPRINT.replace("label: N", &format!("label: N\n      position_x: {position}"));
    assert!(auto(node("-1.5"), "f.yaml").is_ok());
    for position in [".nan", ".inf", "-.inf", "1e999"] {
        let error = message(node(position), "f.yaml");
        assert!(error.starts_with("f.yaml:9:19: "), "{error}");
    }
    let json = DEFINITION.replace("\"label\"", "\"position_x\": 1e999, \"label\"");
    assert_eq!(auto(json, "w.json").unwrap_err().code(), "file_syntax");
}

#[test]
fn words_that_older_yaml_takes_for_booleans_are_text() {
    let text = BLUEPRINT.replace("Do n", "yes").replace("label: N", "label: no");
    assert_eq!(auto(text, "f.yaml").unwrap().definition.nodes[1].label, "no");
}

#[test]
fn keys_that_are_there_twice_are_refused() {
    let json = message(DEFINITION.replace("\"name\"", "\"id\""), "w.json");
    assert!(json.contains("the key `id` is there twice"), "{json}");
    let yaml = message(BLUEPRINT.replace("display_name", "name"), "f.yaml");
    assert!(yaml.contains("name") && yaml.starts_with("f.yaml:4:"), "{yaml}");
}

#[test]
fn a_second_document_is_refused() {
    let error = auto(format!("{BLUEPRINT}---{BLUEPRINT}"), "f.yaml").unwrap_err();
    assert_eq!(error.code(), "file_syntax");
}

#[test]
fn the_length_of_a_file_is_checked_before_it_is_parsed() {
    let limits = Limits::default().bytes_max(10);
    let error = limits.load(&[0xff; 11], Format::Auto, "f").unwrap_err();
    assert_eq!(error.to_string(), "f: the file has 11 bytes, at most 10 are read");
}

#[test]
fn the_number_of_values_is_limited_in_both_languages() {
    let limits = Limits::default().values_max(8);
    let json = limits.load(DEFINITION.as_bytes(), Format::Auto, "f").unwrap_err();
    assert_eq!(json.code(), "file_too_many_values");
    let yaml = limits.load(BLUEPRINT.as_bytes(), Format::Auto, "f").unwrap_err();
    assert_eq!(yaml.code(), "file_too_many_values");
}

#[test]
fn an_alias_bomb_stays_small() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let alias = format!("*a{}", level - 1);
        let row = [alias.as_str(); 9].join(", ");
        writeln!(bomb, "a{level}: &a{level} [{row}]").unwrap();
    }
    assert_eq!(auto(bomb, "f.yaml").unwrap_err().code(), "file_syntax");
}

#[test]
fn deep_nesting_is_an_error() {
    for (text, origin) in [("[", "f.json"), ("- ", "f.yaml")] {
        let error = auto(text.repeat(200_000), origin).unwrap_err();
        assert_eq!(error.code(), "file_too_deep", "{text}");
    }
    for text in ["[", "{a: "] {
        let error = auto(text.repeat(200_000), "f.yaml").unwrap_err();
        assert_eq!(error.code(), "file_syntax", "{text}");
    }
}

#[test]
fn nesting_up_to_the_limits_does_not_overflow_the_stack() {
    let nested = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
    let json = |levels| auto(DEFINITION.replace("\"Do n\"", &nested(levels)), "w.json");
    assert!(json(123).is_ok());
    assert_eq!(json(124).unwrap_err().code(), "file_too_deep");
    let yaml = |levels| auto(BLUEPRINT.replace("Do n", &nested(levels)), "f.yaml");
    assert!(yaml(99).is_ok());
    assert_eq!(yaml(100).unwrap_err().code(), "file_too_deep");
}

#[test]
fn nesting_through_aliases_is_an_error() {
    let mut text = String::from("a0: &a0 [x]\n");
    for level in 1..31 {
        writeln!(text, "a{level}: &a{level} [*a{}]", level - 1).unwrap();
    }
    assert_eq!(auto(text, "f.yaml").unwrap_err().code(), "file_syntax");
}

fn many_nodes(count: usize) -> String {
    let mut text = String::from("{\"id\": \"w\", \"name\": \"W\", \"nodes\": [{\"id\": \"s\", \"type\": \"start\"}");
    for number in 0..count {
        write!(text, ",{{\"id\":\"n{number}\",\"type\":\"task\",\"label\":\"n\",\"config\":{{\"title\":\"t\"}}}}")
            .expect("text can be written to");
    }
    text.push_str("]}");
    text
}

#[test]
fn a_hundred_thousand_nodes_are_loaded() {
    let loaded = auto(many_nodes(100_000), "w.json").unwrap();
    assert_eq!(loaded.definition.nodes.len(), 100_001);
}

#[test]
fn only_a_trace_has_runtimes() {
    assert_eq!(auto(TRACE, "").unwrap().runtimes.len(), 1);
    assert!(auto(DEFINITION, "").unwrap().runtimes.is_empty());
}

#[test]
fn a_definition_survives_a_round_trip_through_its_own_form_with_all_kinds() {
    let kinds = [
        "start",
        "end",
        "task",
        "conditional",
        "parallel_split",
        "parallel_join",
        "agent_assignment",
        "verification",
        "subworkflow",
    ];
    let nodes = kinds.map(|kind| serde_json::json!({"id": kind, "type": kind, "label": kind}));
    let text = serde_json::json!({"id": "w", "name": "W", "nodes": nodes}).to_string();
    let definition: Definition = auto(text, "w.json").unwrap().definition;
    for (text, origin) in [
        (serde_json::to_string(&definition).unwrap(), "w.json"),
        (serde_saphyr::to_string(&definition).unwrap(), "w.yaml"),
    ] {
        assert_eq!(auto(text, origin).unwrap().definition, definition);
    }
}
