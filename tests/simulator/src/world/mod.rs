//! The company whose Coupa is simulated.
//!
//! A record is a pure function of the seed, its resource, its place (*slot*) and how often it was edited
//! (*revision*). So two hundred thousand invoices need no memory but a time stamp each, every instance with the
//! same seed answers with the same bytes, and documents can refer to each other by arithmetic: which order an
//! invoice belongs to, and which invoices an order has, are both computed (`chain.rs`). What changes is kept
//! beside: time stamps, revisions, and records written by a test.
//!
//! A nested copy of a record (the supplier inside an invoice) shows it as it was before any edit. Coupa shows the
//! present one; we keep the copy still, so that a parent which did not change also answers the same.

pub mod accounting;
pub mod approvals;
pub mod budgets;
pub mod catalog;
pub mod chain;
pub mod currencies;
pub mod dice;
pub mod expenses;
pub mod invoice_lines;
pub mod invoice_rows;
pub mod invoices;
pub mod items;
pub mod order_lines;
pub mod orders;
pub mod people;
pub mod receipts;
pub mod reference;
pub mod requisitions;
pub mod resource;
pub mod suppliers;
pub mod tables;

use std::collections::BTreeMap;

pub use resource::Resource;
pub use tables::{GONE, Table};

use crate::{
    out::{Out, Style, Writer},
    zone::{DAY, Zone},
};

/// Days of history before the start.
pub const HISTORY_DAYS: i64 = 1095;

/// What a company is made from.
#[derive(Clone, Debug)]
pub struct Shape {
    pub seed: u64,
    pub scale: f64,
    /// Numbers of records that replace those of the scale.
    pub counts: BTreeMap<Resource, u32>,
    /// Lines of every document; otherwise 1 to 8.
    pub lines: Option<u32>,
    /// Leave about one id in forty out.
    pub gaps: bool,
    /// The instant the history ends, in seconds.
    pub start: i64,
}

/// The state of the company.
pub struct World {
    pub shape: Shape,
    pub style: Style,
    pub tables: Vec<Table>,
    pub users: Vec<people::User>,
    pub suppliers: Vec<suppliers::Supplier>,
    pub accounts: Vec<accounting::Account>,
    pub lookup_values: Vec<accounting::LookupValue>,
    pub items: Vec<items::Item>,
    /// Suppliers of each trade, among those of the history.
    pub by_trade: Vec<Vec<u32>>,
}

/// Switches of one request that change what a record shows.
#[derive(Clone, Copy, Debug, Default)]
pub struct View {
    /// `show_deleted_lines=true` on purchase orders.
    pub deleted_lines: bool,
}

impl World {
    pub fn new(shape: Shape, style: Style) -> World {
        let mut world = World {
            tables: Resource::ALL
                .into_iter()
                .map(|r| Table::new(r, shape.count(r), shape.gaps, shape.seed))
                .collect(),
            shape,
            style,
            users: Vec::new(),
            suppliers: Vec::new(),
            accounts: Vec::new(),
            lookup_values: Vec::new(),
            items: Vec::new(),
            by_trade: vec![Vec::new(); catalog::TRADES.len()],
        };
        for resource in Resource::ALL {
            for slot in 0..world.base(resource) {
                world.register(resource, slot);
                let updated = world.base_updated(resource, slot);
                world.table_mut(resource).updated.push(updated);
            }
        }
        for slot in 0..world.base(Resource::Approvals) {
            if !world.approval_exists(slot) {
                world.table_mut(Resource::Approvals).updated[slot as usize] = GONE;
            }
        }
        world
    }

    pub fn table(&self, resource: Resource) -> &Table {
        &self.tables[resource as usize]
    }

    pub fn table_mut(&mut self, resource: Resource) -> &mut Table {
        &mut self.tables[resource as usize]
    }

    /// Records of the history; ids and references are computed from it, so it never changes.
    #[inline]
    pub fn base(&self, resource: Resource) -> u32 {
        self.tables[resource as usize].base
    }

    /// Records so far, deleted ones included.
    #[inline]
    pub fn count(&self, resource: Resource) -> u32 {
        self.tables[resource as usize].updated.len() as u32
    }

    #[inline]
    pub fn id(&self, resource: Resource, slot: u32) -> i64 {
        self.tables[resource as usize].id(slot)
    }

    #[inline]
    pub fn revision(&self, resource: Resource, slot: u32) -> u32 {
        self.tables[resource as usize]
            .edits
            .get(&slot)
            .map_or(0, |e| e.revision)
    }

    #[inline]
    pub fn zone(&self) -> Zone {
        self.style.zone
    }

    #[inline]
    pub fn seed(&self) -> u64 {
        self.shape.seed
    }

    /// Adds what has to be kept in memory of a new record.
    pub fn register(&mut self, resource: Resource, slot: u32) {
        match resource {
            Resource::Users => self.users.push(people::User::new(self, slot)),
            Resource::Suppliers => {
                let supplier = suppliers::Supplier::new(self, slot);
                if slot < self.base(Resource::Suppliers) {
                    self.by_trade[usize::from(supplier.trade)].push(slot);
                }
                self.suppliers.push(supplier);
            }
            Resource::Accounts => self.accounts.push(accounting::Account::new(self, slot)),
            Resource::LookupValues => self
                .lookup_values
                .push(accounting::LookupValue::new(self, slot)),
            Resource::Items => self.items.push(items::Item::new(self, slot)),
            _ => {}
        }
    }

    /// When a record came to be.
    #[inline]
    pub fn created(&self, resource: Resource, slot: u32) -> i64 {
        let table = self.table(resource);
        if slot < table.base {
            self.base_created(resource, slot)
        } else {
            table
                .edits
                .get(&slot)
                .and_then(|e| e.created)
                .unwrap_or(self.shape.start)
        }
    }

    fn base_created(&self, resource: Resource, slot: u32) -> i64 {
        if resource == Resource::Approvals {
            return self.approval_created(slot);
        }
        let roll = dice::mix(self.seed(), 100 + resource as u64, u64::from(slot));
        let count = i64::from(self.base(resource).max(1));
        let begin = self.shape.start - HISTORY_DAYS * DAY;
        let (span, offset) = match resource {
            Resource::Requisitions => (HISTORY_DAYS - 3, 0),
            Resource::PurchaseOrders => (HISTORY_DAYS - 3, 2),
            Resource::ReceivingTransactions => (HISTORY_DAYS - 3, 6),
            Resource::Invoices => (HISTORY_DAYS - 3, 12),
            Resource::ExpenseReports => (HISTORY_DAYS - 3, 0),
            _ => (220, 0),
        };
        let day = (begin + span * DAY * i64::from(slot) / count).div_euclid(DAY) + offset;
        // Office hours of the Pacific coast, 08:00 to 18:00, in UTC.
        let moment = day * DAY + 16 * 3600 + (roll % 36_000) as i64;
        moment.min(self.shape.start - 900 - (roll >> 20) as i64 % 86_400)
    }

    /// When a record of the history was last changed before the start; the moment of creation for later ones.
    #[inline]
    pub fn base_updated(&self, resource: Resource, slot: u32) -> i64 {
        let created = self.created(resource, slot);
        if slot >= self.base(resource) {
            return created;
        }
        let roll = dice::mix(self.seed(), 200 + resource as u64, u64::from(slot));
        let lag = match roll % 10 {
            0..3 => 0,
            3..8 => (roll >> 8) as i64 % (45 * DAY),
            _ => (roll >> 8) as i64 % (HISTORY_DAYS * DAY),
        };
        let mut updated = (created + lag)
            .min(self.shape.start - 1 - (roll >> 40) as i64 % 43_200)
            .max(created);
        if (roll >> 4).is_multiple_of(8) {
            // The nightly integration: many records in the same second.
            let nightly = updated.div_euclid(DAY) * DAY + 10 * 3600;
            if nightly > created && nightly < self.shape.start {
                updated = nightly;
            }
        }
        updated
    }

    /// When the record itself was last changed.
    #[inline]
    pub fn updated(&self, resource: Resource, slot: u32) -> i64 {
        self.table(resource).updated[slot as usize]
    }

    /// Id and stamps at the head of a record of its own.
    #[inline]
    pub(crate) fn head<O: Out>(&self, w: &mut Writer<'_, O>, resource: Resource, slot: u32) {
        w.int("id", self.id(resource, slot));
        w.time_of("created-at", || self.created(resource, slot));
        w.time("updated-at", self.updated(resource, slot));
    }

    /// Id and stamps of a nested copy.
    #[inline]
    pub(crate) fn head_nested<O: Out>(&self, w: &mut Writer<'_, O>, resource: Resource, slot: u32) {
        w.int("id", self.id(resource, slot));
        w.time_of("created-at", || self.created(resource, slot));
        w.time_of("updated-at", || self.base_updated(resource, slot));
    }

    /// Who made and who last changed a record.
    #[inline]
    pub(crate) fn tail<O: Out>(&self, w: &mut Writer<'_, O>, resource: Resource, slot: u32) {
        let roll = dice::mix(self.seed(), 300 + resource as u64, u64::from(slot));
        let users = u64::from(self.base(Resource::Users));
        let revision = u64::from(self.revision(resource, slot));
        w.object("created-by", |w| self.mini_user(w, (roll % users) as u32));
        w.object("updated-by", |w| {
            self.mini_user(w, (((roll >> 32) + revision) % users) as u32)
        });
    }

    /// Writes the members of one record.
    pub fn write<O: Out>(&self, w: &mut Writer<'_, O>, resource: Resource, slot: u32, view: View) {
        match resource {
            Resource::AccountTypes => self.write_account_type(w, slot),
            Resource::Currencies => self.write_currency(w, slot),
            Resource::Departments => self.write_department(w, slot),
            Resource::BusinessGroups => self.write_business_group(w, slot),
            Resource::Commodities => self.write_commodity(w, slot),
            Resource::PaymentTerms => self.write_payment_term(w, slot),
            Resource::Addresses => self.write_address(w, slot),
            Resource::LookupValues => self.write_lookup_value(w, slot),
            Resource::Users => self.write_user(w, slot),
            Resource::UserGroups => self.write_user_group(w, slot),
            Resource::UserGroupMemberships => self.write_membership(w, slot),
            Resource::Accounts => self.write_account(w, slot),
            Resource::ExchangeRates => self.write_exchange_rate(w, slot),
            Resource::Projects => self.write_project(w, slot),
            Resource::Suppliers => self.write_supplier(w, slot),
            Resource::Contracts => self.write_contract(w, slot),
            Resource::Items => self.write_item(w, slot),
            Resource::SupplierItems => self.write_supplier_item(w, slot),
            Resource::BudgetLines => self.write_budget_line(w, slot),
            Resource::Requisitions => self.write_requisition(w, slot),
            Resource::PurchaseOrders => self.write_order(w, slot, view),
            Resource::ReceivingTransactions => self.write_receipt(w, slot),
            Resource::Invoices => self.write_invoice(w, slot),
            Resource::ExpenseReports => self.write_expense_report(w, slot),
            Resource::Approvals => self.write_approval(w, slot),
        }
    }
}

impl Shape {
    /// Records of the history.
    fn count(&self, resource: Resource) -> u32 {
        if let Some(count) = self.counts.get(&resource) {
            // Everything refers to these, so a company has at least a few of each.
            let least = if resource.is_document() {
                0
            } else {
                reference::least(resource)
            };
            return (*count).max(least);
        }
        match resource.meta().at_scale_1 {
            Some(count) => {
                let scaled = (f64::from(count) * self.scale).ceil() as u32;
                scaled.max(reference::least(resource))
            }
            None => match resource {
                Resource::Approvals => {
                    4 * self
                        .count(Resource::Requisitions)
                        .max(self.count(Resource::Invoices))
                }
                other => reference::fixed_count(other),
            },
        }
    }
}
