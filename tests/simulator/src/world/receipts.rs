//! Receiving transactions: one for each line received, voids and returns as records of their own.

use super::{Resource, World, dice::mix, order_lines::Order};
use crate::{
    out::{Out, Scalar, Writer},
    zone::DAY,
};

const RECEIPT: u64 = 81;
const DETAIL: u64 = 82;

/// What a receipt does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Act {
    Receive,
    /// Takes back the receipt before it.
    Void,
    /// Sends a part back to the supplier.
    Return,
}

impl World {
    fn act(&self, slot: u32, order: u32) -> Act {
        let first = self.range_of(Resource::ReceivingTransactions, order).start;
        let roll = |slot: u32| mix(self.seed(), RECEIPT, u64::from(slot)) % 1000;
        // Only what was received can be taken back, so the first of an order always receives, and nothing
        // follows upon a void or a return but a receipt.
        if slot == first || roll(slot) >= 60 || roll(slot - 1) < 60 {
            Act::Receive
        } else if roll(slot) < 30 {
            Act::Void
        } else {
            Act::Return
        }
    }

    /// Line and value (quantity in 1/1,000, or amount in 1/10,000) that a receipt adds to its order.
    pub fn received_by(&self, slot: u32, order: &Order) -> (usize, i64) {
        let range = self.range_of(Resource::ReceivingTransactions, order.slot);
        match self.act(slot, order.slot) {
            Act::Void => {
                let (line, value) = self.received_by(slot - 1, order);
                (line, -value)
            }
            Act::Return => {
                let (line, value) = self.received_by(slot - 1, order);
                (line, -(value / 4_000 * 1_000).max(value.min(1_000)))
            }
            Act::Receive => {
                let lines = order.lines.len() as u32;
                let line = ((slot - range.start) % lines) as usize;
                // How many receipts this line gets, and which of them this one is.
                let parts = i64::from((range.end - range.start - line as u32).div_ceil(lines));
                let part = i64::from((slot - range.start) / lines);
                let at = &order.lines[line];
                let whole = at.quantity.unwrap_or(at.total);
                let step = if at.quantity.is_some() { 1_000 } else { 100 };
                let upto = |part: i64| whole * part / parts / step * step;
                let mut value = if part + 1 == parts {
                    whole - upto(part)
                } else {
                    upto(part + 1) - upto(part)
                };
                // Some deliveries stay short.
                if mix(self.seed(), RECEIPT + 1, u64::from(slot)).is_multiple_of(9)
                    && value >= 4 * step
                {
                    value -= value / 4 / step * step;
                }
                (line, value)
            }
        }
    }

    pub(crate) fn write_receipt<O: Out>(&self, w: &mut Writer<'_, O>, slot: u32) {
        let order_slot = self.order_of(Resource::ReceivingTransactions, slot);
        let order = self.order_plan(order_slot);
        let act = self.act(slot, order_slot);
        let (nth, value) = self.received_by(slot, &order);
        let line = &order.lines[nth];
        let roll = mix(self.seed(), DETAIL, u64::from(slot));
        let revision = self.revision(Resource::ReceivingTransactions, slot);
        let created = self.created(Resource::ReceivingTransactions, slot);
        let by_quantity = line.quantity.is_some();
        let stocked = |slot: u32| {
            line.item.is_some() && mix(self.seed(), DETAIL, u64::from(slot)).is_multiple_of(6)
        };
        let kind = match (act, by_quantity) {
            (Act::Receive, true) if stocked(slot) => "InventoryReceipt",
            (Act::Receive, true) => "ReceivingQuantityConsumption",
            (Act::Receive, false) => "ReceivingAmountConsumption",
            (Act::Void, true) if stocked(slot - 1) => "VoidInventoryReceipt",
            (Act::Void, true) => "VoidReceivingQuantityConsumption",
            (Act::Void, false) => "VoidReceivingAmountConsumption",
            (Act::Return, true) => "ReceivingQuantityReturnToSupplier",
            (Act::Return, false) => "ReceivingAmountReturnToSupplier",
        };
        // The value is printed without its sign: the type says whether it adds or takes away.
        let value = value.abs();
        let total = if by_quantity {
            super::order_lines::extend(value, line.price)
        } else {
            value
        };
        self.head(w, Resource::ReceivingTransactions, slot);
        w.str("type", kind);
        w.str("status", "created");
        w.quantity_opt("quantity", by_quantity.then_some(value));
        w.price("price", line.price);
        w.money("total", total);
        w.time("transaction-date", created - (roll % 3) as i64 * DAY);
        w.text("match-reference", || {
            if roll.is_multiple_of(3) {
                format!("DN{:06}", roll % 900_000)
            } else {
                String::new()
            }
        });
        w.int("receipts-batch-id", 1_000 + i64::from(order_slot));
        let original =
            (act != Act::Receive).then(|| self.id(Resource::ReceivingTransactions, slot - 1));
        w.int_opt("original-transaction-id", original);
        w.scalar(
            "voided-value",
            match act {
                Act::Void if by_quantity => Scalar::Dec {
                    units: value,
                    scale: 3,
                    least: 1,
                },
                Act::Void => Scalar::Dec {
                    units: value,
                    scale: 4,
                    least: 2,
                },
                _ => Scalar::Null,
            },
        );
        w.bool("exported", revision > 0 || roll.is_multiple_of(2));
        w.time_opt(
            "last-exported-at",
            roll.is_multiple_of(2).then_some(created + 3_600),
        );
        w.text("comments", || match (revision, slot % 53) {
            (0, 11) => super::catalog::HOSTILE[slot as usize % 14].to_owned(),
            (0, _) => String::new(),
            (n, _) => format!("Checked {n} times"),
        });
        w.nulls(&["barcode", "rfid-tag", "received-weight", "notes"]);
        let id = self.order_line_id(order_slot, nth);
        self.accounting(
            w,
            &line.accounts,
            total,
            order.currency,
            400_000_000 + i64::from(slot),
            created,
        );
        w.object("currency", |w| self.mini_currency(w, order.currency));
        w.object("uom", |w| self.uom(w, line.product().uom));
        w.object_opt("item", line.item, |w, item| self.item_brief(w, item));
        w.object("order-line", |w| {
            w.int("id", id);
            w.text("line-num", || (nth + 1).to_string());
            w.int(
                "order-header-id",
                self.id(Resource::PurchaseOrders, order_slot),
            );
            w.text("order-header-number", || self.po_number(order_slot));
            w.str("description", line.description());
            w.str(
                "type",
                if by_quantity {
                    "OrderQuantityLine"
                } else {
                    "OrderAmountLine"
                },
            );
            w.quantity_opt("quantity", line.quantity);
            w.price("price", line.price);
            w.money("total", line.total);
            w.object("supplier", |w| {
                w.int("id", self.id(Resource::Suppliers, order.supplier));
                w.str("name", &self.suppliers[order.supplier as usize].name);
            });
            w.object("currency", |w| self.mini_currency(w, order.currency));
        });
        w.null_objects(&[
            "asn-line",
            "asn-header",
            "inspection-code",
            "from-warehouse-location",
            "to-warehouse-location",
            "reason-insight",
        ]);
        w.list(
            "attachments",
            "attachment",
            0..u64::from(roll.is_multiple_of(20)),
            |w, _| {
                self.attachment(
                    w,
                    300_000 + i64::from(slot),
                    created,
                    "delivery-note.pdf",
                    order.requester,
                );
            },
        );
        w.empty_lists(&[
            "asset-tags",
            "current-integration-history-records",
            "inventory-transaction-valuations",
        ]);
        self.tail(w, Resource::ReceivingTransactions, slot);
        w.object("custom-fields", |w| {
            w.str("gate", ["", "North", "South"][(roll >> 9) as usize % 3])
        });
    }
}
