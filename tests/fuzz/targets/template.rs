#![no_main]

// The text that it gives, and what it is made of.
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| colloquy_fuzz::bounded(bytes, 32 << 20, 64, engine::fuzzing::template));
