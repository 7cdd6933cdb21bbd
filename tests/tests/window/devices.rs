//! Sound devices that come and go while the program uses them.

use std::process::Stdio;

use super::*;
use desktop::Process;

/// What `pactl` says.
fn pactl(desktop: &Desktop, arguments: &[&str]) -> String {
    let output = desktop.command("pactl").args(arguments).stdout(Stdio::piped()).output().unwrap();
    assert!(output.status.success(), "pactl {arguments:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// The number of the module that makes the device of this name.
fn module_of(desktop: &Desktop, name: &str) -> String {
    let modules = pactl(desktop, &["list", "short", "modules"]);
    let line = modules.lines().find(|line| line.contains(&format!("_name={name}")));
    let line = line.unwrap_or_else(|| panic!("no module makes {name}:\n{modules}"));
    line.split('\t').next().unwrap().to_owned()
}

/// Streams of the program: the test's own recorders are no matter.
fn streams(desktop: &Desktop, kind: &str) -> usize {
    pactl(desktop, &["list", kind]).matches("cpal-pulseaudio").count()
}

fn wait_for_no_streams(desktop: &Desktop) {
    wait_for("all streams to be closed", 5, || {
        streams(desktop, "source-outputs") + streams(desktop, "sink-inputs") == 0
    });
}

fn start(desktop: &Desktop, log: &Path) -> Process {
    let model = model();
    let arguments = ["--greedy", "--device", "cpu", "--model"].map(OsStr::new);
    desktop.start_colloquy(binary(), &[&arguments[..], &[model.as_os_str()]].concat(), log)
}

fn press(desktop: &Desktop, log: &Path) {
    let before = log_length(log);
    desktop.run("xdotool", ["mousemove", "500", "300", "click", "1", "keydown", "space"]);
    wait_for_log(log, "stage=Listening", before, 10);
}

/// A spoken question and its answer, which is heard at `sink`.
fn a_turn_works(desktop: &Desktop, log: &Path, sink: &str) {
    let before = log_length(log);
    let heard = kept("devices.f32");
    let recorder = desktop.record(&format!("{sink}.monitor"), &heard);
    press(desktop, log);
    assert_eq!(streams(desktop, "source-outputs"), 1);
    say_the_question(desktop);
    desktop.run("xdotool", ["keyup", "space"]);
    let answer = wait_for_log(log, "answer turn=", before, 60);
    assert!(answer.contains("Paris"), "{answer}");
    wait_for_log(log, "speech ended", before, 60);
    sleep(Duration::from_millis(200));
    drop(recorder);
    assert!(sound::peak(&sound::raw(&heard)) > 0.01, "the answer was not heard at {sink}");
    wait_for_no_streams(desktop);
}

#[test]
fn a_microphone_that_is_unplugged_while_it_records_loses_no_question() {
    let _turn = ONE_AT_A_TIME.lock();
    let desktop = Desktop::start("unplugged", true);
    let log = kept("unplugged.log");
    let mut colloquy = start(&desktop, &log);
    wait_for_no_streams(&desktop);

    // Another microphone is there: it goes on by itself, also with what is said after that.
    let second = ["load-module", "module-remap-source", "master=mouth.monitor", "source_name=second"];
    pactl(&desktop, &second);
    press(&desktop, &log);
    sleep(Duration::from_millis(400));
    pactl(&desktop, &["unload-module", &module_of(&desktop, "microphone")]);
    sleep(Duration::from_millis(1200));
    say_the_question(&desktop);
    let before = log_length(&log);
    desktop.run("xdotool", ["keyup", "space"]);
    let answer = wait_for_log(&log, "answer turn=", before, 60);
    assert!(answer.contains("Paris"), "{answer}");
    wait_for_log(&log, "speech ended", before, 60);
    wait_for_no_streams(&desktop);

    // The whole sound server ends after the question was said: it is asked all the same.
    press(&desktop, &log);
    say_the_question(&desktop);
    pactl(&desktop, &["exit"]);
    let before = log_length(&log);
    wait_for_log(&log, "The microphone went away", before, 15);
    desktop.screenshot(&kept("unplugged.png"));
    desktop.run("xdotool", ["keyup", "space"]);
    let answer = wait_for_log(&log, "answer turn=", before, 60);
    assert!(answer.contains("Paris"), "{answer}");
    wait_for_log(&log, "There is no speaker", before, 60);
    assert!(colloquy.is_alive());
}

#[test]
fn speech_goes_on_at_the_next_speaker_and_after_a_restart_of_the_sound_server() {
    let _turn = ONE_AT_A_TIME.lock();
    let mut desktop = Desktop::start("speakers", true);
    let log = kept("speakers.log");
    let mut colloquy = start(&desktop, &log);
    let other = "sink_name=other rate=44100 format=s16le channels=2";
    pactl(&desktop, &["load-module", "module-null-sink", other]);

    // The speaker goes away in the middle of the speech.
    let before = log_length(&log);
    write(&desktop, "count to ten");
    wait_for_log(&log, "stage=Speaking", before, 60);
    sleep(Duration::from_millis(300));
    assert_eq!(streams(&desktop, "sink-inputs"), 1);
    pactl(&desktop, &["unload-module", &module_of(&desktop, "speaker")]);
    // The sound server says which one is the next.
    let next = pactl(&desktop, &["get-default-sink"]);
    assert_ne!(next, "speaker");
    let heard = kept("next.f32");
    let recorder = desktop.record(&format!("{next}.monitor"), &heard);
    wait_for_log(&log, "speech ended", before, 60);
    drop(recorder);
    assert!(sound::peak(&sound::raw(&heard)) > 0.01, "the speech did not go on at {next}");

    // The default changes between turns.
    pactl(&desktop, &["load-module", "module-null-sink", "sink_name=third rate=96000"]);
    pactl(&desktop, &["set-default-sink", "third"]);
    a_turn_works(&desktop, &log, "third");

    // The server restarts between turns.
    desktop.restart_sound();
    a_turn_works(&desktop, &log, "speaker");

    // And in the middle of the speech, which goes on.
    let before = log_length(&log);
    write(&desktop, "count to ten");
    wait_for_log(&log, "stage=Speaking", before, 60);
    sleep(Duration::from_millis(300));
    desktop.restart_sound();
    let heard = kept("restarted.f32");
    let recorder = desktop.record("speaker.monitor", &heard);
    wait_for_log(&log, "The speaker went away", before, 15);
    desktop.screenshot(&kept("speaker-went-away.png"));
    wait_for_log(&log, "speech ended", before, 60);
    drop(recorder);
    assert!(sound::peak(&sound::raw(&heard)) > 0.01, "the speech did not go on after the restart");
    wait_for_no_streams(&desktop);
    assert!(colloquy.is_alive());
}

#[test]
fn the_chosen_speaker_is_used_and_a_chosen_microphone_that_is_gone_is_told() {
    let _turn = ONE_AT_A_TIME.lock();
    let desktop = Desktop::start("chosen", true);
    let log = kept("chosen.log");
    let settings = desktop.path(".config/colloquy/settings.toml");
    std::fs::create_dir_all(settings.parent().unwrap()).unwrap();
    let sound = "[sound]\nmicrophone = \"pulseaudio:gone\"\nspeaker = \"pulseaudio:other\"\nvolume = 100\n";
    std::fs::write(&settings, sound).unwrap();
    pactl(&desktop, &["load-module", "module-null-sink", "sink_name=other rate=48000"]);
    pactl(&desktop, &["set-default-sink", "speaker"]);
    let mut colloquy = start(&desktop, &log);
    a_turn_works(&desktop, &log, "other");
    a_turn_works(&desktop, &log, "other");
    let text = std::fs::read_to_string(&log).unwrap();
    assert_eq!(text.matches("The chosen microphone is not there").count(), 1, "{text}");

    // Looking at the devices opens none.
    desktop.run("xdotool", ["key", "ctrl+comma"]);
    sleep(Duration::from_millis(800));
    desktop.screenshot(&kept("settings-sound.png"));
    assert_eq!(streams(&desktop, "source-outputs") + streams(&desktop, "sink-inputs"), 0);
    assert!(colloquy.is_alive());
}

/// A machine that sleeps, as its devices see it.
#[test]
fn devices_that_stand_still_are_opened_once_more() {
    let _turn = ONE_AT_A_TIME.lock();
    let desktop = Desktop::start("sleep", true);
    let log = kept("sleep.log");
    let mut colloquy = start(&desktop, &log);

    // The speaker takes nothing in the middle of the speech, which goes on when it does again.
    let before = log_length(&log);
    write(&desktop, "count to ten");
    wait_for_log(&log, "stage=Speaking", before, 60);
    sleep(Duration::from_millis(300));
    pactl(&desktop, &["suspend-sink", "speaker", "1"]);
    wait_for_log(&log, "The speaker takes no sound", before, 20);
    pactl(&desktop, &["suspend-sink", "speaker", "0"]);
    wait_for_log(&log, "The speaker went away. It goes on with", before, 20);
    wait_for_log(&log, "speech ended", before, 60);

    // The microphone gives nothing from the start on.
    pactl(&desktop, &["suspend-source", "microphone", "1"]);
    let before = log_length(&log);
    desktop.run("xdotool", ["mousemove", "500", "300", "click", "1", "keydown", "space"]);
    wait_for_log(&log, "The microphone gives no sound", before, 20);
    pactl(&desktop, &["suspend-source", "microphone", "0"]);
    wait_for_log(&log, "stage=Listening", before, 20);
    say_the_question(&desktop);
    desktop.run("xdotool", ["keyup", "space"]);
    let answer = wait_for_log(&log, "answer turn=", before, 60);
    assert!(answer.contains("Paris"), "{answer}");
    wait_for_log(&log, "speech ended", before, 60);
    wait_for_no_streams(&desktop);

    // One that stays still is given up with a sentence.
    pactl(&desktop, &["suspend-source", "microphone", "1"]);
    let before = log_length(&log);
    desktop.run("xdotool", ["mousemove", "500", "300", "click", "1", "keydown", "space"]);
    let told = wait_for_log(&log, "colloquy::state: The microphone gives no sound", before, 30);
    assert!(told.contains("WARN"), "{told}");
    wait_for_log(&log, "stage=Idle", before, 10);
    desktop.run("xdotool", ["keyup", "space"]);
    assert!(colloquy.is_alive());
}
