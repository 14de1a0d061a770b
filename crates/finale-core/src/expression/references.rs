//! What an expression refers to, found in its tokens: evaluation then fetches only that.

use rustc_hash::FxHashMap;

use super::environment;
use super::error::ExpressionError;
use super::scan::{Kind, Token};
use super::scope::{NodeReference, Scope, Vars};
use crate::nearest::nearest;

/// Finds the uses of `input`, `nodes` and `vars`, and the names of filters and tests.
pub(super) fn find(
    source: &str,
    tokens: &[Token<'_>],
    names: &FxHashMap<String, u32>,
    upstream: impl FnOnce() -> Vec<u32>,
) -> Result<Scope, ExpressionError> {
    let mut finder = Finder { source, names, input: false, nodes: FxHashMap::default(), keys: None };
    for at in 0..tokens.len() {
        finder.visit(tokens, at)?;
    }
    let Finder { input, nodes, keys, .. } = finder;
    let mut nodes: Vec<_> = nodes.into_values().collect();
    nodes.sort_unstable_by_key(|node: &NodeReference| node.position);
    let vars = keys.map(|keys| Vars { keys: keys.sorted(), upstream: upstream() });
    Ok(Scope { input, nodes, vars })
}

struct Finder<'s, 'n> {
    source: &'s str,
    names: &'n FxHashMap<String, u32>,
    input: bool,
    nodes: FxHashMap<u32, NodeReference>,
    keys: Option<Keys>,
}

/// Which keys of `vars` are asked for.
enum Keys {
    These(Vec<String>),
    All,
}

impl Keys {
    fn sorted(self) -> Option<Vec<String>> {
        match self {
            Self::These(mut keys) => {
                keys.sort_unstable();
                keys.dedup();
                Some(keys)
            }
            Self::All => None,
        }
    }
}

impl Finder<'_, '_> {
    fn visit(&mut self, tokens: &[Token<'_>], at: usize) -> Result<(), ExpressionError> {
        let token = &tokens[at];
        if token.kind != Kind::Word {
            return Ok(());
        }
        let before = at.checked_sub(1).map(|before| &tokens[before]);
        match before {
            Some(before) if before.is_sign(".") => Ok(()),
            Some(before) if before.is_sign("|") => filter(token.text),
            Some(before) if before.is_word("is") && token.text != "not" => test(token.text),
            Some(before) if before.is_word("not") && at > 1 && tokens[at - 2].is_word("is") => test(token.text),
            _ => self.name(tokens, at),
        }
    }

    fn name(&mut self, tokens: &[Token<'_>], at: usize) -> Result<(), ExpressionError> {
        match tokens[at].text {
            "input" => self.input = true,
            "nodes" => self.node(tokens, at)?,
            "vars" => self.vars(tokens, at),
            _ => {}
        }
        Ok(())
    }

    fn node(&mut self, tokens: &[Token<'_>], at: usize) -> Result<(), ExpressionError> {
        let Some((id, dotted)) = key(tokens, at) else {
            return Err(ExpressionError::BareNodes);
        };
        let id = match dotted {
            Some(start) => self.refuse_hyphen(id, start)?,
            None => id,
        };
        let Some(&position) = self.names.get(&id) else {
            let nearest = self.nearest(&id);
            return Err(ExpressionError::UnknownNode { id, nearest });
        };
        self.nodes.entry(position).or_insert(NodeReference { id, position });
        Ok(())
    }

    fn nearest(&self, id: &str) -> Option<String> {
        nearest(id, self.names.keys().map(String::as_str)).map(str::to_owned)
    }

    /// `nodes.task-a` is a subtraction for the parser, and never meant so when there is a node `task-a` or no node `task`.
    fn refuse_hyphen(&self, id: String, start: usize) -> Result<String, ExpressionError> {
        let rest = &self.source[start..];
        let length = rest.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(byte)).count();
        let run = rest[..length].trim_end_matches('-');
        if run != id && (self.names.contains_key(run) || !self.names.contains_key(&id)) {
            let meant = match self.names.contains_key(run) {
                true => run.to_owned(),
                false => self.nearest(run).unwrap_or_else(|| run.to_owned()),
            };
            return Err(ExpressionError::Hyphen { id: meant });
        }
        Ok(id)
    }

    fn vars(&mut self, tokens: &[Token<'_>], at: usize) {
        let key = key(tokens, at);
        match (self.keys.get_or_insert_with(|| Keys::These(Vec::new())), key) {
            (Keys::These(keys), Some((key, _))) => keys.push(key),
            (keys, _) => *keys = Keys::All,
        }
    }
}

/// The key right behind a name: `.key` (with where it starts) or `["key"]`.
pub(super) fn key(tokens: &[Token<'_>], at: usize) -> Option<(String, Option<usize>)> {
    let (first, second) = (tokens.get(at + 1)?, tokens.get(at + 2)?);
    if first.is_sign(".") && second.kind == Kind::Word {
        return Some((second.text.to_owned(), Some(second.start)));
    }
    let closed = tokens.get(at + 3).is_some_and(|token| token.is_sign("]"));
    if first.is_sign("[") && second.kind == Kind::Text && closed {
        return environment::literal(second.text).map(|key| (key, None));
    }
    None
}

fn filter(name: &str) -> Result<(), ExpressionError> {
    if environment::FILTERS.contains(&name) {
        return Ok(());
    }
    Err(ExpressionError::UnknownFilter { name: name.to_owned() })
}

fn test(name: &str) -> Result<(), ExpressionError> {
    if environment::TESTS.contains(&name) {
        return Ok(());
    }
    Err(ExpressionError::UnknownTest { name: name.to_owned() })
}
