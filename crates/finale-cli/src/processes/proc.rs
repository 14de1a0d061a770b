//! Reads `/proc` of Linux.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use super::Process;

/// A snapshot of a process.
#[derive(Clone, Debug)]
pub(super) struct ProcessInfo {
    pub(super) process: Process,
    pub(super) parent: i32,
    pub(super) session: i32,
    /// Whether the process has ended and only waits to be reaped.
    pub(super) dead: bool,
}

/// The process with that id, if there is one.
pub(super) fn look(pid: i32) -> Option<ProcessInfo> {
    parse(pid, &fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// Parses `/proc/PID/stat`. The program name, in parentheses, can contain any characters, also parentheses.
fn parse(pid: i32, stat: &str) -> Option<ProcessInfo> {
    let (_, fields) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse().ok();
    Some(ProcessInfo {
        dead: matches!(*fields.first()?, "Z" | "X" | "x"),
        parent: number(1)?,
        session: number(3)?,
        process: Process { pid, started: fields.get(19)?.parse().ok()? },
    })
}

/// All processes.
pub(super) fn all() -> Vec<ProcessInfo> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pid = |entry: fs::DirEntry| entry.file_name().to_str()?.parse().ok();
    entries.flatten().filter_map(pid).filter_map(look).collect()
}

/// The children of a process, except those whose ids are known already.
pub(super) fn children(parent: i32, known: impl Fn(i32) -> bool) -> Vec<ProcessInfo> {
    let is_child = |seen: &ProcessInfo| seen.parent == parent && !known(seen.process.pid);
    match listed_children(parent) {
        Some(pids) => pids.into_iter().filter(|pid| !known(*pid)).filter_map(look).filter(is_child).collect(),
        None => all().into_iter().filter(is_child).collect(),
    }
}

/// The ids of the children, if the kernel has a list of them; reading all of `/proc` takes long on a busy system.
fn listed_children(parent: i32) -> Option<Vec<i32>> {
    static LISTED: OnceLock<bool> = OnceLock::new();
    if !LISTED.get_or_init(|| Path::new("/proc/thread-self/children").exists()) {
        return None;
    }
    // The kernel lists children by the thread that started them.
    let threads = fs::read_dir(format!("/proc/{parent}/task")).ok();
    let lists = threads.into_iter().flatten().flatten();
    let lists = lists.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    Some(
        lists.flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>()).collect(),
    )
}

/// These processes and all their descendants.
pub(super) fn with_descendants(roots: Vec<ProcessInfo>) -> Vec<ProcessInfo> {
    let mut found: Vec<ProcessInfo> = Vec::new();
    let mut known = HashSet::new();
    let mut next = roots;
    while let Some(one) = next.pop() {
        if known.insert(one.process.pid) {
            next.extend(children(one.process.pid, |_| false));
            found.push(one);
        }
    }
    found
}

/// The initial environment of a process; `None` if the process hides it or belongs to another user.
pub(super) fn environment(pid: i32) -> Option<Vec<u8>> {
    fs::read(format!("/proc/{pid}/environ")).ok()
}

/// Identifies the boot of this system and the process id namespace: process ids are comparable only within both.
pub(crate) fn system() -> Option<String> {
    static SYSTEM: OnceLock<Option<String>> = OnceLock::new();
    let read = || {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        let namespace = fs::read_link("/proc/self/ns/pid").ok()?;
        Some(format!("{} {}", boot.trim(), namespace.display()))
    };
    SYSTEM.get_or_init(read).clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_may_have_any_name() {
        let fields = "S 7 8 9 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 4711 0";
        for name in ["(sh)", "(a b)", "() R 1 2 3)", "(\u{2028})"] {
            let seen = parse(3, &format!("3 {name} {fields}")).unwrap();
            assert_eq!((seen.parent, seen.session, seen.dead), (7, 9, false), "{name}");
            assert_eq!(seen.process, Process { pid: 3, started: 4711 });
        }
        assert!(parse(3, "3 (sh) Z 7").is_none(), "what is cut off says nothing");
    }

    #[test]
    fn this_process_is_seen_with_its_environment() {
        let own = i32::try_from(std::process::id()).unwrap();
        let seen = look(own).unwrap();
        assert!(!seen.dead && all().iter().any(|one| one.process == seen.process));
        assert!(environment(own).is_some() && system().is_some());
    }
}
