//! What the window shows, as plain data. It changes only through `handle` (a wish of the person) and `apply` (a report);
//! both return what is to be done about it. This is not where it is done, nor drawn.

mod action;
mod applying;
mod attachment;
mod diagnosing;
mod entry;
mod examining;
mod fetching;
mod hands_free;
mod history;
mod living;
mod preferring;
mod showing;
mod sound;
mod waiting;
mod welcoming;

use std::path::{Path, PathBuf};
use std::time::Duration;

use engine::{Info, Progress, Settings};

use crate::audio::{Level, Order};
use crate::cli::prompt::Part;
use crate::clips::Clips;
pub(crate) use crate::clips::Side;
use crate::command::Command;
use crate::language::t;
use crate::logbook::Logbook;
use crate::preferences::{Placing, Preferences};
use crate::turn::{self, Effect, Input, Stage, Turn};
pub(crate) use action::Action;
pub(crate) use attachment::Attachment;
pub(crate) use entry::{Answer, End, Exchange, Spoken};
pub(crate) use examining::{ExamineReport, ExamineWish, Examining};
pub(crate) use fetching::{Errand, Fetching, ModelReport, ModelWish, Running};
pub(crate) use history::{History, Keep};
pub(crate) use living::Living;
pub(crate) use showing::Opened;
pub(crate) use sound::{Device, SoundWish, Sounding, Trial};
use waiting::Waiting;
pub(crate) use welcoming::Welcome;

/// Whether there is a model.
#[derive(Clone, Debug)]
pub(crate) enum Model {
    /// None was chosen, or it cannot be loaded.
    Absent,
    /// It is being loaded, and is so far in place.
    Loading(String, Progress),
    /// It is ready.
    Ready(Box<Info>),
}

/// Where the weights of a ready model are.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(crate) enum Weights {
    /// In place.
    #[default]
    There,
    /// Their memory is given back until the next question.
    Freed,
    /// On their way, and so far in place.
    Coming(Progress),
}

/// A message above the composer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Notice {
    /// A sentence.
    pub(crate) text: String,
    /// Whether something went wrong.
    pub(crate) is_error: bool,
}

/// What the last answer cost.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(crate) struct Figures {
    /// Text tokens a second.
    pub(crate) tokens_per_second: Option<f64>,
    /// From the end of the question to the first sound out of the speaker.
    pub(crate) first_sound: Option<Duration>,
}

/// All that the window shows.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) model: Model,
    pub(crate) turn: Turn,
    pub(crate) exchanges: Vec<Exchange>,
    pub(crate) draft: String,
    pub(crate) attachments: Vec<Attachment>,
    pub(crate) notice: Option<Notice>,
    pub(crate) figures: Figures,
    pub(crate) settings: Settings,
    /// How loud it is just now, in or out; the devices' thread writes it.
    pub(crate) level: Level,
    /// Attachments that the question being spoken begins with.
    attached: usize,
    /// When the question ended.
    asked_at: Option<Duration>,
    /// Where the ready model's weights are.
    pub(crate) weights: Weights,
    /// Graphics processors that the settings offer.
    pub(crate) gpus: Vec<String>,
    /// What the person chose for good.
    pub(crate) preferences: Preferences,
    /// Whether the settings are shown.
    pub(crate) shows_settings: bool,
    /// How the model was placed.
    pub(crate) placed: Placing,
    /// Where the model is.
    folder: Option<PathBuf>,
    /// The model that the person chose, until it is loaded.
    chosen: Option<PathBuf>,
    /// Options of the command line that win over the settings.
    pub(crate) given: Vec<&'static str>,
    /// What is to be told when there is a model.
    pub(crate) untold: Option<String>,
    /// Conversations that are kept.
    pub(crate) history: History,
    /// Sound that can be played again; the devices' thread writes it.
    pub(crate) clips: Clips,
    /// The sound that is to be played again.
    replayed: Option<(u64, Side)>,
    /// The picture that is shown large.
    pub(crate) opened: Option<Opened>,
    /// Why no key works from anywhere: a sentence.
    pub(crate) no_talk_key: Option<String>,
    /// The last lines of the log; all of the program writes it.
    pub(crate) logbook: Logbook,
    /// The first start.
    pub(crate) welcome: Welcome,
    /// The sound devices.
    pub(crate) sounding: Sounding,
    /// Where the window is.
    pub(crate) living: Living,
    /// Larger models.
    pub(crate) fetching: Fetching,
    /// Questions that wait for the model.
    waiting: Waiting,
    /// The examination of this machine.
    pub(crate) examining: Examining,
}

impl State {
    /// An empty window without a model.
    pub(crate) fn new(settings: Settings, level: Level) -> State {
        State {
            model: Model::Absent,
            turn: Turn::FIRST,
            exchanges: vec![],
            draft: String::new(),
            attachments: vec![],
            notice: None,
            figures: Figures::default(),
            settings,
            level,
            attached: 0,
            asked_at: None,
            weights: Weights::default(),
            gpus: vec![],
            preferences: Preferences::default(),
            shows_settings: false,
            placed: Placing::default(),
            folder: None,
            chosen: None,
            given: vec![],
            untold: None,
            history: History::default(),
            clips: Clips::default(),
            replayed: None,
            opened: None,
            no_talk_key: None,
            logbook: Logbook::of_program(),
            welcome: Welcome::default(),
            sounding: Sounding::default(),
            living: Living::default(),
            fetching: Fetching::default(),
            waiting: Waiting::default(),
            examining: Examining::default(),
        }
    }

    /// The ready model.
    pub(crate) fn info(&self) -> Option<&Info> {
        match &self.model {
            Model::Ready(info) => Some(info),
            _ => None,
        }
    }

    /// Whether there is something to send and a model to send it to.
    pub(crate) fn can_submit(&self) -> bool {
        let something = !self.draft.trim().is_empty() || !self.attachments.is_empty();
        let free = matches!(self.turn.stage, Stage::Idle | Stage::Thinking | Stage::Speaking);
        something && free
    }

    /// Whether the talk button does anything. Of a model that is being loaded it is not known yet whether it hears.
    pub(crate) fn can_talk(&self) -> bool {
        match &self.model {
            Model::Absent => false,
            Model::Loading(..) => true,
            Model::Ready(info) => info.hears,
        }
    }

    /// Whether an answer is being made or heard.
    pub(crate) fn is_answering(&self) -> bool {
        matches!(self.turn.stage, Stage::Thinking | Stage::Speaking)
    }

    /// Whether the person is being listened to, or is about to be.
    pub(crate) fn is_holding(&self) -> bool {
        matches!(self.turn.stage, Stage::Opening { .. } | Stage::Listening { .. } | Stage::Attending)
    }

    /// Does what the person wants at `now`.
    pub(crate) fn handle(&mut self, command: Command, now: Duration) -> Vec<Action> {
        let mut actions = self.heed(command, now);
        actions.extend(self.ask_next(now));
        actions.extend(self.examine());
        actions
    }

    fn heed(&mut self, command: Command, now: Duration) -> Vec<Action> {
        match command {
            Command::Press => return self.press(now),
            Command::Release => return self.step(Input::Release(now), now),
            Command::Toggle => {
                let mut actions = self.press(now);
                actions.extend(self.step(Input::Release(now), now));
                return actions;
            }
            Command::Stop => {
                if !self.is_holding() {
                    self.drop_waiting();
                }
                return self.step(Input::Stop, now);
            }
            Command::Submit if self.turn.stage.is_locked() => return self.step(Input::Finish(now), now),
            Command::Submit if self.can_submit() => return self.step(Input::Submit, now),
            Command::Submit => {}
            Command::Draft(text) => self.draft = text,
            Command::Open(path) if path.join("config.json").is_file() => return self.open_model(path, now),
            Command::Open(path) => return vec![Action::Inspect(path)],
            Command::Attach(Ok(attachment)) => {
                self.notice = None;
                self.attachments.push(attachment);
            }
            Command::Attach(Err(message)) => self.complain(message),
            Command::Detach(index) => {
                if index < self.attachments.len() && !self.is_holding() {
                    self.attachments.remove(index);
                }
            }
            Command::PickFile => return vec![Action::PickFile],
            Command::PickModel => return vec![Action::PickModel],
            Command::PickedNothing { at_once: true } => self.complain(t!(
                "No file dialog is available here. Drop the file or the model's folder on the window, \
                 or start with --model DIR."
            )),
            Command::PickedNothing { at_once: false } => {}
            Command::NewConversation => return self.start_over(now),
            Command::Speech(speech) => return self.speak(speech),
            Command::Voice(voice) => return self.speak_as(voice),
            Command::Dismiss => self.notice = None,
            Command::Leave => return self.step(Input::Leave(now), now),
            Command::ShowSettings(shows) => return self.show_settings(shows),
            Command::Gpus(gpus) => self.gpus = gpus,
            Command::DeleteSounds => return self.delete_sounds(),
            Command::Prefer(preferences) => return self.prefer(*preferences),
            Command::Reload => return self.reload(now),
            Command::Start => return self.talk(Input::Start(now), now),
            Command::Finish => return self.step(Input::Finish(now), now),
            Command::Show => return self.show(),
            Command::NoTalkKey(message) => {
                self.no_talk_key = Some(message.clone());
                self.complain(message);
            }
            Command::ShowHistory(shows) => self.history.shown = shows,
            Command::SearchKept(words) => {
                self.history.query.clone_from(&words);
                return vec![Action::Keep(Keep::Search(words))];
            }
            Command::OpenKept(id) => return self.open_kept(id, now),
            Command::DeleteKept(id) => return vec![Action::Keep(Keep::Delete(id))],
            Command::AskToForget(asks) => self.history.confirms = asks,
            Command::ForgetEverything => return self.forget_everything(now),
            Command::Edit(turn) => self.edit(turn),
            Command::Regenerate => return self.regenerate(now),
            Command::Replay { turn, side } => return self.replay(turn, side, now),
            Command::SaveSpeech(turn) => return vec![Action::SaveSpeech(turn)],
            Command::Export => return self.export(),
            Command::Wrote(Ok(text)) => self.notice = Some(Notice { text, is_error: false }),
            Command::Wrote(Err(text)) => self.complain(text),
            Command::OpenPicture(attachment) => return self.open(attachment),
            Command::Enlarged(path, picture) => self.enlarged(&path, picture),
            Command::ClosePicture => self.opened = None,
            Command::Diagnose => return vec![Action::Diagnose],
            Command::Diagnosed(around) => return self.diagnosed(*around),
            Command::CopyLog(level) => return self.copy_log(level),
            Command::Sound(wish) => return self.wish_sound(wish),
            Command::Models(wish) => return self.wish_model(wish),
            Command::Examine(wish) => return self.wish_examination(wish),
            Command::Hide => return self.hide(),
            Command::Quit => return self.quit(now),
            Command::TrayIs(there) => return self.tray_is(there),
            Command::HandsFree(wanted) => return self.hands_free(wanted, now),
        }
        vec![]
    }

    fn press(&mut self, now: Duration) -> Vec<Action> {
        self.talk(Input::Press(now), now)
    }

    /// Begins to listen, where the model can hear.
    fn talk(&mut self, input: Input, now: Duration) -> Vec<Action> {
        if self.info().is_some_and(|info| !info.hears) {
            self.complain(t!("This model takes no sound. Type your question."));
            return vec![];
        }
        if !self.is_holding() && !self.has_room_for_speech() {
            return vec![];
        }
        if matches!(self.turn.stage, Stage::Idle) {
            self.notice = None;
        }
        self.step(input, now)
    }

    fn step(&mut self, input: Input, now: Duration) -> Vec<Action> {
        let (turn, effects) = turn::step(self.turn, input);
        if turn.stage != self.turn.stage {
            tracing::info!(turn = turn.number, stage = ?turn.stage, "stage");
        }
        if turn.waits != self.turn.waits {
            tracing::info!(waits = turn.waits, "model");
        }
        if turn.ear != self.turn.ear {
            tracing::info!(ear = ?turn.ear, "hands-free");
        }
        self.turn = turn;
        let mut actions = vec![];
        for effect in effects {
            if let Effect::Silence(turn) = effect {
                actions.extend(self.record(turn));
                // Who stops an answer wants none to the questions behind it. A failure and another model leave them.
                if !matches!(
                    input,
                    Input::Failed(_) | Input::CaptureFailed(_) | Input::Coming | Input::Unloaded
                ) {
                    self.drop_waiting();
                }
            }
            if let Effect::Listen(_) | Effect::Ask(_) = effect {
                actions.extend(if self.turn.aside { self.wake() } else { None });
            }
            actions.extend(self.act(effect, now));
        }
        if self.turn.number > 0 {
            actions.extend(self.end_welcome());
        }
        actions
    }

    fn act(&mut self, effect: Effect, now: Duration) -> Option<Action> {
        match effect {
            Effect::Listen(turn) => {
                self.attached = self.attachments.len();
                let parts = self.attachments.iter().map(Attachment::part).collect();
                Some(Action::Listen { turn, parts, aside: self.turn.aside })
            }
            Effect::Close { number: turn, keep } => {
                if keep {
                    let attachments = self.attachments.drain(..self.attached).collect();
                    let spoken = Some(Spoken::default());
                    self.ask(Exchange { turn, attachments, spoken, ..Exchange::default() }, now);
                }
                Some(Action::Close { turn, keep })
            }
            Effect::Ask(turn) => {
                let attachments = std::mem::take(&mut self.attachments);
                let draft = std::mem::take(&mut self.draft);
                let text = Some(draft.trim().to_owned()).filter(|text| !text.is_empty());
                let mut parts: Vec<_> = attachments.iter().map(Attachment::part).collect();
                parts.extend(text.clone().map(Part::Text));
                self.ask(Exchange { turn, attachments, text, ..Exchange::default() }, now);
                (!self.turn.aside).then_some(Action::Ask { turn, parts })
            }
            Effect::AskNext(turn) => self.ask_waiting(turn, now),
            Effect::Silence(turn) => {
                self.extend(turn, |answer| {
                    answer.end.get_or_insert(End::Stopped);
                });
                Some(Action::Silence)
            }
            Effect::HintUnheard => {
                self.hint(t!(
                    "Nothing was heard. Hold the key or the button while you speak, or tap it, speak, and tap \
                     it again."
                ));
                None
            }
            Effect::Again(turn) => self.again(turn, now),
            Effect::Replay(turn) => self.replayed.map(|(of, side)| Action::Replay { turn, of, side }),
            Effect::OpenEar(ear) => Some(Action::Order(Order::OpenEar(ear, self.preferences.talking))),
            Effect::CloseEar => Some(Action::Order(Order::CloseEar)),
        }
    }

    fn ask(&mut self, exchange: Exchange, now: Duration) {
        if self.turn.aside {
            return self.put_aside(exchange);
        }
        self.notice = None;
        self.asked_at = Some(now);
        self.figures = Figures::default();
        self.exchanges.push(exchange);
    }

    /// Of a turn, if it was not forgotten meanwhile.
    fn exchange(&mut self, turn: u64) -> Option<&mut Exchange> {
        self.exchanges.iter_mut().rev().find(|exchange| exchange.turn == turn)
    }

    fn extend(&mut self, turn: u64, change: impl FnOnce(&mut Answer)) {
        if let Some(exchange) = self.exchange(turn) {
            change(&mut exchange.answer);
        }
    }

    fn set(&mut self, settings: Settings) -> Vec<Action> {
        self.settings = settings;
        vec![Action::Settings(Box::new(self.settings.clone()))]
    }

    fn clear(&mut self) {
        self.clear_before(u64::MAX);
    }

    /// Forgets the conversation, but not the sound of `turn`, which begins another one.
    fn clear_before(&mut self, turn: u64) {
        self.forget_waiting();
        self.exchanges.clear();
        self.clips.forget_before(turn);
        self.opened = None;
        self.notice = None;
        self.figures = Figures::default();
    }

    fn hint(&mut self, text: impl Into<String>) {
        self.notice = Some(Notice { text: text.into(), is_error: false });
    }

    fn complain(&mut self, text: impl Into<String>) {
        let text = text.into();
        tracing::warn!("{text}");
        self.notice = Some(Notice { text, is_error: true });
    }
}

fn name(folder: &Path) -> String {
    folder.file_name().unwrap_or(folder.as_os_str()).to_string_lossy().into_owned()
}

#[cfg(test)]
pub(crate) mod tests;
