#![no_main]

use engine::Door;

// A list of tensors and one of metadata, whose lines take few bytes in a file.
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| colloquy_fuzz::bounded(bytes, 8 << 10, 48, Door::Gguf));
