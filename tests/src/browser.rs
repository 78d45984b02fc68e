//! A headless Chromium, driven through chromedriver.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use fantoccini::wd::{TimeoutConfiguration, WebDriverCompatibleCommand};
use fantoccini::{Client, ClientBuilder};
use http::Method;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;
use url::{ParseError, Url};

/// Whether the browser offers WebGPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adapter {
    /// It doesn't: what headless Chromium does by itself.
    None,
    /// SwiftShader, which computes on the CPU what a GPU would, correctly and slowly.
    SwiftShader,
}

/// A browser and its driver; [`Browser::close`] ends both.
pub struct Browser {
    client: Client,
    driver: Driver,
    _profile: TempDir,
}

/// One at a time: two would only make each other slow, and time-outs flaky.
static TURN: Mutex<()> = Mutex::new(());

/// Waits until no other test has a browser.
pub fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Browser {
    /// Starts one with a fresh profile.
    ///
    /// # Errors
    /// Chromium or chromedriver is missing or doesn't start.
    pub async fn start(adapter: Adapter) -> Result<Self> {
        let driver = Driver::start()?;
        let profile = tempfile::tempdir()?;
        let mut arguments: Vec<String> = [
            "--headless=new",
            // Containers offer no name spaces to the sandbox.
            "--no-sandbox",
            "--disable-dev-shm-usage",
            // It talks to the test's own server, and to no one else.
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-quic",
            "--disable-sync",
            "--no-first-run",
            "--window-size=1200,900",
        ]
        .map(String::from)
        .into();
        arguments.push(format!("--user-data-dir={}", profile.path().display()));
        if adapter == Adapter::SwiftShader {
            arguments.push("--enable-unsafe-webgpu".into());
            arguments.push("--use-webgpu-adapter=swiftshader".into());
        }
        let mut options = json!({ "args": arguments });
        if let Some(binary) = std::env::var_os("CHROME") {
            options["binary"] = json!(binary.to_string_lossy());
        }
        let capabilities = json!({
            "goog:chromeOptions": options,
            "goog:loggingPrefs": { "browser": "ALL" },
        });
        let Value::Object(capabilities) = capabilities else { bail!("capabilities are no object") };
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&driver.url())
            .await
            .context("Chromium does not start")?;
        let minutes = Some(Duration::from_secs(600));
        client.update_timeouts(TimeoutConfiguration::new(minutes, minutes, None)).await?;
        Ok(Self { client, driver, _profile: profile })
    }

    /// Loads a page and waits for its `load` event.
    ///
    /// # Errors
    /// The driver's.
    pub async fn goto(&self, url: &str) -> Result<()> {
        Ok(self.client.goto(url).await?)
    }

    /// The driver's client, for what has no method here.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Runs the body of a function, with `arguments`, in the page.
    ///
    /// # Errors
    /// It throws.
    pub async fn run(&self, script: &str, arguments: Vec<Value>) -> Result<Value> {
        self.client.execute(script, arguments).await.with_context(|| format!("in the page: {script}"))
    }

    /// Runs the body of an `async` function in the page, and waits for it.
    ///
    /// # Errors
    /// It throws, or takes more than ten minutes.
    pub async fn run_async(&self, script: &str, arguments: Vec<Value>) -> Result<Value> {
        let script = format!(
            "const finish = arguments[arguments.length - 1];
             const body = async function () {{ {script} }};
             body.apply(null, [...arguments].slice(0, -1)).then(
               (value) => finish({{ value: value ?? null }}),
               (error) => finish({{ error: String(error) }}));"
        );
        let answer = self.client.execute_async(&script, arguments).await?;
        if let Some(error) = answer.get("error") {
            bail!("in the page: {error}");
        }
        Ok(answer["value"].clone())
    }

    /// Waits until an expression in the page is true (in JavaScript's sense), and returns it.
    ///
    /// # Errors
    /// It doesn't within `deadline`.
    pub async fn wait(&self, what: &str, expression: &str, deadline: Duration) -> Result<Value> {
        let start = Instant::now();
        loop {
            let value = self.run(&format!("return ({expression});"), Vec::new()).await?;
            let no =
                matches!(&value, Value::Null | Value::Bool(false)) || value == json!("") || value == json!(0);
            if !no {
                return Ok(value);
            }
            ensure!(start.elapsed() < deadline, "after {deadline:?} still waiting for: {what}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// What has been written to the console since the last call, with its level.
    ///
    /// # Errors
    /// The driver's.
    pub async fn console(&self) -> Result<Vec<(String, String)>> {
        let answer = self.client.issue_cmd(Post("se/log", json!({ "type": "browser" }))).await?;
        let text = |entry: &Value, name: &str| entry[name].as_str().unwrap_or_default().to_string();
        Ok(answer
            .as_array()
            .context("the console's log is no list")?
            .iter()
            .map(|entry| (text(entry, "level"), text(entry, "message")))
            .collect())
    }

    /// Sends a command of the DevTools protocol.
    ///
    /// # Errors
    /// The browser's.
    pub async fn devtools(&self, command: &str, parameters: Value) -> Result<Value> {
        let body = json!({ "cmd": command, "params": parameters });
        Ok(self.client.issue_cmd(Post("goog/cdp/execute", body)).await?)
    }

    /// Ends browser and driver.
    pub async fn close(self) {
        // Whatever is left then is ended with the driver's process group.
        let _ = tokio::time::timeout(Duration::from_secs(20), self.client.close()).await;
        drop(self.driver);
    }
}

/// A command that the WebDriver standard doesn't have and chromedriver does.
#[derive(Debug)]
struct Post(&'static str, Value);

impl WebDriverCompatibleCommand for Post {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, ParseError> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.0))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.1.to_string()))
    }
}

struct Driver {
    process: Child,
    port: u16,
}

impl Driver {
    fn start() -> Result<Self> {
        let program = std::env::var_os("CHROMEDRIVER").unwrap_or_else(|| "chromedriver".into());
        let mut command = Command::new(&program);
        command.arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null());
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut process =
            command.spawn().with_context(|| format!("{} cannot be started", program.to_string_lossy()))?;
        let output = process.stdout.take().context("chromedriver has no output")?;
        let mut driver = Self { process, port: 0 };
        // "ChromeDriver was started successfully on port 40123."
        for line in BufReader::new(output).lines() {
            if let Some((_, port)) = line?.split_once("successfully on port ") {
                driver.port = port.trim_end_matches('.').parse()?;
                return Ok(driver);
            }
        }
        bail!("chromedriver ended without naming its port")
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // With it, a browser whose session could not be closed.
        #[cfg(unix)]
        let _ = Command::new("kill")
            .args(["-KILL", "--", &format!("-{}", self.process.id())])
            .stderr(Stdio::null())
            .status();
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
