//! What holds a machine back, and the lines that mend it: a pure function of the facts.

use engine::AdapterKind;
use serde::Serialize;

use super::facts::{AMD, Facts};
use super::forecast::{Fit, Forecast, Place, RESERVE, room};
use super::words::{Words, words};
use super::{fixes, strix_halo};

/// How much a finding matters, the worst first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Severity {
    /// Something does not work.
    Problem,
    /// Something works badly, or the recommended format has no room.
    Warning,
    /// Something could be better.
    Advice,
}

/// Something that holds the machine back.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub(crate) struct Finding {
    /// Its name, which stays the same.
    pub(crate) id: &'static str,
    /// How much it matters.
    pub(crate) severity: Severity,
    /// In a few words.
    pub(crate) title: Words,
    /// What it is and what it does.
    pub(crate) what: Words,
    /// Lines to type, or settings to make, one after the other.
    pub(crate) fix: Vec<String>,
}

impl Finding {
    pub(super) fn new(id: &'static str, severity: Severity, title: Words, what: Words) -> Finding {
        Finding { id, severity, title, what, fix: Vec::new() }
    }

    pub(super) fn with(self, fix: Vec<String>) -> Finding {
        Finding { fix, ..self }
    }
}

/// The oldest Mesa whose compiler the shaders are checked with.
const OLDEST_MESA: [u32; 2] = [25, 0];

/// What holds the machine back, the worst first. `aim` is the forecast that is to come true.
pub(crate) fn examine(facts: &Facts, aim: Option<&Forecast>) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(graphics(facts));
    findings.extend(fault(facts));
    findings.extend(old_mesa(facts));
    findings.extend(strix_halo::examine(facts, aim));
    findings.extend(power(facts));
    findings.extend(memory(facts, aim));
    findings.extend(disk(facts, aim));
    findings.extend(processor(facts));
    findings.extend(session(facts));
    findings.sort_by_key(|finding| finding.severity);
    findings
}

/// Whole and tenths of GiB.
pub(crate) fn gib(bytes: u64) -> String {
    format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30))
}

/// Why the model would run on the processor, where it would.
fn graphics(facts: &Facts) -> Option<Finding> {
    use Severity::{Advice, Problem};
    if facts.graphics().is_some() {
        return None;
    }
    let system = &facts.system;
    if let Some(refused) = facts.adapters.iter().find(|a| a.kind != AdapterKind::Software) {
        let reason = refused.refusal.clone().unwrap_or_default();
        let what = words!(
            "%{name} cannot run the model: %{reason}. A newer driver may help.",
            name = refused.name,
            reason = reason
        );
        let fix = fixes::driver(system, refused.vendor);
        return Some(
            Finding::new("driver-refused", Problem, words!("The graphics driver lacks something"), what)
                .with(fix),
        );
    }
    let Some(card) = facts.hardware() else {
        let title = words!("No graphics processor");
        let what = words!("The model would run on the processor.");
        return Some(Finding::new("no-graphics", Advice, title, what));
    };
    if system.nodes.is_empty() && system.container {
        let title = words!("The graphics processor is not handed into this container");
        let what = words!(
            "The kernel has %{card} (%{driver}), but there is no /dev/dri here.",
            card = card.name,
            driver = card.driver
        );
        return Some(Finding::new("container-without-dri", Problem, title, what).with(fixes::passing()));
    }
    if card.driver != "nvidia" {
        if system.nodes.is_empty() {
            let title = words!("The graphics driver made no device");
            let what = words!(
                "The kernel has %{card} (%{driver}), but /dev/dri has no renderD device.",
                card = card.name,
                driver = card.driver
            );
            let fix = vec!["sudo dmesg | grep -iE 'drm|amdgpu|i915|xe'".into()];
            return Some(Finding::new("no-render-device", Problem, title, what).with(fix));
        }
        if let Some(node) = system.nodes.iter().find(|_| system.nodes.iter().all(|node| !node.opens)) {
            let title = words!("No right to use the graphics processor");
            let what = words!(
                "%{path} cannot be opened; usually the group render may. Log out and in again after that.",
                path = node.path
            );
            return Some(Finding::new("no-rights", Problem, title, what).with(fixes::rights()));
        }
    }
    let variables: Vec<_> = facts.session.driver_variables.keys().cloned().collect();
    let software = facts.adapters.first().map(|adapter| adapter.name.as_str());
    let title = words!("Only a software Vulkan driver is used");
    if variables.is_empty() {
        let driver = &card.driver;
        let what = match software {
            Some(name) => words!(
                "There is a graphics processor (%{driver}), but Vulkan finds %{name}.",
                driver = driver,
                name = name
            ),
            None => words!(
                "There is a graphics processor (%{driver}), but Vulkan finds no driver at all.",
                driver = driver
            ),
        };
        let fix = fixes::driver(system, card.vendor);
        return Some(Finding::new("software-driver", Problem, title, what).with(fix));
    }
    let names = variables.join(", ");
    let what = match software {
        Some(name) => words!(
            "%{variables} sets Vulkan's drivers, which leaves %{name}.",
            variables = names,
            name = name
        ),
        None => {
            words!("%{variables} sets Vulkan's drivers, which leaves no driver at all.", variables = names)
        }
    };
    let fix = vec![format!("unset {}", variables.join(" "))];
    Some(Finding::new("software-driver", Problem, title, what).with(fix))
}

/// The graphics processor is there and does not compute.
fn fault(facts: &Facts) -> Option<Finding> {
    let (adapter, error) = (facts.graphics()?, facts.graphics_fault.as_ref()?);
    let title = words!("The graphics processor does not compute");
    let what = words!(
        "%{name} could not be measured: %{error}. Another driver may help.",
        name = adapter.name,
        error = error
    );
    let fix = fixes::driver(&facts.system, adapter.vendor);
    Some(Finding::new("graphics-fault", Severity::Problem, title, what).with(fix))
}

fn old_mesa(facts: &Facts) -> Option<Finding> {
    let adapter = facts.graphics()?;
    let version = adapter.version.strip_prefix("Mesa ")?;
    if numbers(version) >= OLDEST_MESA.to_vec() {
        return None;
    }
    let title = words!("An old Mesa");
    let what = words!(
        "The driver is Mesa %{version}. The shaders are checked with %{oldest} and later.",
        version = version,
        oldest = OLDEST_MESA.map(|number| number.to_string()).join(".")
    );
    let fix = fixes::driver(&facts.system, adapter.vendor);
    Some(Finding::new("old-mesa", Severity::Warning, title, what).with(fix))
}

/// The numbers that a version begins with: `6.14.0-1014-oem` has three.
pub(super) fn numbers(version: &str) -> Vec<u32> {
    let end = version.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(version.len());
    version[..end].split('.').map_while(|part| part.parse().ok()).collect()
}

fn power(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    let profile = facts.system.power_profile.as_deref();
    if let Some(profile) = profile.filter(|profile| *profile != "performance") {
        let title = words!("The power profile saves power");
        let what = words!(
            "It is \"%{profile}\". Answers are faster with \"performance\", and the battery is empty sooner.",
            profile = profile
        );
        let fix = vec!["powerprofilesctl set performance".into()];
        findings.push(Finding::new("power-profile", Severity::Advice, title, what).with(fix));
    }
    if let Some(card) = facts.card().filter(|card| card.performance_level.as_deref() == Some("low")) {
        let title = words!("The graphics processor is held at its lowest clocks");
        let file = format!("/sys/class/drm/{}/device/power_dpm_force_performance_level", card.name);
        let what = words!("%{file} says \"low\".", file = file);
        let fix = vec![format!("echo auto | sudo tee {file}")];
        findings.push(Finding::new("low-clocks", Severity::Warning, title, what).with(fix));
    }
    findings
}

/// Whether programs that run now leave too little room, or the machine has too little.
fn memory(facts: &Facts, aim: Option<&Forecast>) -> Option<Finding> {
    let memory = facts.system.memory;
    let Some(aim) = aim else {
        let title = words!("Too little memory for the large model");
        let most = [Place::Graphics, Place::Processor].into_iter().filter_map(|place| room(facts, place));
        let most = most.map(|room| room.most).max()?;
        let what = words!("It could have %{most} at most. The small model runs well.", most = gib(most));
        return Some(Finding::new("too-little-memory", Severity::Advice, title, what));
    };
    if aim.fit == Fit::Never {
        let most = room(facts, aim.place)?.most;
        let title = words!("The format does not fit");
        let what = words!(
            "%{format} needs %{needs}, and at most %{most} could be had. Choose a smaller format.",
            format = aim.format,
            needs = gib(aim.memory),
            most = gib(most)
        );
        return Some(Finding::new("format-too-large", Severity::Problem, title, what));
    }
    let shares = aim.place == Place::Processor || facts.is_unified();
    // What is taken now, beyond what a system keeps anyway.
    let taken = memory.total.saturating_sub(memory.available);
    if aim.fit != Fit::Later || !shares || memory.available >= aim.memory || taken <= RESERVE {
        return None;
    }
    let title = words!("Other programs take the memory");
    let what = words!(
        "%{format} needs %{needs}, and %{available} are available.",
        format = aim.format,
        needs = gib(aim.memory),
        available = gib(memory.available)
    );
    let fix = vec!["ps axo rss,comm --sort=-rss | head".into()];
    Some(Finding::new("memory-in-use", Severity::Warning, title, what).with(fix))
}

fn disk(facts: &Facts, aim: Option<&Forecast>) -> Option<Finding> {
    let (free, folder) = (facts.session.disk_free?, facts.session.models.as_deref()?);
    let aim = aim.filter(|aim| free < aim.memory)?;
    let title = words!("Too little room on the disk");
    let what = words!(
        "%{format} needs %{needs}, and %{folder} has %{free} free.",
        format = aim.format,
        needs = gib(aim.memory),
        folder = folder,
        free = gib(free)
    );
    let fix = vec![format!("du -h --max-depth=1 {folder}")];
    Some(Finding::new("disk", Severity::Warning, title, what).with(fix))
}

fn processor(facts: &Facts) -> Option<Finding> {
    let widest = facts.instruction_sets.last()?;
    let title = words!("The processor has no instruction set that the kernels are written for");
    let what = words!("Whatever runs on the processor is slow: they are written for AVX2 and AVX-512.");
    (widest == "portable").then(|| Finding::new("portable-kernels", Severity::Advice, title, what))
}

fn session(facts: &Facts) -> Vec<Finding> {
    use Severity::Advice;
    let session = &facts.session;
    let mut findings = Vec::new();
    if session.microphones.is_empty() {
        let what = words!("Questions can only be typed.");
        findings.push(Finding::new("no-microphone", Advice, words!("No microphone"), what));
    }
    if session.speakers.is_empty() {
        let what = words!("Answers can only be read.");
        findings.push(Finding::new("no-speaker", Advice, words!("No speaker"), what));
    }
    let shortcuts = session.portals.iter().any(|name| name == "GlobalShortcuts");
    if session.kind.as_deref() == Some("wayland") && !shortcuts {
        let title = words!("The desktop gives no key for talking from anywhere");
        let what = words!("It has no GlobalShortcuts portal. Bind a key in its own settings to this line.");
        let fix = vec!["colloquy remote toggle".into()];
        findings.push(Finding::new("no-shortcut-portal", Advice, title, what).with(fix));
    }
    findings
}

/// Whether it is graphics of AMD's that shares the processor's memory.
pub(super) fn is_amd_apu(facts: &Facts) -> bool {
    facts.is_unified() && facts.card().is_some_and(|card| card.vendor == AMD)
}
