//! What a condition claims about the statuses of nodes, told from its tokens: the compiler checks whether it can be true.

use rustc_hash::FxHashMap;

use super::environment;
use super::reads::member;
use super::scan::{self, Kind, Token};
use crate::status::NodeStatus;

/// The part of a condition that is about statuses; everything else is [`Unknown`](Self::Unknown).
#[derive(Debug, PartialEq)]
pub(crate) enum Claim {
    /// All of them hold.
    All(Vec<Claim>),
    /// One of them holds.
    Any(Vec<Claim>),
    /// It does not hold.
    Not(Box<Claim>),
    /// The node with that number is in one of these statuses.
    Status { node: u32, among: Vec<NodeStatus> },
    /// It is always this.
    Constant(bool),
    /// It may hold or not.
    Unknown,
}

/// A text that a condition compares with a status and that is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NoStatus {
    pub(crate) node: u32,
    pub(crate) text: String,
}

/// What a text claims that compiles as an expression; `names` are the numbers of the nodes by id.
///
/// The recursion is bounded: compiling has refused what nests deeper than [`super::limits`] allow.
pub(crate) fn claim(source: &str, names: &FxHashMap<String, u32>) -> (Claim, Vec<NoStatus>) {
    let tokens = scan::tokens(source).unwrap_or_default();
    let mut reader = Reader { names, no_statuses: Vec::new() };
    let claim = reader.claim(&tokens);
    (claim, reader.no_statuses)
}

struct Reader<'n> {
    names: &'n FxHashMap<String, u32>,
    no_statuses: Vec<NoStatus>,
}

impl Reader<'_> {
    fn claim(&mut self, tokens: &[Token<'_>]) -> Claim {
        if split(tokens, "if").len() > 1 || split(tokens, "else").len() > 1 {
            return Claim::Unknown;
        }
        let any = split(tokens, "or");
        if any.len() > 1 {
            return Claim::Any(any.into_iter().map(|part| self.claim(part)).collect());
        }
        let all = split(tokens, "and");
        if all.len() > 1 {
            return Claim::All(all.into_iter().map(|part| self.claim(part)).collect());
        }
        match tokens {
            [not, rest @ ..] if not.is_word("not") => Claim::Not(Box::new(self.claim(rest))),
            [open, inside @ .., close] if open.is_sign("(") && close.is_sign(")") && closes_last(tokens) => {
                self.claim(inside)
            }
            [word] if word.kind == Kind::Word => match word.text {
                "true" | "True" => Claim::Constant(true),
                "false" | "False" => Claim::Constant(false),
                _ => Claim::Unknown,
            },
            _ => self.comparison(tokens).unwrap_or(Claim::Unknown),
        }
    }

    /// `nodes.a.status == "failed"`, either way round, `!=`, `in [..]`, `not in [..]`, and `nodes.a.error is defined`.
    fn comparison(&mut self, tokens: &[Token<'_>]) -> Option<Claim> {
        if let Some((node, member, rest)) = self.read(tokens)
            && let ("error" | "output", [is, asked @ ..]) = (member, rest)
            && is.is_word("is")
        {
            let has_it = if member == "error" { NodeStatus::Failed } else { NodeStatus::Completed };
            let claim = Claim::Status { node, among: vec![has_it] };
            return match asked {
                [word] if word.is_word("defined") => Some(claim),
                [word] if word.is_word("undefined") => Some(not(claim)),
                [negation, word] if negation.is_word("not") && word.is_word("defined") => Some(not(claim)),
                [negation, word] if negation.is_word("not") && word.is_word("undefined") => Some(claim),
                _ => None,
            };
        }
        if let Some((node, rest)) = self.status(tokens) {
            return match rest {
                [sign, text] if sign.is_sign("==") => Some(self.among(node, &[*text])?),
                [sign, text] if sign.is_sign("!=") => Some(not(self.among(node, &[*text])?)),
                [within, list @ ..] if within.is_word("in") => self.among(node, &texts(list)?),
                [negation, within, list @ ..] if negation.is_word("not") && within.is_word("in") => {
                    Some(not(self.among(node, &texts(list)?)?))
                }
                _ => None,
            };
        }
        let [text, sign, rest @ ..] = tokens else { return None };
        match self.status(rest)? {
            (node, []) if sign.is_sign("==") => self.among(node, &[*text]),
            (node, []) if sign.is_sign("!=") => Some(not(self.among(node, &[*text])?)),
            _ => None,
        }
    }

    /// The node whose status is read first, and the tokens behind that.
    fn status<'t, 's>(&self, tokens: &'t [Token<'s>]) -> Option<(u32, &'t [Token<'s>])> {
        let (node, member, rest) = self.read(tokens)?;
        (member == "status").then_some((node, rest))
    }

    /// The node of which something is read first, the name of that, and the tokens behind it.
    fn read<'t, 's>(&self, tokens: &'t [Token<'s>]) -> Option<(u32, &'s str, &'t [Token<'s>])> {
        if !tokens.first()?.is_word("nodes") {
            return None;
        }
        let (id, behind) = member(tokens, 0)?;
        match &tokens[behind..] {
            [dot, member, rest @ ..] if dot.is_sign(".") && member.kind == Kind::Word => {
                Some((*self.names.get(&id)?, member.text, rest))
            }
            _ => None,
        }
    }

    fn among(&mut self, node: u32, texts: &[Token<'_>]) -> Option<Claim> {
        let mut among = Vec::new();
        for text in texts {
            let text = environment::unquoted(text.text).filter(|_| text.kind == Kind::Text)?;
            match serde_json::from_value(serde_json::Value::from(text.as_str())) {
                Ok(status) => among.push(status),
                Err(_) => self.no_statuses.push(NoStatus { node, text }),
            }
        }
        Some(Claim::Status { node, among })
    }
}

fn not(claim: Claim) -> Claim {
    Claim::Not(Box::new(claim))
}

/// The texts of a list that holds nothing else.
fn texts<'s>(list: &[Token<'s>]) -> Option<Vec<Token<'s>>> {
    let [open, inside @ .., close] = list else { return None };
    if !(open.is_sign("[") && close.is_sign("]") || open.is_sign("(") && close.is_sign(")")) {
        return None;
    }
    let mut texts = Vec::new();
    for (at, token) in inside.iter().enumerate() {
        match at % 2 {
            0 if token.kind == Kind::Text => texts.push(*token),
            1 if token.is_sign(",") => {}
            _ => return None,
        }
    }
    Some(texts)
}

/// The parts between the uses of a keyword outside of all brackets.
fn split<'t, 's>(tokens: &'t [Token<'s>], keyword: &str) -> Vec<&'t [Token<'s>]> {
    let (mut parts, mut depth, mut begin) = (Vec::new(), 0_usize, 0);
    for (at, token) in tokens.iter().enumerate() {
        let is_name = at > 0 && (tokens[at - 1].is_sign(".") || tokens[at - 1].is_sign("|"));
        match (token.kind, token.text) {
            (Kind::Sign, "(" | "[" | "{") => depth += 1,
            (Kind::Sign, ")" | "]" | "}") => depth = depth.saturating_sub(1),
            (Kind::Word, word) if word == keyword && depth == 0 && !is_name => {
                parts.push(&tokens[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&tokens[begin..]);
    parts
}

/// Whether the bracket that the first token opens is closed by the last one.
fn closes_last(tokens: &[Token<'_>]) -> bool {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate() {
        match (token.kind, token.text) {
            (Kind::Sign, "(" | "[" | "{") => depth += 1,
            (Kind::Sign, ")" | "]" | "}") => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return at + 1 == tokens.len();
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> FxHashMap<String, u32> {
        [("a", 1), ("b-c", 2)].map(|(name, number)| (name.to_owned(), number)).into_iter().collect()
    }

    fn of(source: &str) -> Claim {
        claim(source, &names()).0
    }

    fn status(node: u32, among: &[NodeStatus]) -> Claim {
        Claim::Status { node, among: among.to_vec() }
    }

    #[test]
    fn comparisons_of_a_status_are_understood() {
        let failed = || status(1, &[NodeStatus::Failed]);
        for source in [
            "nodes.a.status == 'failed'",
            "'failed' == nodes.a.status",
            "(nodes[\"a\"].status == \"failed\")",
            "((nodes.a.status in ['failed']))",
        ] {
            assert_eq!(of(source), failed(), "{source}");
        }
        for source in
            ["nodes.a.status != 'failed'", "not nodes.a.status == 'failed'", "nodes.a.status not in ('failed')"]
        {
            assert_eq!(of(source), not(failed()), "{source}");
        }
        for source in ["nodes.a.error is defined", "nodes.a.error is not undefined", "not nodes.a.error is undefined"] {
            let claim = of(source);
            assert!(claim == failed() || claim == not(not(failed())), "{source}: {claim:?}");
        }
        let both = status(2, &[NodeStatus::Failed, NodeStatus::Skipped]);
        assert_eq!(of("nodes['b-c'].status in ['failed', 'skipped']"), both);
    }

    #[test]
    fn logic_is_followed_and_everything_else_is_unknown() {
        let failed = || status(1, &[NodeStatus::Failed]);
        assert_eq!(
            of("input.x and (nodes.a.status == 'failed' or false) and true"),
            Claim::All(vec![Claim::Unknown, Claim::Any(vec![failed(), Claim::Constant(false)]), Claim::Constant(true)])
        );
        for source in [
            "nodes.a.status",
            "nodes.a.status == input.x",
            "nodes.a.status == 'failed' == true",
            "nodes.a.status | upper == 'FAILED'",
            "nodes.a.output.status == 'failed'",
            "true if nodes.a.status == 'failed' else false",
            "(nodes.a.status == 'failed') == false",
            "nodes.a.status in ['failed', input.x]",
            "input.nodes.a.status == 'failed'",
            "[nodes.a.status == 'failed']",
        ] {
            assert_eq!(of(source), Claim::Unknown, "{source}");
        }
    }

    #[test]
    fn a_text_that_is_no_status_is_told() {
        let (claim, no_statuses) = claim("nodes.a.status in ['faild', 'failed']", &names());
        assert_eq!(claim, status(1, &[NodeStatus::Failed]));
        assert_eq!(no_statuses, [NoStatus { node: 1, text: "faild".to_owned() }]);
    }
}
