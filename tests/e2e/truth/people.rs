//! Users, the employees among them, and groups.

use serde_json::{Map, Value, json};

use super::{
    Row, Rows, Truth, columns, common, keyed, nulls,
    shapes::{active, address, named, phones},
    text::{at, distinct, each, filled, flag, list, optional, text, truth, whole, word, words},
};

/// What may be used: the rule's list (mapping.md §5.1), and the one flag more that Coupa documents.
const LICENSES: [&str; 18] = [
    "purchasing",
    "expense",
    "sourcing",
    "inventory",
    "contracts",
    "analytics",
    "aic",
    "spend_guard",
    "supply_chain",
    "ccw",
    "risk_assess",
    "treasury",
    "travel",
    "category_planner",
    "category_strategy",
    "invoicing",
    "msp",
    "clm_advanced",
];

/// Not in Coupa's list of a user's fields, so by rule G10 it counts as the customer's own.
const UNDOCUMENTED: [&str; 1] = ["type"];

pub fn employees(truth_of: &Truth) -> Rows {
    let people = truth_of
        .all("users")
        .filter(|(record, _)| truth(record, "api_user") != Some(true));
    keyed(people.map(|record| employee(truth_of, record)))
}

fn employee(truth: &Truth, (record, gone): (&Value, bool)) -> Row {
    let mut row = common(truth, "users", (record, gone), &UNDOCUMENTED);
    let address = address(record, "default_address", Some("default"));
    person(&mut row, record);
    columns!(row;
        employee_number: optional(filled(record, "employee_number")),
        addresses: if address.is_null() { vec![] } else { vec![address] },
        manager_name: text(record, "manager.fullname"),
        default_account_id: words(record, "default_account.id"),
        is_purchasing: flag(record, "purchasing_user"),
        role_names: each(record, "roles", &["id"], |role| text(role, "name")),
        login: text(record, "login"),
        currency: text(record, "default_currency.code"),
        company_id: words(record, "default_account_type.id"),
        company_name: text(record, "default_account_type.name"),
    );
    row
}

/// What a user and an employee have in common.
fn person(row: &mut Row, record: &Value) {
    let both: Vec<String> = ["firstname", "lastname"]
        .iter()
        .filter_map(|name| filled(record, name))
        .collect();
    let name = filled(record, "fullname").or_else(|| (!both.is_empty()).then(|| both.join(" ")));
    let email = |email: String| json!({ "email": email, "type": "work", "is_primary": true });
    columns!(row;
        status: active(record, "active", "inactive"),
        remote_status: text(record, "active"),
        first_name: text(record, "firstname"),
        last_name: text(record, "lastname"),
        name: name,
        title: optional(filled(record, "business_function")),
        emails: filled(record, "email").map(email).into_iter().collect::<Vec<_>>(),
        phones: phones(record, &[("phone_work", "work"), ("phone_mobile", "mobile")]),
        manager_id: words(record, "manager.id"),
        department_id: words(record, "department.id"),
        department_name: text(record, "department.name"),
    );
}

pub fn users(truth: &Truth) -> Rows {
    keyed(truth.all("users").map(|record| user(truth, record)))
}

fn user(truth_of: &Truth, (record, gone): (&Value, bool)) -> Row {
    let mut row = common(truth_of, "users", (record, gone), &UNDOCUMENTED);
    let identifiers: Map<String, Value> = [
        "login",
        "employee_number",
        "sso_identifier",
        "salesforce_id",
    ]
    .iter()
    .filter_map(|name| Some(((*name).to_owned(), Value::String(filled(record, name)?))))
    .collect();
    let role = |role: &Value| {
        json!({
            "id": text(role, "id"),
            "name": text(role, "name"),
            "group": null,
            "organization": null,
            "workspace": null,
        })
    };
    let license = |name: &str| truth(record, &format!("{name}_user")) == Some(true);
    let license_row = |name: &str| json!({ "id": name, "name": name, "last_active_at": null });
    person(&mut row, record);
    columns!(row;
        username: text(record, "login"),
        identifiers: identifiers,
        seniority_level: optional(filled(record, "seniority_level")),
        type: if truth(record, "api_user") == Some(true) { "api" } else { "user" },
        is_supplier_user: flag(record, "supplier_user"),
        supplier_id: words(record, "supplier_id"),
        roles: each(record, "roles", &["id"], role),
        groups: groups_of(truth_of, record),
        workspaces: named(record, "content_groups"),
        licenses: LICENSES.into_iter().filter(|name| license(name)).map(license_row).collect::<Vec<_>>(),
        avatar: text(record, "avatar_thumb_url"),
        languages: filled(record, "default_locale").into_iter().map(Value::String).collect::<Vec<_>>(),
    );
    nulls(
        &mut row,
        &[
            "external_id",
            "is_email_verified",
            "is_2fa_enabled",
            "organizations",
            "timezone",
            "bio",
            "urls",
            "last_login_at",
        ],
    );
    row
}

/// The user's own list, or else the memberships in groups that are no projects; null when neither says anything.
fn groups_of(truth: &Truth, record: &Value) -> Value {
    if at(record, "user_groups").is_array() {
        return named(record, "user_groups");
    }
    let id = words(record, "id");
    let of_user = |m: &&Value| user_of(m) == id && !is_project(m);
    let memberships = truth
        .records("user_group_memberships")
        .iter()
        .filter(of_user);
    let group = |m: &Value| json!({ "id": group_of(m), "name": text(m, "user_group.name") });
    let mut groups = distinct(memberships.map(group));
    groups.sort_by_key(|group| whole(group, "id"));
    if groups.is_empty() {
        Value::Null
    } else {
        Value::Array(groups)
    }
}

fn user_of(membership: &Value) -> Option<String> {
    words(membership, "user_id").or_else(|| words(membership, "user.id"))
}

fn group_of(membership: &Value) -> Option<String> {
    words(membership, "user_group_id").or_else(|| words(membership, "user_group.id"))
}

fn is_project(membership: &Value) -> bool {
    let kind =
        filled(membership, "user_group_type").or_else(|| filled(membership, "user_group.type"));
    kind.as_deref() == Some("Project")
}

pub fn groups(truth: &Truth) -> Rows {
    let groups = truth.all("user_groups");
    let groups = groups.filter(|(r, _)| word(r, "type").as_deref() != Some("project"));
    keyed(groups.map(|record| group(truth, record)))
}

fn group(truth_of: &Truth, (record, gone): (&Value, bool)) -> Row {
    let mut row = common(truth_of, "user_groups", (record, gone), &[]);
    let members = members(truth_of, record);
    let ids: Vec<Value> = members
        .iter()
        .map(|member| member["user_id"].clone())
        .collect();
    let none = members.is_empty();
    columns!(row;
        status: active(record, "active", "archived"),
        remote_status: text(record, "active"),
        name: text(record, "name"),
        description: text(record, "description"),
        group_type: "group",
        is_open: flag(record, "open"),
        can_approve: flag(record, "can_approve"),
        owner_id: words(record, "owner.id"),
        member_ids: if none { Value::Null } else { Value::Array(ids) },
        members: if none { Value::Null } else { Value::Array(members) },
    );
    nulls(&mut row, &["organization_id"]);
    row
}

/// The users of the group's own list, else of the memberships; with how they belong, as memberships say.
fn members(truth_of: &Truth, record: &Value) -> Vec<Value> {
    let id = words(record, "id");
    let memberships = truth_of.records("user_group_memberships").iter();
    let memberships: Vec<&Value> = memberships.filter(|m| group_of(m) == id).collect();
    let mut users: Vec<(Option<String>, Value)> = if at(record, "users").is_array() {
        let users = list(record, "users").iter();
        users
            .map(|user| (words(user, "id"), text(user, "fullname")))
            .collect()
    } else {
        memberships
            .iter()
            .map(|m| (user_of(m), text(m, "user.fullname")))
            .collect()
    };
    users.retain(|(id, _)| id.is_some());
    users.sort_by_key(|(id, _)| id.as_ref().and_then(|id| id.parse::<i64>().ok()));
    users.dedup_by(|a, b| a.0 == b.0);
    let member = |(user, name): (Option<String>, Value)| {
        let of_user: Vec<&&Value> = memberships.iter().filter(|m| user_of(m) == user).collect();
        let any = |path: &str| {
            let flags: Vec<bool> = of_user.iter().filter_map(|m| truth(m, path)).collect();
            if flags.is_empty() {
                Value::Null
            } else {
                Value::Bool(flags.contains(&true))
            }
        };
        json!({
            "user_id": user,
            "user_name": name,
            "membership_id": of_user.iter().filter_map(|m| whole(m, "id")).min().map(|id| id.to_string()),
            "is_owner": any("owner"),
            "is_participant": any("participant"),
        })
    };
    users.into_iter().map(member).collect()
}
