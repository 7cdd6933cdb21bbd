//! A file manager that drops files on a window: the other side of the X11 drag-and-drop protocol (XDND, version 5).

use std::path::Path;
use std::time::{Duration, Instant};

use x11rb::connection::Connection;
use x11rb::protocol::Event;
use x11rb::protocol::xproto::{
    AtomEnum, ClientMessageEvent, ConnectionExt, CreateWindowAux, EventMask, PropMode,
    SELECTION_NOTIFY_EVENT, SelectionNotifyEvent, SelectionRequestEvent, Window, WindowClass,
};
use x11rb::rust_connection::RustConnection;
use x11rb::wrapper::ConnectionExt as _;
use x11rb::{COPY_DEPTH_FROM_PARENT, CURRENT_TIME, NONE};

struct Source {
    connection: RustConnection,
    window: Window,
    target: Window,
    list: String,
}

impl Source {
    fn atom(&self, name: &str) -> u32 {
        self.connection.intern_atom(false, name.as_bytes()).unwrap().reply().unwrap().atom
    }

    fn send(&self, kind: &str, data: [u32; 4]) {
        let [a, b, c, d] = data;
        let message = ClientMessageEvent::new(32, self.target, self.atom(kind), [self.window, a, b, c, d]);
        self.connection.send_event(false, self.target, EventMask::NO_EVENT, message).unwrap();
        self.connection.flush().unwrap();
    }

    /// Serves the list of files until the target sends a message of this kind.
    fn serve_until(&self, kind: &str) {
        let (wanted, end) = (self.atom(kind), Instant::now() + Duration::from_secs(10));
        loop {
            assert!(Instant::now() < end, "the window never sent {kind}");
            match self.connection.poll_for_event().unwrap() {
                Some(Event::SelectionRequest(request)) => self.give(&request),
                Some(Event::ClientMessage(message)) if message.type_ == wanted => return,
                Some(_) => {}
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    fn give(&self, request: &SelectionRequestEvent) {
        let (requestor, property, target) = (request.requestor, request.property, request.target);
        self.connection
            .change_property8(PropMode::REPLACE, requestor, property, target, self.list.as_bytes())
            .unwrap();
        let told = SelectionNotifyEvent {
            response_type: SELECTION_NOTIFY_EVENT,
            sequence: 0,
            time: request.time,
            requestor,
            selection: request.selection,
            target,
            property,
        };
        self.connection.send_event(false, requestor, EventMask::NO_EVENT, told).unwrap();
        self.connection.flush().unwrap();
    }
}

/// The window with this title, at any depth.
fn find(connection: &RustConnection, under: Window, title: &str) -> Option<Window> {
    let name =
        connection.get_property(false, under, AtomEnum::WM_NAME, AtomEnum::ANY, 0, 64).ok()?.reply().ok()?;
    if name.value == title.as_bytes() {
        return Some(under);
    }
    let children = connection.query_tree(under).ok()?.reply().ok()?.children;
    children.into_iter().find_map(|child| find(connection, child, title))
}

/// Drops `files` in the middle of the window called `title` on `display`.
pub fn drop_files(display: &str, title: &str, files: &[&Path]) {
    let (connection, screen) = x11rb::connect(Some(display)).unwrap();
    let root = connection.setup().roots[screen].root;
    let target = find(&connection, root, title).expect("no such window");
    let window = connection.generate_id().unwrap();
    let plain = CreateWindowAux::new();
    connection
        .create_window(
            COPY_DEPTH_FROM_PARENT,
            window,
            root,
            0,
            0,
            1,
            1,
            0,
            WindowClass::INPUT_OUTPUT,
            0,
            &plain,
        )
        .unwrap();
    let list = files.iter().map(|file| format!("file://{}\r\n", file.display())).collect();
    let source = Source { connection, window, target, list };
    let connection = &source.connection;
    connection.set_selection_owner(window, source.atom("XdndSelection"), CURRENT_TIME).unwrap();
    let corner = connection.translate_coordinates(target, root, 200, 200).unwrap().reply().unwrap();
    let place = (corner.dst_x as u32) << 16 | corner.dst_y as u32;
    connection.sync().unwrap();

    source.send("XdndEnter", [5 << 24, source.atom("text/uri-list"), NONE, NONE]);
    source.send("XdndPosition", [0, place, CURRENT_TIME, source.atom("XdndActionCopy")]);
    source.serve_until("XdndStatus");
    source.send("XdndDrop", [0, CURRENT_TIME, 0, 0]);
    source.serve_until("XdndFinished");
}
