//! What belongs to the person's session: sound devices, portals of the desktop, variables, and the disk with the models.

use std::path::PathBuf;
use std::time::Duration;

use crossbeam_channel::bounded;

use super::facts::Session;
use crate::audio;
use crate::folders;

/// Variables by which Vulkan's loader chooses drivers.
const DRIVER_VARIABLES: [&str; 4] =
    ["VK_LOADER_DRIVERS_SELECT", "VK_LOADER_DRIVERS_DISABLE", "VK_DRIVER_FILES", "VK_ICD_FILENAMES"];

/// Longest wait for a sound system or a bus that does not answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Looks at the session. Blocks for some seconds at most.
pub(super) fn find(models: Option<PathBuf>) -> Session {
    let devices = within_patience(audio::devices).unwrap_or_default();
    let models = models.or_else(folders::models);
    let named = |all: Vec<audio::Device>| all.into_iter().map(|device| device.name).collect();
    let set = |name: &&str| Some((String::from(*name), std::env::var(name).ok()?));
    Session {
        kind: std::env::var("XDG_SESSION_TYPE").ok(),
        microphones: named(devices.microphones),
        speakers: named(devices.speakers),
        portals: within_patience(portals).unwrap_or_default(),
        driver_variables: DRIVER_VARIABLES.iter().filter_map(set).collect(),
        disk_free: models.as_deref().and_then(folders::free_bytes),
        models: models.map(|folder| folder.display().to_string()),
    }
}

/// What `find` gives, unless it takes too long; its thread is left behind then.
fn within_patience<T: Send + 'static>(find: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (send, receive) = bounded(1);
    let spawned = std::thread::Builder::new().name("doctor".into()).spawn(move || {
        // Nobody waits any more where this fails.
        let _ = send.send(find());
    });
    spawned.ok().and_then(|_| receive.recv_timeout(PATIENCE).ok())
}

/// Names of the portals that the desktop has, without their common beginning.
#[cfg(target_os = "linux")]
fn portals() -> Vec<String> {
    use ashpd::zbus::{Connection, block_on};

    let asked = block_on(async {
        let bus = Connection::session().await?;
        let reply = bus
            .call_method(
                Some("org.freedesktop.portal.Desktop"),
                "/org/freedesktop/portal/desktop",
                Some("org.freedesktop.DBus.Introspectable"),
                "Introspect",
                &(),
            )
            .await?;
        reply.body().deserialize::<String>()
    });
    asked.map_or_else(|_: ashpd::zbus::Error| Vec::new(), |told| interfaces(&told))
}

/// There are none.
#[cfg(not(target_os = "linux"))]
fn portals() -> Vec<String> {
    Vec::new()
}

/// The portals among the interfaces that an object tells of.
#[cfg(target_os = "linux")]
fn interfaces(told: &str) -> Vec<String> {
    let mut names: Vec<_> = told
        .split("<interface name=\"org.freedesktop.portal.")
        .skip(1)
        .filter_map(|rest| rest.split('"').next().map(str::to_owned))
        .collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn portals_are_read_from_what_the_desktop_tells() {
        let told = r#"<node><interface name="org.freedesktop.DBus.Peer"/>
            <interface name="org.freedesktop.portal.Screenshot"><method name="Screenshot"/></interface>
            <interface name="org.freedesktop.portal.GlobalShortcuts"></interface></node>"#;
        assert_eq!(interfaces(told), ["GlobalShortcuts", "Screenshot"]);
        assert!(interfaces("").is_empty());
    }

    #[test]
    fn what_does_not_answer_is_given_up() {
        let (hold, never) = bounded::<()>(0);
        assert_eq!(within_patience(move || never.recv().is_ok()), None);
        assert_eq!(within_patience(|| 7), Some(7));
        drop(hold);
    }
}
