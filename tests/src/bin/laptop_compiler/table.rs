//! What the driver tells of all compiled pipelines, as tables.

use std::collections::BTreeMap;

use engine::Pipeline;

use crate::compiled::Compiled;
use crate::pipelines::name;

const HEADS: [&str; 13] = [
    "wave", "VGPR", "SGPR", "spill", "scratch", "LDS", "waves", "instr", "bytes", "load16", "load", "ds",
    "wmma",
];

/// A line for each pipeline, under a line of heads.
pub(crate) fn of(rows: &[(&Pipeline, Compiled)]) -> String {
    let width = rows.iter().map(|(pipeline, _)| name(pipeline).len()).max().unwrap_or_default();
    let mut lines = line("pipeline", width, HEADS.map(str::to_owned));
    for (pipeline, it) in rows {
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
        lines += &line(&name(pipeline), width, cells.map(|cell| cell.to_string()));
    }
    lines
}

const SUMMARY_HEADS: [&str; 6] = ["pipelines", "VGPR", "LDS", "waves", "instr", "wmma"];

/// A line for each shader: how many pipelines are made of it, the fewest subgroups that a vector unit holds of one, and the most
/// of everything else.
pub(crate) fn summary(rows: &[(&Pipeline, Compiled)]) -> String {
    let mut shaders: BTreeMap<&str, Vec<&Compiled>> = BTreeMap::new();
    for (pipeline, compiled) in rows {
        shaders.entry(pipeline.shader).or_default().push(compiled);
    }
    let width = shaders.keys().map(|shader| shader.len()).max().unwrap_or_default();
    let mut lines = line("shader", width, SUMMARY_HEADS.map(str::to_owned));
    for (shader, of) in shaders {
        let most = |value: fn(&Compiled) -> u64| of.iter().map(|it| value(it)).max().unwrap_or_default();
        let cells = [
            of.len() as u64,
            most(|it| it.vector_registers),
            most(|it| it.shared_bytes),
            of.iter().map(|it| it.subgroups_per_simd).min().unwrap_or_default(),
            most(|it| it.instructions),
            most(|it| it.code.matrix_products() as u64),
        ];
        lines += &line(shader, width, cells.map(|cell| cell.to_string()));
    }
    lines
}

fn line<const N: usize>(name: &str, width: usize, cells: [String; N]) -> String {
    let cells: String = cells.iter().map(|cell| format!("{cell:>10}")).collect();
    format!("{name:<width$}{cells}\n")
}
