//! A session bus of its own, and the desktop's services on it, played.

use std::collections::HashMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use ashpd::zbus;
use ashpd::zbus::message::Header;
use ashpd::zbus::object_server::Interface;
use ashpd::zbus::zvariant::{OwnedObjectPath, OwnedValue, Structure, Value};
use ashpd::zbus::{Connection, Proxy, block_on, connection, interface};

use crate::desktop::{Process, wait_for};

/// A bus.
pub struct Bus {
    /// Where it is.
    pub address: String,
    _daemon: Process,
}

impl Bus {
    /// Starts one with its socket at `socket`.
    pub fn start(socket: &Path) -> Bus {
        let address = format!("unix:path={}", socket.display());
        let mut daemon = Command::new("dbus-daemon");
        daemon.args(["--session", "--nofork", "--nopidfile", &format!("--address={address}")]);
        let daemon = Process::of(daemon.stdout(Stdio::null()).stderr(Stdio::null()));
        wait_for("the bus", 10, || socket.exists());
        Bus { address, _daemon: daemon }
    }

    /// Gives `service` this name.
    pub fn serve(&self, name: &str, path: &str, service: impl Interface) -> Connection {
        let builder = connection::Builder::address(self.address.as_str()).unwrap();
        let builder = builder.name(name.to_owned()).unwrap().serve_at(path.to_owned(), service).unwrap();
        block_on(builder.build()).unwrap()
    }

    /// A tray.
    pub fn tray(&self) -> Tray {
        let items = Items::default();
        let watcher = Watcher(items.clone());
        let connection = self.serve("org.kde.StatusNotifierWatcher", "/StatusNotifierWatcher", watcher);
        Tray { connection, items }
    }

    /// A portal that gives every key that it is asked for.
    pub fn portal(&self) -> Portal {
        let bound = Bound::default();
        let connection = self.serve(
            "org.freedesktop.portal.Desktop",
            "/org/freedesktop/portal/desktop",
            Shortcuts(bound.clone()),
        );
        Portal { connection, bound }
    }

    /// What shows notices.
    pub fn notices(&self) -> Notices {
        let shown = Shown::default();
        let connection = self.serve(
            "org.freedesktop.Notifications",
            "/org/freedesktop/Notifications",
            Server(shown.clone()),
        );
        Notices { connection, shown }
    }
}

/// Names of programs that have an icon.
type Items = Arc<Mutex<Vec<String>>>;

struct Watcher(Items);

#[interface(name = "org.kde.StatusNotifierWatcher", crate = "ashpd::zbus")]
impl Watcher {
    fn register_status_notifier_item(&self, _service: &str, #[zbus(header)] header: Header<'_>) {
        self.0.lock().unwrap().push(header.sender().unwrap().to_string());
    }

    #[zbus(property)]
    fn is_status_notifier_host_registered(&self) -> bool {
        true
    }
}

/// The tray's side of the program's icon.
pub struct Tray {
    connection: Connection,
    items: Items,
}

impl Tray {
    fn proxy(&self, path: &'static str, interface: &'static str) -> Proxy<'static> {
        let item = self.items.lock().unwrap().last().cloned().expect("an icon");
        block_on(Proxy::new(&self.connection, item, path, interface)).unwrap()
    }

    /// Whether the program has an icon in it.
    pub fn has_icon(&self) -> bool {
        !self.items.lock().unwrap().is_empty()
    }

    /// Goes away.
    pub fn leave(self) {
        block_on(self.connection.release_name("org.kde.StatusNotifierWatcher")).unwrap();
    }

    /// What stands beside the icon.
    pub fn title(&self) -> String {
        let item = self.proxy("/StatusNotifierItem", "org.kde.StatusNotifierItem");
        block_on(item.get_property("Title")).unwrap()
    }

    /// Clicks the icon.
    pub fn activate(&self) {
        let item = self.proxy("/StatusNotifierItem", "org.kde.StatusNotifierItem");
        block_on(item.call_method("Activate", &(0, 0))).unwrap();
    }

    /// Labels of the menu with their numbers, without lines between.
    fn menu(&self) -> Vec<(String, i32)> {
        type Layout = (u32, (i32, HashMap<String, OwnedValue>, Vec<OwnedValue>));
        let menu = self.proxy("/MenuBar", "com.canonical.dbusmenu");
        let (_, (_, _, entries)): Layout =
            block_on(menu.call("GetLayout", &(0, -1, Vec::<String>::new()))).unwrap();
        let entry = |value: OwnedValue| {
            let fields = Structure::try_from(value).unwrap().into_fields();
            let [Value::I32(id), Value::Dict(properties), ..] = &fields[..] else { panic!("{fields:?}") };
            let label: Option<String> = properties.get(&"label").unwrap();
            label.map(|label| (label, *id))
        };
        entries.into_iter().filter_map(entry).collect()
    }

    /// Labels of the menu.
    pub fn labels(&self) -> Vec<String> {
        self.menu().into_iter().map(|(label, _)| label).collect()
    }

    /// Chooses what has this label.
    pub fn click(&self, label: &str) {
        wait_for(label, 10, || self.labels().iter().any(|shown| shown == label));
        let (_, id) = self.menu().into_iter().find(|(shown, _)| shown == label).unwrap();
        let menu = self.proxy("/MenuBar", "com.canonical.dbusmenu");
        // A program that ends may not answer any more.
        let _ = block_on(menu.call_method("Event", &(id, "clicked", Value::from(0), 0_u32)));
    }
}

/// Texts of notices.
type Shown = Arc<Mutex<Vec<String>>>;

struct Server(Shown);

#[interface(name = "org.freedesktop.Notifications", crate = "ashpd::zbus")]
impl Server {
    #[allow(clippy::too_many_arguments, reason = "the protocol has them")]
    fn notify(
        &self,
        _program: &str,
        _replaced: u32,
        _icon: &str,
        _title: &str,
        text: String,
        _actions: Vec<String>,
        _hints: HashMap<String, OwnedValue>,
        _timeout: i32,
    ) -> u32 {
        let mut shown = self.0.lock().unwrap();
        shown.push(text);
        shown.len() as u32
    }

    fn close_notification(&self, _id: u32) {}

    fn get_capabilities(&self) -> Vec<String> {
        vec!["body".into(), "actions".into()]
    }
}

/// The person's side of notices.
pub struct Notices {
    connection: Connection,
    shown: Shown,
}

impl Notices {
    /// Texts of all notices so far.
    pub fn shown(&self) -> Vec<String> {
        self.shown.lock().unwrap().clone()
    }

    /// Clicks the last one.
    pub fn click(&self) {
        let (path, interface) = ("/org/freedesktop/Notifications", "org.freedesktop.Notifications");
        let body = (self.shown().len() as u32, "default");
        block_on(self.connection.emit_signal(None::<&str>, path, interface, "ActionInvoked", &body)).unwrap();
    }
}

/// The session, and the keys that were asked for in it.
type Bound = Arc<Mutex<Option<(OwnedObjectPath, Vec<String>)>>>;

struct Shortcuts(Bound);

/// Answers a request, as portals do: by a signal from a path that the asking program has chosen.
async fn respond(
    header: &Header<'_>,
    connection: &Connection,
    options: &HashMap<String, OwnedValue>,
    results: HashMap<&str, Value<'_>>,
) -> OwnedObjectPath {
    let path = chosen(header, "request", &options["handle_token"]);
    let interface = "org.freedesktop.portal.Request";
    connection.emit_signal(None::<&str>, &path, interface, "Response", &(0_u32, results)).await.unwrap();
    path
}

fn chosen(header: &Header<'_>, kind: &str, token: &OwnedValue) -> OwnedObjectPath {
    let sender = header.sender().unwrap().trim_start_matches(':').replace('.', "_");
    let token: &str = token.downcast_ref().unwrap();
    let path = format!("/org/freedesktop/portal/desktop/{kind}/{sender}/{token}");
    OwnedObjectPath::try_from(path).unwrap()
}

#[interface(name = "org.freedesktop.portal.GlobalShortcuts", crate = "ashpd::zbus")]
impl Shortcuts {
    async fn create_session(
        &self,
        options: HashMap<String, OwnedValue>,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> OwnedObjectPath {
        let session = chosen(&header, "session", &options["session_handle_token"]);
        *self.0.lock().unwrap() = Some((session.clone(), vec![]));
        let results = HashMap::from([("session_handle", Value::from(session.to_string()))]);
        respond(&header, connection, &options, results).await
    }

    async fn bind_shortcuts(
        &self,
        _session: OwnedObjectPath,
        shortcuts: Vec<(String, HashMap<String, OwnedValue>)>,
        _parent: &str,
        options: HashMap<String, OwnedValue>,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> OwnedObjectPath {
        for (name, properties) in shortcuts {
            let key: &str = properties["preferred_trigger"].downcast_ref().unwrap();
            self.0.lock().unwrap().as_mut().unwrap().1.push(format!("{name} {key}"));
        }
        let given =
            HashMap::from([("description", Value::from("Talk")), ("trigger_description", Value::from("F9"))]);
        let results = HashMap::from([("shortcuts", Value::from(vec![("talk", given)]))]);
        respond(&header, connection, &options, results).await
    }

    #[zbus(property, name = "version")]
    fn version(&self) -> u32 {
        1
    }
}

/// The desktop's side of the portal.
pub struct Portal {
    connection: Connection,
    bound: Bound,
}

impl Portal {
    /// Names of shortcuts with the keys that were wished for.
    pub fn bound(&self) -> Vec<String> {
        self.bound.lock().unwrap().as_ref().map(|(_, keys)| keys.clone()).unwrap_or_default()
    }

    /// Presses the key, or lets it go.
    pub fn signal(&self, member: &str) {
        let session = self.bound.lock().unwrap().as_ref().unwrap().0.clone();
        let (path, interface) = ("/org/freedesktop/portal/desktop", "org.freedesktop.portal.GlobalShortcuts");
        let body = (session, "talk", 1_u64, HashMap::<&str, Value<'_>>::new());
        block_on(self.connection.emit_signal(None::<&str>, path, interface, member, &body)).unwrap();
    }
}
