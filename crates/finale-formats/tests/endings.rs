//! What undoes tasks and what runs at the end, in files.

use finale_core::compile::{Registry, compile};
use finale_core::definition::{Body, Definition, Task};
use finale_formats::{Format, load, write};

fn read(text: &str) -> Definition {
    load(text.as_bytes(), Format::Own, "f.yaml").unwrap_or_else(|error| panic!("{error}")).definition
}

const ORDER: &str = "id: order
tasks:
  charge:
    handler: charge_card
    compensate: {handler: refund, input: output}
  ship: {handler: ship, after: charge}
finally:
  handler: notify
  with: {verdict: '${{ verdict }}', error: '${{ error }}'}
ending_within: 1h
";

#[test]
fn a_refund_and_a_notification_are_read_as_a_builder_says_them() {
    let definition = read(ORDER);
    let built = Definition::builder("order")
        .name("Order")
        .task("charge", "charge_card")
        .compensate(Task::handler("refund").input("output"))
        .task("ship", "ship")
        .after("charge")
        .ending_within(std::time::Duration::from_secs(3_600));
    let Some(Body::Task(told)) = definition.finally.as_deref() else { panic!("{:?}", definition.finally) };
    assert_eq!(Definition { finally: None, ..definition.clone() }, built.build());
    assert_eq!(told.work, Task::handler("notify").work);
    assert!(compile(definition, &Registry::new()).is_ok());
}

#[test]
fn what_is_read_is_written_and_read_back() {
    let files = [
        ORDER,
        "id: w\ntasks:\n  a: {map: input, handler: h, compensate: {group: {tasks: {b: {handler: h}}, finally: {log: x}}}}\n",
        "id: w\ntasks:\n  a: {group: {tasks: {b: {handler: h, compensate: {assignee: me}}}, finally: {shell: x}}}\nfinally: {call: e}\nworkflows:\n  e: {tasks: {c: {handler: h}}, finally: {log: over}}\n",
        "id: w\nnodes:\n  s: {split: true}\n  a: {task: {handler: h, after: s, compensate: {handler: u, retry: 3}}}\n  b: {task: {handler: h, after: s}}\n  j: {join: all, after: [a, b]}\n",
    ];
    for text in files {
        let definition = read(text);
        let written = write::yaml(&definition);
        assert!(!written.contains("kind:"), "it has words of its own: {written}");
        assert_eq!(read(&written), definition, "{written}");
        assert!(compile(definition, &Registry::new()).is_ok(), "{text}");
    }
}

#[test]
fn what_is_wrong_in_it_is_named_by_the_way_that_leads_there() {
    let cases = [
        (
            "tasks:\n  a:\n    handler: h\n    compensate: {handler: u, input: outputs}\n",
            "inside of \"a@compensate\": ",
        ),
        ("tasks: {a: {handler: h}}\nfinally:\n  handler: h\n  input: verdikt\n", "inside of \"@finally\": "),
        (
            "tasks: {a: {handler: h}}\nfinally: {group: {tasks: {b: {when: nodes.c.output}}}}\n",
            "inside of \"@finally\": ",
        ),
        ("tasks: {a: {handler: h, compensate: {handler: u, after: a}}}\n", "nothing comes before or after it"),
        ("tasks: {a: {handler: h, finally: {log: x}}}\n", "stands under `finally`, beside `tasks`"),
        ("tasks: {a: {handler: h, undo: {log: x}}}\n", "compensate"),
        ("tasks: {a: {handler: h}}\nalways: {log: x}\n", "finally"),
        (
            "tasks: {a: {handler: h}}\nfinally: {group: {tasks: {b: {}}, output: '1'}}\n",
            "its output has no meaning here",
        ),
        ("tasks: {a: {handler: h}}\nending_within: 0s\n", "f.yaml:3:16"),
        ("tasks: {a: {}}\nfinally: 5\n", "f.yaml:3:10"),
    ];
    for (text, expected) in cases {
        let text = format!("id: w\n{text}");
        let error = match load(text.as_bytes(), Format::Own, "f.yaml") {
            Err(error) => error.to_string(),
            Ok(loaded) => compile(loaded.definition, &Registry::new()).expect_err(&text).to_string(),
        };
        assert!(error.contains(expected), "{text}: {error}");
    }
    let text = "id: w\ntasks:\n  a:\n    handler: h\n    compensate: {handler: u, input: output}\nfinally:\n  group:\n    tasks:\n      b: {handler: h}\n";
    let places = load(text.as_bytes(), Format::Own, "f.yaml").expect("it is read").places;
    assert_eq!(places.expression("a@compensate::a"), Some((5, 37)));
    assert_eq!(places.node("@finally::b"), Some((9, 7)));
}
