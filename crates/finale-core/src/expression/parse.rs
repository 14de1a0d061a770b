//! From tokens to steps, in one pass; the parser goes down for brackets and `else` only, and not too deep.

mod cursor;

use minijinja::Value;

use self::cursor::{foreign_braces, unexpected};
use super::error::{ExpressionError, NODE_PARTS};
use super::limits::DEPTH_MAX;
use super::literal;
use super::program::{Calculation, Call, Callee, Comparison, Operands, Program, Span, Step};
use super::references::References;
use super::scan::{Kind, Token};
use super::scope::Scope;
use super::{Names, known};

/// Filters whose results are nested deeper than what they are given.
const NESTING_FILTERS: [&str; 4] = ["dictsort", "groupby", "items", "map"];

/// Compiles an expression whose tokens are given.
pub(super) fn parse(
    source: &str,
    tokens: &[Token<'_>],
    names: Names<'_>,
    upstream: impl FnOnce() -> Vec<u32>,
) -> Result<(Program, Scope), ExpressionError> {
    let references = References::new(source, names);
    let mut parser = Parser { tokens, at: 0, depth: 0, nesting: 0, steps: Vec::new(), references };
    parser.expression()?;
    if let Some(token) = parser.peek() {
        return Err(unexpected(token, "the end of the expression"));
    }
    let program = Program { steps: parser.steps.into() };
    Ok((program, parser.references.into_scope(upstream)))
}

struct Parser<'t, 's, 'n> {
    tokens: &'t [Token<'s>],
    at: usize,
    /// How many brackets and `else` are around.
    depth: usize,
    /// How many filters there are whose results are nested deeper.
    nesting: usize,
    steps: Vec<Step>,
    references: References<'s, 'n>,
}

type Parsed<T = ()> = Result<T, ExpressionError>;

/// How tightly an operator between two operands that is no comparison binds, and what it does; nothing joins texts.
fn operator(token: &Token<'_>) -> Option<(usize, Option<Calculation>)> {
    if token.kind != Kind::Sign {
        return None;
    }
    Some(match token.text {
        "+" => (0, Some(Calculation::Add)),
        "-" => (0, Some(Calculation::Subtract)),
        "~" => (1, None),
        "*" => (2, Some(Calculation::Multiply)),
        "/" => (2, Some(Calculation::Divide)),
        "//" => (2, Some(Calculation::DivideWhole)),
        "%" => (2, Some(Calculation::Remainder)),
        "**" => (3, Some(Calculation::Power)),
        _ => return None,
    })
}

impl<'t, 's> Parser<'t, 's, '_> {
    fn expression(&mut self) -> Parsed {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(ExpressionError::NestedTooDeep { depth_max: DEPTH_MAX });
        }
        self.choice()?;
        self.depth -= 1;
        Ok(())
    }

    /// `a if b else c`: the steps of the condition go before those of the first value.
    fn choice(&mut self) -> Parsed {
        let begin = self.steps.len();
        self.any()?;
        while self.take_word("if") {
            let first = self.steps.split_off(begin);
            let at = self.at;
            self.any()?;
            let condition = self.span_from(at);
            self.steps.push(Step::JumpUnless(first.len() + 1, condition));
            self.steps.extend(first);
            let jump = self.reserve();
            if self.take_word("else") {
                self.expression()?;
            } else {
                self.steps.push(Step::Constant(Value::UNDEFINED));
            }
            self.steps[jump] = Step::Jump(self.steps.len() - jump - 1);
        }
        Ok(())
    }

    fn any(&mut self) -> Parsed {
        let begin = self.at;
        self.all()?;
        while self.take_word("or") {
            let left = self.span_before(begin);
            let jump = self.reserve();
            self.all()?;
            self.steps[jump] = Step::Or(self.steps.len() - jump - 1, left);
        }
        Ok(())
    }

    fn all(&mut self) -> Parsed {
        let begin = self.at;
        self.negated()?;
        while self.take_word("and") {
            let left = self.span_before(begin);
            let jump = self.reserve();
            self.negated()?;
            self.steps[jump] = Step::And(self.steps.len() - jump - 1, left);
        }
        Ok(())
    }

    fn negated(&mut self) -> Parsed {
        let mut count = 0;
        while self.take_word("not") {
            count += 1;
        }
        let begin = self.at;
        self.comparison()?;
        let operand = self.span_from(begin);
        self.steps.extend((0..count).map(|_| Step::Not(operand)));
        Ok(())
    }

    fn comparison(&mut self) -> Parsed {
        let mut begin = self.at;
        self.operation(0)?;
        let mut left = self.span_from(begin);
        let mut chained = Vec::new();
        let mut last = None;
        while let Some(comparison) = self.take_comparison()? {
            if let Some((comparison, operands)) = last.take() {
                chained.push(self.steps.len());
                self.steps.push(Step::Chain(comparison, operands, 0));
            }
            begin = self.at;
            self.operation(0)?;
            let right = self.span_from(begin);
            last = Some((comparison, Operands { left, right }));
            left = right;
        }
        if let Some((comparison, operands)) = last {
            self.steps.push(Step::Compare(comparison, operands));
        }
        let end = self.steps.len();
        for at in chained {
            if let Step::Chain(_, _, jump) = &mut self.steps[at] {
                *jump = end - at - 1;
            }
        }
        Ok(())
    }

    fn take_comparison(&mut self) -> Parsed<Option<Comparison>> {
        let Some(token) = self.peek() else {
            return Ok(None);
        };
        let comparison = match (token.kind, token.text) {
            (Kind::Sign, "==") => Comparison::Equal,
            (Kind::Sign, "!=") => Comparison::NotEqual,
            (Kind::Sign, "<") => Comparison::Less,
            (Kind::Sign, "<=") => Comparison::LessOrEqual,
            (Kind::Sign, ">") => Comparison::Greater,
            (Kind::Sign, ">=") => Comparison::GreaterOrEqual,
            (Kind::Word, "in") => Comparison::In,
            (Kind::Word, "not") => {
                self.at += 1;
                return if self.take_word("in") { Ok(Some(Comparison::NotIn)) } else { Err(self.refuse("`in`")) };
            }
            _ => return Ok(None),
        };
        self.at += 1;
        Ok(Some(comparison))
    }

    /// Operators that bind at least so tightly.
    fn operation(&mut self, strength_min: usize) -> Parsed {
        let begin = self.at;
        self.filtered()?;
        while let Some((strength, calculation)) = self.peek().and_then(operator) {
            if strength < strength_min {
                break;
            }
            let left = self.span_from(begin);
            self.at += 1;
            let behind = self.at;
            self.operation(strength + 1)?;
            let operands = Operands { left, right: self.span_from(behind) };
            self.steps.push(match calculation {
                Some(calculation) => Step::Calculate(calculation, operands),
                None => Step::Concatenate(operands),
            });
        }
        Ok(())
    }

    /// A value with its filters and tests.
    fn filtered(&mut self) -> Parsed {
        let begin = self.at;
        self.signed()?;
        loop {
            let subject = self.span_from(begin);
            if self.take_sign("|") {
                self.filter(subject)?;
            } else if self.take_word("is") {
                self.test(subject)?;
            } else {
                return Ok(());
            }
        }
    }

    fn filter(&mut self, subject: Span) -> Parsed {
        let name = self.name("the name of a filter")?;
        let known = known::FILTERS.iter().find(|filter| **filter == name);
        let &filter = known.ok_or_else(|| ExpressionError::UnknownFilter { name: name.to_owned() })?;
        self.nesting += usize::from(NESTING_FILTERS.contains(&filter));
        if self.nesting > DEPTH_MAX {
            return Err(ExpressionError::NestedTooDeep { depth_max: DEPTH_MAX });
        }
        self.check_named_inside(filter)?;
        self.call(Callee::Filter(filter), 1, subject)
    }

    /// Refuses a filter or a test that does not exist where a filter is given its name: `map('nam')`, `select('od')`.
    fn check_named_inside(&self, filter: &str) -> Parsed {
        let before = match filter {
            "map" | "select" | "reject" => 1,
            "selectattr" | "rejectattr" => 3,
            _ => return Ok(()),
        };
        let behind = |offset: usize| self.tokens.get(self.at + offset);
        let is_sign =
            |offset, signs: &[&str]| behind(offset).is_some_and(|token| signs.iter().any(|sign| token.is_sign(sign)));
        let is_there = is_sign(0, &["("]) && (before == 1 || is_sign(2, &[","])) && is_sign(before + 1, &[")", ","]);
        let Some(token) = behind(before).filter(|token| is_there && token.kind == Kind::Text) else { return Ok(()) };
        let name = literal::text(token.text)?;
        let is_word = name.starts_with(|c: char| c.is_ascii_alphabetic());
        match filter {
            "map" if !known::FILTERS.contains(&&*name) => Err(ExpressionError::UnknownFilter { name }),
            "map" => Ok(()),
            _ if is_word && !known::TESTS.contains(&&*name) => Err(ExpressionError::UnknownTest { name }),
            _ => Ok(()),
        }
    }

    fn test(&mut self, subject: Span) -> Parsed {
        let is_negated = self.take_word("not");
        let name = self.name("the name of a test")?;
        let known = known::TESTS.iter().find(|test| **test == name);
        let &test = known.ok_or_else(|| ExpressionError::UnknownTest { name: name.to_owned() })?;
        if self.peek().is_some_and(begins_argument) {
            self.signed()?;
            let call = Call { callee: Callee::Test(test), positional: 2, named: Box::default(), subject };
            self.steps.push(Step::Call(Box::new(call)));
        } else {
            self.call(Callee::Test(test), 1, subject)?;
        }
        if is_negated {
            self.steps.push(Step::Not(subject));
        }
        Ok(())
    }

    /// Arguments in brackets, if there are any.
    fn call(&mut self, callee: Callee, mut positional: usize, subject: Span) -> Parsed {
        let mut named: Vec<Box<str>> = Vec::new();
        if self.take_sign("(") {
            self.elements(")", |parser| {
                let is_named = parser.tokens.get(parser.at + 1).is_some_and(|token| token.is_sign("="));
                match parser.peek().filter(|token| is_named && token.kind == Kind::Word) {
                    Some(name) => {
                        named.push(name.text.into());
                        parser.at += 2;
                    }
                    None if named.is_empty() => positional += 1,
                    None => return Err(parser.refuse("an argument with a name")),
                }
                parser.expression()
            })?;
        }
        self.steps.push(Step::Call(Box::new(Call { callee, positional, named: named.into(), subject })));
        Ok(())
    }

    /// Elements with commas between them up to a closing bracket; how many there are.
    fn elements(&mut self, close: &str, mut element: impl FnMut(&mut Self) -> Parsed) -> Parsed<usize> {
        let mut count = 0;
        loop {
            if self.take_sign(close) {
                return Ok(count);
            }
            if count > 0 {
                self.expect_sign(",")?;
                if self.take_sign(close) {
                    return Ok(count);
                }
            }
            element(self)?;
            count += 1;
        }
    }

    /// A value with what is looked up in it; a `-` before it counts for all of that.
    fn signed(&mut self) -> Parsed {
        let mut count = 0;
        while self.take_sign("-") {
            count += 1;
        }
        let begin = self.at;
        self.primary()?;
        while self.lookup(begin)? {}
        let operand = self.span_from(begin);
        self.steps.extend((0..count).map(|_| Step::Negate(operand)));
        Ok(())
    }

    /// `.name`, `.0`, `[...]`: whether one was there.
    fn lookup(&mut self, begin: usize) -> Parsed<bool> {
        let container = self.span_from(begin);
        if self.take_sign(".") {
            let Some(token) = self.next() else {
                return Err(self.refuse("a name or an index"));
            };
            match token.kind {
                Kind::Word => {
                    let is_part = NODE_PARTS.contains(&token.text);
                    if !is_part && matches!(self.steps.last(), Some(Step::Node(_))) {
                        return Err(ExpressionError::UnknownPart { name: token.text.to_owned() });
                    }
                    self.steps.push(Step::Attribute(token.text.into(), container));
                }
                Kind::Number => {
                    self.steps.push(Step::Constant(literal::number(token.text)?));
                    self.steps.push(Step::Item(container));
                }
                _ => return Err(unexpected(token, "a name or an index")),
            }
            return Ok(true);
        }
        if self.peek().is_some_and(|token| token.is_sign("(")) {
            let detail = "syntax error: only `range` and `dict` can be called; a filter is put behind `|`".to_owned();
            return Err(ExpressionError::Syntax { detail });
        }
        if !self.take_sign("[") {
            return Ok(false);
        }
        self.subscript(container)?;
        Ok(true)
    }

    fn subscript(&mut self, container: Span) -> Parsed {
        let ends = |parser: &Self| parser.peek().is_some_and(|token| token.is_sign(":") || token.is_sign("]"));
        let mut parts = 0;
        loop {
            if parts < 3 && ends(self) && (parts > 0 || self.peek().is_some_and(|token| token.is_sign(":"))) {
                self.steps.push(Step::Constant(Value::from(())));
            } else {
                self.expression()?;
            }
            parts += 1;
            if parts == 3 || !self.take_sign(":") {
                break;
            }
        }
        self.expect_sign("]")?;
        if parts == 1 {
            self.steps.push(Step::Item(container));
            return Ok(());
        }
        self.steps.extend((parts..3).map(|_| Step::Constant(Value::from(()))));
        self.steps.push(Step::Slice(container));
        Ok(())
    }

    fn primary(&mut self) -> Parsed {
        let Some(&token) = self.next() else {
            return Err(self.refuse("an expression"));
        };
        match (token.kind, token.text) {
            (Kind::Word, _) => return self.word(&token),
            (Kind::Text, _) => {
                let text = self.text(&token)?;
                self.steps.push(Step::Constant(Value::from(text)));
            }
            (Kind::Number, text) => self.steps.push(Step::Constant(literal::number(text)?)),
            (Kind::Sign, "(") => return self.bracket(),
            (Kind::Sign, "[") => {
                let count = self.elements("]", Self::expression)?;
                self.steps.push(Step::List(count));
            }
            (Kind::Sign, "{") if self.take_sign("{") => return Err(foreign_braces()),
            (Kind::Sign, "{") => {
                let count = self.elements("}", |parser| {
                    parser.expression()?;
                    parser.expect_sign(":")?;
                    parser.expression()
                })?;
                self.steps.push(Step::Map(count));
            }
            (Kind::Sign, _) => return Err(unexpected(&token, "an expression")),
        }
        Ok(())
    }

    /// A value in brackets, or a list in round ones.
    fn bracket(&mut self) -> Parsed {
        if self.take_sign(")") {
            self.steps.push(Step::List(0));
            return Ok(());
        }
        self.expression()?;
        if self.take_sign(",") {
            let further = self.elements(")", Self::expression)?;
            self.steps.push(Step::List(1 + further));
            return Ok(());
        }
        self.expect_sign(")")
    }

    fn word(&mut self, token: &Token<'s>) -> Parsed {
        let begin = self.at - 1;
        let step = match token.text {
            "true" | "True" => Step::Constant(Value::from(true)),
            "false" | "False" => Step::Constant(Value::from(false)),
            "none" | "None" => Step::Constant(Value::from(())),
            "input" => {
                self.references.input();
                Step::Input
            }
            "failure" => {
                self.references.failures();
                Step::Failure
            }
            "failures" => {
                self.references.failures();
                Step::Failures
            }
            "vars" => {
                self.references.vars(self.tokens, begin);
                Step::Vars
            }
            "nodes" => {
                let (place, used) = self.references.node(self.tokens, begin)?;
                self.at += used;
                Step::Node(place)
            }
            "range" if self.peek().is_some_and(|next| next.is_sign("(")) => {
                return self.call(Callee::Range, 0, self.span_from(begin));
            }
            "dict" if self.peek().is_some_and(|next| next.is_sign("(")) => {
                return self.call(Callee::Dict, 0, self.span_from(begin));
            }
            "range" | "dict" => return Err(self.refuse(&format!("`(` behind `{}`", token.text))),
            "and" | "or" | "not" | "if" | "else" | "in" | "is" => return Err(unexpected(token, "an expression")),
            name if self.peek().is_some_and(|next| next.is_sign("(")) => {
                let detail =
                    format!("`{name}` is unknown: only `range` and `dict` can be called; a filter is put behind `|`");
                return Err(ExpressionError::Syntax { detail });
            }
            name => Step::Local(self.references.local(name)?),
        };
        self.steps.push(step);
        Ok(())
    }

    /// Texts beside each other are one.
    fn text(&mut self, first: &Token<'s>) -> Parsed<String> {
        let mut text = literal::text(first.text)?;
        while let Some(token) = self.peek().filter(|token| token.kind == Kind::Text) {
            text.push_str(&literal::text(token.text)?);
            self.at += 1;
        }
        Ok(text)
    }
}

/// Whether the argument of a test begins here, without brackets around it.
fn begins_argument(token: &Token<'_>) -> bool {
    match token.kind {
        Kind::Word => !matches!(token.text, "and" | "or" | "if" | "else" | "is" | "in" | "not"),
        Kind::Text | Kind::Number => true,
        Kind::Sign => matches!(token.text, "-" | "[" | "{"),
    }
}
