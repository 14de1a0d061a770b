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
    let told = "nodes[0].colour: unknown key `colour`; accepted: `id`, `label`, `kind`, `trigger_rule`, `compensate`";
    assert!(json.starts_with("w.json:1:") && json.ends_with(told), "{json}");
    let yaml = message(serde_saphyr::to_string(&definition).unwrap(), "w.yaml");
    assert!(yaml.starts_with("w.yaml:") && yaml.ends_with(told), "{yaml}");
}

#[test]
fn json_and_yaml_errors_name_path_line_and_column() {
    let json = DEFINITION.replace("\"task\"", "\"tsk\"");
    let expected = "w.json:3:33: nodes[0].type: unknown node type `tsk`, did you mean `task`?";
    assert!(message(&json, "w.json").starts_with(expected), "{}", message(&json, "w.json"));
    let yaml = BLUEPRINT.replace("label: N", "label: 12");
    assert_eq!(
        message(&yaml, "f.yaml"),
        "f.yaml:8:14: blueprint.nodes[0].label: expected text, found a number: quote it, `\"12\"`"
    );
    let yaml = BLUEPRINT.replace("type: task", "typ: task");
    let expected = "f.yaml:7:7: blueprint.nodes[0].typ: unknown key `typ`, did you mean `type`?";
    assert!(message(&yaml, "f.yaml").starts_with(expected), "{}", message(&yaml, "f.yaml"));
}

#[test]
fn text_that_is_none_is_refused() {
    assert_eq!(auto("", "f").unwrap_err().code(), "file_empty");
    assert_eq!(auto(" \n", "f").unwrap_err().code(), "file_empty");
    assert_eq!(auto("# only a comment", "f.yaml").unwrap_err().code(), "file_empty");
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
    assert_eq!(error.to_string(), "f.yaml:10:1: a second document begins here (`---`), and a file holds one: split it");
    assert_eq!(error.code(), "file_over_limit");
    assert!(auto(format!("---{BLUEPRINT}...\n# the end\n"), "f.yaml").is_ok());
}

#[test]
fn the_length_of_a_file_is_checked_before_it_is_parsed() {
    let limits = Limits::default().bytes_max(10);
    let error = limits.load(&[0xff; 11], Format::Auto, "f").unwrap_err();
    assert_eq!(error.to_string(), "f: the file has 11 bytes, at most 10 are read");
}

/// The message about a file that is beyond a limit.
fn beyond(text: impl AsRef<[u8]>, origin: &str) -> String {
    let error = auto(text, origin).expect_err("it is beyond a limit");
    assert_eq!(error.code(), "file_over_limit", "{error}");
    error.to_string()
}

#[test]
fn the_number_of_values_is_limited_in_both_languages() {
    for text in [DEFINITION, BLUEPRINT] {
        let error = Limits::default().values_max(8).load(text.as_bytes(), Format::Auto, "f").unwrap_err();
        assert_eq!(error.code(), "file_over_limit");
        assert!(error.to_string().contains("the file holds more than 8 values"), "{error}");
    }
    assert!(Limits::default().values_max(10).load(DEFINITION.as_bytes(), Format::Auto, "f").is_ok());
    assert!(Limits::default().values_max(11).load(BLUEPRINT.as_bytes(), Format::Auto, "f").is_ok());
}

#[test]
fn an_alias_bomb_stays_small() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let alias = format!("*a{}", level - 1);
        let row = [alias.as_str(); 9].join(", ");
        writeln!(bomb, "a{level}: &a{level} [{row}]").unwrap();
    }
    let message = beyond(bomb, "f.yaml");
    assert!(
        message.contains("the anchors and aliases (`*name`) of the file stand for more than 100000 values"),
        "{message}"
    );
}

#[test]
fn the_number_of_anchors_is_limited() {
    let anchors = |count: usize| {
        let mut text = String::from("id: w\ntasks: {}\nx-anchors:\n");
        (0..count).for_each(|number| writeln!(text, "  - &a{number} x").unwrap());
        text
    };
    assert!(auto(anchors(1_000), "f.yaml").is_ok());
    assert_eq!(beyond(anchors(1_001), "f.yaml"), "f.yaml:1004:12: the file has more than 1000 anchors (`&name`)");
}

#[test]
fn deep_nesting_is_an_error() {
    for (text, origin) in [("[", "f.json"), ("- ", "f.yaml"), ("[", "f.yaml"), ("{a: ", "f.yaml")] {
        let message = beyond(text.repeat(200_000), origin);
        assert!(message.ends_with("lists and maps are nested more than 127 levels deep"), "{text}: {message}");
    }
}

#[test]
fn nesting_up_to_the_limits_does_not_overflow_the_stack() {
    let nested = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
    let json = |levels| DEFINITION.replace("\"Do n\"", &nested(levels));
    assert!(auto(json(123), "w.json").is_ok());
    beyond(json(124), "w.json");
    let yaml = |levels| BLUEPRINT.replace("Do n", &nested(levels));
    assert!(auto(yaml(122), "f.yaml").is_ok());
    beyond(yaml(123), "f.yaml");
}

#[test]
fn nesting_through_aliases_is_an_error() {
    let nested = |levels: usize| {
        let mut text = String::from("id: w\ntasks: {}\nx-a0: &a0 [x]\n");
        (1..levels).for_each(|level| writeln!(text, "x-a{level}: &a{level} [*a{}]", level - 1).unwrap());
        text
    };
    assert!(auto(nested(126), "f.yaml").is_ok());
    beyond(nested(127), "f.yaml");
}

#[test]
fn an_alias_inside_of_its_own_anchor_is_refused() {
    let text = "id: w\ntasks: {}\nx-a: &a\n  b: [*a]\n";
    assert_eq!(message(text, "f.yaml"), "f.yaml:4:7: the alias stands inside of what it stands for");
}

#[test]
fn merged_maps_give_what_is_not_written() {
    let text = "
id: w
x-slow: &slow {timeout: 2h, retry: 3}
x-loud: &loud {timeout: 1h, title: Loud}
tasks:
  one: {<<: *slow, timeout: 1m, log: hi}
  two: {log: hi, <<: [*slow, *loud]}
";
    let plain = "
id: w
tasks:
  one: {timeout: 1m, retry: 3, log: hi}
  two: {log: hi, timeout: 2h, retry: 3, title: Loud}
";
    assert_eq!(auto(text, "f.yaml").unwrap().definition, auto(plain, "f.yaml").unwrap().definition);
    let wrong = message("id: w\ntasks:\n  a: {<<: [1]}\n", "f.yaml");
    assert_eq!(wrong, "f.yaml:3:12: behind `<<` stands a map, or a list of maps");
}

#[test]
fn keys_are_texts() {
    let cases = [
        ("~: x", "1:1: `~` is nothing, and cannot be a key: quote it"),
        ("null: x", "1:1: `null` is nothing, and cannot be a key: quote it"),
        (": x", "1:1: the key before the `:` is missing"),
        ("? [a]\n: x", "1:3: a list or a map cannot be a key"),
        ("[1, 2]: x", "1:1: a list or a map cannot be a key"),
    ];
    for (text, expected) in cases {
        assert_eq!(message(text, "f.yaml"), format!("f.yaml:{expected}"), "{text}");
    }
    let definition =
        auto("id: w\ntasks:\n  1.50: {}\n  007: {}\n  true: {}\n  \"null\": {}\n", "f.yaml").unwrap().definition;
    let ids: Vec<_> = definition.nodes.iter().map(|node| &*node.id).take(4).collect();
    assert_eq!(ids, ["1.50", "007", "true", "null"]);
}

#[test]
fn control_characters_are_refused_where_they_stand() {
    let yaml = message("id: w\ntasks: {a: {log: \"ä\u{1b}[2J\"}}\n", "f.yaml");
    assert!(yaml.starts_with("f.yaml:2:20: the control character U+001B may not stand in a file"), "{yaml}");
    assert!(yaml.contains(r"`\x1b`"), "{yaml}");
    let json = message("{\"id\": \"a\u{1}\"}", "f.json");
    assert!(json.starts_with("f.json:1:") && json.contains("a control character stands in a text"), "{json}");
}

#[test]
fn tags_are_refused_unless_they_say_what_is_so() {
    let read = |value: &str| auto(format!("id: w\ntasks: {{a: {{handler: h, with: {value}}}}}"), "f.yaml");
    for value in ["!!str 5", "!!int 5", "!!float 0.5", "!!bool true", "!!seq [1]", "!!map {a: 1}", "!!null null"] {
        assert!(read(value).is_ok(), "{value}: {:?}", read(value));
    }
    for value in ["!custom 5", "!!int x", "!!binary aGk=", "!!set {a}", "!!str [1]"] {
        let message = read(value).unwrap_err().to_string();
        assert!(message.contains("does not belong here: leave it out"), "{value}: {message}");
    }
}

#[test]
fn messages_are_not_those_of_a_parser() {
    let cases = [
        ("{\"id\": \"w\"", "f.json", "the text breaks off: a bracket, a brace or a quote is not closed"),
        ("{\"id\": 1,}", "f.json", "the last `,` before a bracket or brace closes is too many"),
        ("{1: 2}", "f.json", "a key is a text between double quotes"),
        ("{} {}", "f.json", "something stands behind the end of the document"),
        ("{\"id\": 1e999}", "f.json", "the number is too large: quote it if it is text"),
        ("a: [1, 2", "f.yaml", "a `[` is not closed"),
        ("a: \"x", "f.yaml", "a quote is not closed"),
        ("a: \"\\d\"", "f.yaml", "write `\\\\` for a backslash"),
        ("a: 'b' c", "f.yaml", "put the whole text between quotes"),
        ("a: b\nc", "f.yaml", "a `:` is missing behind this key"),
    ];
    for (text, origin, expected) in cases {
        let message = message(text, origin);
        assert!(message.contains(expected), "{text}: {message}");
    }
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
