#![no_main]

use engine::Door;

// A tree of the smallest values, and what is the same for each of a thousand layers; such files have at most eight megabytes.
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| colloquy_fuzz::bounded(bytes, 256 << 10, 64, Door::Config));
