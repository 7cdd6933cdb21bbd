//! The report for a person: short, aligned, the worst first.

use std::fmt::Write;

use engine::{Adapter, AdapterKind, Speed};

use super::Report;
use super::facts::Facts;
use super::findings::{Severity, gib};
use super::forecast::{Fit, Forecast, Place};

/// Width of the names at the left.
const LEFT: usize = 12;

/// Longest line of what a finding says.
const WIDTH: usize = 100;

/// The whole report.
pub(crate) fn text(report: &Report) -> String {
    let mut text = String::new();
    machine(&mut text, &report.facts);
    findings(&mut text, report);
    forecast(&mut text, report);
    text
}

// Writing to a string cannot fail.
fn row(text: &mut String, name: &str, value: &str) {
    if !value.is_empty() {
        let _ = writeln!(text, "{name:LEFT$}{value}");
    }
}

fn machine(text: &mut String, facts: &Facts) {
    let system = &facts.system;
    row(text, "Machine", &system.product);
    row(text, "System", &join([&system.name, &prefixed("kernel ", &system.kernel)]));
    let container = if system.container { "inside a container" } else { "" };
    row(text, "", container);
    let sets = facts.instruction_sets.last().map_or("", String::as_str);
    row(text, "Processor", &join([&system.processor, &format!("{} threads", facts.threads), sets]));
    row(text, "", &facts.processor_speed.as_ref().map_or_else(String::new, rates));
    let memory = system.memory;
    if memory.total > 0 {
        let swap = if memory.swap_total > 0 { gib(memory.swap_total) } else { "no".into() };
        let told = format!("{}, {} available, {swap} swap", gib(memory.total), gib(memory.available));
        row(text, "Memory", &told);
    }
    for (index, adapter) in facts.adapters.iter().enumerate() {
        row(text, if index == 0 { "Graphics" } else { "" }, &adapter_line(adapter));
        if facts.graphics() == Some(adapter) {
            row(text, "", &graphics_memory(facts, adapter));
            row(text, "", &prefixed("without ", &adapter.missing.join(", ")));
            row(text, "", &facts.graphics_speed.as_ref().map_or_else(String::new, rates));
        }
    }
    let session = &facts.session;
    if let (Some(folder), Some(free)) = (&session.models, session.disk_free) {
        row(text, "Disk", &format!("{} free for {folder}", gib(free)));
    }
    let count = |count: usize, name: &str| format!("{count} {name}{}", if count == 1 { "" } else { "s" });
    row(
        text,
        "Sound",
        &join([&count(session.microphones.len(), "microphone"), &count(session.speakers.len(), "speaker")]),
    );
    row(
        text,
        "Desktop",
        &join([session.kind.as_deref().unwrap_or(""), &count(session.portals.len(), "portal")]),
    );
}

fn adapter_line(adapter: &Adapter) -> String {
    let kind = match adapter.kind {
        AdapterKind::Discrete => "discrete",
        AdapterKind::Integrated => "shares the memory",
        AdapterKind::Virtual => "virtual",
        AdapterKind::Software => "a program of the processor",
        AdapterKind::Unknown => "",
    };
    let refused = prefixed("refused: ", adapter.refusal.as_deref().unwrap_or(""));
    let driver = format!("{} {}", adapter.driver, adapter.version);
    join([&adapter.name, driver.trim(), &adapter.backend, kind, &refused])
}

fn graphics_memory(facts: &Facts, adapter: &Adapter) -> String {
    if let Some(own) = facts.card().and_then(|card| card.vram_total) {
        let lent = facts.gtt_limit().map(|bytes| format!("may take {} of the system's", gib(bytes)));
        return join([&format!("{} of its own", gib(own)), &lent.unwrap_or_default()]);
    }
    let heap = adapter.heaps.iter().filter(|heap| heap.device_local).map(|heap| heap.bytes).max();
    heap.map_or_else(String::new, |bytes| format!("{} for graphics", gib(bytes)))
}

fn rates(speed: &Speed) -> String {
    format!("reads {:.0} GB/s, computes {:.2} TFLOP/s", speed.bandwidth / 1e9, speed.matrix_rate / 1e12)
}

fn findings(text: &mut String, report: &Report) {
    if report.findings.is_empty() {
        let _ = writeln!(text, "\nNothing holds this machine back.");
    }
    for finding in &report.findings {
        let severity = match finding.severity {
            Severity::Problem => "PROBLEM",
            Severity::Warning => "WARNING",
            Severity::Advice => "advice",
        };
        let _ = writeln!(text, "\n{severity:LEFT$}{}", finding.title);
        for line in wrap(&finding.what, WIDTH - LEFT) {
            row(text, "", &line);
        }
        for line in &finding.fix {
            let _ = writeln!(text, "{:LEFT$}  {line}", "");
        }
    }
}

fn forecast(text: &mut String, report: &Report) {
    let chosen = report.recommendation;
    // What the processor would do is of interest where nothing else is there, or nothing else has room.
    let is_told = |f: &&Forecast| {
        f.place == Place::Graphics
            || report.facts.graphics().is_none()
            || chosen.is_none_or(|c| c.place == Place::Processor)
    };
    let _ = writeln!(text, "\nForecast for Qwen3-Omni 30B-A3B (from sums, not tried)");
    let _ = writeln!(
        text,
        "{:LEFT$}{:12}{:>10}  {:14}{:>9}  real-time factor of speech",
        "on", "format", "needs", "has room", "tokens/s"
    );
    for f in report.forecast.iter().filter(is_told) {
        let fit = match f.fit {
            Fit::Now => "yes",
            Fit::Later => "after changes",
            Fit::Never => "no",
            Fit::Unknown => "not known",
        };
        let place = place(f.place);
        let tokens = f.tokens_per_s.map_or_else(|| "-".into(), |tokens| format!("{tokens:.0}"));
        let speech = f.real_time_factor.map_or_else(|| "-".into(), |factor| format!("{factor:.2}"));
        let _ = writeln!(
            text,
            "{place:LEFT$}{:12}{:>10}  {fit:14}{tokens:>9}  {speech}",
            f.format,
            gib(f.memory)
        );
    }
    let _ = match chosen {
        Some(chosen) => writeln!(text, "Recommended: {} on the {}", chosen.format, in_words(chosen.place)),
        None => writeln!(text, "Recommended: the small model that ships with the program"),
    };
}

fn place(place: Place) -> &'static str {
    match place {
        Place::Graphics => "graphics",
        Place::Processor => "processor",
    }
}

fn in_words(place: Place) -> &'static str {
    match place {
        Place::Graphics => "graphics processor",
        Place::Processor => "processor",
    }
}

/// What is there of `parts`, with commas.
fn join<'a>(parts: impl IntoIterator<Item = &'a (impl AsRef<str> + ?Sized + 'a)>) -> String {
    let parts = parts.into_iter().map(AsRef::as_ref).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join(", ")
}

/// The text behind a word; nothing where there is none.
fn prefixed(word: &str, text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("{word}{text}") }
}

/// The words in lines of at most `width` letters, where words allow.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
