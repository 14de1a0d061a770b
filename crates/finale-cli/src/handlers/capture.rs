//! Keeping what a command writes.

use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Read, Write, pipe};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::tail::Tail;
use crate::console;

/// A log does not become longer: what comes then is left out, but for its end.
const LOG_BYTES_MAX: u64 = 64 << 20;
/// Capacity of a pipe: so much at most can be in it when the command ends.
#[cfg(unix)]
const PIPE_BYTES_MAX: usize = 64 << 10;

/// What a command writes, kept while the command writes it.
#[derive(Debug)]
pub(super) struct Capture {
    stdout: Stream,
    stderr: Stream,
    /// Dropping this end tells the threads that the command has ended.
    running: Option<PipeWriter>,
}

/// The ends of what a command wrote.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) stdout: Tail,
    pub(super) stderr: Tail,
}

impl Capture {
    /// Keeps what comes out of the pipes of the standard output and the standard error: all of it in the log, if there is
    /// one, and of each the end, as much as the tail has room for.
    pub(super) fn start(
        stdout: (PipeReader, Tail),
        stderr: (PipeReader, Tail),
        log: Option<(PathBuf, File)>,
    ) -> io::Result<Self> {
        let log = Arc::new(Mutex::new(log.map(|(path, log)| Log::new(path, log, LOG_BYTES_MAX))));
        let (ended, running) = pipe()?;
        let stdout = Stream::start(Source::new(stdout.0, ended.try_clone()?)?, stdout.1, Arc::clone(&log))?;
        let stderr = Stream::start(Source::new(stderr.0, ended)?, stderr.1, log)?;
        Ok(Self { stdout, stderr, running: Some(running) })
    }

    /// The ends of the output; to be called when the command has ended. Processes that the command left behind can write
    /// later, and that is not its output.
    pub(super) async fn end(mut self) -> Written {
        drop(self.running.take());
        Written { stdout: self.stdout.end().await, stderr: self.stderr.end().await }
    }
}

/// One of the two things that a command writes to.
#[derive(Debug)]
struct Stream {
    tail: Arc<Mutex<Tail>>,
    over: oneshot::Receiver<()>,
}

impl Stream {
    fn start(mut source: Source, tail: Tail, log: Arc<Mutex<Option<Log<File>>>>) -> io::Result<Self> {
        let tail = Arc::new(Mutex::new(tail));
        let (tell, over) = oneshot::channel();
        let kept = Arc::clone(&tail);
        // A thread of its own, for which nobody waits: something that the command left behind may keep the pipe open.
        std::thread::Builder::new().name("finale-output".to_owned()).spawn(move || {
            copy(&mut source, &log, &kept);
            // The log is complete before anybody is told so.
            drop(log);
            // Nobody may be waiting any more.
            let _ = tell.send(());
            source.drain();
        })?;
        Ok(Self { tail, over })
    }

    async fn end(self) -> Tail {
        // The thread does not panic.
        let _ = self.over.await;
        std::mem::take(&mut *locked(&self.tail))
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
fn copy(mut pipe: impl Read, log: &Mutex<Option<Log<impl Write>>>, tail: &Mutex<Tail>) {
    let mut buffer = [0; 16 << 10];
    loop {
        let bytes = match pipe.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => &buffer[..count],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        if let Some(log) = &mut *locked(log) {
            log.push(bytes);
        }
        locked(tail).push(bytes);
    }
}

/// The log of a command: what it wrote, in the order in which that was read.
#[derive(Debug)]
struct Log<W: Write> {
    path: PathBuf,
    file: W,
    /// Why something of the log could not be written.
    error: Option<io::Error>,
    room: u64,
    left_out: u64,
    tail: Tail,
}

impl<W: Write> Log<W> {
    fn new(path: PathBuf, file: W, bytes_max: u64) -> Self {
        Self { path, file, error: None, room: bytes_max, left_out: 0, tail: Tail::default() }
    }

    fn push(&mut self, bytes: &[u8]) {
        let fits = bytes.len().min(usize::try_from(self.room).unwrap_or(usize::MAX));
        // A log that cannot be written, on a full disk for example, must not stop the command.
        let written = match self.file.write_all(&bytes[..fits]) {
            Ok(()) => fits,
            Err(error) => {
                self.error.get_or_insert(error);
                0
            }
        };
        self.room -= written as u64;
        self.left_out += (bytes.len() - written) as u64;
        self.tail.push(bytes);
    }

    fn write_end(&mut self) -> io::Result<()> {
        writeln!(self.file, "\n[finale: {} bytes were left out; the last lines of the output follow]", self.left_out)?;
        self.file.write_all(self.tail.bytes())
    }
}

impl<W: Write> Drop for Log<W> {
    fn drop(&mut self) {
        if self.left_out > 0
            && let Err(error) = self.write_end()
        {
            self.error.get_or_insert(error);
        }
        if let Some(error) = &self.error {
            console::note(format_args!("{}: the log is not complete: {error}", self.path.display()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log_of(output: &str, log_bytes_max: u64) -> String {
        let mut log = Vec::new();
        copy(
            output.as_bytes(),
            &Mutex::new(Some(Log::new(PathBuf::new(), &mut log, log_bytes_max))),
            &Mutex::default(),
        );
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
        copy(&mut source, &Mutex::new(Some(Log::new(PathBuf::new(), &mut log, 100))), &tail);
        writer.write_all(b"late").unwrap();
        assert_eq!(log, b"in time");
        drop(writer);
        source.drain();
    }
}
