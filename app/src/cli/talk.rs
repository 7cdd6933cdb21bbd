//! `colloquy talk`: one question, one answer.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use engine::{Engine, Event, Session, Settings, Summary};

use super::prompt::{Part, Prompt};
use super::report::{Report, Said};
use super::{AnswerOptions, ModelOptions};
use crate::{progress, wav};

/// Options of `talk`.
#[derive(Args, Debug)]
pub(crate) struct TalkOptions {
    #[command(flatten)]
    pub(crate) model: ModelOptions,
    #[command(flatten)]
    pub(crate) answer: AnswerOptions,
    /// A sound file to ask with (WAV, FLAC, MP3, Ogg); may be given several times.
    #[arg(long, value_name = "FILE")]
    pub(crate) audio: Vec<PathBuf>,
    /// A picture to ask about (PNG, JPEG, WebP); may be given several times.
    #[arg(long, value_name = "FILE")]
    pub(crate) image: Vec<PathBuf>,
    /// A folder of a video's frames, with its sound if any; may be given several times.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) video: Vec<PathBuf>,
    /// Frames a second of the videos.
    #[arg(long, value_name = "N", value_parser = frames_per_second)]
    pub(crate) fps: Option<f32>,
    /// Text to ask with; comes after pictures, videos and sound.
    #[arg(long, value_name = "TEXT")]
    pub(crate) text: Option<String>,
    /// A JSON list of messages, the last of which is answered.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["audio", "image", "video", "text"])]
    pub(crate) messages: Option<PathBuf>,
    /// A JSON list of functions that the model may call.
    #[arg(long, value_name = "FILE")]
    pub(crate) tools: Option<PathBuf>,
    /// Write the answer's speech to this WAV file.
    #[arg(long, value_name = "FILE", conflicts_with = "no_speech")]
    pub(crate) out: Option<PathBuf>,
    /// Print one JSON object at the end instead of the text.
    #[arg(long)]
    pub(crate) json: bool,
}

fn frames_per_second(text: &str) -> Result<f32, String> {
    match text.parse::<f32>() {
        Ok(value) if value.is_finite() && value > 0.0 => Ok(value),
        _ => Err("expected a number above 0".into()),
    }
}

impl TalkOptions {
    /// What is asked: the file of messages, or images, videos, sound and text in this order.
    fn prompt(&self) -> Result<Prompt> {
        if let Some(file) = &self.messages {
            let prompt = Prompt::read(file)?;
            ensure!(
                prompt.system.is_none() || self.answer.system.is_none(),
                "--system is given and {} has a system message too; use one of them",
                file.display()
            );
            return Ok(prompt);
        }
        let images = self.image.iter().cloned().map(Part::Image);
        let videos = self.video.iter().cloned().map(Part::Video);
        let sounds = self.audio.iter().cloned().map(Part::Audio);
        let text = self.text.iter().filter(|text| !text.is_empty()).cloned().map(Part::Text);
        let question: Vec<_> = images.chain(videos).chain(sounds).chain(text).collect();
        ensure!(
            !question.is_empty(),
            "there is no question: give --text, --audio, --image, --video or --messages"
        );
        Ok(Prompt { system: None, earlier: vec![], question })
    }

    fn settings(&self, prompt: &Prompt) -> Result<Settings> {
        let mut settings = self.answer.settings();
        if let Some(system) = &prompt.system {
            settings.system = Some(system.clone());
        }
        if let Some(file) = &self.tools {
            let text =
                std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
            let tools: serde_json::Value =
                serde_json::from_str(&text).with_context(|| format!("{} is not JSON", file.display()))?;
            ensure!(tools.is_array(), "{}: expected a JSON list of functions", file.display());
            settings.tools = Some(tools);
        }
        Ok(settings)
    }
}

/// Asks and answers.
///
/// # Errors
/// Whatever keeps the answer from being given, in a sentence.
pub(crate) fn run(options: &TalkOptions) -> Result<()> {
    // What can be refused without the model is refused before it is loaded.
    let prompt = options.prompt()?;
    let settings = options.settings(&prompt)?;
    if let Some(out) = &options.out {
        let folder = out.parent().filter(|f| !f.as_os_str().is_empty()).unwrap_or(Path::new("."));
        ensure!(!out.is_dir(), "cannot write {}: it is a folder; name a file", out.display());
        ensure!(folder.is_dir(), "cannot write {}: there is no folder {}", out.display(), folder.display());
    }
    let earlier = prompt.earlier.iter().map(|turn| turn.open(options.fps)).collect::<Result<Vec<_>, _>>()?;
    let question =
        prompt.question.iter().map(|part| part.open(options.fps)).collect::<Result<Vec<_>, _>>()?;

    let folder = options.model.folder()?;
    let host = progress::on_terminal(folder.display().to_string());
    let engine = Engine::load_with(&folder, &options.model.engine(), &host)?;
    let info = engine.info().clone();
    if options.out.is_some() && info.voices.is_empty() {
        bail!("--out is given, but the model {} cannot speak", info.name);
    }
    let mut session = Session::new(engine, settings)?;
    for message in earlier {
        session.push_message(message)?;
    }
    for content in question {
        session.push(content)?;
    }
    if std::io::stderr().is_terminal() {
        let why = info.fallback.iter().map(|reason| format!(", because {reason}")).collect::<String>();
        eprintln!("answering on {}{why} …", info.device);
    }
    let mut said = Said::default();
    let summary = answer(&mut session, options, &mut said)?;

    if let Some(out) = &options.out {
        if said.samples.is_empty() {
            eprintln!("colloquy: there was nothing to speak, so {} was not written", out.display());
        } else {
            wav::write_i16(out, &said.samples, info.sample_rate_hz)?;
        }
    }
    if options.json {
        let report = Report::new(&info, &summary, &said);
        print(&format!("{}\n", serde_json::to_string(&report)?))?;
    } else {
        print("\n")?;
    }
    Ok(())
}

/// Runs the answer to its end; text goes to the standard output as it comes, unless JSON is wanted.
fn answer(session: &mut Session, options: &TalkOptions, said: &mut Said) -> Result<Summary> {
    let mut finished = None;
    session.respond()?;
    while let Some(events) = session.step()? {
        for event in events {
            match event {
                Event::Text(piece) if !options.json => print(&piece)?,
                Event::Text(_) => {}
                Event::Reasoning(piece) => said.reasoning.push_str(&piece),
                Event::ToolCall(call) => {
                    if !options.json {
                        print(&format!("{call}\n"))?;
                    }
                    said.tool_calls.push(call);
                }
                Event::Audio { .. } => said.samples.extend(session.take_samples()),
                Event::Finished(summary) => finished = Some(*summary),
            }
        }
    }
    said.samples.extend(session.take_samples());
    finished.context("the answer ended without a report")
}

fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("cannot write to the standard output")
}

#[cfg(test)]
mod tests;
