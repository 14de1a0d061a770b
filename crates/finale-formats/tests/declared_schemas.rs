//! JSON Schemas in files.

use finale_core::compile::{Code, declared_schemas};
use finale_core::definition::{Body, Definition, NodeKind, Schema, Wait};
use finale_formats::{Format, load, write};

const ALL: &str = "\
id: order
input_schema:
  type: object
  properties: {pattern: {pattern: '${{'}}
output_schema: {type: string}
tasks:
  charge:
    handler: charge_card
    input_schema: {type: integer}
    output_schema: true
  each:
    map: input.list
    handler: pack
    output_schema:
      type: number
    compensate: {handler: unpack, input_schema: false}
  notify: {shell: mail, output_schema: {const: null}}
nodes:
  paid: {signal: payment, timeout: 1h, schema: {type: integer}}
";

fn loaded(text: &str) -> Definition {
    load(text.as_bytes(), Format::Own, "f.yaml").unwrap_or_else(|error| panic!("{error}")).definition
}

fn schema(json: &str) -> Option<Schema> {
    Some(Schema::from_json(json.as_bytes()).expect("it is a schema"))
}

#[test]
fn what_a_file_says_of_schemas_is_read() {
    let definition = loaded(ALL);
    assert_eq!(
        definition.input_schema,
        schema(r#"{"type": "object", "properties": {"pattern": {"pattern": "${{"}}}"#),
        "nothing in it is a template"
    );
    assert_eq!(definition.output_schema, schema(r#"{"type": "string"}"#));
    let node = |id: &str| definition.nodes.iter().find(|node| node.id == id).expect("it is there");
    let NodeKind::Task(charge) = &node("charge").kind else { panic!("it is a task") };
    assert_eq!((&charge.input_schema, &charge.output_schema), (&schema(r#"{"type": "integer"}"#), &schema("true")));
    let NodeKind::Map(each) = &node("each").kind else { panic!("it is a map") };
    assert!(matches!(&each.body, Body::Task(pack) if pack.output_schema == schema(r#"{"type": "number"}"#)));
    let undo = node("each").compensate.as_deref();
    assert!(matches!(undo, Some(Body::Task(unpack)) if unpack.input_schema == schema("false")));
    let NodeKind::Wait(Wait::Signal(paid)) = &node("paid").kind else { panic!("it waits for a signal") };
    assert_eq!(paid.schema, schema(r#"{"type": "integer"}"#));
}

#[test]
fn what_was_read_is_written_and_read_again() {
    let definition = loaded(ALL);
    for text in [write::yaml(&definition), write::json(&definition)] {
        assert!(!text.contains("\"kind\"") && !text.contains("kind:"), "it has words of its own: {text}");
        let name = if text.starts_with('{') { "f.json" } else { "f.yaml" };
        let again = load(text.as_bytes(), Format::Own, name).unwrap_or_else(|error| panic!("{error}")).definition;
        assert_eq!(again, definition, "{text}");
    }
}

/// Others check what a schema says; where it stands is known here.
#[test]
fn what_is_wrong_with_a_schema_is_shown_where_it_stands() {
    let loaded = load(ALL.as_bytes(), Format::Own, "f.yaml").unwrap_or_else(|error| panic!("{error}"));
    let schemas = declared_schemas(&loaded.definition);
    let problems: Vec<_> = schemas.iter().map(|schema| schema.problem(Code::SchemaInvalid, "!")).collect();
    let shown = loaded.places.diagnostics(&loaded.definition, &problems);
    let places: Vec<_> = shown.iter().map(|shown| shown.place).collect();
    let expected = [(3, 3), (5, 16), (9, 19), (10, 20), (17, 40), (19, 48), (15, 7), (16, 49)];
    assert_eq!(places, expected.map(Some), "{problems:?}");
}

#[test]
fn a_schema_is_limited() {
    let fault = |schema: &str| {
        let text = format!("id: w\ntasks: {{a: {{handler: h, input_schema: {schema}}}}}");
        load(text.as_bytes(), Format::Own, "f.yaml").expect_err("it is refused").to_string()
    };
    let long = format!("{{title: {}}}", "x".repeat(Schema::BYTES_MAX));
    assert!(fault(&long).contains("the schema has more than 262144 bytes"), "{}", fault(&long));
    assert!(fault("[]").contains("a JSON Schema: a map, `true` or `false`"), "{}", fault("[]"));
    assert!(fault("{const: 0755}").contains("0755"), "{}", fault("{const: 0755}"));
}
