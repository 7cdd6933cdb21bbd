//! What runs a recording: it owns the memory behind every buffer.

use std::collections::BTreeMap;

use crate::cancel::Cancel;
use crate::error::{Error, Result};
use crate::memory::Memory;
use crate::recording::{Constant, Recording};
use crate::settings::{Device, Options};
use crate::shape::Shape;

pub(crate) mod cpu;
mod meter;
mod plan;

pub(crate) use meter::Meter;

/// The executors there are.
pub(crate) enum Executor {
    Cpu(cpu::Cpu),
}

impl Executor {
    /// The executor for the device that `options` name.
    ///
    /// # Errors
    /// `Error::Input` where that device cannot be used.
    pub(crate) fn new(options: &Options) -> Result<Executor> {
        match options.device {
            Device::Auto | Device::Cpu => Ok(Executor::Cpu(cpu::Cpu::new(options.threads)?)),
            Device::Gpu => Err(Error::Input(
                "this version runs on the processor only; leave the device at auto or choose cpu".into(),
            )),
        }
    }

    /// What it runs on, in words.
    pub(crate) fn description(&self) -> String {
        match self {
            Executor::Cpu(cpu) => cpu.description(),
        }
    }

    /// Where weights and states live.
    pub(crate) fn memory(&mut self) -> &mut dyn Memory {
        match self {
            Executor::Cpu(cpu) => cpu,
        }
    }

    /// Runs all commands in order.
    ///
    /// # Errors
    /// `Error::Cancelled` when `cancel` fires; resident buffers then hold part of the work.
    pub(crate) fn run(&mut self, recording: &Recording, cancel: &Cancel) -> Result<()> {
        match self {
            Executor::Cpu(cpu) => cpu.run(recording, cancel),
        }
    }

    /// The tensors tapped since the last call, by name.
    pub(crate) fn take_taps(&mut self) -> BTreeMap<String, (Shape, Constant)> {
        match self {
            Executor::Cpu(cpu) => cpu.take_taps(),
        }
    }

    /// Replaces the meter that the runs from now on are added to; returns the old one.
    pub(crate) fn set_meter(&mut self, meter: Option<Meter>) -> Option<Meter> {
        match self {
            Executor::Cpu(cpu) => std::mem::replace(&mut cpu.meter, meter),
        }
    }
}
