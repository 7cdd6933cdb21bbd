//! `colloquy verify`: compares a checkpoint's every stage with golden tensors.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;
use engine::{Case, Engine};

use super::ModelOptions;

/// Options of `colloquy verify`.
#[derive(Args, Debug)]
pub(crate) struct VerifyOptions {
    #[command(flatten)]
    model: ModelOptions,
    /// Folder of golden tensors: one with a manifest.json, or one that holds the folders omni and qwen3-dense. Without it, a format
    /// of few bits is compared with the checkpoint as it is stored, over some questions.
    #[arg(long, value_name = "DIR")]
    goldens: Option<PathBuf>,
    /// Write our tensors into this folder, under the goldens' own file and key names.
    #[arg(long, value_name = "DIR", requires = "goldens")]
    dump: Option<PathBuf>,
}

/// Cases of one file and stage.
#[derive(Default)]
struct Line {
    cases: usize,
    worst: Option<f64>,
    cosine: Option<f64>,
    exact: (usize, usize),
    mean_square_error: Option<f64>,
    divergence: Option<f64>,
    skipped: usize,
    failures: Vec<String>,
}

/// Compares, prints the table, and fails where anything is out of tolerance.
///
/// # Errors
/// The checkpoint or the goldens cannot be read, or something is out of tolerance.
pub(crate) fn run(options: &VerifyOptions) -> Result<()> {
    // The reference keeps to f32. Nothing that an earlier run has left counts.
    let settings = engine::Options { exact: true, pipelines: None, ..options.model.engine() };
    let mut engine = Engine::load(&options.model.folder()?, &settings)?;
    let cases = match &options.goldens {
        Some(goldens) => engine::verify(&mut engine, goldens, options.dump.as_deref())?,
        None => engine::verify_format(&mut engine)?,
    };
    let mut lines: BTreeMap<String, Line> = BTreeMap::new();
    for case in &cases {
        // Errors grow from layer to layer, so that each has a line, and so do logits that are judged as a whole.
        let whole = case.mean_square_error.is_some() || case.divergence.is_some();
        let name = if whole { case.name.clone() } else { group(&case.name) };
        lines.entry(name).or_default().add(case);
    }
    println!(
        "{:<46} {:>5} {:>12} {:>12} {:>13} {:>9} {:>9}",
        "case", "count", "worst error", "cosine", "exact", "mse", "kl"
    );
    for (name, line) in &lines {
        println!("{}", line.row(name));
        line.failures.iter().for_each(|failure| println!("    {failure}"));
    }
    let failed: usize = lines.values().map(|line| line.failures.len()).sum();
    let skipped: usize = lines.values().map(|line| line.skipped).sum();
    println!("{} passed, {failed} failed, {skipped} not compared", cases.len() - failed - skipped);
    if let (true, Some(goldens)) = (cases.is_empty(), &options.goldens) {
        bail!("{} holds nothing to compare with", goldens.display());
    }
    if failed > 0 {
        bail!("{failed} of {} comparisons are out of tolerance", cases.len());
    }
    Ok(())
}

impl Line {
    fn add(&mut self, case: &Case) {
        self.cases += 1;
        // A NaN stays: `max` would lose it.
        let larger = |a: Option<f64>, b: f64| Some(a.map_or(b, |a| if b > a || b.is_nan() { b } else { a }));
        if let Some(error) = case.worst_relative_error {
            self.worst = larger(self.worst, error);
        }
        if let Some(cosine) = case.cosine {
            self.cosine = Some(self.cosine.map_or(cosine, |a| a.min(cosine)));
        }
        if let Some((same, all)) = case.exact {
            self.exact = (self.exact.0 + same, self.exact.1 + all);
        }
        if let Some(error) = case.mean_square_error {
            self.mean_square_error = larger(self.mean_square_error, error);
        }
        if let Some(divergence) = case.divergence {
            self.divergence = larger(self.divergence, divergence);
        }
        self.skipped += usize::from(case.skipped.is_some());
        self.failures.extend(case.failure.iter().map(|failure| format!("{}: {failure}", case.name)));
    }

    fn row(&self, name: &str) -> String {
        let number = |value: Option<f64>, show: fn(f64) -> String| value.map_or("-".into(), show);
        let exact = if self.exact.1 > 0 { format!("{}/{}", self.exact.0, self.exact.1) } else { "-".into() };
        format!(
            "{:<46} {:>5} {:>12} {:>12} {:>13} {:>9} {:>9}  {}",
            name,
            self.cases,
            number(self.worst, |v| format!("{v:.2e}")),
            number(self.cosine, |v| format!("{v:.8}")),
            exact,
            number(self.mean_square_error, |v| format!("{v:.1e}")),
            number(self.divergence, |v| format!("{v:.1e}")),
            match (self.failures.is_empty(), self.skipped) {
                (true, 0) => "ok",
                (true, _) => "not compared",
                (false, _) => "FAILED",
            }
        )
    }
}

/// The line that a case belongs to: its file and the first word of its key, without layer numbers.
fn group(name: &str) -> String {
    let (file, key) = name.split_once(' ').unwrap_or((name, ""));
    match key.split(['.', ' ']).find(|word| !word.is_empty() && !word.bytes().all(|b| b.is_ascii_digit())) {
        Some(word) => format!("{file} {word}"),
        None => file.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(failure: Option<&str>, error: f64) -> Case {
        Case {
            name: "thinker_text hidden.3".into(),
            worst_relative_error: Some(error),
            cosine: Some(1.0),
            failure: failure.map(str::to_owned),
            ..Case::default()
        }
    }

    #[test]
    fn layers_of_a_stage_share_a_line_that_shows_the_worst() {
        let mut line = Line::default();
        line.add(&case(None, 1e-6));
        line.add(&case(Some("deviates"), 2e-2));
        assert_eq!(group(&case(None, 0.0).name), "thinker_text hidden");
        let row = line.row("thinker_text hidden");
        assert!(row.contains("2.00e-2") && row.ends_with("FAILED"), "{row}");
    }

    #[test]
    fn a_deviation_that_is_no_number_is_not_hidden_by_others() {
        let mut line = Line::default();
        line.add(&case(Some("nan"), f64::NAN));
        line.add(&case(None, 1e-6));
        assert!(line.row("x").contains("NaN") || line.worst.is_some_and(f64::is_nan));
    }
}
