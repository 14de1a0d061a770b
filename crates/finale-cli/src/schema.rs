//! `finale schema`: what editors know definition files by.

use std::io;

use clap::Args;

use crate::console;

const EXAMPLES: &str = "\
Examples:
  finale schema > finale.schema.json
      then a definition in YAML begins with
      # yaml-language-server: $schema=finale.schema.json
      and editors complete its keys and show its mistakes";

/// The arguments of `finale schema`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {}

/// Writes the schema.
pub(crate) fn run() -> io::Result<()> {
    console::write(|out| writeln!(out, "{}", finale_formats::SCHEMA.trim_end()))
}
