//! The table of all compiled pipelines.

use crate::compiled::Compiled;

const HEADS: [&str; 13] = [
    "wave", "VGPR", "SGPR", "spill", "scratch", "LDS", "waves", "instr", "bytes", "load16", "load", "ds",
    "wmma",
];

/// A line for each pipeline, under a line of heads.
pub(crate) fn of(rows: &[(String, Compiled)]) -> String {
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    let mut lines = line("pipeline", width, HEADS.map(str::to_owned));
    for (name, it) in rows {
        let cells = [
            u64::from(it.subgroup_size),
            it.vector_registers,
            it.scalar_registers,
            it.spilled_registers,
            it.scratch_bytes,
            it.shared_bytes,
            it.subgroups_per_simd,
            it.instructions,
            it.code_bytes,
            it.code.wide_loads() as u64,
            it.code.narrow_loads() as u64,
            it.code.shared_accesses() as u64,
            it.code.matrix_products() as u64,
        ];
        lines += &line(name, width, cells.map(|cell| cell.to_string()));
    }
    lines
}

fn line(name: &str, width: usize, cells: [String; HEADS.len()]) -> String {
    let cells: String = cells.iter().map(|cell| format!("{cell:>8}")).collect();
    format!("{name:<width$}{cells}\n")
}
