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

use compiled::Compiled;
use null_device::NullDevice;
use pipelines::Pipeline;

fn main() -> ExitCode {
    let pipelines = pipelines::all();
    let device = match NullDevice::open() {
        Ok(device) => device,
        Err(error) => {
            eprintln!("There is no driver to compile with: {error:#}");
            println!("pipelines: 0 passed, 0 failed, {} skipped", pipelines.len());
            return match env::var_os("CI") {
                Some(_) => ExitCode::FAILURE,
                None => ExitCode::SUCCESS,
            };
        }
    };
    let shown = env::args().nth(1);

    let mut rows = Vec::new();
    let mut faults = rules::absent(&pipelines);
    let mut failed = 0;
    for pipeline in &pipelines {
        let name = pipeline.name();
        let found = match translate_and_compile(&device, pipeline) {
            Ok(compiled) => {
                if shown.as_ref().is_some_and(|part| name.contains(part)) {
                    println!("{name}\n{}", compiled.code);
                }
                let found = rules::broken(pipeline, &compiled);
                rows.push((name.clone(), compiled));
                found
            }
            Err(error) => vec![format!("{error:#}")],
        };
        failed += usize::from(!found.is_empty());
        faults.extend(found.iter().map(|fault| format!("{name}: {fault}")));
    }

    println!("{}\n", device.description());
    print!("{}", table::of(&rows));
    println!("\npipelines: {} passed, {failed} failed", pipelines.len() - failed);
    if faults.is_empty() {
        return ExitCode::SUCCESS;
    }
    for fault in faults {
        eprintln!("{fault}");
    }
    ExitCode::FAILURE
}

fn translate_and_compile(device: &NullDevice, pipeline: &Pipeline) -> Result<Compiled> {
    let shader = spirv::translate(pipeline).context("translating to SPIR-V")?;
    compile::compile(device, &shader).context("compiling")
}
