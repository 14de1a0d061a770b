//! Ends the commands that a killed process of finale left running.

use super::error::RunError;
use crate::console;
use crate::processes::{LeftoverCommand, LeftoverEnd, end_leftover};
use crate::run_file::RunFile;

/// Ends the commands that the process before this one left running; to be called before any task starts.
pub(crate) fn end_leftover_commands(run_file: &RunFile) -> Result<(), RunError> {
    for left in run_file.leftovers() {
        let LeftoverCommand { node, attempt, .. } = &left;
        let found = |processes: &[i32]| {
            console::say(format_args!(
                "{node}: attempt {attempt} still runs, but the finale that started it is gone; ending {}",
                numbered(processes)
            ));
        };
        match end_leftover(&left, found) {
            LeftoverEnd::Gone | LeftoverEnd::Now => {}
            LeftoverEnd::StillAlive(processes) => {
                let (node, processes) = (node.clone(), numbered(&processes));
                return Err(RunError::StillAlive { node, processes });
            }
            LeftoverEnd::Unknown => console::insist(format_args!(
                "{node}: attempt {attempt} may still run, because the finale that started it was killed: look for it"
            )),
        }
        run_file.ended(&left.mark)?;
    }
    Ok(())
}

/// Processes in words.
fn numbered(processes: &[i32]) -> String {
    let numbers = processes.iter().map(i32::to_string).collect::<Vec<_>>().join(", ");
    format!("process{} {numbers}", if processes.len() == 1 { "" } else { "es" })
}
