//! The report for a person: short, aligned, the worst first.

use std::fmt::Write;

use super::Report;
use super::facts::Facts;
use super::findings::{Severity, gib};
use super::forecast::{Fit, Place};
use super::rows::rows;
use super::words::Words;

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
    for line in rows(facts) {
        let name = line.name.as_ref().map_or_else(String::new, Words::english);
        row(text, &name, &line.join(Words::english));
    }
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
        let _ = writeln!(text, "\n{severity:LEFT$}{}", finding.title.english());
        for line in wrap(&finding.what.english(), WIDTH - LEFT) {
            row(text, "", &line);
        }
        for line in &finding.fix {
            let _ = writeln!(text, "{:LEFT$}  {line}", "");
        }
    }
}

fn forecast(text: &mut String, report: &Report) {
    let chosen = report.recommendation;
    let _ = writeln!(text, "\nForecast for Qwen3-Omni 30B-A3B (from sums, not tried)");
    let _ = writeln!(
        text,
        "{:LEFT$}{:12}{:>10}  {:14}{:>9}  real-time factor of speech",
        "on", "format", "needs", "has room", "tokens/s"
    );
    for f in report.told() {
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
