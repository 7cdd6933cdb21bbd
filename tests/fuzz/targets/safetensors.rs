#![no_main]

use engine::Door;

// Of a file that is all header; of one with weights, the header alone counts.
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| colloquy_fuzz::bounded(bytes, 16 << 10, 5, Door::Safetensors));
