//! `colloquy models`: which larger models there are, and fetching, checking and removing them.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::import::ImportFormat;
use crate::models::{
    Entry, Kind, Options, Place, Presence, Progress, Stage, Switch, bytes, check, download, find_kind, models,
};
use crate::preferences::{Stored, write};

/// Options of `models`.
#[derive(Args, Debug)]
pub(crate) struct ModelsOptions {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand, Debug)]
enum Task {
    /// Show the models, what they can do, how large they are and whether they are here.
    List {
        /// Print one JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Fetch a model from the Hugging Face hub, or go on with one that was begun. Ctrl+C stops it; nothing that came is lost.
    Get(GetOptions),
    /// Read all files of a fetched model, and compare them with the hub's hashes, or those of a converted one with its own checksums.
    Check {
        /// Its name, or a part of it; with -FORMAT behind it for a converted one.
        name: String,
        /// Delete files that are not right, so that `get` fetches them again.
        #[arg(long)]
        mend: bool,
    },
    /// Delete a fetched model, or what has come of it. What other programs have fetched stays.
    Remove {
        /// Its name, or a part of it; with -FORMAT behind it for a converted one.
        name: String,
    },
}

#[derive(Args, Debug)]
struct GetOptions {
    /// Its name, or a part of it.
    name: String,
    /// Convert it to this format while it comes, as `import` would: its folder and name have -FORMAT behind them. Each file is dropped
    /// when it is converted, so that about the size of the result suffices on the disk.
    #[arg(long, value_name = "FORMAT")]
    format: Option<ImportFormat>,
    /// Accept the model's licence without being asked.
    #[arg(long)]
    accept_licence: bool,
    /// Branch, tag or commit of its repository.
    #[arg(long, value_name = "REVISION", default_value = "main")]
    revision: String,
    /// Requests at a time.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=16))]
    connections: u8,
    /// For tests: bytes of a piece.
    #[arg(long, value_name = "N", hide = true)]
    piece_bytes: Option<u64>,
    /// For tests: time without a byte after which a connection is given up, in ms.
    #[arg(long, value_name = "MS", hide = true)]
    stall_ms: Option<u64>,
    /// For tests: give files back while they are converted even where there is room.
    #[arg(long, hide = true)]
    give_back: bool,
}

/// Does what was asked.
///
/// # Errors
/// A sentence: what failed, and what to do.
pub(crate) fn run(options: &ModelsOptions) -> Result<()> {
    let place = Place::of_user()?;
    match &options.task {
        Task::List { json } => list(&place, *json),
        Task::Get(options) => get(&place, options),
        Task::Check { name, mend } => check_files(&place, find_kind(name)?, *mend),
        Task::Remove { name } => {
            let kind = find_kind(name)?;
            if kind.entry.repo.is_none() {
                bail!("{} is a part of the program", kind.entry.name);
            }
            place.remove(kind)?;
            say(&format!("{} is removed.", kind.name()))
        }
    }
}

fn say(line: &str) -> Result<()> {
    writeln!(std::io::stdout().lock(), "{line}").context("cannot write to the standard output")
}

fn list(place: &Place, is_json: bool) -> Result<()> {
    for entry in models() {
        let state = place.presence(Kind { entry, format: None });
        let converted: Vec<_> = Kind::all(entry)
            .filter(|kind| kind.format.is_some())
            .map(|kind| (kind, place.presence(kind)))
            .filter(|(_, state)| !matches!(state, Presence::Absent | Presence::Ships))
            .collect();
        if is_json {
            say(&object(entry, &state, &converted).to_string())?;
            continue;
        }
        say(&format!("{}: {}. {}", entry.name, entry.title, entry.about))?;
        say(&format!("    takes {}; gives {}", entry.takes.join(", "), entry.gives.join(" and ")))?;
        let formats = [("bf16", Some(entry.bytes.bf16)), ("q8_0", entry.bytes.q8_0), ("q4", entry.bytes.q4)];
        let formats =
            formats.iter().filter_map(|(name, size)| Some(format!("{} in {name}", bytes((*size)?))));
        say(&format!("    about {}; licence {}", formats.collect::<Vec<_>>().join(", "), entry.licence))?;
        say(&format!("    {}", told(&state)))?;
        for (kind, state) in &converted {
            say(&format!("    {} {}", kind.name(), told(state)))?;
        }
    }
    Ok(())
}

/// Whether a model is here, in words.
fn told(state: &Presence) -> String {
    match state {
        Presence::Ships => "ships with the program".into(),
        Presence::Here(folder) => format!("is here: {}", folder.display()),
        Presence::Cached(folder) => format!("is here, fetched by another program: {}", folder.display()),
        Presence::Partly { bytes: here, of } => format!("{} of {} are here", bytes(*here), bytes(*of)),
        Presence::Absent => "is not here".into(),
    }
}

/// A state's word, and its folder.
fn word(state: &Presence) -> (&'static str, Option<&PathBuf>) {
    match state {
        Presence::Ships => ("ships", None),
        Presence::Here(folder) => ("here", Some(folder)),
        Presence::Cached(folder) => ("cached", Some(folder)),
        Presence::Partly { .. } => ("partly", None),
        Presence::Absent => ("absent", None),
    }
}

fn object(entry: &Entry, state: &Presence, converted: &[(Kind, Presence)]) -> Value {
    let converted = converted.iter().map(|(kind, state)| {
        let (word, folder) = word(state);
        json!({"name": kind.name(), "state": word, "folder": folder})
    });
    let (word, folder) = word(state);
    json!({
        "name": entry.name,
        "title": entry.title,
        "repo": entry.repo,
        "licence": entry.licence,
        "takes": entry.takes,
        "gives": entry.gives,
        "bytes": {"bf16": entry.bytes.bf16, "q8_0": entry.bytes.q8_0, "q4": entry.bytes.q4},
        "state": word,
        "folder": folder,
        "converted": converted.collect::<Vec<_>>(),
    })
}

fn get(place: &Place, options: &GetOptions) -> Result<()> {
    let Kind { entry, format } = find_kind(&options.name)?;
    let kind = Kind { entry, format: options.format.map(ImportFormat::format).or(format) };
    match place.presence(kind) {
        Presence::Ships => {
            return say(&format!("{} ships with the program: nothing is to be fetched.", entry.name));
        }
        // What is left beside a converted one is taken away.
        state @ (Presence::Here(_) | Presence::Cached(_)) if kind.format.is_none() => {
            return say(&format!("{} {}", entry.name, told(&state)));
        }
        _ => {}
    }
    accept(entry, options.accept_licence)?;
    let default = Options::default();
    let wanted = Options {
        revision: options.revision.clone(),
        connections: options.connections.into(),
        piece_bytes: options.piece_bytes.map_or(default.piece_bytes, |bytes| bytes.max(1)),
        stall: options.stall_ms.map_or(default.stall, Duration::from_millis),
        gives_back: options.give_back,
    };
    let mut shown = Shown::default();
    let result = download(kind, place, &wanted, &Switch::default(), &mut |progress| shown.show(progress));
    shown.end();
    match result? {
        Some(folder) => say(&format!("{} is here: {}", kind.name(), folder.display())),
        None => Ok(()),
    }
}

/// Sees to it that the licence was accepted, and keeps that.
fn accept(entry: &Entry, is_accepted: bool) -> Result<()> {
    let stored = Stored::find();
    let mut preferences = stored.preferences;
    if preferences.licences.has(&entry.name) {
        return Ok(());
    }
    let page = entry.licence_page().unwrap_or_default();
    eprintln!("{} is under the licence {}: {page}", entry.title, entry.licence);
    if !is_accepted {
        if !std::io::stdin().is_terminal() {
            bail!("read the licence, and accept it with --accept-licence");
        }
        eprint!("About {} will be fetched. Do you accept the licence? [y/N] ", bytes(entry.bytes.bf16));
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer).context("cannot read the answer")?;
        if !matches!(answer.trim(), "y" | "Y" | "yes") {
            bail!("without its licence accepted, {} is not fetched", entry.name);
        }
    }
    preferences.licences.accept(&entry.name);
    // Broken settings were kept aside; without a place for them it is asked again the next time.
    stored.path.map_or(Ok(()), |path| write(&path, &preferences))
}

/// The line that says how far it is.
#[derive(Default)]
struct Shown {
    last: Option<Instant>,
    is_open: bool,
}

impl Shown {
    fn show(&mut self, progress: &Progress) {
        let is_terminal = std::io::stderr().is_terminal();
        let pause = if is_terminal { Duration::ZERO } else { Duration::from_secs(10) };
        if self.last.is_some_and(|last| last.elapsed() < pause) {
            return;
        }
        self.last = Some(Instant::now());
        let line = line(progress);
        if is_terminal {
            eprint!("\r\x1b[K{line}");
            self.is_open = true;
        } else {
            eprintln!("{line}");
        }
    }

    fn end(&self) {
        if self.is_open {
            eprintln!();
        }
    }
}

fn line(progress: &Progress) -> String {
    let Progress { bytes: here, of, rate, stage, .. } = *progress;
    let so_far = format!("{} of {}", bytes(here), bytes(of));
    match stage {
        Stage::Fetching => {}
        Stage::Checking => return format!("{so_far}; comparing hashes"),
        Stage::Converting => {
            return format!("{so_far}; converting, {:.0} % of everything done", progress.share() * 100.0);
        }
    }
    let left = progress.left().map_or_else(String::new, |left| format!("; {} left", span(left)));
    format!("{so_far}, {}/s{left}", bytes(rate as u64))
}

/// A span of time, for people.
fn span(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds @ 60..3600 => format!("{} min", seconds.div_ceil(60)),
        seconds => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

fn check_files(place: &Place, kind: Kind, mend: bool) -> Result<()> {
    let mut failure = Ok(());
    let findings = check(place, kind, mend, &mut |finding| {
        let told = say(&format!("{} {}", finding.path, finding.fault.unwrap_or("is right")));
        failure = std::mem::replace(&mut failure, Ok(())).and(told);
    })?;
    failure?;
    let (name, all) = (kind.name(), findings.len());
    let wrong = findings.iter().filter(|finding| finding.fault.is_some()).count();
    match (wrong, kind.format, mend) {
        (0, None, _) => say(&format!("{name} is as it was on the hub.")),
        (0, Some(_), _) => say(&format!("{name} is as it was converted.")),
        (wrong, Some(format), _) => bail!(
            "{wrong} of {all} files are not right: `colloquy models remove {name}` deletes them all, and `colloquy models get {} --format {}` \
             fetches and converts them again",
            kind.entry.name,
            format.name()
        ),
        (wrong, None, true) => {
            bail!("{wrong} of {all} files were not right: `colloquy models get {name}` fetches them again")
        }
        (wrong, None, false) => bail!(
            "{wrong} of {all} files are not right: `colloquy models check {name} --mend` deletes them, and `get` fetches them again"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_far_it_is_and_how_long_it_takes() {
        let mut progress =
            Progress { bytes: 10_000_000_000, of: 70_000_000_000, rate: 1e7, ..Progress::default() };
        assert_eq!(line(&progress), "10.0 GB of 70.0 GB, 10.0 MB/s; 1 h 40 min left");
        progress.rate = 0.0;
        assert_eq!(line(&progress), "10.0 GB of 70.0 GB, 0.0 kB/s");
        assert_eq!(
            (span(Duration::from_secs(61)), span(Duration::from_secs(9))),
            ("2 min".into(), "9 s".into())
        );
    }
}
