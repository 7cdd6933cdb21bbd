//! Reads what the system's files tell, below a root folder: the machine's own, or one that was recorded.

use std::fs::OpenOptions;
use std::path::Path;

use super::facts::{Card, Memory, Node, System};

/// What the files below `root` tell. What is not there is left out.
pub(crate) fn read(root: &Path) -> System {
    let text = |path: &str| read_line(&root.join(path));
    let family = ["ID", "ID_LIKE"].into_iter().filter_map(|name| stated(root, name));
    let (name, kernel) = identity(root);
    let mut system = System {
        name,
        family: family.flat_map(|ids| ids.split(' ').map(str::to_owned).collect::<Vec<_>>()).collect(),
        kernel,
        product: product(root),
        processor: processor(root),
        memory: memory(root),
        container: ["run/.containerenv", ".dockerenv"].iter().any(|path| root.join(path).exists()),
        cards: names(&root.join("sys/class/drm"), is_card).iter().map(|name| card(root, name)).collect(),
        nodes: Vec::new(),
        pages_limit: number(root, "sys/module/ttm/parameters/pages_limit"),
        gttsize: text("sys/module/amdgpu/parameters/gttsize").and_then(|text| text.parse().ok()),
        power_profile: text("sys/firmware/acpi/platform_profile"),
    };
    for name in names(&root.join("dev/dri"), |name| name.starts_with("renderD")) {
        let opens = OpenOptions::new().read(true).write(true).open(root.join("dev/dri").join(&name)).is_ok();
        system.nodes.push(Node { path: format!("/dev/dri/{name}"), opens });
    }
    system
}

/// What the system below `root` calls itself, and its kernel's version, which is empty where nothing tells it.
pub(crate) fn identity(root: &Path) -> (String, String) {
    let name = stated(root, "PRETTY_NAME").unwrap_or_else(|| std::env::consts::OS.into());
    (name, read_line(&root.join("proc/sys/kernel/osrelease")).unwrap_or_default())
}

/// What the system states about itself under this name.
fn stated(root: &Path, name: &str) -> Option<String> {
    let release = std::fs::read_to_string(root.join("etc/os-release")).ok()?;
    let value = release.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    value.map(|value| value.trim_matches('"').to_owned())
}

/// The first line of a short file.
fn read_line(path: &Path) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().next()?.trim();
    (!line.is_empty()).then(|| line.to_owned())
}

fn number(root: &Path, path: &str) -> Option<u64> {
    read_line(&root.join(path))?.parse().ok()
}

/// Names in a folder, in their order.
fn names(folder: &Path, wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.retain(|name| wanted(name));
    names.sort();
    names
}

/// `card0`, but not its outputs such as `card0-DP-1`.
fn is_card(name: &str) -> bool {
    let number = name.strip_prefix("card");
    number.is_some_and(|number| !number.is_empty() && number.chars().all(|c| c.is_ascii_digit()))
}

fn card(root: &Path, name: &str) -> Card {
    let folder = format!("sys/class/drm/{name}/device");
    let text = |file: &str| read_line(&root.join(&folder).join(file));
    let bytes = |file: &str| text(file)?.parse().ok();
    let id = |file: &str| {
        let text = text(file).unwrap_or_default();
        u32::from_str_radix(text.trim_start_matches("0x"), 16).unwrap_or(0)
    };
    let event = std::fs::read_to_string(root.join(&folder).join("uevent")).unwrap_or_default();
    let stated = |key: &str| {
        let value = event.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        value.unwrap_or_default().to_owned()
    };
    Card {
        name: name.to_owned(),
        vendor: id("vendor"),
        device: id("device"),
        driver: stated("DRIVER"),
        slot: stated("PCI_SLOT_NAME"),
        vram_total: bytes("mem_info_vram_total"),
        vram_used: bytes("mem_info_vram_used"),
        gtt_total: bytes("mem_info_gtt_total"),
        gtt_used: bytes("mem_info_gtt_used"),
        performance_level: text("power_dpm_force_performance_level"),
    }
}

fn product(root: &Path) -> String {
    let part = |file| read_line(&root.join("sys/class/dmi/id").join(file));
    let parts: Vec<_> = [part("sys_vendor"), part("product_name")].into_iter().flatten().collect();
    match &parts[..] {
        // Machines without DMI.
        [] => read_line(&root.join("proc/device-tree/model"))
            .map_or_else(String::new, |model| model.trim_end_matches('\0').to_owned()),
        [maker, model] if model.starts_with(maker.as_str()) => model.clone(),
        parts => parts.join(" "),
    }
}

fn processor(root: &Path) -> String {
    let text = std::fs::read_to_string(root.join("proc/cpuinfo")).unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("model name"));
    name.map_or_else(String::new, |name| name.trim_start_matches([' ', '\t', ':']).trim().to_owned())
}

fn memory(root: &Path) -> Memory {
    let text = std::fs::read_to_string(root.join("proc/meminfo")).unwrap_or_default();
    let bytes = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
        kib.unwrap_or(0).saturating_mul(1024)
    };
    Memory {
        total: bytes("MemTotal"),
        available: bytes("MemAvailable"),
        swap_total: bytes("SwapTotal"),
        swap_free: bytes("SwapFree"),
    }
}
