//! Suppliers as contacts.

use serde_json::{Value, json};

use super::{
    Row, Rows, Truth, columns, common, keyed, nulls,
    shapes::{address, phones},
    text::{
        at, each, filled, first_filled, flag, list, optional, present, sorted, text, truth, word,
        words,
    },
};

const LEGACY: [&str; 2] = ["sap_vendor", "minority_owned"];

pub fn rows(truth: &Truth) -> Rows {
    keyed(truth.all("suppliers").map(|record| row(truth, record)))
}

fn row(truth: &Truth, (record, gone): (&Value, bool)) -> Row {
    let mut row = common(truth, "suppliers", (record, gone), &LEGACY);
    let primary = address(record, "primary_address", Some("primary"));
    let remit = each(record, "remit_to_addresses", &["id"], |of| {
        address(of, "", Some("remit_to"))
    });
    let mut addresses: Vec<Value> = Vec::from_iter((!primary.is_null()).then_some(primary));
    let others = sorted(record, "supplier_addresses", &["id"]);
    addresses.extend(others.into_iter().map(|of| address(of, "", Some("other"))));
    addresses.extend(remit.as_array().into_iter().flatten().cloned());
    let company = words(record, "business_entity_id").or_else(|| words(record, "enterprise.id"));
    columns!(row;
        status: match word(record, "status").as_deref() {
            Some("active") => Some("active"),
            Some("inactive") => Some("archived"),
            _ => None,
        },
        remote_status: text(record, "status"),
        name: text(record, "name"),
        display_name: text(record, "display_name"),
        number: text(record, "number"),
        type: "vendor",
        is_supplier: true,
        is_customer: false,
        emails: emails(record),
        phones: phones(
            at(record, "primary_contact"),
            &[("phone_work", "work"), ("phone_mobile", "mobile"), ("phone_fax", "fax")],
        ),
        persons: persons(record),
        addresses: addresses,
        remit_to_addresses: remit,
        tax_number: tax_number(record),
        duns: text(record, "duns"),
        website: first_filled(record, &["website", "corporate_url"]),
        company_id: company,
        parent_id: words(record, "parent.id"),
        parent_name: text(record, "parent.name"),
        payment_term_id: words(record, "payment_term.id").or_else(|| words(record, "payment_term_id")),
        payment_term_name: text(record, "payment_term.code"),
        payment_method: text(record, "payment_method"),
        shipping_term: text(record, "shipping_term.code"),
        account_number: text(record, "account_number"),
        on_hold: flag(record, "on_hold"),
        on_buyer_hold: flag(record, "buyer_hold"),
        one_time: flag(record, "one_time_supplier"),
        invoice_matching_level: text(record, "invoice_matching_level"),
        commodity_id: words(record, "commodity.id"),
        commodity_name: text(record, "commodity.name"),
        account_type_ids: ids(record, "account_types"),
        business_group_ids: ids(record, "content_groups"),
    );
    nulls(
        &mut row,
        &["registration_number", "currency", "default_account_id"],
    );
    row
}

fn ids(record: &Value, path: &str) -> Value {
    each(record, path, &["id"], |member| text(member, "id"))
}

/// Addresses of every kind, each once, whatever its case. A text may hold several.
fn emails(record: &Value) -> Vec<Value> {
    let mut all = vec![
        (filled(record, "primary_contact.email"), "primary"),
        (filled(record, "po_email"), "purchase_orders"),
    ];
    let contacts = sorted(record, "contacts", &["id"]);
    all.extend(
        contacts
            .into_iter()
            .map(|contact| (filled(contact, "email"), "contact")),
    );
    let invoices = sorted(record, "invoice_emails", &["id"]);
    all.extend(
        invoices
            .into_iter()
            .map(|invoice| (filled(invoice, "email"), "invoices")),
    );
    let mut seen: Vec<String> = Vec::new();
    let mut emails = Vec::new();
    for (text, kind) in all {
        let text = text.unwrap_or_default();
        for email in text
            .split([';', ',', ' ', '\n'])
            .filter(|email| !email.trim().is_empty())
        {
            if !seen.contains(&email.to_lowercase()) {
                seen.push(email.to_lowercase());
                let primary = kind == "primary";
                emails.push(json!({ "email": email, "type": kind, "is_primary": primary }));
            }
        }
    }
    emails
}

fn persons(record: &Value) -> Vec<Value> {
    let primary = present(record, "primary_contact").then(|| at(record, "primary_contact"));
    let others = sorted(record, "contacts", &["id"]);
    let others = others.into_iter().filter(|contact| {
        primary.is_none_or(|primary| words(primary, "id") != words(contact, "id"))
    });
    let person = |contact: &Value| {
        let both: Vec<String> = ["name_given", "name_family"]
            .iter()
            .filter_map(|n| filled(contact, n))
            .collect();
        let phones = phones(
            contact,
            &[("phone_work", "work"), ("phone_mobile", "mobile")],
        );
        json!({
            "id": text(contact, "id"),
            "name": filled(contact, "name_fullname").or_else(|| (!both.is_empty()).then(|| both.join(" "))),
            "email": text(contact, "email"),
            "phone": phones.first().map_or(Value::Null, |phone| phone["number"].clone()),
            "purposes": each(contact, "purposes", &["id"], |purpose| text(purpose, "name")),
        })
    };
    primary.into_iter().chain(others).map(person).collect()
}

/// The tax id, else what the tax details say, else the first registration in force.
fn tax_number(record: &Value) -> Value {
    let detail = at(record, "supplier_tax_detail");
    let scalar = || filled(record, "supplier_tax_detail");
    let registrations = |address: &Value| -> Option<String> {
        let in_force = |r: &&Value| truth(r, "active") != Some(false);
        let listed = list(address, "tax_registrations").iter();
        listed.filter(in_force).find_map(|r| filled(r, "number"))
    };
    let of_all = |path: &str| list(record, path).iter().find_map(registrations);
    optional(
        filled(record, "tax_id")
            .or_else(|| filled(detail, "tax_id"))
            .or_else(|| filled(detail, "tax_number"))
            .or_else(scalar)
            .or_else(|| registrations(at(record, "primary_address")))
            .or_else(|| of_all("supplier_addresses"))
            .or_else(|| of_all("remit_to_addresses")),
    )
}
