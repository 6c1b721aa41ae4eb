//! The rows of an invoice as Coupa prints them: lines, charges, taxes, payments.

use super::{
    Resource, World,
    dice::mix,
    invoice_lines::{Invoice, InvoiceLine},
    order_lines::{Accounts, Split},
};
use crate::out::{Out, Scalar, Writer};

const ROW: u64 = 96;
const CHARGES: [(&str, &str); 3] = [
    ("InvoiceShippingCharge", "Shipping"),
    ("InvoiceHandlingCharge", "Handling"),
    ("InvoiceMiscCharge", "Miscellaneous"),
];

impl World {
    pub(super) fn invoice_lists<O: Out>(
        &self,
        w: &mut Writer<'_, O>,
        invoice: &Invoice,
        roll: u64,
    ) {
        let (slot, created) = (invoice.slot, self.created(Resource::Invoices, invoice.slot));
        w.list(
            "invoice-lines",
            "invoice-line",
            invoice.lines.iter().enumerate(),
            |w, (nth, line)| {
                self.write_invoice_line(w, invoice, nth, line, created);
            },
        );
        let charges = if invoice.line_taxes {
            invoice.charges
        } else {
            [0; 3]
        };
        let taxes = invoice.charge_taxes();
        let charges = (0..3).filter(|n| charges[*n] != 0);
        w.list("invoice-charges", "invoice-charge", charges, |w, nth| {
            let id = 5_000_000 + i64::from(slot) * 4 + nth as i64;
            w.int("id", id);
            w.str("type", CHARGES[nth].0);
            w.str("description", CHARGES[nth].1);
            w.money("total", invoice.charges[nth]);
            w.int("line-num", (invoice.lines.len() + nth + 1) as i64);
            w.bool("distributed", nth == 1);
            w.nulls(&["pct", "billing-note"]);
            let accounts = Accounts {
                first: invoice.lines[0].line.accounts.first,
                split: Split::None,
                others: [0; 2],
            };
            self.accounting(
                w,
                &accounts,
                invoice.charges[nth],
                invoice.currency,
                id,
                created,
            );
            w.object("currency", |w| self.mini_currency(w, invoice.currency));
            w.list("tax-lines", "tax-line", [()], |w, ()| {
                self.tax_line(w, invoice, id, invoice.charges[nth], taxes[nth]);
            });
        });
        let headed = (!invoice.line_taxes && invoice.tax_rate > 0).then_some(());
        w.list("tax-lines", "tax-line", headed, |w, ()| {
            self.tax_line(w, invoice, i64::from(slot), invoice.net(), invoice.tax());
        });
        let withheld = (invoice.withholding_rate > 0).then_some(invoice.withholding_rate);
        w.list(
            "withholding-tax-lines",
            "withholding-tax-line",
            withheld,
            |w, rate| {
                let amount = self.round_money(invoice.net() / 10_000 * rate, invoice.currency);
                w.int("id", 8_000_000 + i64::from(slot));
                w.money("amount", amount);
                w.money("withholding-amount", amount);
                w.money("base", invoice.net());
                w.scalar(
                    "rate",
                    Scalar::Num {
                        units: rate,
                        scale: 2,
                    },
                );
                w.str("code", "WHT");
                w.str("description", "Withholding tax on services");
            },
        );
        w.list(
            "payments",
            "payment",
            invoice.payments.iter().enumerate(),
            |w, (nth, payment)| {
                let moment = self.zone().midnight(payment.day) + 9 * 3600;
                w.int("id", 6_000_000 + i64::from(slot) * 4 + nth as i64);
                w.time("created-at", moment);
                w.time("updated-at", moment);
                w.money("amount-paid", payment.amount);
                w.day("payment-date", payment.day);
                w.text("notes", || format!("CHK{:06}", slot * 3 + nth as u32));
                w.str_opt("check-number", None);
                w.int("payable-id", self.id(Resource::Invoices, slot));
                w.str("payable-type", "InvoiceHeader");
            },
        );
        let approvals = self.approvals_of_invoice(slot);
        w.list("approvals", "approval", approvals, |w, a| {
            self.write_approval(w, a)
        });
        w.list(
            "attachments",
            "attachment",
            0..u64::from(roll.is_multiple_of(3)),
            |w, _| {
                self.attachment(
                    w,
                    200_000 + i64::from(slot),
                    created,
                    "invoice.pdf",
                    invoice.requester,
                );
            },
        );
        w.list(
            "dispute-reasons",
            "dispute-reason",
            (invoice.status == "disputed").then_some(()),
            |w, ()| {
                w.int("id", 4);
                w.str("code", "PRICE");
                w.str("description", "Price differs from order");
            },
        );
        w.list(
            "taggings",
            "tagging",
            roll.is_multiple_of(40).then_some(()),
            |w, ()| {
                w.int("id", 90_000 + i64::from(slot));
                w.object("tag", |w| {
                    w.int("id", 3);
                    w.str("name", "year-end");
                });
            },
        );
        w.empty_lists(&[
            "invoice-payment-receipts",
            "current-integration-history-records",
            "failed-tolerances",
        ]);
    }

    fn write_invoice_line<O: Out>(
        &self,
        w: &mut Writer<'_, O>,
        invoice: &Invoice,
        nth: usize,
        at: &InvoiceLine,
        created: i64,
    ) {
        let line = &at.line;
        let id = self.invoice_line_id(invoice.slot, nth);
        let roll = mix(self.seed(), ROW, id as u64);
        let product = line.product();
        let line_tax = if invoice.line_taxes { at.tax } else { 0 };
        w.int("id", id);
        w.time("created-at", created);
        w.time("updated-at", created);
        w.int("line-num", nth as i64 + 1);
        w.str(
            "type",
            if line.quantity.is_some() {
                "InvoiceQuantityLine"
            } else {
                "InvoiceAmountLine"
            },
        );
        w.str("description", line.description());
        w.quantity_opt("quantity", line.quantity);
        if at.long_price && line.price > 0 {
            // Wider than nine decimals: Coupa allows twenty on invoice prices.
            let text = format!(
                "{}.{:06}789012",
                line.price / 1_000_000,
                line.price % 1_000_000
            );
            w.scalar("price", Scalar::DecText(&text));
        } else {
            w.price("price", line.price);
        }
        w.money("total", line.total);
        w.money_of("accounting-total", || {
            self.in_chart(line.total, invoice.currency, invoice.chart, created)
        });
        w.str_opt(
            "status",
            Some(if at.order_line.is_some() {
                "matched"
            } else {
                "new"
            }),
        );
        w.int_opt(
            "order-line-id",
            at.order_line.map(|(order, n)| self.order_line_id(order, n)),
        );
        w.text_opt("po-number", at.order_line, |(order, _)| {
            self.po_number(order)
        });
        w.text_opt("order-header-num", at.order_line, |(order, _)| {
            self.po_number(order)
        });
        w.text_opt("order-line-num", at.order_line, |(_, n)| {
            (n + 1).to_string()
        });
        w.text("source-part-num", || match line.item {
            Some(item) => format!(
                "{}-{item:04}",
                self.suppliers[invoice.supplier as usize].number
            ),
            None => String::new(),
        });
        w.money("tax-amount", line_tax);
        w.scalar(
            "tax-rate",
            match invoice.line_taxes {
                true => Scalar::Num {
                    units: invoice.tax_rate,
                    scale: 2,
                },
                false => Scalar::Null,
            },
        );
        w.str(
            "billing-note",
            if roll.is_multiple_of(30) {
                "Split with plant 2"
            } else {
                ""
            },
        );
        w.str("category", product_category(product.trade));
        w.str_opt(
            "subcategory",
            (product.trade == 5).then_some("raw_materials"),
        );
        w.str("unspsc", product.unspsc);
        let adjusted = invoice.credits.is_some();
        w.str_opt(
            "adjustment-type",
            adjusted.then_some(if line.quantity.is_some() {
                "quantity"
            } else {
                "price"
            }),
        );
        w.money_opt(
            "discount-amount",
            roll.is_multiple_of(45)
                .then_some(line.total.abs() / 50 / 100 * 100),
        );
        for key in [
            "shipping-distribution-total",
            "handling-distribution-total",
            "misc-distribution-total",
        ] {
            w.money(key, 0);
        }
        w.nulls(&[
            "classification-of-goods",
            "company-uom",
            "customs-declaration-number",
            "delivery-note-number",
            "fiscal-code",
            "hsn-sac-code",
            "item-barcode",
            "match-reference",
            "municipality-taxation-code",
            "net-weight",
            "order-line-source-part-num",
            "original-date-of-supply",
            "price-per-uom",
            "property-tax-account",
            "supp-aux-part-num",
            "tax-code-engine",
            "tax-description",
            "tax-location",
            "tax-supply-date",
        ]);
        self.accounting(
            w,
            &line.accounts,
            line.total,
            invoice.currency,
            100_000_000 + id,
            created,
        );
        w.object("currency", |w| self.mini_currency(w, invoice.currency));
        w.object("accounting-total-currency", |w| {
            self.mini_currency(w, self.chart_currency(invoice.chart))
        });
        w.object("uom", |w| self.uom(w, product.uom));
        w.object_opt("item", line.item, |w, item| self.item_brief(w, item));
        w.object("commodity", |w| {
            self.commodity_full(w, u32::from(product.commodity))
        });
        w.object_opt("contract", line.contract, |w, contract| {
            self.contract_brief(w, contract)
        });
        let coded = (invoice.line_taxes && !roll.is_multiple_of(4)).then_some(invoice.tax_rate);
        w.object_opt("tax-code", coded, |w, rate| {
            self.tax_code(w, invoice.chart, rate)
        });
        let whole = line.accounts.split == Split::None;
        w.object_opt("period", whole.then_some(created), |w, t| {
            self.period(w, t, invoice.chart)
        });
        w.null_objects(&["bulk-price", "weight-uom", "order-line-commodity"]);
        w.list(
            "tax-lines",
            "tax-line",
            invoice.line_taxes.then_some(()),
            |w, ()| {
                self.tax_line(w, invoice, id, line.total, at.tax);
            },
        );
        w.empty_lists(&["withholding-tax-lines", "taggings", "failed-tolerances"]);
        w.str(
            "line-memo",
            if roll.is_multiple_of(5) { "accrue" } else { "" },
        );
        w.object("custom-fields", |w| {
            w.field_object("cost-object", line.cost_object, |w, v| {
                self.lookup_mini(w, v)
            });
            w.str(
                "service-period",
                if line.quantity.is_none() {
                    "monthly"
                } else {
                    ""
                },
            );
        });
    }

    pub(super) fn tax_code<O: Out>(&self, w: &mut Writer<'_, O>, chart: u32, rate: i64) {
        w.int("id", i64::from(chart) * 10_000 + rate + 1);
        w.text("code", || {
            format!(
                "{}{:02}",
                ["US", "EU", "UK"][chart as usize % 3],
                rate / 100
            )
        });
        w.text("description", || {
            format!("{}.{:02} %", rate / 100, rate % 100)
        });
        w.scalar(
            "percentage",
            Scalar::Num {
                units: rate,
                scale: 2,
            },
        );
    }

    fn tax_line<O: Out>(
        &self,
        w: &mut Writer<'_, O>,
        invoice: &Invoice,
        of: i64,
        net: i64,
        tax: i64,
    ) {
        w.int("id", 20_000_000 + of);
        w.money("amount", tax);
        w.scalar(
            "rate",
            Scalar::Num {
                units: invoice.tax_rate,
                scale: 2,
            },
        );
        w.money("taxable-amount", net);
        w.money("base", net);
        w.text("code", || {
            format!(
                "{}{:02}",
                ["US", "EU", "UK"][invoice.chart as usize % 3],
                invoice.tax_rate / 100
            )
        });
        w.str(
            "description",
            if invoice.chart == 0 {
                "Sales tax"
            } else {
                "VAT"
            },
        );
        w.nulls(&[
            "basis",
            "kind-of-factor",
            "nature-of-tax",
            "supplier-rate",
            "withholding-amount",
        ]);
        w.object("tax-code", |w| {
            self.tax_code(w, invoice.chart, invoice.tax_rate)
        });
    }
}

fn product_category(trade: u8) -> &'static str {
    match trade {
        1 | 2 | 5 => "goods",
        _ => "services",
    }
}
