//! A job file exactly as written: every key with its line, nothing fetched, nothing assumed.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Problems, shown};

/// A value, and the line it stands on.
#[derive(Debug, Clone, PartialEq)]
pub struct Written<T> {
    pub value: T,
    pub line: usize,
}

/// A job file: each key as it was written, `None` where it was left out.
#[derive(Debug, Default)]
pub struct JobFile {
    pub connection: Option<Written<String>>,
    pub coupa: Coupa,
    pub extract: Extract,
    pub lake: Lake,
    pub warehouse: Option<Written<Warehouse>>,
}

/// `[coupa]`: the instance that is read.
#[derive(Debug, Default)]
pub struct Coupa {
    pub url: Option<Written<String>>,
    pub client_id: Option<Written<String>>,
    pub client_secret: Option<Written<String>>,
    pub requests_per_second: Option<Written<f64>>,
    pub max_in_flight: Option<Written<f64>>,
    pub payload: Option<Written<String>>,
}

/// `[extract]`: what is read.
#[derive(Debug, Default)]
pub struct Extract {
    /// `"all"`, or a list of names.
    pub resources: Option<Written<Vec<Written<String>>>>,
    pub since: Option<Written<String>>,
    pub overlap: Option<Written<String>>,
    pub reconcile: Option<Written<String>>,
    pub check: Option<Written<String>>,
    pub piece_records: Option<Written<f64>>,
    /// `tolerate = { quarantined = … }`.
    pub quarantined: Option<Written<f64>>,
}

/// `[lake]`: where the tables lie.
#[derive(Debug, Default)]
pub struct Lake {
    pub url: Option<Written<String>>,
    pub options: Vec<(String, Written<String>)>,
}

/// `[warehouse]`: where the tables go besides.
#[derive(Debug, Default)]
pub struct Warehouse {
    pub uri: Option<Written<String>>,
    pub schema: Option<Written<String>>,
}

/// Which keys a section takes; the first entry is the top of the file.
const KEYS: [(&str, &[&str]); 6] = [
    ("", &["connection", "coupa", "extract", "lake", "warehouse"]),
    (
        "coupa",
        &[
            "url",
            "client_id",
            "client_secret",
            "requests_per_second",
            "max_in_flight",
            "payload",
        ],
    ),
    (
        "extract",
        &[
            "resources",
            "since",
            "overlap",
            "reconcile",
            "check",
            "piece_records",
            "tolerate",
        ],
    ),
    ("extract.tolerate", &["quarantined"]),
    ("lake", &["url", "options"]),
    ("warehouse", &["uri", "schema"]),
];

/// Reads the text of a job file; `None` where it is not TOML.
pub(super) fn parse(text: &str, problems: &mut Problems) -> Option<JobFile> {
    let (root, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        // Only the message: the printed form quotes the line, which may hold a secret.
        let line = error.span().map_or(1, |span| line_of(text, &span));
        problems.at(
            line,
            format!("not TOML: {}", error.message()),
            "a value is text in quotes, a number, true, false or a [list]; a section is [name]",
        );
    }
    if !errors.is_empty() {
        return None;
    }
    let mut reader = Reader { text, problems };
    Some(reader.job(root.get_ref()))
}

struct Reader<'a> {
    text: &'a str,
    problems: &'a mut Problems,
}

type Value<'a> = Spanned<DeValue<'a>>;

impl Reader<'_> {
    fn job(&mut self, root: &DeTable<'_>) -> JobFile {
        self.refuse_unknown("", root);
        let mut job = JobFile {
            connection: self.text(root, "connection"),
            ..JobFile::default()
        };
        if let Some(coupa) = self.section(root, "coupa", "coupa") {
            job.coupa = Coupa {
                url: self.text(coupa, "url"),
                client_id: self.text(coupa, "client_id"),
                client_secret: self.text(coupa, "client_secret"),
                requests_per_second: self.number(coupa, "requests_per_second"),
                max_in_flight: self.number(coupa, "max_in_flight"),
                payload: self.text(coupa, "payload"),
            };
        }
        if let Some(extract) = self.section(root, "extract", "extract") {
            let tolerate = self.section(extract, "tolerate", "extract.tolerate");
            job.extract = Extract {
                resources: self.names(extract, "resources"),
                since: self.date(extract, "since"),
                overlap: self.text(extract, "overlap"),
                reconcile: self.text(extract, "reconcile"),
                check: self.text(extract, "check"),
                piece_records: self.number(extract, "piece_records"),
                quarantined: tolerate.and_then(|table| self.number(table, "quarantined")),
            };
        }
        if let Some(lake) = self.section(root, "lake", "lake") {
            job.lake = Lake {
                url: self.text(lake, "url"),
                options: self.options(lake),
            };
        }
        if let Some(warehouse) = self.section(root, "warehouse", "warehouse") {
            let value = Warehouse {
                uri: self.text(warehouse, "uri"),
                schema: self.text(warehouse, "schema"),
            };
            let line = root.get("warehouse").map_or(1, |found| self.line(found));
            job.warehouse = Some(Written { value, line });
        }
        job
    }

    fn section<'t, 'i>(
        &mut self,
        table: &'t DeTable<'i>,
        key: &str,
        section: &str,
    ) -> Option<&'t DeTable<'i>> {
        let value = table.get(key)?;
        let found = value.get_ref().as_table();
        match found {
            Some(found) => self.refuse_unknown(section, found),
            None => self.wrong(value, key, &format!("a section, [{section}]")),
        }
        found
    }

    fn text(&mut self, table: &DeTable<'_>, key: &str) -> Option<Written<String>> {
        let value = table.get(key)?;
        match value.get_ref() {
            DeValue::String(text) => Some(self.written(value, text.to_string())),
            _ => self.wrong_none(value, key, "text in quotes"),
        }
    }

    fn number(&mut self, table: &DeTable<'_>, key: &str) -> Option<Written<f64>> {
        let value = table.get(key)?;
        match parse_number(value.get_ref()) {
            Some(number) => Some(self.written(value, number)),
            None => self.wrong_none(value, key, "a number"),
        }
    }

    /// TOML has dates of its own; in quotes they are as good.
    fn date(&mut self, table: &DeTable<'_>, key: &str) -> Option<Written<String>> {
        let value = table.get(key)?;
        match value.get_ref() {
            DeValue::String(text) => Some(self.written(value, text.to_string())),
            DeValue::Datetime(moment) => Some(self.written(value, moment.to_string())),
            _ => self.wrong_none(value, key, "a date, \"2023-01-01\""),
        }
    }

    fn names(&mut self, table: &DeTable<'_>, key: &str) -> Option<Written<Vec<Written<String>>>> {
        let value = table.get(key)?;
        let wanted = "\"all\" or a list of names in quotes";
        let items: Vec<&Value<'_>> = match value.get_ref() {
            DeValue::String(_) => vec![value],
            DeValue::Array(items) => items.iter().collect(),
            _ => return self.wrong_none(value, key, wanted),
        };
        let mut names = Vec::with_capacity(items.len());
        for item in items {
            match item.get_ref().as_str() {
                Some(name) => names.push(self.written(item, name.to_owned())),
                None => self.wrong(item, key, wanted),
            }
        }
        Some(self.written(value, names))
    }

    /// `[lake.options]`: object_store's own keys, so any name is taken here.
    fn options(&mut self, lake: &DeTable<'_>) -> Vec<(String, Written<String>)> {
        let Some(value) = lake.get("options") else {
            return Vec::new();
        };
        let Some(table) = value.get_ref().as_table() else {
            self.wrong(value, "options", "a section, [lake.options]");
            return Vec::new();
        };
        let mut options = Vec::with_capacity(table.len());
        for (key, value) in table {
            let text = match value.get_ref() {
                DeValue::String(text) => text.to_string(),
                DeValue::Boolean(flag) => flag.to_string(),
                DeValue::Integer(number) => number.to_string(),
                _ => {
                    self.wrong(value, key.get_ref(), "text in quotes");
                    continue;
                }
            };
            options.push((key.get_ref().to_string(), self.written(value, text)));
        }
        options
    }

    fn refuse_unknown(&mut self, section: &str, table: &DeTable<'_>) {
        let allowed = keys_of(section);
        let place = match section {
            "" => "at the top of the file".to_owned(),
            section => format!("in [{section}]"),
        };
        for key in table.keys() {
            let name: &str = key.get_ref();
            if allowed.contains(&name) {
                continue;
            }
            let line = line_of(self.text, &key.span());
            match home_of(name) {
                // In TOML a key belongs to the last [section] above it: easily overlooked.
                Some(home) => self.problems.at(
                    line,
                    format!("key \"{name}\" does not belong {place}"),
                    match home {
                        "" => "move it to the top of the file, above the first [section]".into(),
                        home => format!("move it into [{home}]"),
                    },
                ),
                None => self
                    .problems
                    .unknown(line, &format!("key {place}:"), name, allowed),
            }
        }
    }

    fn wrong(&mut self, value: &Value<'_>, key: &str, wanted: &str) {
        let found = match value.get_ref() {
            DeValue::String(_) => "text",
            DeValue::Boolean(_) => "true or false",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a section",
            DeValue::Integer(_) | DeValue::Float(_) => "a number",
            DeValue::Datetime(_) => "a date",
        };
        let line = self.line(value);
        self.problems.at(
            line,
            format!("key {} holds {found}", shown(key)),
            format!("write {wanted}"),
        );
    }

    fn wrong_none<T>(&mut self, value: &Value<'_>, key: &str, wanted: &str) -> Option<T> {
        self.wrong(value, key, wanted);
        None
    }

    fn written<T>(&self, at: &Value<'_>, value: T) -> Written<T> {
        let line = self.line(at);
        Written { value, line }
    }

    fn line(&self, value: &Value<'_>) -> usize {
        line_of(self.text, &value.span())
    }
}

fn keys_of(section: &str) -> &'static [&'static str] {
    let found = KEYS.iter().find(|(name, _)| *name == section);
    found.map_or(&[], |(_, keys)| keys)
}

/// The section that takes `key`.
fn home_of(key: &str) -> Option<&'static str> {
    let found = KEYS.iter().find(|(_, keys)| keys.contains(&key));
    found.map(|(name, _)| *name)
}

fn parse_number(value: &DeValue<'_>) -> Option<f64> {
    match value {
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .ok()
            .map(|number| number as f64),
        DeValue::Float(number) => number.as_str().parse().ok(),
        _ => None,
    }
}

fn line_of(text: &str, span: &Range<usize>) -> usize {
    let before = &text.as_bytes()[..span.start.min(text.len())];
    before.iter().filter(|byte| **byte == b'\n').count() + 1
}
