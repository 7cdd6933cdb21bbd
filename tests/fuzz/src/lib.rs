//! What every target holds a reader of foreign files to, beyond not to panic: memory in proportion to the file.

use engine::Door;
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Gives `bytes` to `door`, which may hold so much memory at once: `free` bytes, and `times` as many as the file has.
pub fn bounded(bytes: &[u8], free: usize, times: usize, door: Door) {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    door.opens(bytes);
    let taken = MEMORY.peak_usage().saturating_sub(before);
    assert!(taken <= free + times * bytes.len(), "{taken} bytes of memory for a file of {}", bytes.len());
}
