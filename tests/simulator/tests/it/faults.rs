use std::time::{Duration, Instant};

use simulator::{Config, Effect, Fault, On, Simulator};

use crate::client::{Client, id, token};

#[test]
fn faults_strike_as_often_as_they_should() {
    let coupa = Simulator::start(Config::for_tests(51, 0.03)).unwrap();
    let client = Client::new(&coupa);
    let status = Effect::Status {
        code: 503,
        retry_after: Some(1),
    };
    coupa.faults(|f| {
        f.rules
            .push(Fault::new(status).resource("invoices").times(2))
    });
    assert_eq!(client.get("users", &[]).status, 200);
    for expected in [503, 503, 200] {
        assert_eq!(client.get("invoices", &[]).status, expected);
    }
    coupa.faults(|f| {
        f.rules = vec![Fault {
            on: On::Token,
            ..Fault::new(Effect::Status {
                code: 500,
                retry_after: None,
            })
            .times(1)
        }]
    });
    assert_eq!(
        token(&coupa, "simulator", "simulator-secret", "").status,
        500
    );
    assert_eq!(
        token(&coupa, "simulator", "simulator-secret", "").status,
        200
    );
}

#[test]
fn connections_break() {
    let coupa = Simulator::start(Config::for_tests(52, 0.03)).unwrap();
    let client = Client::new(&coupa);
    coupa.clear_requests();
    coupa.faults(|f| {
        f.rules = vec![
            Fault::new(Effect::Reset).times(1),
            Fault::new(Effect::Cut { bytes: 3_000 }).times(1),
        ]
    });
    assert!(
        client.ask("invoices", &[], "application/json").is_err(),
        "reset"
    );
    let cut = client.ask("invoices", &[], "application/json");
    assert!(
        cut.is_err() || cut.is_ok_and(|a| a.body.len() < 3_000),
        "cut"
    );
    assert_eq!(client.get("invoices", &[]).status, 200);
    let seen: Vec<u16> = coupa.requests().iter().map(|r| r.status).collect();
    assert_eq!(seen, [0, 200, 200]);
}

#[test]
fn answers_lie_and_dawdle() {
    let coupa = Simulator::start(Config::for_tests(53, 0.03)).unwrap();
    let client = Client::new(&coupa);
    let first = id(&client.rows("invoices", &[])[0]);
    coupa.faults(|f| {
        f.rules = vec![Fault::new(Effect::Ignore {
            parameter: "id[gt]".into(),
        })]
    });
    assert_eq!(
        id(&client.rows("invoices", &[("id[gt]", "50040")])[0]),
        first
    );
    coupa.faults(|f| f.rules = vec![Fault::new(Effect::Empty)]);
    assert_eq!(client.rows("invoices", &[]).len(), 0);
    coupa.faults(|f| f.rules = vec![Fault::new(Effect::Garbage)]);
    assert!(serde_json::from_str::<serde_json::Value>(&client.get("invoices", &[]).body).is_err());
    coupa.faults(|f| f.rules = vec![Fault::new(Effect::Delay(Duration::from_millis(120)))]);
    let began = Instant::now();
    client.rows("invoices", &[]);
    assert!(began.elapsed() >= Duration::from_millis(120));
}

#[test]
fn answers_of_other_kinds() {
    let coupa = Simulator::start(Config::for_tests(54, 0.03)).unwrap();
    let client = Client::new(&coupa);
    let set = |text: &str| {
        let faults = text.parse().unwrap();
        coupa.faults(|f| *f = faults);
    };
    for (fault, status, after) in [("429=7", 429, "7"), ("503=soon", 503, "soon")] {
        set(fault);
        let answer = client.get("currencies", &[]);
        assert_eq!(
            (answer.status, answer.header("retry-after")),
            (status, Some(after))
        );
    }
    set("429=date");
    let answer = client.get("currencies", &[]);
    let time = |name| {
        let text = answer.header(name).expect("a date");
        chrono::DateTime::parse_from_rfc2822(text).expect("a date of HTTP")
    };
    assert_eq!((time("retry-after") - time("date")).num_seconds(), 5);
    set("html");
    let answer = client.get("currencies", &[]);
    assert!(answer.status == 200 && answer.body.starts_with("<!DOCTYPE html>"));
    assert_eq!(
        answer.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    set("");
    let length = client.get("currencies", &[]).body.len();
    set(&format!("drip={}", length * 5));
    let began = Instant::now();
    // In chunks, which the client of these tests leaves as they are.
    let answer = client.get("currencies", &[]);
    assert!(answer.status == 200 && answer.body.len() > length);
    assert!(began.elapsed() >= Duration::from_millis(150));
}
