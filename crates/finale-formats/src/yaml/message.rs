//! What is wrong with the syntax of a file, and what to do about it.

use granit_parser::ErrorKind;

const SPACES: &str = "indent with spaces, YAML takes no tabs for that";
const BESIDE: &str = "is it indented like the keys beside it?";
const BRACES: &str = "inside of braces a text with `{`, `}`, `[`, `]` or `,` needs quotes";
const BRACKETS: &str = "inside of brackets a text with `{`, `}`, `[`, `]` or `,` needs quotes";
const CLOSED: &str = "a bracket or brace before it may not be closed";

/// The message for an error of the parser.
pub(super) fn of(kind: &ErrorKind) -> String {
    let (what, advice) = match kind {
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabInPlainScalar
        | ErrorKind::TabAtBlockScalarStart => ("a tab cannot stand here", SPACES),
        ErrorKind::MappingValueNotAllowed => ("a `:` cannot stand here", "a text with `: ` in it needs quotes"),
        ErrorKind::UnexpectedCharacter { character } => {
            return format!("no text begins with `{character}`: a text that begins with this character needs quotes");
        }
        ErrorKind::UnknownAnchor => {
            ("there is no anchor of this name before the alias", "a text that begins with `*` needs quotes")
        }
        ErrorKind::ExpectedFlowMappingSeparator => ("a `,` or `}` is missing", BRACES),
        ErrorKind::ExpectedFlowSequenceSeparator => ("a `,` or `]` is missing", BRACKETS),
        ErrorKind::InvalidColonPlacement => ("a `:` cannot stand here", CLOSED),
        ErrorKind::ExpectedBlockMappingKey => ("a key is missing here", BESIDE),
        ErrorKind::SimpleKeyExpected => ("a `:` is missing behind this key", BESIDE),
        ErrorKind::InvalidIndentation => ("the line begins too far to the left or to the right", BESIDE),
        ErrorKind::UnexpectedEofFlowSequence | ErrorKind::UnclosedFlowCollection { open: '[' } => {
            ("a `[` is not closed", "add its `]`")
        }
        ErrorKind::UnexpectedEofFlowMapping
        | ErrorKind::UnexpectedEofImplicitFlowMapping
        | ErrorKind::UnclosedFlowCollection { .. } => ("a `{` is not closed", "add its `}`"),
        ErrorKind::MismatchedFlowCollectionEnd { open, close } => {
            return format!("a `{open}` is closed with `{close}`: {CLOSED}");
        }
        ErrorKind::MisplacedFlowCollectionEnd => ("this closes nothing that was opened", BRACKETS),
        ErrorKind::UnclosedQuotedScalar => ("a quote is not closed", "add the same quote at the end of the text"),
        ErrorKind::UnknownQuotedScalarEscape => {
            ("`\\` begins nothing that is known", "write `\\\\` for a backslash, or use single quotes")
        }
        ErrorKind::InvalidTrailingSingleQuotedScalar | ErrorKind::InvalidTrailingDoubleQuotedScalar => {
            ("something stands behind the closing quote", "put the whole text between quotes")
        }
        ErrorKind::CommentNotSeparated => ("a `#` stands right behind a value", "put a space before a comment"),
        _ => return kind.to_string(),
    };
    format!("{what}: {advice}")
}
