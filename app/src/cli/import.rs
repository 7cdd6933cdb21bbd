//! `colloquy import`: a published checkpoint becomes files that load as they are.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use engine::{Cancel, ErrorGroup, Format, ImportReport, Progress};
use serde_json::{Value, json};

/// Options of `import`.
#[derive(Args, Debug)]
pub(crate) struct ImportOptions {
    /// Folder of the published checkpoint, quantised to four bits or not; or a GGUF file, or a folder with one and its mmproj file.
    #[arg(value_name = "SRC")]
    source: PathBuf,
    /// Folder of a published checkpoint for what SRC lacks: small files and, for GGUF, weights such as the talker's.
    #[arg(long, value_name = "DIR")]
    with: Option<PathBuf>,
    /// How matrices of weights are held from then on.
    #[arg(long, value_name = "FORMAT")]
    format: ImportFormat,
    /// Folder to make; SRC with the format behind its name if not given. Until it is whole, it is called DIR.part; the same command
    /// goes on with one that was broken off.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Most gigabytes of a file.
    #[arg(long, value_name = "GB", default_value_t = 4.0, value_parser = gigabytes)]
    shard_gb: f64,
    /// Print what was made as a JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

/// What weights can be imported as.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
enum ImportFormat {
    /// Sixteen bits, as published.
    Bf16,
    /// Eight bits; 32 weights share a scale.
    #[value(name = "q8_0")]
    Q8_0,
    /// Four bits; 32 weights share a scale and an offset.
    Q4,
}

fn gigabytes(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && value > 0.0 => Ok(value),
        _ => Err("expected a number above 0".into()),
    }
}

/// Imports, and tells how far the weights are from what they were.
///
/// # Errors
/// Whatever keeps the checkpoint from being imported, in a sentence.
pub(crate) fn run(args: &ImportOptions) -> Result<()> {
    let format = match args.format {
        ImportFormat::Bf16 => Format::Bf16,
        ImportFormat::Q8_0 => Format::Q8_0,
        ImportFormat::Q4 => Format::Q4,
    };
    let shard_bytes = (args.shard_gb * 1e9) as u64;
    let options =
        engine::ImportOptions { format, folder: args.out.clone(), shard_bytes, with: args.with.clone() };
    let is_seen = std::io::stderr().is_terminal();
    let tell = |progress: Progress| {
        if is_seen {
            // A terminal that is gone needs none.
            let _ = write!(std::io::stderr(), "\r{}", line(&progress));
        }
    };
    let report = engine::import(&args.source, &options, &Cancel::new(), &tell)?;
    if is_seen {
        let _ = writeln!(std::io::stderr());
    }
    let told = if args.json { format!("{:#}\n", object(&report)) } else { table(&report) };
    std::io::stdout().lock().write_all(told.as_bytes()).context("cannot write to the standard output")
}

/// As `1.25 of 33.40 GB, 812 MB/s, 40 s left`.
fn line(progress: &Progress) -> String {
    let left = (progress.total_bytes - progress.bytes) as f64 / progress.rate().max(1.0);
    let [bytes, total] = [progress.bytes, progress.total_bytes].map(|bytes| bytes as f64 / 1e9);
    let time = match left.ceil() as u64 {
        seconds @ ..120 => format!("{seconds} s"),
        seconds => format!("{} min", seconds.div_ceil(60)),
    };
    format!("{bytes:.2} of {total:.2} GB, {:.0} MB/s, {time} left    ", progress.rate() / 1e6)
}

fn table(report: &ImportReport) -> String {
    let mut table = format!(
        "{:<15} {:<14} {:<5} {:>7} {:>10} {:>10} {:>10}\n",
        "part", "tensors", "held", "count", "MB", "rms error", "max error"
    );
    let share = |error: f64| if error == 0.0 { "-".into() } else { format!("{:.3}%", error * 100.0) };
    for group in &report.errors {
        let ErrorGroup { part, kind, held, tensors, bytes, most, .. } = group;
        let (mb, rms, most) = (*bytes as f64 / 1e6, share(group.rms()), share(*most));
        table += &format!("{part:<15} {kind:<14} {held:<5} {tensors:>7} {mb:>10.1} {rms:>10} {most:>10}\n");
    }
    let kept = match report.kept_shards {
        0 => String::new(),
        kept => format!(", {kept} of them from before"),
    };
    let notes: String = report.notes.iter().map(|note| format!("Note: {note}.\n")).collect();
    table
        + &notes
        + &format!(
            "Errors are shares of the root mean square of the weights.\n{}: {:.2} GB in {} files{kept}, of {:.2} GB, in {:.1} s\n",
            report.folder.display(),
            report.bytes as f64 / 1e9,
            report.shards,
            report.source_bytes as f64 / 1e9,
            report.seconds
        )
}

fn object(report: &ImportReport) -> Value {
    let groups = report.errors.iter().map(|group| {
        json!({
            "part": group.part,
            "kind": group.kind,
            "held": group.held,
            "tensors": group.tensors,
            "weights": group.weights,
            "bytes": group.bytes,
            "rms_error": group.rms(),
            "max_error": group.most,
        })
    });
    json!({
        "folder": report.folder,
        "files": report.shards,
        "files_from_before": report.kept_shards,
        "source_bytes": report.source_bytes,
        "bytes": report.bytes,
        "seconds": report.seconds,
        "errors": groups.collect::<Vec<_>>(),
        "notes": report.notes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_told_with_bytes_rate_and_the_time_that_is_left() {
        let progress = Progress { bytes: 2_000_000_000, total_bytes: 10_000_000_000, seconds: 2.5 };
        assert_eq!(line(&progress).trim_end(), "2.00 of 10.00 GB, 800 MB/s, 10 s left");
        let slow = Progress { seconds: 60.0, ..progress };
        assert_eq!(line(&slow).trim_end(), "2.00 of 10.00 GB, 33 MB/s, 4 min left");
    }

    #[test]
    fn a_file_has_some_bytes() {
        assert_eq!(gigabytes("0.5"), Ok(0.5));
        for wrong in ["0", "-1", "nan", "inf", "x"] {
            assert!(gigabytes(wrong).is_err(), "{wrong}");
        }
    }
}
