//! The window, used as a person would: a key held, a question played into the microphone, the answer heard and read.
//!
//! Needs a Linux machine with the tools that `desktop` names; without them the tests fail.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub, reason = "tests")]

mod barge_in;
mod conversation;
mod desktop;
mod devices;
mod drop;
mod everyday;
mod first_run;
mod hands_free;
mod loading;
mod sound;
mod words;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;
use std::thread::sleep;
use std::time::Duration;

use colloquy_tests::program::binary;
use desktop::{Desktop, wait_for, wait_for_log};
use image::{Rgb, RgbImage};

/// Colours of the dark theme.
const LISTENING: Rgb<u8> = Rgb([232, 142, 112]);
const TEXT: Rgb<u8> = Rgb([230, 228, 223]);

/// Two windows at once would make each other's speech stutter on a small machine.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// `colloquy ARGUMENTS` beside the window.
fn colloquy(desktop: &Desktop, arguments: &[&str]) -> Output {
    let mut command = desktop.command(binary());
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn model() -> PathBuf {
    root().join("assets/pocket")
}

/// Where pictures and recordings are kept to be looked at.
fn kept(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("window");
    std::fs::create_dir_all(&folder).unwrap();
    folder.join(name)
}

fn log_length(log: &Path) -> usize {
    std::fs::metadata(log).unwrap().len() as usize
}

fn is_near(pixel: &Rgb<u8>, color: Rgb<u8>) -> bool {
    pixel.0.iter().zip(color.0).all(|(a, b)| a.abs_diff(b) < 24)
}

/// Heights of the separate bands of rows in which `color` stands, from the top.
fn bands(picture: &RgbImage, color: Rgb<u8>) -> Vec<usize> {
    let has_color: Vec<bool> = picture.rows().map(|mut row| row.any(|pixel| is_near(pixel, color))).collect();
    has_color.chunk_by(|a, b| a == b).filter(|band| band[0]).map(<[bool]>::len).collect()
}

#[test]
fn a_spoken_question_is_answered_aloud_as_talk_answers_it() {
    let _turn = ONE_AT_A_TIME.lock();
    let desktop = Desktop::start("talk", true);
    let (log, records) = (kept("talk.log"), desktop.path("records"));
    let model = model();
    let options = [OsStr::new("--greedy"), OsStr::new("--seed"), OsStr::new("1")];
    let mut arguments =
        vec![OsStr::new("--model"), model.as_os_str(), OsStr::new("--record-dir"), records.as_os_str()];
    arguments.extend(options);
    let mut colloquy = desktop.start_colloquy(binary(), &arguments, &log);

    // Ask.
    let heard = kept("reply.f32");
    let recorder = desktop.record("speaker.monitor", &heard);
    desktop.run("xdotool", ["keydown", "space"]);
    wait_for_log(&log, "stage=Listening", 0, 10);
    let question = model.join("samples/03_question.wav");
    let mouth = desktop.spawn("paplay", [OsStr::new("-d"), OsStr::new("mouth"), question.as_os_str()]);
    // Meter, button and the state line's dot are of one colour; the meter is flat in silence and grows with the voice.
    wait_for("the meter to move", 3, || {
        let bands = bands(&desktop.screenshot(&kept("listening.png")), LISTENING);
        assert!(bands.iter().any(|height| *height > 40), "there is no talk button: {bands:?}");
        matches!(bands[..], [8..=30, 45..=60, ..])
    });
    assert!(mouth.wait());
    sleep(Duration::from_millis(200));
    desktop.run("xdotool", ["keyup", "space"]);

    // Hear and read the answer.
    wait_for_log(&log, "stage=Speaking", 0, 60);
    sleep(Duration::from_millis(300));
    let picture = desktop.screenshot(&kept("speaking.png"));
    let ink = picture
        .enumerate_pixels()
        .filter(|(x, y, pixel)| *x < 500 && (110..400).contains(y) && is_near(pixel, TEXT))
        .count();
    assert!(ink > 150, "the answer is not to be read: {ink} pixels of text");
    let ended = wait_for_log(&log, "speech ended", 0, 60);
    assert!(ended.contains("gaps=0"), "the speech was interrupted: {ended}");
    wait_for_log(&log, "stage=Idle", log_length(&log) / 2, 10);
    sleep(Duration::from_millis(300));
    drop(recorder);
    assert!(colloquy.is_alive());
    let answer = wait_for_log(&log, "answer turn=1", 0, 1);

    // What `talk` says to the same question.
    let reply = kept("reply.wav");
    let output = Command::new(binary())
        .arg("talk")
        .arg("--model")
        .arg(&model)
        .arg("--messages")
        .arg(records.join("turn-001.messages.json"))
        .args(options)
        .args(["--json", "--out"])
        .arg(&reply)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = report["text"].as_str().unwrap();
    assert!(answer.contains(text) && text.contains("Paris"), "{answer} / {text}");
    let correlation = sound::correlation(&sound::wav(&reply), &sound::raw(&heard));
    assert!(correlation > 0.98, "what was heard is not what `talk` speaks: correlation {correlation:.4}");
    paris_is_heard(&sound::raw(&heard));

    the_answer_is_heard_again(&desktop, &log, &reply);
    a_press_while_it_speaks_silences_it(&desktop, &log);
    losing_the_sound_system_is_told_and_text_still_works(&desktop, &log);
    assert!(colloquy.is_alive());
}

/// The recorded answer says the city's name to a listener.
fn paris_is_heard(recorded: &[f32]) {
    let (city, next) = words::most_like(recorded, sound::RATE_HZ, &root().join("tests/data/speech"));
    assert_eq!(city, "paris", "the next one is {next:.2} times as unlike");
    let file = kept("recorded.wav");
    sound::write(&file, recorded.iter().copied());
    match words::recognised(&file) {
        Some(text) => assert!(text.contains("Paris"), "the recogniser heard: {text}"),
        None => println!("COLLOQUY_RECOGNISER names no recogniser: the answer was heard by likeness alone"),
    }
}

/// By the keyboard: from the text field over *Play question* and *Copy* to *Speak again*.
fn the_answer_is_heard_again(desktop: &Desktop, log: &Path, reply: &Path) {
    let before = log_length(log);
    let heard = kept("again.f32");
    let recorder = desktop.record("speaker.monitor", &heard);
    let field = ["mousemove", "--window", "%1", "420", "655", "click", "1"];
    desktop.run("xdotool", ["search", "--name", "^Colloquy$"].iter().chain(&field));
    for _ in 0..3 {
        sleep(Duration::from_millis(200));
        desktop.run("xdotool", ["key", "Tab"]);
    }
    sleep(Duration::from_millis(200));
    desktop.screenshot(&kept("again.png"));
    desktop.run("xdotool", ["key", "Return"]);
    wait_for_log(log, "stage=Speaking", before, 10);
    let ended = wait_for_log(log, "speech ended", before, 60);
    assert!(ended.contains("gaps=0"), "the speech was interrupted: {ended}");
    sleep(Duration::from_millis(300));
    drop(recorder);
    let correlation = sound::correlation(&sound::wav(reply), &sound::raw(&heard));
    assert!(correlation > 0.98, "what was heard again is not what was said: correlation {correlation:.4}");
}

fn a_press_while_it_speaks_silences_it(desktop: &Desktop, log: &Path) {
    let before = log_length(log);
    let heard = kept("interrupted.f32");
    let recorder = desktop.record("speaker.monitor", &heard);
    write(desktop, "count to ten");
    wait_for_log(log, "stage=Speaking", before, 60);
    sleep(Duration::from_millis(500));
    let before = log_length(log);
    desktop.run("xdotool", ["mousemove", "500", "300", "click", "1", "keydown", "space"]);
    let pressed = sound::raw(&heard).len();
    wait_for_log(log, "stage=Listening", before, 10);
    sleep(Duration::from_millis(900));
    drop(recorder);
    desktop.run("xdotool", ["keyup", "space"]);
    wait_for_log(log, "stage=Idle", before, 30);

    let samples = sound::raw(&heard);
    let grace = sound::RATE_HZ as usize * 3 / 10;
    assert!(sound::peak(&samples[..pressed]) > 0.01, "it did not speak before the press");
    let after = sound::peak(&samples[pressed + grace..]);
    assert!(after < 1e-3, "it still spoke 0.3 s after the press: {after}");
}

fn losing_the_sound_system_is_told_and_text_still_works(desktop: &Desktop, log: &Path) {
    let before = log_length(log);
    desktop.run("xdotool", ["mousemove", "500", "300", "click", "1", "keydown", "space"]);
    wait_for_log(log, "stage=Listening", before, 10);
    desktop.run("pactl", ["exit"]);
    // It is looked for again for a while before it is given up.
    let told = wait_for_log(log, "colloquy::state: The microphone", before, 20);
    assert!(told.contains("WARN"), "{told}");
    desktop.run("xdotool", ["keyup", "space"]);
    let before = log_length(log);
    write(desktop, "hello");
    wait_for_log(log, "answer turn=", before, 60);
    desktop.screenshot(&kept("lost.png"));
}

/// Plays the question about the capital of France into the microphone.
fn say_the_question(desktop: &Desktop) {
    let question = model().join("samples/03_question.wav");
    desktop.run("paplay", [OsStr::new("-d"), OsStr::new("mouth"), question.as_os_str()]);
    sleep(Duration::from_millis(200));
}

/// Types a question and sends it, as fast as a person would: after looking.
fn write(desktop: &Desktop, text: &str) {
    let look = Duration::from_millis(400);
    sleep(look);
    let field = ["mousemove", "--window", "%1", "420", "655", "click", "1"];
    desktop.run("xdotool", ["search", "--name", "^Colloquy$"].iter().chain(&field));
    sleep(look);
    desktop.run("xdotool", ["type", "--delay", "30", text]);
    sleep(look);
    desktop.run("xdotool", ["key", "Return"]);
}

#[test]
fn without_sound_devices_the_window_says_so_and_answers_in_text() {
    let _turn = ONE_AT_A_TIME.lock();
    let desktop = Desktop::start("mute", false);
    let log = kept("mute.log");
    let model = model();
    let mut colloquy = desktop.start_colloquy(binary(), &[OsStr::new("--model"), model.as_os_str()], &log);
    desktop.run("xdotool", ["keydown", "space"]);
    wait_for_log(&log, "There is no microphone", 0, 20);
    desktop.run("xdotool", ["keyup", "space"]);
    let before = log_length(&log);
    write(&desktop, "hello");
    wait_for_log(&log, "There is no speaker", before, 60);
    wait_for_log(&log, "answer turn=", before, 60);
    wait_for_log(&log, "stage=Idle", before, 10);
    desktop.screenshot(&kept("mute.png"));
    assert!(colloquy.is_alive());
}

/// A number that a line of the log holds.
fn figure(line: &str, name: &str) -> f64 {
    let at = line.find(&format!("{name}=")).unwrap_or_else(|| panic!("no {name} in {line}"));
    let digits = &line[at + name.len() + 1..];
    digits.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn frames_keep_coming_while_the_windows_own_device_answers() {
    let _turn = ONE_AT_A_TIME.lock();
    let desktop = Desktop::start("frames", false);
    let log = kept("frames.log");
    let model = model();
    let arguments = ["--device", "gpu", "--greedy", "--max-frames", "12", "--model"].map(OsStr::new);
    let arguments = [&arguments[..], &[model.as_os_str()]].concat();
    let mut colloquy = desktop.start_colloquy(binary(), &arguments, &log);
    // A software driver compiles what runs first on the queue that frames go through too.
    println!("{}", wait_for_log(&log, "pipelines have run", 0, 600));
    for _ in 0..3 {
        let before = log_length(&log);
        write(&desktop, "count to ten");
        wait_for_log(&log, "answer turn=", before, 240);
        let times = wait_for_log(&log, "frame times", before, 10);
        println!("{times}");
        // Far above what an idle machine takes, about 50 ms, and far below what a frame waits that comes after the whole answer.
        assert!(figure(&times, "p95_ms") < 500.0, "{times}");
    }
    assert!(colloquy.is_alive());
}

#[test]
fn a_lost_device_costs_one_answer_and_the_window_goes_on() {
    let _turn = ONE_AT_A_TIME.lock();
    let desktop = Desktop::start("lost", false);
    let log = kept("device-lost.log");
    let model = model();
    let arguments = ["--device", "gpu", "--greedy", "--no-speech", "--lose-device-after", "12", "--model"]
        .map(OsStr::new);
    let arguments = [&arguments[..], &[model.as_os_str()]].concat();
    let mut colloquy = desktop.start_colloquy(binary(), &arguments, &log);
    write(&desktop, "count to ten");
    wait_for_log(&log, "turn failed", 0, 120);
    wait_for_log(&log, "the window is opened again", 0, 30);
    let before = log_length(&log);
    let rebuilt = wait_for_log(&log, "model rebuilt", 0, 60);
    assert!(rebuilt.contains("llvmpipe") || !rebuilt.contains("cpu"), "{rebuilt}");
    desktop.run("xdotool", ["search", "--sync", "--name", "^Colloquy$", "windowactivate", "--sync"]);
    desktop.screenshot(&kept("device-lost.png"));
    write(&desktop, "seven plus eight");
    let answer = wait_for_log(&log, "answer turn=2", before, 120);
    assert!(answer.contains("Seven plus eight is fifteen."), "{answer}");
    assert!(colloquy.is_alive());
}
