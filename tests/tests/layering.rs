//! Holds the architecture: which part of the engine and of the program may name which, and how long files may be.
//!
//! Code under `#[cfg(test)]` may name what it likes: a kernel's tests run it through the executor.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops at the first thing that is not as it should be"
)]

#[path = "layering/modules.rs"]
mod modules;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use modules::Crate;
use serde_json::Value;

/// The engine's rooms from the ground up, each with the rooms it may name. All of them stand above it in this list.
const FLOORS: &[(&str, &[&str])] = &[
    ("error", &[]),
    ("quant", &[]),
    ("shape", &["quant"]),
    ("settings", &[]),
    ("event", &[]),
    ("cancel", &["error"]),
    ("files", &["error"]),
    ("audio", &["error"]),
    ("image", &["error", "audio"]),
    ("message", &["audio", "image"]),
    ("text", &["error", "files"]),
    ("recording", &["error", "shape"]),
    ("shader", &["error", "quant", "shape", "recording"]),
    ("memory", &["error", "shape", "recording"]),
    ("weights", &["error", "quant", "shape", "settings", "cancel", "files", "recording", "memory"]),
    ("kernels", &["error", "quant", "shape", "recording", "shader"]),
    ("layers", &["error", "shape", "recording", "memory", "weights", "kernels"]),
    (
        "model",
        &["error", "shape", "files", "audio", "image", "recording", "memory", "weights", "kernels", "layers"],
    ),
    (
        "executor",
        &[
            "error",
            "quant",
            "shape",
            "settings",
            "cancel",
            "files",
            "recording",
            "shader",
            "memory",
            "kernels",
        ],
    ),
    (
        "engine",
        &[
            "error",
            "settings",
            "cancel",
            "audio",
            "image",
            "message",
            "text",
            "recording",
            "memory",
            "weights",
            "model",
            "executor",
        ],
    ),
    ("fuzzing", &["error", "files", "text", "weights", "model"]),
    (
        "import",
        &[
            "error", "quant", "shape", "settings", "cancel", "files", "text", "memory", "weights", "model",
            "engine",
        ],
    ),
    (
        "session",
        &[
            "error",
            "shape",
            "settings",
            "event",
            "cancel",
            "audio",
            "image",
            "message",
            "text",
            "recording",
            "memory",
            "kernels",
            "layers",
            "model",
            "executor",
            "engine",
        ],
    ),
    (
        "verify",
        &[
            "error",
            "quant",
            "shape",
            "settings",
            "cancel",
            "files",
            "audio",
            "image",
            "message",
            "text",
            "recording",
            "memory",
            "weights",
            "kernels",
            "layers",
            "model",
            "executor",
            "engine",
            "session",
        ],
    ),
    (
        "bench",
        &[
            "error",
            "shape",
            "settings",
            "cancel",
            "files",
            "audio",
            "image",
            "message",
            "text",
            "recording",
            "shader",
            "memory",
            "weights",
            "kernels",
            "layers",
            "model",
            "executor",
            "engine",
            "session",
        ],
    ),
];

/// Names against the floors that stand all the same, each with its reason. One that is gone must leave this list.
const EXCEPTIONS: &[(&str, &str, &str)] = &[(
    "recording",
    "kernels::Kernel",
    "a command is plain data that says which kernel it calls, with its parameters",
)];

/// Crates of a window, of sound devices, of a command line and of a network, none of which the engine may need.
const NOT_IN_ENGINE: &[&str] = &[
    "anyhow",
    "clap",
    "cpal",
    "eframe",
    "egui",
    "egui_extras",
    "egui_kittest",
    "hyper",
    "reqwest",
    "rfd",
    "rodio",
    "rtrb",
    "tokio",
    "ureq",
    "winit",
];

/// Rooms of the program, the rooms they may not name, and why.
const APP_BANS: &[(&str, &[&str], &str)] = &[
    (
        "views",
        &["audio", "cli", "clips", "export", "keeper", "live", "record", "wav", "window", "worker"],
        "views read the state and send commands, no more",
    ),
    (
        "turn",
        &["audio", "cli", "record", "state", "views", "window", "worker"],
        "the key's logic is a pure function",
    ),
    ("state", &["export", "keeper", "views", "window", "worker"], "the state is plain data"),
    (
        "preferences",
        &["audio", "keeper", "state", "views", "window", "worker"],
        "what was chosen is plain data and a file",
    ),
    (
        "remote",
        &["audio", "cli", "event", "live", "record", "state", "turn", "views", "window", "worker"],
        "words of other programs become commands, no more",
    ),
    (
        "store",
        &["audio", "cli", "keeper", "state", "views", "window", "worker"],
        "what is kept is plain data and a file",
    ),
    ("clips", &["cli", "record", "state", "views", "window", "worker"], "kept sound is plain data"),
    (
        "export",
        &["audio", "cli", "live", "record", "turn", "views", "window", "worker"],
        "a conversation is written from plain data",
    ),
    (
        "logbook",
        &["audio", "cli", "event", "record", "state", "store", "turn", "views", "window", "worker"],
        "the log is lines of text",
    ),
    (
        "tray",
        &[
            "audio",
            "cli",
            "event",
            "preferences",
            "record",
            "state",
            "store",
            "turn",
            "views",
            "window",
            "worker",
        ],
        "the tray shows what it is told and sends commands",
    ),
    (
        "portal",
        &[
            "audio",
            "cli",
            "event",
            "preferences",
            "record",
            "state",
            "store",
            "turn",
            "views",
            "window",
            "worker",
        ],
        "the portal's key becomes commands",
    ),
    (
        "notices",
        &[
            "audio",
            "cli",
            "event",
            "preferences",
            "record",
            "state",
            "store",
            "turn",
            "views",
            "window",
            "worker",
        ],
        "a notice shows what it is told and sends commands",
    ),
    (
        "diagnosis",
        &[
            "audio", "clips", "event", "keeper", "record", "state", "store", "turn", "views", "window",
            "worker",
        ],
        "a report cannot tell what it never sees",
    ),
    (
        "models",
        &[
            "audio",
            "cli",
            "clips",
            "event",
            "export",
            "keeper",
            "live",
            "preferences",
            "record",
            "state",
            "store",
            "turn",
            "views",
            "window",
            "worker",
        ],
        "a model is fetched when it is asked for, by whoever asks",
    ),
    (
        "cli",
        &["audio", "keeper", "state", "views", "window", "worker"],
        "subcommands run without a window or a sound device",
    ),
    (
        "doctor",
        &[
            "cli", "clips", "event", "keeper", "live", "record", "state", "store", "turn", "views", "window",
            "worker",
        ],
        "what holds a machine back follows from facts alone",
    ),
    (
        "theme",
        &["audio", "cli", "command", "event", "keeper", "language", "store", "views", "window", "worker"],
        "the look is tokens, and the widgets' style made of them",
    ),
    (
        "language",
        &[
            "audio",
            "cli",
            "command",
            "event",
            "preferences",
            "state",
            "store",
            "theme",
            "views",
            "window",
            "worker",
        ],
        "texts depend on nothing",
    ),
    (
        "audio",
        &["cli", "export", "keeper", "record", "state", "store", "turn", "views", "window", "worker"],
        "the devices' thread does what it is told, and decides nothing",
    ),
];

/// Words of what reaches a network.
const NETWORK: &[&str] = &["TcpListener", "TcpStream", "UdpSocket", "rustls", "rustls_native_certs", "ureq"];

/// Most lines of a file of code.
const MOST_LINES: usize = 1000;
/// Half of the Rust files are shorter than this.
const MEDIAN_LINES: usize = 200;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn engine() -> Crate {
    Crate::read(&root().join("engine/src/lib.rs"))
}

fn app() -> Crate {
    Crate::read(&root().join("app/src/main.rs"))
}

fn rooms(read: &Crate) -> BTreeSet<&str> {
    read.modules.iter().filter_map(|module| module.path.first()).map(String::as_str).collect()
}

fn assert_none(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn a_room_of_the_engine_that_has_no_floor_is_refused() {
    let engine = engine();
    let listed: BTreeSet<_> = FLOORS.iter().map(|(room, _)| *room).collect();
    assert_eq!(rooms(&engine), listed, "left: modules of engine/src/lib.rs; right: FLOORS of this test");
}

#[test]
fn floors_that_go_round_in_a_circle_are_refused() {
    let mut below = BTreeSet::new();
    for (room, may_name) in FLOORS {
        for named in *may_name {
            assert!(
                below.contains(named),
                "{room} may name {named}, which does not stand above it in the list"
            );
        }
        below.insert(room);
    }
}

#[test]
fn a_room_of_the_engine_that_names_a_higher_one_is_refused() {
    let floors: BTreeMap<_, _> = FLOORS.iter().copied().collect();
    let engine = engine();
    let mut faults = vec![];
    let mut unused: BTreeSet<_> =
        EXCEPTIONS.iter().map(|(room, name, _)| (*room, (*name).to_owned())).collect();
    for (module, name) in engine.uses_between_rooms() {
        let room = module.path[0].as_str();
        let path = name.join("::");
        let allowed = floors.get(room).is_some_and(|may_name| may_name.contains(&name[0].as_str()));
        if allowed || EXCEPTIONS.iter().any(|(from, to, _)| *from == room && *to == path) {
            unused.remove(&(room, path));
        } else {
            faults.push(format!("{}: {room} may not name {path}", module.file.display()));
        }
    }
    faults.extend(
        unused.iter().map(|(room, path)| format!("{room} no longer names {path}: remove the exception")),
    );
    assert_none(&faults);
}

#[test]
fn a_word_of_the_window_or_of_the_graphics_library_in_the_engine_is_refused() {
    let mut faults = vec![];
    for module in &engine().modules {
        let gpu = module.path.starts_with(&["executor".to_owned(), "gpu".to_owned()]);
        let banned = NOT_IN_ENGINE.iter().chain((!gpu).then_some(&"wgpu"));
        for word in banned.filter(|word| module.words.contains(**word)) {
            faults.push(format!("{}: `{word}` does not belong here", module.file.display()));
        }
    }
    assert_none(&faults);
}

#[test]
fn a_part_of_the_engine_outside_its_facade_is_refused() {
    let lib = fs::read_to_string(root().join("engine/src/lib.rs")).unwrap();
    let open: Vec<_> =
        lib.lines().filter(|line| line.contains("pub mod") || line.contains("doc(hidden)")).collect();
    assert!(open.is_empty(), "the engine's modules are private, lib.rs exports single items: {open:?}");
}

#[test]
fn a_dependency_against_the_floors_is_refused() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1", "--manifest-path"])
        .arg(root().join("Cargo.toml"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let needs = |package: &str| -> BTreeSet<String> {
        let packages = metadata["packages"].as_array().unwrap();
        let found = packages.iter().find(|found| found["name"] == package).unwrap();
        let dependencies = found["dependencies"].as_array().unwrap();
        dependencies.iter().map(|dependency| dependency["name"].as_str().unwrap().to_owned()).collect()
    };
    let engine = needs("engine");
    let wrong: Vec<_> =
        NOT_IN_ENGINE.iter().chain(&["colloquy"]).filter(|name| engine.contains(**name)).collect();
    assert!(wrong.is_empty(), "engine/Cargo.toml may not need {wrong:?}");
    assert!(needs("colloquy").contains("engine"));
    assert!(!needs("colloquy").contains("colloquy-tests"));
}

#[test]
fn a_view_that_reaches_past_the_state_is_refused() {
    let app = app();
    let mut faults = vec![];
    for (room, banned, why) in APP_BANS {
        assert!(rooms(&app).contains(room), "app/src has no `{room}`: mend APP_BANS of this test");
        for (module, name) in app.uses_between_rooms().filter(|(module, _)| module.path[0] == *room) {
            if banned.contains(&name[0].as_str()) {
                let path = name.join("::");
                faults.push(format!("{}: {room} may not name {path}: {why}", module.file.display()));
            }
        }
    }
    for module in &app.modules {
        let room = module.path.first().map_or("main", String::as_str);
        if room == "views" && module.words.contains("engine") {
            faults.push(format!("{}: a view may not name the engine", module.file.display()));
        }
        if room != "window" && module.words.contains("wgpu") {
            faults.push(format!("{}: only the window may name wgpu", module.file.display()));
        }
        let is_hub = module.path == ["models", "hub"];
        for word in NETWORK.iter().filter(|word| !is_hub && module.words.contains(**word)) {
            let file = module.file.display();
            faults.push(format!("{file}: only models/hub.rs may reach a network, by `{word}` or otherwise"));
        }
    }
    assert_none(&faults);
}

/// Files of the project's own text: code, scripts and pages, without what is built and without test data.
fn sources() -> Vec<PathBuf> {
    let mut files = vec![];
    let tops = [".ci", "app", "assets", "engine", "packaging", "shaders", "tests"];
    let mut folders: Vec<_> =
        tops.iter().map(|top| root().join(top)).filter(|folder| folder.is_dir()).collect();
    folders.push(root());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && folder != root() && !matches!(name.as_str(), "data" | "target") {
                folders.push(path);
            } else if name == "run"
                || ["jinja", "md", "rs", "sh", "toml", "wgsl", "yml"].iter().any(|e| is(&path, e))
            {
                files.push(path);
            }
        }
    }
    files
}

fn is(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|found| found == extension)
}

#[test]
fn a_file_too_long_to_read_is_refused() {
    let mut rust = vec![];
    let mut faults = vec![];
    for file in sources() {
        let lines = fs::read_to_string(&file).unwrap().lines().count();
        if lines > MOST_LINES {
            faults.push(format!("{} has {lines} lines, more than {MOST_LINES}", file.display()));
        }
        if is(&file, "rs") {
            rust.push(lines);
        }
    }
    rust.sort_unstable();
    let median = rust[rust.len() / 2];
    if median >= MEDIAN_LINES {
        faults.push(format!("half of the {} Rust files have {median} lines or more", rust.len()));
    }
    assert_none(&faults);
}

#[test]
fn a_path_of_one_machine_is_refused() {
    let prefixes = ["work", "tmp", "home", "root"].map(|folder| format!("/{folder}/"));
    let mut faults = vec![];
    for file in sources() {
        let text = fs::read_to_string(&file).unwrap();
        for (number, line) in text.lines().enumerate() {
            for prefix in &prefixes {
                let from_root =
                    |at: usize| !line[..at].ends_with(|c: char| c.is_alphanumeric() || "._-}~*".contains(c));
                if line.match_indices(prefix.as_str()).any(|(at, _)| at == 0 || from_root(at)) {
                    faults.push(format!("{}:{}: {}", file.display(), number + 1, line.trim()));
                }
            }
        }
    }
    assert_none(&faults);
}
