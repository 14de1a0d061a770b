//! What can be said on the command line.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use finale::Payload;
use finale::journal::Durability;
use finale_core::definition::{Declaration, DeclaredType, OnFailure};
use finale_formats::Format;

use super::answers::{Answered, json_or_text};
use crate::definition_file::FORMATS;
use crate::handlers;
use crate::words::words;

const EXAMPLES: &str = "\
Examples:
  finale run order.json
      at a terminal: asks what became of each task that is done outside
  finale run release.yaml --input tag=v1.2.0 --yes --quiet
      in a script: commands run, nobody is asked, nothing is said but errors
  finale run release.yaml --yes --done approve='{\"by\": \"me\"}' --logs logs
      one task is answered in advance; the output of commands goes to files in `logs`
  finale run order.json --simulate --input express=true --input items=3
      every task is done at once
  finale run order.json --simulate --fail charge='card declined' --on-failure wait_all
      what the workflow does when a task fails
  finale run import.json --time-scale 0.01 --json
      replays a recorded run a hundred times as fast; the record goes to standard output
  finale run order.json --simulate --journal orders.db
      everything that happens is kept in a file: `finale show` shows it, `finale resume` goes on with what was cut off

Handlers that finale has: `shell` runs a command ({\"command\", \"env\", \"dir\"}), `sleep` waits ({\"seconds\"}), and `log` \
says something ({\"message\"}). A command knows FINALE_EXECUTION, FINALE_NODE, FINALE_ATTEMPT and FINALE_KEY, which is the \
same over attempts. It has no terminal, and what it leaves running when it ends is ended too.

Exit codes: 0 completed, 1 failed, 2 bad input or usage, 3 cancelled or interrupted.
Ctrl-C cancels the execution and says on standard error what became of its tasks.
With --journal, Ctrl-C and the end of the input leave it as it is, for `finale resume`. The journal has inputs, the values
of `env` and the last lines of what commands write in clear text.";

/// The arguments of `finale run`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The definition: a JSON or YAML file.
    pub(crate) file: PathBuf,

    /// What the file contains.
    #[arg(long, value_name = "auto|finale|blueprint|wfformat|definition", default_value_t,
        value_parser = words(&FORMATS, Format::from_str), hide_possible_values = true)]
    pub(crate) format: Format,

    /// One input of the execution; JSON if it can be read as such and the file does not say that it is text, else text. May
    /// be repeated.
    #[arg(long = "input", value_name = "KEY=VALUE", value_parser = input)]
    inputs: Vec<(String, String)>,

    /// Complete external tasks, stand in for handlers, give the verdict `pass`, send signals, and wait for no time.
    #[arg(long)]
    pub(crate) simulate: bool,

    /// What the runtimes of a recorded run are multiplied by; 0 is as fast as possible.
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = time_scale, allow_negative_numbers = true)]
    pub(crate) time_scale: f64,

    /// Complete external tasks without an output, give the verdict `pass`, and send signals that say null, without asking.
    #[arg(long)]
    pub(crate) yes: bool,

    #[command(flatten)]
    pub(crate) answered: Answered,

    /// What a failed task does to the execution; by default what the file says.
    #[arg(long, value_name = "fail_fast|wait_all|tolerate=N|tolerate=N%",
        value_parser = words(&["fail_fast", "wait_all", "tolerate="], on_failure), hide_possible_values = true)]
    pub(crate) on_failure: Option<OnFailure>,

    /// Keep what happens in this file; made if there is none.
    #[arg(long, value_name = "FILE")]
    pub(crate) journal: Option<PathBuf>,

    /// Take the journal even if what was acknowledged last is missing: it is lost then.
    #[arg(long, requires = "journal")]
    pub(crate) accept_lost_tail: bool,

    /// What the journal survives: the loss of power, or only the death of the process; default full.
    #[arg(long, value_name = "full|relaxed", requires = "journal",
        value_parser = words(&["full", "relaxed"], durability), hide_possible_values = true)]
    pub(crate) durability: Option<Durability>,

    #[command(flatten)]
    pub(crate) handlers: handlers::Options,

    /// Say nothing but errors; without --json the result is not written either.
    #[arg(long, short)]
    pub(crate) quiet: bool,

    /// Show also the nodes that only lead from one piece of work to the next.
    #[arg(long)]
    pub(crate) all_nodes: bool,

    /// Write the whole record as one line of JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Why an argument makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ArgumentError {
    #[error("expected KEY=VALUE")]
    InputWithoutValue,
    #[error("the key is blank")]
    InputWithoutKey,
    #[error("--input {0:?} is given twice")]
    InputTwice(String),
    #[error("expected a number")]
    NotANumber,
    #[error("expected a finite number that is not negative")]
    NotAFactor,
    #[error("expected fail_fast, wait_all, tolerate=N or tolerate=N%")]
    NotAPolicy,
    #[error("expected full or relaxed")]
    NotADurability,
}

impl Arguments {
    /// The input of an execution with these declarations.
    pub(crate) fn input(&self, declared: &[Declaration]) -> Result<BTreeMap<String, Payload>, ArgumentError> {
        let mut input = BTreeMap::new();
        for (key, value) in &self.inputs {
            let kind = declared.iter().find(|declared| declared.name == *key).map(|declared| declared.kind);
            if input.insert(key.clone(), self::value(kind, value)).is_some() {
                return Err(ArgumentError::InputTwice(key.clone()));
            }
        }
        Ok(input)
    }
}

fn input(text: &str) -> Result<(String, String), ArgumentError> {
    let (key, value) = text.split_once('=').ok_or(ArgumentError::InputWithoutValue)?;
    if key.trim().is_empty() {
        return Err(ArgumentError::InputWithoutKey);
    }
    Ok((key.to_owned(), value.to_owned()))
}

/// What is handed in for an input of that type. What is to be text stays as it was typed, unless it is a text of JSON:
/// `1.0` and `12e45` may be the name of a release and of a commit.
fn value(kind: Option<DeclaredType>, typed: &str) -> Payload {
    let value = json_or_text(typed);
    let is_to_be_text = kind.is_some_and(DeclaredType::is_text);
    match value.decode::<String>() {
        Err(_) if is_to_be_text => Payload::encode(typed).unwrap_or(value),
        _ => value,
    }
}

fn time_scale(text: &str) -> Result<f64, ArgumentError> {
    let factor: f64 = text.parse().map_err(|_| ArgumentError::NotANumber)?;
    if factor.is_finite() && factor >= 0.0 { Ok(factor) } else { Err(ArgumentError::NotAFactor) }
}

fn durability(text: &str) -> Result<Durability, ArgumentError> {
    match text {
        "full" => Ok(Durability::Full),
        "relaxed" => Ok(Durability::Relaxed),
        _ => Err(ArgumentError::NotADurability),
    }
}

fn on_failure(text: &str) -> Result<OnFailure, ArgumentError> {
    match text.split_once('=') {
        None if text == "fail_fast" => Ok(OnFailure::FailFast),
        None if text == "wait_all" => Ok(OnFailure::WaitAll),
        Some(("tolerate", share)) => match share.strip_suffix('%') {
            Some(percent) => {
                let percent = percent.parse().ok().filter(|percent| *percent <= 100);
                percent.map(|percent| OnFailure::ToleratePercent { percent }).ok_or(ArgumentError::NotAPolicy)
            }
            None => {
                let count = share.parse().map_err(|_| ArgumentError::NotAPolicy)?;
                Ok(OnFailure::Tolerate { count })
            }
        },
        _ => Err(ArgumentError::NotAPolicy),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Payload {
        Payload::from_json(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_value_is_json_if_it_parses_and_text_if_not() {
        let input = |text: &str| input(text).map(|(key, typed)| (key, value(None, &typed)));
        assert_eq!(input("express=true"), Ok(("express".into(), json("true"))));
        assert_eq!(input("size={\"x\": 1}"), Ok(("size".into(), json("{\"x\": 1}"))));
        assert_eq!(input("name=a=b"), Ok(("name".into(), json("\"a=b\""))));
        assert_eq!(input("empty="), Ok(("empty".into(), json("\"\""))));
        assert_eq!(input("scale=NaN"), Ok(("scale".into(), json("\"NaN\""))));
    }

    #[test]
    fn what_is_declared_as_text_stays_as_it_was_typed() {
        let text = |typed: &str| value(Some(DeclaredType::String), typed);
        for typed in ["12e45", "1234567", "1.0", "true", "null", "[1]", "a b"] {
            assert_eq!(text(typed), Payload::encode(typed).unwrap(), "{typed}");
        }
        assert_eq!(text("\"12e45\""), json("\"12e45\""));
        assert_eq!(value(Some(DeclaredType::Datetime), "2026"), json("\"2026\""));
        for kind in [None, Some(DeclaredType::Json), Some(DeclaredType::Float)] {
            assert_eq!(value(kind, "12e5"), json("12e5"));
        }
    }

    #[test]
    fn an_input_without_key_or_value_is_refused() {
        assert_eq!(input("express"), Err(ArgumentError::InputWithoutValue));
        assert_eq!(input(" =1"), Err(ArgumentError::InputWithoutKey));
    }

    #[test]
    fn a_time_scale_is_finite_and_not_negative() {
        assert_eq!(time_scale("0.5"), Ok(0.5));
        for text in ["-1", "inf", "NaN", "1e999"] {
            assert_eq!(time_scale(text), Err(ArgumentError::NotAFactor), "{text}");
        }
        assert_eq!(time_scale("fast"), Err(ArgumentError::NotANumber));
    }

    #[test]
    fn a_policy_is_one_of_three() {
        assert_eq!(on_failure("wait_all"), Ok(OnFailure::WaitAll));
        assert_eq!(on_failure("tolerate=2"), Ok(OnFailure::Tolerate { count: 2 }));
        assert_eq!(on_failure("tolerate=10%"), Ok(OnFailure::ToleratePercent { percent: 10 }));
        for text in [
            "tolerate",
            "tolerate=",
            "tolerate=-1",
            "tolerate=4294967296",
            "tolerate=101%",
            "tolerate=1%%",
            "fail_fast=1",
            "",
        ] {
            assert_eq!(on_failure(text), Err(ArgumentError::NotAPolicy), "{text}");
        }
    }
}
