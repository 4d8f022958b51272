//! A browser to look at a page with: a small client of `chromedriver`, <https://www.w3.org/TR/webdriver2/>.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

/// A headless Chromium with a profile of its own. Dropping it closes it.
#[derive(Debug)]
pub(crate) struct Browser {
    driver: Child,
    port: u16,
    session: String,
    profile: PathBuf,
    client: Client<HttpConnector, Full<Bytes>>,
}

// ===== impl Browser =====

#[allow(dead_code, reason = "each test uses what it needs")]
impl Browser {
    /// `None`, with the reason printed, where no `chromedriver` is on the path. With `BELVEDERE_BROWSER=required` in the
    /// environment it panics with that reason.
    pub(crate) async fn start() -> Option<Self> {
        let port = free_port();
        let mut driver = Command::new("chromedriver");
        driver.arg(format!("--port={port}")).stdout(Stdio::null()).stderr(Stdio::null());
        let driver = match driver.spawn() {
            Ok(driver) => driver,
            Err(error) => {
                let reason = format!("no browser: chromedriver does not start: {error}");
                assert!(!is_required(), "{reason}");
                println!("{reason}");
                return None;
            }
        };
        let profile = std::env::temp_dir().join(format!("belvedere-browser-{}-{port}", std::process::id()));
        let client = Client::builder(TokioExecutor::new()).build_http();
        let mut browser = Self { driver, port, session: String::new(), profile, client };
        browser.wait_for_driver().await;
        browser.open_session().await;
        Some(browser)
    }

    pub(crate) async fn go(&self, url: &str) {
        self.ask("url", json!({ "url": url })).await;
    }

    /// What a function body returns in the page.
    pub(crate) async fn run(&self, script: &str) -> Value {
        self.ask("execute/sync", json!({ "script": script, "args": [] })).await
    }

    /// Runs the function body until it returns something true.
    pub(crate) async fn until(&self, script: &str) -> Value {
        for _ in 0..200 {
            let value = self.run(script).await;
            if !matches!(&value, Value::Null | Value::Bool(false)) {
                return value;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("never true: {script}");
    }

    pub(crate) async fn resize(&self, width: u32, height: u32) {
        self.ask("window/rect", json!({ "width": width, "height": height })).await;
    }

    /// Clicks where a person would, on what is there to be clicked.
    pub(crate) async fn click(&self, selector: &str) {
        let found = self.ask("element", json!({ "using": "css selector", "value": selector })).await;
        let element = found.as_object().and_then(|found| found.values().next()).and_then(Value::as_str);
        let element = element.unwrap_or_else(|| panic!("no element {selector}: {found}"));
        self.ask(&format!("element/{element}/click"), json!({})).await;
    }

    /// Clicks a link that opens a tab of its own, and goes on in that tab.
    pub(crate) async fn follow(&self, selector: &str) {
        let before = self.tabs().await;
        self.click(selector).await;
        for _ in 0..200 {
            if let Some(tab) = self.tabs().await.into_iter().find(|tab| !before.contains(tab)) {
                self.ask("window", json!({ "handle": tab })).await;
                return;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("no tab is opened by {selector}");
    }

    pub(crate) async fn press(&self, key: &str) {
        let press = json!([{ "type": "keyDown", "value": key }, { "type": "keyUp", "value": key }]);
        self.ask("actions", json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": press }] }))
            .await;
    }

    /// What the browser complained about: script errors, refused styles, failed loads.
    pub(crate) async fn complaints(&self) -> Vec<String> {
        let log = self.ask("se/log", json!({ "type": "browser" })).await;
        let entries = log.as_array().into_iter().flatten();
        entries
            .filter(|entry| entry["level"] != "INFO" && entry["level"] != "DEBUG")
            .map(Value::to_string)
            .collect()
    }

    /// Every address that was asked for, but for those of the browser's own pages.
    pub(crate) async fn requests(&self) -> Vec<String> {
        let log = self.ask("se/log", json!({ "type": "performance" })).await;
        let messages = log.as_array().into_iter().flatten().filter_map(|entry| entry["message"].as_str());
        let events = messages.filter_map(|message| serde_json::from_str::<Value>(message).ok());
        let sent = events.filter(|event| event["message"]["method"] == "Network.requestWillBeSent");
        let urls =
            sent.filter_map(|event| event["message"]["params"]["request"]["url"].as_str().map(str::to_owned));
        urls.filter(|url| !url.starts_with("chrome:") && !url.starts_with("data:")).collect()
    }

    async fn tabs(&self) -> Vec<Value> {
        let path = format!("{}/window/handles", self.session);
        let tabs = self.send(Method::GET, &path, Value::Null).await.expect("the driver answers");
        tabs.as_array().unwrap_or_else(|| panic!("no tabs: {tabs}")).clone()
    }

    async fn open_session(&mut self) {
        let options = json!({ "args": [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--window-size=1280,800", format!("--user-data-dir={}", self.profile.display()),
        ] });
        let capabilities = json!({
            "goog:chromeOptions": options,
            // A page that listens is never loaded to its end.
            "pageLoadStrategy": "eager",
            "timeouts": { "pageLoad": 20_000, "script": 10_000 },
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
        });
        let asked = json!({ "capabilities": { "alwaysMatch": capabilities } });
        let session = self.send(Method::POST, "/session", asked).await.expect("the driver answers");
        let id = session["sessionId"].as_str().unwrap_or_else(|| panic!("no session: {session}"));
        self.session = format!("/session/{id}");
    }

    async fn wait_for_driver(&self) {
        for _ in 0..400 {
            let status = self.send(Method::GET, "/status", Value::Null).await;
            if status.is_some_and(|status| status["ready"] == true) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("chromedriver is not ready after ten seconds");
    }

    async fn ask(&self, command: &str, body: Value) -> Value {
        let value = self.send(Method::POST, &format!("{}/{command}", self.session), body).await;
        let value = value.expect("the driver answers");
        assert!(value.get("error").is_none(), "{command}: {value}");
        value
    }

    async fn send(&self, method: Method, path: &str, body: Value) -> Option<Value> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request = Request::builder()
            .method(method)
            .uri(format!("http://127.0.0.1:{}{path}", self.port))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::from(body))
            .expect("a request");
        let answer = self.client.request(request).await.ok()?.into_body().collect().await.ok()?.to_bytes();
        let mut answer: Value = serde_json::from_slice(&answer).ok()?;
        Some(answer["value"].take())
    }

    /// Blocks, since it is for dropping.
    fn close_session(&self) -> std::io::Result<()> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        let path = &self.session;
        write!(
            stream,
            "DELETE {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n\r\n",
            self.port
        )?;
        stream.read(&mut [0; 64]).map(drop)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Killing the driver alone would leave its browser behind.
        let _ = self.close_session();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
        let _ = std::fs::remove_dir_all(&self.profile);
    }
}

fn is_required() -> bool {
    std::env::var("BELVEDERE_BROWSER").is_ok_and(|value| value == "required")
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("an address").port()
}
