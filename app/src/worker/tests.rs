use std::time::Instant;

use crossbeam_channel::unbounded;
use engine::{Audio, Ending, Role, Summary};

use super::*;
use crate::clips::Clip;

fn pocket() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/pocket")
}

/// A worker without devices and window, and the other ends of its channels.
struct Bench {
    jobs: Sender<Job>,
    hearing: Sender<Hearing>,
    speech: Receiver<Speech>,
    events: Receiver<Event>,
    live: Live,
}

impl Bench {
    fn start(folder: &Path) -> Bench {
        Bench::start_freeing(folder, None)
    }

    fn start_freeing(folder: &Path, free_after: Option<Duration>) -> Bench {
        let (reports, events) = unbounded();
        let (hearing_out, hearing) = bounded(64);
        let (speech, speech_in) = bounded(64);
        let live = Live::default();
        let start = Start {
            events: Events::new(reports, || {}),
            live: live.clone(),
            hearing,
            speech,
            options: Options { threads: 1, ..Options::default() },
            host: Host::default(),
            settings: Settings::default().greedy(),
            recorder: None,
            free_after,
            lose_device_after: None,
            load_after: None,
        };
        let jobs = super::start(start).unwrap();
        jobs.send(Job::Load(folder.to_path_buf())).unwrap();
        Bench { jobs, hearing: hearing_out, speech: speech_in, events, live }
    }

    /// Waits for an event that `pick` takes, and drops those before it.
    fn wait<T>(&self, mut pick: impl FnMut(Event) -> Option<T>) -> T {
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            let event = self.events.recv_deadline(end).expect("the worker says nothing more");
            if let Some(found) = pick(event) {
                return found;
            }
        }
    }

    fn written(&self, wanted: u64) -> Summary {
        self.wait(|event| match event {
            Event::Written { turn, summary } if turn == wanted => Some(*summary),
            Event::Failed { message, .. } | Event::LoadFailed(message) => panic!("{message}"),
            _ => None,
        })
    }

    fn ask(&self, turn: u64, text: &str) {
        self.live.set(turn);
        self.jobs.send(Job::Ask { turn, parts: vec![Part::Text(text.into())] }).unwrap();
    }

    /// Samples spoken for a turn up to its end.
    fn spoken(&self, wanted: u64) -> usize {
        let mut samples_in_all = 0;
        loop {
            match self.speech.recv_timeout(Duration::from_secs(60)).unwrap() {
                Speech::Block { turn, samples } if turn == wanted => samples_in_all += samples.len(),
                Speech::End { turn } if turn == wanted => return samples_in_all,
                _ => {}
            }
        }
    }
}

#[test]
fn all_speech_of_an_answer_is_handed_on() {
    let bench = Bench::start(&pocket());
    bench.ask(1, "what is the capital of France");
    let summary = bench.written(1);
    assert_eq!(summary.text, "The capital of France is Paris.");
    assert!(summary.samples > 0);
    assert_eq!(bench.spoken(1), summary.samples);
}

#[test]
fn a_turn_that_is_over_stops_and_the_next_one_is_answered_whole() {
    let bench = Bench::start(&pocket());
    bench.ask(1, "count to ten");
    bench.wait(|event| matches!(event, Event::Text { turn: 1, .. }).then_some(()));
    bench.ask(2, "seven plus eight");
    assert_eq!(bench.written(1).ending, Ending::Cancelled);
    assert_eq!(bench.written(2).text, "Seven plus eight is fifteen.");
}

#[test]
fn a_question_heard_in_blocks_is_answered() {
    let bench = Bench::start(&pocket());
    let clip = Audio::open(&pocket().join("samples/03_question.wav")).unwrap();
    bench.live.set(1);
    bench.jobs.send(Job::Begin { turn: 1, parts: vec![] }).unwrap();
    for block in clip.samples.chunks(320) {
        bench.hearing.send(Hearing::Block { turn: 1, samples: block.to_vec() }).unwrap();
    }
    bench.hearing.send(Hearing::End { turn: 1, keep: true }).unwrap();
    assert_eq!(bench.written(1).text, "The capital of France is Paris.");
}

#[test]
fn sound_of_a_dropped_question_does_not_leak_into_the_next() {
    let bench = Bench::start(&pocket());
    let clip = Audio::open(&pocket().join("samples/03_question.wav")).unwrap();
    let (first, rest) = clip.samples.split_at(8000);
    bench.live.set(1);
    bench.jobs.send(Job::Begin { turn: 1, parts: vec![] }).unwrap();
    bench.hearing.send(Hearing::Block { turn: 1, samples: first.to_vec() }).unwrap();
    // The key went up too soon, and the sound that was on its way comes late.
    bench.hearing.send(Hearing::End { turn: 1, keep: false }).unwrap();
    bench.hearing.send(Hearing::Block { turn: 1, samples: rest.to_vec() }).unwrap();
    bench.ask(2, "seven plus eight");
    assert_eq!(bench.written(2).text, "Seven plus eight is fifteen.");
}

#[test]
fn a_folder_that_is_no_model_is_told_and_another_can_be_loaded() {
    let bench = Bench::start(Path::new("no/such/model"));
    let message = bench.wait(|event| match event {
        Event::LoadFailed(message) => Some(message),
        _ => None,
    });
    assert!(message.contains("no/such/model"), "{message}");
    bench.jobs.send(Job::Load(pocket())).unwrap();
    bench.wait(|event| matches!(event, Event::Loaded(..)).then_some(()));
}

#[test]
fn a_picture_that_is_gone_fails_its_turn_alone() {
    let bench = Bench::start(&pocket());
    bench.live.set(1);
    bench.jobs.send(Job::Ask { turn: 1, parts: vec![Part::Image("gone.png".into())] }).unwrap();
    let message = bench.wait(|event| match event {
        Event::Failed { turn: 1, message } => Some(message),
        _ => None,
    });
    assert!(message.contains("gone.png") && message.ends_with('.'), "{message}");
    bench.ask(2, "seven plus eight");
    assert_eq!(bench.written(2).text, "Seven plus eight is fifteen.");
}

#[test]
fn a_voice_that_the_model_does_not_have_does_not_keep_it_from_being_loaded() {
    let bench = Bench::start(&pocket());
    bench.wait(|event| matches!(event, Event::Loaded(..)).then_some(()));
    let settings = Settings { voice: Some("Nobody".into()), ..Settings::default().greedy() };
    bench.jobs.send(Job::Settings(Box::new(settings))).unwrap();
    bench.jobs.send(Job::Options(Box::new(Options { threads: 2, ..Options::default() }))).unwrap();
    bench.jobs.send(Job::Load(pocket())).unwrap();
    let device = bench.wait(|event| match event {
        Event::Loaded(info, _) => Some(info.device),
        Event::LoadFailed(message) => panic!("{message}"),
        _ => None,
    });
    assert!(device.contains('2'), "the options of the second load hold: {device}");
    bench.ask(1, "seven plus eight");
    assert_eq!(bench.written(1).text, "Seven plus eight is fifteen.");
}

#[test]
fn a_kept_conversation_is_taken_up_as_if_it_had_never_ended() {
    let bench = Bench::start(&pocket());
    bench.ask(1, "seven plus eight");
    let first = bench.written(1).text;
    bench.ask(2, "say that again");
    let second = bench.written(2);

    let turn = |role, text: &str| prompt::Turn::new(role, vec![Part::Text(text.into())]);
    let mut kept = vec![turn(Role::User, "seven plus eight"), turn(Role::Assistant, &first)];
    kept[0].parts.insert(0, Part::Image("gone.png".into()));
    bench.jobs.send(Job::Resume(kept)).unwrap();
    bench.ask(3, "say that again");
    let resumed = bench.written(3);
    assert_eq!(resumed.text, second.text);
    // The answer tells whether the earlier turn was read: without it, it is another.
    bench.jobs.send(Job::Reset).unwrap();
    bench.ask(4, "say that again");
    assert_ne!(bench.written(4).text, second.text);
}

#[test]
fn the_last_answer_is_given_anew_and_leaves_no_trace() {
    let bench = Bench::start(&pocket());
    bench.ask(1, "seven plus eight");
    let first = bench.written(1);
    bench.live.set(2);
    bench.jobs.send(Job::Again { turn: 2 }).unwrap();
    assert_eq!(bench.written(2).text, first.text);
    bench.jobs.send(Job::Reset).unwrap();
    bench.live.set(3);
    bench.jobs.send(Job::Again { turn: 3 }).unwrap();
    let message = bench.wait(|event| match event {
        Event::Failed { turn: 3, message } => Some(message),
        _ => None,
    });
    assert!(message.starts_with("There is no answer to give anew"), "{message}");
    bench.ask(4, "seven plus eight");
    assert_eq!(bench.written(4).text, first.text);
}

#[test]
fn memory_that_was_given_back_costs_no_word_of_the_conversation() {
    let bench = Bench::start_freeing(&pocket(), Some(Duration::from_millis(200)));
    let freed = |event| matches!(event, Event::Freed).then_some(());
    let ask = |turn, text: &str| {
        bench.live.set(turn);
        let parts = vec![Part::Text(text.into())];
        bench.jobs.send(Job::Ask { turn, parts }).unwrap();
        bench.speech.try_iter().for_each(drop);
        bench.written(turn).text
    };
    let silent = Settings { speech: false, ..Settings::default().greedy() };
    bench.jobs.send(Job::Settings(Box::new(silent))).unwrap();
    bench.wait(freed);
    let answer = ask(1, "seven plus eight");
    assert_eq!(answer, "Seven plus eight is fifteen.");
    bench.wait(freed);
    bench.jobs.send(Job::FreeAfter(None)).unwrap();
    bench.live.set(2);
    bench.jobs.send(Job::Again { turn: 2 }).unwrap();
    bench.wait(|event| matches!(event, Event::Waking).then_some(()));
    bench.wait(|event| matches!(event, Event::Rebuilt(_)).then_some(()));
    assert_eq!(bench.written(2).text, answer, "the question is not forgotten");
}

#[test]
fn a_recording_that_waited_is_answered_as_if_it_were_spoken_now() {
    let bench = Bench::start(&pocket());
    let clip = Audio::open(&pocket().join("samples/03_question.wav")).unwrap();
    let clip = Clip { rate_hz: Audio::SAMPLE_RATE_HZ, samples: clip.samples };
    bench.live.set(1);
    bench.jobs.send(Job::Ask { turn: 1, parts: vec![Part::Sound(clip.into())] }).unwrap();
    assert_eq!(bench.written(1).text, "The capital of France is Paris.");
}

#[test]
fn a_model_that_is_woken_is_there_before_the_question() {
    let bench = Bench::start_freeing(&pocket(), Some(Duration::from_millis(200)));
    bench.wait(|event| matches!(event, Event::Freed).then_some(()));
    bench.jobs.send(Job::FreeAfter(None)).unwrap();
    // A second wish does nothing.
    bench.jobs.send(Job::Wake).unwrap();
    bench.jobs.send(Job::Wake).unwrap();
    bench.wait(|event| matches!(event, Event::Rebuilt(_)).then_some(()));
    bench.ask(1, "seven plus eight");
    assert_eq!(bench.written(1).text, "Seven plus eight is fifteen.");
    assert!(!bench.events.try_iter().any(|event| matches!(event, Event::Waking)));
}
