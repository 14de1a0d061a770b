//! Values as words of a shell command.

use serde_json::{Value, json};

use super::{World, value};

fn quoted(input: Value) -> Value {
    value("input | quote", &World::new(input, Vec::new())).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_text_is_one_word_whatever_is_in_it() {
    let hostile =
        ["a b", "", "$(rm -rf /)", "`id`", "it's", "\"; id #", "a\nb", "\\", "*", "~", "-n", "x=1", "\u{202e}", "ü"];
    for text in hostile {
        let quoted = quoted(json!(text));
        let words = shlex::split(quoted.as_str().unwrap());
        assert_eq!(words, Some(vec![text.to_owned()]), "{quoted}");
    }
    assert_eq!(quoted(json!("plain")), "plain");
}

#[test]
fn a_list_is_its_words_and_anything_else_its_json() {
    assert_eq!(quoted(json!(["a b", "$c", 1, true])), "'a b' '$c' 1 true");
    assert_eq!(quoted(json!([])), "");
    for (input, text) in [(json!(7), "7"), (json!(1.5), "1.5"), (json!(true), "true"), (json!(null), "null")] {
        assert_eq!(quoted(input), text);
    }
    let map = quoted(json!({"a": "it's"}));
    assert_eq!(shlex::split(map.as_str().unwrap()), Some(vec![r#"{"a":"it's"}"#.to_owned()]));
}

#[test]
fn what_no_shell_can_be_given_is_refused() {
    let error = value("input | quote", &World::new(json!("a\u{0}b"), Vec::new())).unwrap_err().to_string();
    assert!(error.contains("a text with a NUL character cannot be quoted"), "{error}");
    let error = value("input.missing | quote", &World::new(json!({}), Vec::new())).unwrap_err().to_string();
    assert!(error.contains("undefined"), "{error}");
    let large = World::new(json!("a b ".repeat(300_000)), Vec::new());
    let error = value("input | quote", &large).err().map(|error| error.to_string()).unwrap_or_default();
    assert!(error.contains("larger than the 1048576 bytes allowed"), "{error}");
}
