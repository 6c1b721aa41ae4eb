//! Columns that grow row by row and can be cut back, because a record may fail half way.
//!
//! A column may lag behind its parent: a null is not written until a later value or the end asks
//! for it. So an absent object costs nothing, however many columns it has, and cutting back to row
//! `n` needs no marks.

use std::collections::HashMap;
use std::mem;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Int64Array, ListArray, MapArray,
    NullBufferBuilder, StringArray, StructArray, TimestampMicrosecondArray,
};
use arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{Field, Fields};
use arrow::error::ArrowError;
use schemas::Kind;

use super::keys::Keys;
use crate::schema;

pub(super) enum Column {
    Int64(Fixed<i64>),
    Bool(Fixed<bool>),
    Date(Fixed<i32>),
    Timestamp(Fixed<i64>),
    Decimal {
        values: Fixed<i128>,
        precision: u8,
        scale: i8,
    },
    Utf8(Text),
    Json(Text),
    Object(Box<Object>),
    List(Box<List>),
}

impl Column {
    pub(super) fn new(kind: &Kind, path: &str) -> Column {
        match kind {
            Kind::Int64 => Column::Int64(Fixed::default()),
            Kind::Bool => Column::Bool(Fixed::default()),
            Kind::Date => Column::Date(Fixed::default()),
            Kind::Timestamp => Column::Timestamp(Fixed::default()),
            Kind::Decimal { precision, scale } => Column::Decimal {
                values: Fixed::default(),
                precision: *precision,
                scale: *scale,
            },
            Kind::Utf8 => Column::Utf8(Text::default()),
            Kind::Json => Column::Json(Text::default()),
            Kind::Object {
                fields,
                documented,
                custom_fields,
            } => Column::Object(Box::new(Object::new(
                fields,
                documented,
                *custom_fields,
                path.to_owned(),
            ))),
            Kind::List(item) => Column::List(Box::new(List {
                ends: vec![0],
                nulls: NullBufferBuilder::new(0),
                width: width(item),
                items: Column::new(item, path),
                item_field: Arc::new(schema::element(item)),
            })),
        }
    }

    /// Cuts back to the first `rows`; shorter columns stay as they are.
    pub(super) fn truncate(&mut self, rows: usize) {
        match self {
            Column::Int64(column) | Column::Timestamp(column) => column.truncate(rows),
            Column::Bool(column) => column.truncate(rows),
            Column::Date(column) => column.truncate(rows),
            Column::Decimal { values, .. } => values.truncate(rows),
            Column::Utf8(column) | Column::Json(column) => column.truncate(rows),
            Column::Object(object) => object.truncate(rows),
            Column::List(list) => list.truncate(rows),
        }
    }

    /// Takes the first `rows` as an Arrow array; the column is empty afterwards.
    pub(super) fn finish(&mut self, rows: usize) -> Result<ArrayRef, ArrowError> {
        Ok(match self {
            Column::Int64(column) => {
                let (values, nulls) = column.finish(rows);
                Arc::new(Int64Array::try_new(values.into(), nulls)?)
            }
            Column::Bool(column) => {
                let (values, nulls) = column.finish(rows);
                Arc::new(BooleanArray::new(values.into(), nulls))
            }
            Column::Date(column) => {
                let (values, nulls) = column.finish(rows);
                Arc::new(Date32Array::try_new(values.into(), nulls)?)
            }
            Column::Timestamp(column) => {
                let (values, nulls) = column.finish(rows);
                let array = TimestampMicrosecondArray::try_new(values.into(), nulls)?;
                Arc::new(array.with_timezone("UTC"))
            }
            Column::Decimal {
                values,
                precision,
                scale,
            } => {
                let (values, nulls) = values.finish(rows);
                let array = Decimal128Array::try_new(values.into(), nulls)?;
                Arc::new(array.with_precision_and_scale(*precision, *scale)?)
            }
            Column::Utf8(column) | Column::Json(column) => Arc::new(column.finish(rows)?),
            Column::Object(object) => Arc::new(object.finish(rows)?),
            Column::List(list) => Arc::new(list.finish(rows)?),
        })
    }
}

/// How many values one of that kind makes in the columns, those of lists in it left out.
pub(super) fn width(kind: &Kind) -> usize {
    match kind {
        Kind::Object { fields, .. } => {
            1 + fields.iter().map(|field| width(&field.kind)).sum::<usize>()
        }
        _ => 1,
    }
}

/// Values of one width.
pub(super) struct Fixed<T> {
    values: Vec<T>,
    nulls: NullBufferBuilder,
}

impl<T> Default for Fixed<T> {
    fn default() -> Self {
        Fixed {
            values: Vec::new(),
            nulls: NullBufferBuilder::new(0),
        }
    }
}

impl<T: Default + Clone> Fixed<T> {
    #[inline]
    pub(super) fn push(&mut self, row: usize, value: T) {
        self.pad(row);
        self.values.push(value);
        self.nulls.append_non_null();
    }

    pub(super) fn get(&self, row: usize) -> Option<&T> {
        let value = self.values.get(row)?;
        self.nulls.is_valid(row).then_some(value)
    }

    #[inline]
    fn pad(&mut self, rows: usize) {
        let missing = rows - self.values.len();
        if missing > 0 {
            self.values.resize(rows, T::default());
            self.nulls.append_n_nulls(missing);
        }
    }

    fn truncate(&mut self, rows: usize) {
        self.values.truncate(rows);
        self.nulls.truncate(rows.min(self.nulls.len()));
    }

    fn finish(&mut self, rows: usize) -> (Vec<T>, Option<arrow::buffer::NullBuffer>) {
        self.pad(rows);
        let fresh = Vec::with_capacity(self.values.len());
        (mem::replace(&mut self.values, fresh), self.nulls.finish())
    }
}

/// Strings, end to end.
pub(super) struct Text {
    bytes: Vec<u8>,
    ends: Vec<i32>,
    nulls: NullBufferBuilder,
}

impl Default for Text {
    fn default() -> Self {
        Text {
            bytes: Vec::new(),
            ends: vec![0],
            nulls: NullBufferBuilder::new(0),
        }
    }
}

impl Text {
    #[inline]
    pub(super) fn push(&mut self, row: usize, text: &str) {
        self.pad(row);
        self.bytes.extend_from_slice(text.as_bytes());
        // The decoder refuses a page long before two gigabytes stand in one batch.
        self.ends.push(self.bytes.len() as i32);
        self.nulls.append_non_null();
    }

    pub(super) fn get(&self, row: usize) -> Option<&str> {
        let (start, end) = (*self.ends.get(row)?, *self.ends.get(row + 1)?);
        if !self.nulls.is_valid(row) {
            return None;
        }
        std::str::from_utf8(&self.bytes[start as usize..end as usize]).ok()
    }

    #[inline]
    fn pad(&mut self, rows: usize) {
        let missing = rows + 1 - self.ends.len();
        if missing > 0 {
            self.ends.resize(rows + 1, self.bytes.len() as i32);
            self.nulls.append_n_nulls(missing);
        }
    }

    pub(super) fn truncate(&mut self, rows: usize) {
        self.ends.truncate(rows + 1);
        self.bytes.truncate(last(&self.ends));
        self.nulls.truncate(rows.min(self.nulls.len()));
    }

    pub(super) fn finish(&mut self, rows: usize) -> Result<StringArray, ArrowError> {
        self.pad(rows);
        let bytes = Vec::with_capacity(self.bytes.len());
        let bytes = Buffer::from_vec(mem::replace(&mut self.bytes, bytes));
        StringArray::try_new(take_offsets(&mut self.ends), bytes, self.nulls.finish())
    }
}

/// An object: its declared fields, and the keys nobody declared where they are asked for.
pub(super) struct Object {
    pub keys: Keys,
    pub fields: Vec<Column>,
    pub own: Option<OwnKeys>,
    /// One bit a slot of `keys`: what the current object has brought already.
    pub seen: Vec<u64>,
    /// Position of the field that takes a bare number, or a bare string.
    pub id: Option<usize>,
    pub name: Option<usize>,
    /// Dotted path of the object, empty at the top.
    pub path: String,
    rows: usize,
    nulls: NullBufferBuilder,
    arrow_fields: Fields,
}

impl Object {
    pub(super) fn new(
        fields: &[schemas::Field],
        documented: &[String],
        captures: bool,
        path: String,
    ) -> Object {
        let names = || fields.iter().map(|field| field.name.as_str());
        let column = |field: &schemas::Field| Column::new(&field.kind, &join(&path, &field.name));
        Object {
            keys: Keys::new(names(), documented, captures),
            fields: fields.iter().map(column).collect(),
            own: captures.then(OwnKeys::default),
            seen: vec![0; (fields.len() + 2).div_ceil(64)],
            id: names().position(|name| name == "id"),
            name: names().position(|name| name == "name"),
            rows: 0,
            nulls: NullBufferBuilder::new(0),
            arrow_fields: schema::object_fields(fields, captures),
            path,
        }
    }

    /// Begins the object of that row, which is present though perhaps empty.
    #[inline]
    pub(super) fn open(&mut self, row: usize) {
        self.nulls.append_n_nulls(row - self.rows);
        self.nulls.append_non_null();
        self.rows = row + 1;
        self.seen.fill(0);
    }

    pub(super) fn truncate(&mut self, rows: usize) {
        if self.rows <= rows {
            return;
        }
        self.rows = rows;
        self.nulls.truncate(rows);
        for column in &mut self.fields {
            column.truncate(rows);
        }
        if let Some(own) = &mut self.own {
            own.truncate(rows);
        }
    }

    fn finish(&mut self, rows: usize) -> Result<StructArray, ArrowError> {
        let arrays = self.finish_fields(rows)?;
        StructArray::try_new(self.arrow_fields.clone(), arrays, self.nulls.finish())
    }

    /// The arrays of the fields, then of the own keys; for the record itself, which is never null.
    pub(super) fn finish_fields(&mut self, rows: usize) -> Result<Vec<ArrayRef>, ArrowError> {
        self.nulls.append_n_nulls(rows - self.rows);
        self.rows = 0;
        let mut arrays = Vec::with_capacity(self.fields.len() + 1);
        for column in &mut self.fields {
            arrays.push(column.finish(rows)?);
        }
        if let Some(own) = &mut self.own {
            arrays.push(Arc::new(own.finish(rows)?));
        }
        Ok(arrays)
    }

    pub(super) fn drop_nulls(&mut self) {
        self.nulls = NullBufferBuilder::new(0);
    }
}

pub(super) struct List {
    pub items: Column,
    /// Values that each item makes, given or not.
    pub width: usize,
    ends: Vec<i32>,
    nulls: NullBufferBuilder,
    item_field: Arc<Field>,
}

impl List {
    /// Begins the list of that row; gives the position of its first item.
    #[inline]
    pub(super) fn open(&mut self, row: usize) -> usize {
        self.pad(row);
        last(&self.ends)
    }

    /// Ends the list that was opened, its items standing before `end`.
    #[inline]
    pub(super) fn close(&mut self, end: usize) {
        self.ends.push(end as i32);
        self.nulls.append_non_null();
    }

    fn pad(&mut self, rows: usize) {
        let missing = rows + 1 - self.ends.len();
        if missing > 0 {
            self.ends.resize(rows + 1, last(&self.ends) as i32);
            self.nulls.append_n_nulls(missing);
        }
    }

    fn truncate(&mut self, rows: usize) {
        self.ends.truncate(rows + 1);
        self.nulls.truncate(rows.min(self.nulls.len()));
        // Also when no list was cut: one that failed half way has items but no end yet.
        self.items.truncate(last(&self.ends));
    }

    fn finish(&mut self, rows: usize) -> Result<ListArray, ArrowError> {
        self.pad(rows);
        let items = self.items.finish(last(&self.ends))?;
        let offsets = take_offsets(&mut self.ends);
        ListArray::try_new(self.item_field.clone(), offsets, items, self.nulls.finish())
    }
}

/// The keys of one level that nobody declared, with their values as JSON text.
pub(super) struct OwnKeys {
    keys: Text,
    values: Text,
    ends: Vec<i32>,
    nulls: NullBufferBuilder,
    /// Where the keys of the last large row stand, as far as it was looked through.
    index: HashMap<Box<str>, usize>,
    indexed: Range<usize>,
}

/// What came of a key.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Pushed {
    /// It is new, or has the same value as before.
    Fits,
    Differs,
    TooMany,
}

pub(super) const MOST_OWN_KEYS: usize = 10_000;
const FEW_KEYS: usize = 32;

impl Default for OwnKeys {
    fn default() -> Self {
        OwnKeys {
            keys: Text::default(),
            values: Text::default(),
            ends: vec![0],
            nulls: NullBufferBuilder::new(0),
            index: HashMap::new(),
            indexed: 0..0,
        }
    }
}

impl OwnKeys {
    fn forget_index(&mut self) {
        self.index = HashMap::new();
        self.indexed = 0..0;
    }

    /// Makes the map of that row present, if it is not.
    pub(super) fn open(&mut self, row: usize) {
        if self.ends.len() > row + 1 {
            return;
        }
        self.pad(row);
        self.ends.push(last(&self.ends) as i32);
        self.nulls.append_non_null();
    }

    /// Adds a key to the map of that row, unless it has it already.
    pub(super) fn push(&mut self, row: usize, key: &str, value: Option<&str>) -> Pushed {
        self.open(row);
        let (start, end) = (self.ends[row] as usize, self.ends[row + 1] as usize);
        if let Some(entry) = self.entry(start, end, key) {
            return match self.values.get(entry) == value {
                true => Pushed::Fits,
                false => Pushed::Differs,
            };
        }
        if end - start >= MOST_OWN_KEYS {
            return Pushed::TooMany;
        }
        self.keys.push(end, key);
        if let Some(value) = value {
            self.values.push(end, value);
        }
        self.ends[row + 1] += 1;
        Pushed::Fits
    }

    /// Where the key stands among those of a row. Few are looked through, many are looked up.
    fn entry(&mut self, start: usize, end: usize, key: &str) -> Option<usize> {
        if end - start < FEW_KEYS {
            return (start..end).find(|entry| self.keys.get(*entry) == Some(key));
        }
        if self.indexed.start != start || self.indexed.end > end {
            self.index.clear();
            self.indexed = start..start;
        }
        for entry in self.indexed.end..end {
            if let Some(key) = self.keys.get(entry) {
                self.index.insert(key.into(), entry);
            }
        }
        self.indexed.end = end;
        self.index.get(key).copied()
    }

    fn pad(&mut self, rows: usize) {
        let missing = rows + 1 - self.ends.len();
        if missing > 0 {
            self.ends.resize(rows + 1, last(&self.ends) as i32);
            self.nulls.append_n_nulls(missing);
        }
    }

    fn truncate(&mut self, rows: usize) {
        self.ends.truncate(rows + 1);
        self.nulls.truncate(rows.min(self.nulls.len()));
        self.keys.truncate(last(&self.ends));
        self.values.truncate(last(&self.ends));
        self.forget_index();
    }

    fn finish(&mut self, rows: usize) -> Result<MapArray, ArrowError> {
        self.pad(rows);
        self.forget_index();
        let entry_count = last(&self.ends);
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.keys.finish(entry_count)?),
            Arc::new(self.values.finish(entry_count)?),
        ];
        let entries = StructArray::try_new(schema::map_entries(), columns, None)?;
        let offsets = take_offsets(&mut self.ends);
        let field = Arc::new(schema::map_entry_field());
        MapArray::try_new(field, offsets, entries, self.nulls.finish(), false)
    }
}

pub(super) fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

fn last(ends: &[i32]) -> usize {
    ends[ends.len() - 1] as usize
}

fn take_offsets(ends: &mut Vec<i32>) -> OffsetBuffer<i32> {
    let mut fresh = Vec::with_capacity(ends.len());
    fresh.push(0);
    OffsetBuffer::new(ScalarBuffer::from(mem::replace(ends, fresh)))
}
