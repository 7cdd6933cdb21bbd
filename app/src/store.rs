//! Conversations kept on this machine: text, figures, small copies of pictures, and sound where that is wanted, in an SQLite file.
//!
//! A turn is one transaction at its end: a program that is killed loses at most the turn at hand. All calls block on the disk.

mod schema;
mod sounds;

use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use image::{ImageFormat, RgbaImage};
use jiff::{Timestamp, ToSpan, tz::TimeZone};
use rusqlite::{Connection, Row, Transaction, params};

use crate::clips::Clip;
use crate::language::t;

/// Longest title of a conversation, in characters.
const TITLE: usize = 60;
/// Most conversations in the list.
const LISTED: u32 = 500;

/// A conversation in the list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Line {
    /// Its number.
    pub(crate) id: i64,
    /// The first words.
    pub(crate) title: String,
    /// When it was last added to, in words.
    pub(crate) when: String,
}

/// A question and its answer.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Turn {
    /// What was typed.
    pub(crate) question: Option<String>,
    /// How long it was, where it was spoken.
    pub(crate) spoken_seconds: Option<f32>,
    /// Files that went with it.
    pub(crate) attached: Vec<Attached>,
    /// What was answered.
    pub(crate) answer: String,
    /// How the answer ended, as the window names it.
    pub(crate) ending: String,
    /// Text tokens a second.
    pub(crate) tokens_per_second: Option<f64>,
    /// From the end of the question to the first sound.
    pub(crate) first_sound_ms: Option<u64>,
    /// Whether the question was answered anew: the turn takes the place of the conversation's last one.
    pub(crate) again: bool,
    /// How the question sounded, where that was kept; added by itself.
    pub(crate) question_sound: Option<Arc<Clip>>,
    /// How the answer sounded, likewise.
    pub(crate) answer_sound: Option<Arc<Clip>>,
}

/// A file that went with a question.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Attached {
    /// Where it was.
    pub(crate) path: PathBuf,
    /// A small copy, for a picture.
    pub(crate) thumbnail: Option<Arc<RgbaImage>>,
}

/// The open file.
pub(crate) struct Store {
    database: Connection,
}

impl Store {
    /// Opens the file, and makes it where it is missing. One that is damaged is renamed to end in `.broken`; then there is also a
    /// sentence for the person.
    ///
    /// # Errors
    /// The file cannot be made or used; it stays as it is.
    pub(crate) fn open(path: &Path) -> Result<(Store, Option<String>)> {
        match schema::open(path) {
            Ok(database) => Ok((Store { database }, None)),
            Err(error) if schema::is_damage(&error) => {
                let aside = schema::put_aside(path)?;
                let told = t!(
                    "The kept conversations in %{file} are damaged: %{error}. They are kept aside as %{aside}; \
                     new ones begin an empty file.",
                    file = path.display(),
                    error = format!("{error:#}"),
                    aside = aside.display()
                );
                Ok((Store { database: schema::open(path)? }, Some(told.into())))
            }
            Err(error) => Err(error),
        }
    }

    /// Deletes the file at `path` and everything beside it that holds conversations.
    ///
    /// # Errors
    /// A file cannot be deleted.
    pub(crate) fn erase(path: &Path) -> Result<()> {
        schema::files(path).iter().filter(|file| file.exists()).try_for_each(|file| {
            std::fs::remove_file(file).with_context(|| format!("cannot delete {}", file.display()))
        })
    }

    /// Adds a turn to a conversation, or to a new one where `id` is none that is there. Returns the conversation's number.
    ///
    /// # Errors
    /// The database's; nothing was added then.
    pub(crate) fn add(&mut self, id: Option<i64>, turn: &Turn, now: Timestamp) -> Result<i64> {
        let now = now.as_millisecond();
        let changes = self.database.transaction()?;
        let renewed = match id {
            Some(id) => {
                changes.execute("UPDATE conversations SET changed = ?2 WHERE id = ?1", params![id, now])?
            }
            None => 0,
        };
        let id = match id {
            Some(id) if renewed == 1 => id,
            _ => {
                let add = "INSERT INTO conversations (title, begun, changed) VALUES (?1, ?2, ?2)";
                changes.execute(add, params![title(turn), now])?;
                changes.last_insert_rowid()
            }
        };
        if turn.again && renewed == 1 {
            changes.execute(
                "DELETE FROM messages WHERE conversation = ?1 AND id >=
                 (SELECT MAX(id) FROM messages WHERE conversation = ?1 AND role = 'user')",
                [id],
            )?;
        }
        let question = add_message(&changes, id, "user", turn.question.as_deref(), now)?;
        let seconds = "UPDATE messages SET seconds = ?2 WHERE id = ?1";
        changes.execute(seconds, params![question, turn.spoken_seconds])?;
        for attached in &turn.attached {
            let thumbnail = attached.thumbnail.as_deref().map(png).transpose()?;
            let add = "INSERT INTO attachments (message, path, thumbnail) VALUES (?1, ?2, ?3)";
            changes.execute(add, params![question, attached.path.to_string_lossy(), thumbnail])?;
        }
        let answer = add_message(&changes, id, "assistant", Some(&turn.answer), now)?;
        changes.execute(
            "UPDATE messages SET ending = ?2, tokens_per_second = ?3, first_sound_ms = ?4 WHERE id = ?1",
            params![answer, turn.ending, turn.tokens_per_second, turn.first_sound_ms.map(|ms| ms as i64)],
        )?;
        changes.commit()?;
        Ok(id)
    }

    /// Conversations that hold these words, all of them where there are none; the newest first.
    ///
    /// # Errors
    /// The database's.
    pub(crate) fn list(&self, words: &str) -> Result<Vec<Line>> {
        let mut find = self.database.prepare(
            "SELECT id, title, changed FROM conversations AS c
             WHERE title LIKE ?1 ESCAPE '\\'
                OR EXISTS (SELECT 1 FROM messages WHERE conversation = c.id AND text LIKE ?1 ESCAPE '\\')
             ORDER BY changed DESC, id DESC LIMIT ?2",
        )?;
        let escaped = words.trim().replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
        let lines = find.query_map(params![format!("%{escaped}%"), LISTED], |row| {
            Ok(Line { id: row.get(0)?, title: row.get(1)?, when: when(row.get(2)?) })
        })?;
        Ok(lines.collect::<Result<_, _>>()?)
    }

    /// All turns of a conversation; none where it is not there.
    ///
    /// # Errors
    /// The database's.
    pub(crate) fn turns(&self, id: i64) -> Result<Vec<Turn>> {
        let mut find = self.database.prepare(
            "SELECT id, role, text, seconds, ending, tokens_per_second, first_sound_ms
             FROM messages WHERE conversation = ?1 ORDER BY id",
        )?;
        let mut rows = find.query([id])?;
        let mut turns: Vec<Turn> = vec![];
        while let Some(row) = rows.next()? {
            match (row.get::<_, String>(1)?.as_str(), turns.last_mut()) {
                ("assistant", Some(turn)) => {
                    answer(turn, row)?;
                    turn.answer_sound = self.sound(row.get(0)?)?;
                }
                _ => turns.push(Turn {
                    question: row.get(2)?,
                    spoken_seconds: row.get(3)?,
                    attached: self.attached(row.get(0)?)?,
                    question_sound: self.sound(row.get(0)?)?,
                    ..Turn::default()
                }),
            }
        }
        Ok(turns)
    }

    fn attached(&self, message: i64) -> Result<Vec<Attached>> {
        let mut find = self
            .database
            .prepare("SELECT path, thumbnail FROM attachments WHERE message = ?1 ORDER BY id")?;
        let found = find.query_map([message], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))?;
        found
            .map(|row| {
                let (path, thumbnail): (_, Option<Vec<u8>>) = row?;
                // A picture that cannot be read is shown as its name.
                let picture = thumbnail.and_then(|png| image::load_from_memory(&png).ok());
                Ok(Attached { path: path.into(), thumbnail: picture.map(|p| p.to_rgba8().into()) })
            })
            .collect()
    }

    /// Deletes a conversation.
    ///
    /// # Errors
    /// The database's.
    pub(crate) fn delete(&self, id: i64) -> Result<()> {
        self.database.execute("DELETE FROM conversations WHERE id = ?1", [id])?;
        Ok(())
    }

    /// Deletes conversations to which nothing was added for so many days.
    ///
    /// # Errors
    /// The database's.
    pub(crate) fn delete_older(&self, days: u32, now: Timestamp) -> Result<()> {
        self.database.execute("DELETE FROM conversations WHERE changed < ?1", [days_before(days, now)?])?;
        Ok(())
    }
}

fn add_message(
    changes: &Transaction<'_>,
    conversation: i64,
    role: &str,
    text: Option<&str>,
    now: i64,
) -> Result<i64> {
    let add = "INSERT INTO messages (conversation, role, text, at) VALUES (?1, ?2, ?3, ?4)";
    changes.execute(add, params![conversation, role, text, now])?;
    Ok(changes.last_insert_rowid())
}

fn answer(turn: &mut Turn, row: &Row<'_>) -> Result<()> {
    turn.answer = row.get::<_, Option<String>>(2)?.unwrap_or_default();
    turn.ending = row.get::<_, Option<String>>(4)?.unwrap_or_default();
    turn.tokens_per_second = row.get(5)?;
    turn.first_sound_ms = row.get::<_, Option<i64>>(6)?.and_then(|ms| ms.try_into().ok());
    Ok(())
}

/// So many days before `now`, as the file has times.
fn days_before(days: u32, now: Timestamp) -> Result<i64> {
    Ok(now.checked_sub((i64::from(days) * 24).hours())?.as_millisecond())
}

/// The first words of the question, or of the answer where it was spoken.
fn title(turn: &Turn) -> String {
    let words = turn.question.as_deref().unwrap_or(&turn.answer);
    let line = words.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(TITLE) {
        Some((end, _)) => format!("{}…", line[..end].trim_end()),
        None if line.is_empty() => t!("No words").into(),
        None => line,
    }
}

fn when(at: i64) -> String {
    let time = Timestamp::from_millisecond(at).unwrap_or_default().to_zoned(TimeZone::system());
    time.strftime(t!("%-d %b %Y, %H:%M").as_ref()).to_string()
}

fn png(picture: &RgbaImage) -> Result<Vec<u8>> {
    let mut bytes = Cursor::new(vec![]);
    picture.write_to(&mut bytes, ImageFormat::Png)?;
    Ok(bytes.into_inner())
}

#[cfg(test)]
mod tests;
