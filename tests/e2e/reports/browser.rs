//! The page in a browser: at two widths and in both colour schemes, as people see and use it.
//!
//! The pictures are left in cargo's folder for temporary files, to be looked at.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::devtools::{Browser, installed};
use super::{DAY, Desk, PERIOD};

const WIDTHS: [u32; 2] = [1280, 400];
const TAB: u32 = 9;
const ENTER: u32 = 13;

#[test]
fn the_page_in_a_browser() {
    let Some(program) = installed() else {
        assert!(
            std::env::var_os("CI").is_none(),
            "CI needs chromium: tests/run installs it"
        );
        eprintln!("no chromium on this machine: not tried");
        return;
    };
    let desk = Desk::new();
    let left = desk.report(&[&["spend"][..], &PERIOD, &DAY].concat());
    assert_eq!(left.code, 0, "{}", left.stderr);
    let url = format!("file://{}", desk.path("spend.html").display());
    let mut browser = Browser::start(&program);

    let mut papers = Vec::new();
    for width in WIDTHS {
        for scheme in ["light", "dark"] {
            browser.open(&url, width, scheme);
            looks_right(&mut browser, width);
            papers.push(browser.evaluate("getComputedStyle(document.body).backgroundColor"));
            keep(&mut browser, &format!("spend-{width}-{scheme}.png"), width);
            is_quiet(&browser, &url);
        }
    }
    assert_eq!(papers[0], papers[2]);
    assert_eq!(papers[1], papers[3]);
    assert_ne!(papers[0], papers[1], "dark is dark");

    browser.open(&url, 1280, "light");
    hostile_names_are_text(&mut browser);
    keys_are_enough(&mut browser);
    the_scheme_can_be_switched(&mut browser, &papers[1]);
    is_quiet(&browser, &url);
}

/// Nothing is wider than the window, every chart is drawn, every section has its heading.
fn looks_right(browser: &mut Browser, width: u32) {
    assert_eq!(browser.evaluate("innerWidth"), json!(width));
    let wide = browser.evaluate(
        "document.documentElement.scrollWidth > innerWidth
            ? [...document.querySelectorAll('body *')]
                .filter(e => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest('.scroll, pre'))
                .slice(0, 5).map(e => e.tagName + '.' + e.className)
            : []",
    );
    assert_eq!(wide, json!([]), "at {width}");
    let empty = browser.evaluate(
        "[...document.querySelectorAll('canvas')].filter(canvas => {
            const all = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
            return canvas.width < 100 || !all.some(value => value !== 0);
        }).map(canvas => canvas.getAttribute('aria-label'))",
    );
    assert_eq!(empty, json!([]), "at {width}");
    let charts = browser.evaluate("document.querySelectorAll('canvas').length");
    assert!(charts.as_u64() >= Some(4), "{charts}");
    let untraced = browser.evaluate(
        "[...document.querySelectorAll('.part')].filter(part => !part.querySelector('details.source pre')).length",
    );
    assert_eq!(untraced, json!(0), "every part has its query");
}

/// No complaint of the browser, no request but for the page itself, no dialog.
fn is_quiet(browser: &Browser, url: &str) {
    for event in &browser.events {
        let params = &event["params"];
        match event["method"].as_str().unwrap_or_default() {
            "Runtime.exceptionThrown" | "Log.entryAdded" | "Page.javascriptDialogOpening" => {
                panic!("{event}")
            }
            "Runtime.consoleAPICalled" => panic!("{event}"),
            "Network.requestWillBeSent" => {
                let asked = params["request"]["url"].as_str().unwrap_or_default();
                assert!(asked == url || asked.starts_with("data:"), "{asked}");
            }
            _ => {}
        }
    }
}

fn hostile_names_are_text(browser: &mut Browser) {
    let elements = browser.evaluate(
        "document.querySelectorAll('img, iframe, object, svg, link[rel=stylesheet]').length",
    );
    assert_eq!(elements, json!(0));
    for name in ["<img src=x onerror=alert(1)>", "=HYPERLINK(\"x\")"] {
        let script = format!(
            "[...document.querySelectorAll('td')].some(cell => cell.textContent === {})",
            Value::from(name)
        );
        assert_eq!(browser.evaluate(&script), json!(true), "{name}");
    }
}

/// A table is sorted, a filter is set and a query is opened without a mouse.
fn keys_are_enough(browser: &mut Browser) {
    // The first Tab reaches the link past the navigation, as who can not see the page expects.
    browser.press("Tab", TAB);
    let first = browser.evaluate("document.activeElement.className");
    assert_eq!(first, json!("skip"));

    let table = "document.querySelector('#s-suppliers .table')";
    browser.evaluate(&format!("{table}.querySelector('th button').focus()"));
    let order = format!(
        "[{table}.querySelector('th').getAttribute('aria-sort'),
          {table}.querySelector('tbody tr').cells[0].textContent]"
    );
    browser.press("Enter", ENTER);
    assert_eq!(
        browser.evaluate(&order),
        json!(["ascending", "<img src=x onerror=alert(1)>"])
    );
    browser.press("Enter", ENTER);
    assert_eq!(
        browser.evaluate(&order),
        json!(["descending", "Northwind Traders"])
    );
    // Spend, by size and not by letters.
    browser.press("Tab", TAB);
    browser.press("Enter", ENTER);
    let spend =
        format!("[...{table}.querySelectorAll('tbody tr')].map(row => row.cells[1].textContent)");
    let expected = json!(["1,515.00", "890.00", "248.85", "77.00", "45.60", ""]);
    assert_eq!(browser.evaluate(&spend), expected);

    browser.evaluate(&format!("{table}.querySelector('input').focus()"));
    browser.type_text("northwind");
    let rows =
        format!("[...{table}.querySelectorAll('tbody tr')].filter(row => !row.hidden).length");
    assert_eq!(browser.evaluate(&rows), json!(1));
    let said = browser.evaluate(&format!("{table}.querySelector('.shown').textContent"));
    assert_eq!(said, json!("1 of 6 rows"));

    let details = "document.querySelector('#s-suppliers details.source')";
    browser.evaluate(&format!("{details}.querySelector('summary').focus()"));
    browser.press("Enter", ENTER);
    assert_eq!(browser.evaluate(&format!("{details}.open")), json!(true));
    let seen = browser.evaluate(&format!(
        "{details}.querySelector('pre').textContent.includes('report.spend_lines')"
    ));
    assert_eq!(seen, json!(true));
}

fn the_scheme_can_be_switched(browser: &mut Browser, dark: &Value) {
    browser.evaluate("document.getElementById('theme').focus()");
    browser.press("Enter", ENTER);
    let paper = browser.evaluate("getComputedStyle(document.body).backgroundColor");
    assert_eq!(&paper, dark);
    let says = browser.evaluate("document.getElementById('theme').textContent");
    assert_eq!(says, json!("Light"));
}

/// Keeps the picture of the page, and sees that it is one of that width.
fn keep(browser: &mut Browser, name: &str, width: u32) {
    let picture = STANDARD.decode(browser.screenshot()).expect("base64");
    assert_eq!(&picture[1..4], b"PNG");
    let bytes = picture[16..20].try_into().expect("four bytes");
    assert_eq!(u32::from_be_bytes(bytes), width);
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(file, picture).expect("the folder is writable");
}
