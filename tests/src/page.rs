//! Cratedigger's page as a test sees it: what can be done to it, and what it shows.
//!
//! Elements are found by `data-testid`; values are read from `data-` attributes, which have all
//! digits, and not from the words and rounded figures that people read.

use std::collections::BTreeMap;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fantoccini::Locator;
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;
use xtask::site::Site;

use crate::browser::{Adapter, Browser, turn};
use crate::native::{self, Answer};
use crate::wav::Song;

/// For what takes a moment on a fast machine, and may take long on a busy one.
pub const SOON: Duration = Duration::from_secs(90);
/// For what has SwiftShader compile shaders.
pub const SHADERS: Duration = Duration::from_secs(420);

/// Largest difference of a probability between the browser and the native program. Both resample,
/// transform and compute in 32 bits with the same code, but not in the same order (SIMD, threads,
/// shaders), and a browser may scale 16-bit samples by 1/32767 where others take 1/32768. What was
/// seen is some 1e-5; a wrong feature or weight makes whole tenths.
pub const TOLERANCE: f64 = 5e-4;

/// A browser with the built site in front of it.
pub struct Page {
    browser: Browser,
    site: Site,
    program: PathBuf,
    models: PathBuf,
    folder: TempDir,
}

/// Which of the shipped networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Networks {
    /// Those of `manifest.json`.
    Fast,
    /// Those of `full.json`.
    Full,
}

impl Networks {
    /// The file that names them.
    pub fn manifest(self) -> &'static str {
        match self {
            Self::Fast => "manifest.json",
            Self::Full => "full.json",
        }
    }

    /// What the page calls them.
    pub fn id(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Full => "full",
        }
    }
}

/// What the page shows of a song that is done.
#[derive(Clone, Debug, Deserialize)]
pub struct Shown {
    /// The genre named.
    pub genre: String,
    /// Whether it says that it is none of them.
    pub none: bool,
    /// Of every genre, as the bars have it.
    pub probabilities: BTreeMap<String, f64>,
    /// The timeline.
    pub segments: Vec<ShownSegment>,
    /// `cpu` or `web-gpu`.
    pub device: String,
}

/// One segment of the timeline.
#[derive(Clone, Debug, Deserialize)]
pub struct ShownSegment {
    /// 0-based place.
    pub index: usize,
    /// In seconds.
    pub start: f64,
    /// In seconds.
    pub end: f64,
    /// None if it is silent.
    pub genre: Option<String>,
}

/// How a song ended.
#[derive(Clone, Debug)]
pub enum End {
    /// With a result.
    Done(Shown),
    /// With the sentence that the page says.
    Failed(String),
}

impl End {
    /// The result.
    ///
    /// # Errors
    /// There is none.
    pub fn done(self) -> Result<Shown> {
        match self {
            Self::Done(shown) => Ok(shown),
            Self::Failed(words) => Err(anyhow::anyhow!("the page says: {words}")),
        }
    }
}

/// Runs one case in a browser of its own. If it fails, says what the browser shows and logs.
///
/// # Errors
/// The case's, or that there is nothing to test.
#[expect(clippy::print_stderr, reason = "test programs show it where a test fails")]
pub fn drive<F: Future<Output = Result<()>>>(adapter: Adapter, case: impl FnOnce(Handle) -> F) -> Result<()> {
    let path = |name: &str| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .with_context(|| format!("{name} is not set: run the browser tests with `cargo xtask test`"))
    };
    let (dist, program) = (path("CRATEDIGGER_DIST")?, path("CRATEDIGGER_BIN")?);
    ensure!(dist.join("index.html").is_file(), "there is no site in {}", dist.display());

    let _turn = turn();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let page = Handle::new(Page {
        site: Site::start(&dist, 0)?,
        browser: runtime.block_on(Browser::start(adapter))?,
        program,
        models: dist.join("models"),
        folder: tempfile::tempdir()?,
    });
    let outcome = catch_unwind(AssertUnwindSafe(|| runtime.block_on(case(Handle::clone(&page)))));
    let well = matches!(outcome, Ok(Ok(())));
    runtime.block_on(async {
        if !well {
            eprintln!("{}", page.describe().await);
        }
        if let Ok(page) = Handle::try_unwrap(page) {
            page.browser.close().await;
        }
    });
    outcome.unwrap_or_else(|panic| resume_unwind(panic))
}

/// A [`Page`] that a case can move into its future.
pub type Handle = std::rc::Rc<Page>;

impl Page {
    /// The browser.
    pub fn browser(&self) -> &Browser {
        &self.browser
    }

    /// The server.
    pub fn site(&self) -> &Site {
        &self.site
    }

    /// Loads the page and waits until its CPU worker is ready. The fast network does the songs, so that
    /// what is seen does not hang on when the others came; see [`Page::open_with`].
    ///
    /// # Errors
    /// It doesn't become ready.
    pub async fn open(&self) -> Result<()> {
        self.open_with(Networks::Fast).await
    }

    /// The same, and waits for these networks.
    ///
    /// # Errors
    /// They don't become ready.
    pub async fn open_with(&self, networks: Networks) -> Result<()> {
        self.open_only().await?;
        self.wait("the CPU worker", "ready('cpu')", SOON).await?;
        let choose = "part(`networks-${arguments[0]}`)?.click();";
        self.browser.run(choose, vec![json!(networks.id())]).await?;
        if networks == Networks::Full {
            self.wait("all networks", "part('networks').dataset.state === 'ready'", SOON).await?;
        }
        Ok(())
    }

    /// Loads the page and waits until it is drawn.
    ///
    /// # Errors
    /// It isn't.
    pub async fn open_only(&self) -> Result<()> {
        // What an earlier visit left would answer instead of the site and of what lies over it.
        let forget = "if (!location.protocol.startsWith('http')) return;
             for (const one of await navigator.serviceWorker.getRegistrations()) await one.unregister();
             for (const name of await caches.keys()) await caches.delete(name);";
        self.browser.run_async(forget, Vec::new()).await?;
        // Of the same origin, without the page in it, to set its choices from.
        self.site.overlay("start.html", "<!doctype html><link rel=icon href=data:,><title>start</title>");
        self.browser.goto(&format!("{}start.html", self.site.url())).await?;
        self.browser.run("localStorage.setItem('cratedigger.networks', 'fast');", Vec::new()).await?;
        self.browser.goto(&self.site.url()).await?;
        self.browser.wait("the page", "document.querySelector('main[data-state]')", SOON).await?;
        // Every state of the page from now on, so that a wait can't take an old one for a new one.
        self.browser
            .run(
                "const main = document.querySelector('main');
                 window.states = [main.dataset.state];
                 new MutationObserver(() => window.states.push(main.dataset.state))
                   .observe(main, { attributeFilter: ['data-state'] });
                 window.part = (id) => document.querySelector(`[data-testid='${id}']`);
                 window.device = (id) => part(`device-status-${id}`).dataset.state;
                 window.ready = (id) => device(id) === 'ready';",
                Vec::new(),
            )
            .await?;
        Ok(())
    }

    /// As [`Browser::wait`]; the expression may use `part(testid)`, `device(id)` and `ready(id)`.
    ///
    /// # Errors
    /// See there.
    pub async fn wait(&self, what: &str, expression: &str, deadline: Duration) -> Result<Value> {
        self.browser.wait(what, expression, deadline).await
    }

    /// The state of `cpu` or `gpu`, and the words beside it.
    ///
    /// # Errors
    /// The driver's.
    pub async fn device(&self, id: &str) -> Result<(String, String)> {
        let value = self
            .browser
            .run("const line = part(`device-status-${arguments[0]}`); return [line.dataset.state, line.innerText];", vec![json!(id)])
            .await?;
        Ok(serde_json::from_value(value)?)
    }

    /// Chooses `auto`, `gpu` or `cpu`.
    ///
    /// # Errors
    /// The driver's.
    pub async fn choose_device(&self, id: &str) -> Result<()> {
        self.browser.run("part(`device-choice-${arguments[0]}`).click();", vec![json!(id)]).await?;
        Ok(())
    }

    async fn states(&self) -> Result<usize> {
        let count = self.browser.run("return states.length;", Vec::new()).await?;
        Ok(usize::try_from(count.as_u64().context("no states")?)?)
    }

    /// Drops a file on the drop zone, as if from the desktop.
    ///
    /// # Errors
    /// The driver's.
    pub async fn drop_only(&self, name: &str, contents: &[u8]) -> Result<()> {
        self.browser
            .run(
                "const [name, text] = arguments;
                 const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
                 const dataTransfer = new DataTransfer();
                 dataTransfer.items.add(new File([bytes], name));
                 for (const type of ['dragenter', 'dragover', 'drop']) {
                   part('drop-zone').dispatchEvent(
                     new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer }));
                 }",
                vec![json!(name), json!(STANDARD.encode(contents))],
            )
            .await?;
        Ok(())
    }

    /// Drops a file and waits for what comes of it.
    ///
    /// # Errors
    /// Nothing comes of it.
    pub async fn drop_file(&self, name: &str, contents: &[u8], deadline: Duration) -> Result<End> {
        let before = self.states().await?;
        self.drop_only(name, contents).await?;
        self.end(before, deadline).await
    }

    /// Gives a file to the file picker and waits for what comes of it.
    ///
    /// # Errors
    /// Nothing comes of it.
    pub async fn pick_file(&self, path: &Path, deadline: Duration) -> Result<End> {
        let before = self.states().await?;
        let input = self.browser.client().find(Locator::Css("[data-testid=file-input]")).await?;
        input.send_keys(&path.to_string_lossy()).await?;
        self.end(before, deadline).await
    }

    /// Waits for the end of a song that began after so many states of the page.
    ///
    /// # Errors
    /// Nothing comes of it.
    pub async fn end_after(&self, states: &Value, deadline: Duration) -> Result<End> {
        self.end(usize::try_from(states.as_u64().context("no states")?)?, deadline).await
    }

    /// Waits until the song is done or has failed, in a state later than the first `before`.
    async fn end(&self, before: usize, deadline: Duration) -> Result<End> {
        let state = self
            .wait(
                "the song's end",
                &format!("states.length > {before} && ['done', 'failed'].find((s) => s === document.querySelector('main').dataset.state)"),
                deadline,
            )
            .await?;
        if state == json!("failed") {
            let words = self
                .wait("the error", "part('error') && part('error').getAttribute('role') === 'alert' && part('error').innerText.trim()", SOON)
                .await?;
            return Ok(End::Failed(words.as_str().unwrap_or_default().to_string()));
        }
        let shown = self
            .browser
            .run(
                "const all = (id) => [...document.querySelectorAll(`[data-testid='${id}']`)];
                 const bars = all('genre-bar').map((bar) => [bar.dataset.genre, Number(bar.dataset.probability)]);
                 return {
                   genre: part('result-genre').dataset.genre,
                   none: part('result-genre').dataset.none === 'true',
                   probabilities: Object.fromEntries(bars),
                   segments: all('segment').map(({ dataset }) => ({
                     index: Number(dataset.index),
                     start: Number(dataset.start),
                     end: Number(dataset.end),
                     genre: 'silent' in dataset ? null : dataset.genre,
                   })),
                   device: part('device-used').dataset.device,
                 };",
                Vec::new(),
            )
            .await?;
        Ok(End::Done(serde_json::from_value(shown)?))
    }

    /// Writes a song to a file, for the file picker and the native program.
    ///
    /// # Errors
    /// The disk is full.
    pub fn file(&self, name: &str, song: &Song) -> Result<PathBuf> {
        let path = self.folder.path().join(name);
        std::fs::write(&path, song.wav())?;
        Ok(path)
    }

    /// What the native program says of a song by the fast network.
    ///
    /// # Errors
    /// It fails.
    pub fn native(&self, song: &Song) -> Result<Answer> {
        self.native_with(Networks::Fast, song)
    }

    /// The same by these networks.
    ///
    /// # Errors
    /// It fails.
    pub fn native_with(&self, networks: Networks, song: &Song) -> Result<Answer> {
        let manifest = self.models.join(networks.manifest());
        native::classify(&self.program, &manifest, &self.file("native.wav", song)?)
    }

    /// Fails unless the console is free of errors.
    ///
    /// # Errors
    /// The console's.
    pub async fn ensure_no_errors(&self) -> Result<()> {
        let errors: Vec<_> =
            self.browser.console().await?.into_iter().filter(|(level, _)| level == "SEVERE").collect();
        ensure!(errors.is_empty(), "errors in the console: {errors:?}");
        Ok(())
    }

    async fn describe(&self) -> String {
        let text = self.browser.run("return document.body.innerText;", Vec::new()).await;
        let mut words = format!(
            "--- page\n{}\n--- console\n",
            text.map_or_else(
                |error| format!("{error:#}"),
                |text| text.as_str().unwrap_or_default().to_string()
            )
        );
        for (level, message) in self.browser.console().await.unwrap_or_default() {
            words += &format!("{level}: {message}\n");
        }
        words += &format!("--- requests\n{}", self.site.requests().join("\n"));
        words
    }
}

/// Fails unless two sets of probabilities name the same genres and agree.
///
/// # Errors
/// They differ.
pub fn ensure_same_probabilities(
    what: &str,
    found: &BTreeMap<String, f64>,
    expected: &BTreeMap<String, f64>,
) -> Result<()> {
    ensure!(found.keys().eq(expected.keys()), "{what}: genres {found:?}, natively {expected:?}");
    for (genre, p) in found {
        // Written so that NaN fails.
        let near = (p - expected[genre]).abs() <= TOLERANCE;
        ensure!(near, "{what}: {genre} {p}, natively {}", expected[genre]);
    }
    Ok(())
}

/// Fails unless the page shows what the native program says.
///
/// # Errors
/// They differ.
pub fn ensure_same(shown: &Shown, native: &Answer) -> Result<()> {
    ensure!(shown.probabilities.len() == 10, "{} bars", shown.probabilities.len());
    ensure_same_probabilities("song", &shown.probabilities, &native.probabilities)?;
    ensure!(shown.genre == native.genre, "genre {}, natively {}", shown.genre, native.genre);
    ensure!(shown.none == native.none, "none: {}, natively {}", shown.none, native.none);
    let places: Vec<usize> = shown.segments.iter().map(|segment| segment.index).collect();
    ensure!(places.iter().copied().eq(0..places.len()), "segments {places:?}");
    let audible: Vec<(&ShownSegment, &str)> =
        shown.segments.iter().filter_map(|s| Some((s, s.genre.as_deref()?))).collect();
    ensure!(
        audible.len() == native.segments.len(),
        "{} audible segments, natively {}",
        audible.len(),
        native.segments.len()
    );
    for ((here, genre), there) in audible.into_iter().zip(&native.segments) {
        let near = |a: f64, b: f64| (a - b).abs() <= 1e-3;
        ensure!(near(here.start, there.start) && near(here.end, there.end), "{here:?}, natively {there:?}");
        let (best, margin) = native::best(&there.probabilities).context("no probabilities")?;
        // Two genres as near to each other as the tolerance may change places.
        ensure!(genre == best || margin <= 2.0 * TOLERANCE, "{here:?}, natively {best}");
    }
    Ok(())
}
