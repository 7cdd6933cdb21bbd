//! Recordings, where the person wants them kept: 16-bit samples beside the message that they belong to.

use std::sync::Arc;

use anyhow::Result;
use jiff::Timestamp;
use rusqlite::params;

use super::{Store, Turn, days_before};
use crate::clips::{Clip, Side};

impl Store {
    /// Adds what was heard in the newest turn of a conversation.
    ///
    /// # Errors
    /// The database's; nothing was added then.
    pub(crate) fn add_sounds(&mut self, id: i64, sounds: &[(Side, Clip)], now: Timestamp) -> Result<()> {
        let changes = self.database.transaction()?;
        for (side, clip) in sounds {
            changes.execute(
                "INSERT INTO sounds (message, rate_hz, samples, at)
                 SELECT MAX(id), ?3, ?4, ?5 FROM messages WHERE conversation = ?1 AND role = ?2
                 HAVING MAX(id) IS NOT NULL",
                params![id, role(*side), clip.rate_hz, bytes(&clip.samples), now.as_millisecond()],
            )?;
        }
        Ok(changes.commit()?)
    }

    /// What was heard in a message.
    pub(super) fn sound(&self, message: i64) -> Result<Option<Arc<Clip>>> {
        let mut find = self.database.prepare("SELECT rate_hz, samples FROM sounds WHERE message = ?1")?;
        let mut rows = find.query([message])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let samples: Vec<u8> = row.get(1)?;
        Ok(Some(Arc::new(Clip { rate_hz: row.get(0)?, samples: floats(&samples) })))
    }

    /// Deletes all recordings.
    ///
    /// # Errors
    /// The database's.
    pub(crate) fn delete_sounds(&self) -> Result<()> {
        self.database.execute_batch("DELETE FROM sounds; VACUUM;")?;
        Ok(())
    }

    /// Deletes recordings that are older than so many days.
    ///
    /// # Errors
    /// The database's.
    pub(crate) fn delete_sounds_older(&self, days: u32, now: Timestamp) -> Result<()> {
        self.database.execute("DELETE FROM sounds WHERE at < ?1", [days_before(days, now)?])?;
        Ok(())
    }
}

impl Turn {
    /// What was heard, with who is heard.
    pub(crate) fn sounds(&self) -> impl Iterator<Item = (Side, &Arc<Clip>)> {
        let heard = [(Side::Question, &self.question_sound), (Side::Answer, &self.answer_sound)];
        heard.into_iter().filter_map(|(side, sound)| Some((side, sound.as_ref()?)))
    }
}

fn role(side: Side) -> &'static str {
    match side {
        Side::Question => "user",
        Side::Answer => "assistant",
    }
}

fn bytes(samples: &[f32]) -> Vec<u8> {
    samples.iter().flat_map(|s| ((s.clamp(-1.0, 1.0) * 32767.0).round() as i16).to_le_bytes()).collect()
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(2).map(|b| f32::from(i16::from_le_bytes([b[0], b[1]])) / 32767.0).collect()
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan;

    use super::*;

    fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(&folder.path().join("conversations.db")).unwrap();
        (folder, store)
    }

    fn clip(rate_hz: u32, value: f32) -> Clip {
        Clip { rate_hz, samples: vec![value, -value, 0.0] }
    }

    fn count(store: &Store) -> i64 {
        store.database.query_row("SELECT COUNT(*) FROM sounds", [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn sounds_belong_to_the_newest_turn_and_go_with_it() {
        let (_folder, mut store) = store();
        let now = Timestamp::now();
        let turn = Turn { spoken_seconds: Some(1.0), answer: "Paris.".into(), ..Turn::default() };
        let id = store.add(None, &turn, now).unwrap();
        store.add(Some(id), &turn, now).unwrap();
        let sounds = [(Side::Question, clip(16_000, 0.5)), (Side::Answer, clip(24_000, 1.5))];
        store.add_sounds(id, &sounds, now).unwrap();

        let turns = store.turns(id).unwrap();
        assert_eq!(turns[0].sounds().count(), 0);
        let heard: Vec<_> =
            turns[1].sounds().map(|(side, clip)| (side, clip.rate_hz, clip.samples.len())).collect();
        assert_eq!(heard, [(Side::Question, 16_000, 3), (Side::Answer, 24_000, 3)]);
        let samples = &turns[1].question_sound.as_ref().unwrap().samples;
        assert!((samples[0] - 0.5).abs() < 1e-4 && (samples[1] + 0.5).abs() < 1e-4 && samples[2] == 0.0);
        assert_eq!(
            turns[1].answer_sound.as_ref().unwrap().samples,
            [1.0, -1.0, 0.0],
            "louder than full is full"
        );

        // An answer given anew takes the old one's sound away.
        store.add(Some(id), &Turn { again: true, ..turn }, now).unwrap();
        assert_eq!(count(&store), 0);
        store.add_sounds(id, &sounds, now).unwrap();
        store.delete(id).unwrap();
        assert_eq!(count(&store), 0);
        store.add_sounds(id, &sounds, now).unwrap();
        assert_eq!(count(&store), 0, "a conversation that is gone takes none");
    }

    #[test]
    fn old_sounds_go_and_the_words_stay() {
        let (_folder, mut store) = store();
        let begun = Timestamp::now();
        let turn = Turn { answer: "Paris.".into(), ..Turn::default() };
        let id = store.add(None, &turn, begun).unwrap();
        store.add_sounds(id, &[(Side::Answer, clip(24_000, 0.5))], begun).unwrap();
        store.delete_sounds_older(2, begun + 47.hours()).unwrap();
        assert_eq!(count(&store), 1);
        store.delete_sounds_older(2, begun + 49.hours()).unwrap();
        assert_eq!((count(&store), store.turns(id).unwrap().len()), (0, 1));
        store.add_sounds(id, &[(Side::Answer, clip(24_000, 0.5))], begun).unwrap();
        store.delete_sounds().unwrap();
        assert_eq!((count(&store), store.turns(id).unwrap().len()), (0, 1));
    }
}
