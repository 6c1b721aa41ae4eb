//! Lines and allocations as tables of their own.

use serde_json::Value;

use super::{Row, Rows, columns, lines};

/// What a line or allocation takes over from its document.
const OF_DOCUMENT: [&str; 8] = [
    "connection_id",
    "remote_object",
    "created_at",
    "updated_at",
    "created_by_id",
    "updated_by_id",
    "is_deleted",
    "deleted_at",
];

/// Tables of lines and of allocations.
pub fn rows(invoices: &Rows, orders: &Rows, requisitions: &Rows) -> Vec<(String, Rows)> {
    let kinds = [
        ("invoice", "invoice", "invoice", invoices),
        ("purchase_order", "purchase_order", "purchase_order", orders),
        (
            "purchase_order_requisition",
            "requisition",
            "requisition",
            requisitions,
        ),
    ];
    let mut tables = Vec::new();
    for (table, parent, line, documents) in kinds {
        let parent = format!("{parent}_id");
        let line = format!("{line}_line_id");
        tables.push((format!("{table}_lines"), line_table(documents, &parent)));
        tables.push((
            format!("{table}_line_allocations"),
            allocation_table(documents, &parent, &line),
        ));
    }
    tables
}

fn of_document(document: &Row) -> Row {
    OF_DOCUMENT
        .iter()
        .map(|name| ((*name).to_owned(), document[*name].clone()))
        .collect()
}

/// Each line of each document, with its place in it from 1.
fn lines_of(documents: &Rows) -> impl Iterator<Item = (&String, &Row, usize, &Row)> {
    documents.iter().flat_map(|(id, document)| {
        let members = lines::members(document, "line_items").iter().enumerate();
        members.map(move |(nth, line)| {
            (
                id,
                document,
                nth + 1,
                line.as_object().expect("a line is an object"),
            )
        })
    })
}

fn line_id(document: &str, ordinal: usize, line: &Row) -> String {
    line["id"]
        .as_str()
        .map_or_else(|| format!("{document}:{ordinal}"), str::to_owned)
}

fn line_table(documents: &Rows, parent: &str) -> Rows {
    let row = |(document_id, document, ordinal, line): (&String, &Row, usize, &Row)| {
        let mut row = of_document(document);
        row.extend(line.clone());
        row.insert(parent.to_owned(), Value::from(document_id.as_str()));
        columns!(row;
            id: line_id(document_id, ordinal, line),
            ordinal: ordinal,
            remote_status: line["status"].clone(),
        );
        (format!("{document_id}/{ordinal}"), row)
    };
    lines_of(documents).map(row).collect()
}

fn allocation_table(documents: &Rows, parent: &str, of_line: &str) -> Rows {
    let mut rows = Rows::new();
    for (document_id, document, line_ordinal, line) in lines_of(documents) {
        let id = line_id(document_id, line_ordinal, line);
        let shares = lines::members(line, "allocations");
        let whole_line = [Value::Null];
        for (nth, share) in if shares.is_empty() {
            &whole_line[..]
        } else {
            shares
        }
        .iter()
        .enumerate()
        {
            let ordinal = nth + 1;
            let mut row = of_document(document);
            row.insert(parent.to_owned(), Value::from(document_id.as_str()));
            row.insert(of_line.to_owned(), line["id"].clone());
            columns!(row;
                line_ordinal: line_ordinal,
                ordinal: ordinal,
                status: Value::Null,
                remote_status: Value::Null,
                custom_fields: Value::Null,
                currency: line["currency"].clone(),
                is_synthetic: share.is_null(),
            );
            if share.is_null() {
                columns!(row;
                    id: format!("{id}:1"),
                    account_id: line["account_id"].clone(),
                    account_code: line["account_code"].clone(),
                    amount: line["total_line_amount"].clone(),
                    pct: "100.0000000000",
                    period_id: line["period_id"].clone(),
                    period_name: Value::Null,
                    tracking_categories: Vec::<Value>::new(),
                );
            } else {
                for name in [
                    "account_id",
                    "account_code",
                    "amount",
                    "pct",
                    "period_id",
                    "period_name",
                ] {
                    row.insert(name.to_owned(), share[name].clone());
                }
                columns!(row;
                    id: share["id"].as_str().map_or_else(|| format!("{id}:{ordinal}"), str::to_owned),
                    tracking_categories: share["tracking"].clone(),
                );
            }
            rows.insert(format!("{document_id}/{line_ordinal}/{ordinal}"), row);
        }
    }
    rows
}
