//! What people do with the window day by day: a picture dropped and asked about, a typed question, a restart; and doing nothing.

use std::process::Stdio;
use std::time::Instant;

use super::drop::drop_files;
use super::*;

/// A red disc on white.
fn draw_disc(file: &Path) {
    let disc = RgbImage::from_fn(256, 256, |x, y| {
        let (x, y) = (f64::from(x) - 128.0, f64::from(y) - 128.0);
        if x.hypot(y) < 70.0 { Rgb([215, 40, 40]) } else { Rgb([255, 255, 255]) }
    });
    disc.save(file).unwrap();
}

/// Says `text` into the microphone.
fn say(desktop: &Desktop, text: &str) {
    let speech = desktop.path("said.wav");
    desktop.run(
        "espeak-ng",
        [OsStr::new("-v"), OsStr::new("en-us+f4"), OsStr::new("-w"), speech.as_os_str(), OsStr::new(text)],
    );
    desktop.run("paplay", [OsStr::new("-d"), OsStr::new("mouth"), speech.as_os_str()]);
}

#[test]
fn a_dropped_picture_is_asked_about_aloud_and_all_is_there_after_a_restart() {
    let _turn = ONE_AT_A_TIME.lock();
    let desktop = Desktop::start("everyday", true);
    let log = kept("everyday.log");
    let model = model();
    let arguments = ["--greedy", "--model"].map(OsStr::new);
    let arguments = [&arguments[..], &[model.as_os_str()]].concat();
    let mut window = desktop.start_colloquy(binary(), &arguments, &log);

    // A file that is neither picture nor sound, and a picture.
    let picture = desktop.path("disc.png");
    draw_disc(&picture);
    let other = desktop.path("list.txt");
    std::fs::write(&other, "milk").unwrap();
    drop_files(desktop.display(), "Colloquy", &[&other]);
    let told = wait_for_log(&log, "list.txt", 0, 10);
    assert!(told.contains("WARN"), "{told}");
    drop_files(desktop.display(), "Colloquy", &[&picture]);
    sleep(Duration::from_millis(800));
    desktop.screenshot(&kept("dropped.png"));

    desktop.run("xdotool", ["mousemove", "500", "300", "keydown", "space"]);
    wait_for_log(&log, "turn=1 stage=Listening", 0, 10);
    say(&desktop, "what colour is the circle");
    sleep(Duration::from_millis(200));
    desktop.run("xdotool", ["keyup", "space"]);
    let answer = wait_for_log(&log, "answer turn=1", 0, 60);
    assert!(answer.contains("The circle is red."), "{answer}");
    wait_for_log(&log, "speech ended turn=1", 0, 60);

    assert!(window.is_alive());

    // Closed, and opened again; another conversation.
    drop(window);
    let log = kept("everyday-typed.log");
    let window = desktop.start_colloquy(binary(), &arguments, &log);
    write(&desktop, "seven plus eight");
    let answer = wait_for_log(&log, "answer turn=1", 0, 60);
    assert!(answer.contains("Seven plus eight is fifteen."), "{answer}");
    wait_for_log(&log, "speech ended turn=1", 0, 60);

    // Once more: both are in the list, the newest on top; opened, it goes on where it was.
    drop(window);
    let log = kept("everyday-again.log");
    let mut window = desktop.start_colloquy(binary(), &arguments, &log);
    click(&desktop, "37", "29");
    desktop.screenshot(&kept("history.png"));
    click(&desktop, "100", "140");
    desktop.screenshot(&kept("recalled.png"));
    write(&desktop, "minus five");
    let answer = wait_for_log(&log, "answer turn=1", 0, 60);
    assert!(answer.contains("Fifteen minus five is ten."), "{answer}");
    assert!(window.is_alive());
}

/// Clicks a place of the window and lets it be drawn.
fn click(desktop: &Desktop, x: &str, y: &str) {
    let click = ["mousemove", "--window", "%1", x, y, "click", "1"];
    desktop.run("xdotool", ["search", "--name", "^Colloquy$"].iter().chain(&click));
    sleep(Duration::from_millis(800));
}

/// Ticks of processor time that a process has taken, a hundredth of a second each.
fn ticks(id: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
    let fields: Vec<_> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

/// Memory that a process has in place, in MiB.
fn resident_mib(id: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}

/// Streams that programs have open on the sound server.
fn streams(desktop: &Desktop, kind: &str) -> String {
    let mut command = desktop.command("pactl");
    let output = command.args(["list", "short", kind]).stdout(Stdio::piped()).output().unwrap();
    String::from_utf8_lossy(&output.stdout).lines().filter(|line| !line.contains("module-")).collect()
}

#[test]
fn a_window_that_nobody_uses_takes_no_processor_and_holds_no_microphone() {
    let _turn = ONE_AT_A_TIME.lock();
    let desktop = Desktop::start("idle", true);
    let log = kept("idle.log");
    let model = model();
    // The desktop's own, which may take a moment to be there.
    wait_for("the desktop's listener", 10, || !streams(&desktop, "source-outputs").is_empty());
    let others = streams(&desktop, "source-outputs");
    let window = desktop.start_colloquy(
        binary(),
        &["--greedy", "--model"].map(OsStr::new).into_iter().chain([model.as_os_str()]).collect::<Vec<_>>(),
        &log,
    );
    write(&desktop, "hello");
    wait_for_log(&log, "speech ended turn=1", 0, 60);
    desktop.run("xdotool", ["keydown", "space"]);
    desktop.run("xdotool", ["keyup", "space"]);
    sleep(Duration::from_secs(2));
    desktop.run("xdotool", ["key", "Escape"]);
    sleep(Duration::from_secs(3));

    assert_eq!(streams(&desktop, "source-outputs"), others, "a microphone is still open");
    assert_eq!(streams(&desktop, "sink-inputs"), "", "a speaker is still open");
    let (begun, before) = (Instant::now(), ticks(window.id()));
    sleep(Duration::from_secs(10));
    let share = (ticks(window.id()) - before) as f64 / (begun.elapsed().as_secs_f64() * 100.0);
    println!("idle: {:.2} % of a core", share * 100.0);
    assert!(share < 0.01, "idle, it takes {:.2} % of a core", share * 100.0);
}

/// So many turns; `COLLOQUY_TURNS=1000` is the long form, for `--release`: without it the window's library keeps the words of every
/// identifier, about 10 KB a turn.
fn turns() -> usize {
    std::env::var("COLLOQUY_TURNS").ok().and_then(|turns| turns.parse().ok()).unwrap_or(60)
}

#[test]
fn many_turns_take_no_more_memory_than_a_few() {
    let _turn = ONE_AT_A_TIME.lock();
    let desktop = Desktop::start("long", false);
    let log = kept("long.log");
    let model = model();
    let arguments = ["--greedy", "--no-speech", "--device", "cpu", "--model"].map(OsStr::new);
    let arguments = [&arguments[..], &[model.as_os_str()]].concat();
    let window = desktop.start_colloquy(binary(), &arguments, &log);
    let field = ["mousemove", "--window", "%1", "420", "655", "click", "1"];
    desktop.run("xdotool", ["search", "--name", "^Colloquy$"].iter().chain(&field));
    // Twenty turns to a conversation, as people have them; the first two conversations fill caches.
    let (a_conversation, warm) = (20, 40);
    let mut first = 0.0;
    for turn in 1..=warm + turns() {
        desktop.run("xdotool", ["type", "--delay", "5", "two plus two"]);
        desktop.run("xdotool", ["key", "Return"]);
        wait_for_log_turn(&log, turn);
        if turn % a_conversation == 0 {
            let said = colloquy(&desktop, &["remote", "new"]);
            assert!(said.status.success(), "{said:?}");
        }
        if turn == warm {
            first = resident_mib(window.id());
        }
    }
    let last = resident_mib(window.id());
    println!("{} turns: {first:.1} MiB, then {last:.1} MiB", turns());
    assert!(last < first * 1.02, "from {first:.1} to {last:.1} MiB");
}

/// Waits for a turn's answer; reads only the end of a long log.
fn wait_for_log_turn(log: &Path, turn: usize) {
    wait_for_log(log, &format!("answer turn={turn} "), log_length(log).saturating_sub(4096), 60);
    let idle = format!("turn={turn} stage=Idle");
    wait_for_log(log, &idle, log_length(log).saturating_sub(4096), 60);
}
