//! The window's side: it takes the seat that there is only one of, and answers who connects.

use std::fs::{File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;

use super::{Place, Word};
use crate::command::Command;

/// Longest line that is read, in bytes.
const LONGEST_LINE: usize = 64;
/// How long one connection may take, so that one that says nothing does not keep the others out.
const PATIENCE: Duration = Duration::from_millis(500);

/// The right to be the one window. It ends with the value, or with the program, however that ends.
#[derive(Debug)]
pub(crate) struct Seat {
    place: Place,
    listener: UnixListener,
    /// The system lets it go even when the program is killed, so that a socket left behind is known to be dead.
    _lock: File,
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.place.socket) {
            tracing::debug!(%error, "the socket was gone already");
        }
    }
}

impl Seat {
    /// Takes the seat; `None` where another program has it.
    ///
    /// # Errors
    /// Lock or socket cannot be made.
    pub(crate) fn take(place: &Place) -> Result<Option<Seat>> {
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&place.lock)
            .with_context(|| format!("cannot open {}", place.lock.display()))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("cannot lock {}", place.lock.display()));
            }
        }
        // With the lock in hand a socket that is there belongs to a program that was killed.
        match std::fs::symlink_metadata(&place.socket) {
            Ok(found) if found.file_type().is_socket() => std::fs::remove_file(&place.socket)
                .with_context(|| format!("cannot remove {}", place.socket.display()))?,
            Ok(_) => bail!("{} is in the way: it is no socket", place.socket.display()),
            Err(_) => {}
        }
        let listener = UnixListener::bind(&place.socket)
            .with_context(|| format!("cannot make the socket {}", place.socket.display()))?;
        std::fs::set_permissions(&place.socket, Permissions::from_mode(0o600))
            .with_context(|| format!("cannot close {} to others", place.socket.display()))?;
        Ok(Some(Seat { place: place.clone(), listener, _lock: lock }))
    }

    /// Answers on a thread of its own, to the program's end. `deliver` hands a command on, or says why it is not taken.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub(crate) fn serve(
        &self,
        deliver: impl Fn(Command) -> Result<(), &'static str> + Send + 'static,
    ) -> Result<()> {
        let listener = self.listener.try_clone().context("cannot share the socket")?;
        std::thread::Builder::new()
            .name("remote".into())
            .spawn(move || {
                for connection in listener.incoming() {
                    if let Err(error) = connection.and_then(|stream| answer(stream, &deliver)) {
                        tracing::debug!(%error, "a connection failed");
                        // Where the system has no more files, asking again at once would only keep it busy.
                        std::thread::sleep(PATIENCE / 10);
                    }
                }
            })
            .context("cannot start the remote control's thread")?;
        Ok(())
    }
}

/// Reads one line, does it, says what came of it.
fn answer(mut stream: UnixStream, deliver: &impl Fn(Command) -> Result<(), &'static str>) -> io::Result<()> {
    stream.set_write_timeout(Some(PATIENCE))?;
    let reply = match line(&mut stream)?.map(|line| Word::from_str(&line, false)) {
        None => format!("error: a line has at most {LONGEST_LINE} bytes, is text, and comes at once\n"),
        Some(Err(_)) => {
            let known: Vec<_> =
                Word::value_variants().iter().filter_map(ValueEnum::to_possible_value).collect();
            let known: Vec<_> = known.iter().map(|word| word.get_name()).collect();
            format!("error: the words are {}\n", known.join(", "))
        }
        Some(Ok(word)) => {
            tracing::info!(?word, "asked by another program");
            match deliver(word.command()) {
                Ok(()) => "ok\n".into(),
                Err(reason) => format!("error: {reason}\n"),
            }
        }
    };
    stream.write_all(reply.as_bytes())
}

/// A line without its end; `None` where what comes is too long, too late or no text.
fn line(stream: &mut UnixStream) -> io::Result<Option<String>> {
    let end = Instant::now() + PATIENCE;
    let mut line = Vec::new();
    let mut piece = [0; LONGEST_LINE];
    while !line.contains(&b'\n') && line.len() <= LONGEST_LINE {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(None);
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut piece) {
            Ok(0) => break,
            Ok(length) => line.extend_from_slice(&piece[..length]),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                return Ok(None);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let length = line.iter().position(|byte| *byte == b'\n').unwrap_or(line.len());
    line.truncate(length);
    if length > LONGEST_LINE {
        return Ok(None);
    }
    Ok(String::from_utf8(line).ok().map(|line| line.trim().to_owned()))
}
