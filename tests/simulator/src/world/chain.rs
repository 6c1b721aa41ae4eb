//! Which document belongs to which: requisition, order, receipt, invoice.
//!
//! The n-th of `a` receipts belongs to about the (n·b/a)-th of `b` orders, so both sides are arithmetic: an
//! order's receipts are a short range. An order that can not be received or invoiced (draft, on hold, cancelled)
//! leaves its range to the one before it. The same numbers serve records made after the start, which is why only
//! the counts of the history enter.

use std::ops::Range;

use super::{Resource, World, dice::mix};

const ELIGIBLE: u64 = 31;
const BACKED: u64 = 32;
const ORDERED: u64 = 33;

impl World {
    /// Whether an order went out to its supplier, so that it can be received and invoiced.
    #[inline]
    pub fn order_is_out(&self, order: u32) -> bool {
        order == 0 || mix(self.seed(), ELIGIBLE, u64::from(order)) % 1000 < 880
    }

    /// The order a receipt or an invoice is about.
    #[inline]
    pub fn order_of(&self, document: Resource, slot: u32) -> u32 {
        let orders = u64::from(self.base(Resource::PurchaseOrders).max(1));
        let documents = u64::from(self.base(document).max(1));
        let mut order = (u64::from(slot) * orders / documents) as u32;
        while !self.order_is_out(order) {
            order -= 1;
        }
        order
    }

    /// Slots of receipts or invoices that fall to an order, existing or not yet.
    #[inline]
    pub fn range_of(&self, document: Resource, order: u32) -> Range<u32> {
        if !self.order_is_out(order) {
            return 0..0;
        }
        let orders = u64::from(self.base(Resource::PurchaseOrders).max(1));
        let documents = u64::from(self.base(document).max(1));
        let mut next = order + 1;
        while !self.order_is_out(next) {
            next += 1;
        }
        let first = |order: u32| (u64::from(order) * documents).div_ceil(orders) as u32;
        first(order)..first(next)
    }

    /// Whether an invoice is about an order at all.
    #[inline]
    pub fn is_backed(&self, invoice: u32) -> bool {
        mix(self.seed(), BACKED, u64::from(invoice)) % 1000 < 780
    }

    /// Which of the order's invoices this one is, and how many there are.
    pub fn place_among_invoices(&self, invoice: u32, order: u32) -> (u32, u32) {
        let (mut place, mut count) = (0, 0);
        for slot in self.range_of(Resource::Invoices, order) {
            if self.is_backed(slot) {
                place += u32::from(slot < invoice);
                count += 1;
            }
        }
        (place, count)
    }

    /// Whether a requisition has become orders.
    #[inline]
    pub fn requisition_is_ordered(&self, requisition: u32) -> bool {
        mix(self.seed(), ORDERED, u64::from(requisition)) % 1000 < 820
            && !self.orders_of(requisition).is_empty()
    }

    /// The orders a requisition became, if it did.
    pub fn orders_of(&self, requisition: u32) -> Range<u32> {
        let orders = u64::from(self.base(Resource::PurchaseOrders).max(1));
        let requisitions = u64::from(self.base(Resource::Requisitions).max(1));
        let first =
            |requisition: u32| (u64::from(requisition) * orders).div_ceil(requisitions) as u32;
        first(requisition)..first(requisition + 1)
    }

    /// The requisition an order came from; `None` for external orders.
    #[inline]
    pub fn requisition_of(&self, order: u32) -> Option<u32> {
        let orders = u64::from(self.base(Resource::PurchaseOrders).max(1));
        let requisitions = u64::from(self.base(Resource::Requisitions));
        if requisitions == 0 {
            return None;
        }
        let requisition = (u64::from(order) * requisitions / orders) as u32;
        self.requisition_is_ordered(requisition)
            .then_some(requisition)
    }

    /// Distance between the first line ids of two documents that follow each other.
    #[inline]
    pub fn line_stride(&self) -> i64 {
        self.shape
            .lines
            .map_or(16, |lines| i64::from(lines).max(12) + 4)
    }

    #[inline]
    pub fn order_line_id(&self, order: u32, line: usize) -> i64 {
        10_001 + i64::from(order) * self.line_stride() + line as i64
    }

    #[inline]
    pub fn invoice_line_id(&self, invoice: u32, line: usize) -> i64 {
        200_001 + i64::from(invoice) * self.line_stride() + line as i64
    }

    /// Lines of requisitions that became orders have odd ids, the others even ones.
    #[inline]
    pub fn requisition_line_id(&self, of_order: bool, document: u32, line: usize) -> i64 {
        20_000 + 2 * (i64::from(document) * self.line_stride() + line as i64) + i64::from(of_order)
    }
}
