//! Tokens, scopes, limits, paths.

use std::time::{Duration, Instant};

use simulator::{Config, Rate, Simulator, TokenRules};

use crate::client::{Client, send, token};

#[test]
fn tokens_are_given_to_clients_that_may_have_them() {
    let coupa = Simulator::start(Config::for_tests(41, 0.03)).unwrap();
    let (id, secret) = (coupa.client().id.clone(), coupa.client().secret.clone());
    let answer = token(&coupa, &id, &secret, "core.invoice.read core.common.read");
    assert_eq!(answer.status, 200);
    let body = answer.json();
    assert_eq!(
        (body["token_type"].as_str(), body["expires_in"].as_i64()),
        (Some("bearer"), Some(86_399))
    );
    assert_eq!(body["scope"], "core.invoice.read core.common.read");
    assert_eq!(body["access_token"].as_str().unwrap().split('.').count(), 3);
    for (answer, status, word) in [
        (token(&coupa, &id, "wrong", ""), 401, "invalid_client"),
        (token(&coupa, "nobody", &secret, ""), 401, "invalid_client"),
        (
            token(
                &coupa,
                &id,
                &secret,
                "core.invoice.read core.pay.payments.read",
            ),
            400,
            "invalid_scope",
        ),
        (
            token(&coupa, &id, &secret, "core.invoice.read,core.common.read"),
            400,
            "invalid_scope",
        ),
    ] {
        assert_eq!(
            (answer.status, answer.json()["error"].as_str()),
            (status, Some(word))
        );
    }
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let basic = format!("{form}Authorization: Basic c2ltdWxhdG9yOnNpbXVsYXRvci1zZWNyZXQ=\r\n");
    let answer = send(
        &coupa,
        "POST /oauth2/token",
        &basic,
        "grant_type=client_credentials",
    )
    .unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    let answer = send(&coupa, "POST /oauth2/token", &basic, "grant_type=password").unwrap();
    assert_eq!(answer.json()["error"], "unsupported_grant_type");
}

#[test]
fn tokens_age_by_the_simulators_clock() {
    let token = TokenRules {
        lifetime: Duration::from_secs(600),
        youth: Duration::from_secs(5),
    };
    let coupa = Simulator::start(Config {
        token,
        ..Config::for_tests(42, 0.03)
    })
    .unwrap();
    let client = Client::new(&coupa);
    let status = || client.get("currencies", &[]).status;
    assert_eq!(status(), 401, "younger than five seconds");
    coupa.clock().advance(Duration::from_secs(5));
    assert_eq!(status(), 200);
    coupa.clock().advance(Duration::from_secs(594));
    assert_eq!(status(), 200);
    coupa.clock().advance(Duration::from_secs(1));
    assert_eq!(status(), 401, "expired");
    let fresh = Client::new(&coupa);
    coupa.clock().advance(Duration::from_secs(10));
    coupa.revoke_tokens();
    assert_eq!(fresh.get("currencies", &[]).status, 401, "revoked");
    let garbled = Client {
        coupa: &coupa,
        token: "x.y.z".into(),
    };
    assert_eq!(garbled.get("currencies", &[]).status, 401);
}

#[test]
fn each_endpoint_wants_its_scope() {
    let coupa = Simulator::start(Config::for_tests(43, 0.03)).unwrap();
    let narrow = token(
        &coupa,
        &coupa.client().id,
        &coupa.client().secret,
        "core.invoice.read",
    );
    let client = Client {
        coupa: &coupa,
        token: narrow.json()["access_token"].as_str().unwrap().into(),
    };
    assert_eq!(client.get("invoices", &[]).status, 200);
    assert_eq!(client.get("suppliers", &[]).status, 403);
    let strict = Simulator::start(Config {
        scope_status: 401,
        ..Config::for_tests(43, 0.03)
    })
    .unwrap();
    let narrow = token(
        &strict,
        &strict.client().id,
        &strict.client().secret,
        "core.invoice.read",
    );
    let client = Client {
        coupa: &strict,
        token: narrow.json()["access_token"].as_str().unwrap().into(),
    };
    assert_eq!(client.get("suppliers", &[]).status, 401);
}

#[test]
fn unknown_paths_ids_and_verbs() {
    let coupa = Simulator::start(Config::for_tests(44, 0.03)).unwrap();
    let client = Client::new(&coupa);
    assert_eq!(client.get("colours", &[]).status, 404);
    assert_eq!(client.get("invoices/999999999", &[]).status, 404);
    assert_eq!(client.get("invoices/abc", &[]).status, 404);
    assert_eq!(client.get("invoices/50001/approvals", &[]).status, 404);
    let head = format!(
        "Authorization: Bearer {}\r\nAccept: application/json\r\n",
        client.token
    );
    assert_eq!(
        send(&coupa, "DELETE /api/invoices/50001", &head, "")
            .unwrap()
            .status,
        405
    );
    assert_eq!(send(&coupa, "GET /elsewhere", "", "").unwrap().status, 404);
    assert_eq!(
        send(&coupa, "GET /simulator/requests", "", "")
            .unwrap()
            .status,
        404,
        "control is off"
    );
}

#[test]
fn requests_beyond_the_limit_wait_and_then_are_refused() {
    let rate = Rate {
        per_second: 20.0,
        queue: 10,
        retry_after: Some(2),
    };
    let coupa = Simulator::start(Config {
        rate: Some(rate),
        ..Config::for_tests(45, 0.03)
    })
    .unwrap();
    let client = Client::new(&coupa);
    let began = Instant::now();
    let answers: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..40)
            .map(|_| scope.spawn(|| client.get("currencies", &[])))
            .collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    let refused: Vec<_> = answers.iter().filter(|a| a.status == 429).collect();
    assert!((4..=12).contains(&refused.len()), "{}", refused.len());
    assert!(refused.iter().all(|a| a.header("retry-after") == Some("2")));
    assert!(
        began.elapsed() > Duration::from_millis(350),
        "the queue waits its turn"
    );
}

#[test]
fn answers_carry_the_simulators_date_and_are_recorded() {
    let coupa = Simulator::start(Config::for_tests(46, 0.03)).unwrap();
    let client = Client::new(&coupa);
    coupa.clear_requests();
    coupa.clock().advance(Duration::from_secs(3_600));
    let answer = client.get("invoices", &[("limit", "3"), ("id[gt]", "0")]);
    assert_eq!(answer.header("date"), Some("Mon, 02 Mar 2026 18:00:00 GMT"));
    let requests = coupa.requests();
    assert_eq!(requests.len(), 1);
    let seen = &requests[0];
    assert_eq!(
        (
            seen.method.as_str(),
            seen.path.as_str(),
            seen.status,
            seen.rows
        ),
        ("GET", "/api/invoices", 200, 3)
    );
    assert_eq!(
        seen.query,
        [
            ("limit".to_owned(), "3".to_owned()),
            ("id[gt]".to_owned(), "0".to_owned())
        ]
    );
    assert_eq!(seen.bytes, answer.body.len());
    assert_eq!(seen.at, coupa.clock().now());
}
