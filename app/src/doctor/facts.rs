//! What was found of this machine: plain data, without a judgement.

use std::collections::BTreeMap;

use engine::{Adapter, AdapterKind, Speed};
use serde::{Deserialize, Serialize};

/// Everything that was found.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Facts {
    /// What the system's files tell.
    pub(crate) system: System,
    /// Adapters of graphics, the best first.
    pub(crate) adapters: Vec<Adapter>,
    /// What the kernels are written for and this processor has, the widest last.
    pub(crate) instruction_sets: Vec<String>,
    /// Threads that the processor runs at once.
    pub(crate) threads: usize,
    /// Measured rates of the processor.
    pub(crate) processor_speed: Option<Speed>,
    /// Measured rates of the graphics processor that the model would run on.
    pub(crate) graphics_speed: Option<Speed>,
    /// Why that one could not be measured, where it could not.
    pub(crate) graphics_fault: Option<String>,
    /// What belongs to the person's session.
    pub(crate) session: Session,
}

/// What the system's files tell.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct System {
    /// The distribution, in its own words.
    pub(crate) name: String,
    /// Its short names, its own and those that it derives from.
    pub(crate) family: Vec<String>,
    /// The kernel's version.
    pub(crate) kernel: String,
    /// The machine's maker and model.
    pub(crate) product: String,
    /// The processor's name.
    pub(crate) processor: String,
    /// Memory.
    pub(crate) memory: Memory,
    /// Whether this is a container.
    pub(crate) container: bool,
    /// Graphics cards that the kernel knows.
    pub(crate) cards: Vec<Card>,
    /// Devices below `/dev/dri` that programs compute with.
    pub(crate) nodes: Vec<Node>,
    /// `ttm.pages_limit`, in pages of 4 KiB: what graphics may take of the system's memory.
    pub(crate) pages_limit: Option<u64>,
    /// `amdgpu.gttsize`, in MiB; -1 leaves it to the driver.
    pub(crate) gttsize: Option<i64>,
    /// The firmware's power profile.
    pub(crate) power_profile: Option<String>,
}

/// Memory in bytes; 0 where it is not known.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Memory {
    /// All that the system has.
    pub(crate) total: u64,
    /// What could be taken without swapping.
    pub(crate) available: u64,
    /// Swap.
    pub(crate) swap_total: u64,
    /// Swap that is free.
    pub(crate) swap_free: u64,
}

/// A graphics card as the kernel knows it. Sizes are in bytes, and only amdgpu tells them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Card {
    /// `card0`.
    pub(crate) name: String,
    /// PCI number of its maker.
    pub(crate) vendor: u32,
    /// PCI number of its model.
    pub(crate) device: u32,
    /// Its kernel driver.
    pub(crate) driver: String,
    /// Where it sits, as `0000:c3:00.0`.
    pub(crate) slot: String,
    /// Memory of its own, or set aside for it by the firmware.
    pub(crate) vram_total: Option<u64>,
    /// What of that is taken.
    pub(crate) vram_used: Option<u64>,
    /// What it may take of the system's memory.
    pub(crate) gtt_total: Option<u64>,
    /// What of that is taken.
    pub(crate) gtt_used: Option<u64>,
    /// How its clocks are chosen.
    pub(crate) performance_level: Option<String>,
}

/// A device that programs compute with.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Node {
    /// Its file.
    pub(crate) path: String,
    /// Whether this person may open it.
    pub(crate) opens: bool,
}

/// What belongs to the person's session.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Session {
    /// `x11` or `wayland`.
    pub(crate) kind: Option<String>,
    /// Microphones.
    pub(crate) microphones: Vec<String>,
    /// Speakers.
    pub(crate) speakers: Vec<String>,
    /// Portals of the desktop.
    pub(crate) portals: Vec<String>,
    /// Variables that choose a Vulkan driver, where they are set.
    pub(crate) driver_variables: BTreeMap<String, String>,
    /// Folder where models are kept.
    pub(crate) models: Option<String>,
    /// Bytes that are free there.
    pub(crate) disk_free: Option<u64>,
}

/// PCI number of AMD.
pub(crate) const AMD: u32 = 0x1002;

/// Bytes of a page, in which the limit of graphics is counted.
pub(crate) const PAGE: u64 = 4096;

/// PCI number of NVIDIA.
pub(crate) const NVIDIA: u32 = 0x10de;

/// PCI number of the graphics in Strix Halo (gfx1151).
const STRIX_HALO: u32 = 0x1586;

impl Facts {
    /// The graphics processor that the model would run on.
    pub(crate) fn graphics(&self) -> Option<&Adapter> {
        self.adapters.iter().find(|a| a.refusal.is_none() && a.kind != AdapterKind::Software)
    }

    /// The card of that graphics processor, where the kernel tells of it.
    pub(crate) fn card(&self) -> Option<&Card> {
        let adapter = self.graphics()?;
        let same_model = |card: &&Card| (card.vendor, card.device) == (adapter.vendor, adapter.device);
        let by_slot = self.system.cards.iter().find(|c| !c.slot.is_empty() && c.slot == adapter.pci_bus_id);
        by_slot.or_else(|| self.system.cards.iter().find(same_model))
    }

    /// Whether its graphics processor shares the processor's memory.
    pub(crate) fn is_unified(&self) -> bool {
        self.graphics().is_some_and(|adapter| adapter.kind == AdapterKind::Integrated)
    }

    /// What its graphics processor may take of the system's memory: the card's own limit, and that of all graphics.
    pub(crate) fn gtt_limit(&self) -> Option<u64> {
        let own = self.card()?.gtt_total?;
        Some(self.system.pages_limit.map_or(own, |pages| own.min(pages.saturating_mul(PAGE))))
    }

    /// A card that is real, whether or not a driver is there for it.
    pub(crate) fn hardware(&self) -> Option<&Card> {
        self.system.cards.iter().find(|card| card.is_hardware())
    }

    /// Memory of the machine that the system or its graphics can have: what the firmware sets aside is not in the system's total.
    pub(crate) fn all_memory(&self) -> u64 {
        let carve_out = self.card().filter(|_| self.is_unified()).and_then(|card| card.vram_total);
        self.system.memory.total + carve_out.unwrap_or(0)
    }
}

impl Card {
    /// Whether it is a Strix Halo.
    pub(crate) fn is_strix_halo(&self) -> bool {
        (self.vendor, self.device) == (AMD, STRIX_HALO)
    }

    /// Whether it computes, and is not a plain display of a server or a virtual machine.
    pub(crate) fn is_hardware(&self) -> bool {
        matches!(self.driver.as_str(), "amdgpu" | "i915" | "xe" | "nvidia" | "nouveau" | "asahi")
    }
}
