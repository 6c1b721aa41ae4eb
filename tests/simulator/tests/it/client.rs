//! The least HTTP that can ask questions: one connection for each request.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use serde_json::Value;
use simulator::Running;

/// Every resource that is served.
pub const RESOURCES: [&str; 25] = [
    "account_types",
    "currencies",
    "departments",
    "business_groups",
    "commodities",
    "payment_terms",
    "addresses",
    "lookup_values",
    "users",
    "user_groups",
    "user_group_memberships",
    "accounts",
    "exchange_rates",
    "projects",
    "suppliers",
    "contracts",
    "items",
    "supplier_items",
    "budget_lines",
    "requisitions",
    "purchase_orders",
    "receiving_transactions",
    "invoices",
    "expense_reports",
    "approvals",
];

pub struct Answer {
    pub status: u16,
    pub headers: String,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|e| panic!("{e}: {} {}", self.status, self.body))
    }

    pub fn rows(&self) -> Vec<Value> {
        assert_eq!(self.status, 200, "{}", self.body);
        match self.json() {
            Value::Array(rows) => rows,
            other => panic!("expected a list: {other}"),
        }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let line = self
            .headers
            .lines()
            .find(|l| l.to_ascii_lowercase().starts_with(&format!("{name}:")))?;
        Some(line.split_once(':')?.1.trim())
    }
}

pub struct Client<'a> {
    pub coupa: &'a Running,
    pub token: String,
}

impl<'a> Client<'a> {
    pub fn new(coupa: &'a Running) -> Client<'a> {
        let answer = token(coupa, &coupa.client().id, &coupa.client().secret, "");
        let token = answer.json()["access_token"]
            .as_str()
            .expect("a token")
            .to_owned();
        Client { coupa, token }
    }

    pub fn get(&self, resource: &str, query: &[(&str, &str)]) -> Answer {
        self.ask(resource, query, "application/json")
            .expect("an answer")
    }

    pub fn ask(
        &self,
        resource: &str,
        query: &[(&str, &str)],
        accept: &str,
    ) -> std::io::Result<Answer> {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(query)
            .finish();
        let head = format!(
            "Authorization: Bearer {}\r\nAccept: {accept}\r\n",
            self.token
        );
        send(
            self.coupa,
            &format!("GET /api/{resource}?{query}"),
            &head,
            "",
        )
    }

    pub fn rows(&self, resource: &str, query: &[(&str, &str)]) -> Vec<Value> {
        self.get(resource, query).rows()
    }

    /// All rows by keyset.
    pub fn all(&self, resource: &str, query: &[(&str, &str)]) -> Vec<Value> {
        let mut rows: Vec<Value> = Vec::new();
        loop {
            let last = rows.last().map_or(0, id).to_string();
            let mut query = query.to_vec();
            query.push(("id[gt]", &last));
            let page = self.rows(resource, &query);
            if page.is_empty() {
                return rows;
            }
            rows.extend(page);
        }
    }
}

pub fn id(record: &Value) -> i64 {
    record["id"]
        .as_i64()
        .unwrap_or_else(|| panic!("a record has an id: {record}"))
}

pub fn token(coupa: &Running, id: &str, secret: &str, scope: &str) -> Answer {
    let form = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs([
            ("grant_type", "client_credentials"),
            ("client_id", id),
            ("client_secret", secret),
        ])
        .extend_pairs((!scope.is_empty()).then_some(("scope", scope)))
        .finish();
    send(
        coupa,
        "POST /oauth2/token",
        "Content-Type: application/x-www-form-urlencoded\r\n",
        &form,
    )
    .expect("an answer")
}

pub fn send(coupa: &Running, line: &str, head: &str, body: &str) -> std::io::Result<Answer> {
    let host = coupa.url().replace("http://", "");
    let mut stream = TcpStream::connect(&host)?;
    let request = format!(
        "{line} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{head}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let answer = String::from_utf8(answer).expect("answers are UTF-8");
    let (headers, body) = answer
        .split_once("\r\n\r\n")
        .ok_or(std::io::ErrorKind::UnexpectedEof)?;
    let status = headers
        .split(' ')
        .nth(1)
        .and_then(|s| s.parse().ok())
        .expect("a status");
    Ok(Answer {
        status,
        headers: headers.to_owned(),
        body: body.to_owned(),
    })
}
