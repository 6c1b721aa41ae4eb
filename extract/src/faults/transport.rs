//! Answers that do not arrive whole, or not in time, or not in a size that can be borne.

use std::io::Write;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::matrix::Outcome::{Aside, Ends, Lands};
use super::matrix::Strikes::{Always, Record, Times};
use super::matrix::{Case, case, hasty_case};
use super::server::{Piece, head, whole};
use crate::decode::Reason;
use crate::error::Kind;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

const GZIP: &[(&str, &str)] = &[("Content-Encoding", "gzip")];

fn packed(body: Vec<u8>) -> Vec<Piece> {
    vec![Piece::Send(whole(200, GZIP, &body))]
}

pub fn broken_connections(cases: &mut Vec<Case>) {
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

pub fn sizes_and_times(cases: &mut Vec<Case>) {
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
