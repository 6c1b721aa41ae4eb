use simulator::{Config, Simulator};

use crate::client::{Client, RESOURCES, id, send};

#[test]
fn xml_is_the_default_and_well_formed() {
    let coupa = Simulator::start(Config::for_tests(31, 0.03)).unwrap();
    let client = Client::new(&coupa);
    for resource in RESOURCES {
        let answer = client.ask(resource, &[], "application/xml").unwrap();
        assert_eq!(answer.status, 200);
        assert!(
            answer
                .header("content-type")
                .unwrap()
                .starts_with("application/xml")
        );
        let mut reader = quick_xml::Reader::from_str(&answer.body);
        let mut depth = 0;
        loop {
            match reader
                .read_event()
                .unwrap_or_else(|e| panic!("{resource}: {e}"))
            {
                quick_xml::events::Event::Start(_) => depth += 1,
                quick_xml::events::Event::End(_) => depth -= 1,
                quick_xml::events::Event::Eof => break,
                _ => {}
            }
        }
        assert_eq!(depth, 0, "{resource}");
    }
    let answer = send(
        &coupa,
        "GET /api/invoices",
        &format!("Authorization: Bearer {}\r\n", client.token),
        "",
    )
    .unwrap();
    assert!(
        answer
            .body
            .contains("<invoice-headers type=\"array\"><invoice-header><id type=\"integer\">"),
        "no Accept"
    );
}

#[test]
fn xml_is_typed() {
    let coupa = Simulator::start(Config::for_tests(32, 0.03)).unwrap();
    let client = Client::new(&coupa);
    let first = id(&coupa.truth("invoices")[0]);
    let answer = client
        .ask(&format!("invoices/{first}"), &[], "text/xml")
        .unwrap();
    for part in [
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<invoice-header>",
        &format!("<id type=\"integer\">{first}</id>"),
        "<paid type=\"boolean\">",
        "<gross-total type=\"decimal\">",
        "<discount-percent type=\"float\">",
        "<created-at type=\"dateTime\">",
        "<invoice-lines type=\"array\"><invoice-line>",
        "<margin-scheme nil=\"true\"/>",
    ] {
        assert!(answer.body.contains(part), "{part}");
    }
}

#[test]
fn an_empty_search_is_404_in_xml_and_an_empty_list_in_json() {
    let coupa = Simulator::start(Config::for_tests(33, 0.03)).unwrap();
    let client = Client::new(&coupa);
    let nothing = [("id[gt]", "99999999")];
    let answer = client.ask("invoices", &nothing, "application/xml").unwrap();
    assert_eq!(answer.status, 404);
    assert!(
        answer
            .body
            .contains("<error>No results match your search criteria.</error>"),
        "{}",
        answer.body
    );
    let answer = client.get("invoices", &nothing);
    assert_eq!((answer.status, answer.body.as_str()), (200, "[]"));
    let answer = client
        .ask("invoices", &[("format", "json"), nothing[0]], "*/*")
        .unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (200, "[]"));
}
