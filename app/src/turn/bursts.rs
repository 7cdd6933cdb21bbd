//! Long bursts of everything that can come, against microphones and speakers that report late: never two turns at once,
//! never a stage without a way out.

use std::collections::BTreeSet;
use std::collections::btree_map::{BTreeMap, Entry};

use super::*;

/// Presses and the like come so often.
const EVERY: Duration = Duration::from_millis(10);
const STEPS: u32 = 10_000;
const SEEDS: u64 = 40;

/// Numbers that look random and come again with the same seed (xorshift64*).
struct Chance(u64);

impl Chance {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % n
    }
}

/// What a turn's effects did so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Life {
    Recording,
    Dropped,
    Asked,
    Silenced,
}

/// Everything outside the turn: what its effects did, and what will be reported when.
#[derive(Default)]
struct World {
    lives: BTreeMap<u64, Life>,
    reports: BTreeMap<(Duration, u32), Input>,
    counted: u32,
    /// The ear that is open or being opened.
    ear: Option<u64>,
}

impl World {
    fn later(&mut self, at: Duration, input: Input) {
        self.counted += 1;
        self.reports.insert((at, self.counted), input);
    }

    /// Does an effect, which must fit what was done before.
    fn act(&mut self, effect: Effect, now: Duration, chance: &mut Chance) {
        let mut soon = |least| now + Duration::from_millis(least + chance.below(200));
        let (number, from, to) = match effect {
            Effect::Listen(n) => (n, None, Life::Recording),
            // Sound that is played again reports as an answer that is written already.
            Effect::Ask(n) | Effect::AskNext(n) | Effect::Again(n) | Effect::Replay(n) => {
                (n, None, Life::Asked)
            }
            Effect::Close { number, keep: true } => (number, Some(Life::Recording), Life::Asked),
            Effect::Close { number, keep: false } => (number, Some(Life::Recording), Life::Dropped),
            Effect::Silence(n) => (n, Some(Life::Asked), Life::Silenced),
            Effect::HintUnheard => return,
            Effect::OpenEar(n) => {
                assert_eq!(self.ear.replace(n), None, "two ears at once");
                let (opened, failed) = (soon(0), soon(3000));
                self.later(opened, Input::EarOpened(n));
                if n % 5 == 4 {
                    self.later(failed, Input::EarFailed(n));
                }
                return;
            }
            Effect::CloseEar => {
                assert!(self.ear.take().is_some(), "there is no ear to close");
                return;
            }
        };
        let is_first = self.lives.keys().next_back().is_none_or(|last| number > *last);
        assert!(from.is_some() || is_first, "{effect:?} begins an old turn: {:?}", self.lives);
        assert_eq!(self.lives.get(&number).copied(), from, "{effect:?}");
        self.lives.insert(number, to);
        match to {
            Life::Recording if number % 7 == 3 => {
                let at = soon(0);
                self.later(at, Input::CaptureFailed(number));
            }
            Life::Recording => {
                let at = soon(0);
                self.later(at, Input::CaptureStarted(number));
            }
            Life::Asked => {
                let (spoken, sound, written) = (number % 3 != 0, soon(20), soon(30));
                self.later(written, Input::Written { number, spoken });
                if spoken {
                    self.later(sound, Input::SpeechStarted(number));
                    self.later(sound + Duration::from_millis(400), Input::SpeechEnded(number));
                }
                if number % 11 == 5 {
                    self.later(sound, Input::Failed(number));
                }
            }
            Life::Dropped | Life::Silenced => {}
        }
    }
}

/// A press or a voice, mostly; what the person can do at `now`.
fn wish(now: Duration, turn: Turn, chance: &mut Chance) -> Input {
    let ear = turn.ear.number();
    match chance.below(88) {
        0..=13 => Input::Press(now),
        14..=27 => Input::Release(now),
        28..=29 => Input::Start(now),
        30..=31 => Input::Finish(now),
        32..=33 => Input::Leave(now),
        34..=35 => Input::Submit,
        36..=37 => Input::Stop,
        38 => Input::Unloaded,
        39..=40 => Input::Again,
        41..=42 => Input::Replay,
        43..=47 => Input::HandsFree(true),
        48 => Input::HandsFree(false),
        49..=62 => Input::VoiceBegan { ear: ear - ear.min(chance.below(2)), interrupts: chance.below(3) > 0 },
        63..=76 => Input::VoiceEnded(ear - ear.min(chance.below(2))),
        77..=78 => Input::Full(turn.number),
        79..=80 => Input::Coming,
        81..=82 => Input::Freed,
        83..=84 => Input::Next,
        _ => Input::Loaded,
    }
}

#[test]
fn hammering_never_makes_two_turns_at_once() {
    let mut met = BTreeSet::new();
    for seed in 1..=SEEDS {
        let mut chance = Chance(seed);
        let mut world = World::default();
        let mut turn = Turn { number: 0, stage: Stage::Idle, ..Turn::FIRST };
        for i in 0..STEPS {
            let now = EVERY * i;
            let mut inputs = vec![];
            while let Some(report) = world.reports.first_entry().filter(|report| report.key().0 <= now) {
                inputs.push(report.remove());
            }
            // Sometimes nothing happens for a while, so that turns can also end by themselves.
            if i / 300 % 3 != 2 || i % 60 == 0 {
                inputs.push(wish(now, turn, &mut chance));
            }
            for input in inputs {
                let (after, effects) = step(turn, input);
                assert!(after.number >= turn.number && after.number <= turn.number + 1);
                turn = after;
                for effect in effects {
                    world.act(effect, now, &mut chance);
                }
                let recording = world.lives.iter().filter(|(_, life)| **life == Life::Recording);
                let recording: Vec<_> = recording.map(|(number, _)| *number).collect();
                let holds =
                    matches!(turn.stage, Stage::Opening { .. } | Stage::Listening { .. } | Stage::Attending);
                let expected: &[u64] = if holds { &[turn.number] } else { &[] };
                assert_eq!(recording, expected, "seed {seed}, step {i}, after {input:?}: {turn:?}");
                if matches!(turn.stage, Stage::Thinking | Stage::Speaking) {
                    assert_eq!(world.lives.get(&turn.number), Some(&Life::Asked), "seed {seed}, step {i}");
                }
                let ear = turn.ear.is_wanted().then(|| turn.ear.number());
                assert_eq!(world.ear, ear, "seed {seed}, step {i}, after {input:?}: {turn:?}");
                assert!(turn.stage != Stage::Attending || matches!(turn.ear, Ear::Open(_)));
                met.insert(kind(turn));
            }
            // Turns that are over stay as they are; a long list of them only costs time.
            while world.lives.len() > 8 {
                world.lives.pop_first();
            }
        }
        assert!(turn.number > 300, "seed {seed} made only {} turns", turn.number);
    }
    assert_eq!(met.len(), KINDS, "a stage was never met: {met:?}");
}

/// Kinds of stages: all but two of them with each kind of ear.
const KINDS: usize = 1 + 7 * 3 + 1;

/// A stage without its time, and an ear without its number.
fn kind(turn: Turn) -> (u8, bool, u8) {
    let (stage, locked) = match turn.stage {
        Stage::Absent => (0, false),
        Stage::Idle => (1, false),
        Stage::Opening { locked, .. } => (2, locked),
        Stage::Listening { locked, .. } => (3, locked),
        Stage::Thinking => (4, false),
        Stage::Speaking => (5, false),
        Stage::Attending => (6, false),
    };
    let ear = match turn.ear {
        Ear::Closed(_) => 0,
        Ear::Opening(_) => 1,
        Ear::Open(_) => 2,
    };
    (stage, locked, ear)
}

/// All that can come at `now` to a turn and an ear of these numbers.
fn everything(number: u64, ear: u64, now: Duration) -> Vec<Input> {
    let mut inputs = vec![Input::Loaded, Input::Unloaded, Input::Submit, Input::Stop];
    inputs.extend([Input::Coming, Input::Freed, Input::Next]);
    inputs.extend(
        [Input::Press, Input::Release, Input::Leave, Input::Start, Input::Finish].map(|key| key(now)),
    );
    for number in [number, number.saturating_sub(1)] {
        inputs.extend(
            [Input::CaptureStarted, Input::CaptureFailed, Input::SpeechStarted, Input::SpeechEnded]
                .map(|report| report(number)),
        );
        inputs.extend([Input::Failed(number), Input::Full(number)]);
        inputs.extend([false, true].map(|spoken| Input::Written { number, spoken }));
    }
    inputs.extend([false, true].map(Input::HandsFree));
    inputs.extend([false, true].map(|interrupts| Input::VoiceBegan { ear, interrupts }));
    inputs.extend([Input::EarOpened, Input::EarFailed, Input::VoiceEnded].map(|report| report(ear)));
    inputs
}

/// Turns that `from` leads to by inputs that `may` come, soon after or later.
fn reached(from: Turn, may: impl Fn(&Input) -> bool) -> BTreeMap<(u8, bool, u8), Turn> {
    let mut found = BTreeMap::from([(kind(from), from)]);
    let mut open = vec![from];
    while let Some(turn) = open.pop() {
        let since = match turn.stage {
            Stage::Opening { since, .. } | Stage::Listening { since, .. } => since,
            _ => Duration::from_secs(1),
        };
        for wait in [SHORTEST_HOLD / 2, SHORTEST_HOLD] {
            let inputs = everything(turn.number, turn.ear.number(), since + wait);
            for input in inputs.into_iter().filter(&may) {
                let after = step(turn, input).0;
                if let Entry::Vacant(place) = found.entry(kind(after)) {
                    place.insert(after);
                    open.push(after);
                }
            }
        }
    }
    found
}

#[test]
fn every_stage_leads_back_to_idle() {
    let all = reached(Turn { number: 7, ..Turn::FIRST }, |_| true);
    assert_eq!(all.len(), KINDS, "{all:?}");
    for turn in all.into_values() {
        let stopped = step(turn, Input::Stop).0;
        assert_eq!(stopped.stage, if turn.stage == Stage::Absent { turn.stage } else { Stage::Idle });
        assert!(!stopped.ear.is_wanted(), "{turn:?}");
        // Nor does it take Escape: keys and reports alone do it.
        let ways = reached(turn, |input| !matches!(input, Input::Stop | Input::Unloaded | Input::Coming));
        assert!(ways.values().any(|turn| turn.stage == Stage::Idle), "{turn:?} leads only to {ways:?}");
        // And in a conversation without keys, voice and reports do.
        let ways = reached(turn, |input| {
            use Input::*;
            !matches!(
                input,
                Stop | Unloaded
                    | Coming
                    | HandsFree(_)
                    | Press(_)
                    | Release(_)
                    | Leave(_)
                    | Finish(_)
                    | Full(_)
            )
        });
        let follows = matches!(turn.ear, Ear::Open(_)) && turn.stage == Stage::Attending;
        assert!(!follows || ways.contains_key(&(1, false, 2)), "{turn:?} leads only to {ways:?}");
    }
}
