//! `colloquy bench --load`: how fast a checkpoint is loaded, beside how fast its files are read, as one JSON object.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use engine::{Engine, Session, Settings};
use serde_json::{Value, json};

use super::ModelOptions;

/// Bytes of a plain read.
const BLOCK: usize = 8 << 20;

/// A loading, in seconds.
#[derive(Clone, Debug, PartialEq)]
struct Run {
    /// Reading the files and nothing else, where that was measured.
    disk: Option<f64>,
    /// Until the weights are in place.
    placed: f64,
    /// Until all of them are in memory too, where they are used where they are stored.
    seconds: f64,
    /// Making shaders' pipelines after that.
    pipelines: f64,
    times: engine::LoadTimes,
    device: String,
}

/// Measures and prints.
///
/// # Errors
/// Whatever keeps the checkpoint from being loaded, in a sentence.
pub(crate) fn run(model: &ModelOptions, cold: bool, runs: usize) -> Result<()> {
    if cold && !cfg!(target_os = "linux") {
        bail!("only Linux can be told to forget files: leave --cold out");
    }
    let folder = model.folder()?;
    let files = shards(&folder)?;
    let bytes = files.iter().map(|file| Ok(file.metadata()?.len())).sum::<std::io::Result<u64>>()?;
    let runs = (0..runs.max(1)).map(|_| load(model, &folder, &files, cold)).collect::<Result<Vec<_>>>()?;
    let line = report(&folder, bytes, cold, runs);
    writeln!(std::io::stdout().lock(), "{line}").context("cannot write to the standard output")
}

/// The folder's files of weights.
fn shards(folder: &Path) -> Result<Vec<PathBuf>> {
    let unreadable = || format!("{} cannot be read", folder.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(unreadable)? {
        let path = entry.with_context(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "safetensors") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn load(model: &ModelOptions, folder: &Path, files: &[PathBuf], cold: bool) -> Result<Run> {
    let mut disk = None;
    if cold {
        forget(files)?;
        let begun = Instant::now();
        read(files)?;
        disk = Some(begun.elapsed().as_secs_f64());
        forget(files)?;
    }
    let begun = Instant::now();
    let engine = Engine::load(folder, &model.engine())?;
    let placed = begun.elapsed().as_secs_f64();
    engine.finish_reading();
    let seconds = begun.elapsed().as_secs_f64();
    let (times, device) = (engine.info().load_times, engine.info().device.clone());
    let begun = Instant::now();
    Session::new(engine, Settings::default())?;
    Ok(Run { disk, placed, seconds, pipelines: begun.elapsed().as_secs_f64(), times, device })
}

/// Reads files and does nothing with them.
fn read(files: &[PathBuf]) -> Result<()> {
    let mut block = vec![0; BLOCK];
    for path in files {
        let unreadable = || format!("{} cannot be read", path.display());
        let mut file = File::open(path).with_context(unreadable)?;
        while file.read(&mut block).with_context(unreadable)? > 0 {}
    }
    Ok(())
}

/// Has the system drop what it holds of files. Some that was written just now may stay.
fn forget(files: &[PathBuf]) -> Result<()> {
    #[cfg(target_os = "linux")]
    for path in files {
        let unreadable = || format!("{} cannot be read", path.display());
        let file = File::open(path).with_context(unreadable)?;
        rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).with_context(unreadable)?;
    }
    Ok(())
}

/// The median run.
fn report(folder: &Path, bytes: u64, cold: bool, mut runs: Vec<Run>) -> Value {
    runs.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    let count = runs.len();
    let run = runs.swap_remove(count / 2);
    let rate = |seconds: f64| bytes as f64 / 1e9 / seconds.max(1e-9);
    let mut line = json!({
        "stage": "load",
        "model": folder,
        "device": run.device,
        "state": if cold { "cold" } else { "as it was" },
        "runs": count,
        "bytes": bytes,
        "seconds": run.seconds,
        "gb_per_s": rate(run.seconds),
        "placed_s": run.placed,
        "parts_s": {
            "read": run.times.read,
            "convert": run.times.convert,
            "upload": run.times.place,
            "pipelines": run.pipelines,
        },
    });
    if let Some(disk) = run.disk {
        line["disk_s"] = json!(disk);
        line["disk_gb_per_s"] = json!(rate(disk));
        line["of_disk"] = json!(run.seconds / disk.max(1e-9));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_run_is_told_beside_its_own_reading_of_the_disk() {
        let run = |disk, seconds| Run {
            disk,
            placed: seconds,
            seconds,
            pipelines: 0.0,
            times: engine::LoadTimes::default(),
            device: "cpu".into(),
        };
        let runs = vec![run(Some(2.0), 9.0), run(Some(4.0), 5.0), run(Some(1.0), 1.0)];
        let line = report(Path::new("m"), 10_000_000_000, true, runs);
        assert_eq!((&line["seconds"], &line["of_disk"]), (&json!(5.0), &json!(1.25)));
        assert_eq!((&line["gb_per_s"], &line["disk_gb_per_s"]), (&json!(2.0), &json!(2.5)));
        let line = report(Path::new("m"), 1, false, vec![run(None, 1.0)]);
        assert!(line.get("disk_s").is_none() && line["state"] == "as it was");
    }
}
