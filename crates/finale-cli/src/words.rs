//! Options whose values are words, which shells complete.

use std::error::Error;
use std::ffi::OsStr;

use clap::builder::{PossibleValue, TypedValueParser};
use clap::{Arg, Command};

/// Reads a value by a function, and tells completions which words it may be. The function has the better errors.
#[derive(Clone)]
pub(crate) struct Words<F> {
    words: &'static [&'static str],
    read: F,
}

/// One of these words, or what else the function reads.
pub(crate) const fn words<F>(words: &'static [&'static str], read: F) -> Words<F> {
    Words { words, read }
}

impl<F, T, E> TypedValueParser for Words<F>
where
    F: Fn(&str) -> Result<T, E> + Clone + Send + Sync + 'static,
    T: Clone + Send + Sync + 'static,
    E: Into<Box<dyn Error + Send + Sync + 'static>>,
{
    type Value = T;

    fn parse_ref(&self, command: &Command, argument: Option<&Arg>, value: &OsStr) -> Result<T, clap::Error> {
        TypedValueParser::parse_ref(&self.read, command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.words.iter().map(PossibleValue::new)))
    }
}
