//! What the system says of this process's memory and of the machine's. Nothing where it does not say: only Linux does.

use crate::error::{Error, Result};
use crate::executor::{available_bytes, field};

/// The most memory that this process has held.
pub(super) fn peak_bytes() -> Option<u64> {
    field(&std::fs::read_to_string("/proc/self/status").ok()?, "VmHWM")
}

/// Begins the count of [`peak_bytes`] anew at what is held now, where the system can.
pub(super) fn reset_peak() {
    // Where it cannot, the figure is too large, never too small.
    drop(std::fs::write("/proc/self/clear_refs", "5"));
}

/// `Err` where `name`'s weights do not fit what is available.
pub(super) fn check_room(name: &str, weight_bytes: u64) -> Result<()> {
    match available_bytes() {
        // Caches and activations need room too.
        Some(available) if weight_bytes + weight_bytes / 10 > available => Err(Error::Input(format!(
            "{name} has {:.1} GiB of weights for these stages, and {:.1} GiB of memory are available; choose fewer layers, \
             as in omni-30b-a3b:4-layers, or fewer stages",
            gib(weight_bytes),
            gib(available)
        ))),
        _ => Ok(()),
    }
}

fn gib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 30)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn weights_beyond_the_memory_are_refused_with_both_numbers() {
        let error = check_room("giant", 1 << 50).unwrap_err().to_string();
        assert!(error.contains("giant has 1048576.0 GiB") && error.contains("available"), "{error}");
        check_room("tiny", 1).unwrap();
    }
}
