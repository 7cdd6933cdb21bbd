//! A hub of one model on this machine that can be told to break.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{sleep, spawn};
use std::time::Duration;

use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};

pub const REPO: &str = "Qwen/Qwen3-Omni-30B-A3B-Captioner";
pub const NAME: &str = "qwen3-omni-captioner";
pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// A request.
#[derive(Clone, Debug)]
pub struct Request {
    /// With what stands behind `?`.
    pub path: String,
    /// From the first byte to the last.
    pub range: Option<(usize, usize)>,
    pub host: String,
    pub authorization: Option<String>,
    /// How many for files of weights there were before.
    pub before: usize,
}

impl Request {
    /// Whether it is for a file of weights.
    pub fn is_weights(&self) -> bool {
        self.path.ends_with(".safetensors")
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    /// So many bytes of the body are sent, then the connection is closed.
    pub cut: Option<usize>,
    /// Nothing comes for so long before the body.
    pub stall: Duration,
    /// So many bytes, then a pause of 2 ms.
    pub pace: Option<usize>,
}

impl Reply {
    /// Another status, without a body.
    pub fn refuse(&mut self, status: u16) {
        (self.status, self.body) = (status, b"no".to_vec());
        self.headers.clear();
    }

    pub fn redirect(&mut self, to: String) {
        self.refuse(302);
        self.headers.push(("location", to));
    }

    pub fn set(&mut self, name: &'static str, value: &str) {
        self.headers.retain(|(found, _)| *found != name);
        self.headers.push((name, value.to_owned()));
    }
}

type Trouble = Box<dyn Fn(&Request, &mut Reply) + Send + Sync>;

/// The hub. It answers as long as the test runs.
pub struct Hub {
    pub port: u16,
    inner: Arc<Inner>,
}

struct Inner {
    files: Vec<(String, Vec<u8>)>,
    trouble: Trouble,
    requests: Mutex<Vec<Request>>,
    weights: AtomicUsize,
}

/// Bytes without a pattern.
pub fn noise(seed: u64, count: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..count).map(next).collect()
}

/// A model of so many bytes in each of two shards.
pub fn model(bytes: usize) -> Vec<(String, Vec<u8>)> {
    let index = format!(
        r#"{{"metadata":{{"total_size":{}}},"weight_map":{{"a":"model-1.safetensors","b":"model-2.safetensors"}}}}"#,
        2 * bytes
    );
    let file = |name: &str, bytes: Vec<u8>| (name.to_owned(), bytes);
    vec![
        file("config.json", b"{}".to_vec()),
        file("merges.txt", Vec::new()),
        file("model-1.safetensors", noise(1, bytes)),
        file("model-2.safetensors", noise(2, bytes)),
        file("model.safetensors.index.json", index.into_bytes()),
    ]
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// What the hub calls a file.
pub fn hash(name: &str, bytes: &[u8]) -> String {
    if name.ends_with(".safetensors") {
        return hex(digest(&SHA256, bytes).as_ref());
    }
    let whole = [format!("blob {}\0", bytes.len()).as_bytes(), bytes].concat();
    hex(digest(&SHA1_FOR_LEGACY_USE_ONLY, &whole).as_ref())
}

impl Hub {
    /// With this model, whose answers `trouble` may change.
    pub fn start(
        files: Vec<(String, Vec<u8>)>,
        trouble: impl Fn(&Request, &mut Reply) + Send + Sync + 'static,
    ) -> Hub {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (requests, weights) = (Mutex::default(), AtomicUsize::new(0));
        let inner = Arc::new(Inner { files, trouble: Box::new(trouble), requests, weights });
        let shared = Arc::clone(&inner);
        spawn(move || {
            for stream in listener.incoming().flatten() {
                let inner = Arc::clone(&shared);
                // A client that is killed is no fault of the hub's.
                spawn(move || inner.serve(stream));
            }
        });
        Hub { port, inner }
    }

    /// One that does not break.
    pub fn sound(files: Vec<(String, Vec<u8>)>) -> Hub {
        Hub::start(files, |_, _| {})
    }

    pub fn files(&self) -> &[(String, Vec<u8>)] {
        &self.inner.files
    }

    pub fn requests(&self) -> Vec<Request> {
        self.inner.requests.lock().unwrap().clone()
    }
}

impl Inner {
    fn serve(&self, stream: TcpStream) -> Option<()> {
        let request = self.read(&stream)?;
        self.requests.lock().unwrap().push(request.clone());
        let mut reply = self.answer(&request);
        (self.trouble)(&request, &mut reply);
        send(stream, &reply).ok()
    }

    fn read(&self, stream: &TcpStream) -> Option<Request> {
        let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
        let path = lines.next()?.split(' ').nth(1)?.to_owned();
        let mut request = Request { path, range: None, host: String::new(), authorization: None, before: 0 };
        for line in lines.take_while(|line| !line.is_empty()) {
            let (name, value) = line.split_once(": ")?;
            match name.to_ascii_lowercase().as_str() {
                "host" => request.host = value.to_owned(),
                "authorization" => request.authorization = Some(value.to_owned()),
                "range" => {
                    let (first, last) = value.strip_prefix("bytes=")?.split_once('-')?;
                    request.range = Some((first.parse().ok()?, last.parse().ok()?));
                }
                _ => {}
            }
        }
        if request.is_weights() {
            request.before = self.weights.fetch_add(1, Ordering::Relaxed);
        }
        Some(request)
    }

    fn answer(&self, request: &Request) -> Reply {
        let headers = Vec::new();
        let mut reply =
            Reply { status: 200, headers, body: Vec::new(), cut: None, stall: Duration::ZERO, pace: None };
        if request.path == format!("/api/models/{REPO}/revision/main") {
            reply.body = format!(r#"{{"id":"{REPO}","sha":"{COMMIT}"}}"#).into_bytes();
        } else if request.path.starts_with(&format!("/api/models/{REPO}/tree/{COMMIT}")) {
            reply.body = self.tree().into_bytes();
        } else if let Some((name, bytes)) =
            self.files.iter().find(|(name, _)| request.path.ends_with(&format!("/{name}")))
        {
            reply.set("etag", &format!("\"{}\"", hash(name, bytes)));
            let whole = (0, bytes.len().saturating_sub(1));
            let (first, last) = request.range.unwrap_or(whole);
            if first > last || (first >= bytes.len() && request.range.is_some()) {
                reply.refuse(416);
            } else if request.range.is_some() {
                let last = last.min(bytes.len() - 1);
                reply.status = 206;
                reply.set("content-range", &format!("bytes {first}-{last}/{}", bytes.len()));
                reply.body = bytes[first..=last].to_vec();
            } else {
                reply.body = bytes.clone();
            }
        } else {
            reply.refuse(404);
        }
        reply
    }

    fn tree(&self) -> String {
        let item = |(name, bytes): &(String, Vec<u8>)| {
            let (hash, size) = (hash(name, bytes), bytes.len());
            if name.ends_with(".safetensors") {
                return format!(
                    r#"{{"type":"file","path":"{name}","oid":"x","size":{size},"lfs":{{"oid":"{hash}","size":{size},"pointerSize":1}}}}"#
                );
            }
            format!(r#"{{"type":"file","path":"{name}","oid":"{hash}","size":{size}}}"#)
        };
        let items: Vec<_> = self.files.iter().map(item).collect();
        format!(r#"[{{"type":"directory","path":"figures","oid":"y","size":0}},{}]"#, items.join(","))
    }
}

fn send(mut stream: TcpStream, reply: &Reply) -> std::io::Result<()> {
    let mut head = format!("HTTP/1.1 {} x\r\nconnection: close\r\n", reply.status);
    if !reply.headers.iter().any(|(name, _)| *name == "content-length") {
        write!(head, "content-length: {}\r\n", reply.body.len()).unwrap();
    }
    for (name, value) in &reply.headers {
        write!(head, "{name}: {value}\r\n").unwrap();
    }
    stream.write_all(format!("{head}\r\n").as_bytes())?;
    sleep(reply.stall);
    let body = &reply.body[..reply.cut.unwrap_or(usize::MAX).min(reply.body.len())];
    for chunk in body.chunks(reply.pace.unwrap_or(usize::MAX)) {
        stream.write_all(chunk)?;
        if reply.pace.is_some() {
            sleep(Duration::from_millis(2));
        }
    }
    Ok(())
}

/// A proxy that leads every `CONNECT` to this port; what it was asked for is in the list.
pub fn proxy(port: u16) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let own = listener.local_addr().unwrap().port();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let shared = Arc::clone(&asked);
    spawn(move || {
        for client in listener.incoming().flatten() {
            let asked = Arc::clone(&shared);
            spawn(move || lead(client, port, &asked));
        }
    });
    (own, asked)
}

fn lead(mut client: TcpStream, port: u16, asked: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        client.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    asked.lock().unwrap().push(String::from_utf8_lossy(&head).lines().next().unwrap_or_default().to_owned());
    client.write_all(b"HTTP/1.1 200 x\r\n\r\n")?;
    let mut hub = TcpStream::connect(("127.0.0.1", port))?;
    let (mut from, mut to) = (client.try_clone()?, hub.try_clone()?);
    spawn(move || std::io::copy(&mut from, &mut to));
    std::io::copy(&mut hub, &mut client)?;
    client.shutdown(std::net::Shutdown::Both)
}
