//! Requisitions: those that became orders hold the lines of these orders, the others lines of their own.

use super::{
    Resource, World,
    dice::{Dice, mix},
    order_lines::OrderLine,
};
use crate::{
    out::{Out, Writer},
    zone::DAY,
};

const REQUISITION: u64 = 71;
const EDIT: u64 = 72;

struct Line {
    line: OrderLine,
    supplier: u32,
    currency: u8,
    chart: u32,
    /// Order and line it became.
    ordered: Option<(u32, usize)>,
    id: i64,
}

/// What is known without looking at the lines.
pub struct RequisitionHead {
    pub requester: u32,
    pub department: u32,
    pub ship_to: u32,
    pub status: &'static str,
    pub ordered: bool,
}

impl World {
    fn requisition_base(&self, slot: u32) -> RequisitionHead {
        let mut dice = Dice::new(self.seed(), REQUISITION, u64::from(slot));
        let ordered = self.requisition_is_ordered(slot);
        let requester = match ordered {
            true => self.order_plan(self.orders_of(slot).start).requester,
            false => self.employee(dice.below(1 << 32)),
        };
        let age = (self.shape.start - self.created(Resource::Requisitions, slot)) / DAY;
        let status = match (ordered, age > 60) {
            (true, true) => dice.weighted(&[
                ("received", 70),
                ("partially_received", 18),
                ("ordered", 12),
            ]),
            (true, false) => dice.weighted(&[
                ("ordered", 60),
                ("partially_received", 25),
                ("received", 15),
            ]),
            (false, true) => dice.weighted(&[
                ("abandoned", 45),
                ("withdrawn", 25),
                ("draft", 14),
                ("cart", 10),
                ("approved", 6),
                ("backgrounded", 2),
            ]),
            (false, false) => dice.weighted(&[
                ("pending_approval", 45),
                ("pending_buyer_action", 18),
                ("draft", 14),
                ("cart", 10),
                ("approved", 8),
                ("backgrounded", 5),
            ]),
        };
        RequisitionHead {
            requester,
            department: self.users[requester as usize].department,
            ship_to: dice.below(u64::from(self.base(Resource::Addresses))) as u32,
            status,
            ordered,
        }
    }

    /// A requisition with its edits, without its lines.
    pub fn requisition_now(&self, slot: u32) -> RequisitionHead {
        let mut head = self.requisition_base(slot);
        for nth in 1..=self.revision(Resource::Requisitions, slot) {
            let mut dice = Dice::new(self.seed(), EDIT + (u64::from(nth) << 16), u64::from(slot));
            head.status = match head.status {
                "cart" => "draft",
                "draft" | "backgrounded" => {
                    dice.pick(&["pending_buyer_action", "pending_approval"])
                }
                "pending_buyer_action" => {
                    dice.pick(&["pending_approval", "abandoned", "pending_approval"])
                }
                "pending_approval" => dice.pick(&["approved", "approved", "withdrawn"]),
                "ordered" => "partially_received",
                "partially_received" => "received",
                other => other,
            };
        }
        head
    }

    fn requisition_lines(&self, slot: u32, ordered: bool) -> Vec<Line> {
        if ordered {
            let mut lines = Vec::new();
            for order_slot in self.orders_of(slot) {
                let order = self.order_plan(order_slot);
                for (nth, line) in order.lines.iter().enumerate() {
                    lines.push(Line {
                        line: *line,
                        supplier: order.supplier,
                        currency: order.currency,
                        chart: order.chart,
                        ordered: Some((order_slot, nth)),
                        id: self.requisition_line_id(true, order_slot, nth),
                    });
                }
            }
            return lines;
        }
        let mut dice = Dice::new(self.seed(), REQUISITION + 1, u64::from(slot));
        let supplier = self.buy_from(&mut dice);
        let chart = dice.below(3) as u32;
        let currency = self.suppliers[supplier as usize].currency;
        let day = self
            .zone()
            .day_of(self.created(Resource::Requisitions, slot));
        let count = self
            .shape
            .lines
            .map_or_else(|| 1 + dice.skewed(6), u64::from);
        let line = |nth| Line {
            line: self.line(&mut dice, supplier, currency, chart, day),
            supplier,
            currency,
            chart,
            ordered: None,
            id: self.requisition_line_id(false, slot, nth as usize),
        };
        (0..count).map(line).collect()
    }

    fn title(&self, slot: u32) -> &'static str {
        [
            "",
            "Licences renewal",
            "Plant spares",
            "Team event",
            "Spring catalogue",
            "Wartungsvertrag",
        ][slot as usize % 6]
    }

    /// A requisition as its orders carry it.
    pub(crate) fn requisition_in_order<O: Out>(&self, w: &mut Writer<'_, O>, slot: u32) {
        let head = self.requisition_base(slot);
        self.head_nested(w, Resource::Requisitions, slot);
        w.str("req-title", self.title(slot));
        w.object("requester", |w| self.mini_user(w, head.requester));
        w.object("requested-by", |w| self.mini_user(w, head.requester));
        w.object("department", |w| self.department_full(w, head.department));
    }

    pub(crate) fn write_requisition<O: Out>(&self, w: &mut Writer<'_, O>, slot: u32) {
        let head = self.requisition_now(slot);
        let lines = self.requisition_lines(slot, head.ordered);
        let roll = mix(self.seed(), REQUISITION + 2, u64::from(slot));
        let revision = self.revision(Resource::Requisitions, slot);
        let created = self.created(Resource::Requisitions, slot);
        let submitted = !matches!(head.status, "draft" | "cart");
        let id = self.id(Resource::Requisitions, slot);
        // One currency in the header: that of the chart, as the sum of lines in several currencies needs one.
        let chart = lines.first().map_or(0, |l| l.chart);
        let total: i64 = lines
            .iter()
            .map(|l| self.in_chart(l.line.total, l.currency, chart, created))
            .sum();
        self.head(w, Resource::Requisitions, slot);
        w.str("status", head.status);
        w.str("req-title", self.title(slot));
        w.text("justification", || match roll % 40 {
            7 => super::catalog::HOSTILE[slot as usize % 14].to_owned(),
            n if n < 20 => "Needed for the running project.".to_owned(),
            _ => String::new(),
        });
        w.text("buyer-note", || {
            if revision == 0 {
                String::new()
            } else {
                format!("Checked, round {revision}")
            }
        });
        w.str(
            "ship-to-attention",
            if roll.is_multiple_of(3) {
                "Goods-in"
            } else {
                ""
            },
        );
        w.day_opt(
            "need-by-date",
            (!roll.is_multiple_of(4)).then(|| {
                lines
                    .iter()
                    .map(|l| l.line.need_by)
                    .min()
                    .unwrap_or_default()
            }),
        );
        w.time_opt("submitted-at", submitted.then_some(created + 1_800));
        w.int("line-count", lines.len() as i64);
        w.money("total", total);
        w.money("mobile-total", total);
        w.bool("exported", false);
        w.str_opt(
            "reject-reason-comment",
            (head.status == "withdrawn").then_some("Not in budget"),
        );
        w.bool("price-hidden", false);
        w.nulls(&[
            "last-exported-at",
            "external-po-reference",
            "receiving-warehouse-id",
        ]);
        w.object("currency", |w| {
            self.mini_currency(w, self.chart_currency(chart))
        });
        w.object("mobile-currency", |w| {
            self.mini_currency(w, self.chart_currency(chart))
        });
        w.object("requested-by", |w| self.mini_user(w, head.requester));
        w.object("department", |w| self.department_full(w, head.department));
        w.object("ship-to-address", |w| self.address_full(w, head.ship_to));
        w.null_objects(&["pcard"]);
        let approvals = self.approvals_of_requisition(slot);
        let current = approvals
            .iter()
            .copied()
            .find(|a| self.approval_is_pending(*a));
        w.object_opt("current-approval", current, |w, a| {
            self.write_approval(w, a)
        });
        w.list("approvals", "approval", approvals, |w, a| {
            self.write_approval(w, a)
        });
        w.list(
            "requisition-lines",
            "requisition-line",
            lines.iter().enumerate(),
            |w, (nth, line)| {
                self.write_requisition_line(w, line, nth, &head, created);
            },
        );
        w.list(
            "attachments",
            "attachment",
            0..u64::from(roll.is_multiple_of(12)),
            |w, _| {
                self.attachment(w, 100_000 + id, created, "quote.pdf", head.requester);
            },
        );
        w.empty_lists(&[
            "current-parallel-approvals",
            "milestones",
            "recurring-rules",
            "taggings",
            "tags",
        ]);
        self.tail(w, Resource::Requisitions, slot);
        w.str(
            "business-case",
            if roll.is_multiple_of(5) {
                "BC-2024"
            } else {
                ""
            },
        );
        w.object("custom-fields", |w| {
            let code = self.lookup_of(1, roll >> 17);
            w.field_object(
                "project-code",
                (roll >> 15).is_multiple_of(2).then_some(code),
                |w, v| self.lookup_mini(w, v),
            );
            w.str(
                "sourcing-needed",
                if roll.is_multiple_of(2) { "No" } else { "" },
            );
        });
    }

    fn write_requisition_line<O: Out>(
        &self,
        w: &mut Writer<'_, O>,
        at: &Line,
        nth: usize,
        head: &RequisitionHead,
        created: i64,
    ) {
        let line = &at.line;
        let product = line.product();
        w.int("id", at.id);
        w.time("created-at", created);
        w.time("updated-at", created);
        w.int("line-num", nth as i64 + 1);
        w.nulls(&["sub-line-num"]);
        w.str(
            "line-type",
            if line.quantity.is_some() {
                "RequisitionQuantityLine"
            } else {
                "RequisitionAmountLine"
            },
        );
        w.str("description", line.description());
        w.quantity_opt("quantity", line.quantity);
        w.price("unit-price", line.price);
        w.money("total", line.total);
        w.day("need-by-date", line.need_by);
        w.str(
            "source-type",
            match (line.item, nth % 5) {
                (Some(_), _) => "Catalog Item",
                (None, 0) => "Punchout",
                (None, 1) => "Web Form",
                _ => "Non-Catalog Request",
            },
        );
        w.text("source-part-num", || match line.item {
            Some(item) => format!("{}-{item:04}", self.suppliers[at.supplier as usize].number),
            None => String::new(),
        });
        w.str("status", head.status);
        w.int_opt(
            "order-line-id",
            at.ordered
                .map(|(order, line)| self.order_line_id(order, line)),
        );
        w.str("unspsc-code", product.unspsc);
        w.bool("receipt-required", line.quantity.is_some());
        w.nulls(&[
            "supp-aux-part-num",
            "manufacturer-name",
            "manufacturer-part-number",
            "minimum-order-quantity",
            "order-increment",
            "easy-form-response-id",
            "form-response",
            "supplier-site-id",
            "transmission-emails",
            "image-url",
            "service-type",
        ]);
        self.accounting(w, &line.accounts, line.total, at.currency, at.id, created);
        w.object("currency", |w| self.mini_currency(w, at.currency));
        w.object("uom", |w| self.uom(w, product.uom));
        w.object("commodity", |w| {
            self.commodity_full(w, u32::from(product.commodity))
        });
        w.object_opt("item", line.item, |w, item| self.item_brief(w, item));
        w.object("supplier", |w| {
            w.int("id", self.id(Resource::Suppliers, at.supplier));
            w.str("name", &self.suppliers[at.supplier as usize].name);
        });
        w.object_opt("contract", line.contract, |w, contract| {
            self.contract_brief(w, contract)
        });
        w.object("payment-term", |w| {
            self.payment_term_full(w, self.suppliers[at.supplier as usize].term)
        });
        w.null_objects(&[
            "shipping-term",
            "period",
            "punchout-site",
            "line-owner",
            "supplier-site",
        ]);
        w.empty_lists(&["asset-tags", "attachments", "milestones", "taggings"]);
        w.object("custom-fields", |w| {
            w.field_object("cost-object", line.cost_object, |w, v| {
                self.lookup_mini(w, v)
            });
        });
    }
}
