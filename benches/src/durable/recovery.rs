//! A journal full of executions that have not ended, and the runtimes that go on with them one after the other.
//!
//! The restarts are in a process of their own, so this program calls itself, as
//! `finale-benches restart <journal> <executions>`: what the life before needed would count as memory of the next one.

use std::env;
use std::path::Path;
use std::process::{Command, Output};

use serde::Serialize;

use super::restart::{self, Restarts};
use super::scale::Scale;
use super::verify;
use crate::check::Wrong;
use crate::contender::BoxError;
use crate::shape::Shape;

/// How it begins again.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Recovery {
    /// How many executions had not ended: chains of ten, of which five tasks were done. Half of them had a handler at
    /// work, the others waited outside.
    pub executions: usize,
    /// What came of it.
    #[serde(flatten)]
    pub restarts: Restarts,
}

/// Fills a journal in that folder, restarts twice on it, and looks whether all executions have come to their end.
pub(super) fn measure(folder: &Path, scale: &Scale) -> Result<Recovery, BoxError> {
    let (path, executions) = (folder.join("journal.db"), scale.recovered);
    let shape = Shape::chain();
    let wrong = |error| Wrong::new("recovery", &shape, error);
    restart::fill(&path, executions).map_err(wrong)?;
    let restarts = restart_in_child(&path, executions).map_err(wrong)?;
    verify::completed(&path, &shape, executions).map_err(wrong)?;
    Ok(Recovery { executions, restarts })
}

fn restart_in_child(path: &Path, executions: usize) -> Result<Restarts, BoxError> {
    let child = Command::new(env::current_exe()?).arg("restart").arg(path).arg(executions.to_string()).output()?;
    let Output { status, stdout, stderr } = child;
    if !status.success() {
        return Err(format!("child process: {}", String::from_utf8_lossy(&stderr).trim()).into());
    }
    Ok(serde_json::from_slice(&stdout)?)
}
