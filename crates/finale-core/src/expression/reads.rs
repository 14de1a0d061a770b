//! What an expression reads, told from its tokens: the compiler checks whether it can be there.

use rustc_hash::FxHashMap;

use super::references::key;
use super::scan::{self, Kind, Token};

/// What an expression reads, in the order of its text, each once.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Reads {
    /// The numbers of the nodes.
    pub(crate) nodes: Vec<u32>,
    /// Those whose output must be there: nothing in the text asks first whether something is there or so.
    pub(crate) outputs: Vec<u32>,
    /// The members of the input.
    pub(crate) inputs: Vec<InputRead>,
}

/// A member of the input that an expression reads.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct InputRead {
    pub(crate) name: String,
    /// Whether its author knows that it may be missing: `is defined`, `is undefined` or `default` stands behind a use.
    pub(crate) may_be_missing: bool,
}

/// Words of who knows that something may be missing.
const ASKING: [&str; 9] = ["if", "and", "or", "not", "defined", "undefined", "default", "d", "status"];

/// What a text reads that compiles as an expression; `names` are the numbers of the nodes by id.
pub(crate) fn reads(source: &str, names: &FxHashMap<String, u32>) -> Reads {
    let mut reads = Reads::default();
    let tokens = scan::tokens(source).unwrap_or_default();
    let asks_first = tokens.iter().any(|token| token.kind == Kind::Word && ASKING.contains(&token.text));
    for at in 0..tokens.len() {
        let Some((name, behind)) = member(&tokens, at) else { continue };
        if tokens[at].is_word("nodes") {
            let known = names.get(&name).filter(|position| !reads.nodes.contains(position));
            reads.nodes.extend(known);
            let is_output = tokens.get(behind + 1).is_some_and(|token| token.is_word("output"));
            if is_output && !asks_first {
                let new = names.get(&name).filter(|position| !reads.outputs.contains(position));
                reads.outputs.extend(new);
            }
        } else {
            let may_be_missing = asks_for_presence(&tokens[behind..]);
            match reads.inputs.iter_mut().find(|read| read.name == name) {
                Some(read) => read.may_be_missing |= may_be_missing,
                None => reads.inputs.push(InputRead { name, may_be_missing }),
            }
        }
    }
    reads
}

/// The member of `nodes` or `input` that is read here, and the number of the token behind it.
pub(super) fn member(tokens: &[Token<'_>], at: usize) -> Option<(String, usize)> {
    let is_variable = tokens[at].is_word("nodes") || tokens[at].is_word("input");
    let is_name = |before: &Token<'_>| !before.is_sign(".") && !before.is_sign("|") && !before.is_word("is");
    if !is_variable || at > 0 && !is_name(&tokens[at - 1]) {
        return None;
    }
    let key = key(tokens, at)?;
    Some((key.name, at + 1 + key.tokens))
}

/// Whether the first thing that happens to a value is that somebody asks whether it is there.
fn asks_for_presence(behind: &[Token<'_>]) -> bool {
    let word = |at: usize| behind.get(at).filter(|token| token.kind == Kind::Word).map(|token| token.text);
    match behind.first() {
        Some(sign) if sign.is_sign("|") => matches!(word(1), Some("default" | "d")),
        Some(is) if is.is_word("is") => {
            let asked = if word(1) == Some("not") { word(2) } else { word(1) };
            matches!(asked, Some("defined" | "undefined" | "truthy"))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(source: &str) -> Reads {
        let names = [("a", 1), ("b-c", 2)].map(|(name, number)| (name.to_owned(), number));
        reads(source, &names.into_iter().collect())
    }

    #[test]
    fn nodes_and_members_of_the_input_are_found_once() {
        let found = of(r#"nodes.a.output + nodes["b-c"].output.nodes.a + nodes.a.output and input.x > input["y z"]"#);
        assert_eq!((found.nodes, found.outputs), (vec![1, 2], Vec::new()), "`and` may ask first");
        assert_eq!(of("nodes.a.output.x + nodes['b-c'].output").outputs, [1, 2]);
        assert_eq!(of("nodes.a.status").outputs, [0_u32; 0]);
        assert_eq!(of("nodes.a.output | default(1)").outputs, [0_u32; 0]);
        assert_eq!(found.inputs.iter().map(|read| &*read.name).collect::<Vec<_>>(), ["x", "y z"]);
        assert_eq!(of("input"), Reads::default());
        assert_eq!(of("vars.input.x ~ 'input.y'"), Reads::default());
    }

    #[test]
    fn an_input_may_be_missing_where_somebody_asks_whether_it_is_there() {
        let optional = |source: &str| of(source).inputs[0].may_be_missing;
        for source in [
            "input.x is defined",
            "input.x | default(1)",
            "input['x'] is not undefined",
            "input.x|d(1)",
            "input.x is defined and input.x > 3",
        ] {
            assert!(optional(source), "{source}");
        }
        for source in ["input.x", "input.x == 1", "input.x.y | default(1)", "input.x is string"] {
            assert!(!optional(source), "{source}");
        }
    }
}
