//! How much memory a device has left, as far as the system says.

/// Memory of a device that could be taken now.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Room {
    pub(crate) bytes: u64,
    /// Whether it is the processor's memory too, so that the processor has no more than that either.
    pub(crate) unified: bool,
}

/// Memory that could be taken without swapping. Nothing where the system does not say: only Linux does.
pub(crate) fn available_bytes() -> Option<u64> {
    field(&std::fs::read_to_string("/proc/meminfo").ok()?, "MemAvailable")
}

/// `Name:   123 kB` in bytes.
pub(crate) fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// What an adapter at `pci_bus_id` (as `0000:c3:00.0`) could take. Where it shares the processor's memory, what its driver lets it
/// have of that counts besides its own.
pub(super) fn of_adapter(pci_bus_id: &str, unified: bool) -> Option<Room> {
    let counter = |name: &str| {
        let path = format!("/sys/bus/pci/devices/{pci_bus_id}/mem_info_{name}");
        std::fs::read_to_string(path).ok()?.trim().parse().ok()
    };
    let bytes = match (unified, pci_bus_id.is_empty()) {
        (_, false) => from_counters(counter, unified, available_bytes()),
        (true, true) => available_bytes(),
        (false, true) => None,
    };
    Some(Room { bytes: bytes?, unified })
}

/// The driver of AMD's adapters counts their own memory (`vram`) and what they may take of the processor's (`gtt`).
fn from_counters(
    counter: impl Fn(&str) -> Option<u64>,
    unified: bool,
    available: Option<u64>,
) -> Option<u64> {
    let free = |kind: &str| {
        let (total, used) = (counter(&format!("{kind}_total"))?, counter(&format!("{kind}_used"))?);
        Some(total.saturating_sub(used))
    };
    match (free("vram"), unified) {
        (Some(own), true) => {
            let lent = free("gtt").unwrap_or(0);
            Some(own + available.map_or(lent, |available| lent.min(available)))
        }
        (None, true) => available,
        (own, false) => own,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kilobytes_become_bytes_and_other_lines_nothing() {
        let text = "Name:\tx\nVmHWMX: 1 kB\nVmHWM:\t   12 kB\nVmRSS: many\n";
        assert_eq!(field(text, "VmHWM"), Some(12 * 1024));
        assert_eq!(field(text, "VmRSS"), None);
        assert_eq!(field(text, "Absent"), None);
    }

    #[test]
    fn an_adapter_has_its_own_memory_and_what_is_free_of_that_it_shares() {
        let amd = |name: &str| match name {
            "vram_total" => Some(512),
            "vram_used" => Some(112),
            "gtt_total" => Some(60_000),
            "gtt_used" => Some(10_000),
            _ => None,
        };
        assert_eq!(from_counters(amd, true, Some(90_000)), Some(400 + 50_000));
        assert_eq!(from_counters(amd, true, Some(7_000)), Some(400 + 7_000));
        assert_eq!(from_counters(amd, false, Some(7_000)), Some(400));
        let silent = |_: &str| None;
        assert_eq!(from_counters(silent, true, Some(7_000)), Some(7_000));
        assert_eq!(from_counters(silent, false, Some(7_000)), None, "nothing is known of it");
    }
}
