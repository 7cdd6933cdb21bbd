//! The program on a desktop with a tray, notices and a portal, all of which this test plays.
//!
//! Needs the tools that `desktop` names, and `dbus-daemon`; without them the tests fail.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub, reason = "tests")]

mod bus;
#[path = "../../../tests/tests/window/desktop.rs"]
#[allow(dead_code, reason = "the window's tests use more of it")]
mod desktop;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Mutex;
use std::thread::sleep;
use std::time::Duration;

use bus::Bus;
use desktop::{Desktop, Process, wait_for, wait_for_log};

/// Two windows at once would wait for each other on a small machine.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// The window's name, for `xdotool`.
const SEARCH: [&str; 3] = ["search", "--name", "^Colloquy$"];

fn kept(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("desktop");
    std::fs::create_dir_all(&folder).unwrap();
    folder.join(name)
}

/// Writes the settings' file.
fn settle(desktop: &Desktop, settings: &str) {
    let folder = desktop.path(".config/colloquy");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("settings.toml"), settings).unwrap();
}

/// Starts the window; it is returned when there is a model.
fn start(desktop: &Desktop, bus: &Bus, arguments: &[&str], log: &Path) -> Process {
    start_in(desktop, bus, false, arguments, log)
}

/// As `start`; a guarded one is kept from the desktop, so that it has to ask.
fn start_in(desktop: &Desktop, bus: &Bus, is_guarded: bool, arguments: &[&str], log: &Path) -> Process {
    let pocket = Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/pocket");
    let mut command = desktop.command(env!("CARGO_BIN_EXE_colloquy"));
    command.args(["--greedy", "--model"]).arg(pocket).args(arguments);
    command.env("DBUS_SESSION_BUS_ADDRESS", &bus.address).env("LANG", "C");
    command.env_remove("SNAP").env("FLATPAK_ID", if is_guarded { "org.example.Colloquy" } else { "" });
    let process = Process::of(command.stderr(File::create(log).unwrap()));
    wait_for_log(log, "model waits=false", 0, 120);
    process
}

fn is_visible(desktop: &Desktop) -> bool {
    let mut search = desktop.command("xdotool");
    search.args(["search", "--onlyvisible", "--name", "^Colloquy$"]).status().unwrap().success()
}

fn xdotool(desktop: &Desktop, arguments: &[&str]) {
    desktop.run("xdotool", SEARCH.iter().chain(arguments));
}

/// Says a word to the window.
fn remote(desktop: &Desktop, word: &str) {
    let mut command = desktop.command(env!("CARGO_BIN_EXE_colloquy"));
    let output = command.args(["remote", word]).stderr(Stdio::piped()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Closes the window by the window manager.
fn close(desktop: &Desktop) {
    xdotool(desktop, &["windowactivate", "--sync"]);
    desktop.run("xdotool", ["key", "alt+F4"]);
}

/// Types a question and sends it, as fast as a person would: after looking.
fn write(desktop: &Desktop, text: &str) {
    let look = Duration::from_millis(400);
    sleep(look);
    xdotool(desktop, &["windowactivate", "--sync"]);
    xdotool(desktop, &["mousemove", "--window", "%1", "420", "655", "click", "1"]);
    sleep(look);
    desktop.run("xdotool", ["type", "--delay", "30", text]);
    sleep(look);
    desktop.run("xdotool", ["key", "Return"]);
}

#[test]
fn a_hidden_window_lives_in_the_tray_and_tells_of_its_answers() {
    let _turn = ONE_AT_A_TIME.lock();
    let desktop = Desktop::start("tray", true);
    let bus = Bus::start(&desktop.path("bus"));
    let (tray, notices) = (bus.tray(), bus.notices());
    settle(&desktop, "[desktop]\nclose_to_tray = true\n");
    let log = kept("tray.log");
    let mut window = start(&desktop, &bus, &["--hidden"], &log);
    wait_for_log(&log, "an icon stands in the tray", 0, 10);
    wait_for("the window to be hidden", 10, || !is_visible(&desktop));
    let labels = ["Talk", "Stop", "Show window", "Quit"];
    wait_for("the menu", 10, || tray.labels() == labels);
    assert_eq!(tray.title(), "Colloquy");

    // Shown, closed, shown again.
    tray.click("Show window");
    wait_for("the window", 10, || is_visible(&desktop));
    wait_for("the menu to follow", 10, || tray.labels()[2] == "Hide window");
    close(&desktop);
    wait_for("the window to be hidden", 10, || !is_visible(&desktop));
    assert!(window.is_alive());
    tray.activate();
    wait_for("the window", 10, || is_visible(&desktop));

    // What is answered under the person's eyes is not told; what is answered unseen is.
    write(&desktop, "seven plus eight");
    wait_for_log(&log, "answer turn=1", 0, 60);
    wait_for_log(&log, "turn=1 stage=Idle", 0, 10);
    assert_eq!(notices.shown(), [""; 0]);
    remote(&desktop, "new");
    write(&desktop, "count to ten");
    wait_for_log(&log, "turn=2 stage=Speaking", 0, 60);
    wait_for("the title to follow", 10, || tray.title() == "Colloquy: speaking");
    tray.click("Hide window");
    wait_for("the notice", 60, || notices.shown().len() == 1);
    let answer = wait_for_log(&log, "answer turn=2", 0, 1);
    assert!(answer.contains(&notices.shown()[0]), "{answer} {:?}", notices.shown());
    assert!(!is_visible(&desktop));
    notices.click();
    wait_for("the window", 10, || is_visible(&desktop));
    desktop.screenshot(&kept("tray.png"));

    tray.click("Hide window");
    wait_for("the window to be hidden", 10, || !is_visible(&desktop));
    tray.click("Quit");
    assert!(window.wait(), "it did not end well");
    assert!(!desktop.path("colloquy.sock").exists(), "the socket is left behind");
}

#[test]
fn without_a_tray_a_hidden_start_is_a_small_window_and_closing_quits() {
    let _turn = ONE_AT_A_TIME.lock();
    let desktop = Desktop::start("no-tray", false);
    let bus = Bus::start(&desktop.path("bus"));
    settle(&desktop, "[desktop]\nclose_to_tray = true\nstart_hidden = true\n");
    let log = kept("no-tray.log");
    let window = start(&desktop, &bus, &["--no-speech"], &log);
    wait_for_log(&log, "there is no tray", 0, 10);
    let log_length = std::fs::read(&log).unwrap().len();
    wait_for("the window to be small", 10, || !is_visible(&desktop));
    // The window manager knows it.
    xdotool(&desktop, &["windowactivate"]);
    wait_for("the window", 10, || is_visible(&desktop));
    write(&desktop, "hello");
    wait_for_log(&log, "answer turn=1", 0, 60);

    // A tray comes, the window is hidden in it, and the tray goes: the window can still be found.
    let tray = bus.tray();
    wait_for("the icon", 10, || tray.has_icon());
    tray.click("Hide window");
    wait_for("the window to be hidden", 10, || !is_visible(&desktop));
    wait_for("the menu to follow", 10, || tray.labels()[2] == "Show window");
    tray.leave();
    wait_for_log(&log, "there is no tray", log_length, 10);
    sleep(Duration::from_millis(500));
    xdotool(&desktop, &["windowactivate"]);
    wait_for("the window", 10, || is_visible(&desktop));
    close(&desktop);
    assert!(window.wait(), "it did not end well");
}

#[test]
fn a_program_that_may_take_no_key_asks_the_portal_for_one() {
    let _turn = ONE_AT_A_TIME.lock();
    let desktop = Desktop::start("portal", true);
    let bus = Bus::start(&desktop.path("bus"));
    settle(&desktop, "[keys]\ntalk_anywhere = \"Ctrl+Alt+T\"\n");
    let portal = bus.portal();
    let log = kept("portal.log");
    let mut window = start_in(&desktop, &bus, true, &[], &log);
    wait_for_log(&log, "the desktop watches for the talk key", 0, 20);
    assert_eq!(portal.bound(), ["talk CTRL+ALT+t"]);
    // Held, and let go.
    portal.signal("Activated");
    wait_for_log(&log, "turn=1 stage=Listening", 0, 20);
    sleep(Duration::from_millis(500));
    portal.signal("Deactivated");
    wait_for_log(&log, "turn=1 stage=Thinking", 0, 20);
    wait_for_log(&log, "turn=1 stage=Idle", 0, 60);
    // Tapped: both signals come at once, in their order.
    portal.signal("Activated");
    portal.signal("Deactivated");
    wait_for_log(&log, "turn=2 stage=Listening { since:", 0, 20);
    wait_for_log(&log, "locked: true", 0, 20);
    assert!(window.is_alive());
}

#[test]
fn without_a_portal_it_says_how_to_bind_a_key() {
    let _turn = ONE_AT_A_TIME.lock();
    let desktop = Desktop::start("no-portal", false);
    let bus = Bus::start(&desktop.path("bus"));
    let log = kept("no-portal.log");
    let mut window = start_in(&desktop, &bus, true, &["--talk-key", "F9"], &log);
    let told = wait_for_log(&log, "The desktop gives no key", 0, 20);
    assert!(told.contains("colloquy remote toggle"), "{told}");
    assert!(window.is_alive());
}

#[test]
fn keys_that_were_chosen_do_what_they_are_for() {
    let _turn = ONE_AT_A_TIME.lock();
    let desktop = Desktop::start("keys", true);
    let bus = Bus::start(&desktop.path("bus"));
    settle(&desktop, "[keys]\ntalk = \"F5\"\n");
    let log = kept("keys.log");
    let _window = start(&desktop, &bus, &[], &log);
    xdotool(&desktop, &["windowactivate", "--sync"]);
    desktop.run("xdotool", ["keydown", "F5"]);
    wait_for_log(&log, "turn=1 stage=Listening", 0, 20);
    desktop.run("xdotool", ["keyup", "F5", "key", "Escape"]);
    wait_for_log(&log, "turn=1 stage=Idle", 0, 20);
    desktop.run("xdotool", ["key", "ctrl+comma"]);
    sleep(Duration::from_millis(500));
    desktop.screenshot(&kept("settings.png"));
}
