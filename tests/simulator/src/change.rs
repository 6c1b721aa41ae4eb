//! Moving the company on: edits, new records, deletions; deterministic by seed and by the number of the turn.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    page,
    select::{Plan, Selection},
    tree::Tree,
    world::{
        GONE, Resource, View, World,
        dice::Dice,
        tables::{Edit, Stored},
    },
};

const TURN: u64 = 900;

/// What should happen in one turn. Numbers by path segment stand before fractions.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Change {
    /// Share of the existing records of each resource that is edited.
    pub changed_fraction: f64,
    /// Share of the existing number that is added to each resource that grows.
    pub new_fraction: f64,
    /// Share of the records of each resource that knows deletion which disappears.
    pub deleted_fraction: f64,
    pub changed: BTreeMap<String, u32>,
    pub new: BTreeMap<String, u32>,
    /// Only records that nothing refers to are deleted: drafts, memberships, supplier items, budget lines.
    pub deleted: BTreeMap<String, u32>,
}

/// Ids of what did happen, by path segment.
#[derive(Clone, Debug, Default, Serialize, PartialEq)]
pub struct Changed {
    pub edited: BTreeMap<String, Vec<i64>>,
    pub created: BTreeMap<String, Vec<i64>>,
    pub deleted: BTreeMap<String, Vec<i64>>,
    /// Changed because another record did: an order that was received, a document's approvals.
    pub touched: BTreeMap<String, Vec<i64>>,
}

struct Turn<'w> {
    world: &'w mut World,
    now: i64,
    changed: Changed,
}

/// Carries a change out. `turn` counts the turns so far, `now` becomes the stamp of everything that changes.
pub(crate) fn advance(world: &mut World, change: &Change, turn: u64, now: i64) -> Changed {
    let mut dice = Dice::new(world.seed(), TURN, turn);
    let mut turn = Turn {
        world,
        now,
        changed: Changed::default(),
    };
    for resource in Resource::ALL {
        let rows = turn.rows(resource);
        let share = |numbers: &BTreeMap<String, u32>, fraction: f64, allowed: bool| match numbers
            .get(resource.name())
        {
            Some(n) => *n as usize,
            None if allowed && fraction > 0.0 => (rows.len() as f64 * fraction).ceil() as usize,
            None => 0,
        };
        let edits = share(
            &change.changed,
            change.changed_fraction,
            is_edited(resource),
        );
        let births = share(&change.new, change.new_fraction, grows(resource));
        let deaths = share(&change.deleted, change.deleted_fraction, dies(resource));
        if resource != Resource::Approvals {
            for slot in choose(&mut dice, rows.clone(), edits) {
                turn.edit(resource, slot);
            }
        }
        let mortal = if deaths > 0 {
            turn.mortal(resource)
        } else {
            Vec::new()
        };
        for slot in choose(&mut dice, mortal, deaths) {
            turn.delete(resource, slot);
        }
        for _ in 0..births {
            if resource != Resource::Approvals {
                turn.create(resource);
            }
        }
    }
    for ids in [
        &mut turn.changed.edited,
        &mut turn.changed.created,
        &mut turn.changed.deleted,
        &mut turn.changed.touched,
    ] {
        for list in ids.values_mut() {
            list.sort_unstable();
            list.dedup();
        }
    }
    turn.changed
}

fn is_edited(resource: Resource) -> bool {
    // Currencies have no stamp by which anyone could see it; charts of accounts hardly ever change.
    !matches!(
        resource,
        Resource::Currencies | Resource::AccountTypes | Resource::Approvals
    )
}

fn grows(resource: Resource) -> bool {
    resource.is_document()
        || matches!(
            resource,
            Resource::Suppliers
                | Resource::Users
                | Resource::Items
                | Resource::SupplierItems
                | Resource::Contracts
                | Resource::LookupValues
                | Resource::Accounts
                | Resource::Projects
                | Resource::UserGroupMemberships
                | Resource::BudgetLines
        )
}

fn dies(resource: Resource) -> bool {
    matches!(
        resource,
        Resource::Requisitions
            | Resource::Invoices
            | Resource::ExpenseReports
            | Resource::SupplierItems
            | Resource::UserGroupMemberships
            | Resource::BudgetLines
            | Resource::Projects
    )
}

/// `n` different members of `from`, in the order of `from`.
fn choose(dice: &mut Dice, mut from: Vec<u32>, n: usize) -> Vec<u32> {
    let n = n.min(from.len());
    for at in 0..n {
        let other = at + dice.below((from.len() - at) as u64) as usize;
        from.swap(at, other);
    }
    from.truncate(n);
    from.sort_unstable();
    from
}

impl Turn<'_> {
    /// Generated records that exist and were not written by a test.
    fn rows(&self, resource: Resource) -> Vec<u32> {
        let table = self.world.table(resource);
        let free =
            |slot: &u32| table.stored.is_empty() || !table.stored.contains_key(&table.id(*slot));
        (0..table.updated.len() as u32)
            .filter(|slot| table.exists(*slot))
            .filter(free)
            .collect()
    }

    fn mortal(&self, resource: Resource) -> Vec<u32> {
        let dead_end = |slot: &u32| match resource {
            Resource::Requisitions => {
                let head = self.world.requisition_now(*slot);
                !head.ordered && matches!(head.status, "draft" | "cart")
            }
            Resource::Invoices => self.world.invoice_now(*slot).status == "draft",
            Resource::ExpenseReports => self.world.expense_is_draft(*slot),
            other => dies(other),
        };
        self.rows(resource).into_iter().filter(dead_end).collect()
    }

    fn note(list: &mut BTreeMap<String, Vec<i64>>, world: &World, resource: Resource, slot: u32) {
        list.entry(resource.name().to_owned())
            .or_default()
            .push(world.id(resource, slot));
    }

    fn stamp(&mut self, resource: Resource, slot: u32) {
        let now = self.now;
        let table = self.world.table_mut(resource);
        table.updated[slot as usize] = now.max(table.updated[slot as usize]);
        table.version += 1;
    }

    fn touch(&mut self, resource: Resource, slot: u32) {
        if self.world.table(resource).exists(slot) {
            self.stamp(resource, slot);
            Self::note(&mut self.changed.touched, self.world, resource, slot);
        }
    }

    fn edit(&mut self, resource: Resource, slot: u32) {
        let before = (resource == Resource::Invoices).then(|| self.world.invoiced_by(slot));
        self.world
            .table_mut(resource)
            .edits
            .entry(slot)
            .or_default()
            .revision += 1;
        self.stamp(resource, slot);
        Self::note(&mut self.changed.edited, self.world, resource, slot);
        if let Some(before) = before
            && before != self.world.invoiced_by(slot)
        {
            let order = self.world.order_of(Resource::Invoices, slot);
            self.touch(Resource::PurchaseOrders, order);
        }
        self.approvals(resource, slot);
    }

    fn delete(&mut self, resource: Resource, slot: u32) {
        Self::note(&mut self.changed.deleted, self.world, resource, slot);
        let table = self.world.table_mut(resource);
        table.updated[slot as usize] = GONE;
        table.version += 1;
        self.members(resource, slot);
        self.approvals(resource, slot);
    }

    /// Adds a record, and before it whatever it will refer to.
    fn create(&mut self, resource: Resource) {
        match resource {
            Resource::PurchaseOrders => self.create_order(),
            Resource::Requisitions => self.create_requisition(),
            Resource::Invoices | Resource::ReceivingTransactions => {
                let slot = self.world.count(resource);
                let order = self.world.order_of(resource, slot);
                while self.world.count(Resource::PurchaseOrders) <= order {
                    self.create_order();
                }
                self.push(resource);
                if resource == Resource::ReceivingTransactions
                    || !self.world.invoiced_by(slot).is_empty()
                {
                    self.touch(Resource::PurchaseOrders, order);
                }
                self.approvals(resource, slot);
            }
            other => {
                let slot = self.push(other);
                self.members(other, slot);
            }
        }
    }

    fn create_order(&mut self) {
        let slot = self.push(Resource::PurchaseOrders);
        if let Some(requisition) = self.world.requisition_of(slot) {
            while self.world.count(Resource::Requisitions) <= requisition {
                self.create_requisition();
            }
        }
    }

    fn create_requisition(&mut self) {
        let slot = self.push(Resource::Requisitions);
        if self.world.requisition_is_ordered(slot) {
            while self.world.count(Resource::PurchaseOrders) < self.world.orders_of(slot).end {
                self.create_order();
            }
        }
        self.approvals(Resource::Requisitions, slot);
    }

    fn push(&mut self, resource: Resource) -> u32 {
        let slot = self.world.count(resource);
        let edit = Edit {
            revision: 0,
            created: Some(self.now),
        };
        let now = self.now;
        let table = self.world.table_mut(resource);
        table.edits.insert(slot, edit);
        table.updated.push(now);
        table.version += 1;
        self.world.register(resource, slot);
        Self::note(&mut self.changed.created, self.world, resource, slot);
        slot
    }

    /// A membership shows in its user and in its group.
    fn members(&mut self, resource: Resource, slot: u32) {
        if resource == Resource::UserGroupMemberships {
            let (user, group) = self.world.membership(slot);
            self.touch(Resource::Users, user);
            self.touch(Resource::UserGroups, group);
        }
    }

    /// Brings the approvals of a document up to its state.
    fn approvals(&mut self, resource: Resource, document: u32) {
        if !matches!(resource, Resource::Requisitions | Resource::Invoices) {
            return;
        }
        for slot in self.world.approval_slots(resource, document) {
            let table = self.world.table_mut(Resource::Approvals);
            while table.updated.len() <= slot as usize {
                table.updated.push(GONE);
            }
            let before = table.exists(slot);
            table.version += 1;
            let after = self.world.approval_exists(slot);
            let now = self.now;
            let table = self.world.table_mut(Resource::Approvals);
            match (before, after) {
                (false, true) => {
                    table.updated[slot as usize] = now;
                    table.edits.insert(
                        slot,
                        Edit {
                            revision: 0,
                            created: Some(now),
                        },
                    );
                    Self::note(
                        &mut self.changed.created,
                        self.world,
                        Resource::Approvals,
                        slot,
                    );
                }
                (true, true) => self.touch(Resource::Approvals, slot),
                (true, false) => {
                    table.updated[slot as usize] = GONE;
                    Self::note(
                        &mut self.changed.deleted,
                        self.world,
                        Resource::Approvals,
                        slot,
                    );
                }
                (false, false) => {}
            }
        }
    }
}

/// Writes a record: JSON laid over the one with its id, or a new one. Returns the id. Errors: a sentence.
pub(crate) fn upsert(
    world: &mut World,
    known: &Tree,
    resource: Resource,
    json: &serde_json::Value,
    now: i64,
) -> Result<i64, String> {
    let object = json.as_object().ok_or("a record is a JSON object")?;
    let id = match object.get("id") {
        Some(id) => id.as_i64().ok_or("id must be an integer")?,
        None => world.table(resource).last_id() + 1,
    };
    let mut record = match page::find(world, resource, id) {
        Some(row) => {
            let view = View {
                deleted_lines: true,
            };
            let mut record =
                page::tree_of(world, resource, row, &mut Plan::new(Selection::All), view);
            record.merge(json, Some(known));
            record
        }
        None => {
            let mut record = Tree::Object(vec![("id".into(), Tree::Int(id))]);
            record.set("created-at", Tree::Time(now));
            record.merge(json, Some(known));
            record
        }
    };
    let given = ["updated-at", "updated_at"]
        .into_iter()
        .any(|key| object.contains_key(key));
    let updated = match record.get("updated-at") {
        Some(Tree::Time(secs)) if given => *secs,
        _ => now,
    };
    if known.get("updated-at").is_some() {
        record.set("updated-at", Tree::Time(updated));
    }
    let table = world.table_mut(resource);
    table.stored.insert(id, Stored { record, updated });
    table.version += 1;
    Ok(id)
}

/// Deletes a record, whatever refers to it. False: there was none.
pub(crate) fn delete(world: &mut World, resource: Resource, id: i64) -> bool {
    let found = page::find(world, resource, id).is_some();
    let table = world.table_mut(resource);
    if let Some(slot) = table.slot(id) {
        table.updated[slot as usize] = GONE;
    }
    if let Some(stored) = table.stored.get_mut(&id) {
        stored.updated = GONE;
    }
    table.version += 1;
    found
}

/// Changes nothing but the stamp of a record. False: there was none.
pub(crate) fn touch(world: &mut World, resource: Resource, id: i64, now: i64) -> bool {
    let found = page::find(world, resource, id);
    let table = world.table_mut(resource);
    match found {
        Some(page::Row::Slot(slot)) => table.updated[slot as usize] = now,
        Some(page::Row::Stored(id)) => {
            if let Some(stored) = table.stored.get_mut(&id) {
                stored.updated = now;
                stored.record.set("updated-at", Tree::Time(now));
            }
        }
        None => return false,
    }
    table.version += 1;
    true
}
