//! The browser, and the bank that it visits.

use std::error::Error;
use std::future::Future;
use std::io::{BufRead, BufReader};
use std::ops::Deref;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bank::options::Options;
use bank::people::Person;
use bank::start::{Running, start};
use bank::storage::Place;
use tempfile::TempDir;
use thirtyfour::common::log::LoggingPrefsLogLevel;
use thirtyfour::extensions::query::ElementPollerWithTimeout;
use thirtyfour::prelude::*;
use thirtyfour::testing::run_browser_test;

pub(crate) type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// How long the browser may take for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often it is asked meanwhile.
const INTERVAL: Duration = Duration::from_millis(50);

/// chromedriver, stopped when dropped.
struct Chromedriver {
    process: Child,
    port: u16,
    /// Kept open: chromedriver would be killed for writing to a closed pipe.
    _output: BufReader<ChildStdout>,
}

/// How often starting chromedriver is tried: it wants the same port of both versions of IP, and ends
/// where another program has taken one of them.
const STARTS: usize = 5;

impl Chromedriver {
    fn start() -> Self {
        let started = (0..STARTS).find_map(|_| Self::try_start());
        started.unwrap_or_else(|| panic!("chromedriver ended without naming its port"))
    }

    fn try_start() -> Option<Self> {
        let mut process = Command::new(program("DONJON_CHROMEDRIVER"))
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("chromedriver doesn't start: {error}"));
        let Some(output) = process.stdout.take() else { panic!("chromedriver has no output") };
        let mut output = BufReader::new(output);
        let Some(port) = announced_port(&mut output) else {
            // It has ended by itself, or is of no use.
            let _ = process.kill();
            let _ = process.wait();
            return None;
        };
        Some(Self { process, port, _output: output })
    }
}

impl Drop for Chromedriver {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The path of a program that the environment names.
fn program(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!("{variable} is not set: this test needs a browser; run cargo xtask test")
    })
}

/// chromedriver says `… started successfully on port 12345.`
fn announced_port(output: &mut impl BufRead) -> Option<u16> {
    let mut line = String::new();
    while output.read_line(&mut line).is_ok_and(|length| length > 0) {
        if let Some((_, port)) =
            line.trim_end().trim_end_matches('.').rsplit_once("successfully on port ")
        {
            return port.parse().ok();
        }
        line.clear();
    }
    None
}

/// A browser, and a fresh bank with its neighbours, for the length of a test.
pub(crate) async fn visit<F: Future<Output = Outcome>>(test: impl FnOnce(Visitor) -> F) -> Outcome {
    visit_with(|_| Vec::new(), test).await
}

/// The same, in a browser with further flags.
pub(crate) async fn visit_with<F: Future<Output = Outcome>>(
    flags: impl FnOnce(&Running) -> Vec<String>,
    test: impl FnOnce(Visitor) -> F,
) -> Outcome {
    let folder = TempDir::new()?;
    let options = Options {
        port: 0,
        attacker_port: 0,
        app_port: 0,
        place: Place::file(folder.path().join("bank.sqlite3")),
        proxy: None,
    };
    let running = Arc::new(start(&options).await?);
    let flags = flags(&running);
    let visitor = |browser| Visitor { browser, running: Arc::clone(&running) };
    browse(&flags, |browser| test(visitor(browser))).await?;
    if let Ok(running) = Arc::try_unwrap(running) {
        running.stop().await;
    }
    Ok(())
}

/// A browser with these flags, for the length of a test.
pub(crate) async fn browse<F: Future<Output = Outcome>>(
    flags: &[String],
    test: impl FnOnce(Browser) -> F,
) -> Outcome {
    let folder = TempDir::new()?;
    let chromedriver = Chromedriver::start();
    let url = format!("http://127.0.0.1:{}", chromedriver.port);
    let browser = WebDriver::builder(url, capabilities(&folder, flags)?)
        .poller(Arc::new(ElementPollerWithTimeout::new(PATIENCE, INTERVAL)))
        .connect();
    Ok(run_browser_test(browser, |browser| test(Browser(browser))).await?)
}

fn capabilities(folder: &TempDir, flags: &[String]) -> WebDriverResult<Capabilities> {
    let mut capabilities = DesiredCapabilities::chrome();
    capabilities.set_binary(&program("DONJON_CHROMIUM"))?;
    capabilities.set_browser_log_level(LoggingPrefsLogLevel::All)?;
    for argument in [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--window-size=1200,1000",
    ] {
        capabilities.add_arg(argument)?;
    }
    for flag in flags {
        capabilities.add_arg(flag)?;
    }
    let profile = folder.path().join("profile");
    capabilities.add_arg(&format!("--user-data-dir={}", profile.display()))?;
    Ok(capabilities.into())
}

/// Somebody in front of the browser, at the bank.
pub(crate) struct Visitor {
    browser: Browser,
    running: Arc<Running>,
}

impl Visitor {
    /// Where the bank listens.
    pub(crate) fn bank_port(&self) -> u16 {
        self.running.bank.port()
    }

    /// Where the attacker listens.
    pub(crate) fn attacker_port(&self) -> u16 {
        self.running.attacker.port()
    }

    /// Where the front end listens.
    pub(crate) fn app_port(&self) -> u16 {
        self.running.app.port()
    }

    /// Opens a page of the bank.
    pub(crate) async fn page(&self, path: &str) -> Outcome {
        self.open(&format!("{}{path}", self.running.bank_url())).await
    }
}

impl Deref for Visitor {
    type Target = Browser;

    fn deref(&self) -> &Browser {
        &self.browser
    }
}

/// A browser.
pub(crate) struct Browser(WebDriver);

impl Browser {
    /// Opens an address.
    pub(crate) async fn open(&self, url: &str) -> Outcome {
        Ok(self.0.goto(url).await?)
    }

    /// Clicks what this selector finds, once it is there.
    pub(crate) async fn click(&self, css: &str) -> Outcome {
        Ok(self.0.query(By::Css(css)).and_displayed().first().await?.click().await?)
    }

    /// Replaces the text of a field.
    pub(crate) async fn fill(&self, css: &str, text: &str) -> Outcome {
        let field = self.0.query(By::Css(css)).first().await?;
        field.clear().await?;
        Ok(field.send_keys(text).await?)
    }

    /// Chooses a file in a field.
    pub(crate) async fn choose(&self, css: &str, path: &str) -> Outcome {
        Ok(self.0.query(By::Css(css)).first().await?.send_keys(path).await?)
    }

    /// The property of the first element that this selector finds.
    pub(crate) async fn property(&self, css: &str, name: &str) -> Outcome<String> {
        let element = self.0.query(By::Css(css)).first().await?;
        Ok(element.prop(name).await?.unwrap_or_default())
    }

    /// The texts of all elements that this selector finds now.
    pub(crate) async fn texts(&self, css: &str) -> Outcome<Vec<String>> {
        let mut texts = Vec::new();
        for element in self.0.find_all(By::Css(css)).await? {
            texts.push(element.text().await?);
        }
        Ok(texts)
    }

    /// The attributes of all elements that this selector finds now.
    pub(crate) async fn attributes(&self, css: &str, name: &str) -> Outcome<Vec<String>> {
        let mut values = Vec::new();
        for element in self.0.find_all(By::Css(css)).await? {
            values.push(element.attr(name).await?.unwrap_or_default());
        }
        Ok(values)
    }

    /// Waits until an element that this selector finds shows this text.
    pub(crate) async fn see(&self, css: &str, text: &str) -> Outcome {
        let shown = self.until(async || {
            // While a page changes, an element can go between two questions.
            let texts = self.texts(css).await.unwrap_or_default();
            texts.iter().any(|shown| shown.contains(text))
        });
        if shown.await {
            return Ok(());
        }
        let (url, texts) = (self.0.current_url().await?, self.texts(css).await?);
        Err(format!("at {url}: {css} shows {texts:?}, expected {text:?}").into())
    }

    /// Waits until the address ends so.
    pub(crate) async fn arrive(&self, end: &str) -> Outcome {
        let arrived = self.until(async || {
            self.0.current_url().await.is_ok_and(|url| url.as_str().ends_with(end))
        });
        if arrived.await {
            return Ok(());
        }
        Err(format!("at {}, expected …{end}", self.0.current_url().await?).into())
    }

    async fn until(&self, condition: impl AsyncFn() -> bool) -> bool {
        let deadline = Instant::now() + PATIENCE;
        while !condition().await {
            if Instant::now() > deadline {
                return false;
            }
            tokio::time::sleep(INTERVAL).await;
        }
        true
    }

    /// Logs in on the page that is open, which must have the form.
    pub(crate) async fn log_in(&self, person: &Person) -> Outcome {
        self.fill("#id_username", person.username).await?;
        self.fill("#id_password", person.password).await?;
        self.click("main button[type=submit]").await
    }

    /// Forgets a cookie of the page that is open.
    pub(crate) async fn forget_cookie(&self, name: &str) -> Outcome {
        Ok(self.0.delete_cookie(name).await?)
    }

    /// Runs a script in the page.
    pub(crate) async fn run(&self, script: &str) -> Outcome<serde_json::Value> {
        Ok(self.0.execute(script, Vec::new()).await?.json().clone())
    }

    /// What a promise of the page is fulfilled with; a rejection is its text.
    pub(crate) async fn settle(&self, promise: &str) -> Outcome<serde_json::Value> {
        let script = format!(
            "const done = arguments[arguments.length - 1];
             Promise.resolve().then(async () => {{ {promise} }}).then(done, (error) => done(String(error)));"
        );
        Ok(self.0.execute_async(script, Vec::new()).await?.json().clone())
    }

    /// Grants a permission that this origin's pages would have to ask the visitor for.
    pub(crate) async fn grant(&self, origin: &str, permission: &str) -> Outcome {
        let grant = serde_json::json!({
            "permission": { "name": permission }, "setting": "granted", "origin": origin,
        });
        self.0.cdp().send_raw("Browser.setPermission", grant).await?;
        Ok(())
    }

    /// The cookie of this name of the page that is open.
    pub(crate) async fn cookie(&self, name: &str) -> Outcome<Cookie> {
        Ok(self.0.get_named_cookie(name).await?)
    }

    /// What the browser's console shows since it was last asked.
    pub(crate) async fn console(&self) -> Outcome<Vec<String>> {
        let log = self.0.browser_log().await?;
        Ok(log.into_iter().map(|entry| entry.message).collect())
    }

    /// What the browser complained about since it was last asked, by its content security policy.
    pub(crate) async fn violations(&self) -> Outcome<Vec<String>> {
        let messages = self.console().await?.into_iter();
        Ok(messages.filter(|message| message.contains("Content Security Policy")).collect())
    }
}
