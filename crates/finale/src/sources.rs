//! Errors in words, with what is behind them.

use std::error::Error;

/// The error and its sources, without those that the text before them told already.
pub(crate) fn with_sources(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let (mut last, mut next) = (text.clone(), error.source());
    while let Some(source) = next {
        let cause = source.to_string();
        if !last.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
        (last, next) = (cause, source.source());
    }
    text
}
