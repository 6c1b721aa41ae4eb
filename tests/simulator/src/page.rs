//! From a query to rows, and from rows to bytes.
//!
//! Ids and stamps are compared without making any record, so a page of a keyset scan costs what its fifty records
//! cost. Other conditions make, of each record in turn, just the members they look at.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use crate::{
    filter,
    json::Json,
    out::{Out, Style, Writer},
    query::{Answer, Condition, Op, Query},
    select::{Plan, Selection},
    tree::{Collect, Tree},
    world::{GONE, Resource, View, World},
    xml::Xml,
};

/// A row: a generated record by slot, or one that a test wrote by id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Row {
    Slot(u32),
    Stored(i64),
}

/// A sorted resource: last change, id, row; and the table version it was sorted for.
type Sorted = (u64, Arc<Vec<(i64, i64, Row)>>);

/// What is worth keeping between requests.
#[derive(Default)]
pub struct Kept {
    /// Plans that are not in use, by resource and selection.
    plans: Mutex<HashMap<(Resource, String), Vec<Plan>>>,
    known: Mutex<HashMap<Resource, Arc<Tree>>>,
    by_update: Mutex<HashMap<Resource, Sorted>>,
}

/// How rows are limited before any of them is made.
struct Bounds {
    ids: (i64, i64),
    updated: (i64, i64),
    rest: Vec<Condition>,
}

impl Kept {
    /// All attributes of a resource with their kinds, found by looking at records throughout the table.
    pub fn known(&self, world: &World, resource: Resource) -> Arc<Tree> {
        let mut known = self.known.lock().expect("no panic while it is held");
        let tree = known
            .entry(resource)
            .or_insert_with(|| Arc::new(sample(world, resource)));
        Arc::clone(tree)
    }

    /// Forgets what is known of a resource's attributes.
    pub fn forget(&self, resource: Resource) {
        self.known
            .lock()
            .expect("no panic while it is held")
            .remove(&resource);
    }

    /// Lends a plan for a selection.
    pub fn plan<T>(
        &self,
        resource: Resource,
        answer: &Answer,
        use_it: impl FnOnce(&mut Plan) -> T,
    ) -> Result<T, String> {
        let key = (
            resource,
            match answer {
                Answer::Full => "*".to_owned(),
                Answer::Limited => "limited".to_owned(),
                Answer::Shallow => "shallow".to_owned(),
                Answer::Fields(fields) => fields.clone(),
            },
        );
        let kept = self
            .plans
            .lock()
            .expect("no panic while it is held")
            .get_mut(&key)
            .and_then(Vec::pop);
        let mut plan = match kept {
            Some(plan) => plan,
            None => Plan::new(match answer {
                Answer::Full => Selection::All,
                Answer::Limited => Selection::paths([["id".to_owned()].as_slice()]),
                Answer::Shallow => Selection::Shallow,
                Answer::Fields(fields) => Selection::parse(fields)?,
            }),
        };
        let made = use_it(&mut plan);
        let mut plans = self.plans.lock().expect("no panic while it is held");
        if plans.len() > 500 {
            plans.clear();
        }
        plans.entry(key).or_default().push(plan);
        Ok(made)
    }

    /// The rows of a page, in order. Errors: sentences for a 400.
    pub fn rows(
        &self,
        world: &World,
        resource: Resource,
        query: &Query,
        ignore_unknown: bool,
    ) -> Result<Vec<Row>, String> {
        let known = self.known(world, resource);
        let mut bounds = Bounds {
            ids: (i64::MIN, i64::MAX),
            updated: (GONE + 1, i64::MAX),
            rest: Vec::new(),
        };
        for condition in &query.conditions {
            let mut condition = condition.clone();
            match filter::resolve(&mut condition, resource, &known) {
                Ok(()) => bounds.narrow(condition, world),
                Err(_) if ignore_unknown => {}
                Err(problem) => return Err(problem),
            }
        }
        let mut order = Condition {
            path: query.order_by.clone(),
            op: Op::Eq,
            value: String::new(),
        };
        if !order.path.is_empty() {
            match filter::resolve(&mut order, resource, &known) {
                Err(problem) if problem.starts_with("unknown") => return Err(problem),
                // The value is not meant to fit: only the name was in question.
                _ => {}
            }
        }
        let paths = bounds.rest.iter().map(|c| c.path.as_slice());
        let mut plan = Plan::new(Selection::paths(paths));
        let mut left = (query.offset, query.limit);
        let mut found = Vec::new();
        let mut take = |row: Row| {
            if left.1 == 0 {
                return false;
            }
            if bounds.rest.is_empty() || bounds.meets(world, resource, row, &mut plan, query) {
                if left.0 > 0 {
                    left.0 -= 1;
                } else {
                    found.push(row);
                    left.1 -= 1;
                }
            }
            left.1 > 0
        };
        match order.path.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            [] | ["id"] => visit(
                world,
                resource,
                &bounds,
                query.descending && !order.path.is_empty(),
                &mut take,
            ),
            ["updated-at"] => {
                let sorted = self.sorted(world, resource);
                let from = sorted.partition_point(|(updated, ..)| *updated < bounds.updated.0);
                let to = sorted.partition_point(|(updated, ..)| *updated <= bounds.updated.1);
                let inside =
                    |(_, id, _): &&(i64, i64, Row)| *id >= bounds.ids.0 && *id <= bounds.ids.1;
                let rows = sorted[from..to.max(from)].iter();
                let mut each = |(_, _, row): &(i64, i64, Row)| take(*row);
                if query.descending {
                    rows.rev().filter(inside).all(&mut each);
                } else {
                    rows.filter(inside).all(&mut each);
                }
            }
            _ => {
                let mut all = Vec::new();
                visit(world, resource, &bounds, false, &mut |row| {
                    all.push(row);
                    true
                });
                let mut key = Plan::new(Selection::paths([order.path.as_slice()]));
                let value = |row: &Row, key: &mut Plan| {
                    let tree = tree_of(
                        world,
                        resource,
                        *row,
                        key,
                        View {
                            deleted_lines: query.deleted_lines,
                        },
                    );
                    order
                        .path
                        .iter()
                        .try_fold(&tree, |at, name| at.get(name))
                        .cloned()
                };
                let mut keyed: Vec<_> = all
                    .into_iter()
                    .map(|row| (value(&row, &mut key), row))
                    .collect();
                keyed.sort_by(|(a, _), (b, _)| {
                    let order = filter::order(a.as_ref(), b.as_ref(), world.zone());
                    if query.descending {
                        order.reverse()
                    } else {
                        order
                    }
                });
                keyed.into_iter().all(|(_, row)| take(row));
            }
        }
        Ok(found)
    }

    fn sorted(&self, world: &World, resource: Resource) -> Arc<Vec<(i64, i64, Row)>> {
        let table = world.table(resource);
        let mut kept = self.by_update.lock().expect("no panic while it is held");
        if let Some((version, sorted)) = kept.get(&resource)
            && *version == table.version
        {
            return Arc::clone(sorted);
        }
        let mut all = Vec::new();
        let open = Bounds {
            ids: (i64::MIN, i64::MAX),
            updated: (GONE + 1, i64::MAX),
            rest: Vec::new(),
        };
        visit(world, resource, &open, false, &mut |row| {
            let (id, updated) = stamp(world, resource, row);
            all.push((updated, id, row));
            true
        });
        all.sort_unstable_by_key(|(updated, id, _)| (*updated, *id));
        let sorted = Arc::new(all);
        kept.insert(resource, (table.version, Arc::clone(&sorted)));
        sorted
    }
}

impl Bounds {
    fn narrow(&mut self, condition: Condition, world: &World) {
        let range = match condition
            .path
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>()[..]
        {
            ["id"] => &mut self.ids,
            ["updated-at"] => &mut self.updated,
            _ => return self.rest.push(condition),
        };
        let value = match condition.path[0].as_str() {
            "id" => condition.value.parse().ok(),
            _ => crate::zone::parse_moment(&condition.value),
        };
        let _ = world;
        match (condition.op, value) {
            (Op::Gt, Some(value)) => range.0 = range.0.max(value.saturating_add(1)),
            (Op::GtOrEq, Some(value)) => range.0 = range.0.max(value),
            (Op::Lt, Some(value)) => range.1 = range.1.min(value.saturating_sub(1)),
            (Op::LtOrEq, Some(value)) => range.1 = range.1.min(value),
            (Op::Eq, Some(value)) => *range = (range.0.max(value), range.1.min(value)),
            _ => self.rest.push(condition),
        }
    }

    fn meets(
        &self,
        world: &World,
        resource: Resource,
        row: Row,
        plan: &mut Plan,
        query: &Query,
    ) -> bool {
        let tree = tree_of(
            world,
            resource,
            row,
            plan,
            View {
                deleted_lines: query.deleted_lines,
            },
        );
        self.rest
            .iter()
            .all(|condition| filter::meets(&tree, condition, world.zone()))
    }
}

/// Id and last change of a row.
fn stamp(world: &World, resource: Resource, row: Row) -> (i64, i64) {
    match row {
        Row::Slot(slot) => (world.id(resource, slot), world.updated(resource, slot)),
        Row::Stored(id) => (id, world.table(resource).stored[&id].updated),
    }
}

/// Visits rows within bounds by id until `take` has enough.
fn visit(
    world: &World,
    resource: Resource,
    bounds: &Bounds,
    descending: bool,
    take: &mut dyn FnMut(Row) -> bool,
) {
    let table = world.table(resource);
    let (low, high) = bounds.ids;
    if low > high {
        return;
    }
    let from = table.slot_from(low);
    let to = if high == i64::MAX {
        table.updated.len() as u32
    } else {
        table.slot_from(high + 1)
    };
    let within = |updated: i64| updated >= bounds.updated.0 && updated <= bounds.updated.1;
    if table.stored.is_empty() {
        let stamps = &table.updated[from as usize..to.max(from) as usize];
        let rows = stamps
            .iter()
            .enumerate()
            .filter(|(_, u)| within(**u))
            .map(|(n, _)| Row::Slot(from + n as u32));
        if descending {
            rows.rev().all(take);
        } else {
            let mut rows = rows;
            rows.all(take);
        }
        return;
    }
    let mut rows: Vec<(i64, Row)> = Vec::new();
    for slot in from..to {
        let id = table.id(slot);
        if within(table.updated[slot as usize]) && !table.stored.contains_key(&id) {
            rows.push((id, Row::Slot(slot)));
        }
    }
    for (id, stored) in table.stored.range(low..=high) {
        if within(stored.updated) {
            rows.push((*id, Row::Stored(*id)));
        }
    }
    rows.sort_unstable_by_key(|(id, _)| *id);
    if descending {
        rows.reverse();
    }
    rows.into_iter().all(|(_, row)| take(row));
}

/// Writes one record.
fn write<O: Out>(w: &mut Writer<'_, O>, world: &World, resource: Resource, row: Row, view: View) {
    w.record(resource.meta().model, |w| match row {
        Row::Slot(slot) => world.write(w, resource, slot, view),
        Row::Stored(id) => {
            if let Tree::Object(members) = &world.table(resource).stored[&id].record {
                w.members(members);
            }
        }
    });
}

/// One record, or of it what a plan selects, as a tree.
pub fn tree_of(world: &World, resource: Resource, row: Row, plan: &mut Plan, view: View) -> Tree {
    tree_in_style(world, resource, row, plan, view, world.style)
}

fn tree_in_style(
    world: &World,
    resource: Resource,
    row: Row,
    plan: &mut Plan,
    view: View,
    style: Style,
) -> Tree {
    let mut w = Writer::new(Collect::default(), style, plan);
    write(&mut w, world, resource, row, view);
    w.out.done.unwrap_or(Tree::Null)
}

/// Rows as JSON: a bare array, or one object.
pub fn json(
    world: &World,
    resource: Resource,
    rows: &[Row],
    one: bool,
    plan: &mut Plan,
    view: View,
) -> Vec<u8> {
    let mut buffer = Vec::with_capacity(256 + rows.len() * 4096);
    if !one {
        buffer.push(b'[');
    }
    let mut w = Writer::new(
        Json {
            buffer: &mut buffer,
        },
        world.style,
        plan,
    );
    for row in rows {
        write(&mut w, world, resource, *row, view);
    }
    if !one {
        buffer.push(b']');
    }
    buffer
}

/// Rows as XML with its prolog.
pub fn xml(
    world: &World,
    resource: Resource,
    rows: &[Row],
    one: bool,
    plan: &mut Plan,
    view: View,
) -> Vec<u8> {
    let mut buffer = b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_vec();
    let models = resource.meta().models;
    if !one {
        buffer.extend_from_slice(format!("<{models} type=\"array\">").as_bytes());
    }
    let mut w = Writer::new(
        Xml {
            buffer: &mut buffer,
        },
        world.style,
        plan,
    );
    for row in rows {
        write(&mut w, world, resource, *row, view);
    }
    if !one {
        buffer.extend_from_slice(format!("</{models}>").as_bytes());
    }
    buffer
}

/// The row of an id.
pub fn find(world: &World, resource: Resource, id: i64) -> Option<Row> {
    let table = world.table(resource);
    match table.stored.get(&id) {
        Some(stored) => (stored.updated != GONE).then_some(Row::Stored(id)),
        None => table.slot(id).map(Row::Slot),
    }
}

/// All rows of a resource by id.
pub fn all(world: &World, resource: Resource) -> Vec<Row> {
    let mut rows = Vec::new();
    let open = Bounds {
        ids: (i64::MIN, i64::MAX),
        updated: (GONE + 1, i64::MAX),
        rest: Vec::new(),
    };
    visit(world, resource, &open, false, &mut |row| {
        rows.push(row);
        true
    });
    rows
}

fn sample(world: &World, resource: Resource) -> Tree {
    let rows = all(world, resource);
    let mut plan = Plan::new(Selection::All);
    let style = Style {
        null_associations: true,
        ..world.style
    };
    let view = View {
        deleted_lines: true,
    };
    let mut known = Tree::Object(Vec::new());
    let step = (rows.len() / 250).max(1);
    let mut chosen: Vec<Row> = rows.iter().copied().step_by(step).collect();
    chosen.extend(rows.iter().filter(|row| matches!(row, Row::Stored(_))));
    for row in chosen {
        known.widen(tree_in_style(world, resource, row, &mut plan, view, style));
    }
    known
}
