//! How schemas refer to each other, and how much work it is to check a payload by them.
//!
//! The library that checks payloads follows references by recursion and evaluates a part of a payload as often as ways lead to
//! it. Both are bounded here, before it is asked: a schema that is not recursive when the definition is made, the others for
//! each payload.

use std::collections::HashMap;

use serde_json::{Map, Value};

/// The only draft that is understood, as a schema may name it.
const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The most references in a schema.
const REFERENCES_MAX: usize = 1_000;

/// The most regular expressions in a schema: each may take a while to compile.
const PATTERNS_MAX: usize = 200;

/// The most subschemas that apply to one value at once.
const IN_PLACE_MAX: u64 = 10_000;

/// The most subschemas of a schema that is not recursive, each counted as often as a way leads to it.
const UNROLLED_MAX: u64 = 100_000;

/// The most subschemas that lead to each other; more would need more stack than a thread has.
const DEPTH_MAX: u32 = 1_000;

/// The most steps that the check of a payload by a recursive schema may take: subschemas, counted for each value that they
/// apply to.
pub(super) const VISITS_MAX: u64 = 1_000_000;

/// The parts of a schema that are schemas themselves.
#[derive(Debug, Default)]
pub(super) struct Subschemas {
    nodes: Vec<Subschema>,
    is_recursive: bool,
}

/// The subschemas of one schema, by their numbers.
#[derive(Debug, Default)]
struct Subschema {
    /// They apply to the same value.
    in_place: Vec<u32>,
    properties: HashMap<String, u32>,
    each_property: Vec<u32>,
    prefix: Vec<u32>,
    each_item: Vec<u32>,
}

/// Reads the subschemas of a document.
struct Reader<'v> {
    root: &'v Value,
    anchors: HashMap<&'v str, &'v Value>,
    /// The numbers of schemas, by where they are in memory.
    numbers: HashMap<usize, u32>,
    /// By number.
    found: Vec<&'v Value>,
    references: usize,
    patterns: usize,
}

impl Subschemas {
    /// Those of a schema.
    ///
    /// # Errors
    /// When it refers to something outside of itself, names another draft, or is over a limit.
    pub(super) fn new(root: &Value) -> Result<Self, String> {
        let mut reader = Reader {
            root,
            anchors: HashMap::new(),
            numbers: HashMap::new(),
            found: Vec::new(),
            references: 0,
            patterns: 0,
        };
        if let Some(Value::String(draft)) = root.get("$schema")
            && draft.trim_end_matches('#') != DRAFT
        {
            return Err(format!("its `$schema` is {draft:?}, and only {DRAFT:?} is understood"));
        }
        reader.find_anchors();
        reader.number(root);
        let mut nodes = Vec::new();
        while let Some(schema) = reader.found.get(nodes.len()).copied() {
            nodes.push(reader.read(schema)?);
        }
        let mut subschemas = Self { nodes, is_recursive: false };
        subschemas.check()?;
        Ok(subschemas)
    }

    /// Whether only the payload bounds the work of a check.
    pub(super) const fn needs_a_budget(&self) -> bool {
        self.is_recursive
    }

    /// Whether a payload can be checked within [`VISITS_MAX`] steps, however it turns out.
    pub(super) fn can_check(&self, payload: &Value) -> bool {
        let (mut visits, mut open) = (0, vec![(0, payload, 0)]);
        while let Some((number, value, depth)) = open.pop() {
            visits += 1;
            if visits > VISITS_MAX || depth > DEPTH_MAX {
                return false;
            }
            let schema = &self.nodes[number as usize];
            let mut visit = |number: &u32, value| open.push((*number, value, depth + 1));
            schema.in_place.iter().for_each(|number| visit(number, value));
            match value {
                Value::Object(members) => {
                    for (key, member) in members {
                        schema.properties.get(key).iter().for_each(|number| visit(number, member));
                        schema.each_property.iter().for_each(|number| visit(number, member));
                    }
                }
                Value::Array(elements) => {
                    for (position, element) in elements.iter().enumerate() {
                        schema.prefix.get(position).iter().for_each(|number| visit(number, element));
                        schema.each_item.iter().for_each(|number| visit(number, element));
                    }
                }
                _ => {}
            }
        }
        true
    }

    fn check(&mut self) -> Result<(), String> {
        let in_place = |schema: &Subschema| schema.in_place.clone();
        let Some(order) = self.post_order(in_place) else {
            return Err("it refers to itself without going into the value, so that a check would not end".to_owned());
        };
        let (at_once, _) = self.unrolled(&order, in_place);
        if at_once > IN_PLACE_MAX {
            return Err(format!("more than {IN_PLACE_MAX} of its parts apply to one value"));
        }
        let Some(order) = self.post_order(Subschema::all) else {
            self.is_recursive = true;
            return Ok(());
        };
        let (unrolled, depth) = self.unrolled(&order, Subschema::all);
        if unrolled > UNROLLED_MAX {
            return Err(format!(
                "it has more than {UNROLLED_MAX} parts, each counted as often as something refers to it"
            ));
        }
        if depth > DEPTH_MAX {
            return Err(format!("more than {DEPTH_MAX} of its parts lead from one to the next"));
        }
        Ok(())
    }

    /// The numbers, each behind those that it leads to; none if something leads to itself.
    fn post_order(&self, next: impl Fn(&Subschema) -> Vec<u32>) -> Option<Vec<u32>> {
        #[derive(Clone, Copy, PartialEq)]
        enum State {
            New,
            Open,
            Done,
        }
        let (mut states, mut order) = (vec![State::New; self.nodes.len()], Vec::new());
        for first in 0..self.nodes.len() as u32 {
            let mut open = vec![(first, None::<std::vec::IntoIter<u32>>)];
            while let Some((number, ways)) = open.last_mut() {
                let (number, at) = (*number, *number as usize);
                if ways.is_none() && states[at] == State::Done {
                    open.pop();
                    continue;
                }
                let ways = ways.get_or_insert_with(|| {
                    states[at] = State::Open;
                    next(&self.nodes[at]).into_iter()
                });
                match ways.next() {
                    Some(to) if states[to as usize] == State::Open => return None,
                    Some(to) => open.push((to, None)),
                    None => {
                        states[at] = State::Done;
                        order.push(number);
                        open.pop();
                    }
                }
            }
        }
        Some(order)
    }

    /// The most subschemas that follow from one, counted as often as a way leads to them, and the longest way.
    fn unrolled(&self, order: &[u32], next: impl Fn(&Subschema) -> Vec<u32>) -> (u64, u32) {
        let (mut sizes, mut depths) = (vec![0_u64; self.nodes.len()], vec![0_u32; self.nodes.len()]);
        for &number in order {
            let (mut size, mut depth) = (1_u64, 0);
            for to in next(&self.nodes[number as usize]) {
                size = size.saturating_add(sizes[to as usize]);
                depth = depth.max(depths[to as usize]);
            }
            (sizes[number as usize], depths[number as usize]) = (size, depth + 1);
        }
        (sizes.into_iter().max().unwrap_or_default(), depths.into_iter().max().unwrap_or_default())
    }
}

impl Subschema {
    fn all(&self) -> Vec<u32> {
        let lists = [&self.in_place, &self.each_property, &self.prefix, &self.each_item];
        lists.into_iter().flatten().copied().chain(self.properties.values().copied()).collect()
    }
}

impl<'v> Reader<'v> {
    /// The number of a schema; a new one is read later.
    fn number(&mut self, schema: &'v Value) -> u32 {
        let next = self.found.len() as u32;
        let number = *self.numbers.entry(std::ptr::from_ref(schema).addr()).or_insert(next);
        if number == next {
            self.found.push(schema);
        }
        number
    }

    /// An anchor is looked for everywhere: one in plain data is found by nobody but a schema that asks for it.
    fn find_anchors(&mut self) {
        let mut open = vec![self.root];
        while let Some(value) = open.pop() {
            match value {
                Value::Object(members) => {
                    for key in ["$anchor", "$dynamicAnchor"] {
                        if let Some(Value::String(name)) = members.get(key) {
                            self.anchors.entry(name).or_insert(value);
                        }
                    }
                    open.extend(members.values());
                }
                Value::Array(elements) => open.extend(elements),
                _ => {}
            }
        }
    }

    fn read(&mut self, schema: &'v Value) -> Result<Subschema, String> {
        let Value::Object(members) = schema else { return Ok(Subschema::default()) };
        if members.contains_key("$id") && !std::ptr::eq(schema, self.root) {
            return Err("a schema inside of it has an `$id`: only the whole may have one".to_owned());
        }
        let mut read = Subschema::default();
        for keyword in ["$ref", "$dynamicRef"] {
            if let Some(Value::String(reference)) = members.get(keyword) {
                let target = self.target(keyword, reference)?;
                read.in_place.push(self.number(target));
            }
        }
        for keyword in ["allOf", "anyOf", "oneOf", "not", "if", "then", "else"] {
            read.in_place.extend(self.listed(members, keyword));
        }
        read.in_place.extend(self.named(members, "dependentSchemas").into_iter().map(|(_, number)| number));
        for (keyword, list) in
            [("unevaluatedProperties", &mut read.each_property), ("unevaluatedItems", &mut read.each_item)]
        {
            if members.contains_key(keyword) {
                list.extend(self.listed(members, keyword));
                // What applies to the value is asked again which of its parts it has looked at.
                read.in_place.extend_from_within(..);
            }
        }
        read.properties = self.named(members, "properties").into_iter().collect();
        let patterns = self.named(members, "patternProperties");
        self.patterns += patterns.len() + usize::from(members.contains_key("pattern"));
        read.each_property.extend(patterns.into_iter().map(|(_, number)| number));
        for keyword in ["additionalProperties", "propertyNames"] {
            read.each_property.extend(self.listed(members, keyword));
        }
        read.prefix = self.listed(members, "prefixItems");
        for keyword in ["items", "contains"] {
            read.each_item.extend(self.listed(members, keyword));
        }
        if self.references > REFERENCES_MAX {
            return Err(format!("it has more than {REFERENCES_MAX} references"));
        }
        if self.patterns > PATTERNS_MAX {
            return Err(format!("it has more than {PATTERNS_MAX} regular expressions"));
        }
        Ok(read)
    }

    /// The schema, or the schemas of the list, under a keyword.
    fn listed(&mut self, members: &'v Map<String, Value>, keyword: &str) -> Vec<u32> {
        match members.get(keyword) {
            Some(Value::Array(schemas)) => schemas.iter().map(|schema| self.number(schema)).collect(),
            Some(schema) => vec![self.number(schema)],
            None => Vec::new(),
        }
    }

    /// The schemas under a keyword that has one for each name.
    fn named(&mut self, members: &'v Map<String, Value>, keyword: &str) -> Vec<(String, u32)> {
        let Some(Value::Object(schemas)) = members.get(keyword) else { return Vec::new() };
        schemas.iter().map(|(name, schema)| (name.clone(), self.number(schema))).collect()
    }

    /// What a reference refers to.
    fn target(&mut self, keyword: &str, reference: &str) -> Result<&'v Value, String> {
        self.references += 1;
        let Some(fragment) = reference.strip_prefix('#') else {
            return Err(format!(
                "`{keyword}: {reference}` leads out of the schema, and nothing is read from elsewhere: put what it means \
                 under `$defs`, and refer to it by `#/$defs/NAME`"
            ));
        };
        let target = match fragment {
            "" => Some(self.root),
            pointer if pointer.starts_with('/') => self.root.pointer(pointer),
            anchor => self.anchors.get(anchor).copied(),
        };
        target.ok_or_else(|| format!("`{keyword}: {reference}` refers to nothing in the schema"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(schema: &Value) -> String {
        Subschemas::new(schema).expect_err("it is refused")
    }

    /// `$defs` of that many schemas, each made with a reference to the next one.
    fn chain(length: usize, link: impl Fn(Value) -> Value) -> Value {
        let next = |number: usize| json!({"$ref": format!("#/$defs/d{}", number + 1)});
        let mut defs: Map<String, Value> =
            (0..length).map(|number| (format!("d{number}"), link(next(number)))).collect();
        defs.insert(format!("d{length}"), json!({"type": "integer"}));
        json!({"$ref": "#/$defs/d0", "$defs": defs})
    }

    #[test]
    fn what_leads_out_of_a_schema_or_nowhere_is_refused() {
        for reference in ["https://example.com/a", "file:///etc/passwd", "other.json#/a", "//host/a"] {
            assert!(refused(&json!({"items": {"$ref": reference}})).contains("leads out of the schema"), "{reference}");
            assert!(refused(&json!({"items": {"$dynamicRef": reference}})).contains("leads out of the schema"));
        }
        assert!(refused(&json!({"$ref": "#/$defs/a"})).contains("refers to nothing"));
        assert!(refused(&json!({"$ref": "#a"})).contains("refers to nothing"));
        assert!(refused(&json!({"items": {"$id": "https://example.com/a"}})).contains("$id"));
        assert!(refused(&json!({"$schema": "http://json-schema.org/draft-07/schema#"})).contains("draft-07"));
        let named =
            json!({"$schema": DRAFT, "$defs": {"a": {"$anchor": "a"}}, "items": {"$ref": "#a"}, "$ref": "#/$defs/a"});
        assert!(Subschemas::new(&named).is_ok());
        let data = json!({"const": {"$ref": "https://example.com"}, "properties": {"$ref": {"type": "string"}}});
        assert!(Subschemas::new(&data).is_ok(), "neither is a reference");
    }

    #[test]
    fn what_never_ends_is_refused() {
        for schema in [
            json!({"$ref": "#"}),
            json!({"anyOf": [{"type": "null"}, {"not": {"$ref": "#"}}]}),
            json!({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"allOf": [{"$ref": "#/$defs/a"}]}}}),
        ] {
            assert!(refused(&schema).contains("would not end"), "{schema}");
        }
    }

    #[test]
    fn what_is_small_and_unrolls_to_much_is_refused() {
        let twice = chain(30, |next| json!({"allOf": [next, next]}));
        assert!(refused(&twice).contains("apply to one value"));
        let deep = chain(30, |next| json!({"allOf": [{"properties": {"a": next}}, {"properties": {"a": next}}]}));
        assert!(refused(&deep).contains("each counted as often"));
        let long = chain(900, |next| json!({"allOf": [next]}));
        assert!(refused(&long).contains("lead from one to the next"));
        assert!(refused(&chain(1_100, |next| json!({"items": next}))).contains("1000 references"));
        let patterns: Map<String, Value> = (0..201).map(|number| (format!("^{number}$"), json!(true))).collect();
        assert!(refused(&json!({"patternProperties": patterns})).contains("200 regular expressions"));
    }

    #[test]
    fn a_recursive_schema_is_bounded_for_each_payload() {
        let tree = json!({"type": "object", "properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}}});
        let tree = Subschemas::new(&tree).expect("it goes into the value");
        assert!(tree.needs_a_budget());
        let nested = |depth| (0..depth).fold(json!({}), |inner, _| json!({"left": inner}));
        assert!(tree.can_check(&nested(90)), "each value is visited once");

        let twice =
            json!({"anyOf": [{"properties": {"left": {"$ref": "#"}}}, {"properties": {"left": {"$ref": "#"}}}]});
        let twice = Subschemas::new(&twice).expect("it goes into the value");
        assert!(twice.can_check(&nested(10)) && !twice.can_check(&nested(30)));

        let flat = Subschemas::new(&json!({"items": {"type": "integer"}})).expect("it is sound");
        assert!(!flat.needs_a_budget());
    }
}
