//! The shaders that the build script has checked and embedded.

include!(concat!(env!("OUT_DIR"), "/shaders.rs"));

/// The source of a shader before its conditions are resolved.
pub(super) fn source(name: &str) -> Option<&'static str> {
    SHADERS.iter().find(|(have, _)| *have == name).map(|(_, text)| *text)
}
