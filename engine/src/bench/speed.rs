//! How fast a device is, whatever the model: the rate at which it reads memory, and the rate of products of matrices.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::bandwidth;
use crate::cancel::Cancel;
use crate::error::Result;
use crate::executor::{Executor, Program};
use crate::kernels::isa::Isa;
use crate::kernels::linear::{self, Epilogue};
use crate::recording::Recording;
use crate::settings::Options;
use crate::shape::{Element, OwnedBytes};

/// Rows of activations: a long prompt.
const ROWS: usize = 512;

/// Sides of the matrix, whose 8 MiB in BF16 are read far less often than they are used.
const SIDES: [usize; 2] = [1024, 4096];

/// Products in a row where one alone takes less than [`SHORT`], so that starting them does not count.
const PRODUCTS: usize = 32;

/// A run that is too short to be timed.
const SHORT: Duration = Duration::from_millis(10);

/// How long they are repeated; the fastest counts.
const FOR: Duration = Duration::from_millis(400);

/// Rates of a device.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Speed {
    /// The device, in words.
    pub device: String,
    /// Bytes a second that it reads from its memory.
    pub bandwidth: f64,
    /// Floating-point operations a second of a product with a matrix in BF16, for 512 rows.
    pub matrix_rate: f64,
}

/// Measures the device that `options` name, for up to some seconds. It should have nothing else to do meanwhile.
///
/// # Errors
/// `Error::Device` where that device cannot be used.
pub fn speed(options: &Options) -> Result<Speed> {
    let (mut executor, _) = Executor::open(options, None)?;
    Ok(Speed {
        device: executor.description(),
        bandwidth: bandwidth::of(&mut executor, options.threads)?,
        matrix_rate: matrix_rate(&mut executor)?,
    })
}

/// The instruction sets of the kernels' variants that this processor runs, the widest last.
pub fn instruction_sets() -> Vec<String> {
    Isa::available().iter().map(ToString::to_string).collect()
}

fn matrix_rate(executor: &mut Executor) -> Result<f64> {
    let [rows, columns] = SIDES;
    let memory = executor.memory();
    let weight = match memory.random(SIDES.into(), Element::Bf16)? {
        Some(weight) => weight,
        None => {
            let zeros = OwnedBytes::zeros(Element::Bf16.bytes(rows, columns));
            memory.upload(SIDES.into(), Element::Bf16, vec![Arc::new(zeros)])?
        }
    };
    let prepare = |executor: &mut Executor, products| {
        let mut rec = Recording::new();
        let x = rec.constant_f32([ROWS, columns], vec![1.0; ROWS * columns]);
        for _ in 0..products {
            linear::record(&mut rec, x, weight, Epilogue::default())?;
        }
        executor.prepare(rec)
    };
    let (mut program, mut products) = (prepare(executor, 1)?, 1);
    // The first run makes the pipelines.
    run(executor, &mut program)?;
    if run(executor, &mut program)? < SHORT {
        (program, products) = (prepare(executor, PRODUCTS)?, PRODUCTS);
    }
    let begun = Instant::now();
    let mut fastest = Duration::MAX;
    while begun.elapsed() < FOR {
        fastest = fastest.min(run(executor, &mut program)?);
    }
    executor.memory().free(weight);
    let operations = (2 * products * ROWS * rows * columns) as f64;
    Ok(operations / fastest.as_secs_f64())
}

fn run(executor: &mut Executor, program: &mut Program) -> Result<Duration> {
    let begun = Instant::now();
    executor.run(program, &Cancel::new())?;
    executor.finish()?;
    Ok(begun.elapsed())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Device;

    #[test]
    fn each_device_has_rates() {
        for device in [Device::Cpu, Device::Gpu] {
            let speed = speed(&Options { device, threads: 2, ..Options::default() }).unwrap();
            assert!(speed.bandwidth > 0.0 && speed.matrix_rate > 0.0, "{speed:?}");
            assert_eq!(speed.device.starts_with("cpu"), device == Device::Cpu);
        }
        assert_eq!(instruction_sets()[0], "portable");
    }
}
