//! A hands-free conversation: a voice begins a question, a pause asks it, a voice over the answer interrupts it. With speakers the
//! answer comes back into the microphone, and must neither interrupt itself nor be answered.

use std::process::Stdio;
use std::time::Instant;

use super::*;

/// Starts the window with these settings for talking.
fn talking(desktop: &Desktop, settings: &str, log: &Path) -> desktop::Process {
    let folder = desktop.path(".config/colloquy");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("settings.toml"), format!("[talking]\nhands_free = true\n{settings}"))
        .unwrap();
    let model = model();
    let arguments = ["--greedy", "--seed", "1", "--model"].map(OsStr::new);
    let window = desktop.start_colloquy(binary(), &[&arguments[..], &[model.as_os_str()]].concat(), log);
    wait_for_log(log, "ear=Open(", 0, 20);
    window
}

/// Says a question of the model's.
fn ask(desktop: &Desktop, number: u32) {
    let question = model().join(format!("samples/{number:02}_question.wav"));
    desktop.run("paplay", [OsStr::new("-d"), OsStr::new("mouth"), question.as_os_str()]);
}

/// Feeds what the speaker plays into the microphone.
fn echo(desktop: &Desktop, latency_ms: u32, volume: &str) {
    let latency = format!("latency_msec={latency_ms}");
    desktop
        .run("pactl", ["load-module", "module-loopback", "source=speaker.monitor", "sink=mouth", &latency]);
    let mut list = desktop.command("pactl");
    let list = list.args(["list", "short", "sink-inputs"]).stdout(Stdio::piped()).output().unwrap();
    let text = String::from_utf8_lossy(&list.stdout).into_owned();
    let input = text.split_whitespace().next().unwrap_or_else(|| panic!("no loopback: {text}"));
    desktop.run("pactl", ["set-sink-input-volume", input, volume]);
}

/// Stages that a log tells, each with its turn.
fn stages(log: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(log).unwrap();
    let stages =
        text.lines().filter_map(|line| line.split_once("stage turn=").map(|(_, rest)| rest.to_owned()));
    stages.collect()
}

#[test]
fn with_speakers_it_neither_interrupts_nor_answers_itself() {
    let _turn = ONE_AT_A_TIME.lock();
    for (latency_ms, volume, name) in [(20, "100%", "loud"), (150, "-6dB", "late")] {
        for cancels in [true, false] {
            let desktop = Desktop::start(&format!("echo-{name}"), true);
            echo(&desktop, latency_ms, volume);
            let log = kept(&format!("echo-{name}-{cancels}.log"));
            let mut window = talking(&desktop, &format!("cancel_echo = {cancels}\n"), &log);
            let heard = desktop.record("microphone", &kept(&format!("echo-{name}-{cancels}.f32")));
            ask(&desktop, 3);
            let answer = wait_for_log(&log, "answer turn=1", 0, 60);
            if cancels {
                wait_for_log(&log, "turn=1 stage=Idle", 0, 60);
                // Whatever it heard of itself would be a question by now.
                sleep(Duration::from_secs(3));
            } else {
                wait_for_log(&log, "turn=2 stage=Attending", 0, 60);
            }
            drop(heard);
            let stages = stages(&log);
            println!("{name} ({latency_ms} ms, {volume}), with the canceller: {cancels}: {stages:?}");
            assert!(window.is_alive());
            if cancels {
                assert!(answer.contains("Paris"), "{answer}");
                assert!(stages.iter().any(|stage| stage.starts_with("1 stage=Speaking")), "{stages:?}");
                let ended = wait_for_log(&log, "speech ended", 0, 1);
                assert!(ended.contains("turn=1"), "{ended}");
            }
            let goes_on = stages.iter().any(|stage| stage.starts_with("2 "));
            assert_ne!(goes_on, cancels, "{name}: {stages:?}");
        }
    }
}

#[test]
fn a_conversation_needs_no_key() {
    let _turn = ONE_AT_A_TIME.lock();
    let desktop = Desktop::start("conversation", true);
    let log = kept("conversation.log");
    let mut window = talking(&desktop, "", &log);

    // Noise alone is no question, and a voice amid noise is one.
    let noise = desktop.path("noise.wav");
    sound::write_noise(&noise, 30, 0.003);
    let noise = desktop.spawn("paplay", [OsStr::new("-d"), OsStr::new("mouth"), noise.as_os_str()]);
    sleep(Duration::from_secs(3));
    assert!(!std::fs::read_to_string(&log).unwrap().contains("turn=1"), "noise began a turn");
    desktop.screenshot(&kept("conversation-waiting.png"));
    let spoken = desktop.path("spoken.wav");
    desktop.run(
        "espeak-ng",
        [OsStr::new("-w"), spoken.as_os_str(), OsStr::new("What is the capital of France?")],
    );
    let mouth = desktop.spawn("paplay", [OsStr::new("-d"), OsStr::new("mouth"), spoken.as_os_str()]);
    wait_for_log(&log, "turn=1 stage=Attending", 0, 10);
    desktop.screenshot(&kept("conversation-listening.png"));
    assert!(mouth.wait());
    println!("{}", wait_for_log(&log, "answer turn=1", 0, 60));
    // In the quiet room it is seen that the answer comes from no speaker near the microphone.
    drop(noise);
    wait_for_log(&log, "turn=1 stage=Idle", 0, 60);

    // A voice over the answer interrupts it and is the next question.
    let before = log_length(&log);
    let heard = kept("conversation.f32");
    let recorder = desktop.record("speaker.monitor", &heard);
    write(&desktop, "count to ten");
    wait_for_log(&log, "turn=2 stage=Speaking", before, 60);
    sleep(Duration::from_millis(400));
    let question = model().join("samples/03_question.wav");
    let (begun, spoken) = (Instant::now(), sound::raw(&heard).len());
    let mouth = desktop.spawn("paplay", [OsStr::new("-d"), OsStr::new("mouth"), question.as_os_str()]);
    wait_for_log(&log, "turn=3 stage=Attending", before, 10);
    println!("interrupted {} ms after the player was started", begun.elapsed().as_millis());
    assert!(mouth.wait());
    let samples = sound::raw(&heard);
    let rest = &samples[spoken..];
    let last = rest.iter().rposition(|sample| sample.abs() > 1e-3).unwrap_or(0);
    println!("silent {} ms after it", last * 1000 / sound::RATE_HZ as usize);
    let answer = wait_for_log(&log, "answer turn=3", before, 60);
    assert!(answer.contains("Paris"), "{answer}");
    drop(recorder);
    wait_for_log(&log, "turn=3 stage=Idle", before, 60);

    // Escape closes the microphone: nobody is heard any more.
    desktop.run("xdotool", ["key", "Escape"]);
    wait_for_log(&log, "ear=Closed(", 0, 10);
    wait_for("the microphone to be closed", 10, || {
        let mut list = desktop.command("pactl");
        let list = list.args(["list", "source-outputs"]).stdout(Stdio::piped()).output().unwrap();
        !String::from_utf8_lossy(&list.stdout).to_lowercase().contains("colloquy")
    });
    ask(&desktop, 3);
    sleep(Duration::from_secs(2));
    assert!(!stages(&log).iter().any(|stage| stage.starts_with("4 ")), "{:?}", stages(&log));
    assert!(window.is_alive());
}
