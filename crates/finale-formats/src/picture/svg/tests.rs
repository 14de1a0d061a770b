use std::collections::HashMap;

use finale_core::Definition;
use finale_core::definition::{EdgeKind, Node, NodeKind, Task};
use proptest::prelude::*;

use super::super::tests::{BODIES, ENDINGS, all_kinds, hostile, record};
use super::svg;
use crate::{Format, load};

/// An element of a picture.
#[derive(Clone, Debug, Default)]
struct Element {
    name: String,
    attributes: HashMap<String, String>,
    /// The number of the element that it stands in.
    parent: Option<usize>,
    text: String,
}

/// Reads XML, and takes nothing that is not well-formed: every tag is closed in its order, every attribute is quoted and
/// there once, every `&` begins a known entity.
fn elements(xml: &str) -> Vec<Element> {
    let mut elements: Vec<Element> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    let mut rest = xml;
    while let Some(at) = rest.find('<') {
        let text = unescaped(&rest[..at]);
        match open.last() {
            Some(own) => elements[*own].text.push_str(&text),
            None => assert_eq!(text.trim(), "", "text outside of the document"),
        }
        let end = at + rest[at..].find('>').expect("a tag ends");
        let tag = &rest[at + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            let own = open.pop().expect("what is closed is open");
            assert_eq!(elements[own].name, name);
            continue;
        }
        assert!(!open.is_empty() || elements.is_empty(), "there is one document");
        let (tag, is_empty) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
        let mut element = read_tag(tag);
        element.parent = open.last().copied();
        if !is_empty {
            open.push(elements.len());
        }
        elements.push(element);
    }
    assert_eq!((open.len(), rest.trim()), (0, ""));
    elements
}

fn read_tag(tag: &str) -> Element {
    let (name, mut rest) = tag.split_once(' ').unwrap_or((tag, ""));
    assert!(!name.is_empty() && name.chars().all(char::is_alphabetic), "{tag}");
    let mut element = Element { name: name.to_owned(), ..Element::default() };
    while !rest.is_empty() {
        let (key, value) = rest.split_once("=\"").expect("an attribute has a value in quotes");
        assert!(key.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-'), "{tag}");
        let (value, more) = value.split_once('"').expect("the value ends");
        assert!(!value.contains('<'), "{tag}");
        assert!(element.attributes.insert(key.to_owned(), unescaped(value)).is_none(), "{tag}");
        rest = more.strip_prefix(' ').unwrap_or(more);
        assert!(more.is_empty() || more.starts_with(' '), "{tag}");
    }
    element
}

fn unescaped(text: &str) -> String {
    let mut parts = text.split('&');
    let mut unescaped = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (entity, text) = part.split_once(';').expect("an entity ends");
        unescaped.push(match entity {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "#39" => '\'',
            other => panic!("unknown entity {other}"),
        });
        unescaped.push_str(text);
    }
    assert!(unescaped.chars().all(|letter| letter == '\n' || !letter.is_control()), "{unescaped:?}");
    unescaped
}

fn loaded(text: &str) -> Definition {
    load(text.as_bytes(), Format::Own, "f.yaml").unwrap().definition
}

fn has_class(element: &Element, class: &str) -> bool {
    element.attributes.get("class").is_some_and(|classes| classes.split(' ').any(|known| known == class))
}

/// The numbers that an attribute is made of.
fn digits(text: &str) -> Vec<f64> {
    let is_of_number = |letter: char| letter.is_ascii_digit() || letter == '.' || letter == '-';
    let numbers = text.split(|letter| !is_of_number(letter)).filter(|part| !part.is_empty());
    numbers.map(|part| part.parse().unwrap()).collect()
}

/// A node of a picture: its path, the node that it stands in, and its rectangle: left, top, right, bottom.
#[derive(Debug)]
struct Shown {
    path: String,
    within: Option<usize>,
    rectangle: [f64; 4],
}

fn shown(elements: &[Element]) -> Vec<Shown> {
    let nodes: Vec<usize> = (0..elements.len()).filter(|at| has_class(&elements[*at], "node")).collect();
    let show = |at: &usize| {
        let own = |element: &&Element| element.parent == Some(*at) && element.name != "title";
        let shape = elements.iter().find(own).expect("a node has a shape");
        let within = elements[*at].parent.and_then(|parent| nodes.iter().position(|node| *node == parent));
        Shown { path: elements[*at].attributes["data-node"].clone(), within, rectangle: rectangle(shape) }
    };
    nodes.iter().map(show).collect()
}

fn rectangle(shape: &Element) -> [f64; 4] {
    let number = |key: &str| digits(&shape.attributes[key])[0];
    match shape.name.as_str() {
        "rect" => [number("x"), number("y"), number("x") + number("width"), number("y") + number("height")],
        "polygon" => {
            let points = digits(&shape.attributes["points"]);
            let of = |first: usize| points.iter().skip(first).step_by(2).copied();
            let (least, most) = (f64::INFINITY, f64::NEG_INFINITY);
            [
                of(0).fold(least, f64::min),
                of(1).fold(least, f64::min),
                of(0).fold(most, f64::max),
                of(1).fold(most, f64::max),
            ]
        }
        _ => digits(&shape.attributes["d"])[..4].try_into().unwrap(),
    }
}

/// What holds of every picture.
fn check(definition: &Definition) -> Vec<Element> {
    let text = svg(definition, None);
    assert_eq!(text, svg(definition, None), "the same definition has the same picture");
    let elements = elements(&text);
    let page = digits(&elements[0].attributes["viewBox"]);
    let nodes = shown(&elements);
    for (at, node) in nodes.iter().enumerate() {
        let [left, top, right, bottom] = node.rectangle;
        let [outer_left, outer_top, outer_right, outer_bottom] =
            node.within.map_or([0.0, 0.0, page[2], page[3]], |within| nodes[within].rectangle);
        assert!(left >= outer_left && top >= outer_top, "{} leaves what it stands in: {text}", node.path);
        assert!(right <= outer_right && bottom <= outer_bottom, "{} leaves what it stands in: {text}", node.path);
        for other in nodes[..at].iter().filter(|other| other.within == node.within) {
            let [other_left, other_top, other_right, other_bottom] = other.rectangle;
            let is_apart = right < other_left || other_right < left || bottom < other_top || other_bottom < top;
            assert!(is_apart, "{} lies on {}: {text}", node.path, other.path);
        }
    }
    elements
}

/// The edges of a picture, with the points of their way and of their head.
fn edges(elements: &[Element]) -> Vec<(&Element, Vec<f64>, Vec<f64>)> {
    let edges = elements.iter().enumerate().filter(|(_, element)| has_class(element, "edge"));
    let with_paths = |(at, element)| {
        let own = elements.iter().filter(|path| path.parent == Some(at) && path.name == "path");
        let paths: Vec<_> = own.map(|path| digits(&path.attributes["d"])).collect();
        let [way, head] = &paths[..] else { panic!("an edge has a way and a head") };
        (element, way.clone(), head.clone())
    };
    edges.map(with_paths).collect()
}

fn paths(elements: &[Element]) -> Vec<String> {
    let mut paths: Vec<String> = shown(elements).into_iter().map(|node| node.path).collect();
    paths.sort();
    paths
}

#[test]
fn every_node_and_every_edge_is_drawn_once() {
    let elements = check(&all_kinds());
    assert_eq!(paths(&elements), ["both", "check", "fan", "go", "left", "right", "rush", "ship", "stop"]);
    let mut drawn: Vec<String> = edges(&elements)
        .iter()
        .map(|(edge, ..)| format!("{} {}", edge.attributes["data-from"], edge.attributes["data-to"]))
        .collect();
    drawn.sort();
    let expected = [
        "both check",
        "check ship",
        "check stop",
        "check stop",
        "fan left",
        "fan right",
        "go rush",
        "left both",
        "right both",
        "rush fan",
        "rush ship",
        "ship stop",
    ];
    assert_eq!(drawn, expected);
    let words: Vec<_> = elements.iter().filter(|element| element.name == "text").map(|text| &*text.text).collect();
    for word in ["true", "pass", "fail", "refer", "no hurry", "rush", "Ship"] {
        assert_eq!(words.iter().filter(|known| **known == word).count(), 1, "{word}: {words:?}");
    }
}

#[test]
fn what_is_inside_of_a_node_is_drawn_inside_of_its_frame() {
    let elements = check(&loaded(BODIES));
    let nodes = shown(&elements);
    let within = |path: &str| {
        let node = nodes.iter().find(|node| node.path == path).unwrap();
        node.within.map(|within| nodes[within].path.as_str())
    };
    assert_eq!(within("resize"), None);
    assert_eq!(within("each::parse"), Some("each"));
    assert_eq!(within("poll::look"), Some("poll"));
    assert_eq!(within("checks::lint"), Some("checks"));
}

#[test]
fn what_runs_at_the_end_stands_in_a_dashed_frame() {
    let elements = check(&loaded(ENDINGS));
    let nodes = shown(&elements);
    let node = |path: &str| nodes.iter().position(|node| node.path == path).unwrap();
    for (path, around) in [
        ("charge@compensate::charge", "charge@compensate"),
        ("ship@compensate::call", "ship@compensate"),
        ("@finally::finally", "@finally"),
    ] {
        assert_eq!(nodes[node(path)].within, Some(node(around)), "{path}");
        let at =
            elements.iter().position(|element| element.attributes.get("data-node").is_some_and(|own| own == around));
        let frame = elements.iter().find(|element| element.parent == at && element.name == "rect").unwrap();
        assert!(frame.attributes.contains_key("stroke-dasharray"), "{frame:?}");
    }
    let leads = |edge: &Element, to: &str| edge.attributes["data-to"] == to;
    assert!(edges(&elements).iter().any(|(edge, ..)| leads(edge, "charge@compensate")));
    assert!(!edges(&elements).iter().any(|(edge, ..)| leads(edge, "@finally")), "nothing leads there");
}

#[test]
fn a_failure_is_dashed_and_red() {
    let definition = loaded("id: w\ntasks:\n  a: {on_failure: b}\n  b: {}\n");
    let elements = check(&definition);
    let at = elements.iter().position(|element| element.attributes.get("data-to").is_some_and(|to| to == "b"));
    let way = elements.iter().find(|element| element.parent == at && element.name == "path").unwrap();
    assert!(way.attributes.contains_key("stroke-dasharray") && way.attributes["stroke"] == "#dc2626", "{way:?}");
    let word = elements.iter().find(|element| element.parent == at && element.name == "text").unwrap();
    assert_eq!((word.text.as_str(), word.attributes["fill"].as_str()), ("on failure", "#dc2626"));
}

#[test]
fn a_picture_is_well_formed_whatever_people_call_their_nodes() {
    let definition = hostile();
    let elements = check(&definition);
    let ids = paths(&elements);
    assert_eq!(ids.len(), definition.nodes.len());
    assert!(ids.iter().any(|id| id.contains("a\"] --> b[\"")), "{ids:?}");
    assert!(ids.iter().any(|id| id.contains("<b>`%%`")), "{ids:?}");
    assert!(ids.iter().any(|id| id.contains("\u{fffd}[2J")), "{ids:?}");
    assert!(elements.iter().all(|element| !["script", "b", "style", "image"].contains(&&*element.name)));
    assert_eq!(edges(&elements).len(), 2, "an edge that leads nowhere is left out");
}

#[test]
fn a_long_label_is_cut_and_told_in_full() {
    let label = "word ".repeat(100);
    let mut definition = Definition::new("w");
    definition.nodes.push(Node::new("a", label.trim(), NodeKind::Task(Task::external())));
    definition.nodes.push(Node::new("b", "長".repeat(200), NodeKind::Task(Task::external())));
    let elements = check(&definition);
    let lines: Vec<_> = elements.iter().filter(|element| element.name == "text").collect();
    assert_eq!(lines.len(), 8);
    assert_eq!(lines.iter().filter(|line| line.text.ends_with('…')).count(), 2, "{lines:?}");
    assert!(lines.iter().all(|line| line.text.chars().count() <= 34), "{lines:?}");
    assert!(lines[4].text.chars().count() <= 17, "a wide letter counts twice: {lines:?}");
    assert!(elements.iter().any(|element| element.name == "title" && element.text.contains(label.trim())));
}

#[test]
fn a_node_has_the_colour_and_the_class_of_its_state() {
    let definition = Definition::builder("w").task("a", "h").task("b", "h").task("c", "h").after("b").build();
    let text = svg(&definition, Some(&record()));
    let elements = elements(&text);
    let at = elements.iter().position(|element| has_class(element, "failed")).unwrap();
    assert_eq!(elements[at].attributes["data-node"], "b");
    let shape = elements.iter().find(|element| element.parent == Some(at) && element.name == "rect").unwrap();
    assert_eq!((&*shape.attributes["fill"], &*shape.attributes["stroke"]), ("#fee2e2", "#dc2626"));
    assert!(elements.iter().any(|element| element.name == "title" && element.text.ends_with("(task b): failed")));
    assert_eq!(elements[0].attributes["role"], "img");
    assert!(elements.iter().any(|element| element.name == "desc" && element.text.contains("running")), "{text}");
}

#[test]
fn a_picture_has_every_edge_also_where_there_is_no_room_in_the_layers_for_all_of_them() {
    const NODES: usize = 300;
    let mut definition = Definition::new("w");
    for number in 0..NODES {
        definition.nodes.push(Node::new(format!("n{number}"), "n", NodeKind::Task(Task::external())));
    }
    for number in 1..NODES {
        definition.connect(format!("n{}", number - 1), format!("n{number}"), EdgeKind::Sequential);
        definition.connect(format!("n{}", number - 1), format!("n{}", NODES - 1), EdgeKind::OnFailure);
    }
    let elements = elements(&svg(&definition, None));
    assert_eq!(paths(&elements).len(), NODES);
    assert_eq!(edges(&elements).len(), 2 * (NODES - 1));
}

#[test]
fn nothing_becomes_an_empty_picture() {
    let elements = check(&Definition::new("w"));
    assert_eq!((paths(&elements).len(), edges(&elements).len()), (0, 0));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Graphs of any kind, also those that cannot be run: with cycles, with edges from a node to itself, with two edges
    /// between the same nodes.
    #[test]
    fn any_graph_is_drawn_with_boxes_apart_and_arrows_that_end_at_them(
        nodes in 1..14_usize,
        ends in prop::collection::vec((0..14_usize, 0..14_usize, 0..3_u8), 0..30),
    ) {
        let mut definition = Definition::new("w");
        for number in 0..nodes {
            let label = "label ".repeat(1 + number % 5);
            definition.nodes.push(Node::new(format!("n{number}"), label, NodeKind::Task(Task::external())));
        }
        for (from, to, kind) in ends {
            let kind = [EdgeKind::Sequential, EdgeKind::OnFailure, EdgeKind::ParallelBranch][usize::from(kind)];
            definition.connect(format!("n{}", from % nodes), format!("n{}", to % nodes), kind);
        }
        let elements = check(&definition);
        let nodes = shown(&elements);
        let drawn = edges(&elements);
        prop_assert_eq!(drawn.len(), definition.edges.len());
        let rectangle = |path: &str| nodes.iter().find(|node| node.path == path).unwrap().rectangle;
        for (edge, way, head) in &drawn {
            let (from, to) = (edge.attributes["data-from"].as_str(), edge.attributes["data-to"].as_str());
            let tip = [head[0], head[1]];
            prop_assert!(is_on_border(tip, rectangle(to)), "{from} to {to} ends at {tip:?}");
            let begins = [[way[0], way[1]], [way[way.len() - 2], way[way.len() - 1]]];
            prop_assert!(begins.iter().any(|begin| is_on_border(*begin, rectangle(from))), "{from} to {to}: {way:?}");
            for node in nodes.iter().filter(|node| node.path != from && node.path != to) {
                let [left, top, right, bottom] = node.rectangle;
                let is_inside = |point: &[f64]| left < point[0] && point[0] < right && top < point[1] && point[1] < bottom;
                prop_assert!(!way.chunks(2).any(is_inside), "{from} to {to} runs through {}: {way:?}", node.path);
            }
        }
    }
}

fn is_on_border([x, y]: [f64; 2], [left, top, right, bottom]: [f64; 4]) -> bool {
    let is_near = |one: f64, other: f64| (one - other).abs() < 0.3;
    let is_in = |least: f64, at: f64, most: f64| least - 0.3 < at && at < most + 0.3;
    let is_at_side = (is_near(x, left) || is_near(x, right)) && is_in(top, y, bottom);
    is_at_side || (is_near(y, top) || is_near(y, bottom)) && is_in(left, x, right)
}
