//! What the pictures show.

use std::sync::Arc;
use std::time::Duration;

use engine::{Ending, Format, Settings, Summary, Timing};
use image::{Rgba, RgbaImage};

use crate::audio::Level;
use crate::command::Command;
use crate::doctor::{self, Fit};
use crate::event::Event;
use crate::models::{Expected, Kind, Pace, Presence, Progress, models as catalogue};
use crate::state::{Attachment, ExamineReport, ModelReport, ModelWish, Side, State};
use crate::store::Line;
use crate::views::tests::{ms, ready};

const ANSWER: &str = "Rain is light that comes back. **Water drops** bend each colour by its own angle:\n\n\
    1. The light enters a drop and is *refracted*.\n2. It is reflected at the back.\n\
    3. It leaves at about 42 degrees.\n\n| Colour | Angle |\n|---|---|\n| red | 42.4° |\n| violet | 40.5° |\n\n\
    ```python\nangle = degrees(asin(sin(i) / 1.33))\n```\nMore is at [the encyclopedia](https://example.org).";

/// Loudness that goes up and down.
fn waveform(bars: usize) -> Vec<f32> {
    (0..bars)
        .map(|i| (0.5 + 0.45 * (i as f32 * 0.9).sin()) * (0.4 + 0.6 * (i as f32 * 0.13).sin().abs()))
        .collect()
}

fn summary(tokens: usize) -> Box<Summary> {
    let timing = Timing { decode_ms: 20.0 * tokens as f64, ..Timing::default() };
    let (text, codes) = (String::new(), vec![]);
    Box::new(Summary { text, text_tokens: vec![1; tokens], codes, samples: 9, ending: Ending::Stop, timing })
}

/// A picture of a red disc.
fn picture() -> Attachment {
    let picture = RgbaImage::from_fn(240, 160, |x, y| {
        let (x, y) = (x as f32 - 120.0, y as f32 - 80.0);
        if x.hypot(y) < 60.0 { Rgba([200, 48, 40, 255]) } else { Rgba([232, 228, 216, 255]) }
    });
    Attachment { path: "disc.png".into(), thumbnail: Some(picture.into()) }
}

fn ask(state: &mut State, turn: u64, question: &str, answer: &str) {
    state.handle(Command::Draft(question.into()), ms(0));
    state.handle(Command::Submit, ms(1));
    state.apply(Event::Text { turn, piece: answer.into() }, ms(2));
}

fn end(state: &mut State, turn: u64) {
    state.apply(Event::SpeechStarted { turn }, ms(640));
    state.apply(Event::Written { turn, summary: summary(64) }, ms(900));
    state.apply(Event::SpeechEnded { turn }, ms(2000));
}

/// A spoken question and its answer with all that Markdown has.
pub(super) fn conversation() -> State {
    let mut state = speak(ready(), 1);
    state.apply(Event::Text { turn: 1, piece: ANSWER.into() }, ms(2200));
    state.clips.push(1, Side::Answer, 24_000, &[0.3; 48_000]);
    end(&mut state, 1);
    ask(
        &mut state,
        2,
        "And why is the sky above it darker?",
        "Between the two bows less light comes back to you.",
    );
    end(&mut state, 2);
    state
}

/// Asks something of two seconds.
fn speak(mut state: State, turn: u64) -> State {
    state.handle(Command::Press, ms(0));
    state.apply(Event::CaptureStarted { turn }, ms(20));
    state.handle(Command::Release, ms(2100));
    state.apply(Event::Heard { turn, seconds: 2.0, waveform: waveform(40) }, ms(2120));
    state
}

pub(super) fn loading() -> State {
    let mut state = State::new(Settings::default(), Level::default());
    state.apply(Event::Loading("Qwen3-Omni-30B-A3B".into()), ms(0));
    let progress = engine::Progress { bytes: 21_400_000_000, total_bytes: 63_400_000_000, seconds: 9.7 };
    state.apply(Event::Placed(progress), ms(1));
    state
}

/// A spoken and a typed question that came before the model.
pub(super) fn waiting() -> State {
    let mut state = speak(loading(), 1);
    state.handle(Command::Draft("And what is its old town called?".into()), ms(3000));
    state.handle(Command::Submit, ms(3000));
    state
}

pub(super) fn listening() -> State {
    let mut state = ready();
    state.handle(Command::Press, ms(0));
    state.apply(Event::CaptureStarted { turn: 1 }, ms(20));
    state.level.take(&[0.2; 800]);
    state
}

pub(super) fn locked() -> State {
    let mut state = ready();
    state.handle(Command::Toggle, ms(0));
    state.apply(Event::CaptureStarted { turn: 1 }, ms(20));
    state.level.take(&[0.2; 800]);
    state
}

pub(super) fn thinking() -> State {
    speak(ready(), 1)
}

pub(super) fn speaking() -> State {
    let mut state = speak(ready(), 1);
    state.apply(Event::Text { turn: 1, piece: "The capital of France is Paris.".into() }, ms(2200));
    state.apply(Event::SpeechStarted { turn: 1 }, ms(2480));
    state.level.take(&[0.2; 800]);
    state
}

pub(super) fn history() -> State {
    let mut state = conversation();
    state.handle(Command::ShowHistory(true), ms(0));
    let line = |id, title: &str, when: &str| Line { id, title: title.into(), when: when.into() };
    let lines = vec![
        line(5, "Why is a rainbow round?", "21 Nov 2026, 18:02"),
        line(4, "A recipe for bread without kneading, with what is in the cupboard", "20 Nov 2026, 09:41"),
        line(3, "two plus two", "3 May 2026, 12:00"),
    ];
    state.apply(Event::Listed(lines), ms(0));
    state.history.open = Some(5);
    state
}

pub(super) fn picture_question() -> State {
    let mut state = ready();
    state.handle(Command::Attach(Ok(picture())), ms(0));
    ask(&mut state, 1, "What is on this picture?", "A red disc on a light ground.");
    end(&mut state, 1);
    state.handle(Command::Attach(Ok(picture())), ms(0));
    state
}

pub(super) fn picture_opened() -> State {
    let mut state = picture_question();
    state.handle(Command::OpenPicture(picture()), ms(0));
    state
}

pub(super) fn error() -> State {
    let mut state = conversation();
    let message = "There is no microphone. Plug one in, or type your question.".into();
    state.handle(Command::Press, Duration::from_secs(5));
    state.apply(Event::CaptureFailed { turn: 3, message }, Duration::from_secs(5));
    state
}

pub(super) fn settings() -> State {
    let mut state = ready();
    state.handle(Command::ShowSettings(true), ms(0));
    state
}

/// The large models, where the first start's button leads: one comes in eight bits, another is here.
pub(super) fn models() -> State {
    let mut state = settings();
    state.handle(Command::Models(ModelWish::Show(true)), ms(0));
    let expected = |(format, memory, speed)| Expected {
        format,
        memory,
        fit: if format == Format::Bf16 { Fit::Never } else { Fit::Now },
        speed: Some(speed),
        is_recommended: format == Format::Q8_0,
    };
    let paces = [
        (Format::Bf16, 73_200_000_000, Pace::Fluent(24)),
        (Format::Q8_0, 40_300_000_000, Pace::Fast(43)),
        (Format::Q4, 25_600_000_000, Pace::Fast(68)),
    ];
    let kinds = catalogue().iter().filter(|entry| entry.repo.is_some()).flat_map(Kind::all);
    let presence = |kind: &Kind| {
        let is_here = kind.entry.name.ends_with("captioner") && kind.format == Some(Format::Q4);
        if is_here { Presence::Here("captioner".into()) } else { Presence::Absent }
    };
    let offers = kinds.map(|kind| (kind, presence(&kind))).collect();
    let large = Kind { entry: &catalogue()[1], format: Some(Format::Q8_0) };
    state.handle(Command::Models(ModelWish::Get(large)), ms(0));
    state.handle(Command::Models(ModelWish::Accept), ms(0));
    let progress = Progress {
        bytes: 24_000_000_000,
        of: 70_540_000_000,
        rate: 9e7,
        converted: Some(20_000_000_000),
        ..Progress::default()
    };
    for report in [
        ModelReport::Offers(offers),
        ModelReport::Expected(paces.map(expected).to_vec()),
        ModelReport::Progress(progress),
    ] {
        state.apply(Event::Models(report), ms(1));
    }
    state
}

/// The settings of one who had a machine examined.
pub(super) fn computer(machine: &str) -> State {
    let mut state = settings();
    let report = Arc::new(doctor::tests::of(machine, None));
    state.apply(Event::Examined(ExamineReport::Ended(Ok(report))), ms(0));
    state
}

pub(super) fn first_run() -> State {
    let mut state = loading();
    state.welcome();
    state
}

/// After the first answer of the first start.
pub(super) fn offer() -> State {
    let mut state = ready();
    state.welcome();
    ask(&mut state, 1, "What is the capital of France?", "The capital of France is Paris.");
    end(&mut state, 1);
    state
}
