//! Pages changed for the worse: half of the changes know JSON, half do not.

use serde_json::{Map, Value};

/// What secret members hold.
const SECRET: &str = "S3CR3T";

pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        ((self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize) % most.max(1)
    }

    fn pick<'a, T: ?Sized>(&mut self, choices: &[&'a T]) -> &'a T {
        choices[self.below(choices.len())]
    }
}

/// A page of so many records, made from a sample.
pub fn page_of(sample: &str, count: usize) -> Vec<u8> {
    let sample: Vec<Map<String, Value>> = serde_json::from_str(sample).unwrap();
    let records: Vec<Value> = (0..count)
        .map(|place| {
            let mut record = sample[place % sample.len()].clone();
            record.insert("id".to_owned(), (place as i64 + 1).into());
            record.insert("portal-password".to_owned(), SECRET.into());
            Value::Object(record)
        })
        .collect();
    Value::Array(records).to_string().into_bytes()
}

pub fn mutate(dice: &mut Dice, page: &[u8]) -> Vec<u8> {
    let mut page = page.to_vec();
    let grammar = dice.below(2) == 0;
    for _ in 0..=dice.below(4) {
        if grammar || dice.below(4) == 0 {
            with_grammar(dice, &mut page);
        } else {
            blindly(dice, &mut page);
        }
    }
    page
}

const VALUES: &[&str] = &[
    "null",
    "true",
    "false",
    "\"true\"",
    "0",
    "-0",
    "-1",
    "1.5",
    "5.0",
    "1e3",
    "1E3",
    "1e+3",
    "-1.5e-7",
    "1e999",
    "1e-400",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775809",
    "1234567890123456789012345678901234567890",
    "0.1234567895",
    "0.1234567885",
    "99999999999999999999999999999.9999999999",
    "NaN",
    "Infinity",
    "0x10",
    "01",
    "1.",
    ".5",
    "+1",
    "--1",
    "1e",
    "1e99999999999999999999",
    "\"\"",
    "\" \"",
    "\"1,234.50\"",
    "\"1e3\"",
    "\"+1.0\"",
    "\" 1.0 \"",
    "\"-0.0\"",
    "\"007\"",
    "\"12.3400000000001\"",
    "\"2026-02-30\"",
    "\"2026-02-28T25:00:00Z\"",
    "\"2026-02-28T23:59:60Z\"",
    "\"2026-02-28 10:00:00\"",
    "\"2026-02-28T10:00:00.1234567+13:00\"",
    "\"2026-02-28T10:00:00-0830\"",
    "\"2026-02-28T10:00:00+05\"",
    "\"0000-00-00\"",
    "\"9999-12-31T23:59:59Z\"",
    "\"0001-01-01\"",
    "\"2026-02-28T10:00\"",
    "\"2026-2-8\"",
    "[]",
    "{}",
    "[[]]",
    "[null]",
    "[{}]",
    "{\"id\":1}",
    "{\"id\":\"x\"}",
    "{\"name\":1}",
    "[1,\"a\",{}]",
    "\"\\u0000\"",
    "\"\\ud800\"",
    "\"\\ud83d\\ude00\"",
    "\"\\udc00\\ud800\"",
    "\"\\x\"",
    "\"\\u12\"",
    "\"a\nb\"",
    "\"\u{feff}\"",
    "\"\u{202e}\"",
    "\"=cmd|' /C calc'!A0\"",
    "\"<script>\"",
    "\"';DROP TABLE x;--\"",
    "tru",
    "nulll",
    "",
];

const KEYS: &[&str] = &[
    "id",
    "i\\u0064",
    "",
    "custom-fields",
    "custom_fields",
    "updated-at",
    "own-key",
    "own_key",
    "lines",
    "é",
    "$serde",
    "__proto__",
    "a.b",
    "a\\\"b",
    "cxml-secret",
    "portal_password",
    "api-token",
    "pass\\u0077ord",
    "\\ud800",
];

/// Where a value or a key stands in the text.
struct Place {
    start: usize,
    end: usize,
    is_key: bool,
}

/// The strings and other scalars of a text, as far as it can be told.
fn places(page: &[u8]) -> Vec<Place> {
    let mut places = Vec::new();
    let mut at = 0;
    while at < page.len() {
        let start = at;
        match page[at] {
            b'"' => {
                at += 1;
                while at < page.len() && page[at] != b'"' {
                    at += if page[at] == b'\\' { 2 } else { 1 };
                }
                at = (at + 1).min(page.len());
                let is_key = page.get(at) == Some(&b':');
                places.push(Place {
                    start,
                    end: at,
                    is_key,
                });
            }
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'+' | b'.' => {
                while at < page.len() && !matches!(page[at], b',' | b'}' | b']' | b':' | b'"') {
                    at += 1;
                }
                places.push(Place {
                    start,
                    end: at,
                    is_key: false,
                });
            }
            _ => at += 1,
        }
    }
    places
}

fn with_grammar(dice: &mut Dice, page: &mut Vec<u8>) {
    let places = places(page);
    if places.len() < 4 {
        return;
    }
    let kind = dice.below(14);
    let wants_key = matches!(kind, 2..=6);
    let fitting: Vec<&Place> = places
        .iter()
        .filter(|place| place.is_key == wants_key)
        .collect();
    if fitting.is_empty() {
        return;
    }
    let place = fitting[dice.below(fitting.len())];
    let (start, end) = (place.start, place.end);
    let put = |page: &mut Vec<u8>, text: &[u8]| {
        page.splice(start..end, text.iter().copied());
    };
    match kind {
        0 | 1 => put(page, dice.pick(VALUES).as_bytes()),
        // Another name.
        2 => put(page, format!("\"{}\"", dice.pick(KEYS)).as_bytes()),
        // The same name, spelt otherwise.
        3 => {
            for byte in &mut page[start..end] {
                *byte = match *byte {
                    b'-' => b'_',
                    b'_' => b'-',
                    other => other,
                };
            }
        }
        // Another member in front; its name may be there already.
        4 => {
            let key = String::from_utf8_lossy(&page[start..end]).into_owned();
            let text = format!("{key}:{},", dice.pick(VALUES));
            page.splice(start..start, text.bytes());
        }
        5 => {
            let text = format!("\"{}\":{},", dice.pick(KEYS), dice.pick(VALUES));
            page.splice(start..start, text.bytes());
        }
        6 => {
            let text = format!(
                "\"{}\":[\"{SECRET}\",{{\"a\":\"{SECRET}\"}}],",
                dice.pick(&["cxml-x", "Client_Secret", "api.password", "x-token"])
            );
            page.splice(start..start, text.bytes());
        }
        7 => {
            let depth = [1, 10, 62, 63, 64, 65, 200, 10_000][dice.below(8)];
            let inner = String::from_utf8_lossy(&page[start..end]).into_owned();
            let text = match dice.below(2) {
                0 => format!("{}{inner}{}", "[".repeat(depth), "]".repeat(depth)),
                _ => format!("{}{inner}{}", "{\"a\":".repeat(depth), "}".repeat(depth)),
            };
            put(page, text.as_bytes());
        }
        8 => {
            let other = fitting[dice.below(fitting.len())];
            let text = page[other.start..other.end].to_vec();
            put(page, &text);
        }
        9 => put(
            page,
            format!("\"{}\"", "x".repeat(dice.below(100_000))).as_bytes(),
        ),
        10 => {
            let blanks = dice.pick(&[" ", "\n", "\t \r\n", "\u{a0}", "\0", ",", "}", "]"]);
            page.splice(end..end, blanks.bytes());
        }
        11 => page.truncate(start),
        12 => {
            let bytes: &[u8] = dice.pick(&[b"\xEF\xBB\xBF".as_slice(), b"\xff\xfe", b" \n", b"x"]);
            page.splice(0..0, bytes.iter().copied());
        }
        _ => {
            let inner = page[start..end].to_vec();
            page.splice(end..end, [b",".as_slice(), &inner].concat());
        }
    }
}

fn blindly(dice: &mut Dice, page: &mut Vec<u8>) {
    if page.is_empty() {
        return;
    }
    let at = dice.below(page.len());
    match dice.below(7) {
        0 => page[at] ^= 1 << dice.below(8),
        1 => page[at] = dice.below(256) as u8,
        2 => page.insert(
            at,
            dice.pick(&[
                &b'"', &b'\\', &b'{', &b'}', &b'[', &b']', &b',', &0xff, &0xe2,
            ])
            .to_owned(),
        ),
        3 => {
            let end = (at + dice.below(40)).min(page.len());
            page.drain(at..end);
        }
        4 => {
            let end = (at + dice.below(200)).min(page.len());
            let part = page[at..end].to_vec();
            let to = dice.below(page.len());
            page.splice(to..to, part);
        }
        5 => page.truncate(at),
        _ => {
            let other = dice.below(page.len());
            page.swap(at, other);
        }
    }
}
