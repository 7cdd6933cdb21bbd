//! What holds graphics back that share the processor's memory, as AMD builds them: Strix Halo first of all.

use super::facts::{Facts, PAGE};
use super::findings::{Finding, Severity, gib, is_amd_apu, numbers};
use super::fixes;
use super::forecast::{CARVE_OUT, Fit, Forecast, Place, RESERVE};
use super::words::words;

/// A carve-out up to this is what some firmwares call their smallest.
const SMALL_CARVE_OUT: u64 = 4 << 30;

/// Kernels from here on let ROCm, which other programs use, see all of a large carve-out.
const FULL_MEMORY: [u32; 3] = [6, 16, 9];

/// Kernels from here on are free of a fault by which computing is reported to be unstable on Strix Halo.
const STABLE: [u32; 3] = [6, 18, 4];

/// What a limit of graphics memory is rounded up to.
const STEP: u64 = 4 << 30;

/// The findings of a machine whose graphics are of this kind; none of another.
pub(super) fn examine(facts: &Facts, aim: Option<&Forecast>) -> Vec<Finding> {
    if !is_amd_apu(facts) {
        return Vec::new();
    }
    let aim = aim.filter(|aim| aim.place == Place::Graphics && aim.fit != Fit::Never);
    let limit = aim.and_then(|aim| limit(facts, aim));
    let findings = [carve_out(facts, limit.is_some()), limit, old_kernel(facts)];
    findings.into_iter().flatten().collect()
}

/// The firmware keeps more for graphics alone than that needs.
fn carve_out(facts: &Facts, lacks_room: bool) -> Option<Finding> {
    let own = facts.card()?.vram_total?;
    if own <= 2 * CARVE_OUT || own <= SMALL_CARVE_OUT && !lacks_room {
        return None;
    }
    let severity = if lacks_room { Severity::Warning } else { Severity::Advice };
    let title = words!("The firmware sets too much memory aside for graphics");
    let what = words!(
        "%{bytes} are graphics' alone, and nothing else can use them. 512 MiB, or the least that can be chosen, \
         suffice: graphics take what they need of the rest.",
        bytes = gib(own)
    );
    let fix = vec!["BIOS setup: UMA Frame Buffer Size (or iGPU Memory) = 512M".into()];
    Some(Finding::new("carve-out", severity, title, what).with(fix))
}

/// Graphics may take less of the system's memory than the model needs.
fn limit(facts: &Facts, aim: &Forecast) -> Option<Finding> {
    let now = facts.gtt_limit()?;
    let own = facts.card()?.vram_total.unwrap_or(0);
    if own + now >= aim.memory {
        return None;
    }
    // A quarter more than the model: pictures, long conversations and the desktop need some.
    let most = facts.all_memory().saturating_sub(RESERVE + CARVE_OUT) / STEP * STEP;
    let wanted = (aim.memory + aim.memory / 4).div_ceil(STEP).saturating_mul(STEP);
    let bytes = if most >= aim.memory { wanted.min(most) } else { aim.memory.next_multiple_of(1 << 20) };
    let mut arguments = format!("ttm.pages_limit={}", bytes / PAGE);
    if facts.system.gttsize.is_some_and(|mib| mib >= 0) {
        // It was set before, and would win.
        arguments += &format!(" amdgpu.gttsize={}", bytes >> 20);
    }
    let title = words!("Graphics may take too little of the memory");
    let what = words!(
        "%{format} needs %{needs}; graphics have %{own} of their own and may take %{lent} of the system's. The kernel's \
         argument %{arguments} allows %{bytes}.",
        format = aim.format,
        needs = gib(aim.memory),
        own = gib(own),
        lent = gib(now),
        arguments = arguments,
        bytes = gib(bytes)
    );
    let fix = fixes::kernel_arguments(&facts.system, &arguments);
    Some(Finding::new("graphics-limit", Severity::Warning, title, what).with(fix))
}

fn old_kernel(facts: &Facts) -> Option<Finding> {
    facts.card().filter(|card| card.is_strix_halo())?;
    let (kernel, version) = (&facts.system.kernel, numbers(&facts.system.kernel));
    if version.is_empty() || version >= STABLE.to_vec() {
        return None;
    }
    let title = words!("An old kernel");
    let is_older = version < FULL_MEMORY.to_vec();
    let severity = if is_older { Severity::Warning } else { Severity::Advice };
    let what = if is_older {
        words!(
            "It is %{kernel}. Before 6.18.4 computing is reported to be unstable on Strix Halo, unless the distribution \
             has mended that. Before 6.16.9 ROCm sees only 15.5 GiB of a larger carve-out, too.",
            kernel = kernel
        )
    } else {
        words!(
            "It is %{kernel}. Before 6.18.4 computing is reported to be unstable on Strix Halo, unless the distribution \
             has mended that.",
            kernel = kernel
        )
    };
    let fix = fixes::kernel(&facts.system);
    Some(Finding::new("old-kernel", severity, title, what).with(fix))
}
