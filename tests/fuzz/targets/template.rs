#![no_main]

use engine::Door;

// All that a template may make, a few times over while it grows.
libfuzzer_sys::fuzz_target!(
    // What panics in the library that runs templates is caught by our reader.
    init: {
        std::panic::set_hook(Box::new(|fault| {
            if !fault.location().is_some_and(|place| place.file().contains("minijinja")) {
                eprintln!("{fault}");
                std::process::abort();
            }
        }));
    },
    |bytes: &[u8]| colloquy_fuzz::bounded(bytes, 128 << 20, 64, Door::Template)
);
