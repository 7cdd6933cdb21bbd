//! Writes each turn's question and settings to a folder, so that `talk --messages` gives the same answer again.
//!
//! For tests and bug reports only. Files are named after the turn: `turn-001.wav` (16 kHz, floats), `turn-001.messages.json`,
//! `turn-001.settings.json`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use engine::{Audio, Sampling, Settings, Summary};
use serde_json::{Value, json};

use crate::cli::prompt::Part;
use crate::wav;

/// The conversation so far, as messages, and the question that is being asked.
pub(crate) struct Recorder {
    folder: PathBuf,
    earlier: Vec<Value>,
    turn: u64,
    parts: Vec<Value>,
    heard: Vec<f32>,
}

impl Recorder {
    /// A recorder into `folder`, which is made.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub(crate) fn new(folder: &Path) -> Result<Recorder> {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
        let folder = folder.to_path_buf();
        Ok(Recorder { folder, earlier: vec![], turn: 0, parts: vec![], heard: vec![] })
    }

    /// A new conversation.
    pub(crate) fn clear(&mut self) {
        self.earlier.clear();
    }

    /// A question begins with these parts.
    pub(crate) fn begin(&mut self, turn: u64, parts: &[Part]) {
        self.turn = turn;
        self.heard.clear();
        self.parts.clear();
        for part in parts {
            self.parts.push(match part {
                Part::Text(text) => json!({"type": "text", "text": text}),
                Part::Audio(path) => json!({"type": "audio", "path": path}),
                Part::Image(path) => json!({"type": "image", "path": path}),
                Part::Video(path) => json!({"type": "video", "path": path}),
                Part::Sound(clip) => {
                    self.heard.extend_from_slice(&clip.samples);
                    continue;
                }
            });
        }
    }

    /// The last question is asked again; its answer is forgotten.
    pub(crate) fn begin_again(&mut self, turn: u64) {
        self.turn = turn;
        self.heard.clear();
        self.earlier.pop();
        self.parts = match self.earlier.pop() {
            Some(mut question) => question["content"].as_array_mut().map(std::mem::take).unwrap_or_default(),
            None => vec![],
        };
    }

    /// More speech of the question, at 16 kHz.
    pub(crate) fn hear(&mut self, samples: &[f32]) {
        self.heard.extend_from_slice(samples);
    }

    /// The question is complete: writes it. A failure is logged and costs nothing else.
    pub(crate) fn asked(&mut self, settings: &Settings) {
        if let Err(error) = self.write(settings) {
            tracing::warn!(turn = self.turn, "the question was not recorded: {error:#}");
        }
    }

    fn write(&mut self, settings: &Settings) -> Result<()> {
        let name = format!("turn-{:03}", self.turn);
        if !self.heard.is_empty() {
            let file = format!("{name}.wav");
            wav::write_f32(&self.folder.join(&file), &self.heard, Audio::SAMPLE_RATE_HZ)?;
            self.parts.push(json!({"type": "audio", "path": file}));
        }
        self.earlier.push(json!({"role": "user", "content": self.parts}));
        self.save(&format!("{name}.messages.json"), &Value::Array(self.earlier.clone()))?;
        self.save(&format!("{name}.settings.json"), &describe(settings))
    }

    fn save(&self, file: &str, value: &Value) -> Result<()> {
        let path = self.folder.join(file);
        let text = serde_json::to_string_pretty(value)?;
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    /// What was answered becomes part of the conversation.
    pub(crate) fn answered(&mut self, summary: &Summary) {
        self.earlier.push(json!({"role": "assistant", "content": summary.text}));
    }
}

fn describe(settings: &Settings) -> Value {
    let sampling = |s: Option<Sampling>| {
        s.map(|s| {
            json!({
                "temperature": s.temperature,
                "top_k": s.top_k,
                "top_p": s.top_p,
                "repetition_penalty": s.repetition_penalty,
            })
        })
    };
    json!({
        "system": settings.system,
        "voice": settings.voice,
        "speech": settings.speech,
        "text_sampling": sampling(settings.text_sampling),
        "speech_sampling": sampling(settings.speech_sampling),
        "residual_sampling": sampling(settings.residual_sampling),
        "seed": settings.seed,
        "max_text_tokens": settings.max_text_tokens,
        "max_frames": settings.max_frames,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::prompt::Prompt;

    #[test]
    fn a_recorded_turn_can_be_asked_again() {
        let folder = std::env::temp_dir().join(format!("colloquy-record-{}", std::process::id()));
        let mut recorder = Recorder::new(&folder).unwrap();
        recorder.begin(4, &[Part::Image("/p.png".into())]);
        recorder.hear(&[0.25; 400]);
        recorder.hear(&[0.5; 400]);
        recorder.asked(&Settings::default());

        let prompt = Prompt::read(&folder.join("turn-004.messages.json")).unwrap();
        let wav = folder.join("turn-004.wav");
        assert_eq!(prompt.question, [Part::Image("/p.png".into()), Part::Audio(wav.clone())]);
        let samples: Vec<f32> = hound::WavReader::open(wav).unwrap().samples().map(Result::unwrap).collect();
        assert_eq!(samples.len(), 800);
        assert_eq!((samples[0], samples[799]), (0.25, 0.5));

        // Answered anew, it is the same question as another turn.
        let timing = engine::Timing::default();
        let ending = engine::Ending::Stop;
        let (text, text_tokens) = ("A red disc.".into(), vec![]);
        recorder.answered(&Summary { text, text_tokens, codes: vec![], samples: 0, ending, timing });
        recorder.begin_again(5);
        recorder.asked(&Settings::default());
        let again = Prompt::read(&folder.join("turn-005.messages.json")).unwrap();
        assert_eq!((again.question, again.earlier), (prompt.question, prompt.earlier));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
