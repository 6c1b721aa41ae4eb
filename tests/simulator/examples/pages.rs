//! Measures list pages: fifty invoices with `fields`, read by id over one connection.
//!
//! `cargo run --release -p simulator --example pages [INVOICES] [LINES]`

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    time::Instant,
};

use simulator::{Config, Simulator};

const FIELDS: &str = r#"["id","created_at","updated_at","invoice_number","invoice_date","status","document_type","original_invoice_number","original_invoice_date","credit_reason","line_level_taxation","tax_amount","shipping_amount","handling_amount","misc_amount","gross_total","total_with_taxes","amount_due","discount_amount","exchange_rate","net_due_date","discount_due_date","date_received","delivery_date","paid","payment_date","exported","last_exported_at","canceled","internal_note","supplier_note","gl_memo",{"account_type":["id","name"]},{"currency":["code"]},{"supplier":["id","name","number"]},{"payment_term":["id","code"]},{"created_by":["id"]},{"updated_by":["id"]},{"payments":["id","amount-paid","payment-date","notes"]},{"tax_lines":["amount","rate","code"]},{"withholding_tax_lines":["amount"]},{"invoice_charges":["id","type","total",{"tax_lines":["amount"]}]},{"attachments":["id","file"]},{"custom_fields":{}},{"invoice_lines":["id","line_num","type","description","quantity","price","total","accounting_total","order_line_id","po_number","order_header_num","tax_amount","discount_amount","category","unspsc","line_memo",{"account":["id","code"]},{"account_allocations":["id","pct","amount",{"account":["id","code"]}]},{"item":["id","name"]},{"uom":["code"]},{"commodity":["id","name"]},{"contract":["id"]},{"currency":["code"]},{"period":["id","name"]},{"tax_code":["id"]},{"tax_lines":["amount","rate","code"]},{"custom_fields":{}}]}]"#;

struct Connection(BufReader<TcpStream>);

impl Connection {
    fn ask(&mut self, request: &str, body: &mut Vec<u8>) -> std::io::Result<()> {
        self.0.get_mut().write_all(request.as_bytes())?;
        let mut length = 0;
        let mut line = String::new();
        loop {
            line.clear();
            self.0.read_line(&mut line)?;
            if line == "\r\n" {
                break;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().expect("a length");
            }
        }
        body.resize(length, 0);
        self.0.read_exact(body)
    }
}

fn main() -> std::io::Result<()> {
    let mut args = std::env::args().skip(1);
    let invoices = args
        .next()
        .map_or(200_000, |n| n.parse().expect("a number of invoices"));
    let lines = args.next().map(|n| n.parse().expect("a number of lines"));
    let begin = Instant::now();
    let config = Config {
        lines,
        record_requests: false,
        ..Config::for_tests(1, 1.0).count("invoices", invoices)
    };
    let coupa = Simulator::start(config)?;
    println!("made in {:.2} s", begin.elapsed().as_secs_f64());
    let host = coupa.url().replace("http://", "");
    let stream = TcpStream::connect(&host)?;
    stream.set_nodelay(true)?;
    let mut connection = Connection(BufReader::with_capacity(1 << 20, stream));
    let mut body = Vec::new();
    let form = format!(
        "grant_type=client_credentials&client_id={}&client_secret={}",
        coupa.client().id,
        coupa.client().secret
    );
    let head = "Content-Type: application/x-www-form-urlencoded";
    connection.ask(
        &format!("POST /oauth2/token HTTP/1.1\r\nHost: {host}\r\n{head}\r\nContent-Length: {}\r\n\r\n{form}", form.len()),
        &mut body,
    )?;
    let token: serde_json::Value = serde_json::from_slice(&body)?;
    let token = token["access_token"].as_str().expect("a token").to_owned();
    let fields: String = url::form_urlencoded::byte_serialize(FIELDS.as_bytes()).collect();
    let begin = Instant::now();
    // Two readers keep the server's one thread busy; each walks its own half of the ids.
    let readers: Vec<_> = (0..2)
        .map(|half| {
            let (host, token, fields) = (host.clone(), token.clone(), fields.clone());
            std::thread::spawn(move || {
                walk(
                    &host,
                    &token,
                    &fields,
                    half * i64::from(invoices) / 2,
                    begin,
                )
            })
        })
        .collect();
    let (mut pages, mut bytes) = (0, 0);
    for reader in readers {
        let (read, size) = reader.join().expect("a reader does not panic")?;
        (pages, bytes) = (pages + read, bytes + size);
    }
    let seconds = begin.elapsed().as_secs_f64();
    if let Some(busy) = busy_seconds() {
        println!(
            "{:.0} pages for each second the server's thread was busy",
            pages as f64 / busy
        );
    }
    println!(
        "{:.0} pages/s, {:.0} rows/s, {:.1} MB/s, {} bytes a row",
        pages as f64 / seconds,
        pages as f64 * 50.0 / seconds,
        bytes as f64 / 1e6 / seconds,
        bytes / (pages * 50).max(1)
    );
    Ok(())
}

/// Reads pages for five seconds; pages and bytes.
fn walk(
    host: &str,
    token: &str,
    fields: &str,
    from: i64,
    begin: Instant,
) -> std::io::Result<(u64, u64)> {
    let stream = TcpStream::connect(host)?;
    stream.set_nodelay(true)?;
    let mut connection = Connection(BufReader::with_capacity(1 << 20, stream));
    let mut body = Vec::new();
    let (mut last, mut pages, mut bytes) = (50_000 + from, 0, 0);
    while begin.elapsed().as_secs() < 5 {
        let request = format!(
            "GET /api/invoices?id%5Bgt%5D={last}&order_by=id&fields={fields} HTTP/1.1\r\nHost: {host}\r\nAccept: application/json\r\nAuthorization: Bearer {token}\r\n\r\n"
        );
        connection.ask(&request, &mut body)?;
        if body.len() < 10 {
            last = 50_000 + from;
            continue;
        }
        // The last id of the page, without parsing: only an invoice has a number behind its stamps.
        let number = rfind(&body, b",\"invoice-number\":").expect("a page has rows");
        let at = rfind(&body[..number], b"{\"id\":").expect("a record begins with its id") + 6;
        last = body[at..]
            .iter()
            .take_while(|b| b.is_ascii_digit())
            .fold(0, |n, b| n * 10 + i64::from(b - b'0'));
        pages += 1;
        bytes += body.len() as u64;
    }
    Ok((pages, bytes))
}

fn rfind(body: &[u8], what: &[u8]) -> Option<usize> {
    body.windows(what.len()).rposition(|w| w == what)
}

/// Processor time of the thread named `simulator`, from Linux's /proc in clock ticks of 1/100 s.
fn busy_seconds() -> Option<f64> {
    for task in std::fs::read_dir("/proc/self/task").ok()? {
        let stat = std::fs::read_to_string(task.ok()?.path().join("stat")).ok()?;
        if stat.contains("(simulator)") {
            let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
            let ticks: f64 =
                fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
            return Some(ticks / 100.0);
        }
    }
    None
}
