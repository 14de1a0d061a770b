//! Keeping what a command writes.

use std::fs::File;
use std::io::{self, PipeReader, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

use super::tail::Tail;

/// A log does not become longer: what comes then is left out, but for its end.
const LOG_BYTES_MAX: u64 = 64 << 20;

/// What a command writes, kept while it writes.
#[derive(Debug)]
pub(super) struct Capture {
    tail: Arc<Mutex<Tail>>,
    over: Option<oneshot::Receiver<()>>,
}

impl Capture {
    /// Keeps all that comes out of the pipe.
    pub(super) fn start(pipe: PipeReader, log: File) -> io::Result<Self> {
        let tail = Arc::<Mutex<Tail>>::default();
        let (tell, over) = oneshot::channel();
        let kept = Arc::clone(&tail);
        // A thread of its own, for which nobody waits: something that the command left behind may keep the pipe open.
        std::thread::Builder::new().name("finale-output".to_owned()).spawn(move || {
            copy(pipe, log, LOG_BYTES_MAX, &kept);
            // Nobody may be waiting any more.
            let _ = tell.send(());
        })?;
        Ok(Self { tail, over: Some(over) })
    }

    /// Waits until nobody can write any more.
    pub(super) async fn over(&mut self) {
        if let Some(over) = &mut self.over {
            let _ = over.await;
            self.over = None;
        }
    }

    /// The last lines up to now.
    pub(super) fn last_lines(&self) -> String {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner).text()
    }
}

/// Reads to the end whatever becomes of the log: a command that nobody reads from would stand still.
fn copy(mut pipe: impl Read, mut log: impl Write, log_bytes_max: u64, tail: &Mutex<Tail>) {
    let mut buffer = [0; 16 << 10];
    let (mut room, mut left_out) = (log_bytes_max, 0);
    loop {
        let bytes = match pipe.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => &buffer[..count],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        let fits = bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX));
        // A log that cannot be written, on a full disk for example, must not stop the command.
        let written = if log.write_all(&bytes[..fits]).is_ok() { fits } else { 0 };
        room -= written as u64;
        left_out += (bytes.len() - written) as u64;
        tail.lock().unwrap_or_else(PoisonError::into_inner).push(bytes);
    }
    if left_out > 0 {
        let _ = write_end(&mut log, left_out, &tail.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

fn write_end(log: &mut impl Write, left_out: u64, tail: &Tail) -> io::Result<()> {
    writeln!(log, "\n[finale: {left_out} bytes were left out; the last lines of the output follow]")?;
    log.write_all(tail.bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log_of(output: &str, log_bytes_max: u64) -> String {
        let mut log = Vec::new();
        copy(output.as_bytes(), &mut log, log_bytes_max, &Mutex::default());
        String::from_utf8(log).unwrap()
    }

    #[test]
    fn a_log_that_becomes_too_long_has_a_note_and_the_end() {
        assert_eq!(log_of("one\ntwo\n", 8), "one\ntwo\n");
        let log = log_of(&("x".repeat(10_000) + "\nthe end\n"), 100);
        assert!(log.contains("9909 bytes were left out") && log.ends_with("x\nthe end\n"), "{log}");
    }
}
