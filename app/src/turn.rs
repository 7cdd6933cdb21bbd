//! Hold to talk, tap to talk, or only talk, as a pure function: what a press, a release or a report does to the turn, and
//! what is to be done then.
//!
//! This is not where anything is done: it knows no device, no model and no clock.

mod hands_free;

use std::time::Duration;

/// A key held for less than this was tapped: recording is locked. A question shorter than this is none.
pub(crate) const SHORTEST_HOLD: Duration = Duration::from_millis(300);

/// Where a turn stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stage {
    /// There is no model to talk to.
    Absent,
    /// Waiting for the person.
    Idle,
    /// The microphone was asked for and gives no sound yet.
    Opening {
        /// When it was asked for.
        since: Duration,
        /// Whether it goes on without a key held, until it is told to end.
        locked: bool,
    },
    /// The microphone gives sound.
    Listening {
        /// When it was asked for.
        since: Duration,
        /// Whether it goes on without a key held, until it is told to end.
        locked: bool,
    },
    /// The question is asked and nothing of the answer can be heard yet.
    Thinking,
    /// The answer is heard.
    Speaking,
    /// In a hands-free conversation somebody speaks; a pause ends the question.
    Attending,
}

/// The microphone of a hands-free conversation, which stays open between questions. Each opening has a number; reports that carry
/// another one are about one that is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ear {
    /// There is no hands-free conversation; the number of the last one.
    Closed(u64),
    /// The microphone was asked for.
    Opening(u64),
    /// It waits for a voice, or follows one.
    Open(u64),
}

impl Ear {
    /// Whether there is a hands-free conversation.
    pub(crate) fn is_wanted(self) -> bool {
        !matches!(self, Ear::Closed(_))
    }

    fn number(self) -> u64 {
        let (Ear::Closed(number) | Ear::Opening(number) | Ear::Open(number)) = self;
        number
    }
}

impl Stage {
    /// Whether it records without a key held.
    pub(crate) fn is_locked(self) -> bool {
        matches!(
            self,
            Stage::Opening { locked: true, .. } | Stage::Listening { locked: true, .. } | Stage::Attending
        )
    }
}

/// A turn and its number. Reports that carry another number are about a turn that is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Turn {
    /// Counts up; 0 before the first turn.
    pub(crate) number: u64,
    /// Where it stands.
    pub(crate) stage: Stage,
    /// Whether the conversation is hands-free.
    pub(crate) ear: Ear,
    /// The model is on its way: questions are kept aside until it is there.
    pub(crate) waits: bool,
    /// The question of this turn began then.
    pub(crate) aside: bool,
}

impl Turn {
    /// Nothing was asked yet, and there is no model.
    pub(crate) const FIRST: Turn =
        Turn { number: 0, stage: Stage::Absent, ear: Ear::Closed(0), waits: false, aside: false };

    /// The next turn, whose question begins.
    fn begins(self, stage: Stage) -> Turn {
        Turn { number: self.number + 1, stage, aside: self.waits, ..self }
    }

    /// Its question is asked, or kept aside.
    fn asked(self) -> Turn {
        Turn { stage: if self.aside { Stage::Idle } else { Stage::Thinking }, ..self }
    }
}

/// What happened. Times are on any one clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Input {
    /// A model is ready.
    Loaded,
    /// The model is gone, and another one is on its way.
    Coming,
    /// The model gave its memory back until it is wanted.
    Freed,
    /// The model is gone.
    Unloaded,
    /// Key or button down.
    Press(Duration),
    /// Key or button up.
    Release(Duration),
    /// The window lost the keyboard: a release may never come.
    Leave(Duration),
    /// Record until told to end, without a key held.
    Start(Duration),
    /// End the question and ask it, however it was begun.
    Finish(Duration),
    /// Typed text is to be sent.
    Submit,
    /// A question that was kept aside is to be asked.
    Next,
    /// Stop whatever is going on.
    Stop,
    /// The first sound came in from the microphone.
    CaptureStarted(u64),
    /// The microphone cannot be opened, was lost, or gave only silence.
    CaptureFailed(u64),
    /// The first sound of the answer went out.
    SpeechStarted(u64),
    /// The answer is written.
    Written {
        /// Turn.
        number: u64,
        /// Whether it is spoken too, so that `SpeechEnded` is still to come.
        spoken: bool,
    },
    /// The last sound of the answer was heard.
    SpeechEnded(u64),
    /// The question or the answer failed.
    Failed(u64),
    /// The last question is to be answered anew.
    Again,
    /// A kept sound is to be played again.
    Replay,
    /// A hands-free conversation is to begin or to end.
    HandsFree(bool),
    /// Its microphone gives sound.
    EarOpened(u64),
    /// Its microphone cannot be opened or was lost.
    EarFailed(u64),
    /// Somebody began to speak to it.
    VoiceBegan {
        /// Number of the ear.
        ear: u64,
        /// Whether that may interrupt an answer.
        interrupts: bool,
    },
    /// And made a pause that ends what was said.
    VoiceEnded(u64),
    /// A question that nobody holds a key for is as long as it may be.
    Full(u64),
}

/// What is to be done. Each names its turn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Effect {
    /// Open the microphone and read along.
    Listen(u64),
    /// Close the microphone; with `keep` the question is asked, else forgotten.
    Close {
        /// Turn.
        number: u64,
        /// Whether the question counts.
        keep: bool,
    },
    /// Ask what was typed.
    Ask(u64),
    /// Ask the first of the questions that were kept aside.
    AskNext(u64),
    /// Stop the answer and its sound at once.
    Silence(u64),
    /// Say that nothing was heard, and how one talks.
    HintUnheard,
    /// Answer the last question anew.
    Again(u64),
    /// Play a kept sound.
    Replay(u64),
    /// Open the microphone of a hands-free conversation.
    OpenEar(u64),
    /// Close it.
    CloseEar,
}

/// The turn after `input`, and what is to be done, in order.
pub(crate) fn step(turn: Turn, input: Input) -> (Turn, Vec<Effect>) {
    hands_free::step(turn, input).unwrap_or_else(|| by_key(turn, input))
}

/// The same where it is nothing special that the conversation is hands-free, if it is.
fn by_key(turn: Turn, input: Input) -> (Turn, Vec<Effect>) {
    let Turn { number, stage, waits, .. } = turn;
    let to = |stage| Turn { stage, ..turn };
    let next = |stage| turn.begins(stage);
    let close = |keep| Effect::Close { number, keep };
    let locked = matches!(input, Input::Start(_));
    match (stage, input) {
        (Stage::Absent, Input::Loaded) => (to(Stage::Idle), vec![]),
        (Stage::Absent, Input::Coming) => (Turn { waits: true, ..to(Stage::Idle) }, vec![]),
        (Stage::Absent, _) => (turn, vec![]),

        (_, Input::Loaded) => (Turn { waits: false, ..turn }, vec![]),
        (Stage::Idle, Input::Freed) => (Turn { waits: true, ..turn }, vec![]),
        (_, Input::Coming) if waits => (turn, vec![]),
        (_, Input::Coming) => {
            let (stopped, effects) = by_key(turn, Input::Stop);
            (Turn { waits: true, ..stopped }, effects)
        }
        (_, Input::Unloaded) => {
            let (stopped, effects) = by_key(turn, Input::Stop);
            (Turn { stage: Stage::Absent, waits: false, ..stopped }, effects)
        }

        (Stage::Idle, Input::Press(since) | Input::Start(since)) => {
            (next(Stage::Opening { since, locked }), vec![Effect::Listen(number + 1)])
        }
        (Stage::Thinking | Stage::Speaking, Input::Press(since) | Input::Start(since)) => (
            next(Stage::Opening { since, locked }),
            vec![Effect::Silence(number), Effect::Listen(number + 1)],
        ),

        (Stage::Opening { since, locked }, Input::CaptureStarted(n)) if n == number => {
            (to(Stage::Listening { since, locked }), vec![])
        }

        (Stage::Opening { since, locked: false }, Input::Release(at)) if is_short(since, at) => {
            (to(Stage::Opening { since, locked: true }), vec![])
        }
        (Stage::Listening { since, locked: false }, Input::Release(at)) if is_short(since, at) => {
            (to(Stage::Listening { since, locked: true }), vec![])
        }
        (Stage::Opening { locked: false, .. }, Input::Release(_) | Input::Leave(_) | Input::Finish(_))
        | (Stage::Opening { locked: true, .. }, Input::Press(_) | Input::Finish(_)) => {
            (to(Stage::Idle), vec![close(false), Effect::HintUnheard])
        }
        (
            Stage::Listening { since, locked: false },
            Input::Release(at) | Input::Leave(at) | Input::Finish(at),
        )
        | (Stage::Listening { since, locked: true }, Input::Press(at) | Input::Finish(at)) => {
            if is_short(since, at) {
                (to(Stage::Idle), vec![close(false), Effect::HintUnheard])
            } else {
                (turn.asked(), vec![close(true)])
            }
        }

        // A held key says when a question ends, unless it is one that has to be kept.
        (Stage::Listening { locked, .. }, Input::Full(n)) if n == number && (locked || turn.aside) => {
            (turn.asked(), vec![close(true)])
        }
        (Stage::Attending, Input::Full(n)) if n == number => (turn.asked(), vec![close(true)]),

        (Stage::Idle, Input::Submit) => (next(Stage::Idle).asked(), vec![Effect::Ask(number + 1)]),
        (Stage::Thinking | Stage::Speaking, Input::Submit) => {
            (next(Stage::Idle).asked(), vec![Effect::Silence(number), Effect::Ask(number + 1)])
        }
        (Stage::Idle, Input::Next) if !waits => (next(Stage::Thinking), vec![Effect::AskNext(number + 1)]),

        (Stage::Idle, Input::Again) => (next(Stage::Thinking), vec![Effect::Again(number + 1)]),
        (Stage::Speaking, Input::Again) => {
            (next(Stage::Thinking), vec![Effect::Silence(number), Effect::Again(number + 1)])
        }
        (Stage::Idle, Input::Replay) => (next(Stage::Speaking), vec![Effect::Replay(number + 1)]),
        (Stage::Speaking, Input::Replay) => {
            (next(Stage::Speaking), vec![Effect::Silence(number), Effect::Replay(number + 1)])
        }

        (Stage::Opening { .. } | Stage::Listening { .. } | Stage::Attending, Input::Stop) => {
            (to(Stage::Idle), vec![close(false)])
        }
        (Stage::Thinking | Stage::Speaking, Input::Stop) => (to(Stage::Idle), vec![Effect::Silence(number)]),

        (
            Stage::Opening { .. } | Stage::Listening { .. } | Stage::Attending,
            Input::CaptureFailed(n) | Input::Failed(n),
        ) if n == number => (to(Stage::Idle), vec![close(false)]),
        (Stage::Thinking | Stage::Speaking, Input::CaptureFailed(n) | Input::Failed(n)) if n == number => {
            (to(Stage::Idle), vec![Effect::Silence(number)])
        }

        (Stage::Thinking, Input::SpeechStarted(n)) if n == number => (to(Stage::Speaking), vec![]),
        (Stage::Thinking | Stage::Speaking, Input::Written { number: n, spoken: false }) if n == number => {
            (to(Stage::Idle), vec![])
        }
        (Stage::Thinking | Stage::Speaking, Input::SpeechEnded(n)) if n == number => {
            (to(Stage::Idle), vec![])
        }

        _ => (turn, vec![]),
    }
}

/// Whether so little time is a tap, and no question.
fn is_short(since: Duration, at: Duration) -> bool {
    at.saturating_sub(since) < SHORTEST_HOLD
}

#[cfg(test)]
mod bursts;
#[cfg(test)]
mod tests;
