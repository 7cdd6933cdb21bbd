//! `colloquy models`, as a person would use it, with a hub that breaks: every time there is the right model in the end, or
//! a sentence that says why not, after which the same command goes on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub, reason = "tests")]

mod breaks;
mod converted;
mod here;
mod hub;
mod killed;
mod refused;
mod ways;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use colloquy_tests::program::binary;
use hub::{Hub, NAME};
use tempfile::TempDir;

/// Bytes of a shard of the usual model.
const SHARD: usize = 300_000;
/// Bytes of a piece.
const PIECE: &str = "65536";

/// A person's folders.
struct Home {
    folder: TempDir,
}

/// What a run of the program said.
#[derive(Debug)]
struct Said {
    ok: bool,
    out: String,
    err: String,
}

impl Home {
    fn new() -> Home {
        Home { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// The folder of a model that is whole.
    fn model(&self) -> PathBuf {
        self.path("data/colloquy/models").join(NAME)
    }

    /// The folder of one that is not.
    fn unfinished(&self) -> PathBuf {
        self.path("data/colloquy/models").join(format!("{NAME}.part"))
    }

    /// `colloquy models ARGUMENTS`, with the hub at this port.
    fn command(&self, port: u16, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        for name in ["HF_TOKEN", "HF_HUB_CACHE", "ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"] {
            command.env_remove(name).env_remove(name.to_lowercase());
        }
        command.env("XDG_DATA_HOME", self.path("data")).env("XDG_CONFIG_HOME", self.path("config"));
        command.env("HF_HOME", self.path("hf")).env("HF_ENDPOINT", format!("http://127.0.0.1:{port}"));
        command.arg("models").args(arguments).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// `colloquy models get`, impatient.
    fn getting(&self, port: u16) -> Command {
        let arguments = ["get", "captioner", "--accept-licence", "--stall-ms", "600", "--piece-bytes", PIECE];
        self.command(port, &arguments)
    }

    fn get(&self, hub: &Hub) -> Said {
        end(self.getting(hub.port).spawn().unwrap())
    }

    /// Fetches it from a hub that does not break, and sees that it is right.
    fn assert_goes_on(&self, like: &Hub) {
        let said = self.get(&Hub::sound(like.files().to_vec()));
        assert!(said.ok, "it does not go on: {said:?}");
        self.assert_right(like);
    }

    /// The model is what the hub has, and nothing else is beside it.
    fn assert_right(&self, hub: &Hub) {
        let mut names: Vec<_> = names(&self.model());
        names.retain(|name| name != ".colloquy.json");
        let mut expected: Vec<_> = hub.files().iter().map(|(name, _)| name.clone()).collect();
        expected.sort();
        assert_eq!(names, expected);
        for (name, bytes) in hub.files() {
            assert!(fs::read(self.model().join(name)).unwrap() == *bytes, "{name} is not right");
        }
        assert!(!self.unfinished().exists());
    }

    /// It failed with a sentence that has these words, and goes on when the hub is well.
    fn assert_refused(&self, hub: &Hub, said: &Said, words: &str) {
        assert!(!said.ok && !self.model().exists(), "{said:?}");
        assert!(said.err.contains(words), "{words:?} is not in {said:?}");
        assert!(!said.err.contains("fault of the program"), "{said:?}");
        self.assert_goes_on(hub);
    }
}

/// Names of the files in a folder, in their order.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = entries.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

/// Waits for the program's end, which must come.
fn end(mut child: Child) -> Said {
    let started = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if started.elapsed() > Duration::from_secs(60) {
            child.kill().unwrap();
            panic!("it does not end: {:?}", child.wait_with_output());
        }
        sleep(Duration::from_millis(5));
    }
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Said { ok: output.status.success(), out: text(output.stdout), err: text(output.stderr) }
}
