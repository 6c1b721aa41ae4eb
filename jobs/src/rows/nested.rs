//! Values as JSON: nested ones in a flat format, and decimals without a loss.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, StringArray};
use arrow::datatypes::FieldRef;
use arrow::error::ArrowError;
use arrow::json::writer::{Encoder, EncoderFactory, EncoderOptions, NullableEncoder, make_encoder};
use arrow::util::display::{ArrayFormatter, FormatOptions};

/// A nested column as JSON text, any other as it is.
pub fn text_column<'a>(field: &'a FieldRef, column: &'a ArrayRef) -> Result<ArrayRef, ArrowError> {
    if !column.data_type().is_nested() {
        return Ok(column.clone());
    }
    let options = EncoderOptions::default()
        .with_explicit_nulls(true)
        .with_encoder_factory(Arc::new(ExactDecimals));
    let mut encoder = make_encoder(field, column.as_ref(), &options)?;
    let mut texts: Vec<Option<String>> = Vec::with_capacity(column.len());
    for row in 0..column.len() {
        if encoder.is_null(row) {
            texts.push(None);
            continue;
        }
        let mut text = Vec::new();
        encoder.encode(row, &mut text);
        let text = String::from_utf8(text).expect("JSON of arrow's encoder is UTF-8");
        texts.push(Some(text));
    }
    Ok(Arc::new(StringArray::from(texts)))
}

/// Decimals as JSON strings: most readers of JSON numbers make floats of them and lose cents.
#[derive(Debug)]
pub struct ExactDecimals;

impl EncoderFactory for ExactDecimals {
    fn make_default_encoder<'a>(
        &self,
        _field: &'a FieldRef,
        array: &'a dyn Array,
        _options: &'a EncoderOptions,
    ) -> Result<Option<NullableEncoder<'a>>, ArrowError> {
        if !array.data_type().is_decimal() {
            return Ok(None);
        }
        const OPTIONS: FormatOptions<'static> = FormatOptions::new();
        let texts = ArrayFormatter::try_new(array, &OPTIONS)?;
        let nulls = array.logical_nulls();
        Ok(Some(NullableEncoder::new(Box::new(Quoted(texts)), nulls)))
    }
}

struct Quoted<'a>(ArrayFormatter<'a>);

impl Encoder for Quoted<'_> {
    fn encode(&mut self, index: usize, out: &mut Vec<u8>) {
        let mut text = String::new();
        // Writing to a String never fails, and a decimal holds nothing to escape.
        let _ = write!(text, "\"{}\"", self.0.value(index));
        out.extend_from_slice(text.as_bytes());
    }
}
