//! The database's file: its tables, its version, and what is done with one that is damaged.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rusqlite::{Connection, ErrorCode};

use crate::language::t;

/// Steps from each version to the next; `user_version` counts those that were done.
const STEPS: [&str; 2] = [
    "
    CREATE TABLE conversations (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        title TEXT NOT NULL,
        begun INTEGER NOT NULL,   -- milliseconds since 1970, as all times
        changed INTEGER NOT NULL
    );
    CREATE TABLE messages (
        id INTEGER PRIMARY KEY,
        conversation INTEGER NOT NULL REFERENCES conversations ON DELETE CASCADE,
        role TEXT NOT NULL,       -- user, assistant
        text TEXT,                -- none for a question that was only spoken
        at INTEGER NOT NULL,
        seconds REAL,             -- of a spoken question
        ending TEXT,
        tokens_per_second REAL,
        first_sound_ms INTEGER
    );
    CREATE TABLE attachments (
        id INTEGER PRIMARY KEY,
        message INTEGER NOT NULL REFERENCES messages ON DELETE CASCADE,
        path TEXT NOT NULL,
        thumbnail BLOB            -- PNG
    );
    CREATE INDEX messages_of ON messages (conversation);
    CREATE INDEX attachments_of ON attachments (message);
    CREATE INDEX changed ON conversations (changed);
",
    "
    CREATE TABLE sounds (
        id INTEGER PRIMARY KEY,
        message INTEGER NOT NULL REFERENCES messages ON DELETE CASCADE,
        rate_hz INTEGER NOT NULL,
        samples BLOB NOT NULL,    -- mono, 16 bits, little end first
        at INTEGER NOT NULL
    );
    CREATE INDEX sounds_of ON sounds (message);
    CREATE INDEX sounds_at ON sounds (at);
",
];

/// How long another program that writes is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// Opens the file with all tables in place.
pub(super) fn open(path: &Path) -> Result<Connection> {
    let shown = path.display();
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let mut database = Connection::open(path).with_context(|| format!("cannot open {shown}"))?;
    database.busy_timeout(PATIENCE)?;
    // What is deleted is overwritten, not only unlinked from its tables.
    database
        .execute_batch("PRAGMA secure_delete = ON; PRAGMA foreign_keys = ON; PRAGMA journal_mode = WAL;")?;
    let verdict: String = database.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if verdict != "ok" {
        return Err(Damage(verdict).into());
    }
    let steps = database.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let version: u32 = steps.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let Some(due) = STEPS.get(version as usize..) else {
        bail!(
            "{}",
            t!("%{file} was written by a newer Colloquy; use that one, or move the file away", file = shown)
        );
    };
    for step in due {
        steps.execute_batch(step)?;
    }
    steps.pragma_update(None, "user_version", STEPS.len() as u32)?;
    steps.commit()?;
    Ok(database)
}

#[derive(Debug)]
struct Damage(String);

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Damage {}

/// Whether the file itself is at fault, not its folder, the disk or another program.
pub(super) fn is_damage(error: &anyhow::Error) -> bool {
    let code = error.downcast_ref::<rusqlite::Error>().and_then(rusqlite::Error::sqlite_error_code);
    error.is::<Damage>() || matches!(code, Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt))
}

/// Renames the file, and what belongs to it. Returns the new name.
pub(super) fn put_aside(path: &Path) -> Result<PathBuf> {
    for (file, tail) in files(path).iter().zip(TAILS).filter(|(_, tail)| !tail.starts_with(BROKEN)) {
        let aside = with(path, &format!("{BROKEN}{tail}"));
        // What an older broken one left does not belong to this one.
        let moved = if file.exists() {
            std::fs::rename(file, &aside)
        } else if aside.exists() {
            std::fs::remove_file(&aside)
        } else {
            Ok(())
        };
        moved.with_context(|| format!("cannot rename {} to {}", file.display(), aside.display()))?;
    }
    Ok(with(path, BROKEN))
}

const BROKEN: &str = ".broken";
const TAILS: [&str; 6] = ["", "-wal", "-shm", ".broken", ".broken-wal", ".broken-shm"];

/// Every file that may hold something of the database at `path`.
pub(super) fn files(path: &Path) -> Vec<PathBuf> {
    TAILS.iter().map(|tail| with(path, tail)).collect()
}

fn with(path: &Path, tail: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(tail);
    name.into()
}
