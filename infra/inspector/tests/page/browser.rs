//! The page in Chromium, by WebDriver.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::json;

use crate::stand_in::{CONFLUENCE, JIRA, Request, Served, Stack};
use crate::web_driver::{Browser, key};

#[tokio::test]
#[ignore = "needs chromium and chromedriver"]
async fn shows_a_delivery_as_it_arrives_and_changes() {
    let (stack, served, browser) = opened().await;
    browser
        .until(
            "visible('#empty') && text('#empty').includes('cargo hooks send jira:issue_created')",
        )
        .await;
    browser.execute("window.isSamePage = true").await;

    stack.queued("a", &Request::issue());
    browser.until("rows().length === 1 && !visible('#empty')").await;
    let row = "rows()[0].textContent";
    browser
        .until(&format!("{row}.includes('jira:issue_created') && {row}.includes('queued')"))
        .await;
    stack.failed("a", 1, "the ledger did not answer");
    browser.until(&format!("{row}.includes('retrying')")).await;
    // An open row changes as well.
    browser.click("#rows tr").await;
    browser.until("text('#details').includes('the ledger did not answer')").await;
    browser.until("text('#details').includes('again after 30 s')").await;
    stack.handled("a");
    browser.until(&format!("{row}.includes('handled')")).await;
    browser.until("text('#details').includes('Attempt 1 succeeded')").await;
    // Newest first.
    stack.queued("b", &Request::page());
    browser.until("rows().length === 2 && rows()[0].textContent.includes('page_created')").await;
    browser.until("text('#news') === '2 new deliveries, 2 in all' || text('#news') === '1 new delivery, 2 in all'").await;
    browser.until("window.isSamePage").await;
    browser.end().await;
    served.stop().await;
}

#[tokio::test]
#[ignore = "needs chromium and chromedriver"]
async fn shows_why_a_request_was_refused() {
    let (stack, _served, browser) = opened().await;
    let mut other = Request::issue();
    let claims = other.claims.as_mut().expect("it has claims");
    claims["qsh"] = "0".repeat(64).into();
    let detail = "the token was made for another request";
    stack.rejected("a", &other.refused(401), "qsh", detail);
    browser.until("rows().length === 1 && rows()[0].textContent.includes('401 qsh')").await;
    browser.until("rows()[0].textContent.includes('rejected')").await;
    browser.click("#rows tr").await;
    browser.until("text('#details').includes('The token was not trusted: qsh.')").await;
    browser.until("text('#details').includes('≠ different')").await;
    browser.until("text('#details').includes('POST&/issue-created&')").await;
    browser.until("text('#details').includes('JWT (hidden)')").await;
    browser.until("text('#details').includes('2 min 59 s after the request arrived')").await;
    browser.until("!find('#replay')").await;

    stack.queued("b", &Request::issue());
    browser.until("rows().length === 2").await;
    browser.click("#rows tr").await;
    browser.until("text('#details').includes('The token was trusted.') && text('#details').includes('= equal')").await;
    browser.until("text('.typed').includes('ABC-1')").await;
    // The tree is folded and unfolded, and shows a number as it was written.
    browser.until("text('.tree').includes('\"The invoice has the wrong date\"')").await;
    browser.until("text('.tree').includes('12345678901234567890')").await;
    browser.click(".tree summary").await;
    browser.until("!find('.tree details').open").await;
    browser.end().await;
}

#[tokio::test]
#[ignore = "needs chromium and chromedriver"]
async fn filters_by_event_tenant_outcome_and_text() {
    let (stack, served, browser) = opened().await;
    stack.queued("a", &Request::issue());
    stack.handled("a");
    stack.queued("b", &Request::page());
    stack.rejected("c", &Request::issue().refused(401), "expired", "the token has expired");
    browser.until("text('#count') === '3 of 3'").await;
    for (select, value, count) in [
        ("event", "page_created", "1 of 3"),
        ("event", "jira:issue_created", "2 of 3"),
        ("tenant", CONFLUENCE, "1 of 3"),
        ("outcome", "rejected", "1 of 3"),
        ("outcome", "handled", "1 of 3"),
    ] {
        browser.choose(&format!("#filter-{select}"), value).await;
        browser.until(&format!("text('#count') === '{count}'")).await;
        browser
            .until(&format!("rows().filter((row) => !row.hidden).length === {}", &count[..1]))
            .await;
        browser.click("#filter-clear").await;
        browser.until("text('#count') === '3 of 3'").await;
    }
    // By event, path, reason, detail, body, log line.
    for (text, count) in [
        ("PAGE_CREATED", 1),
        ("/issue-created", 2),
        ("expired", 1),
        ("token has", 1),
        ("wrong date", 2),
        ("delivery handled", 1),
        ("nowhere", 0),
    ] {
        browser.write("#filter-text", text).await;
        browser.until(&format!("text('#count') === '{count} of 3'")).await;
    }
    browser.until("visible('#no-match') && !visible('#empty')").await;
    // The filter is part of the address, and holds for what arrives later.
    browser.write("#filter-text", "minutes").await;
    browser.until("location.hash === '#text=minutes'").await;
    stack.queued("d", &Request::page());
    browser.until("text('#count') === '2 of 4'").await;
    browser.reload().await;
    browser.until("text('#count') === '2 of 4' && find('#filter-text').value === 'minutes'").await;
    browser.end().await;
    served.stop().await;
}

#[tokio::test]
#[ignore = "needs chromium and chromedriver"]
async fn replays_a_dead_letter() {
    let (stack, served, browser) = opened().await;
    stack.queued("a b/c", &Request::issue());
    stack.dead_lettered("a b/c", 5, "the ledger has no such invoice");
    browser.until("rows().length === 1 && rows()[0].textContent.includes('dead-lettered')").await;
    browser.click("#rows tr").await;
    browser.until("text('#details').includes('The ledger has no such invoice.')").await;
    browser.click("#replay").await;
    browser.until("text('#notice') === 'It is back on its queue.'").await;
    assert_eq!(served.control.calls(), ["replay a b/c"]);
    stack.handled("a b/c");
    browser.until("rows()[0].textContent.includes('handled') && !find('#replay')").await;
    browser.end().await;
}

#[tokio::test]
#[ignore = "needs chromium and chromedriver"]
async fn sends_rightly_and_wrongly() {
    let (_stack, served, browser) = opened().await;
    browser.click("#open-send").await;
    browser.until("find('#send-body').value.includes('jira:issue_created')").await;
    browser.until("text('#send-validity').startsWith('Valid JSON')").await;
    browser.write("#send-body", "{\"edited\":").await;
    browser.until("text('#send-validity').startsWith('Not JSON')").await;
    browser.write("#send-body", "{\"edited\":1}").await;
    let mut expected = Vec::new();
    for (value, tampering) in [
        ("none", "None"),
        ("expired", "Expired"),
        ("wrong_secret", "WrongSecret"),
        ("wrong_qsh", "WrongQsh"),
        ("no_token", "NoToken"),
    ] {
        browser.choose("#send-tampering", value).await;
        browser.execute("find('#notice').textContent = ''").await;
        browser.click("#send-now").await;
        browser.until("text('#notice').startsWith('Sent jira:issue_created, ')").await;
        expected.push(format!(r#"send {JIRA} jira:issue_created {tampering} {{"edited":1}}"#));
        assert_eq!(served.control.calls(), expected);
    }
    // Another site has other events.
    browser.choose("#send-site", CONFLUENCE).await;
    browser.until("find('#send-body').value.includes('page_created')").await;
    browser.choose("#send-tampering", "none").await;

    browser.click("#install").await;
    browser.until("text('#notice') === 'Installed again with a new secret.'").await;
    // Uninstalling asks again.
    browser.click("#uninstall").await;
    browser
        .until("visible('#confirm') && text('#confirm').includes('https://confluence.example')")
        .await;
    browser.click("#confirm-no").await;
    browser.until("!visible('#confirm')").await;
    browser.click("#uninstall").await;
    browser.click("#confirm-yes").await;
    browser.until("text('#notice') === 'Uninstalled.' && !visible('#confirm')").await;
    expected.extend([format!("install {CONFLUENCE}"), format!("uninstall {CONFLUENCE}")]);
    assert_eq!(served.control.calls(), expected);

    served.control.refuse("the site is not installed; install it first");
    browser.click("#send-now").await;
    browser.until("text('#notice') === 'The site is not installed; install it first.'").await;
    browser.until("find('#notice').getAttribute('role') === 'alert'").await;
    // The browser itself logs an answer that is an error.
    browser.end_after_failed_requests().await;
}

#[tokio::test]
#[ignore = "needs chromium and chromedriver"]
async fn is_used_by_keyboard_alone() {
    let (stack, served, browser) = opened().await;
    for id in ["a", "b", "c"] {
        stack.queued(id, &Request::issue());
    }
    stack.queued("d", &Request::page());
    browser.until("rows().length === 4").await;
    // To the filter, and on to the rows.
    browser.keys("/").await;
    browser.until("document.activeElement === find('#filter-text')").await;
    browser.keys("abc-1").await;
    browser.until("text('#count') === '3 of 4'").await;
    browser.tab_to("document.activeElement.matches('#rows tr')").await;
    browser.until("document.activeElement === rows()[1]").await;
    browser.keys(key::DOWN).await;
    browser.until("document.activeElement === rows()[2]").await;
    browser.keys(key::END).await;
    browser.until("document.activeElement === rows()[3]").await;
    browser.keys(key::UP).await;
    browser.keys(key::ENTER).await;
    browser
        .until("find('#details').open && document.activeElement === find('#details-title')")
        .await;
    // Into the tree, which unfolds.
    browser.tab_to("document.activeElement.matches('.tree summary')").await;
    browser.keys(key::ENTER).await;
    browser.until("!find('.tree details').open").await;
    browser.keys(key::ESCAPE).await;
    browser.until("!find('#details').open && document.activeElement === rows()[2]").await;
    // Sends.
    browser.keys("s").await;
    browser.until("find('#send').open && document.activeElement === find('#send-site')").await;
    browser.until("find('#send-body').value").await;
    browser.tab_to("document.activeElement === find('#send-tampering')").await;
    browser.keys(key::DOWN).await;
    browser.tab_to("document.activeElement === find('#send-now')").await;
    browser.keys(key::ENTER).await;
    browser.until("text('#notice').startsWith('Sent ')").await;
    assert!(served.control.calls()[0].contains("jira:issue_created Expired"));
    // A letter in a field is a letter.
    browser.tab_to("document.activeElement === find('#uninstall')").await;
    browser.keys(key::ENTER).await;
    browser.until("document.activeElement === find('#confirm-no')").await;
    browser.keys(key::ESCAPE).await;
    browser.until("!find('#send').open && document.activeElement === find('#open-send')").await;
    browser.keys("/").await;
    browser.keys("s/s").await;
    browser.until("find('#filter-text').value === 's/s' && !find('#send').open").await;
    browser.end().await;
}

#[tokio::test]
#[ignore = "needs chromium and chromedriver"]
async fn names_every_control() {
    let (stack, _served, browser) = opened().await;
    stack.queued("a", &Request::issue());
    stack.dead_lettered("a", 5, "no");
    browser.until("rows().length === 1").await;
    let mut named = BTreeSet::new();
    for panel in ["#rows tr", "#open-send"] {
        browser.click(panel).await;
        browser.until("find('dialog[open]')").await;
        if panel == "#open-send" {
            browser.click("#uninstall").await;
        }
        for (role, name) in browser.controls().await {
            assert!(!name.trim().is_empty(), "a {role} has no accessible name beside {named:?}");
            named.insert(name);
        }
    }
    for expected in [
        "Filter",
        "Event",
        "Tenant",
        "Outcome",
        "Replay",
        "Body",
        "How",
        "Uninstall",
        "Close details",
    ] {
        assert!(named.contains(expected), "{expected} is not among {named:?}");
    }
    browser.end().await;
}

#[tokio::test]
#[ignore = "needs chromium and chromedriver"]
async fn touches_only_the_rows_that_changed() {
    let (stack, _served, browser) = opened().await;
    for number in 0..500 {
        stack.queued(&number.to_string(), &Request::issue());
    }
    browser.until("rows().length === 500 && text('#count') === '500 of 500'").await;
    browser.until("rows().every((row) => row.textContent.includes('queued'))").await;
    browser.execute(
        "window.touched = new Set();
         new MutationObserver((changes) => {
           for (const { target } of changes) {
             const row = (target.nodeType === 1 ? target : target.parentElement).closest('tr');
             touched.add(row ? row.rowIndex : 'table');
           }
         }).observe(find('#rows'), { subtree: true, childList: true, characterData: true, attributes: true });",
    )
    .await;
    stack.handled("499");
    stack.handled("250");
    browser.until("rows()[0].textContent.includes('handled') && rows()[249].textContent.includes('handled')").await;
    // The first row is under the column names.
    browser.until("JSON.stringify([...touched]) === '[1,250]'").await;
    // A new row does not make the others again. It takes the second one's place in the tab order.
    browser.execute("touched.clear(); window.second = rows()[0]").await;
    stack.queued("500", &Request::page());
    browser.until("rows().length === 501 && rows()[1] === second").await;
    browser.until("[...touched].every((row) => row === 'table' || row <= 2)").await;
    // It still answers.
    browser.write("#filter-text", "minutes").await;
    browser.until("text('#count') === '1 of 501'").await;
    browser.click("#rows tr").await;
    browser.until("text('#details-title') === 'page_created'").await;
    // No more than a thousand stay.
    for number in 501..1100 {
        stack.request(&number.to_string(), &Request::issue());
    }
    browser.until("rows().length === 1000 && text('#count') === '1 of 1000'").await;
    browser.end().await;
}

#[tokio::test]
#[ignore = "needs chromium and chromedriver"]
async fn shows_hostile_data_as_text() {
    const HOSTILE: &str = "<img src=x onerror=alert(1)><script>alert(2)</script>";
    let (stack, _served, browser) = opened().await;
    let body =
        json!({ "eventType": HOSTILE, HOSTILE: { HOSTILE: [HOSTILE] }, "__proto__": HOSTILE });
    let mut request = Request::to("/installed", "", "Lifecycle", JIRA, &body.to_string());
    let claims = json!({ "iss": HOSTILE, "iat": HOSTILE, "exp": -1e300, "qsh": HOSTILE });
    request.claims = Some(claims);
    stack.rejected("\"'><b>", &request.refused(401), HOSTILE, HOSTILE);
    browser.until("rows().length === 1 && rows()[0].querySelector('.event').textContent.startsWith('<img src=x')").await;
    browser.click("#rows tr").await;
    browser.until("text('#details-title').startsWith('<img src=x')").await;
    browser.until("text('.tree').includes('<script>alert(2)')").await;
    browser.until("find('#filter-event').options.length === 2").await;
    browser.choose("#filter-event", HOSTILE).await;
    browser.until("text('#count') === '1 of 1'").await;
    // Values that are no objects, or no JSON.
    for (id, body) in [("null", "null"), ("text", "<b>not JSON</b>"), ("empty", "")] {
        let mut request = Request::to("/installed", "", "Lifecycle", JIRA, body);
        request.claims = None;
        stack.request(id, &request);
    }
    browser.click("#filter-clear").await;
    browser.until("rows().length === 4").await;
    for row in ["#rows tr:nth-child(1)", "#rows tr:nth-child(2)", "#rows tr:nth-child(3)"] {
        browser.click(row).await;
        browser.until("text('#details').includes('no token that can be decoded')").await;
    }
    browser.until("document.querySelectorAll('img, b, body script').length === 0").await;
    browser.end().await;
}

#[tokio::test]
#[ignore = "needs chromium and chromedriver"]
async fn asks_no_other_host() {
    let (stack, served, browser) = opened().await;
    stack.queued("a", &Request::issue());
    browser.until("rows().length === 1").await;
    browser.click("#rows tr").await;
    browser.click("#open-send").await;
    browser.until("find('#send-body').value").await;
    let asked = browser
        .value("performance.getEntries().filter(({ name }) => name.includes(':')).map(({ name }) => name)")
        .await;
    let asked = asked.as_array().cloned().unwrap_or_default();
    let own = format!("http://{}/", served.address);
    assert!(asked.len() >= 4, "{asked:?}");
    for url in asked {
        let url = url.as_str().unwrap_or_default().to_owned();
        assert!(url.starts_with(&own), "{url} was asked");
    }
    // If it tried, the policy would not let it.
    let blocked = "(() => { window.blocked = null;
        document.addEventListener('securitypolicyviolation', (event) => window.blocked = event.blockedURI);
        fetch('http://192.0.2.1/').catch(() => {}); return true; })()";
    browser.until(blocked).await;
    browser.until("window.blocked === 'http://192.0.2.1/'").await;
    browser.end_after_failed_requests().await;
}

#[tokio::test]
#[ignore = "needs chromium and chromedriver"]
async fn connects_again_to_the_next_stack() {
    let (stack, served, browser) = opened().await;
    stack.queued("old", &Request::issue());
    browser.until("rows().length === 1 && text('#connection') === 'live'").await;
    let address = served.address;
    served.stop().await;
    browser.until("text('#connection') === 'reconnecting…'").await;
    let next = Stack::new();
    next.queued("new", &Request::page());
    let _served = Served::start_at(&next, address).await;
    browser.until("text('#connection') === 'live' && rows().length === 1").await;
    browser.until("rows()[0].textContent.includes('page_created')").await;
    browser.end_after_failed_requests().await;
}

#[tokio::test]
#[ignore = "needs chromium and chromedriver"]
async fn fits_a_phone() {
    let (stack, _served, browser) = opened().await;
    browser.phone().await;
    let mut long = Request::issue();
    let word = "a".repeat(300);
    long.body = json!({ "webhookEvent": "jira:issue_created", &word: [&word] }).to_string();
    stack.queued("a", &long);
    stack.rejected(
        "b",
        &Request::to("/missing", "", "Lifecycle", JIRA, &word).refused(404),
        &word,
        &word,
    );
    browser.until("rows().length === 2").await;
    let fits = "[document.documentElement, find('main'), ...document.querySelectorAll('dialog[open], dialog[open] > div')].every((box) => box.scrollWidth <= box.clientWidth)";
    browser.until(fits).await;
    for row in ["#rows tr:nth-child(1)", "#rows tr:nth-child(2)"] {
        browser.click(row).await;
        browser.until("find('#details:modal').clientWidth === innerWidth").await;
        browser.until(fits).await;
        browser.keys(key::ESCAPE).await;
        browser.until("!find('#details').open").await;
    }
    browser.click("#open-send").await;
    browser.until("find('#send:modal').clientWidth === innerWidth").await;
    browser.until("find('#send-body').value").await;
    browser.until(fits).await;
    // What became of it is in sight.
    browser.click("#send-now").await;
    browser.until("text('#notice').startsWith('Sent ')").await;
    browser.until("find('#notice').getBoundingClientRect().bottom <= innerHeight").await;
    browser.until("find('#notice').getBoundingClientRect().top > 0").await;
    browser.end().await;
}

#[tokio::test]
#[ignore = "needs chromium and chromedriver"]
async fn is_readable_in_light_and_dark() {
    let (stack, _served, browser) = opened().await;
    browser.scheme("light").await;
    for (id, outcome) in [("a", "handled"), ("b", "retrying"), ("c", "dead-lettered")] {
        stack.queued(id, &Request::issue());
        match outcome {
            "handled" => stack.handled(id),
            "retrying" => stack.failed(id, 1, "the ledger did not answer"),
            _ => stack.dead_lettered(id, 5, "the ledger has no such invoice"),
        }
    }
    let detail = "the token has expired";
    stack.rejected("d", &Request::issue().refused(401), "expired", detail);
    browser.until("rows().length === 4").await;
    for scheme in ["light", "dark"] {
        browser.scheme(scheme).await;
        for opens in [
            "#rows tr:nth-child(1)",
            "#rows tr:nth-child(2)",
            "#rows tr:nth-child(4)",
            "#open-send",
        ] {
            browser.click(opens).await;
            if opens == "#open-send" {
                browser.until("find('#send-body').value").await;
                browser.click("#uninstall").await;
                browser.write("#send-body", "{").await;
            }
            let faint = browser.execute(FAINT).await;
            assert_eq!(faint, json!([]), "{scheme}, {opens}: contrast below 4.5");
        }
        browser.keys(key::ESCAPE).await;
        browser.until("!find('dialog[open]')").await;
    }
    browser.end().await;
}

/// Returns the texts whose contrast is less than WCAG 2 asks for at level AA.
const FAINT: &str = "
    const parts = (color) => color.match(/[\\d.]+/g).map(Number);
    const luminance = ([...rgb]) => rgb.slice(0, 3)
      .map((part) => part / 255)
      .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
      .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
    const behind = (element) => {
      const color = getComputedStyle(element).backgroundColor;
      return parts(color)[3] === 0 && element.parentElement ? behind(element.parentElement) : color;
    };
    const hasText = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    const shown = [...document.body.querySelectorAll('*')].filter((element) =>
      hasText(element) && element.checkVisibility() && !element.disabled && !element.closest('option'));
    if (shown.length < 40) throw new Error('too few texts');
    return shown.map((element) => {
      const [one, other] = [getComputedStyle(element).color, behind(element)].map(parts).map(luminance);
      const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
      return [contrast, element.textContent.slice(0, 40)];
    }).filter(([contrast]) => contrast < 4.5);
";

/// Writes screenshots of both schemes and both widths to `tmp/page` of the target directory.
#[tokio::test]
#[ignore = "needs chromium and chromedriver"]
async fn is_shown_in_screenshots() {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("page");
    std::fs::create_dir_all(&directory).expect("the target directory can be written to");
    let (stack, _served, browser) = opened().await;
    let shot = async |name: &str| {
        let path = directory.join(format!("{name}.png"));
        std::fs::write(path, browser.screenshot().await).expect("it is written");
    };
    for scheme in ["light", "dark"] {
        browser.scheme(scheme).await;
        shot(&format!("empty-1280-{scheme}")).await;
    }
    for round in 0..4 {
        let id = |name: &str| format!("{name}-{round}");
        stack.queued(&id("handled"), &Request::issue());
        stack.handled(&id("handled"));
        stack.queued(&id("page"), &Request::page());
        stack.handled(&id("page"));
        let expired = "the token expired 5 minutes before the request";
        stack.rejected(&id("expired"), &Request::issue().refused(401), "expired", expired);
        let mut unsigned = Request::page().refused(401);
        unsigned.claims = None;
        stack.rejected(&id("unsigned"), &unsigned, "no_token", "the request has no token");
        stack.queued(&id("duplicate"), &Request::page());
        let fields = json!({ "delivery.id": id("duplicate"), "message.id": "m" });
        stack.log("OnPageCreated", 50, "INFO", "duplicate delivery skipped", fields);
        stack.queued(&id("retrying"), &Request::issue());
        stack.failed(&id("retrying"), 1, "the ledger did not answer");
    }
    stack.queued("dead", &Request::issue());
    let fields = json!({ "span": { "delivery.id": "dead" }, "issue": "ABC-1" });
    stack.log("OnIssueCreated", 40, "INFO", "looking up the invoice", fields);
    stack.failed("dead", 1, "the ledger did not answer");
    stack.failed("dead", 2, "the ledger did not answer");
    stack.dead_lettered("dead", 3, "the ledger has no such invoice");
    stack.queued("last", &Request::issue());
    stack.handled("last");
    stack.queued("queued", &Request::page());
    browser.until("rows().length === 27").await;
    for (width, is_phone) in [(1280, false), (390, true)] {
        if is_phone {
            browser.phone().await;
        }
        for scheme in ["light", "dark"] {
            browser.scheme(scheme).await;
            shot(&format!("list-{width}-{scheme}")).await;
            browser.execute("rows()[2].click()").await;
            browser.until("find('#details').open").await;
            shot(&format!("details-{width}-{scheme}")).await;
            browser.execute("find('#details-body').scrollTop = 640").await;
            shot(&format!("details-below-{width}-{scheme}")).await;
            browser.keys(key::ESCAPE).await;
            browser.until("!find('#details').open").await;
            browser.click("#open-send").await;
            browser.until("find('#send-body').value").await;
            browser.click("#uninstall").await;
            shot(&format!("send-{width}-{scheme}")).await;
            browser.keys(key::ESCAPE).await;
            browser.until("!find('#send').open").await;
        }
    }
    browser.end().await;
}

async fn opened() -> (Stack, Served, Browser) {
    let stack = Stack::new();
    let served = Served::start(&stack).await;
    let browser = Browser::open(&format!("http://{}/", served.address)).await;
    browser.until("text('#connection') === 'live'").await;
    (stack, served, browser)
}
