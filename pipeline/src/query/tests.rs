//! Listings, time travel and complaints, on a small lake made here.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::util::pretty::pretty_format_batches;
use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use tempfile::TempDir;

use super::*;
use crate::load::{Commit, TableWriter, commit, ensure_table};

/// A lake whose table `unified.items` got one row a commit; version 0 is its creation.
struct Fixture {
    folder: TempDir,
    settings: LakeSettings,
}

fn schema() -> SchemaRef {
    let doc = |text: &str| HashMap::from([("comment".to_string(), text.to_string())]);
    Arc::new(Schema::new(vec![
        Field::new("id", DataType::Int64, false).with_metadata(doc("Its number.")),
        Field::new("vendor_name", DataType::Utf8, true),
    ]))
}

impl Fixture {
    async fn new() -> Fixture {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let settings = LakeSettings {
            url: folder.path().display().to_string(),
            options: BTreeMap::new(),
        };
        let fixture = Fixture { folder, settings };
        for id in 1..=3 {
            fixture.append(id).await;
        }
        for version in 0..=3 {
            fixture.date(version);
        }
        fixture
    }

    async fn append(&self, id: i64) {
        let lake = Lake::open(&self.settings).expect("opens");
        let name = TableName::new("unified", "items");
        let base = ensure_table(&lake, &name, "One row per thing.", &schema(), None)
            .await
            .expect("is made");
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(vec![id])),
            Arc::new(StringArray::from(vec![format!("vendor {id}")])),
        ];
        let batch = RecordBatch::try_new(schema(), columns).expect("equal lengths");
        let mut writer =
            TableWriter::new(&lake, &name, &schema(), None, &format!("f{id}")).expect("a writer");
        writer.write(&batch).await.expect("writes");
        let files = writer.finish().await.expect("ends");
        // The third row replaces the files of those before.
        let remove = match id {
            3 => base.files.iter().map(|file| file.path.clone()).collect(),
            _ => Vec::new(),
        };
        let made = Commit {
            app_id: "test".to_string(),
            sequence: id,
            add: files,
            remove,
            ..Commit::default()
        };
        commit(&base, &made).await.expect("commits");
    }

    fn path(&self, rest: &str) -> std::path::PathBuf {
        self.folder.path().join("unified/items").join(rest)
    }

    /// Version `v` was committed on the day `v + 1` of March 2026, at noon.
    fn date(&self, version: u64) {
        let at: DateTime<Utc> = format!("2026-03-{:02}T12:00:00Z", version + 1)
            .parse()
            .expect("a time");
        let since = Duration::from_secs(u64::try_from(at.timestamp()).expect("after 1970"));
        let file = File::options()
            .write(true)
            .open(self.path(&format!("_delta_log/{version:020}.json")))
            .expect("a commit");
        file.set_modified(SystemTime::UNIX_EPOCH + since)
            .expect("can be dated");
    }

    async fn ids(&self, as_of: Option<&str>) -> Result<Vec<i64>, Error> {
        let question = Question {
            sql: "SELECT id FROM items ORDER BY id".to_string(),
            as_of: as_of.map(|text| text.parse().expect("a moment")),
            values: Vec::new(),
        };
        let stream = query(&self.settings, question).await?;
        let batches: Vec<RecordBatch> = stream.try_collect().await.expect("rows");
        let columns = batches.iter().map(|batch| {
            let ids = batch.column(0).as_any().downcast_ref::<Int64Array>();
            ids.expect("numbers").values().to_vec()
        });
        Ok(columns.flatten().collect())
    }

    async fn complaint(&self, sql: &str) -> String {
        let error = match query(&self.settings, sql).await {
            Ok(_) => panic!("{sql} was taken"),
            Err(error) => error,
        };
        assert_eq!(error.kind, Kind::Invalid, "{sql}");
        let hint = error.hint.map(|hint| format!("\nhint: {hint}"));
        format!("{}{}", error.message, hint.unwrap_or_default())
    }
}

#[tokio::test]
async fn tables_are_as_of_a_version_or_a_moment() {
    let fixture = Fixture::new().await;
    for (as_of, expected) in [
        (None, vec![3]),
        (Some("0"), vec![]),
        (Some("1"), vec![1]),
        (Some("2"), vec![1, 2]),
        (Some("3"), vec![3]),
        (Some("2026-03-02T12:00:00Z"), vec![1]),
        (Some("2026-03-02T11:59:59Z"), vec![]),
        (Some("2026-03-04"), vec![1, 2]),
        (Some("2030-01-01"), vec![3]),
    ] {
        let found = fixture.ids(as_of).await.expect("is there");
        assert_eq!(found, expected, "{as_of:?}");
    }
}

#[tokio::test]
async fn a_version_that_is_not_there_says_why() {
    let fixture = Fixture::new().await;
    let complaint = |as_of: &'static str| {
        let fixture = &fixture;
        async move {
            let error = fixture.ids(Some(as_of)).await.expect_err(as_of);
            assert_eq!(error.kind, Kind::Invalid);
            assert!(error.hint.is_some());
            error.message
        }
    };
    let ahead = "unified.items has no version 9 yet: the newest is 3";
    assert_eq!(complaint("9").await, ahead);
    let before = "unified.items was not there on 2026-03-01T00:00:00Z: \
        its first commit was on 2026-03-01T12:00:00Z";
    assert_eq!(complaint("2026-03-01").await, before);

    // A file that maintenance removed: seen before a row is read.
    let lake = Lake::open(&fixture.settings).expect("opens");
    let name = TableName::new("unified", "items");
    let second = Snapshot::open_as_of(&lake, &name, AsOf::Version(2)).await;
    let second = second.expect("readable").expect("there");
    std::fs::remove_file(fixture.path(&second.files[0].path)).expect("removed");
    let gone = "unified.items as of version 2 is gone: what it was made of has been tidied away";
    assert_eq!(complaint("2").await, gone);
    assert_eq!(fixture.ids(Some("3")).await.expect("is there"), [3]);
}

#[tokio::test]
async fn one_version_is_not_for_several_tables() {
    let fixture = Fixture::new().await;
    let question = Question {
        sql: "SELECT 1 FROM items JOIN coupa.items c ON c.id = items.id".to_string(),
        as_of: Some(AsOf::Version(1)),
        values: Vec::new(),
    };
    let error = query(&fixture.settings, question)
        .await
        .err()
        .expect("refused");
    assert!(error.message.contains("reads several"), "{}", error.message);
}

#[tokio::test]
async fn complaints_point_at_the_place_and_name_near_names() {
    let fixture = Fixture::new().await;
    for (sql, expected) in [
        (
            "SELECT id,\n  vendor_nam FROM unified.items",
            "there is no column `vendor_nam`, in line 2, column 3:\n  vendor_nam FROM unified.items\n  ^^^^^^^^^^\n\
             hint: did you mean unified.items.vendor_name?",
        ),
        (
            "SELECT i.total FROM items i",
            "there is no column `i.total`, in line 1, column 8:\nSELECT i.total FROM items i\n       ^^^^^^^\n\
             hint: there are i.id, i.vendor_name",
        ),
        (
            "SELECT id FROM unified.itms",
            "there is no table unified.itms in the lake, in line 1, column 24:\nSELECT id FROM unified.itms\n                       ^^^^\n\
             hint: did you mean unified.items?",
        ),
        (
            "SELECT id FROM report.items",
            "there is no table report.items in the lake, in line 1, column 23:\nSELECT id FROM report.items\n                      ^^^^^\n\
             hint: did you mean unified.items?",
        ),
        (
            "SELECT id FORM items",
            "Expected: end of statement, found: items, in line 1, column 16:\nSELECT id FORM items\n               ^^^^^",
        ),
        (
            "SELECT coalese(id, 1) FROM items",
            "Invalid function 'coalese', in line 1, column 8:\nSELECT coalese(id, 1) FROM items\n       ^^^^^^^\n\
             hint: Did you mean 'coalesce'?",
        ),
        (
            "SELECT 1 FROM secret.items",
            "there is no layer `secret` in the lake\n\
             hint: name a table of one of these: coupa, unified, report, quarantine",
        ),
    ] {
        assert_eq!(fixture.complaint(sql).await, expected, "{sql}");
    }
    let refused = fixture.complaint("DROP TABLE items").await;
    assert!(refused.contains("DDL not supported"), "{refused}");
}

#[tokio::test]
async fn values_are_bound_and_never_read_as_sql() {
    let fixture = Fixture::new().await;
    let ask = |value: &str| {
        let question = Question {
            sql: "SELECT id, $name AS name, $day AS day, $amount AS amount FROM items \
                  WHERE vendor_name = $name OR $name = 'x'' OR ''1''=''1'"
                .to_string(),
            as_of: None,
            values: vec![
                ("name".to_string(), Value::Text(Some(value.to_string()))),
                (
                    "day".to_string(),
                    Value::Date(Some("2026-03-01".to_string())),
                ),
                (
                    "amount".to_string(),
                    Value::Decimal(Some("0.1".to_string())),
                ),
            ],
        };
        let settings = &fixture.settings;
        async move {
            let stream = query(settings, question).await.expect("plans");
            let rows: Vec<RecordBatch> = stream.try_collect().await.expect("rows");
            pretty_format_batches(&rows).expect("text").to_string()
        }
    };
    let found = ask("vendor 3").await;
    assert!(
        found.contains("| 3  | vendor 3 | 2026-03-01 | 0.100000000 |"),
        "{found}"
    );
    assert!(!ask("' OR 1=1 --").await.contains("| 3 "));
    assert!(ask("x' OR '1'='1").await.contains("| 3 "));
}

#[tokio::test]
async fn listings_carry_documentation() {
    let fixture = Fixture::new().await;
    let listed = list_tables(&fixture.settings).await.expect("lists");
    let [items] = &listed[..] else {
        panic!("{listed:?}")
    };
    assert_eq!(items.name.to_string(), "unified.items");
    assert_eq!((items.row_count, items.version), (1, 3));
    assert_eq!(items.doc, "One row per thing.");
    let described = describe(&fixture.settings, "items", None)
        .await
        .expect("is there");
    assert_eq!(&described, items);
    let columns: Vec<_> = described
        .columns
        .iter()
        .map(|c| (c.name.as_str(), c.kind.as_str(), c.null, c.doc.as_str()))
        .collect();
    let expected = [
        ("id", "int64", false, "Its number."),
        ("vendor_name", "utf8", true, ""),
    ];
    assert_eq!(columns, expected);
    let error = describe(&fixture.settings, "unified.itemz", None)
        .await
        .expect_err("none");
    assert_eq!(error.hint.as_deref(), Some("did you mean unified.items?"));
}
