//! A static file server for this machine, used by `cargo xtask serve` and the program in the bundle.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};

/// Maximum size of a request's head in bytes. Browsers also send the cookies of other servers on this host.
const MAX_HEAD: usize = 64 * 1024;
/// How long a connection may stay without a request. Browsers open some connections in advance.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// A server that listens, and answers requests once [`Site::run`] is called. Until then, browsers wait.
pub struct Site {
    listener: TcpListener,
    address: SocketAddr,
    root: PathBuf,
}

impl Site {
    /// Listens on 127.0.0.1, to serve the folder `root`; port 0 takes any free port.
    ///
    /// # Errors
    /// The port is in use.
    pub fn bind(root: &Path, port: u16) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port))
            .with_context(|| format!("port {port} cannot be used; choose another with --port"))?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address, root: root.to_path_buf() })
    }

    /// The server's URL, which ends with a slash.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Serves until the program ends.
    ///
    /// Each connection has its own thread and answers one request: browsers keep idle connections open, and
    /// these would block a server with few threads.
    pub fn run(self) {
        let root = Arc::new(self.root);
        for stream in self.listener.incoming().flatten() {
            let root = Arc::clone(&root);
            // An error means that the browser closed the connection.
            std::thread::spawn(move || answer(stream, &root));
        }
    }
}

fn answer(mut stream: TcpStream, root: &Path) -> std::io::Result<()> {
    stream.set_read_timeout(Some(READ_TIMEOUT))?;
    let mut head = Vec::new();
    let mut piece = [0; 4096];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let read = stream.read(&mut piece)?;
        head.extend_from_slice(piece.get(..read).unwrap_or_default());
        if read == 0 || head.len() > MAX_HEAD {
            return Ok(());
        }
    }
    let head = String::from_utf8_lossy(&head);
    let mut words = head.split_whitespace();
    let (method, url) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    const TEXT: &str = "text/plain; charset=utf-8";
    let (status, mime, body) = match method {
        "GET" | "HEAD" => match find(root, url) {
            Some((mime, body)) => ("200 OK", mime, body),
            None => ("404 Not Found", TEXT, b"not found".to_vec()),
        },
        _ => ("405 Method Not Allowed", TEXT, b"only GET and HEAD".to_vec()),
    };
    // `no-cache`, because workers and weights have the same names in every build.
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

/// The MIME type and contents of the file that a URL names.
fn find(root: &Path, url: &str) -> Option<(&'static str, Vec<u8>)> {
    let path = path_of(url)?;
    std::fs::read(root.join(&path)).ok().map(|contents| (mime(&path), contents))
}

/// The path of a URL's file relative to the root; `None` if it could lead out of the root. The site's file
/// names need no escapes, so escapes are not supported.
fn path_of(url: &str) -> Option<String> {
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
        "webmanifest" => "application/manifest+json",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn no_path_leads_out_of_the_folder() {
        assert_eq!(path_of("/").as_deref(), Some("index.html"));
        assert_eq!(path_of("/models/manifest.json?v=2").as_deref(), Some("models/manifest.json"));
        assert_eq!(path_of("/models/").as_deref(), Some("models/index.html"));
        for bad in
            ["/../Cargo.toml", "/a/../../b", "/.git/config", "//etc/passwd", "/%2e%2e/x", "/a\\b", "x", ""]
        {
            assert_eq!(path_of(bad), None, "{bad}");
        }
    }

    #[test]
    fn files_are_served_with_their_type_and_others_are_not_found() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.wasm"), b"module").unwrap();
        let site = Site::bind(folder.path(), 0).unwrap();
        let address = site.address;
        // The thread ends with the test program.
        std::thread::spawn(move || site.run());
        let ask = |method: &str, path: &str| {
            let mut stream = TcpStream::connect(address).unwrap();
            write!(stream, "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            answer
        };
        let answer = ask("GET", "/a.wasm");
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("module"), "{answer}");
        assert!(answer.contains("Content-Type: application/wasm") && answer.contains("Content-Length: 6"));
        assert!(ask("HEAD", "/a.wasm").ends_with("\r\n\r\n"));
        assert!(ask("GET", "/b.js").starts_with("HTTP/1.1 404"));
        assert!(ask("POST", "/a.wasm").starts_with("HTTP/1.1 405"));
    }
}
