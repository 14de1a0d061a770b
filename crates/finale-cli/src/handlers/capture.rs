//! Keeping what a command writes.

use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Read, Write, pipe};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

use super::tail::{LastLines, Tail};

/// A log does not become longer: what comes then is left out, but for its end.
const LOG_BYTES_MAX: u64 = 64 << 20;
/// Capacity of a pipe: so much at most can be in it when the command ends.
#[cfg(unix)]
const PIPE_BYTES_MAX: usize = 64 << 10;

/// What a command writes, kept while it writes.
#[derive(Debug)]
pub(super) struct Capture {
    tail: Arc<Mutex<Tail>>,
    /// Dropping this end tells the thread that the command has ended.
    running: Option<PipeWriter>,
    over: oneshot::Receiver<()>,
}

impl Capture {
    /// Keeps all that comes out of the pipe.
    pub(super) fn start(pipe: PipeReader, log: File) -> io::Result<Self> {
        let tail = Arc::<Mutex<Tail>>::default();
        let (tell, over) = oneshot::channel();
        let (ended, running) = self::pipe()?;
        let source = Source::new(pipe, ended)?;
        let kept = Arc::clone(&tail);
        // A thread of its own, for which nobody waits: something that the command left behind may keep the pipe open.
        std::thread::Builder::new().name("finale-output".to_owned()).spawn(move || {
            let mut source = source;
            copy(&mut source, log, LOG_BYTES_MAX, &kept);
            // Nobody may be waiting any more.
            let _ = tell.send(());
            source.drain();
        })?;
        Ok(Self { tail, running: Some(running), over })
    }

    /// The last lines of the output; to be called when the command has ended. Processes that it left behind can write
    /// later, and that is not its output.
    pub(super) async fn end(mut self) -> LastLines {
        drop(self.running.take());
        // The thread does not panic.
        let _ = self.over.await;
        self.tail.lock().unwrap_or_else(PoisonError::into_inner).last_lines()
    }
}

/// Reads the output of a command up to the end of the command.
#[derive(Debug)]
#[cfg_attr(not(unix), allow(dead_code, reason = "nobody can wait for two things at once there"))]
struct Source {
    pipe: PipeReader,
    /// Reaches its end when the command has ended.
    ended: PipeReader,
    /// Bytes that can still be read, once the command has ended.
    left: Option<usize>,
}

#[cfg(unix)]
mod waiting {
    use std::io::{self, ErrorKind, PipeReader, Read};
    use std::os::fd::AsFd;

    use nix::errno::Errno;
    use nix::fcntl::{FcntlArg, OFlag, fcntl};
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

    use super::{PIPE_BYTES_MAX, Source};

    impl Source {
        pub(super) fn new(pipe: PipeReader, ended: PipeReader) -> io::Result<Self> {
            // The command's end stays blocking: it is another file description.
            fcntl(&pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
            Ok(Self { pipe, ended, left: None })
        }

        /// Waits for output, or for the end of the command.
        fn wait(&mut self) -> io::Result<()> {
            let mut both = [&self.pipe, &self.ended].map(|end| PollFd::new(end.as_fd(), PollFlags::POLLIN));
            match poll(&mut both, PollTimeout::NONE) {
                Err(Errno::EINTR) => return Ok(()),
                polled => polled?,
            };
            if both[1].any() == Some(true) {
                self.left = Some(PIPE_BYTES_MAX);
            }
            Ok(())
        }

        /// Discards what is written after the end of the command, so that its writers do not block.
        pub(super) fn drain(&mut self) {
            let mut buffer = [0; 16 << 10];
            if fcntl(&self.pipe, FcntlArg::F_SETFL(OFlag::empty())).is_ok() {
                while self.pipe.read(&mut buffer).is_ok_and(|count| count > 0) {}
            }
        }
    }

    impl Read for Source {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            loop {
                let room = buffer.len().min(self.left.unwrap_or(usize::MAX));
                match self.pipe.read(&mut buffer[..room]) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock && self.left.is_some() => return Ok(0),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => self.wait()?,
                    Ok(count) => {
                        self.left = self.left.map(|left| left - count);
                        return Ok(count);
                    }
                    read => return read,
                }
            }
        }
    }
}

/// Without `poll` the output ends when nobody can write any more.
#[cfg(not(unix))]
impl Source {
    fn new(pipe: PipeReader, ended: PipeReader) -> io::Result<Self> {
        Ok(Self { pipe, ended, left: None })
    }

    fn drain(&mut self) {}
}

#[cfg(not(unix))]
impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.pipe.read(buffer)
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

    #[cfg(unix)]
    #[test]
    fn what_is_in_the_pipe_when_the_command_ends_counts_and_what_comes_later_does_not() {
        let ((reader, mut writer), (ended, running)) = (pipe().unwrap(), pipe().unwrap());
        let mut source = Source::new(reader, ended).unwrap();
        writer.write_all(b"in time").unwrap();
        drop(running);
        let (mut log, tail) = (Vec::new(), Mutex::default());
        copy(&mut source, &mut log, 100, &tail);
        writer.write_all(b"late").unwrap();
        assert_eq!(log, b"in time");
        drop(writer);
        source.drain();
    }
}
