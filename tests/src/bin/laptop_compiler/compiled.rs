//! What a driver tells of a pipeline that it has compiled.

use std::collections::BTreeMap;

use anyhow::{Context, Result};

use crate::code::Code;

/// A pipeline, compiled.
pub(crate) struct Compiled {
    /// Threads of a subgroup.
    pub(crate) subgroup_size: u32,
    /// Registers of each thread.
    pub(crate) vector_registers: u64,
    /// Registers of each subgroup.
    pub(crate) scalar_registers: u64,
    /// Registers of both kinds that found no room.
    pub(crate) spilled_registers: u64,
    /// Private memory of a thread, for spilled registers and for arrays that are indexed by a variable.
    pub(crate) scratch_bytes: u64,
    /// Workgroup memory.
    pub(crate) shared_bytes: u64,
    /// Subgroups that a vector unit holds at once.
    pub(crate) subgroups_per_simd: u64,
    /// Instructions of the whole pipeline.
    pub(crate) instructions: u64,
    /// Size of the machine code.
    pub(crate) code_bytes: u64,
    /// The code itself, one instruction a line.
    pub(crate) code: Code,
}

impl Compiled {
    /// Picks out of a driver's statistics.
    ///
    /// # Errors
    /// Names the statistic that the driver does not give.
    pub(crate) fn new(
        subgroup_size: u32,
        statistics: &BTreeMap<String, u64>,
        code: Code,
    ) -> Result<Compiled> {
        let get = |name: &str| {
            let known = || statistics.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            statistics
                .get(name)
                .copied()
                .with_context(|| format!("the driver tells no {name:?}, only {}", known()))
        };
        Ok(Compiled {
            subgroup_size,
            vector_registers: get("VGPRs")?,
            scalar_registers: get("SGPRs")?,
            spilled_registers: get("Spilled VGPRs")? + get("Spilled SGPRs")?,
            scratch_bytes: get("Scratch size")?,
            shared_bytes: get("LDS size")?,
            subgroups_per_simd: get("Subgroups per SIMD")?,
            instructions: get("Instructions")?,
            code_bytes: get("Code size")?,
            code,
        })
    }
}
