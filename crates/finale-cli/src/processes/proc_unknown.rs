//! Stands in for `/proc` on systems that do not have it: no process is found.

#![allow(dead_code, reason = "it has the same functions as on Linux")]

use super::Process;

/// A snapshot of a process.
#[derive(Clone, Debug)]
pub(super) struct ProcessInfo {
    pub(super) process: Process,
    pub(super) session: i32,
    pub(super) dead: bool,
}

pub(super) fn look(_pid: i32) -> Option<ProcessInfo> {
    None
}

pub(super) fn all() -> Vec<ProcessInfo> {
    Vec::new()
}

pub(super) fn children(_parent: i32, _known: impl Fn(i32) -> bool) -> Vec<ProcessInfo> {
    Vec::new()
}

pub(super) fn with_descendants(roots: Vec<ProcessInfo>) -> Vec<ProcessInfo> {
    roots
}

pub(super) fn environment(_pid: i32) -> Option<Vec<u8>> {
    None
}

pub(crate) fn system() -> Option<String> {
    None
}
