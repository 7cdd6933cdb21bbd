#![no_main]

use engine::Door;

// A table of the shortest tokens, and four compiled patterns.
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| colloquy_fuzz::bounded(bytes, 48 << 20, 20, Door::Tokenizer));
