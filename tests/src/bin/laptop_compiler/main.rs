//! Compiles every pipeline of the engine with the laptop's own driver, on a machine without its chip, and tells what became of it:
//! `RADV_FORCE_FAMILY=gfx1151 laptop-compiler [NAME]`. With a name, also prints the code of the pipelines whose names contain it.
//!
//! Mesa's RADV offers, for a chip that it is told to assume, a device that compiles but runs nothing. The SPIR-V is what wgpu would
//! hand to it. Ends with a failure where a pipeline breaks one of the rules in `rules.rs`, and, in the continuous integration, where
//! there is no such device.
#![warn(missing_docs)]

mod code;
mod compile;
mod compiled;
mod null_device;
mod pipelines;
mod rules;
mod spirv;
mod table;

use std::env;
use std::process::ExitCode;

use anyhow::{Context, Result};
use engine::Pipeline;

use compiled::Compiled;
use null_device::NullDevice;

fn main() -> ExitCode {
    let device = match NullDevice::open() {
        Ok(device) => device,
        Err(error) => {
            eprintln!("There is no driver to compile with: {error:#}");
            let (failed, skipped, code) = match env::var_os("CI") {
                Some(_) => (1, 0, ExitCode::FAILURE),
                None => (0, 1, ExitCode::SUCCESS),
            };
            println!("pipelines: 0 passed, {failed} failed, {skipped} skipped");
            return code;
        }
    };
    match compile_all(&device, env::args().nth(1).as_deref()) {
        Ok(faults) if faults.is_empty() => ExitCode::SUCCESS,
        Ok(faults) => {
            faults.iter().for_each(|fault| eprintln!("{fault}"));
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("The pipelines could not be listed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Prints the tables, and the code of the pipelines whose names contain `shown`; returns all faults.
fn compile_all(device: &NullDevice, shown: Option<&str>) -> Result<Vec<String>> {
    let pipelines = pipelines::all()?;
    let mut rows = Vec::new();
    let mut faults = rules::absent(&pipelines);
    let mut failed = 0;
    for pipeline in &pipelines {
        let name = pipelines::name(pipeline);
        let found = match compile(device, pipeline) {
            Ok(compiled) => {
                if shown.is_some_and(|part| name.contains(part)) {
                    println!("{name}\n{}", compiled.code);
                }
                let found = rules::broken(pipeline, &compiled);
                rows.push((pipeline, compiled));
                found
            }
            Err(error) => vec![format!("{error:#}")],
        };
        failed += usize::from(!found.is_empty());
        faults.extend(found.iter().map(|fault| format!("{name}: {fault}")));
    }

    println!("{}\n", device.description());
    println!("{}", table::of(&rows));
    print!("{}", table::summary(&rows));
    println!("\npipelines: {} passed, {failed} failed", pipelines.len() - failed);
    Ok(faults)
}

fn compile(device: &NullDevice, pipeline: &Pipeline) -> Result<Compiled> {
    let shader = spirv::translate(pipeline).context("translating to SPIR-V")?;
    compile::compile(device, &shader).context("compiling")
}
