//! `finale completions`: what shells complete commands by.

use std::io;

use clap::{Args, Command};
use clap_complete::Shell;

use crate::console;

const EXAMPLES: &str = "\
Examples:
  finale completions bash > ~/.local/share/bash-completion/completions/finale
  finale completions zsh > \"${fpath[1]}/_finale\"
  finale completions fish > ~/.config/fish/completions/finale.fish
  finale completions powershell >> $PROFILE";

/// The arguments of `finale completions`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The shell.
    shell: Shell,
}

/// Writes the script for a shell.
pub(crate) fn run(arguments: &Arguments, mut command: Command) -> io::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, "finale", &mut script);
    console::write(|out| out.write_all(&script))
}
