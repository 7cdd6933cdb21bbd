#![no_main]

// A table of the shortest tokens, and the library's own tables.
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| colloquy_fuzz::bounded(bytes, 2 << 20, 20, engine::fuzzing::tokenizer));
