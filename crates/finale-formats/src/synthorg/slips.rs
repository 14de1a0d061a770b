//! What can be read and is probably a slip.

use crate::diagnostic::{Diagnostic, Severity};
use crate::tree::{Located, Tree};

/// The stable name of the warning.
const SINGLE_EQUALS: &str = "file_single_equals";

/// Conditions with a `=` that compares nothing: with it they ask for a key that no input has, and are false for ever.
pub(crate) fn warnings(root: &Located) -> Vec<Diagnostic> {
    let root = root.tree.get("blueprint").unwrap_or(root);
    let Some(Tree::List(nodes)) = root.tree.get("nodes").map(|nodes| &nodes.tree) else {
        return Vec::new();
    };
    nodes.iter().enumerate().filter_map(|(number, node)| warning(number, node)).collect()
}

fn warning(number: usize, node: &Located) -> Option<Diagnostic> {
    let condition = node.tree.get("config")?.tree.get("condition_expression")?;
    let text = condition.tree.text().filter(|text| has_single_equals(text))?;
    Some(Diagnostic {
        severity: Severity::Warning,
        code: SINGLE_EQUALS,
        message: format!("`=` compares nothing, so that this asks for a key called `{}`", text.trim()),
        place: condition.place.map(|place| (place.line, place.column)),
        path: format!("nodes[{number}].config.condition_expression"),
        hint: Some("write `==`".to_owned()),
        help: None,
    })
}

/// Whether there is a `=` outside of quotes that is part of no comparison.
fn has_single_equals(text: &str) -> bool {
    let (mut quote, mut before) = (None, ' ');
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match quote {
            Some(open) if open == letter => quote = None,
            Some(_) => {}
            None if matches!(letter, '"' | '\'') => quote = Some(letter),
            None => {
                let is_comparison = matches!(before, '=' | '!' | '<' | '>') || letters.peek() == Some(&'=');
                if letter == '=' && !is_comparison {
                    return true;
                }
            }
        }
        before = letter;
    }
    false
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_single_equals_is_found_and_comparisons_are_not() {
        for text in ["severity = critical", "a == b and c = d", "a=b", "(x =y)"] {
            assert!(has_single_equals(text), "{text}");
        }
        for text in ["a == b", "a==b", "a != b", "a <= 3 and b >= 4", "a == 'x = y'", "a", ""] {
            assert!(!has_single_equals(text), "{text}");
        }
    }

    #[test]
    fn a_warning_says_where_and_what_to_write() {
        let node = |condition: &str| json!({"id": "c", "config": {"condition_expression": condition}});
        let document = json!({"nodes": [node("a == b"), {"id": "t"}, node("a = b")]});
        for document in [json!({"blueprint": document}), document] {
            let [warning] = &warnings(&Located::from(&document))[..] else { panic!() };
            assert_eq!(warning.path, "nodes[2].config.condition_expression");
            assert_eq!((warning.code, warning.severity), ("file_single_equals", Severity::Warning));
            assert_eq!(warning.hint.as_deref(), Some("write `==`"));
        }
    }
}
