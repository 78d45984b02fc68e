//! Serves a folder on this machine, as any static host would.
//!
//! It is `cargo xtask serve`, and it is what the browser tests run against: they put files over
//! the folder's own and read which requests came.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, Result};

/// The longest request that a browser of this site sends, cookies of other servers on this
/// computer included.
const LONGEST_HEAD: usize = 64 * 1024;
/// How long a browser may take to send a request. It opens some connections only in case.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server; dropping it stops it.
///
/// Each connection has a thread and one request. A browser opens six at once and keeps them: with
/// fewer threads, or with requests one after the other, some would wait for those that idle.
pub struct Site {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    root: PathBuf,
    overlay: Mutex<BTreeMap<String, Vec<u8>>>,
    requests: Mutex<Vec<String>>,
    stopped: AtomicBool,
}

/// What a lock guards stays usable after a panic elsewhere: it is only ever replaced as a whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Site {
    /// Serves `root` on 127.0.0.1; port 0 takes any free one.
    ///
    /// # Errors
    /// The port is taken.
    pub fn start(root: &Path, port: u16) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port))
            .with_context(|| format!("port {port} cannot be used; name another with --port"))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            root: root.to_path_buf(),
            overlay: Mutex::default(),
            requests: Mutex::default(),
            stopped: AtomicBool::new(false),
        });
        let thread = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                for stream in listener.incoming() {
                    if shared.stopped.load(Ordering::SeqCst) {
                        break;
                    }
                    let (Ok(stream), shared) = (stream, Arc::clone(&shared)) else { continue };
                    // A browser that went away in between is nobody's concern.
                    std::thread::spawn(move || shared.answer(stream));
                }
            }
        });
        Ok(Self { address, shared, thread: Some(thread) })
    }

    /// Its address, with a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Serves `contents` at `path` (no slash in front) from now on, whatever the folder holds.
    pub fn overlay(&self, path: &str, contents: impl Into<Vec<u8>>) {
        lock(&self.shared.overlay).insert(path.to_string(), contents.into());
    }

    /// Method and path of every request so far, in the order of their coming.
    pub fn requests(&self) -> Vec<String> {
        lock(&self.shared.requests).clone()
    }

    /// Serves until the program is ended.
    pub fn run(mut self) {
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so itself.
            let _ = thread.join();
        }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.shared.stopped.store(true, Ordering::SeqCst);
            // It waits for a connection: this is the last one. Without it, it ends with the program.
            if TcpStream::connect(self.address).is_ok() {
                let _ = thread.join();
            }
        }
    }
}

impl Shared {
    fn answer(&self, mut stream: TcpStream) -> std::io::Result<()> {
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut head = Vec::new();
        let mut piece = [0; 4096];
        while !head.windows(4).any(|end| end == b"\r\n\r\n") {
            let read = stream.read(&mut piece)?;
            head.extend_from_slice(piece.get(..read).unwrap_or_default());
            if read == 0 || head.len() > LONGEST_HEAD {
                return Ok(());
            }
        }
        let head = String::from_utf8_lossy(&head);
        let mut words = head.split_whitespace();
        let (method, url) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        lock(&self.requests).push(format!("{method} {url}"));
        let (status, mime, body) = match method {
            "GET" | "HEAD" => match self.find(url) {
                Some((mime, body)) => ("200 OK", mime, body),
                None => ("404 Not Found", "text/plain; charset=utf-8", b"not found".to_vec()),
            },
            _ => ("405 Method Not Allowed", "text/plain; charset=utf-8", b"only GET and HEAD".to_vec()),
        };
        // Workers and weights keep their names from build to build, so nothing may be taken from a
        // cache unasked.
        write!(
            stream,
            "HTTP/1.1 {status}\r\nContent-Type: {mime}\r\nContent-Length: {}\r\nCache-Control: no-cache\r\n\
             X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n",
            body.len()
        )?;
        if method != "HEAD" {
            stream.write_all(&body)?;
        }
        stream.flush()
    }

    fn find(&self, url: &str) -> Option<(&'static str, Vec<u8>)> {
        let path = file_of(url)?;
        let mime = mime(&path);
        if let Some(contents) = lock(&self.overlay).get(&path) {
            return Some((mime, contents.clone()));
        }
        std::fs::read(self.root.join(&path)).ok().map(|contents| (mime, contents))
    }
}

/// The file that a URL's path names, relative to the folder; `None` for one that would lead out
/// of it. The site's own names need no escapes, so none are understood.
fn file_of(url: &str) -> Option<String> {
    let path = url.split(['?', '#']).next()?.strip_prefix('/')?;
    let plain = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
    };
    let folder = path.is_empty() || path.ends_with('/');
    let path = if folder { format!("{path}index.html") } else { path.to_string() };
    path.split('/').all(plain).then_some(path)
}

fn mime(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "css" => "text/css; charset=utf-8",
        "html" => "text/html; charset=utf-8",
        "ico" => "image/x-icon",
        "js" => "text/javascript; charset=utf-8",
        "json" => "application/json",
        "md" | "txt" => "text/plain; charset=utf-8",
        "png" => "image/png",
        "svg" => "image/svg+xml",
        "wasm" => "application/wasm",
        "wav" => "audio/wav",
        "webmanifest" => "application/manifest+json",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::{Read as _, Write as _};
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn no_path_leads_out_of_the_folder() {
        assert_eq!(file_of("/").as_deref(), Some("index.html"));
        assert_eq!(file_of("/models/manifest.json?v=2").as_deref(), Some("models/manifest.json"));
        assert_eq!(file_of("/models/").as_deref(), Some("models/index.html"));
        for bad in
            ["/../Cargo.toml", "/a/../../b", "/.git/config", "//etc/passwd", "/%2e%2e/x", "/a\\b", "x", ""]
        {
            assert_eq!(file_of(bad), None, "{bad}");
        }
    }

    #[test]
    fn files_overlays_and_the_log() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.wasm"), b"module").unwrap();
        let site = Site::start(folder.path(), 0).unwrap();
        let get = |path: &str| {
            let mut stream = TcpStream::connect(site.address).unwrap();
            write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            answer
        };
        let answer = get("/a.wasm");
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("module"), "{answer}");
        assert!(answer.contains("Content-Type: application/wasm") && answer.contains("Content-Length: 6"));
        assert!(get("/b.js").starts_with("HTTP/1.1 404"));
        site.overlay("a.wasm", "other");
        assert!(get("/a.wasm").ends_with("other"));
        assert_eq!(site.requests(), ["GET /a.wasm", "GET /b.js", "GET /a.wasm"]);
    }
}
