//! A client of WebDriver: commands in JSON over HTTP.
//!
//! Two clients were considered. One depends on a crate under the MPL, and the other turns on a
//! feature of `serde_json` that every build of the workspace would then have, also of what is
//! deployed. The few commands that are needed here are shorter than either's manifest is long.

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::process::Stdio;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::http;

/// Keys without a character, as WebDriver names them.
pub(crate) mod key {
    pub(crate) const DOWN: &str = "\u{e015}";
    pub(crate) const END: &str = "\u{e010}";
    pub(crate) const ENTER: &str = "\u{e007}";
    pub(crate) const ESCAPE: &str = "\u{e00c}";
    pub(crate) const TAB: &str = "\u{e004}";
    pub(crate) const UP: &str = "\u{e013}";
}

/// A browser of 1280 by 800 pixels. It ends with this value, and its driver does.
pub(crate) struct Browser {
    driver: SocketAddr,
    session: String,
    _process: Child,
}

impl Browser {
    pub(crate) async fn open(url: &str) -> Self {
        let mut process = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("chromedriver is installed: apt-get install chromium chromium-driver");
        let mut lines = BufReader::new(process.stdout.take().expect("it is piped")).lines();
        let port = loop {
            let line = lines.next_line().await.expect("it writes text");
            let line = line.expect("chromedriver says its port before it ends");
            if let Some((_, port)) = line.split_once("successfully on port ") {
                break port.trim_end_matches('.').parse().expect("it is a port");
            }
        };
        let mut browser = Self {
            driver: SocketAddr::from(([127, 0, 0, 1], port)),
            session: String::new(),
            _process: process,
        };
        let arguments = [
            "--headless=new",
            // Root cannot have it, and nothing but this page is shown.
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--window-size=1280,800",
        ];
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL" },
            "timeouts": { "script": 30_000 },
        } } });
        let session = browser.ask("POST", "/session", wanted).await.expect("chromium starts");
        browser.session = session["sessionId"].as_str().expect("it has an id").to_owned();
        browser.size(1280, 800, false).await;
        browser.command("url", json!({ "url": url })).await;
        browser
    }

    /// Ends it. Nothing may have been logged to the console.
    pub(crate) async fn end(self) {
        self.end_with(|_| false).await;
    }

    /// Ends it. Nothing but failed requests may have been logged to the console.
    pub(crate) async fn end_after_failed_requests(self) {
        let of_requests = ["Failed to load resource", "net::ERR_", "Content Security Policy"];
        self.end_with(|entry| of_requests.iter().any(|text| entry.contains(text))).await;
    }

    async fn end_with(self, may_be_logged: impl Fn(&str) -> bool) {
        let log = self.command("se/log", json!({ "type": "browser" })).await;
        let log = log.as_array().cloned().expect("the browser has a log");
        let unexpected: Vec<_> =
            log.iter().map(Value::to_string).filter(|entry| !may_be_logged(entry)).collect();
        assert!(unexpected.is_empty(), "the console says {unexpected:?}");
    }

    pub(crate) async fn reload(&self) {
        self.command("refresh", json!({})).await;
    }

    /// Waits until an expression in the page is true, looking at each frame.
    pub(crate) async fn until(&self, condition: &str) {
        let script = format!(
            "{PRELUDE}
             const done = arguments[arguments.length - 1];
             const look = () => {{
               let holds = false;
               try {{ holds = {condition}; }} catch {{ /* Not there yet. */ }}
               if (holds) done(true); else requestAnimationFrame(look);
             }};
             look();"
        );
        let asked = json!({ "script": script, "args": [] });
        let path = format!("/session/{}/execute/async", self.session);
        if let Err(error) = self.ask("POST", &path, asked).await {
            let shown = self.value("document.body.innerText").await;
            let shown = shown.as_str().unwrap_or_default();
            panic!("never held: {condition}\n{error}\nthe page shows:\n{shown}");
        }
    }

    pub(crate) async fn execute(&self, script: &str) -> Value {
        let script = format!("{PRELUDE} {script}");
        self.command("execute/sync", json!({ "script": script, "args": [] })).await
    }

    pub(crate) async fn value(&self, expression: &str) -> Value {
        self.execute(&format!("return {expression}")).await
    }

    pub(crate) async fn click(&self, selector: &str) {
        let wanted = json!({ "using": "css selector", "value": selector });
        let found = self.command("element", wanted).await;
        let element = found.as_object().and_then(|found| found.values().next());
        let element = element.and_then(Value::as_str).expect("an element has an id");
        self.command(&format!("element/{element}/click"), json!({})).await;
    }

    /// Replaces the text of a field by typing.
    pub(crate) async fn write(&self, selector: &str, text: &str) {
        self.execute(&format!("find({0}).focus(); find({0}).select()", json!(selector))).await;
        self.keys(text).await;
    }

    pub(crate) async fn choose(&self, selector: &str, value: &str) {
        let script = format!(
            "const select = find({}); select.value = {};
             for (const name of ['input', 'change']) select.dispatchEvent(new Event(name, {{ bubbles: true }}));",
            json!(selector),
            json!(value)
        );
        self.execute(&script).await;
        self.until(&format!("find({}).value === {}", json!(selector), json!(value))).await;
    }

    pub(crate) async fn keys(&self, keys: &str) {
        let press = |key| ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key }));
        let actions: Vec<_> = keys.chars().flat_map(press).collect();
        let keyboard = json!({ "type": "key", "id": "keyboard", "actions": actions });
        self.command("actions", json!({ "actions": [keyboard] })).await;
    }

    /// Tabs on until a condition holds.
    pub(crate) async fn tab_to(&self, condition: &str) {
        for _ in 0..60 {
            self.keys(key::TAB).await;
            if self.value(condition).await == true {
                return;
            }
        }
        panic!("the tabulator does not lead to {condition}");
    }

    /// The role and the name of every control in the accessibility tree.
    pub(crate) async fn controls(&self) -> Vec<(String, String)> {
        let tree = self.devtools("Accessibility.getFullAXTree", json!({})).await;
        let nodes = tree["nodes"].as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value["value"].as_str().unwrap_or_default().to_owned();
        let is_focusable = |node: &Value| {
            let properties = node["properties"].as_array().into_iter().flatten();
            properties
                .into_iter()
                .any(|it| it["name"] == "focusable" && it["value"]["value"] == true)
        };
        let shown = nodes.iter().filter(|node| node["ignored"] == false);
        let used = shown.filter(|node| {
            let role = text(&node["role"]);
            CONTROLS.contains(&role.as_str()) || role == "row" && is_focusable(node)
        });
        used.map(|node| (text(&node["role"]), text(&node["name"]))).collect()
    }

    pub(crate) async fn phone(&self) {
        self.size(390, 844, true).await;
    }

    async fn size(&self, width: u32, height: u32, is_mobile: bool) {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": is_mobile });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
    }

    /// Prefers a color scheme, `light` or `dark`, and nothing that moves.
    pub(crate) async fn scheme(&self, scheme: &str) {
        let preferred = [("prefers-color-scheme", scheme), ("prefers-reduced-motion", "reduce")];
        let features = preferred.map(|(name, value)| json!({ "name": name, "value": value }));
        self.devtools("Emulation.setEmulatedMedia", json!({ "features": features })).await;
    }

    pub(crate) async fn screenshot(&self) -> Vec<u8> {
        let path = format!("/session/{}/screenshot", self.session);
        let picture = self.ask("GET", &path, json!({})).await.expect("there is a picture");
        STANDARD.decode(picture.as_str().unwrap_or_default()).expect("it is Base64")
    }

    async fn devtools(&self, method: &str, parameters: Value) -> Value {
        self.command("goog/cdp/execute", json!({ "cmd": method, "params": parameters })).await
    }

    async fn command(&self, name: &str, parameters: Value) -> Value {
        let path = format!("/session/{}/{name}", self.session);
        let answer = self.ask("POST", &path, parameters.clone()).await;
        answer.unwrap_or_else(|error| panic!("{name} {parameters}: {error}"))
    }

    async fn ask(&self, method: &str, path: &str, parameters: Value) -> Result<Value, String> {
        let body = if method == "POST" { parameters.to_string() } else { String::new() };
        let host = self.driver.to_string();
        let (status, answer) =
            http::ask(self.driver, &format!("{method} {path}"), &host, None, &body).await;
        let (_, body) = answer.split_once("\r\n\r\n").expect("an answer has a body");
        let mut answer: Value = serde_json::from_str(body).expect("an answer is JSON");
        let value = answer["value"].take();
        if status == 200 { Ok(value) } else { Err(value["message"].to_string()) }
    }
}

impl Drop for Browser {
    /// Ends the session, also after a failed test: a driver that is killed leaves its browser.
    fn drop(&mut self) {
        let Ok(mut stream) = std::net::TcpStream::connect(self.driver) else { return };
        let request = format!(
            "DELETE /session/{} HTTP/1.1\r\nHost: {}\r\nContent-Length: 0\r\n\r\n",
            self.session, self.driver
        );
        // It answers when the browser has ended.
        let _ = stream.write_all(request.as_bytes()).and_then(|()| stream.read(&mut [0]));
    }
}

/// The roles of what somebody uses.
const CONTROLS: [&str; 8] = [
    "button",
    "combobox",
    "dialog",
    "DisclosureTriangle",
    "grid",
    "search",
    "searchbox",
    "textbox",
];

/// What conditions and scripts are written in.
const PRELUDE: &str = "
    const find = (selector) => document.querySelector(selector);
    const rows = () => [...document.querySelectorAll('#rows tr')];
    const text = (selector) => find(selector).textContent;
    const visible = (selector) => !!find(selector) && find(selector).checkVisibility();
";
