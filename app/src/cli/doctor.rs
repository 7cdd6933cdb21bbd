//! `colloquy doctor`: what this machine has, what holds it back, and how fast the large model would be.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;

use super::FormatOption;
use crate::doctor;

/// Options of `doctor`.
#[derive(Args, Debug)]
pub(crate) struct DoctorOptions {
    /// Print everything as one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
    /// Do not measure how fast the devices are, which takes some seconds; nothing is forecast then but the room.
    #[arg(long)]
    pub(crate) no_measure: bool,
    /// The format to make room for; the recommended one if not given.
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<FormatOption>,
    /// Folder where models are to be kept, whose disk is looked at.
    #[arg(long, value_name = "DIR")]
    pub(crate) models: Option<PathBuf>,
}

/// Looks and prints.
///
/// # Errors
/// The processor cannot be measured, or nothing can be printed.
pub(crate) fn run(options: &DoctorOptions) -> Result<()> {
    if options.format == Some(FormatOption::F32) {
        bail!(
            "The large model is published in bf16, so that f32 would gain nothing: choose bf16, q8_0 or q4."
        );
    }
    let facts = doctor::look(!options.no_measure, options.models.clone(), |_| true)
        .context("The processor cannot be measured; try again with --no-measure")?
        .unwrap_or_default();
    let report = doctor::report(facts, &doctor::asks()?, options.format.map(FormatOption::engine));
    let text = if options.json { report.json()? } else { doctor::text(&report) };
    std::io::stdout().lock().write_all(text.as_bytes()).context("cannot write to the standard output")
}
