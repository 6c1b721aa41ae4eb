//! One record's JSON into the columns: the definition leads, the text follows.
//!
//! A scalar is taken as its text and read by `scalar`, so that no number passes through a float.
//! The first misfit ends the walk; whoever called cuts the columns back.

use super::Reason;
use super::column::{Column, List, MOST_OWN_KEYS, Object, Pushed, join};
use super::cursor::{Cursor, DEPTH_LIMIT, Quoted, Stuck, Token};
use super::keys::{Found, OTHER, Target, normalise};
use super::scalar;

/// Reads the record that begins at `at` of `text` into that row; gives where it ends.
pub(super) fn decode(
    root: &mut Object,
    row: usize,
    (text, at): (&str, usize),
    walk: &mut Walk,
) -> Result<usize, Fault> {
    walk.fault = None;
    walk.values = 0;
    walk.repeats = 0;
    walk.path.clear();
    let mut reader = Reader {
        cursor: Cursor::guarded(text, at),
        walk,
    };
    let read = reader.record(root, row);
    let end = reader.cursor.at;
    read.map(|()| end).map_err(|Refused| {
        let (reason, detail) = walk.fault.take().expect("whoever refuses says why");
        walk.path.reverse();
        let mut field = walk.path.join(".");
        field.truncate(field.floor_char_boundary(FIELD_LIMIT));
        Fault {
            field,
            reason,
            detail,
        }
    })
}

/// Why a record does not fit, and where.
pub(super) struct Fault {
    pub field: String,
    pub reason: Reason,
    pub detail: String,
}

impl Fault {
    pub(super) fn syntax() -> Fault {
        Fault {
            field: String::new(),
            reason: Reason::Syntax,
            detail: NOT_JSON.to_owned(),
        }
    }

    pub(super) fn encoding() -> Fault {
        Fault {
            field: String::new(),
            reason: Reason::Encoding,
            detail: "bytes that are not UTF-8".to_owned(),
        }
    }
}

/// A key may be as long as a record.
const FIELD_LIMIT: usize = 200;
/// Values that the lists of one record may make: 10,000 lines of an invoice are a tenth of it.
const RECORD_VALUES: usize = 8 << 20;
/// Each one is looked for from the beginning.
const MOST_REPEATS: u32 = 8;
const NOT_JSON: &str = "the record is not well-formed JSON";

/// What the walk through records gathers.
#[derive(Default)]
pub(super) struct Walk {
    /// Values whose digits did not all fit.
    pub rounded: u64,
    /// Paths of keys seen for the first time that nobody declared.
    pub fresh_keys: Vec<String>,
    /// Values that the lists of the record make.
    pub values: usize,
    /// Keys of the record that stand twice.
    repeats: u32,
    fault: Option<(Reason, String)>,
    /// Innermost first.
    path: Vec<String>,
}

/// The reason stands in the walk.
struct Refused;

struct Reader<'a, 'w> {
    cursor: Cursor<'a>,
    walk: &'w mut Walk,
}

impl<'a> Reader<'a, '_> {
    #[cold]
    fn misfit<T>(&mut self, reason: Reason, detail: String) -> Result<T, Refused> {
        self.walk.fault = Some((reason, detail));
        Err(Refused)
    }

    #[cold]
    fn wrong<T>(&mut self, wanted: &str, found: Token) -> Result<T, Refused> {
        if found == Token::End {
            return self.stuck(Stuck::Syntax);
        }
        let detail = format!("expected {wanted}, found {}", found_word(found));
        self.misfit(Reason::WrongType, detail)
    }

    #[cold]
    fn stuck<T>(&mut self, stuck: Stuck) -> Result<T, Refused> {
        match stuck {
            Stuck::Syntax => self.misfit(Reason::Syntax, NOT_JSON.to_owned()),
            Stuck::NoCharacter => self.no_character(),
            Stuck::Secret => self.secret(),
            Stuck::TooDeep => {
                let detail = format!("nested more than {DEPTH_LIMIT} deep");
                self.misfit(Reason::TooDeep, detail)
            }
        }
    }

    #[inline]
    fn ok<T>(&mut self, token: Result<T, Stuck>) -> Result<T, Refused> {
        match token {
            Ok(token) => Ok(token),
            Err(stuck) => self.stuck(stuck),
        }
    }

    #[cold]
    fn duplicate<T>(&mut self) -> Result<T, Refused> {
        self.misfit(Reason::DuplicateKey, "the key stands twice".to_owned())
    }

    /// No misfit, if the record can be cleaned: whoever called does that first.
    #[cold]
    fn secret<T>(&mut self) -> Result<T, Refused> {
        self.misfit(Reason::Syntax, "a secret could not be taken out".to_owned())
    }

    fn record(&mut self, root: &mut Object, row: usize) -> Result<(), Refused> {
        match self.cursor.token() {
            Token::Object => self.object(root, row, 0),
            Token::End => self.stuck(Stuck::Syntax),
            token => {
                let detail = format!("expected a record, found {}", found_word(token));
                self.misfit(Reason::NotARecord, detail)
            }
        }
    }

    fn object(&mut self, object: &mut Object, row: usize, depth: usize) -> Result<(), Refused> {
        let start = self.cursor.at;
        let entered = self.cursor.enter(depth);
        self.ok(entered)?;
        object.open(row);
        let mut previous = OTHER;
        let mut more = !self.cursor.take(b'}');
        while more {
            let found = self.key(object, previous)?;
            previous = found.slot;
            if let Err(refused) = self.member(object, row, &found, (start, depth + 1)) {
                self.walk.path.push(object.keys.name(found.slot).to_owned());
                return Err(refused);
            }
            let another = self.cursor.another(b'}');
            more = self.ok(another)?;
        }
        Ok(())
    }

    #[inline]
    fn key(&mut self, object: &mut Object, previous: usize) -> Result<Found, Refused> {
        let guess = object.keys.guess(previous);
        if self.cursor.peek() == b'"' && self.cursor.take_quoted(object.keys.spelling(guess)) {
            let colon = self.cursor.colon();
            self.ok(colon)?;
            return Ok(object.keys.found(guess));
        }
        let key = self.cursor.key();
        let key = self.ok(key)?;
        let Some(name) = key.unescaped() else {
            return self.no_character();
        };
        Ok(object.keys.find(previous, &name, key.escaped))
    }

    fn member(
        &mut self,
        object: &mut Object,
        row: usize,
        found: &Found,
        (start, depth): (usize, usize),
    ) -> Result<(), Refused> {
        match found.target {
            Target::Field(_) | Target::CustomFields if already_seen(object, found.slot) => {
                self.repeated(object.keys.name(found.slot), start, depth)
            }
            Target::Field(position) => self.value(&mut object.fields[position], row, depth),
            Target::Skip => {
                let skipped = self.cursor.skip(depth);
                self.ok(skipped).map(drop)
            }
            Target::Secret => self.secret(),
            Target::CustomFields => self.own_keys(object, row, depth),
            Target::Custom => {
                let name = object.keys.name(found.slot);
                if found.fresh {
                    self.walk.fresh_keys.push(join(&object.path, name));
                }
                let value = self.cursor.skip(depth);
                let value = self.ok(value)?;
                let own = object
                    .own
                    .as_mut()
                    .expect("only a level that captures has such keys");
                let pushed = own.push(row, name, present(value));
                self.pushed(pushed)
            }
        }
    }

    #[inline]
    fn pushed(&mut self, pushed: Pushed) -> Result<(), Refused> {
        match pushed {
            Pushed::Fits => Ok(()),
            Pushed::Differs => self.duplicate(),
            Pushed::TooMany => {
                let detail = format!("more than {MOST_OWN_KEYS} keys that nobody declared");
                self.misfit(Reason::TooLarge, detail)
            }
        }
    }

    /// A key that stands twice fits if it says the same both times.
    #[cold]
    fn repeated(&mut self, name: &str, start: usize, depth: usize) -> Result<(), Refused> {
        self.walk.repeats += 1;
        if self.walk.repeats > MOST_REPEATS {
            return self.duplicate();
        }
        let value = self.cursor.skip(depth);
        let value = self.ok(value)?;
        let mut earlier = self.cursor.clone();
        earlier.at = start + 1;
        let mut spelling = String::new();
        while let (Ok(key), Ok(first)) = (earlier.key(), earlier.skip(depth)) {
            if let Some(key) = key.unescaped() {
                normalise(&key, &mut spelling);
                if spelling == name {
                    return if first == value {
                        Ok(())
                    } else {
                        self.duplicate()
                    };
                }
            }
            if earlier.another(b'}') != Ok(true) {
                break;
            }
        }
        self.duplicate()
    }

    /// Another item of a list: what it makes in the columns, though it may be but two brackets.
    #[inline]
    fn count(&mut self, width: usize) -> Result<(), Refused> {
        self.walk.values += width;
        if self.walk.values > RECORD_VALUES {
            let detail = format!("more than {RECORD_VALUES} values");
            return self.misfit(Reason::TooLarge, detail);
        }
        Ok(())
    }

    /// The object `custom-fields`, each member an entry of the map.
    fn own_keys(&mut self, object: &mut Object, row: usize, depth: usize) -> Result<(), Refused> {
        let own = object
            .own
            .as_mut()
            .expect("only a level that captures has custom fields");
        let token = self.cursor.token();
        match token {
            Token::Object => {}
            Token::Null | Token::String | Token::List => {
                // Some serialisers write an empty map as an empty list.
                let value = self.cursor.skip(depth);
                let value = self.ok(value)?;
                let empty =
                    token == Token::Null || value == "\"\"" || value[1..].trim_start() == "]";
                return if empty {
                    Ok(())
                } else {
                    self.wrong("an object", token)
                };
            }
            _ => return self.wrong("an object", token),
        }
        let entered = self.cursor.enter(depth);
        self.ok(entered)?;
        own.open(row);
        let mut name = String::new();
        let mut more = !self.cursor.take(b'}');
        while more {
            let key = self.cursor.key();
            let key = self.ok(key)?;
            if key.names_secret() {
                return self.secret();
            }
            let Some(key) = key.unescaped() else {
                return self.no_character();
            };
            normalise(&key, &mut name);
            let value = self.cursor.skip(depth + 1);
            let value = self.ok(value)?;
            let pushed = own.push(row, &name, present(value));
            if let Err(refused) = self.pushed(pushed) {
                self.walk.path.push(name);
                return Err(refused);
            }
            let another = self.cursor.another(b'}');
            more = self.ok(another)?;
        }
        Ok(())
    }

    #[inline]
    fn value(&mut self, column: &mut Column, row: usize, depth: usize) -> Result<(), Refused> {
        match column {
            Column::Object(object) => self.reference(object, row, depth),
            Column::List(list) => self.list(list, row, depth),
            leaf => self.leaf(leaf, row, depth),
        }
    }

    /// An object, or the number or the name that stands for it.
    fn reference(&mut self, object: &mut Object, row: usize, depth: usize) -> Result<(), Refused> {
        let token = self.cursor.token();
        match token {
            Token::Object => self.object(object, row, depth),
            Token::Null => self.null(),
            Token::Number => {
                let number = self.cursor.number();
                let number = self.ok(number)?;
                let whole = !number.contains(['.', 'e', 'E']);
                let Some(child) = object.id.filter(|_| whole) else {
                    return self.wrong("an object", token);
                };
                object.open(row);
                self.text(&mut object.fields[child], row, number)
            }
            Token::String => {
                let quoted = self.cursor.clone().skip(depth);
                let text = self.string()?;
                if text.is_empty() {
                    return Ok(());
                }
                let Some(child) = object.name else {
                    return self.wrong("an object", token);
                };
                object.open(row);
                match (&mut object.fields[child], quoted) {
                    (Column::Json(texts), Ok(quoted)) => {
                        texts.push(row, quoted);
                        Ok(())
                    }
                    (column, _) => self.text(column, row, &text),
                }
            }
            _ => self.wrong("an object", token),
        }
    }

    fn list(&mut self, list: &mut List, row: usize, depth: usize) -> Result<(), Refused> {
        let token = self.cursor.token();
        match (token, &mut list.items) {
            (Token::List, _) => {
                let entered = self.cursor.enter(depth);
                self.ok(entered)?;
                let mut item = list.open(row);
                let mut more = !self.cursor.take(b']');
                while more {
                    self.count(list.width)?;
                    self.value(&mut list.items, item, depth + 1)?;
                    item += 1;
                    let another = self.cursor.another(b']');
                    more = self.ok(another)?;
                }
                list.close(item);
                Ok(())
            }
            // One object where a list is declared: a list of one, as XML turned into JSON has it.
            (Token::Object, Column::Object(_)) => {
                self.count(list.width)?;
                let item = list.open(row);
                self.value(&mut list.items, item, depth)?;
                list.close(item + 1);
                Ok(())
            }
            (Token::Null, _) => self.null(),
            (Token::String, _) if self.string()?.is_empty() => Ok(()),
            _ => self.wrong("a list", token),
        }
    }

    /// A scalar. A null appends nothing: the column lags.
    #[inline]
    fn leaf(&mut self, column: &mut Column, row: usize, depth: usize) -> Result<(), Refused> {
        let token = self.cursor.token();
        if let Column::Json(texts) = column {
            let value = self.cursor.skip(depth);
            let value = self.ok(value)?;
            if token != Token::Null {
                texts.push(row, value);
            }
            return Ok(());
        }
        match (token, &mut *column) {
            (Token::String, _) => {
                let text = self.cursor.string();
                let text: Quoted<'_> = self.ok(text)?;
                if !text.escaped {
                    return self.text(column, row, text.inner);
                }
                match text.unescaped() {
                    Some(text) => self.text(column, row, &text),
                    None => self.no_character(),
                }
            }
            (Token::Null, _) => self.null(),
            (Token::Number, Column::Int64(_) | Column::Decimal { .. } | Column::Utf8(_)) => {
                let number = self.cursor.number();
                let number = self.ok(number)?;
                self.text(column, row, number)
            }
            (Token::True | Token::False, Column::Bool(_) | Column::Utf8(_)) => {
                let word = if token == Token::True {
                    "true"
                } else {
                    "false"
                };
                let read = self.cursor.word(word);
                self.ok(read)?;
                self.text(column, row, word)
            }
            _ => self.wrong(&word(column), token),
        }
    }

    fn null(&mut self) -> Result<(), Refused> {
        let read = self.cursor.word("null");
        self.ok(read)
    }

    fn string(&mut self) -> Result<std::borrow::Cow<'a, str>, Refused> {
        let text = self.cursor.string();
        match self.ok(text)?.unescaped() {
            Some(text) => Ok(text),
            None => self.no_character(),
        }
    }

    #[cold]
    fn no_character<T>(&mut self) -> Result<T, Refused> {
        self.misfit(
            Reason::Encoding,
            "a \\u escape that is no character".to_owned(),
        )
    }

    /// The text of a string, a number or a boolean; an empty string is null, except as text.
    #[inline]
    fn text(&mut self, column: &mut Column, row: usize, text: &str) -> Result<(), Refused> {
        let bytes = text.as_bytes();
        let fits = match column {
            Column::Utf8(texts) | Column::Json(texts) => {
                texts.push(row, text);
                return Ok(());
            }
            _ if bytes.is_empty() => return Ok(()),
            Column::Decimal {
                values,
                precision,
                scale,
            } => scalar::decimal(bytes, *precision, *scale).map(|(value, lost)| {
                self.walk.rounded += u64::from(lost);
                values.push(row, value);
            }),
            Column::Timestamp(values) => {
                scalar::timestamp(bytes).map(|micros| values.push(row, micros))
            }
            Column::Date(values) => scalar::date(bytes).map(|days| values.push(row, days)),
            Column::Int64(values) => scalar::integer(bytes).map(|value| values.push(row, value)),
            Column::Bool(values) => text.parse().ok().map(|truth| values.push(row, truth)),
            Column::Object(_) | Column::List(_) => None,
        };
        match fits {
            Some(()) => Ok(()),
            None => self.unfit(column, bytes),
        }
    }

    #[cold]
    fn unfit(&mut self, column: &Column, text: &[u8]) -> Result<(), Refused> {
        let wanted = word(column);
        let numeric = matches!(column, Column::Decimal { .. } | Column::Int64(_));
        if numeric && scalar::is_number(text) {
            return self.misfit(
                Reason::OutOfRange,
                format!("the number does not fit {wanted}"),
            );
        }
        self.misfit(
            Reason::WrongType,
            format!("expected {wanted}, found another text"),
        )
    }
}

#[inline]
fn already_seen(object: &mut Object, slot: usize) -> bool {
    let (word, bit) = (&mut object.seen[slot / 64], 1_u64 << (slot % 64));
    let seen = *word & bit != 0;
    *word |= bit;
    seen
}

fn present(text: &str) -> Option<&str> {
    (text != "null").then_some(text)
}

fn found_word(token: Token) -> &'static str {
    match token {
        Token::Object => "an object",
        Token::List => "a list",
        Token::String => "a string",
        Token::Number => "a number",
        Token::True | Token::False => "a boolean",
        Token::Null => "null",
        Token::End => "nothing",
    }
}

fn word(column: &Column) -> String {
    match column {
        Column::Int64(_) => "int64".to_owned(),
        Column::Bool(_) => "bool".to_owned(),
        Column::Date(_) => "date".to_owned(),
        Column::Timestamp(_) => "timestamp".to_owned(),
        Column::Decimal {
            precision, scale, ..
        } => format!("decimal({precision}, {scale})"),
        Column::Utf8(_) => "utf8".to_owned(),
        Column::Json(_) => "json".to_owned(),
        Column::Object(_) => "an object".to_owned(),
        Column::List(_) => "a list".to_owned(),
    }
}
