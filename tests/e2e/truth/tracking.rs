//! Dimensions: departments, projects, look-ups and their values, account segments, content groups.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{
    Row, Rows, Truth,
    accounts::segments,
    columns, common, keyed, nulls,
    shapes::active,
    text::{date, distinct, moment, optional, stamp, text, truth, whole, words},
};

pub fn rows(truth: &Truth) -> Rows {
    let mut rows: Vec<Row> = Vec::new();
    rows.extend(
        truth
            .all("departments")
            .map(|r| simple(truth, "departments", r, "department")),
    );
    rows.extend(truth.all("projects").map(|r| project(truth, r)));
    rows.extend(
        truth
            .all("business_groups")
            .map(|r| simple(truth, "business_groups", r, "content_group")),
    );
    rows.extend(truth.all("lookup_values").map(|r| value(truth, r)));
    rows.extend(lookups(truth));
    rows.extend(account_segments(truth));
    keyed(rows)
}

/// A dimension without more than a name.
fn simple(truth: &Truth, resource: &str, (record, gone): (&Value, bool), kind: &str) -> Row {
    let mut row = common(truth, resource, (record, gone), &[]);
    let id = words(record, "id").unwrap_or_default();
    columns!(row;
        id: format!("{kind}:{id}"),
        status: active(record, "active", "archived"),
        remote_status: text(record, "active"),
        name: text(record, "name"),
        category_type: kind,
        has_children: false,
    );
    nulls(&mut row, &OTHERS);
    row
}

/// What most kinds have nothing of.
const OTHERS: [&str; 9] = [
    "code",
    "external_ref_num",
    "parent_category_id",
    "parent_name",
    "company_id",
    "depth",
    "options",
    "start_date",
    "end_date",
];

fn project(truth: &Truth, (record, gone): (&Value, bool)) -> Row {
    let mut row = simple(truth, "projects", (record, gone), "project");
    columns!(row;
        code: text(record, "external_reference_number"),
        start_date: date(record, "start_date"),
        end_date: date(record, "end_date"),
    );
    row
}

fn lookup_id(record: &Value) -> Option<String> {
    words(record, "lookup.id").or_else(|| words(record, "lookup_id"))
}

fn parent_id(record: &Value) -> Option<String> {
    words(record, "parent_id").or_else(|| words(record, "parent.id"))
}

fn value(truth: &Truth, (record, gone): (&Value, bool)) -> Row {
    let mut row = simple(truth, "lookup_values", (record, gone), "lookup_value");

    let parent = parent_id(record);
    let lookup = lookup_id(record).map(|id| format!("lookup:{id}"));
    // Only where the source counts them.
    let below = whole(record, "children_count").map(|count| count > 0);
    columns!(row;
        category_type: "lookup",
        code: text(record, "external_ref_code"),
        external_ref_num: text(record, "external_ref_num"),
        parent_name: if parent.is_some() { text(record, "parent.name") } else { text(record, "lookup.name") },
        parent_category_id: parent.map(|id| format!("lookup_value:{id}")).or(lookup),
        has_children: below,
        company_id: words(record, "account_type.id"),
        depth: whole(record, "depth"),
    );
    row
}

/// Rows that stand for several records: no record's stamps but the earliest and the latest of them.
fn gathered(truth_of: &Truth, resource: &str, id: String, members: &[&Value]) -> Row {
    let mut row = Row::new();
    let created = members.iter().filter_map(|r| moment(r, "created_at")).min();
    let updated = members.iter().filter_map(|r| moment(r, "updated_at")).max();
    let written = |moment: Option<DateTime<Utc>>| optional(moment.map(|m| stamp(&m)));
    let flags: Vec<bool> = members.iter().filter_map(|r| truth(r, "active")).collect();
    let any = (!flags.is_empty()).then(|| flags.contains(&true));
    columns!(row;
        id: id,
        connection_id: truth_of.connection.as_str(),
        remote_object: resource,
        created_at: written(created),
        updated_at: written(updated),
        is_deleted: false,
        status: any.map(|any| if any { "active" } else { "archived" }),
        remote_status: any.map(|any| any.to_string()),
    );
    nulls(
        &mut row,
        &[
            "created_by_id",
            "updated_by_id",
            "deleted_at",
            "custom_fields",
        ],
    );
    nulls(&mut row, &OTHERS);
    row
}

fn lookups(truth_of: &Truth) -> Vec<Row> {
    let mut by_lookup: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
    for record in truth_of.records("lookup_values") {
        by_lookup
            .entry(lookup_id(record).expect("each value has a look-up"))
            .or_default()
            .push(record);
    }
    let option = |record: &&Value| {
        json!({
            "id": format!("lookup_value:{}", words(record, "id").unwrap_or_default()),
            "name": text(record, "name"),
            "code": text(record, "external_ref_code"),
            "status": truth(record, "active").map(|on| if on { "active" } else { "archived" }),
        })
    };
    let row = |(id, mut members): (String, Vec<&Value>)| {
        let mut row = gathered(truth_of, "lookup_values", format!("lookup:{id}"), &members);
        members.sort_by_key(|record| whole(record, "id"));
        let direct: Vec<Value> = members
            .iter()
            .filter(|r| parent_id(r).is_none())
            .map(option)
            .collect();
        columns!(row;
            name: members.iter().filter_map(|r| words(r, "lookup.name")).max(),
            company_id: agreed_by_all(&members),
            category_type: "lookup",
            has_children: true,
            options: if direct.is_empty() { Value::Null } else { Value::Array(direct) },
        );
        row
    };
    by_lookup.into_iter().map(row).collect()
}

/// The chart that all values are tied to, if it is one.
fn agreed_by_all(members: &[&Value]) -> Option<String> {
    let charts = distinct(members.iter().map(|r| words(r, "account_type.id")));
    if charts.len() == 1 {
        charts.into_iter().next().flatten()
    } else {
        None
    }
}

/// Of each chart and place the values that accounts have there, and the place itself.
fn account_segments(truth: &Truth) -> Vec<Row> {
    let mut values: BTreeMap<(String, u8, String), Vec<&Value>> = BTreeMap::new();
    let mut places: BTreeMap<(String, u8), Vec<&Value>> = BTreeMap::new();
    for record in truth.records("accounts") {
        let chart = words(record, "account_type.id")
            .or_else(|| words(record, "account_type_id"))
            .unwrap_or_default();
        for (place, value) in segments(record) {
            values
                .entry((chart.clone(), place, value))
                .or_default()
                .push(record);
            places
                .entry((chart.clone(), place))
                .or_default()
                .push(record);
        }
    }
    let mut rows = Vec::new();
    for ((chart, place, value), members) in values {
        let mut row = gathered(
            truth,
            "accounts",
            format!("segment:{chart}:{place}:{value}"),
            &members,
        );
        columns!(row;
            name: value.as_str(),
            code: value.as_str(),
            category_type: "account_segment",
            parent_category_id: format!("segment:{chart}:{place}"),
            parent_name: format!("segment_{place}"),
            has_children: false,
            company_id: chart,
        );
        rows.push(row);
    }
    for ((chart, place), members) in places {
        let mut row = gathered(
            truth,
            "accounts",
            format!("segment:{chart}:{place}"),
            &members,
        );
        columns!(row;
            name: format!("segment_{place}"),
            category_type: "account_segment",
            has_children: true,
            company_id: chart,
        );
        rows.push(row);
    }
    rows
}
