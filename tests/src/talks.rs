//! Conversations with the engine, as a test holds them. Not the window's worker, which works on a thread of its own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests: a failure is the test's"
)]

use std::path::Path;

use engine::{
    Audio, Content, Device, Ending, Engine, Event, Message, Options, Result, Role, Session, Settings, Summary,
};

use crate::checkpoints::pocket;

/// An answer as it was given.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Everything told on the way, without the end.
    pub events: Vec<Event>,
    /// The end.
    pub summary: Summary,
    /// The speech.
    pub samples: Vec<f32>,
}

impl Answer {
    /// The text.
    pub fn text(&self) -> &str {
        &self.summary.text
    }

    /// Tokens, codes and the bits of the samples: what two equal answers have in common.
    pub fn bits(&self) -> (Vec<u32>, Vec<Vec<u32>>, Vec<u32>) {
        let samples = self.samples.iter().map(|s| s.to_bits()).collect();
        (self.summary.text_tokens.clone(), self.summary.codes.clone(), samples)
    }
}

/// The most likely token and code everywhere, from the first on.
pub fn greedy() -> Settings {
    Settings { max_text_tokens: 64, max_frames: Some(60), ..Settings::default() }.greedy()
}

/// The same without speech.
pub fn silent() -> Settings {
    Settings { speech: false, ..greedy() }
}

/// A checkpoint on the processor, with a context of so many tokens.
pub fn load(folder: &Path, context_tokens: Option<usize>) -> Result<Engine> {
    Engine::load(folder, &Options { device: Device::Cpu, threads: 2, context_tokens, ..Options::default() })
}

/// An empty conversation.
pub fn session(folder: &Path, settings: Settings) -> Session {
    Session::new(load(folder, None).unwrap(), settings).unwrap()
}

/// Goes on until the answer ends.
pub fn finish(session: &mut Session) -> Result<Answer> {
    let mut told = Vec::new();
    while let Some(events) = session.step()? {
        told.extend(events);
    }
    let Some(Event::Finished(summary)) = told.pop() else {
        panic!("an answer ends with its summary: {told:?}")
    };
    let samples = session.take_samples();
    assert_eq!(samples.len(), summary.samples);
    assert!(summary.codes.is_empty() || summary.ending == Ending::Cancelled || !samples.is_empty());
    Ok(Answer { events: told, summary: *summary, samples })
}

/// Asks and waits for the whole answer.
pub fn ask(session: &mut Session, content: Vec<Content>) -> Result<Answer> {
    for part in content {
        session.push(part)?;
    }
    session.respond()?;
    finish(session)
}

/// Asks in writing.
pub fn ask_text(session: &mut Session, text: &str) -> Answer {
    ask(session, vec![Content::Text(text.into())]).unwrap()
}

/// Speaks `samples` in blocks, live, and waits for the answer.
pub fn ask_live(session: &mut Session, samples: &[f32], block: usize) -> Result<Answer> {
    for block in samples.chunks(block) {
        session.push_audio(block)?;
    }
    session.respond()?;
    finish(session)
}

/// Adds an earlier turn.
pub fn remember(session: &mut Session, role: Role, content: Vec<Content>) {
    session.push_message(Message::new(role, content)).unwrap();
}

/// Adds an earlier turn of text.
pub fn remember_text(session: &mut Session, role: Role, text: &str) {
    remember(session, role, vec![Content::Text(text.into())]);
}

/// A question that came with the small checkpoint.
pub fn sample(i: usize) -> Audio {
    Audio::open(&pocket().join(format!("samples/{i:02}_question.wav"))).unwrap()
}
