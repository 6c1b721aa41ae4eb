//! Answers that arrive whole, and are not what was asked for.

use super::matrix::Outcome::{Aside, Ends, Lands};
use super::matrix::Strikes::{Always, Record, Times};
use super::matrix::{Case, case};
use super::server::{Piece, whole};
use crate::decode::Reason;
use crate::error::Kind;

fn status(
    code: u16,
    headers: &'static [(&'static str, &'static str)],
) -> impl Fn(&[u8]) -> Vec<Piece> {
    move |_| {
        vec![Piece::Send(whole(
            code,
            headers,
            br#"{"errors":{"base":["No"]}}"#,
        ))]
    }
}

/// Another body, whole and with status 200.
fn body(bytes: impl Into<Vec<u8>>) -> impl Fn(&[u8]) -> Vec<Piece> {
    let bytes = bytes.into();
    move |_| vec![Piece::Send(whole(200, &[], &bytes))]
}

/// The right body, changed where record 77 begins.
fn at_77(text: &'static [u8]) -> impl Fn(&[u8]) -> Vec<Piece> {
    move |page| {
        let place = page.windows(7).position(|seven| seven == b"\"id\":77");
        let Some(place) = place else {
            return vec![Piece::Send(whole(200, &[], page))];
        };
        let changed = [&page[..place], text, &page[place + 7..]].concat();
        vec![Piece::Send(whole(200, &[], &changed))]
    }
}

pub fn statuses(cases: &mut Vec<Case>) {
    let invalid = |text| Ends(Kind::Invalid, text, 2);
    for code in [400, 405, 406, 409, 410, 415, 422, 431] {
        cases.push(case(
            "x37",
            &format!("{code}"),
            Always,
            status(code, &[]),
            invalid("after 1 attempt"),
        ));
    }
    cases.push(case(
        "x36",
        "404",
        Always,
        status(404, &[]),
        invalid("answered 404 after 1 attempt"),
    ));
    cases.push(case(
        "x78",
        "407",
        Always,
        status(407, &[]),
        invalid("answered 407"),
    ));
    for code in [501, 505, 511, 599, 999, 101] {
        cases.push(case(
            "x45",
            &format!("{code}"),
            Always,
            status(code, &[]),
            invalid("after 1 attempt"),
        ));
    }
    cases.push(case(
        "x35",
        "403 once",
        Times(1),
        status(403, &[]),
        Lands(4),
    ));
    let scope = Ends(Kind::Invalid, "answered 403 after 2 attempts", 3);
    cases.push(case("x35", "403 for ever", Always, status(403, &[]), scope));
    cases.push(case(
        "x30",
        "401 once",
        Times(1),
        status(401, &[]),
        Lands(4),
    ));
    cases.push(case(
        "x31",
        "401 while the token is young",
        Times(3),
        status(401, &[]),
        Lands(6),
    ));
    let revoked = Ends(Kind::Invalid, "answered 401 after 4 attempts", 5);
    cases.push(case(
        "x32",
        "401 for ever",
        Always,
        status(401, &[]),
        revoked,
    ));
    for code in [408, 425, 500, 502, 503, 504] {
        let id = if code < 500 { "x38" } else { "x44" };
        cases.push(case(
            id,
            &format!("{code} once"),
            Times(1),
            status(code, &[]),
            Lands(4),
        ));
        cases.push(case(
            id,
            &format!("{code} five times"),
            Times(5),
            status(code, &[]),
            Lands(8),
        ));
        let ends = Ends(Kind::Unavailable, "after 6 attempts", 7);
        cases.push(case(
            id,
            &format!("{code} for ever"),
            Always,
            status(code, &[]),
            ends,
        ));
    }
    let refused = Ends(
        Kind::Unavailable,
        "429, too many requests, after 10 attempts",
        11,
    );
    cases.push(case(
        "x39",
        "429 for ever",
        Always,
        status(429, &[]),
        refused,
    ));
    let waits: [&'static [(&str, &str)]; 11] = [
        &[],
        &[("Retry-After", "0")],
        &[("Retry-After", "Sun, 01 Mar 2026 00:00:00 GMT")],
        &[("Retry-After", "Sat, 28 Feb 2026 00:00:00 GMT")],
        &[("Retry-After", "Saturday, 28-Feb-26 00:00:00 GMT")],
        &[("Retry-After", "-7")],
        &[("Retry-After", "soon")],
        &[("Retry-After", "1e400")],
        &[("Retry-After", "")],
        &[("Retry-After", "0"), ("Retry-After", "0")],
        &[("Retry-After", "\u{e9}")],
    ];
    for wait in waits {
        for code in [429, 503] {
            let name = format!("{code} {wait:?}");
            cases.push(case("x42", &name, Times(1), status(code, wait), Lands(4)));
        }
    }
}

pub fn contents(cases: &mut Vec<Case>) {
    let three = |text| Ends(Kind::Unavailable, text, 4);
    let bodies: [(&'static str, &str, &[u8]); 11] = [
        ("x55", "HTML", b"<!DOCTYPE html><html>MARK sign in</html>"),
        (
            "x56",
            "XML",
            b"<?xml version=\"1.0\"?><invoices>MARK</invoices>",
        ),
        (
            "x57",
            "an error object",
            br#"{"errors":{"invoice":["MARK"]}}"#,
        ),
        ("x58", "empty", b""),
        ("x58", "blanks", b" \r\n\t "),
        ("x58", "null", b"null"),
        ("x58", "an empty object", b"{}"),
        ("x58", "an empty text", b"\"\""),
        ("x58", "true", b"true"),
        ("x58", "a number", b"17"),
        ("x55", "plain text", b"MARK Service is being maintained"),
    ];
    for (id, name, bytes) in bodies {
        cases.push(case(id, name, Times(1), body(bytes), Lands(4)));
        let ends = three("unreadable answer after 3 attempts");
        cases.push(case(
            id,
            &format!("{name}, for ever"),
            Always,
            body(bytes),
            ends,
        ));
    }
    for code in [201, 202, 204, 206, 226] {
        let ends = three("unreadable answer after 3 attempts");
        cases.push(case(
            "x59",
            &format!("{code} once"),
            Times(1),
            status(code, &[]),
            Lands(4),
        ));
        cases.push(case(
            "x59",
            &format!("{code} for ever"),
            Always,
            status(code, &[]),
            ends,
        ));
    }
    cases.push(case(
        "x60",
        "a byte order mark",
        Always,
        |page| {
            vec![Piece::Send(whole(
                200,
                &[],
                &[b"\xEF\xBB\xBF", page].concat(),
            ))]
        },
        Lands(3),
    ));
    for mark in [true, false] {
        let utf_16 = move |page: &[u8]| {
            let text = String::from_utf8_lossy(page).into_owned();
            let mut bytes = if mark { vec![0xFF, 0xFE] } else { Vec::new() };
            bytes.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
            vec![Piece::Send(whole(200, &[], &bytes))]
        };
        // Three of 50, one each of 25, 12, 6 and 3, two of 1, three of the id alone.
        let ends = Ends(Kind::Unavailable, "unreadable answer", 13);
        cases.push(case("x60", "UTF-16", Times(1), utf_16, Lands(4)));
        cases.push(case("x60", "UTF-16 for ever", Always, utf_16, ends));
    }
}

pub fn records_amiss(cases: &mut Vec<Case>) {
    let aside: [(&'static str, &'static [u8], Reason); 18] = [
        ("x61", b"\"x\":\"\xff\",\"id\":77", Reason::Encoding),
        ("x61", b"\"x\":\"\xe9t\xe9\",\"id\":77", Reason::Encoding),
        ("x61", b"\"x\":\"\\ud800\",\"id\":77", Reason::Encoding),
        (
            "x61",
            b"\"x\":\"\\udc00\\ud800\",\"id\":77",
            Reason::Encoding,
        ),
        ("x61", b"\"x\":\"\0\",\"id\":77", Reason::Syntax),
        (
            "x62",
            b"\"created-at\":null,\"id\":77,\"created-at\":\"\"",
            Reason::DuplicateKey,
        ),
        ("x62", b"\"x\":1,\"id\":77,\"x\":2", Reason::DuplicateKey),
        (
            "x70",
            b"\"x-y\":1,\"id\":77,\"x_y\":2",
            Reason::DuplicateKey,
        ),
        ("x63", b"\"x\":NaN,\"id\":77", Reason::Syntax),
        ("x63", b"\"x\":0x10,\"id\":77", Reason::Syntax),
        ("x63", b"\"x\":01,\"id\":77", Reason::Syntax),
        ("x63", b"\"x\":1.,\"id\":77", Reason::Syntax),
        ("x73", b"\"id\":null", Reason::MissingKey),
        ("x73", b"\"id\":0", Reason::MissingKey),
        ("x73", b"\"id\":-77", Reason::MissingKey),
        ("x73", b"\"other\":77", Reason::MissingKey),
        ("x73", b"\"id\":77.5", Reason::OutOfRange),
        ("x73", b"\"id\":\"seventy-seven\"", Reason::WrongType),
    ];
    for (id, text, reason) in aside {
        let name = String::from_utf8_lossy(text).into_owned();
        cases.push(case(id, &name, Always, at_77(text), Aside(reason, 3)));
    }
    let lands: [(&'static str, &'static [u8]); 8] = [
        ("x61", b"\"x\":\"\\u0000\",\"id\":77"),
        ("x61", b"\"x\":\"\\ud83d\\ude00\",\"id\":77"),
        ("x62", b"\"id\":77,\"id\":77"),
        ("x62", b"\"x\":[1],\"id\":77,\"x\":[1]"),
        ("x63", b"\"x\":1e999,\"id\":77"),
        ("x63", b"\"x\":-0,\"id\":77,\"y\":1e-400"),
        (
            "x63",
            b"\"x\":1234567890123456789012345678901234567890,\"id\":77",
        ),
        ("x66", b"\"id\":\"77\""),
    ];
    for (id, text) in lands {
        let name = String::from_utf8_lossy(text).into_owned();
        cases.push(case(id, &name, Always, at_77(text), Lands(3)));
    }
    cases.push(case(
        "x72",
        "100,000 brackets",
        Always,
        |page| {
            let deep = format!(
                "\"x\":{}{},\"id\":77",
                "[".repeat(100_000),
                "]".repeat(100_000)
            );
            at_77(deep.leak().as_bytes())(page)
        },
        Aside(Reason::TooDeep, 3),
    ));
    // A quote too many: no bracket behind it can be trusted, so the record is found by halving.
    cases.push(case(
        "d7",
        "a quote too many",
        Record,
        at_77(b"\"x\":\"\"\",\"id\":77"),
        Aside(Reason::Syntax, 23),
    ));
}
