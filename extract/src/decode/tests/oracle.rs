//! A second reading of random records, by serde_json and chrono, cell by cell.

use std::fmt::Write;
use std::sync::Arc;

use chrono::DateTime;
use proptest::prelude::*;
use schemas::{Field, Kind};
use serde_json::Value;

use super::super::*;
use super::reading::{object, row};
use crate::testing::{field, resource};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn decoding_equals_the_oracle(seed: u64, pages in 1_usize..4) {
        let mut dice = Dice(seed | 1);
        let mut fields = dice.fields(3);
        fields.insert(0, field("id", Kind::Int64));
        let mut definition = resource();
        definition.fields = fields;
        definition.watermark = None;
        let stamp = Stamp { run_id: String::new(), extracted_at: DateTime::UNIX_EPOCH };
        let mut decoder = Decoder::new(Arc::new(definition.clone()), stamp);
        let mut rows = Vec::new();
        let mut misfit_ids = Vec::new();
        let mut id = 0;
        for _ in 0..pages {
            let mut texts = Vec::new();
            for _ in 0..dice.below(6) {
                id += 1;
                let text = dice.record(id, &definition.fields);
                let value: Value = serde_json::from_str(&text).unwrap();
                match object(&definition.fields, &["left_out".to_owned()], true, value.as_object().unwrap()) {
                    Some(cells) => rows.push(cells),
                    None => misfit_ids.push(Some(id.to_string())),
                }
                texts.push(text);
            }
            decoder.page(format!("[{}]", texts.join(dice.pick(&[",", " , ", ",\n"]))).as_bytes()).unwrap();
        }
        let decoded = decoder.finish().unwrap();
        let found: Vec<_> = decoded.misfits.iter().map(|misfit| misfit.id.clone()).collect();
        prop_assert_eq!(found, misfit_ids);
        let read: Vec<_> = (0..decoded.batch.num_rows())
            .map(|number| row(&decoded.batch, &definition.fields, number))
            .collect();
        prop_assert_eq!(read, rows);
    }
}

/// Random definitions and records from one seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % most
    }

    fn pick<'a>(&mut self, texts: &[&'a str]) -> &'a str {
        texts[self.below(texts.len() as u64) as usize]
    }

    fn fields(&mut self, depth: u64) -> Vec<Field> {
        let names = [
            "name",
            "line_num",
            "created_at",
            "total",
            "a_b_c",
            "x",
            "code",
            "long_name_of_it",
        ];
        let mut fields = Vec::new();
        if depth < 3 && self.below(2) == 0 {
            fields.push(field("id", Kind::Int64));
        }
        for name in names {
            if self.below(2) == 0 {
                fields.push(field(name, self.kind(depth)));
            }
        }
        if fields.is_empty() {
            fields.push(field("only", Kind::Utf8));
        }
        fields
    }

    fn kind(&mut self, depth: u64) -> Kind {
        match self.below(if depth == 0 { 8 } else { 12 }) {
            0 => Kind::Int64,
            1 | 2 => Kind::Utf8,
            3 => Kind::Bool,
            4 => Kind::Date,
            5 => Kind::Timestamp,
            6 => Kind::Json,
            7 => Kind::Decimal {
                precision: 12,
                scale: 4,
            },
            8 | 9 => Kind::List(Box::new(self.kind(depth - 1))),
            _ => Kind::Object {
                fields: self.fields(depth - 1),
                documented: vec!["left_out".to_owned()],
                custom_fields: self.below(2) == 0,
            },
        }
    }

    fn record(&mut self, id: u64, fields: &[Field]) -> String {
        let mut members = self.members(&fields[1..], true);
        let place = self.below(members.len() as u64 + 1) as usize;
        members.insert(place, format!(r#""id":{id}"#));
        format!("{{{}}}", members.join(self.pick(&[",", ", "])))
    }

    fn members(&mut self, fields: &[Field], captures: bool) -> Vec<String> {
        let mut members = Vec::new();
        for field in fields {
            if self.below(6) == 0 {
                continue;
            }
            let value = self.value(&field.kind);
            members.push(format!(r#""{}":{value}"#, self.spelt(&field.name)));
        }
        for extra in ["left-out", "own-key", "Other key"] {
            if self.below(4) == 0 {
                members.push(format!(r#""{extra}":{}"#, self.value(&Kind::Json)));
            }
        }
        if captures && self.below(3) == 0 {
            members.push(format!(
                r#""{}":{{"one-own":{},"é":1}}"#,
                self.spelt("custom_fields"),
                self.value(&Kind::Json)
            ));
        }
        if self.below(3) == 0 {
            for place in (1..members.len()).rev() {
                let other = self.below(place as u64 + 1) as usize;
                members.swap(place, other);
            }
        }
        members
    }

    /// Any mixture of dashes and underscores.
    fn spelt(&mut self, name: &str) -> String {
        let usual = self.below(4) > 0;
        let mark = |letter| match letter {
            '_' if usual || self.below(2) == 0 => '-',
            letter => letter,
        };
        name.chars().map(mark).collect()
    }

    fn value(&mut self, kind: &Kind) -> String {
        if self.below(8) == 0 {
            return "null".to_owned();
        }
        // Now and then what belongs elsewhere.
        if !matches!(kind, Kind::Json) && self.below(60) == 0 {
            let other = self.kind(1);
            return self.value(&other);
        }
        match kind {
            Kind::Int64 => self
                .pick(&[
                    "0",
                    "-7",
                    "\"12\"",
                    "123456789012345678",
                    "9223372036854775807",
                    "\"\"",
                    "5.0",
                ])
                .to_owned(),
            Kind::Utf8 => self
                .pick(&[
                    r#""plain text""#,
                    r#""""#,
                    "1",
                    "-2.50",
                    "true",
                    r#""q\"\\\/\n\u00e9\ud83d\ude00""#,
                    "\"é ü 漢字\"",
                    r#""a text that is longer than one register of the parser is wide""#,
                ])
                .to_owned(),
            Kind::Bool => self
                .pick(&["true", "false", "\"true\"", "\"false\"", "\"\""])
                .to_owned(),
            Kind::Date | Kind::Timestamp => self
                .pick(&[
                    r#""2024-04-01T00:00:00+03:00""#,
                    r#""2024-02-29T23:59:59Z""#,
                    r#""1969-12-31T23:59:59.250-08:00""#,
                    r#""2024-04-01T10:00:00""#,
                    r#""2024-04-01""#,
                    r#""""#,
                    r#""9999-12-31T23:59:59Z""#,
                    r#""2023-02-29""#,
                ])
                .to_owned(),
            Kind::Decimal { .. } => {
                let mut text = String::new();
                let (whole, fraction) = (self.below(100_000), self.below(10_000_000));
                let quote = self.pick(&["", "\""]);
                let sign = self.pick(&["", "-"]);
                match self.below(8) {
                    0 => text.push_str("\"\""),
                    1 => text.push_str("\"1,234.50\""),
                    2 => write!(text, "{quote}{sign}{whole}{quote}").unwrap(),
                    3 => {
                        write!(text, "{quote}{sign}{whole}.{}5{quote}", fraction % 10_000).unwrap()
                    }
                    _ => write!(text, "{quote}{sign}{whole}.{fraction}{quote}").unwrap(),
                }
                text
            }
            Kind::Json => self
                .pick(&[
                    "1",
                    "\"text\"",
                    "{\"id\":1,\"name\":\"a]}\"}",
                    "[]",
                    "[1,{\"a\":null}]",
                    "true",
                    "1.50",
                ])
                .to_owned(),
            Kind::Object {
                fields,
                custom_fields,
                ..
            } => match self.below(12) {
                0 => "5".to_owned(),
                1 => "\"A name\"".to_owned(),
                2 => "{}".to_owned(),
                _ => format!("{{{}}}", self.members(fields, *custom_fields).join(",")),
            },
            Kind::List(item) => match self.below(10) {
                0 => "[]".to_owned(),
                1 if matches!(**item, Kind::Object { .. }) => self.value(item),
                _ => {
                    let count = self.below(4);
                    let items: Vec<String> = (0..count).map(|_| self.value(item)).collect();
                    format!("[{}]", items.join(","))
                }
            },
        }
    }
}
