//! The machines in `app/tests/machines`: what is found on each, and the whole report.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use engine::{Adapter, Format, Speed};
use serde::Deserialize;

use super::facts::{Facts, Session};
use super::findings::{Finding, Severity, numbers};
use super::forecast::{Ask, Fit, Forecast, Place};
use super::{Report, asks, report, system, text};

/// A machine as it is written down.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Machine {
    files: BTreeMap<String, String>,
    /// Files that cannot be opened.
    denied: Vec<String>,
    threads: usize,
    instruction_sets: Vec<String>,
    #[serde(default)]
    adapters: Vec<Adapter>,
    processor_speed: Option<Speed>,
    graphics_speed: Option<Speed>,
    session: Session,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/machines")
}

fn names() -> Vec<String> {
    let entries = std::fs::read_dir(folder()).unwrap().map(Result::unwrap);
    let folders = entries.filter(|entry| entry.path().is_dir());
    let mut names: Vec<_> = folders.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn facts(name: &str) -> Facts {
    let written = std::fs::read_to_string(folder().join(name).join("machine.toml")).unwrap();
    let machine: Machine = toml::from_str(&written).unwrap_or_else(|error| panic!("{name}: {error}"));
    let root = tempfile::tempdir().unwrap();
    for (path, content) in &machine.files {
        let path = root.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    for path in &machine.denied {
        // Nobody can open a folder for writing, whatever rights they have.
        std::fs::create_dir_all(root.path().join(path)).unwrap();
    }
    Facts {
        system: system::read(root.path()),
        adapters: machine.adapters,
        instruction_sets: machine.instruction_sets,
        threads: machine.threads,
        processor_speed: machine.processor_speed,
        graphics_speed: machine.graphics_speed,
        graphics_fault: None,
        session: machine.session,
    }
}

/// What the model asks, summed up once for all tests.
fn model() -> &'static [Ask] {
    static ASKS: OnceLock<Vec<Ask>> = OnceLock::new();
    ASKS.get_or_init(|| asks().unwrap())
}

pub(crate) fn of(name: &str, wanted: Option<Format>) -> Report {
    report(facts(name), model(), wanted)
}

fn ids(findings: &[Finding]) -> Vec<&str> {
    findings.iter().map(|finding| finding.id).collect()
}

/// The finding of this name on a machine.
fn finding(name: &str, wanted: Option<Format>, id: &str) -> Finding {
    let findings = of(name, wanted).findings;
    let told = ids(&findings).join(", ");
    findings.iter().find(|f| f.id == id).unwrap_or_else(|| panic!("{name} has {told}")).clone()
}

fn forecast(report: &Report, place: Place, format: Format) -> &Forecast {
    report.forecast.iter().find(|f| f.place == place && f.format == format.name()).unwrap()
}

#[test]
fn each_machine_gets_the_report_that_was_kept() {
    let mut others = Vec::new();
    for name in names() {
        let kept = folder().join(&name).join("report.txt");
        let told = text(&of(&name, None));
        if std::env::var_os("COLLOQUY_NEW_REPORTS").is_some() {
            std::fs::write(&kept, &told).unwrap();
        } else if std::fs::read_to_string(&kept).unwrap_or_default() != told {
            others.push(format!("{name}:\n{told}"));
        }
    }
    assert!(others.is_empty(), "{}", others.join("\n"));
}

#[test]
fn each_machine_gets_its_findings_and_no_others_the_worst_first() {
    let expected: &[(&str, &[&str])] = &[
        ("apple-like-unified", &["memory-in-use", "portable-kernels"]),
        ("arc-b580", &["disk"]),
        ("container-without-dri", &["container-without-dri", "no-microphone", "no-speaker"]),
        ("geforce-rtx-4090", &[]),
        ("lavapipe-only", &["software-driver"]),
        ("memory-8", &["too-little-memory"]),
        ("no-graphics", &["no-graphics", "no-microphone", "no-speaker"]),
        ("no-rights", &["no-rights"]),
        ("old-driver", &["driver-refused"]),
        (
            "radeon-780m-laptop",
            &["old-mesa", "carve-out", "graphics-limit", "power-profile", "no-shortcut-portal"],
        ),
        ("radeon-rx-7900-xtx", &["low-clocks"]),
        ("strix-halo-128-carve-out", &["old-mesa", "old-kernel", "carve-out", "power-profile"]),
        ("strix-halo-128-default", &[]),
        ("strix-halo-128-well-set", &[]),
        ("strix-halo-32", &["graphics-limit", "old-kernel", "power-profile"]),
        ("strix-halo-64", &["carve-out", "old-kernel", "power-profile"]),
        ("strix-halo-96", &[]),
    ];
    assert_eq!(names(), expected.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    let found: Vec<_> = names().into_iter().map(|name| (of(&name, None).findings, name)).collect();
    let told: Vec<_> = found.iter().map(|(findings, name)| (name.as_str(), ids(findings))).collect();
    let wanted: Vec<_> = expected.iter().map(|(name, ids)| (*name, ids.to_vec())).collect();
    assert_eq!(told, wanted);
    for (findings, name) in &found {
        assert!(findings.is_sorted_by_key(|finding| finding.severity), "{name}");
    }
}

#[test]
fn too_small_a_limit_of_graphics_gets_the_exact_kernel_argument() {
    let at = |name, wanted| finding(name, wanted, "graphics-limit");
    // 24 GiB of 31.5: the rest is the system's.
    let small = at("strix-halo-32", None);
    assert_eq!(small.severity, Severity::Warning);
    let edit = r#"sudo sed -i 's/^\(GRUB_CMDLINE_LINUX_DEFAULT="[^"]*\)"/\1 ttm.pages_limit=6291456"/' /etc/default/grub"#;
    assert_eq!(small.fix, [edit, "sudo update-grub", "sudo reboot"]);
    // 84 GiB for BF16, in pages of 4 KiB.
    let default = at("strix-halo-128-default", Some(Format::Bf16));
    assert_eq!(84 << 30, 22_020_096_u64 * 4096);
    let line = r#"sudo grubby --update-kernel=ALL --args="ttm.pages_limit=22020096""#;
    assert_eq!(default.fix, [line, "sudo reboot"]);
    // A size that was set before is set anew.
    let mut old = facts("strix-halo-128-default");
    old.system.gttsize = Some(62_000);
    let findings = report(old, model(), Some(Format::Bf16)).findings;
    let fix = &findings.iter().find(|f| f.id == "graphics-limit").unwrap().fix[0];
    assert!(fix.contains("ttm.pages_limit=22020096 amdgpu.gttsize=86016"), "{fix}");
    // The lower of both limits counts.
    let mut limited = facts("strix-halo-128-well-set");
    assert!(report(limited.clone(), model(), None).findings.is_empty());
    limited.system.pages_limit = Some(1 << 20);
    assert_eq!(ids(&report(limited, model(), None).findings), ["graphics-limit"]);
    assert!(of("strix-halo-128-well-set", Some(Format::Bf16)).findings.is_empty());
}

#[test]
fn a_carve_out_matters_more_where_it_keeps_the_model_out() {
    assert_eq!(finding("strix-halo-64", None, "carve-out").severity, Severity::Advice);
    assert_eq!(finding("radeon-780m-laptop", None, "carve-out").severity, Severity::Warning);
    let fix = finding("strix-halo-128-carve-out", None, "carve-out").fix;
    assert_eq!(fix, ["BIOS setup: UMA Frame Buffer Size (or iGPU Memory) = 512M"]);
    // Four GiB are the least that some firmwares offer.
    assert!(of("strix-halo-96", None).findings.is_empty());
}

#[test]
fn old_kernels_and_drivers_are_told_by_their_numbers() {
    assert_eq!(numbers("6.14.0-1014-oem"), [6, 14, 0]);
    assert_eq!(numbers("25.0.7-2~bpo12+1 (LLVM 15.0.6)"), [25, 0, 7]);
    assert_eq!(numbers("rolling"), [0u32; 0]);
    let old = finding("strix-halo-32", None, "old-kernel");
    assert_eq!((old.severity, old.fix.len()), (Severity::Warning, 2));
    assert_eq!(finding("strix-halo-64", None, "old-kernel").severity, Severity::Advice);
    // Only on Strix Halo.
    assert!(!ids(&of("radeon-780m-laptop", None).findings).contains(&"old-kernel"));
    assert_eq!(
        finding("strix-halo-128-carve-out", None, "old-mesa").fix,
        ["sudo apt install mesa-vulkan-drivers"]
    );
}

#[test]
fn what_keeps_the_graphics_processor_away_is_told_apart() {
    assert_eq!(finding("no-rights", None, "no-rights").fix[0], "sudo usermod -aG render $USER");
    let mut without = facts("no-rights");
    without.system.nodes.clear();
    assert_eq!(ids(&report(without, model(), None).findings), ["no-render-device"]);
    assert!(
        finding("container-without-dri", None, "container-without-dri").fix[0].contains("--device /dev/dri")
    );
    let missing = finding("lavapipe-only", None, "software-driver");
    assert_eq!(missing.fix, ["sudo dnf install mesa-vulkan-drivers"]);
    let mut chosen = facts("lavapipe-only");
    chosen.session.driver_variables.insert("VK_LOADER_DRIVERS_SELECT".into(), "lvp_icd*".into());
    let findings = report(chosen, model(), None).findings;
    assert_eq!(findings[0].fix, ["unset VK_LOADER_DRIVERS_SELECT"]);
    assert_eq!(finding("old-driver", None, "driver-refused").severity, Severity::Problem);
    let clocks = finding("radeon-rx-7900-xtx", None, "low-clocks").fix;
    assert_eq!(
        clocks,
        ["echo auto | sudo tee /sys/class/drm/card1/device/power_dpm_force_performance_level"]
    );
}

#[test]
fn a_graphics_processor_that_fails_to_be_measured_is_a_problem_and_not_the_end() {
    let mut facts = facts("strix-halo-128-well-set");
    (facts.graphics_speed, facts.graphics_fault) = (None, Some("the device was lost".into()));
    let report = report(facts, model(), None);
    assert_eq!(ids(&report.findings), ["graphics-fault"]);
    assert!(
        report.findings[0].what.english().contains("the device was lost"),
        "{}",
        report.findings[0].what.english()
    );
    assert_eq!(report.recommendation.map(|choice| choice.format), Some("q8_0"));
}

#[test]
fn a_format_that_can_never_fit_is_refused_with_the_numbers() {
    let refused = finding("geforce-rtx-4090", Some(Format::Bf16), "format-too-large");
    assert_eq!(refused.severity, Severity::Problem);
    assert!(
        refused.what.english().contains("66.2 GiB") && refused.what.english().contains("24.0 GiB"),
        "{}",
        refused.what.english()
    );
}

#[test]
fn the_forecast_gives_what_was_measured_on_an_h200() {
    let mut facts = facts("geforce-rtx-4090");
    let speed = Speed { device: "H200".into(), bandwidth: 4.0e12, matrix_rate: 1e14 };
    facts.graphics_speed = Some(speed);
    facts.adapters[0].heaps[0].bytes = 139 << 30;
    let report = report(facts, model(), None);
    for (format, tokens, speech) in
        [(Format::Bf16, 275.0, 0.100), (Format::Q8_0, 320.0, 0.087), (Format::Q4, 350.0, 0.086)]
    {
        let told = forecast(&report, Place::Graphics, format);
        let off = |told: Option<f64>, measured: f64| (told.unwrap() / measured - 1.0).abs();
        assert!(off(told.tokens_per_s, tokens) < 0.06, "{told:?}");
        assert!(off(told.real_time_factor, speech) < 0.08, "{told:?}");
    }
    assert_eq!(report.recommendation.unwrap().format, "bf16");
}

#[test]
fn a_machine_is_recommended_the_best_format_that_it_can_talk_with() {
    let chosen = |name: &str| of(name, None).recommendation.map(|choice| (choice.place, choice.format));
    use Place::{Graphics, Processor};
    for (name, choice) in [
        ("strix-halo-32", Some((Graphics, "q4"))),
        ("strix-halo-64", Some((Graphics, "q8_0"))),
        ("strix-halo-128-well-set", Some((Graphics, "q8_0"))),
        ("geforce-rtx-4090", Some((Graphics, "q4"))),
        ("arc-b580", Some((Processor, "q4"))),
        ("no-graphics", Some((Processor, "q8_0"))),
        ("memory-8", None),
    ] {
        assert_eq!(chosen(name), choice, "{name}");
    }
}

#[test]
fn without_measuring_the_room_is_told_and_no_speed() {
    let mut facts = facts("strix-halo-128-well-set");
    (facts.processor_speed, facts.graphics_speed) = (None, None);
    let report = report(facts, model(), None);
    let told = forecast(&report, Place::Graphics, Format::Q8_0);
    assert_eq!((told.fit, told.tokens_per_s, told.real_time_factor), (Fit::Now, None, None));
    assert_eq!(report.recommendation.unwrap().format, "q8_0");
    assert!(text(&report).contains("q8_0          35.9 GiB  yes"), "{}", text(&report));
}

#[test]
fn the_json_holds_facts_findings_and_forecast() {
    let json = serde_json::to_value(of("strix-halo-32", None)).unwrap();
    assert_eq!(json["facts"]["system"]["cards"][0]["device"], 0x1586);
    assert_eq!(json["findings"][0]["id"], "graphics-limit");
    assert_eq!(json["forecast"][0]["fit"], "never");
    assert_eq!(json["recommendation"]["format"], "q4");
}

#[test]
fn nothing_is_known_where_the_system_tells_nothing() {
    let empty = tempfile::tempdir().unwrap();
    let facts = Facts { system: system::read(empty.path()), ..Facts::default() };
    let report = report(facts, model(), None);
    let all: BTreeSet<_> = ids(&report.findings).into_iter().collect();
    assert_eq!(all, ["no-graphics", "no-microphone", "no-speaker"].into());
    assert!(report.forecast.iter().all(|f| f.fit == Fit::Unknown));
    assert!(text(&report).contains("not known"), "{}", text(&report));
}
