#![no_main]

// A tree of the smallest values; such files have at most eight megabytes.
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| colloquy_fuzz::bounded(bytes, 32 << 10, 64, engine::fuzzing::config));
