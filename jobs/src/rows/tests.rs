//! Every format, and what is not left behind.

use arrow::array::{Array, ArrayRef, Decimal128Array, Int64Array, StringArray, StructArray};
use arrow::datatypes::Field;

use super::*;

/// Two rows: an id, an amount, a text and a nested amount; the second row is all null.
fn batch(text: &str) -> RecordBatch {
    let amount = |value: i128| {
        Decimal128Array::from(vec![Some(value), None])
            .with_precision_and_scale(38, 9)
            .expect("fits")
    };
    let inner: ArrayRef = Arc::new(amount(500_000_000));
    let field = Arc::new(Field::new("tax", inner.data_type().clone(), true));
    let nested = StructArray::new(
        vec![field].into(),
        vec![inner],
        Some(vec![true, false].into()),
    );
    let columns: [(&str, ArrayRef); 4] = [
        ("id", Arc::new(Int64Array::from(vec![Some(7), None]))),
        (
            "amount",
            Arc::new(amount(-1_234_567_890_123_456_789_500_000_000)),
        ),
        ("text", Arc::new(StringArray::from(vec![Some(text), None]))),
        ("nested", Arc::new(nested)),
    ];
    RecordBatch::try_from_iter(columns).expect("equal lengths")
}

fn written(format: Format, batches: &[RecordBatch]) -> String {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("rows");
    let schema = batch("").schema();
    let mut rows = Rows::open(Target::file(&path), format, &schema).expect("opens");
    for batch in batches {
        assert!(rows.write(batch).expect("writes"));
    }
    rows.finish().expect("ends");
    assert_eq!(
        std::fs::read_dir(folder.path()).expect("a folder").count(),
        1
    );
    std::fs::read_to_string(path).expect("text")
}

#[test]
fn json_keeps_amounts_exact_and_nulls_visible() {
    let expected = r#"[{"id":7,"amount":"-1234567890123456789.500000000","text":"a","nested":{"tax":"0.500000000"}},{"id":null,"amount":null,"text":null,"nested":null}]"#;
    assert_eq!(written(Format::Json, &[batch("a")]), expected);
    assert_eq!(written(Format::Json, &[]), "[]");
}

#[test]
fn csv_quotes_what_needs_it() {
    let expected = "id,amount,text,nested\n\
        7,-1234567890123456789.500000000,\"a \"\"b\"\", c\",\"{\"\"tax\"\":\"\"0.500000000\"\"}\"\n\
        ,,,\n";
    assert_eq!(written(Format::Csv, &[batch("a \"b\", c")]), expected);
    assert_eq!(written(Format::Csv, &[]), "id,amount,text,nested\n");
}

#[test]
fn csv_may_disarm_formulas() {
    let written = |text: &str| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("rows");
        let batch = batch(text);
        let target = Target::file(&path).escaping_formulas(true);
        let mut rows = Rows::open(target, Format::Csv, &batch.schema()).expect("opens");
        rows.write(&batch).expect("writes");
        rows.finish().expect("ends");
        std::fs::read_to_string(path).expect("text")
    };
    for formula in [
        "=1+1",
        "@SUM(A1)",
        "+cmd|' /C calc'!A0",
        "-2+3",
        "\tx",
        "＝1",
    ] {
        assert!(
            written(formula).contains(&format!("'{formula}")),
            "{formula}"
        );
    }
    // Amounts stay numbers, and so do texts that are.
    let plain = written("-12.5");
    assert!(
        plain.contains("7,-1234567890123456789.500000000,-12.5,"),
        "{plain}"
    );
}

#[test]
fn a_table_is_for_people() {
    let table = written(Format::Table, &[batch("a\u{1b}[2J\nb")]);
    assert!(
        table.contains("-1234567890123456789.50   a [2J b"),
        "{table}"
    );
    let empty = written(Format::Table, &[]);
    assert!(empty.contains("amount"), "{empty}");
}

#[test]
fn a_file_that_is_not_complete_is_not_left_behind() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let target = Target::file(&folder.path().join("rows.parquet"));
    let mut rows = Rows::open(target, Format::Parquet, &batch("").schema()).expect("opens");
    rows.write(&batch("a")).expect("writes");
    drop(rows);
    assert_eq!(
        std::fs::read_dir(folder.path()).expect("a folder").count(),
        0
    );
}
