//! What was found of the machine, line by line.

use engine::{Adapter, AdapterKind, Speed};

use super::facts::Facts;
use super::findings::gib;
use super::words::{Words, words};

/// A line about the machine.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// What it is about; `None` where it goes on with the line before.
    pub(crate) name: Option<Words>,
    /// What is said of it.
    parts: Vec<Words>,
}

impl Row {
    /// What is said, with commas.
    pub(crate) fn join(&self, say: fn(&Words) -> String) -> String {
        self.parts.iter().map(say).collect::<Vec<_>>().join(", ")
    }
}

/// All lines.
pub(crate) fn rows(facts: &Facts) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut add = |name: Option<Words>, parts: Vec<Option<Words>>| {
        let parts: Vec<_> = parts.into_iter().flatten().collect();
        if !parts.is_empty() {
            rows.push(Row { name, parts });
        }
    };
    let system = &facts.system;
    add(Some(words!("Machine")), vec![text(&system.product)]);
    let kernel = text(&system.kernel).map(|_| words!("kernel %{version}", version = system.kernel));
    add(Some(words!("System")), vec![text(&system.name), kernel]);
    add(None, vec![system.container.then(|| words!("inside a container"))]);
    let threads = words!("%{n} threads", n = facts.threads);
    let sets = facts.instruction_sets.last().and_then(|set| text(set));
    add(Some(words!("Processor")), vec![text(&system.processor), Some(threads), sets]);
    add(None, rates(facts.processor_speed.as_ref()));
    let memory = system.memory;
    if memory.total > 0 {
        let swap = match memory.swap_total {
            0 => words!("no swap"),
            total => words!("%{bytes} swap", bytes = gib(total)),
        };
        let available = words!("%{bytes} available", bytes = gib(memory.available));
        add(Some(words!("Memory")), vec![Some(Words::plain(gib(memory.total))), Some(available), Some(swap)]);
    }
    for (index, adapter) in facts.adapters.iter().enumerate() {
        add((index == 0).then(|| words!("Graphics")), adapter_parts(adapter));
        if facts.graphics() == Some(adapter) {
            add(None, graphics_memory(facts, adapter));
            let missing = text(&adapter.missing.join(", "));
            add(
                None,
                vec![missing.map(|missing| words!("without %{features}", features = missing.english()))],
            );
            add(None, rates(facts.graphics_speed.as_ref()));
        }
    }
    let session = &facts.session;
    if let (Some(folder), Some(free)) = (&session.models, session.disk_free) {
        let told = words!("%{bytes} free for %{folder}", bytes = gib(free), folder = folder);
        add(Some(words!("Disk")), vec![Some(told)]);
    }
    let microphones = match session.microphones.len() {
        1 => words!("1 microphone"),
        n => words!("%{n} microphones", n = n),
    };
    let speakers = match session.speakers.len() {
        1 => words!("1 speaker"),
        n => words!("%{n} speakers", n = n),
    };
    let portals = match session.portals.len() {
        1 => words!("1 portal"),
        n => words!("%{n} portals", n = n),
    };
    add(Some(words!("Sound")), vec![Some(microphones), Some(speakers)]);
    let kind = session.kind.as_deref().and_then(text);
    add(Some(words!("Desktop")), vec![kind, Some(portals)]);
    rows
}

fn adapter_parts(adapter: &Adapter) -> Vec<Option<Words>> {
    let kind = match adapter.kind {
        AdapterKind::Discrete => Some(words!("discrete")),
        AdapterKind::Integrated => Some(words!("shares the memory")),
        AdapterKind::Virtual => Some(words!("virtual")),
        AdapterKind::Software => Some(words!("a program of the processor")),
        AdapterKind::Unknown => None,
    };
    let driver = format!("{} {}", adapter.driver, adapter.version);
    let refusal = adapter.refusal.as_deref().filter(|reason| !reason.is_empty());
    let refused = refusal.map(|reason| words!("refused: %{reason}", reason = reason));
    vec![text(&adapter.name), text(driver.trim()), text(&adapter.backend), kind, refused]
}

fn graphics_memory(facts: &Facts, adapter: &Adapter) -> Vec<Option<Words>> {
    if let Some(own) = facts.card().and_then(|card| card.vram_total) {
        let lent =
            facts.gtt_limit().map(|bytes| words!("may take %{bytes} of the system's", bytes = gib(bytes)));
        return vec![Some(words!("%{bytes} of its own", bytes = gib(own))), lent];
    }
    let heap = adapter.heaps.iter().filter(|heap| heap.device_local).map(|heap| heap.bytes).max();
    vec![heap.map(|bytes| words!("%{bytes} for graphics", bytes = gib(bytes)))]
}

fn rates(speed: Option<&Speed>) -> Vec<Option<Words>> {
    let Some(speed) = speed else { return vec![] };
    let reads = words!("reads %{rate} GB/s", rate = format!("{:.0}", speed.bandwidth / 1e9));
    let computes = words!("computes %{rate} TFLOP/s", rate = format!("{:.2}", speed.matrix_rate / 1e12));
    vec![Some(reads), Some(computes)]
}

/// A text that is the same in every language; `None` where there is none.
fn text(text: &str) -> Option<Words> {
    (!text.is_empty()).then(|| Words::plain(text))
}
