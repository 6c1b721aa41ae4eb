//! Purchase orders: what was planned, what edits changed, what was received and invoiced so far.

use super::{
    Resource, View, World,
    dice::{Dice, mix},
    order_lines::{Order, extend},
};
use crate::{
    out::{Out, Scalar, Writer},
    zone::DAY,
};

const EDIT: u64 = 63;
const DETAIL: u64 = 64;

/// An order as it stands now.
pub struct OrderNow {
    pub order: Order,
    /// Version the supplier knows.
    pub version: i64,
    /// Received and invoiced by line: quantities (1/1,000) or, on amount lines, amounts (1/10,000).
    pub received: Vec<i64>,
    pub invoiced: Vec<i64>,
}

impl World {
    /// An order with its edits.
    pub fn order_now(&self, slot: u32) -> OrderNow {
        let mut order = self.order_plan(slot);
        let mut version = 1;
        for nth in 1..=self.revision(Resource::PurchaseOrders, slot) {
            let mut dice = Dice::new(self.seed(), EDIT + (u64::from(nth) << 16), u64::from(slot));
            version += i64::from(self.edit_order(&mut order, &mut dice));
        }
        let lines = order.lines.len();
        OrderNow {
            order,
            version,
            received: vec![0; lines],
            invoiced: vec![0; lines],
        }
    }

    /// One edit; true when the supplier has to see it.
    fn edit_order(&self, order: &mut Order, dice: &mut Dice) -> bool {
        let next = match order.status {
            "draft"
            | "buyer_hold"
            | "supplier_hold"
            | "currency_hold"
            | "supplier_window_hold"
            | "error" => dice.pick(&["issued", "cancelled", "issued"]),
            "issued" if dice.chance(350) => "closed",
            other => other,
        };
        if next != order.status {
            order.status = next;
            return false;
        }
        // A changed price or quantity on one line.
        let at = dice.below(order.lines.len() as u64) as usize;
        let currency = order.currency;
        let line = &mut order.lines[at];
        match line.quantity {
            Some(quantity) if dice.chance(500) => {
                line.quantity = Some(quantity + dice.between(1, 5) * 1_000)
            }
            Some(_) => line.price += line.price / 50 / 100 * 100 + 100,
            None => {
                line.price = self.round_money(line.price / 100 + line.price / 2_000, currency) * 100
            }
        }
        let total = line
            .quantity
            .map_or(line.price / 100, |quantity| extend(quantity, line.price));
        line.total = self.round_money(total, currency);
        true
    }

    /// Fills in what was received and invoiced so far.
    fn progress(&self, now: &mut OrderNow) {
        let slot = now.order.slot;
        // Receipts are made from the order as it was planned, whatever edits did to it later.
        let edited = self.revision(Resource::PurchaseOrders, slot) > 0;
        let plan = edited.then(|| self.order_plan(slot));
        for receipt in self.range_of(Resource::ReceivingTransactions, slot) {
            if self.table(Resource::ReceivingTransactions).exists(receipt) {
                let (line, value) = self.received_by(receipt, plan.as_ref().unwrap_or(&now.order));
                now.received[line] += value;
            }
        }
        for invoice in self.range_of(Resource::Invoices, slot) {
            if self.table(Resource::Invoices).exists(invoice) && self.is_backed(invoice) {
                for (line, value) in self.invoiced_by(invoice) {
                    now.invoiced[line] += value;
                }
            }
        }
    }

    pub(crate) fn write_order<O: Out>(&self, w: &mut Writer<'_, O>, slot: u32, view: View) {
        let mut now = self.order_now(slot);
        self.progress(&mut now);
        let (order, version) = (&now.order, now.version);
        let created = self.created(Resource::PurchaseOrders, slot);
        let revision = i64::from(self.revision(Resource::PurchaseOrders, slot));
        let roll = mix(self.seed(), DETAIL, u64::from(slot));
        let requisition = self.requisition_of(slot);
        let id = self.id(Resource::PurchaseOrders, slot);
        self.head(w, Resource::PurchaseOrders, slot);
        w.text("po-number", || self.po_number(slot));
        w.str("status", order.status);
        w.int("version", version);
        w.int("internal-revision", revision + (roll % 3) as i64);
        w.str(
            "transmission-status",
            match order.status {
                "issued" | "closed" | "exported" | "expensed" => [
                    "sent_via_email",
                    "sent_via_cxml",
                    "sent_manually",
                    "purchased_online",
                ][(roll >> 4) as usize % 4],
                "error" => "transmission_failure",
                _ => "created",
            },
        );
        w.str("transmission-method-override", "supplier_default");
        w.str("transmission-emails", "");
        w.str_opt(
            "confirmation-status",
            match (roll >> 6) % 5 {
                0 if order.out => Some("confirmed"),
                1 if order.out => Some("partially_confirmed"),
                _ => None,
            },
        );
        w.str(
            "change-type",
            if revision == 0 { "revision" } else { "change" },
        );
        let exported = order.out && (roll >> 9).is_multiple_of(3) && version == 1;
        w.bool("exported", exported);
        w.time_opt("last-exported-at", exported.then_some(created + 7_200));
        w.bool(
            "acknowledged-flag",
            order.out && (roll >> 11).is_multiple_of(2),
        );
        let acknowledged = order.out && (roll >> 11).is_multiple_of(2);
        w.time_opt(
            "acknowledged-at",
            acknowledged.then_some((created + DAY).min(self.shape.start.max(created))),
        );
        w.str(
            "payment-method",
            if roll.is_multiple_of(25) {
                "pcard"
            } else {
                "invoice"
            },
        );
        w.str(
            "ship-to-attention",
            ["Goods-in", "", "Reception"][(roll >> 13) as usize % 3],
        );
        w.bool("price-hidden", false);
        w.bool("invoice-stop", (roll >> 15).is_multiple_of(61));
        w.str_opt(
            "type",
            requisition.is_none().then_some("ExternalOrderHeader"),
        );
        w.nulls(&[
            "classification",
            "confirm-by-hrs",
            "coupa-accelerate-status",
            "order-confirmation-level",
            "reason-insight-code",
        ]);
        let shown: Vec<usize> = (0..order.lines.len())
            .filter(|n| view.deleted_lines || !order.lines[*n].removed)
            .collect();
        // Documented as tenant dependent: this tenant shows the total on three of four orders.
        let total = shown
            .iter()
            .filter(|n| !order.lines[**n].removed)
            .map(|n| order.lines[*n].total)
            .sum();
        w.money_opt("total", (!roll.is_multiple_of(4)).then_some(total));
        w.object("currency", |w| self.mini_currency(w, order.currency));
        w.object("supplier", |w| self.supplier_in_document(w, order.supplier));
        w.object("ship-to-address", |w| self.address_full(w, order.ship_to));
        w.object("ship-to-user", |w| self.mini_user(w, order.requester));
        w.object("payment-term", |w| {
            self.payment_term_full(w, self.suppliers[order.supplier as usize].term)
        });
        w.object_opt("requisition-header", requisition, |w, q| {
            self.requisition_in_order(w, q)
        });
        w.null_objects(&["supplier-site", "shipping-term", "pcard"]);
        w.list("order-lines", "order-line", shown, |w, nth| {
            self.write_order_line(w, &now, nth, created, id)
        });
        w.list(
            "attachments",
            "attachment",
            0..u64::from(roll.is_multiple_of(8)),
            |w, _| {
                self.attachment(w, id, created, "specification.pdf", order.requester);
            },
        );
        w.empty_lists(&[
            "milestones",
            "recurring-rules",
            "order-header-confirmations",
            "current-integration-history-records",
            "reason-insight-events",
            "user-group-members",
            "user-members",
        ]);
        self.tail(w, Resource::PurchaseOrders, slot);
        // Custom fields from before there was a namespace.
        let project = self.lookup_of(1, roll >> 21);
        w.field_object(
            "project2",
            (roll >> 19).is_multiple_of(3).then_some(project),
            |w, v| self.lookup_mini(w, v),
        );
        w.str(
            "buyer",
            if roll.is_multiple_of(7) {
                ""
            } else {
                "Central buying"
            },
        );
        w.object("custom-fields", |w| {
            w.str(
                "incoterms",
                ["DAP", "FCA", "", "EXW"][(roll >> 23) as usize % 4],
            );
            w.bool("rush", (roll >> 25).is_multiple_of(9));
        });
    }

    /// Usually the id; external orders bring their own.
    pub fn po_number(&self, slot: u32) -> String {
        let id = self.id(Resource::PurchaseOrders, slot);
        if self.requisition_of(slot).is_none() {
            format!("EXT-{id}")
        } else {
            id.to_string()
        }
    }

    fn write_order_line<O: Out>(
        &self,
        w: &mut Writer<'_, O>,
        now: &OrderNow,
        nth: usize,
        created: i64,
        header: i64,
    ) {
        let (order, line) = (&now.order, &now.order.lines[nth]);
        let slot = order.slot;
        let id = self.order_line_id(slot, nth);
        let roll = mix(self.seed(), DETAIL + 1, id as u64);
        let product = line.product();
        let (received, invoiced) = (now.received[nth], now.invoiced[nth]);
        let planned = line.quantity.unwrap_or(line.total);
        w.int("id", id);
        w.time("created-at", created);
        w.time("updated-at", self.updated(Resource::PurchaseOrders, slot));
        w.text("line-num", || (nth + 1).to_string());
        w.nulls(&["sub-line-num"]);
        w.str(
            "type",
            if line.quantity.is_some() {
                "OrderQuantityLine"
            } else {
                "OrderAmountLine"
            },
        );
        w.str("description", line.description());
        w.quantity_opt("quantity", line.quantity);
        w.price("price", line.price);
        w.money("total", line.total);
        let amounts = line.quantity.is_none();
        let progress = |units| match amounts {
            true => Scalar::Dec {
                units,
                scale: 4,
                least: 2,
            },
            false => Scalar::Dec {
                units,
                scale: 3,
                least: 1,
            },
        };
        w.scalar("received", progress(received));
        w.scalar("invoiced", progress(invoiced));
        w.money_of("accounting-total", || {
            self.in_chart(line.total, order.currency, order.chart, created)
        });
        w.money_of("reporting-total", || {
            self.in_chart(line.total, order.currency, 0, created)
        });
        w.str(
            "status",
            match order.status {
                _ if line.removed => "cancelled",
                "cancelled" => "cancelled",
                "closed" => "closed",
                _ if received > 0 && received < planned => "partially_received",
                _ if received > 0 => "received",
                _ => "created",
            },
        );
        w.day("need-by-date", line.need_by);
        w.str(
            "match-type",
            ["3-way", "2-way", "none", "3-way"][(roll % 4) as usize],
        );
        w.bool("receipt-required", roll.is_multiple_of(2));
        w.bool("receipt-approval-required", false);
        w.int("order-header-id", header);
        w.text("order-header-number", || self.po_number(slot));
        w.text("source-part-num", || match line.item {
            Some(item) => format!(
                "{}-{item:04}",
                self.suppliers[order.supplier as usize].number
            ),
            None => String::new(),
        });
        w.str_opt("supp-aux-part-num", None);
        w.scalar(
            "savings-pct",
            Scalar::Dec {
                units: (roll >> 9) as i64 % 1500,
                scale: 2,
                least: 2,
            },
        );
        w.str(
            "service-type",
            if amounts {
                "amount_deliverable"
            } else {
                "non_service"
            },
        );
        let requisition = self.requisition_of(slot);
        w.text("requisition-line-id", || match requisition {
            Some(_) => self.requisition_line_id(true, slot, nth).to_string(),
            None => String::new(),
        });
        w.int("version", now.version);
        w.bool("invoice-stop", false);
        w.nulls(&[
            "confirm-by-hrs",
            "easy-form-response-id",
            "external-reference-number",
            "external-reference-type",
            "minimum-order-quantity",
            "order-increment",
            "supplier-order-number",
            "supplier-site-id",
        ]);
        self.accounting(w, &line.accounts, line.total, order.currency, id, created);
        w.object("currency", |w| self.mini_currency(w, order.currency));
        w.object("accounting-total-currency", |w| {
            self.mini_currency(w, self.chart_currency(order.chart))
        });
        w.object("commodity", |w| {
            self.commodity_full(w, u32::from(product.commodity))
        });
        w.object_opt("item", line.item, |w, item| self.item_brief(w, item));
        w.object("uom", |w| self.uom(w, product.uom));
        w.object("supplier", |w| {
            w.int("id", self.id(Resource::Suppliers, order.supplier));
            w.str("name", &self.suppliers[order.supplier as usize].name);
        });
        w.object_opt("contract", line.contract, |w, contract| {
            self.contract_brief(w, contract)
        });
        w.object("department", |w| self.department_full(w, order.department));
        w.object("requester", |w| self.mini_user(w, order.requester));
        let period = line.accounts.split == super::order_lines::Split::None;
        w.object_opt("period", period.then_some(created), |w, t| {
            self.period(w, t, order.chart)
        });
        w.null_objects(&[
            "form-response",
            "third-party-supplier",
            "receiving-warehouse",
            "bulk-price",
            "line-owner",
        ]);
        w.empty_lists(&[
            "asset-tags",
            "attachments",
            "milestones",
            "amount-components",
            "supplier-schedule-lines",
        ]);
        w.str(
            "asset-class",
            ["", "IT", "Tooling"][(roll >> 15) as usize % 3],
        );
        w.object("custom-fields", |w| {
            w.field_object("cost-object", line.cost_object, |w, v| {
                self.lookup_mini(w, v)
            });
            w.bool("capex", product.trade == 1 && roll.is_multiple_of(2));
        });
    }

    pub(crate) fn attachment<O: Out>(
        &self,
        w: &mut Writer<'_, O>,
        document: i64,
        created: i64,
        file: &'static str,
        by: u32,
    ) {
        w.int("id", 700_000 + document);
        w.time("created-at", created);
        w.time("updated-at", created);
        w.str("type", "file");
        w.str("intent", "Supplier");
        w.str("file", file);
        w.str("file-file-name", file);
        w.str("file-content-type", "application/pdf");
        w.text("file-file-size", || {
            (document % 900_000 + 1_000).to_string()
        });
        w.text("file-url", || {
            format!("/attachments/{}/{file}", 700_000 + document)
        });
        w.object("created-by", |w| self.mini_user(w, by));
    }
}
