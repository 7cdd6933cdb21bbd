//! The lines that mend something, as the distribution at hand wants them.

use super::facts::{AMD, NVIDIA, System};

/// Which distribution's tools there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Family {
    Debian,
    Fedora,
    Arch,
    Other,
}

fn family(system: &System) -> Family {
    let is = |name: &str| system.family.iter().any(|id| id == name);
    match () {
        () if is("debian") || is("ubuntu") => Family::Debian,
        () if is("fedora") || is("rhel") => Family::Fedora,
        () if is("arch") => Family::Arch,
        () => Family::Other,
    }
}

fn is_ubuntu(system: &System) -> bool {
    system.family.first().is_some_and(|id| id == "ubuntu")
}

/// Starts the kernel with more arguments from the next time on. Where one is given twice, the last counts.
pub(super) fn kernel_arguments(system: &System, arguments: &str) -> Vec<String> {
    let edit = format!(
        r#"sudo sed -i 's/^\(GRUB_CMDLINE_LINUX_DEFAULT="[^"]*\)"/\1 {arguments}"/' /etc/default/grub"#
    );
    let lines = match family(system) {
        Family::Fedora => vec![format!("sudo grubby --update-kernel=ALL --args=\"{arguments}\"")],
        Family::Debian => vec![edit, "sudo update-grub".into()],
        Family::Arch => vec![edit, "sudo grub-mkconfig -o /boot/grub/grub.cfg".into()],
        Family::Other => return vec![arguments.to_owned()],
    };
    lines.into_iter().chain(["sudo reboot".to_owned()]).collect()
}

/// Installs the newest kernel that the distribution has.
pub(super) fn kernel(system: &System) -> Vec<String> {
    let has_newer = is_ubuntu(system) && system.name.contains("24.04");
    let line = match family(system) {
        Family::Debian if has_newer => "sudo apt install linux-generic-hwe-24.04",
        Family::Debian if is_ubuntu(system) => "sudo apt full-upgrade",
        Family::Debian => "sudo apt install -t stable-backports linux-image-amd64 firmware-amd-graphics",
        Family::Fedora => "sudo dnf upgrade kernel linux-firmware",
        Family::Arch => "sudo pacman -Syu linux linux-firmware",
        Family::Other => return Vec::new(),
    };
    vec![line.to_owned(), "sudo reboot".to_owned()]
}

/// Installs the Vulkan driver of a maker's graphics.
pub(super) fn driver(system: &System, vendor: u32) -> Vec<String> {
    let line = match (family(system), vendor) {
        (Family::Debian, NVIDIA) if is_ubuntu(system) => "sudo ubuntu-drivers install",
        (Family::Debian, NVIDIA) => "sudo apt install nvidia-driver",
        (Family::Fedora, NVIDIA) => "sudo dnf install akmod-nvidia",
        (Family::Arch, NVIDIA) => "sudo pacman -S nvidia-utils",
        (Family::Debian, _) => "sudo apt install mesa-vulkan-drivers",
        (Family::Fedora, _) => "sudo dnf install mesa-vulkan-drivers",
        (Family::Arch, AMD) => "sudo pacman -S vulkan-radeon",
        (Family::Arch, _) => "sudo pacman -S vulkan-intel",
        (Family::Other, _) => return Vec::new(),
    };
    vec![line.to_owned()]
}

/// Lets the person open graphics devices.
pub(super) fn rights() -> Vec<String> {
    vec!["sudo usermod -aG render $USER".into()]
}

/// Hands the graphics device into a container.
pub(super) fn passing() -> Vec<String> {
    vec![
        "podman run --device /dev/dri --group-add keep-groups …".into(),
        "docker run --device /dev/dri --group-add $(getent group render | cut -d: -f3) …".into(),
    ]
}
