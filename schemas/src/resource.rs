//! A Coupa resource: where it is read, and the shape of its JSON.

use std::collections::BTreeMap;

use crate::document::{self, Entries, Entry, Node, is_snake_case};
use crate::error::{Fault, unknown};

/// One collection of the Coupa API, as `coupa/<name>.toml` describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// The file's stem, which is also the endpoint's and the table's name: `purchase_orders`.
    pub name: String,
    /// The comment the file begins with.
    pub doc: String,
    /// Path on the Coupa host: `/api/purchase_orders`.
    pub path: String,
    /// OAuth scope a client needs to read it: `core.purchase_order.read`.
    pub scope: String,
    /// The field that names a record, unique within the resource.
    pub key: String,
    /// The field that moves when a record changes; `None`: read whole, and compared with what is stored.
    pub watermark: Option<String>,
    /// Fixed query parameters of every read.
    pub query: BTreeMap<String, String>,
    /// The record's fields in file order. The top level always captures custom fields, so none is
    /// named `custom_fields`.
    pub fields: Vec<Field>,
    /// Keys in snake case that Coupa documents at the top level and we do not take: not custom fields.
    pub documented: Vec<String>,
    /// `<name>.sample.json`: a JSON array of at least two invented records, as Coupa would answer.
    pub sample: String,
}

/// A field of a record or of an object inside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// In snake case; Coupa's own spelling has dashes.
    pub name: String,
    pub kind: Kind,
}

/// What a field holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    Int64,
    Utf8,
    Bool,
    /// The day as written, in no time zone.
    Date,
    /// Microseconds, UTC.
    Timestamp,
    Decimal {
        precision: u8,
        scale: i8,
    },
    /// Any JSON value, kept as its text.
    Json,
    Object {
        fields: Vec<Field>,
        /// Keys in snake case that Coupa documents on this level and we do not take.
        documented: Vec<String>,
        /// Whether the level keeps the keys of the customer's own in a map named `custom_fields`.
        custom_fields: bool,
    },
    List(Box<Kind>),
}

const KEYS: [&str; 7] = [
    "path",
    "scope",
    "key",
    "watermark",
    "query",
    "documented",
    "fields",
];
const WORDS: [&str; 7] = [
    "int64",
    "utf8",
    "bool",
    "date",
    "timestamp",
    "json",
    "decimal(38, 9)",
];

impl Resource {
    /// The top-level field of that name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

pub(crate) fn read(name: &str, text: &str, sample: String) -> Result<Resource, Fault> {
    let root = document::parse(text)?;
    root.only(&KEYS)?;
    let resource = Resource {
        name: name.to_owned(),
        doc: document::leading_comment(text, "#"),
        path: root.need_text("path")?,
        scope: root.need_text("scope")?,
        key: root.need_text("key")?,
        watermark: root.text("watermark")?,
        query: read_query(&root)?,
        fields: read_record(root.need("fields")?)?,
        documented: root.texts("documented")?,
        sample,
    };
    check(&resource, &root)?;
    Ok(resource)
}

fn check(resource: &Resource, root: &Entries) -> Result<(), Fault> {
    if resource.doc.is_empty() {
        return Err(Fault::at(
            1,
            "the file begins with a comment that says what it holds",
        ));
    }
    if !resource.path.starts_with("/api/") {
        return Err(Fault::at(
            root.need("path")?.line,
            "path begins with \"/api/\"",
        ));
    }
    let key = root.need("key")?;
    match field_named(resource, key)?.kind {
        Kind::Int64 | Kind::Utf8 => {}
        _ => return Err(Fault::at(key.line, "the key is an int64 or utf8 field")),
    }
    if let Some(watermark) = root.get("watermark")
        && field_named(resource, watermark)?.kind != Kind::Timestamp
    {
        return Err(Fault::at(
            watermark.line,
            "the watermark is a timestamp field",
        ));
    }
    if let Some(documented) = root.get("documented") {
        check_documented(&resource.fields, documented)?;
    }
    Ok(())
}

fn field_named<'a>(resource: &'a Resource, node: &Node) -> Result<&'a Field, Fault> {
    let name = node.text()?;
    resource.field(name).ok_or_else(|| {
        let names = resource.fields.iter().map(|field| field.name.as_str());
        Fault::at(node.line, unknown("field", name, names))
    })
}

/// A key that is both declared and documented-but-left-out would leave in doubt what becomes of it.
fn check_documented(fields: &[Field], documented: &Node) -> Result<(), Fault> {
    for node in documented.list()? {
        let name = node.text()?;
        if fields.iter().any(|field| field.name == name) {
            return Err(Fault::at(
                node.line,
                format!("\"{name}\" is declared as a field, so it is not left out"),
            ));
        }
    }
    Ok(())
}

fn read_query(root: &Entries) -> Result<BTreeMap<String, String>, Fault> {
    let Some(query) = root.get("query") else {
        return Ok(BTreeMap::new());
    };
    let pair = |entry: &Entry| Ok((entry.key.clone(), entry.node.text()?.to_owned()));
    query.table()?.iter().map(pair).collect()
}

fn read_record(node: &Node) -> Result<Vec<Field>, Fault> {
    let entries = node.table()?;
    if let Some(entry) = entries.iter().find(|entry| entry.key == "custom_fields") {
        return Err(Fault::at(
            entry.line,
            "a record always keeps its custom fields, leave \"custom_fields\" out here",
        ));
    }
    read_fields(node.line, entries)
}

fn read_fields(line: usize, entries: &Entries) -> Result<Vec<Field>, Fault> {
    let declared = entries
        .iter()
        .filter(|entry| !is_setting(&entry.key))
        .map(read_field)
        .collect::<Result<Vec<_>, _>>()?;
    if declared.is_empty() {
        return Err(Fault::at(line, "at least one field is needed"));
    }
    Ok(declared)
}

fn is_setting(key: &str) -> bool {
    key == "documented" || key == "custom_fields"
}

fn read_field(entry: &Entry) -> Result<Field, Fault> {
    if !is_snake_case(&entry.key) {
        return Err(Fault::at(
            entry.line,
            format!("field \"{}\" is not in snake case", entry.key),
        ));
    }
    Ok(Field {
        name: entry.key.clone(),
        kind: read_kind(&entry.node)?,
    })
}

fn read_kind(node: &Node) -> Result<Kind, Fault> {
    if let Some(word) = node.as_text() {
        return leaf(word).ok_or_else(|| Fault::at(node.line, unknown("type", word, WORDS)));
    }
    if let Some(entries) = node.as_table() {
        return read_object(node.line, entries);
    }
    match node.as_list() {
        Some([item]) => Ok(Kind::List(Box::new(read_kind(item)?))),
        Some(_) => Err(Fault::at(
            node.line,
            "a list gives the shape of one item, no more and no less",
        )),
        None => Err(node.wanted("a type")),
    }
}

fn read_object(line: usize, entries: &Entries) -> Result<Kind, Fault> {
    let fields = read_fields(line, entries)?;
    let custom_fields = match entries.get("custom_fields") {
        None => false,
        Some(node) if node.as_text() == Some("map") => true,
        Some(node) => return Err(Fault::at(node.line, "custom_fields is \"map\" or left out")),
    };
    if let Some(documented) = entries.get("documented") {
        check_documented(&fields, documented)?;
        if !custom_fields {
            return Err(Fault::at(
                documented.line,
                "\"documented\" has a use only beside custom_fields = \"map\"",
            ));
        }
    }
    Ok(Kind::Object {
        fields,
        documented: entries.texts("documented")?,
        custom_fields,
    })
}

fn leaf(word: &str) -> Option<Kind> {
    Some(match word {
        "int64" => Kind::Int64,
        "utf8" => Kind::Utf8,
        "bool" => Kind::Bool,
        "date" => Kind::Date,
        "timestamp" => Kind::Timestamp,
        "json" => Kind::Json,
        _ => {
            let (precision, scale) = decimal(word)?;
            Kind::Decimal { precision, scale }
        }
    })
}

/// Precision and scale of `decimal(p, s)`, within what 128 bits hold.
pub(crate) fn decimal(word: &str) -> Option<(u8, i8)> {
    let inner = word.strip_prefix("decimal(")?.strip_suffix(')')?;
    let (precision, scale) = inner.split_once(',')?;
    let precision: u8 = precision.trim().parse().ok()?;
    let scale: i8 = scale.trim().parse().ok()?;
    let fits = (1..=38).contains(&precision) && scale >= 0 && scale.unsigned_abs() <= precision;
    fits.then_some((precision, scale))
}
