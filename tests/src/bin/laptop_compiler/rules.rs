//! What must hold of the compiled pipelines.

use engine::Pipeline;

use crate::compiled::Compiled;

/// Whether its time is that of reading a matrix: a product with one or a few vectors.
fn reads_a_matrix(pipeline: &Pipeline) -> bool {
    pipeline.shader.starts_with("matvec")
}

/// Whether it is written for the matrix cores.
fn is_for_matrix_cores(pipeline: &Pipeline) -> bool {
    pipeline.wgsl.contains("coopMultiplyAdd")
}

/// The rules that a pipeline breaks.
pub(crate) fn broken(pipeline: &Pipeline, compiled: &Compiled) -> Vec<String> {
    let mut faults = Vec::new();
    if compiled.spilled_registers > 0 {
        faults.push(format!("{} registers are spilled", compiled.spilled_registers));
    }
    if compiled.scratch_bytes > 0 {
        faults.push(format!("a thread needs {} bytes of scratch memory", compiled.scratch_bytes));
    }
    if reads_a_matrix(pipeline) && compiled.code.wide_loads() == 0 {
        faults.push("has no 16-byte load".into());
    }
    if is_for_matrix_cores(pipeline) && compiled.code.matrix_products() == 0 {
        faults.push("does not use the matrix cores".into());
    }
    faults
}

/// The kinds of pipelines that have rules of their own and are not there.
pub(crate) fn absent(pipelines: &[Pipeline]) -> Vec<String> {
    let mut faults = Vec::new();
    if !pipelines.iter().any(reads_a_matrix) {
        faults.push("no pipeline multiplies a matrix with a vector".into());
    }
    if !pipelines.iter().any(is_for_matrix_cores) {
        faults.push("no pipeline is for the matrix cores".into());
    }
    faults
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::code::Code;

    fn pipeline(shader: &'static str, wgsl: &str) -> Pipeline {
        Pipeline { shader, defines: vec![], constants: vec![], wgsl: wgsl.into() }
    }

    fn any() -> Pipeline {
        pipeline("any", "")
    }

    fn matrix_vector() -> Pipeline {
        pipeline("matvec_three", "")
    }

    fn matrix_product() -> Pipeline {
        pipeline("any", "sum = coopMultiplyAdd(a, b, sum);")
    }

    fn faults(pipeline: &Pipeline, spilled_registers: u64, scratch_bytes: u64, code: &str) -> usize {
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
        broken(pipeline, &compiled).len()
    }

    #[test]
    fn spilled_registers_and_scratch_memory_are_faults_of_any_pipeline() {
        assert_eq!(faults(&any(), 0, 0, ""), 0);
        assert_eq!(faults(&any(), 1, 0, ""), 1);
        assert_eq!(faults(&any(), 0, 4, ""), 1);
    }

    #[test]
    fn a_matrix_read_in_small_pieces_is_a_fault() {
        assert_eq!(faults(&matrix_vector(), 0, 0, "buffer_load_dword buffer_load_dwordx2"), 1);
        assert_eq!(faults(&matrix_vector(), 0, 0, "buffer_load_dword buffer_load_dwordx4"), 0);
    }

    #[test]
    fn a_product_without_the_matrix_cores_is_a_fault() {
        assert_eq!(faults(&matrix_product(), 0, 0, "v_fmac_f32"), 1);
        assert_eq!(faults(&matrix_product(), 0, 0, "v_wmma_f32_16x16x16_f16"), 0);
    }

    #[test]
    fn a_rule_that_holds_of_nothing_is_a_fault() {
        assert_eq!(absent(&[any()]).len(), 2);
        assert_eq!(absent(&[any(), matrix_vector()]).len(), 1);
        assert_eq!(absent(&[any(), matrix_vector(), matrix_product()]).len(), 0);
    }
}
