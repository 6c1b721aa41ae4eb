//! Faults that are no single answer: of the sign-in, of names and other hosts, of many at a time.

use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::server::{Piece, whole};
use super::*;
use crate::error::Kind;
use crate::probe::probe;

/// Answers the first sign-ins with these bodies, and all lists rightly.
fn sign_ins(bodies: Vec<Vec<u8>>) -> Script {
    let mut bodies = VecDeque::from(bodies);
    Box::new(move |asked, _, _| {
        let body = bodies.pop_front_if(|_| !asked.is_list())?;
        Some(vec![Piece::Send(body)])
    })
}

async fn read_all(server: &Server, max_in_flight: usize) -> Read {
    let url = format!("http://{}", server.address);
    let instance = Instance::tuned(settings(&url, max_in_flight), tuning(small())).unwrap();
    collect(&instance, &shape("invoices")).await
}

#[test]
fn x30_sixteen_readers_renew_an_expired_token_once() {
    block_on(async {
        let resource = shape("currencies");
        let script: Script = Box::new(|asked, _, _| {
            let old = asked.authorization.as_deref() == Some("Bearer token-1");
            (asked.is_list() && old).then(|| vec![Piece::Send(whole(401, &[], b"{}"))])
        });
        let server = Server::start(records(&resource, 12_000), script).await;
        let url = format!("http://{}", server.address);
        let instance = Instance::tuned(settings(&url, 16), tuning(small())).unwrap();
        instance.sign_in().await.unwrap();
        let mut scan = scan(&resource);
        scan.until_id = Some(12_000);
        let mut batches = Box::pin(read(&instance, resource.clone(), scan));
        let mut rows = 0;
        while let Some(batch) = batches.next().await {
            rows += batch.unwrap().batch.num_rows();
        }
        assert_eq!(rows, 12_000);
        let state = server.state();
        let refused = state
            .asked
            .iter()
            .filter(|asked| asked.authorization.as_deref() == Some("Bearer token-1"));
        assert!(refused.count() > 4, "the readers did not run side by side");
        assert_eq!(
            state.asked.iter().filter(|asked| !asked.is_list()).count(),
            2
        );
    });
}

#[test]
fn x35_a_scope_that_the_token_lacks_is_not_asked_for_twice() {
    block_on(async {
        let own = shape("invoices").scope.clone();
        for (scope, requests) in [
            ("core.common.read".to_owned(), 1),
            (format!("core.common.read {own}"), 2),
            (String::new(), 1),
        ] {
            let body = format!(r#"{{"access_token":"token-1","scope":"{scope}"}}"#);
            let script: Script = Box::new(move |asked, _, _| {
                let answer = match asked.is_list() {
                    true => whole(403, &[], b"{}"),
                    false => whole(200, &[], body.as_bytes()),
                };
                Some(vec![Piece::Send(answer)])
            });
            let server = Server::start(records(&shape("invoices"), 3), script).await;
            read_all(&server, 1).await;
            let state = server.state();
            let lists = state.asked.iter().filter(|asked| asked.is_list());
            assert_eq!(lists.count(), requests, "{scope}");
        }
    });
}

#[test]
fn x33_a_sign_in_is_tried_again_or_explained() {
    let good = |life: &str| {
        whole(
            200,
            &[],
            format!(r#"{{"access_token":"token-1"{life}}}"#).as_bytes(),
        )
    };
    block_on(async {
        for life in [
            "",
            r#","expires_in":0"#,
            r#","expires_in":-5"#,
            r#","expires_in":"soon""#,
            r#","expires_in":"3600""#,
            r#","expires_in":1000000000000000000"#,
            r#","expires_in":1e400"#,
            r#","expires_in":null"#,
        ] {
            let server = Server::start(
                records(&shape("invoices"), COUNT),
                sign_ins(vec![good(life)]),
            )
            .await;
            let read = read_all(&server, 1).await;
            assert!(
                read.error.is_none() && read.ids.len() as i64 == COUNT,
                "{life}: {:?}",
                read.error
            );
            assert_eq!(server.state().asked.len(), 4, "{life}");
        }
        let passing = [
            whole(500, &[], b""),
            whole(429, &[("Retry-After", "0")], b""),
            whole(200, &[], b"<html>MARK</html>"),
            whole(200, &[], b""),
        ];
        let server = Server::start(
            records(&shape("invoices"), COUNT),
            sign_ins(passing.to_vec()),
        )
        .await;
        let read = read_all(&server, 1).await;
        assert!(read.error.is_none(), "{:?}", read.error);
        assert_eq!(server.state().asked.len(), 4 + 4);
        for (answer, kind, text, requests) in [
            (
                whole(500, &[], b"MARK"),
                Kind::Unavailable,
                "answered 500 after 6 attempts",
                6,
            ),
            (
                whole(200, &[], b"<html>MARK</html>"),
                Kind::Unavailable,
                "unreadable answer after 3 attempts",
                3,
            ),
            (
                whole(200, &[], br#"{"access_token":""}"#),
                Kind::Unavailable,
                "unreadable answer",
                3,
            ),
            (
                whole(200, &[], br#"{"access_token":"a b\n"}"#),
                Kind::Unavailable,
                "unreadable answer",
                3,
            ),
            (
                whole(
                    401,
                    &[],
                    br#"{"error":"invalid_client","error_description":"the-s/cret, the-s%2Fcret"}"#,
                ),
                Kind::Invalid,
                "client secret is wrong",
                1,
            ),
            (
                whole(
                    400,
                    &[],
                    br#"{"error":"unsupported_grant_type","error_description":"no the-s\/cret"}"#,
                ),
                Kind::Invalid,
                "answered 400: no ***",
                1,
            ),
            (
                whole(
                    307,
                    &[("Location", "http://other.example/oauth2/token")],
                    b"",
                ),
                Kind::Invalid,
                "no token endpoint",
                1,
            ),
        ] {
            let server = Server::start(Vec::new(), sign_ins(vec![answer; 9])).await;
            let error = read_all(&server, 1).await.error.unwrap();
            assert!(error.to_string().contains(text), "{error}");
            assert_eq!(error.kind(), kind, "{error}");
            check_message(&error, text);
            assert_eq!(server.state().asked.len(), requests, "{text}");
        }
    });
}

#[test]
fn x34_a_long_token_works_and_a_longer_one_is_explained() {
    let token = |length: usize| {
        let body = format!(
            r#"{{"access_token":"{}","expires_in":86399}}"#,
            "t".repeat(length)
        );
        whole(200, &[], body.as_bytes())
    };
    block_on(async {
        let server = Server::start(
            records(&shape("invoices"), COUNT),
            sign_ins(vec![token(64 << 10)]),
        )
        .await;
        let read = read_all(&server, 1).await;
        assert!(read.error.is_none(), "{:?}", read.error);
        let server = Server::start(Vec::new(), sign_ins(vec![token(200 << 10); 9])).await;
        let error = read_all(&server, 1).await.error.unwrap();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains("longer than any server takes"), "{cause}");
        assert!(error.hint().unwrap().contains("fewer scopes"), "{error:?}");
    });
}

#[test]
fn x42_the_longer_of_two_waits_counts_for_everybody() {
    block_on(async {
        let script: Script = Box::new(|asked, number, _| {
            let headers = &[("Retry-After", "0"), ("Retry-After", "1")];
            (asked.is_list() && number == 2).then(|| vec![Piece::Send(whole(429, headers, b"{}"))])
        });
        let server = Server::start(records(&shape("invoices"), COUNT), script).await;
        assert!(read_all(&server, 1).await.error.is_none());
        let state = server.state();
        let lists: Vec<_> = state.asked.iter().filter(|asked| asked.is_list()).collect();
        assert!(lists[2].at - lists[1].at >= Duration::from_secs(1));
    });
}

#[test]
fn x75_no_redirect_is_followed() {
    block_on(async {
        let other = Server::start(Vec::new(), Box::new(|_, _, _| None)).await;
        for (place, named) in [
            (
                format!("http://{}/api/invoices?a=MARK", other.address),
                "127.0.0.1",
            ),
            ("https://other.example/MARK".to_owned(), "other.example"),
            (
                "http://other.example:8080/?MARK".to_owned(),
                "other.example",
            ),
            ("/api/invoices?MARK".to_owned(), "another path"),
            ("//other.example/MARK".to_owned(), "another path"),
            ("file:///etc/passwd".to_owned(), "another place"),
            (format!("https://{}.example/", "a".repeat(60)), "***"),
            (String::new(), "another p"),
        ] {
            for code in [301, 302, 303, 307, 308] {
                let place = place.clone();
                let script: Script = Box::new(move |asked, _, _| {
                    let headers: &[(&str, &str)] = &[("Location", &place)];
                    asked
                        .is_list()
                        .then(|| vec![Piece::Send(whole(code, headers, b""))])
                });
                let server = Server::start(Vec::new(), script).await;
                let error = read_all(&server, 1).await.error.unwrap();
                assert!(error.to_string().contains("redirected to"), "{error}");
                assert!(
                    named == "***" || error.to_string().contains(named),
                    "{error}"
                );
                assert_eq!(error.kind(), Kind::Invalid);
                check_message(&error, named);
                assert_eq!(server.lists(), 1, "{named}");
            }
        }
        assert_eq!(other.state().connections, 0);
    });
}

async fn with_names(
    url: &str,
    answers: Vec<io::Result<Vec<IpAddr>>>,
) -> (usize, Option<ExtractError>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let answers = Arc::new(Mutex::new(VecDeque::from(answers)));
    let counter = asked.clone();
    let mut tuning = tuning(hasty());
    tuning.lookup = Some(Arc::new(move |_| {
        counter.fetch_add(1, Ordering::SeqCst);
        let mut answers = answers.lock().unwrap();
        let answer = match answers.len() {
            1 => match &answers[0] {
                Ok(found) => Ok(found.clone()),
                Err(error) => Err(error.kind().into()),
            },
            _ => answers.pop_front().unwrap(),
        };
        Box::pin(async move { answer })
    }));
    let instance = Instance::tuned(settings(url, 1), tuning).unwrap();
    let read = collect(&instance, &shape("currencies")).await;
    (asked.load(Ordering::SeqCst), read.error)
}

#[test]
fn x77_a_name_that_is_not_found_is_looked_up_again() {
    block_on(async {
        let server = Server::start(
            records(&shape("currencies"), COUNT),
            Box::new(|_, _, _| None),
        )
        .await;
        let url = format!("http://coupa.localhost:{}", server.address.port());
        let lost = || Err(io::Error::other("failed to lookup address information"));
        let here = || Ok(vec![IpAddr::from([127, 0, 0, 1])]);
        let (_, error) = with_names(&url, vec![lost(), lost(), Ok(Vec::new()), here()]).await;
        assert!(error.is_none(), "{error:?}");
        let (asked, error) = with_names(&url, vec![lost()]).await;
        let error = error.unwrap();
        assert_eq!((asked, error.kind()), (6, Kind::Unavailable), "{error}");
        check_message(&error, "lost");
    });
}

#[test]
fn x77_a_name_that_leads_inside_is_refused() {
    block_on(async {
        for address in [
            "10.0.0.7",
            "127.0.0.1",
            "169.254.169.254",
            "192.168.1.1",
            "100.64.0.1",
            "::1",
            "fd00::1",
            "fe80::1",
            "::ffff:10.0.0.1",
            "0.0.0.0",
        ] {
            let answers = vec![Ok(vec![address.parse().unwrap()])];
            let (asked, error) = with_names("https://acme.example", answers).await;
            let error = error.unwrap();
            assert!(
                error.to_string().contains("private address"),
                "{address}: {error}"
            );
            assert_eq!((asked, error.kind()), (1, Kind::Invalid), "{address}");
            check_message(&error, address);
        }
    });
}

#[test]
fn x73_an_id_twice_on_a_page_loses_nothing() {
    block_on(async {
        let resource = shape("invoices");
        let mut rows = records(&resource, COUNT);
        rows[76].1 = rows[76].1.replacen("\"id\":77", "\"id\":76", 1);
        let server = Server::start(rows, Box::new(|_, _, _| None)).await;
        let mut read = read_all(&server, 1).await;
        assert!(read.error.is_none(), "{:?}", read.error);
        read.ids.dedup();
        let expected: Vec<i64> = (1..=COUNT).filter(|id| *id != 77).collect();
        assert_eq!(read.ids, expected);
        assert!(read.notes[0].contains("by offset"), "{:?}", read.notes);
    });
}

/// The records of a source that can not be read at all are not set aside one by one.
#[test]
fn d7_a_source_that_is_broken_is_no_row_of_misfits() {
    block_on(async {
        let script: Script = Box::new(|asked, number, _| {
            let whole_record = asked
                .query
                .get("fields")
                .is_some_and(|fields| fields.len() > 6);
            let broken = asked.is_list() && whole_record && number > 1;
            broken.then(|| vec![Piece::Send(whole(200, &[], br#"[{"id":1,"x":"MARK}"#))])
        });
        let server = Server::start(records(&shape("invoices"), COUNT), script).await;
        let read = read_all(&server, 1).await;
        let error = read.error.unwrap();
        assert_eq!(error.kind(), Kind::Unavailable, "{error}");
        check_message(&error, "broken");
        assert!(
            read.misfits.len() <= 10 && server.lists() < 60,
            "{}",
            server.lists()
        );
    });
}

#[test]
fn a_newest_record_that_can_not_be_read_does_not_stop_the_probe() {
    block_on(async {
        for body in [
            br#"[{"id":120,"x":"\ud800"}]"#.to_vec(),
            b"[{\"id\":120,\"x\":\"\xff\"}]".to_vec(),
            [
                b"[{\"id\":120,\"x\":".to_vec(),
                vec![b'['; 200],
                vec![b']'; 200],
                b"}]".to_vec(),
            ]
            .concat(),
            [
                b"[{\"id\":120,\"x\":\"".to_vec(),
                vec![b'x'; 2 << 20],
                b"\"}]".to_vec(),
            ]
            .concat(),
        ] {
            let script: Script = Box::new(move |asked, _, _| {
                let whole_record = asked.is_list() && !asked.query.contains_key("fields");
                whole_record.then(|| vec![Piece::Send(whole(200, &[], &body))])
            });
            let resource = shape("invoices");
            let server = Server::start(records(&resource, COUNT), script).await;
            let url = format!("http://{}", server.address);
            let instance = Instance::tuned(settings(&url, 1), tuning(small())).unwrap();
            // In a task of its own, as those who call it may want.
            let asked = resource.clone();
            let found = tokio::spawn(async move { probe(&instance, &asked).await });
            let found = found.await.unwrap().unwrap();
            assert_eq!(found.max_id, Some(COUNT));
            assert!(
                found.notes[0].contains("can not be read whole"),
                "{:?}",
                found.notes
            );
            assert!(server.lists() <= 4, "{}", server.lists());
        }
    });
}
