//! What an expression refers to: evaluation then fetches only that.

use super::error::ExpressionError;
use super::scan::{Kind, Token};
use super::scope::{NodeReference, Scope, Vars};
use super::{Local, Names, environment};
use crate::nearest::nearest;

/// The uses of `input`, `nodes`, `vars` and `failures` that were found so far.
pub(super) struct References<'s, 'n> {
    source: &'s str,
    names: Names<'n>,
    input: bool,
    failures: bool,
    nodes: Vec<NodeReference>,
    keys: Option<Keys>,
    locals: Vec<Local>,
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

impl<'s, 'n> References<'s, 'n> {
    pub(super) fn new(source: &'s str, names: Names<'n>) -> Self {
        Self { source, names, input: false, failures: false, nodes: Vec::new(), keys: None, locals: Vec::new() }
    }

    pub(super) fn into_scope(self, upstream: impl FnOnce() -> Vec<u32>) -> Scope {
        let vars = self.keys.map(|keys| Vars { keys: keys.sorted(), upstream: upstream() });
        Scope { input: self.input, failures: self.failures, nodes: self.nodes, vars, locals: self.locals }
    }

    /// A name that is known in some places only.
    pub(super) fn local(&mut self, name: &str) -> Result<Local, ExpressionError> {
        let known = self.names.locals.iter().copied().find(|local| local.name() == name);
        let unknown = || ExpressionError::UnknownName {
            name: name.to_owned(),
            is_node: self.names.node(name).is_some(),
            known: self.names.locals.to_vec(),
        };
        let local = known.ok_or_else(unknown)?;
        if !self.locals.contains(&local) {
            self.locals.push(local);
        }
        Ok(local)
    }

    /// `input` is used.
    pub(super) fn input(&mut self) {
        self.input = true;
    }

    /// `failure` or `failures` is used.
    pub(super) fn failures(&mut self) {
        self.failures = true;
    }

    /// `vars` is used, at this token.
    pub(super) fn vars(&mut self, tokens: &[Token<'_>], at: usize) {
        let key = key(tokens, at);
        match (self.keys.get_or_insert_with(|| Keys::These(Vec::new())), key) {
            (Keys::These(keys), Some(key)) => keys.push(key.name),
            (keys, _) => *keys = Keys::All,
        }
    }

    /// `nodes` is used, at this token: the place of the node in the list, and how many tokens name it.
    pub(super) fn node(&mut self, tokens: &[Token<'_>], at: usize) -> Result<(u32, usize), ExpressionError> {
        let Some(Key { name, dotted, tokens: used }) = key(tokens, at) else {
            return Err(ExpressionError::BareNodes);
        };
        let id = match dotted {
            Some(start) => self.refuse_hyphen(name, start)?,
            None => name,
        };
        let Some(position) = self.names.node(&id) else {
            let nearest = self.nearest(&id);
            return Err(ExpressionError::UnknownNode { id, nearest });
        };
        let known = self.nodes.iter().position(|node| node.position == position);
        let place = known.unwrap_or_else(|| {
            self.nodes.push(NodeReference { id, position });
            self.nodes.len() - 1
        });
        Ok((u32::try_from(place).unwrap_or(u32::MAX), used))
    }

    fn nearest(&self, id: &str) -> Option<String> {
        nearest(id, self.names.ids()).map(str::to_owned)
    }

    /// `nodes.task-a` is a subtraction for the parser, and never meant so when there is a node `task-a` or no node `task`.
    fn refuse_hyphen(&self, id: String, start: usize) -> Result<String, ExpressionError> {
        let rest = &self.source[start..];
        let length = rest.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(byte)).count();
        let run = rest[..length].trim_end_matches('-');
        if run != id && (self.names.node(run).is_some() || self.names.node(&id).is_none()) {
            let meant = match self.names.node(run).is_some() {
                true => run.to_owned(),
                false => self.nearest(run).unwrap_or_else(|| run.to_owned()),
            };
            return Err(ExpressionError::Hyphen { id: meant });
        }
        Ok(id)
    }
}

/// The key right behind a name.
pub(super) struct Key {
    pub(super) name: String,
    /// Where it starts, if it is behind a point.
    dotted: Option<usize>,
    /// How many tokens it takes.
    pub(super) tokens: usize,
}

/// `.key` or `["key"]`.
pub(super) fn key(tokens: &[Token<'_>], at: usize) -> Option<Key> {
    let (first, second) = (tokens.get(at + 1)?, tokens.get(at + 2)?);
    if first.is_sign(".") && second.kind == Kind::Word {
        return Some(Key { name: second.text.to_owned(), dotted: Some(second.start), tokens: 2 });
    }
    let closed = tokens.get(at + 3).is_some_and(|token| token.is_sign("]"));
    if first.is_sign("[") && second.kind == Kind::Text && closed {
        return environment::unquoted(second.text).map(|name| Key { name, dotted: None, tokens: 3 });
    }
    None
}
