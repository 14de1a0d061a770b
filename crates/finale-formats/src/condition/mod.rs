//! `SynthOrg`'s conditions, translated into expressions of finale.
//!
//! The language has atoms, `NOT`, `AND`, `OR` (in any letter case, binding in this order) and
//! parentheses. An atom is everything between them: `true` or `false` in any letter case,
//! `key == value`, `key != value`, one of `key < number`, `<=`, `>`, `>=`, or a key whose truth is asked.
//! A condition never fails: one that is malformed, or longer than 256 tokens, is `false`.
//!
//! `<`, `<=`, `>` and `>=` hold for numbers only: what is missing, or no number, is neither less nor more. A chain of
//! comparisons, such as `a == b != c` or `1 < x < 5`, is malformed; only behind an `==` further ones belong to the value.
//!
//! Where the original behaves by accident, these rules hold instead:
//!
//! - A keyword stands alone: a letter, a digit, `_`, `-` or `.` next to it makes it part of a word,
//!   so `x.or.y` and `opt-and-go` are keys.
//! - Quotes, single or double, around a whole value are not part of it. Keywords, parentheses and
//!   operators between them have no meaning.
//! - Values compare as they are printed in JSON: `true`, `false` and `null`. A boolean is also equal to `True` or `False`,
//!   as the original prints it. A whole number is equal with and without `.0`.
//!
//! The last rule is that of the test `printed_as` in finale's expressions; the one about numbers is that of `compares`.

/// Translates a condition into an expression over `vars`.
///
/// ```
/// use finale_formats::condition::translate;
///
/// assert_eq!(
///     translate("funded AND (level == high OR NOT stage != prod)"),
///     r#"vars["funded"] is truthy and (vars["level"] is printed_as("high") or vars["stage"] is printed_as("prod"))"#
/// );
/// assert_eq!(translate("AND AND"), "false");
/// ```
pub fn translate(condition: &str) -> String {
    let whole = condition.trim();
    let formula = if keyword(whole).is_some() {
        // A condition that is nothing but a keyword asks for a key of that name.
        Some(truth_of(whole))
    } else {
        tokens(condition).and_then(parse)
    };
    let mut expression = String::new();
    formula.unwrap_or(Formula::Literal(false)).write(&mut expression);
    expression
}

const TOKENS_MAX: usize = 256;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Token<'a> {
    Open,
    Close,
    Keyword(Keyword),
    Atom(&'a str),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Keyword {
    And,
    Or,
    Not,
}

fn keyword(word: &str) -> Option<Keyword> {
    [("and", Keyword::And), ("or", Keyword::Or), ("not", Keyword::Not)]
        .into_iter()
        .find_map(|(name, keyword)| word.eq_ignore_ascii_case(name).then_some(keyword))
}

/// The tokens of a condition, or nothing if there are too many.
fn tokens(text: &str) -> Option<Vec<Token<'_>>> {
    let mut lexer = Lexer { text, at: 0, atom_start: 0, unclosed: String::new(), tokens: Vec::new() };
    while lexer.step() {
        if lexer.tokens.len() > TOKENS_MAX {
            return None;
        }
    }
    lexer.end_atom();
    (lexer.tokens.len() <= TOKENS_MAX).then_some(lexer.tokens)
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    atom_start: usize,
    /// Quotes known not to be closed any more: nothing is searched twice.
    unclosed: String,
    tokens: Vec<Token<'a>>,
}

impl<'a> Lexer<'a> {
    fn step(&mut self) -> bool {
        let Some(next) = self.text[self.at..].chars().next() else {
            return false;
        };
        match next {
            '(' => self.end_atom_with(Token::Open, 1),
            ')' => self.end_atom_with(Token::Close, 1),
            '\'' | '"' => self.at += self.quoted_length(next).unwrap_or(1),
            _ if is_word(next) => self.word(),
            _ => self.at += next.len_utf8(),
        }
        true
    }

    fn word(&mut self) {
        let rest = &self.text[self.at..];
        let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        match keyword(&rest[..length]) {
            Some(keyword) => self.end_atom_with(Token::Keyword(keyword), length),
            None => self.at += length,
        }
    }

    /// The length of a quoted value that begins here, right behind an operator.
    fn quoted_length(&mut self, quote: char) -> Option<usize> {
        let before = self.text[self.atom_start..self.at].trim_end();
        let follows_operator = before.ends_with("==") || before.ends_with("!=");
        if !follows_operator || self.unclosed.contains(quote) {
            return None;
        }
        let rest = &self.text[self.at + 1..];
        let closing = rest.match_indices(quote).map(|(at, _)| at + 1);
        let length = closing.into_iter().find(|end| {
            let behind = rest[*end..].chars().next();
            behind.is_none_or(|c| c.is_whitespace() || matches!(c, '(' | ')'))
        });
        if length.is_none() {
            self.unclosed.push(quote);
        }
        length.map(|length| length + 1)
    }

    fn end_atom_with(&mut self, token: Token<'a>, length: usize) {
        self.end_atom();
        self.tokens.push(token);
        self.at += length;
        self.atom_start = self.at;
    }

    fn end_atom(&mut self) {
        let atom = self.text[self.atom_start..self.at].trim();
        if !atom.is_empty() {
            self.tokens.push(Token::Atom(atom));
        }
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.')
}

/// What a condition says; chains are flat, and a `Not` never holds another or a literal.
enum Formula {
    Literal(bool),
    /// A test of one variable, already written as an expression.
    Test(String),
    Not(Box<Formula>),
    All(Vec<Formula>),
    Any(Vec<Formula>),
}

/// One level of parentheses, while it is read.
#[derive(Default)]
struct Level {
    any: Vec<Formula>,
    all: Vec<Formula>,
    negated: bool,
}

impl Level {
    fn operand(&mut self, formula: Formula) {
        let negated = std::mem::take(&mut self.negated);
        let formula = if negated { formula.negate() } else { formula };
        match formula {
            Formula::All(parts) => self.all.extend(parts),
            other => self.all.push(other),
        }
    }

    fn end_all(&mut self) {
        let mut all = std::mem::take(&mut self.all);
        let formula = if all.len() == 1 { all.pop() } else { Some(Formula::All(all)) };
        match formula {
            Some(Formula::Any(parts)) => self.any.extend(parts),
            other => self.any.extend(other),
        }
    }

    fn end(mut self) -> Formula {
        self.end_all();
        match self.any.pop() {
            Some(only) if self.any.is_empty() => only,
            last => {
                self.any.extend(last);
                Formula::Any(self.any)
            }
        }
    }
}

/// Reads tokens with a stack of its own: nesting costs memory, not the thread's stack.
fn parse(tokens: Vec<Token<'_>>) -> Option<Formula> {
    let mut outer = Vec::new();
    let mut level = Level::default();
    let mut wants_operand = true;
    for token in tokens {
        match (token, wants_operand) {
            (Token::Keyword(Keyword::Not), true) => level.negated = !level.negated,
            (Token::Open, true) => outer.push(std::mem::take(&mut level)),
            (Token::Atom(text), true) => {
                level.operand(atom(text)?);
                wants_operand = false;
            }
            (Token::Close, false) => {
                let inner = std::mem::replace(&mut level, outer.pop()?);
                level.operand(inner.end());
            }
            (Token::Keyword(Keyword::And), false) => wants_operand = true,
            (Token::Keyword(Keyword::Or), false) => {
                level.end_all();
                wants_operand = true;
            }
            _ => return None,
        }
    }
    (!wants_operand && outer.is_empty()).then(|| level.end())
}

/// What an atom says; nothing if it is malformed, and then the whole condition is.
fn atom(text: &str) -> Option<Formula> {
    let Some((at, operator)) = operator_in(text) else {
        return Some(if text.eq_ignore_ascii_case("true") {
            Formula::Literal(true)
        } else if text.eq_ignore_ascii_case("false") {
            Formula::Literal(false)
        } else {
            truth_of(text)
        });
    };
    let (key, value) = (text[..at].trim(), text[at + operator.len()..].trim());
    if is_chain(operator, value) {
        return None;
    }
    if key.is_empty() || value.is_empty() {
        return Some(Formula::Literal(false));
    }
    let key = literal(key);
    if matches!(operator, "<" | "<=" | ">" | ">=") {
        let number: serde_json::Number = value.parse().ok()?;
        return Some(Formula::Test(format!("vars[{key}] is compares(\"{operator}\", {number})")));
    }
    let value = unquoted(value).unwrap_or(value);
    let equal = Formula::Test(format!("vars[{key}] is printed_as({})", literal(value)));
    Some(if operator == "==" { equal } else { equal.negate() })
}

fn truth_of(key: &str) -> Formula {
    Formula::Test(format!("vars[{}] is truthy", literal(key)))
}

/// The first operator of a comparison, and where it stands.
fn operator_in(text: &str) -> Option<(usize, &'static str)> {
    // Of two that begin at the same place the longer one is meant: it comes first.
    const OPERATORS: [&str; 6] = ["==", "!=", "<=", ">=", "<", ">"];
    let found = OPERATORS.into_iter().filter_map(|operator| Some((text.find(operator)?, operator)));
    found.min_by_key(|(at, _)| *at)
}

/// Whether there are further comparisons in a value; operators inside quotes do not count.
fn is_chain(operator: &str, value: &str) -> bool {
    let mut rest = if unquoted(value).is_some() { "" } else { value };
    while let Some((at, further)) = operator_in(rest) {
        if operator != "==" || further != "==" {
            return true;
        }
        rest = &rest[at + further.len()..];
    }
    false
}

/// What stands between quotes, if the whole value is quoted.
fn unquoted(value: &str) -> Option<&str> {
    ['\'', '"'].into_iter().find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote))
}

/// A text literal of the expression language.
fn literal(text: &str) -> String {
    let mut literal = String::with_capacity(text.len() + 2);
    literal.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => literal.extend(['\\', c]),
            // Only characters of the basic plane are control characters.
            c if c.is_control() => literal.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => literal.push(c),
        }
    }
    literal.push('"');
    literal
}

impl Formula {
    fn negate(self) -> Self {
        match self {
            Self::Literal(value) => Self::Literal(!value),
            Self::Not(inner) => *inner,
            other => Self::Not(Box::new(other)),
        }
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Literal(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Test(test) => out.push_str(test),
            Self::Not(inner) => {
                out.push_str("not ");
                inner.write_operand(out);
            }
            Self::All(parts) => write_chain(parts, " and ", Self::write_conjunct, out),
            Self::Any(parts) => write_chain(parts, " or ", Self::write, out),
        }
    }

    fn write_conjunct(&self, out: &mut String) {
        match self {
            Self::Any(_) => self.write_operand(out),
            _ => self.write(out),
        }
    }

    fn write_operand(&self, out: &mut String) {
        match self {
            Self::All(_) | Self::Any(_) => {
                out.push('(');
                self.write(out);
                out.push(')');
            }
            _ => self.write(out),
        }
    }
}

fn write_chain(parts: &[Formula], operator: &str, write: fn(&Formula, &mut String), out: &mut String) {
    for (position, part) in parts.iter().enumerate() {
        if position > 0 {
            out.push_str(operator);
        }
        write(part, out);
    }
}

#[cfg(test)]
mod tests;
