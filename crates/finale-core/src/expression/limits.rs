//! How large an expression may be, and how much it may do.
//!
//! The parser and the code generator recurse, so a text that nests or chains too far would overflow the stack and take the
//! process with it. The limits are checked on the tokens, before the parser runs. They were chosen by measuring a debug
//! build on a stack of 2 MiB: a chain may be three times as long before it overflows; brackets cost far more stack, and the
//! deepest nesting that is allowed takes two thirds of it.

use super::error::ExpressionError;
use super::scan::{Kind, Token};

/// The longest text of an expression, in bytes.
pub const SOURCE_BYTES_MAX: usize = 64 * 1024;
/// The most words and signs of an expression.
pub const TOKENS_MAX: usize = 2048;
/// The deepest nesting of brackets.
pub const DEPTH_MAX: usize = 70;
/// The longest chain of operators, accesses, calls, filters and tests on the way to one operand, over all nesting levels.
pub const LINKS_MAX: usize = 384;
/// The most `else`, `not` and `-` in one chain, over all nesting levels: the parser goes down for each.
pub const PREFIXES_MAX: usize = 80;
/// The most steps of one evaluation; a step is an instruction, two visited items or 64 bytes produced.
pub const FUEL_MAX: u64 = 200_000;
/// The most parts of a value that is compared: numbers, names, and each 64 bytes of text.
pub const COMPARED_PARTS_MAX: usize = 200_000;
/// The largest result of an expression, in bytes of JSON.
pub const RESULT_BYTES_MAX: usize = 1024 * 1024;
/// The deepest nesting of a result: what a JSON parser still reads back.
pub const RESULT_DEPTH_MAX: usize = 127;

/// Refuses what would make the parser recurse too far.
pub(super) fn check(tokens: &[Token<'_>]) -> Result<(), ExpressionError> {
    let mut levels = vec![Level::default()];
    for token in tokens {
        match token.kind {
            Kind::Sign => sign(&mut levels, token.text)?,
            Kind::Word => word(&mut levels, token.text),
            Kind::Text | Kind::Number => top(&mut levels).prefixes = 0,
        }
        let prefixes = levels.iter().map(|level| level.prefixes + level.elses).sum::<usize>();
        if prefixes > PREFIXES_MAX {
            return Err(ExpressionError::PrefixesTooMany { links_max: PREFIXES_MAX });
        }
    }
    while let Some(level) = levels.pop() {
        close(&mut levels, level.height())?;
    }
    Ok(())
}

/// What stands between two brackets, measured by how deep its syntax tree can become.
#[derive(Clone, Copy, Default)]
struct Level {
    /// `and`, `or`, `if`, `else` so far.
    logic: usize,
    /// Other operators, accesses and filters since the last of those.
    links: usize,
    /// The highest bracket since the last of those.
    inner: usize,
    /// The highest operand before the last of those.
    operand: usize,
    /// The highest element before the last comma.
    element: usize,
    /// `not` and `-` in a row: the parser goes down for each and comes back with the operand.
    prefixes: usize,
    /// `else` since the last comma: the parser comes back from all of them at the end.
    elses: usize,
}

impl Level {
    fn height(&self) -> usize {
        (self.logic + self.operand.max(self.links + self.inner)).max(self.element)
    }

    fn next_operand(&mut self) {
        self.operand = self.operand.max(self.links + self.inner);
        self.logic += 1;
        (self.links, self.inner) = (0, 0);
    }

    fn next_element(&mut self) {
        *self = Self { element: self.height(), ..Self::default() };
    }
}

fn sign(levels: &mut Vec<Level>, text: &str) -> Result<(), ExpressionError> {
    let is_inside = levels.len() > 1;
    let level = top(levels);
    match text {
        "(" | "[" | "{" => {
            level.links += 1;
            levels.push(Level::default());
            if levels.len() > DEPTH_MAX + 1 {
                return Err(ExpressionError::NestedTooDeep { depth_max: DEPTH_MAX });
            }
        }
        ")" | "]" | "}" if is_inside => {
            let height = levels.pop().map_or(0, |level| level.height());
            close(levels, height)?;
        }
        "," | ":" => level.next_element(),
        "-" => {
            level.links += 1;
            level.prefixes += 1;
        }
        // Both operands of a comparison or a multiplication get a guard.
        "*" | "==" | "!=" | "<" | "<=" | ">" | ">=" => level.links += 2,
        _ => level.links += 1,
    }
    Ok(())
}

fn word(levels: &mut Vec<Level>, text: &str) {
    let level = top(levels);
    match text {
        "and" | "or" | "if" => level.next_operand(),
        "else" => {
            level.next_operand();
            level.elses += 1;
        }
        "not" => {
            level.links += 1;
            level.prefixes += 1;
        }
        "is" => level.links += 1,
        "in" => level.links += 2,
        _ => level.prefixes = 0,
    }
}

fn top(levels: &mut Vec<Level>) -> &mut Level {
    if levels.is_empty() {
        levels.push(Level::default());
    }
    let last = levels.len() - 1;
    &mut levels[last]
}

fn close(levels: &mut [Level], height: usize) -> Result<(), ExpressionError> {
    if height > LINKS_MAX {
        return Err(ExpressionError::ChainTooLong { links_max: LINKS_MAX });
    }
    if let Some(parent) = levels.last_mut() {
        parent.inner = parent.inner.max(height + 1);
        parent.prefixes = 0;
    }
    Ok(())
}
