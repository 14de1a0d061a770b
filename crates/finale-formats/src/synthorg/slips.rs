//! What can be read and is probably a slip.

use crate::error::Step;
use crate::tree::{Located, Tree};
use crate::warning::{FileWarning, LoadWarning};

/// Conditions with a `=` that compares nothing: with it they ask for a key that no input has, and are false for ever.
pub(crate) fn warnings(root: &Located) -> Vec<FileWarning> {
    let root = root.tree.get("blueprint").unwrap_or(root);
    let Some(Tree::List(nodes)) = root.tree.get("nodes").map(|nodes| &nodes.tree) else {
        return Vec::new();
    };
    nodes.iter().enumerate().filter_map(|(number, node)| warning(number, node)).collect()
}

fn warning(number: usize, node: &Located) -> Option<FileWarning> {
    let condition = node.tree.get("config")?.tree.get("condition_expression")?;
    let text = condition.tree.text().filter(|text| has_single_equals(text))?;
    let key = |key: &str| Step::Key(key.to_owned());
    Some(FileWarning {
        place: condition.place,
        path: vec![key("nodes"), Step::Index(number), key("config"), key("condition_expression")],
        warning: LoadWarning::SingleEquals { condition: text.trim().to_owned() },
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
    use crate::diagnostic::Severity;

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
            let shown = warning.diagnostic();
            assert_eq!(shown.path, "nodes[2].config.condition_expression");
            assert_eq!((shown.code, shown.severity), ("file_single_equals", Severity::Warning));
            assert_eq!(shown.hint.as_deref(), Some("write `==`"));
        }
    }
}
