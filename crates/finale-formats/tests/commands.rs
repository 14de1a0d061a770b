//! Templates in shell commands, of which a file is warned.

use finale_formats::{Format, Loaded, load};

fn loaded(task: &str) -> Loaded {
    let text = format!("id: w\ntasks:\n  t:\n    {task}\n");
    load(text.as_bytes(), Format::Own, "f.yaml").unwrap_or_else(|error| panic!("{error}"))
}

fn warnings(task: &str) -> Vec<String> {
    loaded(task).warnings.iter().map(ToString::to_string).collect()
}

#[test]
fn every_template_in_a_command_that_is_not_quoted_is_warned_of() {
    let unquoted = "4:12: tasks.t.shell: the shell runs what `${{ input.who }}` gives: write `${{ input.who | quote }}`, or \
                    hand the value over in `env`";
    assert_eq!(warnings("shell: echo ${{ input.who }}"), [unquoted]);
    assert_eq!(warnings("shell: echo '${{ input.who }}' \"${{ input.who }}\""), [unquoted, unquoted]);
    assert_eq!(warnings("shell: ${{ input.who }}"), [unquoted]);
    assert_eq!(
        warnings("shell: {command: \"echo ${{ input.a ~ input.b }}\", dir: \"${{ input.dir }}\"}"),
        ["4:22: tasks.t.shell.command: the shell runs what `${{ input.a ~ input.b }}` gives: write \
          `${{ (input.a ~ input.b) | quote }}`, or hand the value over in `env`"]
    );
    assert_eq!(warnings("handler: shell\n    with: {command: \"echo ${{ input.who }}\"}").len(), 1);
}

#[test]
fn a_value_that_is_quoted_or_handed_over_is_no_danger() {
    for task in [
        "shell: echo ${{ input.who | quote }} ${{ (input.a ~ input.b) | quote }}",
        "shell: {command: 'echo \"$WHO\"', env: {WHO: \"${{ input.who }}\"}}",
        "shell: echo ${{ '${{' }} ${{ 3 }}",
        "log: ${{ input.who }}",
        "handler: mine\n    with: {command: \"${{ input.who }}\"}",
    ] {
        assert_eq!(warnings(task), [""; 0], "{task}");
    }
}

#[test]
fn a_quoted_value_between_quotes_is_warned_of() {
    for command in ["echo \"${{ input.who | quote }}\"", "echo 'it is ${{ input.who | quote }}'"] {
        let loaded = loaded(&format!("shell: {command}"));
        let codes: Vec<_> = loaded.warnings.iter().map(finale_formats::FileWarning::code).collect();
        assert_eq!(codes, ["command_quoted_twice"], "{command}");
    }
    assert_eq!(warnings("shell: echo \"a\" 'b' ${{ input.who | quote }} \"c\""), [""; 0]);
}

fn codes(task: &str) -> Vec<&'static str> {
    loaded(task).warnings.iter().map(finale_formats::FileWarning::code).collect()
}

#[test]
fn in_a_here_document_no_quotes_count() {
    let task = "shell: \"cat <<EOF\\n${{ input.who | quote }}\\nEOF\\necho ${{ input.who | quote }}\"";
    assert_eq!(codes(task), ["command_here_document"]);
}

#[test]
fn templates_that_nobody_reads_are_warned_of() {
    for key in ["title", "label", "assignee"] {
        assert_eq!(codes(&format!("{key}: 'for ${{{{ input.who }}}}'")), ["template_unread"], "{key}");
    }
    assert_eq!(codes("shell: 'echo {{ input.who }}'"), ["template_foreign"]);
    assert_eq!(codes("shell: 'docker ps --format {{.Names}}'"), [""; 0]);
}

#[test]
fn a_code_that_is_nearly_a_class_of_failures_is_warned_of() {
    for kind in ["on: timeout", "on: [failed, panic]", "not_on: fail"] {
        assert_eq!(codes(&format!("retry: {{attempts: 3, {kind}}}")), ["retry_code_like_class"], "{kind}");
    }
    assert_eq!(codes("retry: {attempts: 3, on: [timed_out, card_declined]}"), [""; 0]);
}

#[test]
fn a_warning_is_shown_where_it_is_about() {
    use finale_formats::diagnostic::{Style, render};
    let text = "id: w\ntasks:\n  t:\n    shell: echo ${{ input.who }}\n";
    let loaded = load(text.as_bytes(), Format::Own, "f.yaml").unwrap();
    let shown = render(&[loaded.warnings[0].diagnostic()], "f.yaml", text, Style::Ascii);
    assert!(shown.starts_with("warning[command_unquoted]: the shell runs what"), "{shown}");
    assert!(shown.contains(" --> f.yaml:4:12"), "{shown}");
}
