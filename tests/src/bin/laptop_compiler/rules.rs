//! What must hold of the compiled pipelines.

use crate::compiled::Compiled;
use crate::pipelines::Pipeline;

/// Shaders that multiply a matrix with one or a few vectors: their time is that of reading the matrix, 16 bytes a load.
const READS_A_MATRIX: [&str; 1] = ["matrix_vector"];

/// Shaders that multiply two matrices on the matrix cores.
const ON_MATRIX_CORES: [&str; 1] = ["matrix_product"];

/// The rules that a pipeline breaks.
pub(crate) fn broken(pipeline: &Pipeline, compiled: &Compiled) -> Vec<String> {
    let mut faults = Vec::new();
    if compiled.spilled_registers > 0 {
        faults.push(format!("{} registers are spilled", compiled.spilled_registers));
    }
    if compiled.scratch_bytes > 0 {
        faults.push(format!("a thread needs {} bytes of scratch memory", compiled.scratch_bytes));
    }
    let shader = pipeline.shader.as_str();
    if READS_A_MATRIX.contains(&shader) && compiled.code.wide_loads() == 0 {
        faults.push("has no 16-byte load".into());
    }
    if ON_MATRIX_CORES.contains(&shader) && compiled.code.matrix_products() == 0 {
        faults.push("does not use the matrix cores".into());
    }
    faults
}

/// The rules whose shader is not there, and which would hold of nothing.
pub(crate) fn absent(pipelines: &[Pipeline]) -> Vec<String> {
    let known = |shader: &str| pipelines.iter().any(|pipeline| pipeline.shader == shader);
    let ruled = READS_A_MATRIX.into_iter().chain(ON_MATRIX_CORES);
    ruled
        .filter(|shader| !known(shader))
        .map(|shader| format!("no pipeline is of the shader {shader}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::code::Code;

    fn pipeline(shader: &str) -> Pipeline {
        Pipeline { shader: shader.into(), defines: vec![], constants: vec![], wgsl: String::new() }
    }

    fn faults(shader: &str, spilled_registers: u64, scratch_bytes: u64, code: &str) -> usize {
        let names = [
            "VGPRs",
            "SGPRs",
            "LDS size",
            "Subgroups per SIMD",
            "Instructions",
            "Code size",
            "Spilled SGPRs",
        ];
        let mut statistics: BTreeMap<_, _> = names.map(|name| (name.to_owned(), 0)).into();
        statistics.insert("Spilled VGPRs".into(), spilled_registers);
        statistics.insert("Scratch size".into(), scratch_bytes);
        let compiled = Compiled::new(64, &statistics, Code(code.into())).unwrap();
        broken(&pipeline(shader), &compiled).len()
    }

    #[test]
    fn spilled_registers_and_scratch_memory_are_faults_of_any_pipeline() {
        assert_eq!(faults("any", 0, 0, ""), 0);
        assert_eq!(faults("any", 1, 0, ""), 1);
        assert_eq!(faults("any", 0, 4, ""), 1);
    }

    #[test]
    fn a_matrix_read_in_small_pieces_is_a_fault() {
        assert_eq!(faults(READS_A_MATRIX[0], 0, 0, "buffer_load_dword buffer_load_dwordx2"), 1);
        assert_eq!(faults(READS_A_MATRIX[0], 0, 0, "buffer_load_dword buffer_load_dwordx4"), 0);
    }

    #[test]
    fn a_product_without_the_matrix_cores_is_a_fault() {
        assert_eq!(faults(ON_MATRIX_CORES[0], 0, 0, "v_fmac_f32"), 1);
        assert_eq!(faults(ON_MATRIX_CORES[0], 0, 0, "v_wmma_f32_16x16x16_f16"), 0);
    }

    #[test]
    fn a_rule_about_a_shader_that_is_gone_is_a_fault() {
        let mut all: Vec<_> =
            READS_A_MATRIX.iter().chain(&ON_MATRIX_CORES).map(|shader| pipeline(shader)).collect();
        assert_eq!(absent(&all).len(), 0);
        all.pop();
        assert_eq!(absent(&all).len(), 1);
    }
}
