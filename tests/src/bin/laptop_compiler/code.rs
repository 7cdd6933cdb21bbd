//! The driver's text of a pipeline's code, and how often some instructions stand in it.

use std::fmt;

/// Names of the 16-byte loads from buffers: as the compiler writes them itself, and as disassemblers do.
const WIDE_LOADS: [&str; 4] =
    ["buffer_load_dwordx4", "global_load_dwordx4", "buffer_load_b128", "global_load_b128"];

/// Code of a pipeline, one instruction a line.
#[derive(Default)]
pub(crate) struct Code(pub(crate) String);

impl Code {
    /// Loads of 16 bytes a thread from buffers.
    pub(crate) fn wide_loads(&self) -> usize {
        self.count(|word| WIDE_LOADS.contains(&word))
    }

    /// Loads of less than 16 bytes a thread from buffers.
    pub(crate) fn narrow_loads(&self) -> usize {
        let load = |word: &str| word.starts_with("buffer_load_") || word.starts_with("global_load_");
        self.count(|word| load(word) && !WIDE_LOADS.contains(&word))
    }

    /// Instructions on workgroup memory.
    pub(crate) fn shared_accesses(&self) -> usize {
        self.count(|word| word.starts_with("ds_"))
    }

    /// Products on the matrix cores.
    pub(crate) fn matrix_products(&self) -> usize {
        self.count(|word| word.starts_with("v_wmma_"))
    }

    fn count(&self, is: impl Fn(&str) -> bool) -> usize {
        self.0.split_whitespace().filter(|word| is(word)).count()
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_are_counted_in_the_words_of_the_compiler_and_of_a_disassembler() {
        let code = Code(
            "v4: %7:v[0-3] = buffer_load_dwordx4 %1:s[0-3], v1: undef, 0 offen\n\
             \tglobal_load_b128 v[0:3], v4, s[0:1] // 000000001000: DC5E0000\n\
             v1: %8:v[4] = buffer_load_dword %1:s[0-3], %2:v[9], 0 offen\n\
             v8: %9:v[8-15] = v_wmma_f32_16x16x16_f16 %3:v[0-7], %4:v[8-15], %9:v[8-15]\n\
             ds_load_b128 v[0:3], v1\n\
             ds_write_b32 %1:v[1], %2:v[2] buffer_load_of_no_kind\n"
                .into(),
        );
        assert_eq!(code.wide_loads(), 2);
        assert_eq!(code.narrow_loads(), 2);
        assert_eq!(code.shared_accesses(), 2);
        assert_eq!(code.matrix_products(), 1);
    }
}
