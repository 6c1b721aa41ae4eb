//! What every unified row must be, worked out from the simulator's records without any of our machinery.
//!
//! An oracle of the mapping rules in plain Rust over JSON: no SQL, no definitions, no Arrow. Where it and the
//! pipeline differ, one of them has misread the rules. Values are compared in one canonical form: decimals as text
//! at the column's full scale, instants as RFC 3339 with microseconds in UTC, days as `YYYY-MM-DD`, lists in
//! order, structs as objects with their nulls, custom fields as the JSON they hold.

pub mod accounts;
pub mod compare;
pub mod decimal;
pub mod exploded;
pub mod invoices;
pub mod items;
pub mod lake;
pub mod lines;
pub mod orders;
pub mod people;
pub mod rare;
pub mod requisitions;
pub mod shapes;
pub mod suppliers;
pub mod text;
pub mod tracking;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use text::{custom_fields, instant, words};

/// A row: column to canonical value.
pub type Row = Map<String, Value>;
/// Rows of a table by their key.
pub type Rows = BTreeMap<String, Row>;

/// Resources that the tables under test are made of.
pub const RESOURCES: [&str; 17] = [
    "account_types",
    "accounts",
    "business_groups",
    "currencies",
    "departments",
    "exchange_rates",
    "invoices",
    "items",
    "lookup_values",
    "projects",
    "purchase_orders",
    "requisitions",
    "supplier_items",
    "suppliers",
    "user_group_memberships",
    "user_groups",
    "users",
];

/// Tables under test, besides those that lines and allocations are exploded into.
pub const TABLES: [&str; 11] = [
    "accounts",
    "contacts",
    "currencies",
    "employees",
    "groups",
    "invoices",
    "items",
    "purchase_order_requisitions",
    "purchase_orders",
    "tracking_categories",
    "users",
];

/// The source's records: those that are there, and the last form of those that are gone.
#[derive(Clone, Debug, Default)]
pub struct Truth {
    pub connection: String,
    pub now: BTreeMap<String, Vec<Value>>,
    pub gone: BTreeMap<String, Vec<Value>>,
}

impl Truth {
    /// Records of a resource that are there.
    pub fn records(&self, resource: &str) -> &[Value] {
        self.now.get(resource).map_or(&[], Vec::as_slice)
    }

    /// Every record a table has a row of, with whether it is gone.
    pub fn all(&self, resource: &str) -> impl Iterator<Item = (&Value, bool)> {
        let gone = self.gone.get(resource).map_or(&[][..], Vec::as_slice);
        self.records(resource)
            .iter()
            .map(|r| (r, false))
            .chain(gone.iter().map(|r| (r, true)))
    }
}

/// Adds columns to a row: `columns!(row; name: value, ...)`.
macro_rules! columns {
    ($row:expr; $($name:ident : $value:expr),* $(,)?) => {
        $( $row.insert(stringify!($name).to_owned(), ::serde_json::Value::from($value)); )*
    };
}
pub(crate) use columns;

/// Columns that are always null, as the source has nothing for them.
pub(crate) fn nulls(row: &mut Row, names: &[&str]) {
    for name in names {
        row.insert((*name).to_owned(), Value::Null);
    }
}

/// The columns of every table. `legacy` names the tenant's custom fields that stand at the root of a record.
pub(crate) fn common(
    truth: &Truth,
    resource: &str,
    (record, gone): (&Value, bool),
    legacy: &[&str],
) -> Row {
    let mut row = Row::new();
    columns!(row;
        id: words(record, "id"),
        connection_id: truth.connection.as_str(),
        remote_object: resource,
        created_at: instant(record, "created_at"),
        updated_at: instant(record, "updated_at"),
        created_by_id: words(record, "created_by.id"),
        updated_by_id: words(record, "updated_by.id"),
        is_deleted: gone,
        deleted_at: gone.then_some("set"),
        custom_fields: custom_fields(record, legacy),
    );
    row
}

pub(crate) fn keyed(rows: impl IntoIterator<Item = Row>) -> Rows {
    let key = |row: Row| (row["id"].as_str().expect("an id is text").to_owned(), row);
    rows.into_iter().map(key).collect()
}

/// Every row of the tables under test.
pub fn expected(truth: &Truth) -> BTreeMap<String, Rows> {
    let orders = orders::rows(truth);
    let invoices = invoices::rows(truth, &orders);
    let requisitions = requisitions::rows(truth);
    let mut tables = BTreeMap::new();
    for (table, rows) in exploded::rows(&invoices, &orders, &requisitions) {
        tables.insert(table, rows);
    }
    let own = [
        ("purchase_orders", orders),
        ("invoices", invoices),
        ("purchase_order_requisitions", requisitions),
        ("accounts", accounts::rows(truth)),
        ("currencies", accounts::currencies(truth)),
        ("contacts", suppliers::rows(truth)),
        ("employees", people::employees(truth)),
        ("users", people::users(truth)),
        ("groups", people::groups(truth)),
        ("items", items::rows(truth)),
        ("tracking_categories", tracking::rows(truth)),
    ];
    tables.extend(own.map(|(table, rows)| (table.to_owned(), rows)));
    assert!(
        TABLES.iter().all(|table| tables.contains_key(*table)),
        "every table has an oracle"
    );
    tables
}

#[test]
fn every_row_is_what_the_source_says() {
    lake::with_room(|| async {
        let lake = lake::Lake::new(simulator::Config::for_tests(7, 0.06));
        let summary = lake.run(pipeline::RunOptions::default()).await;
        assert_eq!(summary.exit_code(), 0);
        lake.must_equal(&lake.truth()).await;
    });
}

/// A tenant that prints what is not set as null, and header charges as numbers, says the same; rare values too.
#[test]
fn every_row_is_what_a_newer_release_says() {
    lake::with_room(|| async {
        let config = simulator::Config {
            null_associations: true,
            numeric_charges: true,
            zone: simulator::Zone::Fixed(330),
            ..simulator::Config::for_tests(8, 0.03)
        };
        let lake = lake::Lake::of_tables_under_test(config);
        rare::lay_over(&lake.coupa);
        lake.run(pipeline::RunOptions::default()).await;
        lake.must_equal(&lake.truth()).await;
    });
}
