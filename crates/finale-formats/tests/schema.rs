//! The schema and the reader agree about what is a file of finale.

use boon::{Compiler, SchemaIndex, Schemas};
use finale_formats::{Format, SCHEMA, load};
use serde_json::Value;

struct Validator {
    schemas: Schemas,
    index: SchemaIndex,
}

impl Validator {
    fn new() -> Self {
        let mut compiler = Compiler::new();
        let schema = serde_json::from_str(SCHEMA).expect("the schema is JSON");
        compiler.add_resource("finale.json", schema).expect("the name is new");
        let mut schemas = Schemas::new();
        let index = compiler.compile("finale.json", &mut schemas).expect("the schema is right");
        Self { schemas, index }
    }

    fn accepts(&self, text: &str) -> bool {
        let options = serde_saphyr::options! { strict_booleans: true };
        let document: Value = serde_saphyr::from_str_with_options(text, options).expect("the text is YAML");
        self.schemas.validate(&document, self.index).is_ok()
    }
}

fn reads(text: &str) -> bool {
    load(text.as_bytes(), Format::Own, "f.yaml").is_ok()
}

/// A file with this task in it.
fn task(text: &str) -> String {
    format!("id: w\ntasks: {{a: {{}}, t: {text}}}")
}

/// A file with this node in it.
fn node(text: &str) -> String {
    format!("id: w\nnodes: {{a: {{split: true}}, t: {text}}}")
}

/// A file with this beside its tasks.
fn head(text: &str) -> String {
    format!("id: w\ntasks: {{a: {{}}, b: {{}}}}\n{text}")
}

const GOOD_TASKS: &[&str] = &[
    "{}",
    "{title: T, label: L, handler: h, input: 5, after: a, when: true}",
    "{handler: h, with: [1, {a: '${{ input }}'}], after: [a, {node: a, on: always}], retry: 3, timeout: 1h30m}",
    "{shell: x, retry: {attempts: 65535, backoff: 0.5s}, optional: true, at_most_once: false}",
    "{handler: h, retry: {attempts: 9, backoff: {kind: exponential, initial: 1s, factor: 1.5, max: 1m, jitter_percent: 20}}}",
    "{handler: h, retry: {attempts: 9, backoff: {initial: 1s, factor: 3}, within: 1h, on: lost, not_on: [a, b], exhausted: hold}}",
    "{shell: {command: x, env: {A: 1, B: '${{ input.b }}'}, dir: d}}",
    "{sleep: 500ms}",
    "{sleep: '${{ input.pause }}'}",
    "{log: hello, labels: {a: b, c: 3}, assignee: me}",
    "{with: null}",
    "{shell: {command: x, env: {A: 3.10, B: true}}, labels: {c: 1.50}}",
    "{handler: h, with: '3.10'}",
    "{call: w, with: {a: 1}, after: a, when: true, optional: true, title: T, label: L, labels: {a: b}}",
    "{call: {workflow: w, version: 1.0.0, output: output.x, on_failure: {tolerate: 1}, siblings: finish}, input: input}",
    "{handler: h, after: a, trigger_rule: all_done}",
    "{map: input.list, handler: h, input: item, retry: 2, optional: true}",
    "{map: [1, {a: '${{ input.b }}'}], shell: x}",
    "{map: {matrix: {a: [1, 2], b: [x]}, max_concurrency: 2, tolerate: {percent: 10}}, call: w}",
    "{map: {items: input.list, tolerate: 1}, group: {tasks: {b: {handler: h}}, output: item}}",
    "{loop: {until: output, rounds_max: 3, delay: 1s}, handler: h}",
    "{loop: {while: round < 3, rounds_max: 3}, title: T, group: {nodes: {b: {condition: 'true'}}}}",
    "{group: {tasks: {b: {}}, on_failure: wait_all, siblings: finish}, optional: true, after: a}",
    "{handler: h, after: a, trigger_rule: {at_least: 1}, on_failure: a}",
    "{handler: h, optional: false, on_failure: a}",
    "{handler: h, compensate: {handler: undo, input: output, retry: 3, timeout: 1m}, after: a}",
    "{call: w, compensate: {call: {workflow: u, version: 1.0.0}, with: {a: '${{ output }}'}}}",
    "{map: input.list, shell: x, compensate: {shell: y, title: T, at_most_once: true, labels: {a: b}}}",
    "{group: {tasks: {b: {compensate: {assignee: me}}}, finally: {log: done}}, compensate: {group: {tasks: {c: {}}}}}",
    "{after: {node: a, on: failure}}",
    "{map: {items: [1], compensate: {handler: undo, input: output}}, handler: h}",
    "{handler: h, input_schema: {type: object, required: [a]}, output_schema: true}",
    "{map: input.list, handler: h, output_schema: {type: string, pattern: '${{'}}",
    "{handler: h, compensate: {handler: undo, input_schema: {$ref: '#/$defs/a'}}}",
];

const GOOD_NODES: &[&str] = &[
    "{start: true, label: L}",
    "{end: true, after: a}",
    "{condition: input.x, when: input.y}",
    "{split: {}}",
    "{split: {max_concurrency: 2}}",
    "{join: any, after: {node: a, on: branch}}",
    "{assign: me}",
    "{join: {at_least: 1, losers: cancel}, after: {node: a, on: branch}}",
    "{join: {strategy: any}, after: {node: a, on: branch}}",
    "{condition: input.x, trigger_rule: one_failed, on_failure: t}",
    "{subworkflow: {workflow: w, version: 1.0.0}, on_failure: t}",
    "{verification: {rubric: r, evaluator: e, preset: pass}}",
    "{subworkflow: {workflow: w, version: 1.0.0, inputs: {a: null}, outputs: {}}}",
    "{task: {shell: x, after: a}}",
    "{task: {shell: x, compensate: {shell: y}}}",
    "{subworkflow: {workflow: w, version: 1.0.0}, compensate: {handler: undo}}",
    "{signal: s, timeout: 1m, schema: {type: integer}}",
];

const GOOD_HEADS: &[&str] = &[
    "",
    "$schema: x\nname: W\nversion: 1.2.3\ndescription: d\noutput: nodes.a.output\nsiblings: finish",
    "inputs: {a: string, b: {type: json, required: false, default: null, description: d}}\noutputs: {c: integer}",
    "on_failure: wait_all",
    "finally: {handler: tell, with: {verdict: '${{ verdict }}'}}\nending_within: 5m",
    "input_schema: {type: object}\noutput_schema: false",
    "finally: {group: {tasks: {tell: {log: '${{ error }}'}}}}",
    "x-a: &a {b: 1}\nx-b: *a",
    "on_failure: {tolerate: 0}",
    "on_failure: {tolerate: {percent: 10}}",
    "on_failure: {tolerate: {count: 10}}",
    "edges: [{from: a, to: b, id: x, label: y, on: always}]",
    "workflows: {c: other.yaml, d: {inputs: {x: json}, tasks: {a: {call: e}}, workflows: {e: {nodes: {}}}}}",
];

#[test]
fn what_the_reader_takes_the_schema_takes() {
    let validator = Validator::new();
    let files = GOOD_TASKS.iter().map(|text| task(text));
    let files = files.chain(GOOD_NODES.iter().map(|text| node(text))).chain(GOOD_HEADS.iter().map(|text| head(text)));
    for text in files.chain(["id: w\ntasks: {}".to_owned(), "id: w\nnodes: {}".to_owned()]) {
        assert!(reads(&text), "{text}: {:?}", load(text.as_bytes(), Format::Own, "f.yaml"));
        assert!(validator.accepts(&text), "{text}");
    }
}

const BAD_TASKS: &[&str] = &[
    "{call: 5}",
    "{call: {version: 1.0.0}}",
    "{call: {workflow: w, inputs: {}}}",
    "{call: w, handler: h}",
    "{call: w, timeout: 5s}",
    "{call: w, input: x, with: y}",
    "null",
    "[]",
    "{needs: a}",
    "{handler: h, shell: x}",
    "{shell: x, log: y}",
    "{shell: x, input: y}",
    "{sleep: 1s, with: y}",
    "{input: x, with: y}",
    "{input: {a: 1}}",
    "{shell: {}}",
    "{shell: {command: x, cwd: y}}",
    "{shell: {command: x, env: {A: [1]}}}",
    "{sleep: 5}",
    "{sleep: '5'}",
    "{sleep: 1s1h}",
    "{timeout: 30}",
    "{timeout: ''}",
    "{timeout: 5 minutes}",
    "{timeout: 1.s}",
    "{retry: 0}",
    "{retry: 65536}",
    "{retry: 1.5}",
    "{retry: {backoff: 1s}}",
    "{retry: {attempts: 2, backoff: {factor: 2}}}",
    "{retry: {attempts: 2, backoff: {initial: 1s, factor: 0.5}}}",
    "{retry: {attempts: 2, backoff: {initial: 1s, kind: linear, factor: 2}}}",
    "{retry: {attempts: 2, backoff: {initial: 1s, jitter_percent: 101}}}",
    "{retry: {attempts: 2, within: 10}}",
    "{retry: {attempts: 2, on: 5}}",
    "{retry: {attempts: 2, exhausted: wait}}",
    "{optional: yes}",
    "{at_most_once: 1}",
    "{labels: {a: null}}",
    "{after: 7}",
    "{after: {on: true}}",
    "{after: {node: a, on: maybe}}",
    "{after: null}",
    "{title: 5}",
    "{title: 3.10}",
    "{title: true}",
    "{handler: 1.0}",
    "{log: 5}",
    "{after: [7]}",
    "{x-note: 1}",
    "{trigger_rule: always}",
    "{trigger_rule: at_least}",
    "{trigger_rule: {at_least: 0}}",
    "{trigger_rule: {}}",
    "{on_failure: [a]}",
    "{on_failure: a, optional: true}",
    "{compensate: undo}",
    "{compensate: {handler: undo, after: a}}",
    "{compensate: {handler: undo, shell: x}}",
    "{compensate: {group: {tasks: {}}, title: T}}",
    "{compensate: {call: w, timeout: 5s}}",
    "{compensate: {optional: true}}",
    "{compensate: {map: [1], handler: h}}",
    "{finally: {log: x}}",
    "{input_schema: integer}",
    "{map: {items: [1], compensate: {handler: undo}}, group: {tasks: {a: {}}}}",
    "{map: {items: [1], compensate: undo}, handler: h}",
    "{output_schema: null}",
    "{call: w, output_schema: true}",
    "{group: {tasks: {}}, input_schema: true}",
    "{compensate: {call: w, input_schema: true}}",
    "{schema: true}",
];

const BAD_NODES: &[&str] = &[
    "{}",
    "null",
    "{label: x}",
    "{start: false}",
    "{start: true, end: true}",
    "{start: true, after: a}",
    "{split: false}",
    "{split: {max_concurrency: 0}}",
    "{join: every}",
    "{join: true}",
    "{assign: 5}",
    "{condition: {a: 1}}",
    "{verification: {rubric: r}}",
    "{verification: {rubric: r, evaluator: e, preset: maybe}}",
    "{subworkflow: {workflow: w, version: 1.0}}",
    "{subworkflow: {workflow: w, version: 1.0.0, inputs: []}}",
    "{task: {}, after: a}",
    "{task: {}, join: all}",
    "{task: {}, trigger_rule: all_done}",
    "{task: {}, on_failure: t}",
    "{start: true, trigger_rule: all_done}",
    "{join: all, trigger_rule: all_done}",
    "{join: {at_least: 1, strategy: any}}",
    "{join: {at_least: many}}",
    "{join: {losers: keep}}",
    "{split: true, on_failure: t}",
    "{join: any, on_failure: t}",
    "{join: any, compensate: {log: x}}",
    "{task: {}, compensate: {log: x}}",
    "{signal: s, schema: integer}",
    "{delay: 1s, schema: true}",
    "{task: {}, schema: true}",
];

const BAD_HEADS: &[&str] = &[
    "title: W",
    "schedule: daily",
    "X-a: 1",
    "name: 5",
    "version: 1.0",
    "inputs: [a]",
    "inputs: {a: text}",
    "inputs: {a: {default: 1}}",
    "inputs: {a: {type: string, required: yes}}",
    "outputs: {a: null}",
    "input_schema: object",
    "output_schema: []",
    "on_failure: wait",
    "on_failure: {tolerate: -1}",
    "on_failure: {}",
    "siblings: stop",
    "finally: tell",
    "finally: {tell: {log: x}}",
    "ending_within: 5",
    "output: [1]",
    "edges: {}",
    "edges: [{from: a}]",
    "edges: [{from: a, to: b, on: 5}]",
    "edges: [{from: a, to: b, kind: x}]",
];

#[test]
fn what_the_schema_refuses_the_reader_refuses() {
    let validator = Validator::new();
    let tasks = BAD_TASKS.iter().map(|text| task(text));
    let nodes = BAD_NODES.iter().map(|text| node(text));
    let files = tasks.chain(nodes).chain(BAD_HEADS.iter().map(|text| head(text)));
    for text in files.chain(["tasks: {}".to_owned(), "id: w".to_owned(), "id: w\ntasks: []".to_owned()]) {
        assert!(!reads(&text), "{text}");
        assert!(!validator.accepts(&text), "{text}");
    }
}

#[test]
fn what_only_the_reader_can_see_only_the_reader_refuses() {
    let validator = Validator::new();
    for text in [task("{after: nobody}"), task("{after: {node: a, on: true}}"), task("{log: '${{'}")] {
        assert!(validator.accepts(&text) && !reads(&text), "{text}");
    }
}
