//! The fault matrix: every kind of answer, in each shape of resource, with its outcome and the exact
//! number of requests. Without a fault a read takes three: pages of 50, 50 and 20 records.

use std::io::Write;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::task::JoinSet;

use super::server::{Piece, Script, head, whole};
use super::*;
use crate::decode::Reason;
use crate::error::Kind;

/// Which requests for the list are struck.
#[derive(Clone, Copy)]
enum Strikes {
    /// So many, from the second on.
    Times(usize),
    Always,
    /// Those whose page holds record 77, unless only its id is asked for.
    Record,
}

#[derive(Clone, Copy)]
enum Outcome {
    /// Every record, in so many requests.
    Lands(usize),
    /// Every record but 77, which is a misfit.
    Aside(Reason, usize),
    /// An error of that kind whose text holds these words.
    Ends(Kind, &'static str, usize),
}

use Outcome::{Aside, Ends, Lands};
use Strikes::{Always, Record, Times};

struct Case {
    id: &'static str,
    name: String,
    strikes: Strikes,
    fault: Box<dyn Fn(&[u8]) -> Vec<Piece> + Send + Sync>,
    outcome: Outcome,
    hasty: bool,
}

fn case(
    id: &'static str,
    name: &str,
    strikes: Strikes,
    fault: impl Fn(&[u8]) -> Vec<Piece> + Send + Sync + 'static,
    outcome: Outcome,
) -> Case {
    Case {
        id,
        name: name.to_owned(),
        strikes,
        fault: Box::new(fault),
        outcome,
        hasty: false,
    }
}

fn hasty_case(
    id: &'static str,
    name: &str,
    strikes: Strikes,
    fault: impl Fn(&[u8]) -> Vec<Piece> + Send + Sync + 'static,
    outcome: Outcome,
) -> Case {
    Case {
        hasty: true,
        ..case(id, name, strikes, fault, outcome)
    }
}

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

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

const GZIP: &[(&str, &str)] = &[("Content-Encoding", "gzip")];

fn packed(body: Vec<u8>) -> Vec<Piece> {
    vec![Piece::Send(whole(200, GZIP, &body))]
}

fn statuses(cases: &mut Vec<Case>) {
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

fn broken_connections(cases: &mut Vec<Case>) {
    use Piece::{Reset, Send};
    let lost = || Ends(Kind::Unavailable, "after 6 attempts", 7);
    type Cut = fn(&[u8]) -> Vec<Piece>;
    let cuts: [(&'static str, &str, Cut); 13] = [
        ("x46", "closed before the head", |_| vec![]),
        ("x46", "reset before the head", |_| vec![Reset]),
        ("x46", "reset inside the head", |_| {
            vec![Send(b"HTTP/1.1 200 OK\r\nDat".to_vec()), Reset]
        }),
        ("x46", "closed inside the head", |_| {
            vec![Send(b"HTTP/1.1 200 OK\r\nDat".to_vec())]
        }),
        ("x46", "no HTTP", |_| {
            vec![Send(b"SSH-2.0-OpenSSH_9.9\r\n".to_vec())]
        }),
        ("x45", "status 000", |_| {
            vec![Send(b"HTTP/1.1 000 No\r\n\r\n[]".to_vec())]
        }),
        ("x45", "nothing but 103", |_| {
            vec![Send(b"HTTP/1.1 103 Early Hints\r\n\r\n".to_vec())]
        }),
        ("x46", "reset inside the body", |page| {
            vec![
                Send(head(200, &[], Some(page.len()))),
                Send(page[..page.len() / 2].to_vec()),
                Reset,
            ]
        }),
        ("x47", "shorter than announced", |page| {
            vec![
                Send(head(200, &[], Some(page.len() + 9))),
                Send(page.to_vec()),
            ]
        }),
        ("x47", "cut between chunks", |page| {
            let size = format!("{:x}\r\n", page.len());
            vec![Send(
                [&head(200, CHUNKED, None), size.as_bytes(), page, b"\r\n"].concat(),
            )]
        }),
        ("x47", "cut inside a chunk", |page| {
            let size = format!("{:x}\r\n", page.len());
            vec![Send(
                [&head(200, CHUNKED, None), size.as_bytes(), &page[..9]].concat(),
            )]
        }),
        ("x50", "gzip cut", |page| {
            let whole = gzip(page);
            packed(whole[..whole.len() - 9].to_vec())
        }),
        ("x50", "gzip with a wrong checksum", |page| {
            let mut whole = gzip(page);
            let place = whole.len() - 8;
            whole[place] ^= 1;
            packed(whole)
        }),
    ];
    for (id, name, cut) in cuts {
        cases.push(case(id, name, Times(1), cut, Lands(4)));
        cases.push(case(id, &format!("{name}, for ever"), Always, cut, lost()));
    }
    cases.push(case(
        "x50",
        "gzip without its trailer",
        Times(1),
        |page| {
            let whole = gzip(page);
            packed(whole[..whole.len() - 8].to_vec())
        },
        Lands(4),
    ));
    cases.push(case(
        "x50",
        "gzip, and more behind it",
        Times(1),
        |page| packed([gzip(page), b"more".to_vec()].concat()),
        Lands(4),
    ));
    // What a close-delimited body lacks only its text can tell.
    for (name, cut) in [
        (
            "cut inside a record",
            (|page| page.len() - 20) as fn(&[u8]) -> usize,
        ),
        ("cut behind a record", |page| {
            let next = page.windows(5).rposition(|five| five == b",{\"id");
            next.unwrap_or(page.len() - 1)
        }),
        ("cut before the last bracket", |page| page.len() - 1),
    ] {
        cases.push(case(
            "x48",
            name,
            Times(1),
            move |page| vec![Send(head(200, &[], None)), Send(page[..cut(page)].to_vec())],
            Lands(4),
        ));
    }
    cases.push(case(
        "x48",
        "closed behind its end",
        Always,
        |page| vec![Send(head(200, &[], None)), Send(page.to_vec())],
        Lands(3),
    ));
}

const CHUNKED: &[(&str, &str)] = &[("Transfer-Encoding", "chunked")];

fn sizes_and_times(cases: &mut Vec<Case>) {
    use Piece::{Endless, Send, Wait};
    cases.push(case(
        "x51",
        "gzip",
        Always,
        |page| packed(gzip(page)),
        Lands(3),
    ));
    cases.push(case(
        "x51",
        "gzip in two members",
        Always,
        |page| packed([gzip(&page[..page.len() / 2]), gzip(&page[page.len() / 2..])].concat()),
        Lands(3),
    ));
    let aside = || Aside(Reason::TooLarge, 18);
    let bomb = gzip(&vec![b' '; 3 << 20]);
    cases.push(case(
        "x52",
        "gzip bomb",
        Record,
        move |_| packed(bomb.clone()),
        aside(),
    ));
    let large = {
        let mut noise = 1_u64;
        let text: Vec<u8> = (0..3 << 20)
            .map(|_| {
                noise = noise
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                b' ' + (noise >> 62) as u8
            })
            .collect();
        gzip(&text)
    };
    cases.push(case(
        "x52",
        "gzip that unpacks too far",
        Record,
        move |_| packed(large.clone()),
        aside(),
    ));
    cases.push(case(
        "x54",
        "longer than allowed, announced",
        Record,
        |_| {
            vec![
                Send(head(200, &[], Some(2 << 20))),
                Endless(vec![b' '; 1 << 16]),
            ]
        },
        aside(),
    ));
    cases.push(case(
        "x54",
        "longer than allowed, in chunks",
        Record,
        |_| {
            let chunk = [b"10000\r\n".as_slice(), &[b' '; 1 << 16], b"\r\n"].concat();
            vec![Send(head(200, CHUNKED, None)), Endless(chunk)]
        },
        aside(),
    ));
    cases.push(case(
        "x54",
        "without end, whatever is asked",
        Always,
        |_| vec![Send(head(200, &[], None)), Endless(vec![b' '; 1 << 16])],
        Ends(Kind::Unavailable, "unreadable answer", 8),
    ));
    for encoding in ["br", "gzip, gzip", "unheard-of"] {
        let fault = move |page: &[u8]| {
            vec![Send(whole(
                200,
                &[("Content-Encoding", encoding)],
                &gzip(&gzip(page)),
            ))]
        };
        cases.push(case("x52", encoding, Times(1), fault, Lands(4)));
        let ends = Ends(Kind::Unavailable, "unreadable answer after 3 attempts", 4);
        cases.push(case(
            "x52",
            &format!("{encoding}, for ever"),
            Always,
            fault,
            ends,
        ));
    }
    type Slow = fn(&[u8]) -> Vec<Piece>;
    let slow: [(&str, Slow); 3] = [
        ("no head", |_| vec![Wait(Duration::from_secs(9))]),
        ("a stalled body", |page| {
            vec![
                Send(head(200, &[], Some(page.len()))),
                Send(page[..9].to_vec()),
                Wait(Duration::from_secs(9)),
            ]
        }),
        ("a drip", |page| {
            let mut pieces = vec![Send(head(200, &[], Some(page.len())))];
            for byte in page {
                pieces.extend([Send(vec![*byte]), Wait(Duration::from_millis(100))]);
            }
            pieces
        }),
    ];
    for (name, slow) in slow {
        cases.push(hasty_case("x53", name, Times(1), slow, Lands(4)));
    }
    let ends = Ends(Kind::Unavailable, "no answer in time after 6 attempts", 7);
    cases.push(hasty_case(
        "x53",
        "no head, for ever",
        Always,
        slow[0].1,
        ends,
    ));
}

fn contents(cases: &mut Vec<Case>) {
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

fn records_amiss(cases: &mut Vec<Case>) {
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

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    statuses(&mut cases);
    broken_connections(&mut cases);
    sizes_and_times(&mut cases);
    contents(&mut cases);
    records_amiss(&mut cases);
    cases
}

fn script(case: Arc<Case>) -> Script {
    let mut left = match case.strikes {
        Times(times) => times,
        Always | Record => usize::MAX,
    };
    Box::new(move |asked, number, page| {
        if !asked.is_list() || number == 1 {
            return None;
        }
        if let Record = case.strikes {
            let whole = asked
                .query
                .get("fields")
                .is_some_and(|fields| fields.len() > 6);
            let holds = page.windows(8).any(|bytes| bytes == b"\"id\":77,");
            if !holds || !whole {
                return None;
            }
        }
        left = left.checked_sub(1)?;
        Some((case.fault)(page))
    })
}

async fn check(case: Arc<Case>, shape: &'static str) {
    let name = format!("{} {} of {shape}", case.id, case.name);
    let limits = if case.hasty { hasty() } else { small() };
    let (server, read) = run(shape, script(case.clone()), limits).await;
    let all: Vec<i64> = (1..=COUNT).collect();
    let requests = match case.outcome {
        Lands(requests) => {
            assert!(read.error.is_none(), "{name}: {:?}", read.error);
            assert_eq!(read.ids, all, "{name}");
            assert_eq!(read.misfits, [], "{name}");
            requests
        }
        Aside(reason, requests) => {
            assert!(read.error.is_none(), "{name}: {:?}", read.error);
            let others: Vec<i64> = all.into_iter().filter(|id| *id != 77).collect();
            assert_eq!(read.ids, others, "{name}");
            let [misfit] = read.misfits.as_slice() else {
                panic!("{name}: {:?}", read.misfits);
            };
            assert_eq!(misfit.reason, reason, "{name}: {}", misfit.detail);
            if case.id != "x73" {
                assert_eq!(misfit.id.as_deref(), Some("77"), "{name}");
            }
            requests
        }
        Ends(kind, text, requests) => {
            let error = read.error.unwrap_or_else(|| panic!("{name} does not end"));
            assert_eq!(error.kind(), kind, "{name}: {error}");
            assert!(error.to_string().contains(text), "{name}: {error}");
            check_message(&error, &name);
            assert!(read.ids.len() <= 50 && read.misfits.is_empty(), "{name}");
            requests
        }
    };
    assert_eq!(server.lists(), requests, "{name}");
    for asked in &server.state().asked {
        assert_eq!(asked.accept, "application/json", "{name}");
    }
}

/// Every case in every shape.
#[test]
fn x30_to_x78_every_answer_has_one_outcome() {
    block_on(async {
        let cases: Vec<Arc<Case>> = cases().into_iter().map(Arc::new).collect();
        println!("{} cases in {} shapes", cases.len(), SHAPES.len());
        // What depends on short times runs alone.
        let (hasty, others): (Vec<_>, Vec<_>) = cases.into_iter().partition(|case| case.hasty);
        for (cases, most) in [(others, 24), (hasty, 8)] {
            let mut running = JoinSet::new();
            for case in &cases {
                for shape in SHAPES {
                    if running.len() == most {
                        running.join_next().await.unwrap().unwrap();
                    }
                    running.spawn(check(case.clone(), shape));
                }
            }
            while let Some(ended) = running.join_next().await {
                ended.unwrap();
            }
        }
    });
}
