//! Reference data: departments, projects, content groups, commodities, payment terms; and how many there are.

use super::{
    Resource, World,
    accounting::{CHARTS, NATURAL_ACCOUNTS},
    catalog::{TRADES, catalog},
    dice::Dice,
};
use crate::out::{Out, Writer};

const PROJECT: u64 = 13;

const DEPARTMENTS: [&str; 20] = [
    "Finance",
    "Engineering",
    "IT Operations",
    "Human Resources",
    "Legal",
    "Sales EMEA",
    "Sales Americas",
    "Marketing",
    "Plant 1 Production",
    "Plant 2 Production",
    "Logistics",
    "Procurement",
    "R&D",
    "Quality",
    "Facilities",
    "Customer Success",
    "Data Platform",
    "Security",
    "Executive Office",
    "Training & Safety",
];

const CONTENT_GROUPS: [&str; 12] = [
    "Everyone",
    "US only",
    "Europe only",
    "UK only",
    "Executives",
    "IT catalogue",
    "Plant catalogue",
    "Confidential contracts",
    "Travel",
    "Works council",
    "Contractors",
    "Pilot users",
];

/// Code, description, type, net days, discount days, discount rate in 1/10 percent.
pub const TERMS: [(&str, &str, &str, i64, i64, i64); 12] = [
    ("NET30", "Net 30 days", "DaysAfterNetPaymentTerm", 30, 0, 0),
    ("NET45", "Net 45 days", "DaysAfterNetPaymentTerm", 45, 0, 0),
    ("NET60", "Net 60 days", "DaysAfterNetPaymentTerm", 60, 0, 0),
    ("NET14", "Net 14 days", "DaysAfterNetPaymentTerm", 14, 0, 0),
    ("NET0", "Due on receipt", "DaysAfterNetPaymentTerm", 0, 0, 0),
    (
        "2/10 NET30",
        "2 % 10 days, net 30",
        "DaysAfterNetPaymentTerm",
        30,
        10,
        20,
    ),
    (
        "3/14 NET45",
        "3 % 14 days, net 45",
        "DaysAfterNetPaymentTerm",
        45,
        14,
        30,
    ),
    (
        "1.5/10 NET60",
        "1.5 % 10 days, net 60",
        "DaysAfterNetPaymentTerm",
        60,
        10,
        15,
    ),
    (
        "EOM30",
        "30 days end of month",
        "BaseEomToDaysPaymentTerm",
        30,
        0,
        0,
    ),
    (
        "30EOM",
        "End of month plus 30 days",
        "DaysToBaseEomPaymentTerm",
        30,
        0,
        0,
    ),
    (
        "15TH",
        "15th of the following month",
        "SpecificDayPaymentTerm",
        15,
        0,
        0,
    ),
    ("NET90", "Net 90 days", "DaysAfterNetPaymentTerm", 90, 0, 0),
];

/// Fewest records of a resource that others refer to.
pub(super) fn least(resource: Resource) -> u32 {
    match resource {
        Resource::Users => 24,
        Resource::Suppliers => 33,
        Resource::Accounts => 48,
        Resource::Items => 22,
        Resource::LookupValues => 48,
        Resource::Departments | Resource::Addresses | Resource::Projects | Resource::UserGroups => {
            8
        }
        Resource::BusinessGroups => 4,
        Resource::PurchaseOrders => 1,
        _ => 1,
    }
}

/// Numbers of records that do not follow the scale.
pub(super) fn fixed_count(resource: Resource) -> u32 {
    match resource {
        Resource::AccountTypes => CHARTS.len() as u32,
        Resource::Currencies => super::currencies::CURRENCIES.len() as u32,
        Resource::BusinessGroups => CONTENT_GROUPS.len() as u32,
        Resource::PaymentTerms => TERMS.len() as u32,
        Resource::Commodities => catalog().commodities.len() as u32,
        Resource::ExchangeRates => super::currencies::rate_count(),
        _ => 0,
    }
}

impl World {
    pub(crate) fn department_full<O: Out>(&self, w: &mut Writer<'_, O>, slot: u32) {
        self.head_nested(w, Resource::Departments, slot);
        w.text("name", || self.department_name(slot));
        w.bool("active", slot % 17 != 16);
    }

    fn department_name(&self, slot: u32) -> String {
        let name = DEPARTMENTS[slot as usize % DEPARTMENTS.len()];
        match slot as usize / DEPARTMENTS.len() {
            0 => name.to_owned(),
            n => format!("{name} {}", n + 1),
        }
    }

    pub(crate) fn write_department<O: Out>(&self, w: &mut Writer<'_, O>, slot: u32) {
        let revision = self.revision(Resource::Departments, slot);
        self.head(w, Resource::Departments, slot);
        w.text("name", || self.department_name(slot));
        w.bool("active", (slot % 17 != 16) ^ (revision % 2 == 1));
        self.tail(w, Resource::Departments, slot);
    }

    pub(crate) fn business_group_full<O: Out>(&self, w: &mut Writer<'_, O>, slot: u32) {
        w.int("id", self.id(Resource::BusinessGroups, slot));
        w.text("name", || content_group(slot));
        w.nulls(&["description"]);
    }

    pub(crate) fn write_business_group<O: Out>(&self, w: &mut Writer<'_, O>, slot: u32) {
        let revision = self.revision(Resource::BusinessGroups, slot);
        self.head(w, Resource::BusinessGroups, slot);
        w.text("name", || content_group(slot));
        w.text("description", || {
            if revision == 0 {
                String::new()
            } else {
                format!("Reviewed {revision} times")
            }
        });
        self.tail(w, Resource::BusinessGroups, slot);
    }

    /// A commodity as other records carry it, with its parents.
    pub(crate) fn commodity_full<O: Out>(&self, w: &mut Writer<'_, O>, slot: u32) {
        let commodities = &catalog().commodities;
        let commodity = &commodities[slot as usize % commodities.len()];
        w.int("id", self.id(Resource::Commodities, slot));
        w.bool("active", true);
        w.str("name", &commodity.name);
        w.str("translated-name", &commodity.name);
        w.str_opt(
            "category",
            commodity
                .parent
                .map(|_| commodity_category(commodity.trade)),
        );
        w.object_opt("parent", commodity.parent, |w, parent| {
            self.commodity_full(w, u32::from(parent))
        });
        // A custom field from before there was a namespace, inside a nested record.
        w.str("gl", NATURAL_ACCOUNTS[usize::from(commodity.trade)]);
    }

    pub(crate) fn write_commodity<O: Out>(&self, w: &mut Writer<'_, O>, slot: u32) {
        let commodities = &catalog().commodities;
        let commodity = &commodities[slot as usize % commodities.len()];
        let again = slot as usize / commodities.len();
        let revision = self.revision(Resource::Commodities, slot);
        self.head(w, Resource::Commodities, slot);
        w.bool("active", revision % 4 != 3);
        w.text("name", || match again {
            0 => commodity.name.clone(),
            n => format!("{} {}", commodity.name, n + 1),
        });
        w.str("translated-name", &commodity.name);
        w.str_opt(
            "category",
            commodity
                .parent
                .map(|_| commodity_category(commodity.trade)),
        );
        w.str_opt(
            "subcategory",
            (commodity.trade == 5).then_some("raw_materials"),
        );
        w.str("deductibility", "fully_deductible");
        w.str(
            "preferred",
            ["Automatic", "Always", "Never"][revision as usize % 3],
        );
        w.bool("imported-from-taxonomy", commodity.parent.is_some());
        w.int_opt(
            "parent-id",
            commodity
                .parent
                .map(|p| self.id(Resource::Commodities, u32::from(p))),
        );
        w.object_opt("parent", commodity.parent, |w, parent| {
            self.commodity_full(w, u32::from(parent))
        });
        w.str("gl", NATURAL_ACCOUNTS[usize::from(commodity.trade)]);
        self.tail(w, Resource::Commodities, slot);
        w.object("custom-fields", |w| {
            w.str("category-lead", TRADES[usize::from(commodity.trade)]);
        });
    }

    pub(crate) fn payment_term_full<O: Out>(&self, w: &mut Writer<'_, O>, slot: u32) {
        let (code, description, kind, net, discount, rate) = TERMS[slot as usize % TERMS.len()];
        self.head_nested(w, Resource::PaymentTerms, slot);
        w.str("code", code);
        w.str("description", description);
        w.bool("active", true);
        w.str("type", kind);
        self.term_days(w, net, discount, rate);
        w.list("content-groups", "business-group", [0], |w, g| {
            self.business_group_full(w, g)
        });
    }

    fn term_days<O: Out>(&self, w: &mut Writer<'_, O>, net: i64, discount: i64, rate: i64) {
        w.int("days-for-net-payment", net);
        w.int_opt(
            "days-for-discount-payment",
            (discount > 0).then_some(discount),
        );
        w.scalar(
            "discount-rate",
            crate::out::Scalar::Num {
                units: rate,
                scale: 1,
            },
        );
        w.nulls(&[
            "net-cutoff-day",
            "net-due-day",
            "net-due-month",
            "discount-cutoff-day",
            "discount-due-day",
            "discount-due-month",
        ]);
    }

    pub(crate) fn write_payment_term<O: Out>(&self, w: &mut Writer<'_, O>, slot: u32) {
        let (code, description, kind, net, discount, rate) = TERMS[slot as usize % TERMS.len()];
        let (again, revision) = (
            slot as usize / TERMS.len(),
            self.revision(Resource::PaymentTerms, slot),
        );
        self.head(w, Resource::PaymentTerms, slot);
        w.text("code", || {
            if again == 0 {
                code.to_owned()
            } else {
                format!("{code}/{again}")
            }
        });
        w.text("description", || match revision {
            0 => description.to_owned(),
            n => format!("{description}, edition {}", n + 1),
        });
        w.bool("active", slot != 11);
        w.str("type", kind);
        self.term_days(w, net, discount, rate);
        w.list("content-groups", "business-group", [0], |w, g| {
            self.business_group_full(w, g)
        });
        self.tail(w, Resource::PaymentTerms, slot);
    }

    pub(crate) fn write_project<O: Out>(&self, w: &mut Writer<'_, O>, slot: u32) {
        let mut dice = Dice::new(self.seed(), PROJECT, u64::from(slot));
        let revision = self.revision(Resource::Projects, slot);
        let begin = self.zone().day_of(self.created(Resource::Projects, slot));
        let state = (dice.below(5) + u64::from(revision)).min(4) as usize;
        let department = dice.below(u64::from(self.base(Resource::Departments))) as u32;
        let names = [
            "ERP rollout",
            "Plant extension",
            "Office move",
            "Data centre exit",
            "Brand refresh",
            "ISO audit",
        ];
        self.head(w, Resource::Projects, slot);
        w.text("name", || {
            format!("{} {}", names[slot as usize % names.len()], 2023 + slot)
        });
        w.str(
            "description",
            if dice.chance(200) {
                super::catalog::HOSTILE[slot as usize % 14]
            } else {
                ""
            },
        );
        w.bool("active", state < 4);
        w.str(
            "status",
            ["draft", "planned", "in_progress", "complete", "cancelled"][state],
        );
        w.int("project-id", self.id(Resource::Projects, slot));
        w.text("external-reference-number", || {
            format!("WBS-{:04}", slot * 7 + 3)
        });
        w.bool("open", dice.chance(500));
        w.int("completion-percentage", [0, 0, 45, 100, 10][state]);
        w.day("start-date", begin);
        w.day("end-date", begin + dice.between(60, 700) as i32);
        w.money(
            "additional-planned-savings",
            dice.between(0, 90_000) * 10_000,
        );
        w.money(
            "additional-realized-savings",
            dice.between(0, 30_000) * 10_000,
        );
        w.nulls(&["mention-name", "copy-project-id", "enabled-tabs"]);
        w.object("department", |w| self.department_full(w, department));
        let commodity = dice.below(u64::from(self.base(Resource::Commodities))) as u32;
        w.object_opt(
            "commodity",
            dice.chance(500).then_some(commodity),
            |w, c| self.commodity_full(w, c),
        );
        let user = dice.below(u64::MAX >> 8);
        w.list("users", "user", 0..dice.below(4), |w, n| {
            self.mini_user(w, self.employee(user + n * 17))
        });
        w.empty_lists(&["content-groups", "taggings"]);
        self.tail(w, Resource::Projects, slot);
    }
}

fn content_group(slot: u32) -> String {
    match CONTENT_GROUPS.get(slot as usize) {
        Some(name) => (*name).to_owned(),
        None => format!("Content group {}", slot + 1),
    }
}

fn commodity_category(trade: u8) -> &'static str {
    match trade {
        1 | 2 | 5 => "goods",
        _ => "services",
    }
}
