//! How large an expression may be, and how much it may do.
//!
//! The limits of the text hold before anything is made of it. The parser goes down for brackets only, and the evaluation
//! not at all, so that no text overflows a stack. What a document in a payload may be is no business of these limits:
//! whatever was accepted can be passed on as it is, and be put into something else.

use crate::payload;

/// The longest text of an expression, in bytes.
pub const SOURCE_BYTES_MAX: usize = 64 * 1024;
/// The most words and signs of an expression.
pub const TOKENS_MAX: usize = 16 * 1024;
/// The deepest nesting of brackets and `else`; filters whose results are nested deeper count as well.
pub const DEPTH_MAX: usize = 100;
/// The most steps of one evaluation; a step is an instruction, two visited items, four compared ones, 64 bytes of text
/// made, or 16 bytes printed as JSON.
pub const FUEL_MAX: u64 = 200_000;
/// The most bytes of JSON that a result may have beyond the documents that the expression refers to.
pub const RESULT_BYTES_MAX: usize = 1024 * 1024;
/// The deepest nesting of a result: 16 levels more than that of a document that comes in.
pub const RESULT_DEPTH_MAX: usize = payload::DEPTH_MAX + 16;

/// Printing more than that takes more steps than there are.
pub(super) const PRINTED_BYTES_MAX: usize = FUEL_MAX as usize * 16;
