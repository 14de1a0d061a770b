//! Texts of a picture, whose fonts nobody knows: how wide they are at most, where they are broken and cut, and numbers.

use unicode_width::UnicodeWidthChar as _;

use crate::obeyed::is_obeyed;

/// The height of a line of text, by the size of its letters.
pub(super) const LINE: f64 = 1.25;

/// How wide a text is, in the letters of the usual fonts without serifs.
pub(super) fn width(text: &str, size: f64) -> f64 {
    text.chars().map(em).sum::<f64>() * size
}

fn em(letter: char) -> f64 {
    match letter {
        'f' | 'i' | 'j' | 'l' | 'r' | 't' | 'I' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | '(' | ')' | '[' | ']'
        | ' ' => 0.36,
        'm' | 'w' | 'M' | 'W' | '@' | '%' => 0.92,
        'A'..='Z' | '&' | '+' | '=' | '<' | '>' | '~' | '#' => 0.72,
        letter => 0.59 * letter.width().unwrap_or(1) as f64,
    }
}

/// A text in lines.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines {
    pub(super) lines: Vec<String>,
    pub(super) size: f64,
}

impl Lines {
    /// The text in at most so many lines of at most so many letters each; a wide letter counts twice.
    pub(super) fn new(text: &str, size: f64, (letters_max, lines_max): (usize, usize)) -> Self {
        let mut lines: Vec<String> = Vec::new();
        for line in shown(text).split('\n') {
            if lines.len() > lines_max {
                break;
            }
            wrap(line.trim(), letters_max, lines_max + 1, &mut lines);
        }
        let is_cut = lines.len() > lines_max;
        lines.truncate(lines_max);
        if let Some(last) = lines.last_mut().filter(|_| is_cut) {
            while letters(last) >= letters_max {
                last.pop();
            }
            last.truncate(last.trim_end().len());
            last.push('…');
        }
        Self { lines, size }
    }

    pub(super) fn width(&self) -> f64 {
        self.lines.iter().map(|line| width(line, self.size)).fold(0.0, f64::max)
    }

    pub(super) fn height(&self) -> f64 {
        self.lines.len() as f64 * self.size * LINE
    }
}

/// Breaks a line between its words, and a word that is too long by itself.
fn wrap(text: &str, letters_max: usize, lines_max: usize, lines: &mut Vec<String>) {
    let mut line = String::new();
    let mut taken = 0;
    for word in text.split_whitespace() {
        let long = letters(word);
        if taken > 0 && taken + 1 + long > letters_max {
            lines.push(std::mem::take(&mut line));
            taken = 0;
        }
        if taken > 0 {
            line.push(' ');
            taken += 1;
        }
        for letter in word.chars() {
            let wide = letter.width().unwrap_or(1);
            if taken + wide > letters_max && !line.is_empty() {
                lines.push(std::mem::take(&mut line));
                taken = 0;
            }
            if lines.len() >= lines_max {
                return;
            }
            line.push(letter);
            taken += wide;
        }
    }
    lines.push(line);
}

fn letters(text: &str) -> usize {
    text.chars().map(|letter| letter.width().unwrap_or(1)).sum()
}

/// The text with what would be obeyed, or is no character of XML, replaced; `\n` ends a line.
fn shown(text: &str) -> String {
    let shown = |letter| match letter {
        '\n' => letter,
        '\u{fffe}' | '\u{ffff}' => char::REPLACEMENT_CHARACTER,
        letter if is_obeyed(letter) => char::REPLACEMENT_CHARACTER,
        letter => letter,
    };
    text.chars().filter(|letter| *letter != '\r').map(shown).collect()
}

/// The text as it stands in XML, between tags or between quotes; there are no lines in it.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in shown(text).chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' => escaped.push(' '),
            letter => escaped.push(letter),
        }
    }
    escaped
}

/// A number with one digit behind the point, if it needs one.
pub(super) fn number(number: f64) -> String {
    let text = format!("{number:.1}");
    let short = text.strip_suffix(".0").unwrap_or(&text);
    if short == "-0" { "0".to_owned() } else { short.to_owned() }
}
