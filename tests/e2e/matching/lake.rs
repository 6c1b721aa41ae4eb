//! The report tables of a whole run: made once, kept while nothing changes, and true to the unified ones.

use futures::TryStreamExt;
use pipeline::catalog::{Lake as Store, Snapshot, TableName};
use pipeline::{RunOptions, Summary};
use serde_json::Value;
use simulator::{Change, Config};

use crate::truth::lake::{Lake, with_room};

const TABLES: [&str; 8] = [
    "daily_rates",
    "invoice_match",
    "match_suggestions",
    "po_invoice_match",
    "po_line_position",
    "receipt_allocations",
    "settings",
    "spend_lines",
];

fn versions(summary: &Summary) -> Vec<(String, u64, u64)> {
    let reports = summary
        .tables
        .iter()
        .filter(|one| one.table.starts_with("report."));
    let mut found: Vec<_> = reports
        .map(|one| (one.table.clone(), one.version, one.rows))
        .collect();
    found.sort();
    found
}

async fn one(lake: &Lake, sql: &str) -> String {
    let rows = pipeline::query(&lake.job.lake, sql)
        .await
        .expect("it plans");
    let batches: Vec<_> = rows.try_collect().await.expect("it runs");
    let batch = batches.iter().find(|batch| batch.num_rows() > 0);
    let batch = batch.expect("a row comes");
    arrow::util::display::array_value_to_string(batch.column(0), 0).expect("a text form")
}

/// A plan of every mapping costs an unoptimised build many seconds a run: others are left out.
fn keep_what_reports_read(lake: &mut Lake) {
    let wanted = [
        "accounts",
        "approvals",
        "commodities",
        "currencies",
        "departments",
        "exchange_rates",
        "expense_reports",
        "invoices",
        "purchase_orders",
        "receiving_transactions",
        "requisitions",
        "suppliers",
        "users",
    ];
    lake.job.resources = Some(wanted.map(str::to_owned).to_vec());
    let left_out = [
        "groups",
        "group_members",
        "tracking_categories",
        "user_roles",
        "users",
    ];
    for table in lake.schemas.tables.values_mut() {
        let unwanted = |source: &str| {
            let resource = source.strip_prefix("coupa.");
            resource.is_some_and(|name| !wanted.contains(&name))
        };
        // Its words stay: others read them.
        if left_out.contains(&table.name.as_str())
            || table.mappings.iter().any(|one| unwanted(&one.source))
        {
            table.mappings.clear();
        }
    }
}

/// What must be zero in every lake.
async fn nothing_is_lost(lake: &Lake) {
    let questions = [
        "SELECT (SELECT count(*) FROM unified.invoice_lines) - (SELECT count(*) FROM report.po_invoice_match)",
        "SELECT (SELECT count(*) FROM unified.invoices) - (SELECT count(*) FROM report.invoice_match)",
        "SELECT (SELECT count(*) FROM unified.purchase_order_lines) - (SELECT count(*) FROM report.po_line_position)",
        "SELECT (SELECT sum(line_net) FROM report.po_invoice_match) - (
            SELECT sum(CASE WHEN i.document_type = 'credit_note' THEN -abs(l.total_line_amount) ELSE l.total_line_amount END)
            FROM unified.invoice_lines AS l JOIN unified.invoices AS i ON i.id = l.invoice_id)",
        "SELECT (SELECT sum(amount_doc) FROM report.spend_lines WHERE invoice_line_id IS NOT NULL)
            - (SELECT sum(line_net) FROM report.po_invoice_match)",
        "SELECT count(*) FROM (
            SELECT i.id FROM unified.invoices AS i LEFT JOIN report.spend_lines AS s ON s.invoice_id = i.id
            WHERE i.status IN ('authorised', 'paid')
            GROUP BY i.id, i.total_amount, i.total_tax_amount, i.document_type
            HAVING abs(sum(s.amount_doc)) <> abs(i.total_amount - coalesce(i.total_tax_amount, 0)))",
        "SELECT count(*) FROM report.spend_lines AS s WHERE expense_line_id IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM unified.expense_lines AS l WHERE l.id = s.expense_line_id)",
    ];
    for question in questions {
        let found = one(lake, question).await;
        let zero = found.chars().all(|sign| matches!(sign, '0' | '.' | '-'));
        assert!(zero, "{question}\ngives {found}");
    }
}

#[test]
fn reports_are_made_after_the_tables_and_kept_while_nothing_changes() {
    with_room(|| async {
        let mut lake = Lake::new(Config::for_tests(21, 0.05));
        keep_what_reports_read(&mut lake);
        let first = versions(&lake.run(RunOptions::default()).await);
        let names: Vec<_> = first.iter().map(|(name, ..)| name.as_str()).collect();
        assert_eq!(names, TABLES.map(|name| format!("report.{name}")));
        assert!(
            first.iter().all(|(name, _, rows)| *rows > 0
                || name == "report.match_suggestions"
                || name == "report.receipt_allocations"),
            "{first:?}"
        );
        nothing_is_lost(&lake).await;
        let matched =
            "SELECT count(*) FROM report.po_invoice_match WHERE match_status LIKE 'matched%'";
        assert_ne!(one(&lake, matched).await, "0", "some invoices match");

        let second = versions(&lake.run(RunOptions::default()).await);
        assert_eq!(second, first, "nothing changed, and nothing was committed");

        lake.coupa
            .clock()
            .advance(std::time::Duration::from_secs(3_600));
        lake.coupa.advance(&Change {
            changed_fraction: 0.05,
            new_fraction: 0.03,
            deleted_fraction: 0.0,
            ..Change::default()
        });
        let third = lake.run(RunOptions::default()).await;
        let of = |name: &str| {
            let found = third.tables.iter().find(|table| table.table == name);
            found.expect("the table is told of").clone()
        };
        let lines = of("report.po_invoice_match");
        assert!(lines.inserted > 0, "new lines are matched");
        assert!(
            lines.inserted + lines.updated < lines.rows / 2,
            "only rows that differ are written: {lines:?}"
        );
        nothing_is_lost(&lake).await;
        commits_say_what_they_were_made_from(&lake).await;
    });
}

async fn commits_say_what_they_were_made_from(lake: &Lake) {
    let store = Store::open(&lake.job.lake).expect("the lake opens");
    let open = async |layer: &str, name: &str| {
        let name = TableName::new(layer, name);
        let found = Snapshot::open(&store, &name).await.expect("it is readable");
        found.expect("it is there")
    };
    let report = open("report", "po_invoice_match").await;
    let connection = &lake.job.connection;
    for source in [
        "invoice_lines",
        "invoices",
        "purchase_order_lines",
        "receipts",
    ] {
        let id = format!("spendlake/{connection}/unified.invoice_lines/unified.{source}");
        let made_from = report.transaction(&id).await.expect("the log is readable");
        let now = open("unified", source).await.version as i64;
        assert!(
            made_from.is_some_and(|version| version > 0 && version <= now),
            "{source}: {made_from:?} of {now}"
        );
    }
    let newest: &Value =
        &report.history(1).await.expect("the log is readable")[0]["spendlake.mapping"];
    assert_eq!(newest, "po_invoice_match/unified.invoice_lines");
}
