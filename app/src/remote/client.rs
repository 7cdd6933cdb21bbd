//! The other program's side: one word to the window that is open.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;

use super::{Place, Word};

/// How long a window that is open, or just being opened, may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often a window that is just being opened is looked for.
const RETRY: Duration = Duration::from_millis(50);
/// Longest answer that is read, in bytes.
const LONGEST_ANSWER: u64 = 512;

/// Says `word` to the window. With `wait` the window may still be about to open.
///
/// # Errors
/// A sentence: there is no window, it does not answer, or it refuses.
pub(crate) fn send(place: &Place, word: Word, wait: bool) -> Result<()> {
    let mut stream = connect(place, wait)?;
    let mut answer = String::new();
    let name = word.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
    stream
        .set_write_timeout(Some(PATIENCE))
        .and_then(|()| stream.set_read_timeout(Some(PATIENCE)))
        .and_then(|()| stream.write_all(format!("{name}\n").as_bytes()))
        .and_then(|()| (&mut stream).take(LONGEST_ANSWER).read_to_string(&mut answer))
        .context("the Colloquy window does not answer; if it hangs, close it and start it again")?;
    match answer.trim() {
        "ok" => Ok(()),
        "" => bail!("the Colloquy window closed before it answered"),
        refusal => bail!("the Colloquy window refuses: {}", refusal.trim_start_matches("error: ")),
    }
}

fn connect(place: &Place, wait: bool) -> Result<UnixStream> {
    let end = Instant::now() + PATIENCE;
    loop {
        match UnixStream::connect(&place.socket) {
            Ok(stream) => return Ok(stream),
            Err(error) if !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => {
                return Err(error).with_context(|| format!("cannot reach {}", place.socket.display()));
            }
            Err(_) if wait && Instant::now() < end => std::thread::sleep(RETRY),
            Err(_) if wait => {
                bail!("another Colloquy is running but does not answer; close it, then start this one")
            }
            Err(_) => bail!("no Colloquy window is open; start it with: colloquy"),
        }
    }
}
