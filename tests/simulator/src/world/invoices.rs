//! Invoices and credit notes as Coupa prints them.

use super::{
    Resource, World,
    dice::mix,
    invoice_lines::{Credited, Invoice},
    reference::TERMS,
};
use crate::out::{Out, Scalar, Writer};

const DETAIL: u64 = 95;

impl World {
    /// The number printed on an invoice. Suppliers number in their own ways.
    fn invoice_number(&self, slot: u32, supplier: u32, day: i32) -> String {
        let year = crate::zone::civil(i64::from(day)).0;
        match supplier % 5 {
            0 => format!("INV-{year}-{:05}", slot + 1),
            1 => format!("{}", 4_000_000 + slot),
            2 => format!("R{year}/{:05}", slot + 1),
            3 => format!("{:010}", slot + 7),
            _ => format!("{supplier}.{}.{}", year % 100, slot + 1),
        }
    }

    pub(crate) fn write_invoice<O: Out>(&self, w: &mut Writer<'_, O>, slot: u32) {
        let invoice = self.invoice_now(slot);
        let roll = mix(self.seed(), DETAIL, u64::from(slot));
        let (net, tax, gross) = (invoice.net(), invoice.tax(), invoice.gross());
        let credit = invoice.credits.is_some();
        self.head(w, Resource::Invoices, slot);
        w.text("invoice-number", || {
            self.invoice_number(slot, invoice.supplier, invoice.day)
        });
        w.day("invoice-date", invoice.day);
        w.str("status", invoice.status);
        // Coupa's documentation prints the type with a space; a null stands for an invoice.
        let unnamed = !credit && roll.is_multiple_of(50);
        w.str_opt(
            "document-type",
            match credit {
                true => Some("Credit Note"),
                false if unnamed => None,
                false => Some("Invoice"),
            },
        );
        w.bool("is-credit-note", credit);
        self.invoice_original(w, &invoice);
        w.bool("line-level-taxation", invoice.line_taxes);
        self.invoice_sums(w, &invoice, net, tax, gross);
        self.invoice_dates(w, &invoice, roll);
        w.bool("paid", invoice.paid);
        let marked = invoice.paid && invoice.payments.is_empty();
        let paid_day = if marked {
            Some(self.due_day(&invoice))
        } else {
            invoice.payments.last().map(|p| p.day)
        };
        w.day_opt("payment-date", if invoice.paid { paid_day } else { None });
        w.str(
            "payment-notes",
            if marked { "Paid by bank run" } else { "" },
        );
        w.str("payment-channel", "erp");
        w.bool(
            "exported",
            invoice.status == "approved" && roll.is_multiple_of(3),
        );
        let exported = invoice.status == "approved" && roll.is_multiple_of(3);
        w.time_opt(
            "last-exported-at",
            exported.then(|| self.created(Resource::Invoices, slot) + 5_400),
        );
        w.bool(
            "canceled",
            invoice.status == "voided" && roll.is_multiple_of(2),
        );
        w.bool("compliant", invoice.chart != 0);
        w.bool("supplier-created", roll.is_multiple_of(2));
        w.str(
            "channel",
            ["csp", "email", "cxml", "manual"][(roll >> 9) as usize % 4],
        );
        w.text("internal-note", || match (invoice.notes, slot % 67) {
            (0, 13) => super::catalog::HOSTILE[slot as usize % 14].to_owned(),
            (0, n) if n % 5 == 0 => "Checked by AP".to_owned(),
            (0, _) => String::new(),
            (n, _) => format!("Moved on {n} times"),
        });
        w.str_opt(
            "supplier-note",
            roll.is_multiple_of(13)
                .then_some("Thank you for your business"),
        );
        w.str("comments", "");
        let failed = matches!(invoice.status, "ap_hold" | "pending_action");
        w.str_opt(
            "tolerance-failures",
            failed.then_some("Unit price over order price"),
        );
        w.int("lock-version-key", i64::from(invoice.notes));
        w.int("line-count", invoice.lines.len() as i64);
        w.text("image-scan", || match roll % 4 {
            0 => String::new(),
            _ => format!("invoice_headers/{slot}/scan.pdf"),
        });
        self.invoice_nulls(w);
        self.invoice_parties(w, &invoice, roll);
        self.invoice_lists(w, &invoice, roll);
        self.tail(w, Resource::Invoices, slot);
        // A custom field from before there was a namespace, at the root.
        w.text("gl-memo", || {
            if roll.is_multiple_of(6) {
                String::new()
            } else {
                format!("Q{} accrual", roll % 4 + 1)
            }
        });
        w.object("custom-fields", |w| {
            let code = self.lookup_of(1, roll >> 23);
            w.field_object(
                "project-code",
                (roll >> 17).is_multiple_of(3).then_some(code),
                |w, v| self.lookup_mini(w, v),
            );
            w.str(
                "approval-memo",
                if (roll >> 19).is_multiple_of(4) {
                    "as agreed"
                } else {
                    ""
                },
            );
            w.bool("prepaid", (roll >> 21).is_multiple_of(30));
        });
    }

    fn invoice_original<O: Out>(&self, w: &mut Writer<'_, O>, invoice: &Invoice) {
        w.text_opt(
            "original-invoice-number",
            invoice.credits,
            |credited| match credited {
                Credited::Invoice(slot) => {
                    self.invoice_number(slot, invoice.supplier, self.invoice_now(slot).day)
                }
                Credited::Before(n) => format!("OLD-{n}"),
            },
        );
        w.day_opt(
            "original-invoice-date",
            invoice.credits.map(|credited| match credited {
                Credited::Invoice(slot) => self.invoice_now(slot).day,
                Credited::Before(_) => invoice.day - 90,
            }),
        );
        w.str_opt("credit-reason", invoice.credits.map(|_| "Goods returned"));
    }

    fn invoice_sums<O: Out>(
        &self,
        w: &mut Writer<'_, O>,
        invoice: &Invoice,
        net: i64,
        tax: i64,
        gross: i64,
    ) {
        let rate = invoice.tax_rate;
        w.money_opt("tax-amount", (!invoice.line_taxes).then_some(tax));
        w.scalar(
            "tax-rate",
            match invoice.line_taxes {
                true => Scalar::Null,
                false => Scalar::Num {
                    units: rate,
                    scale: 2,
                },
            },
        );
        let numeric = w.style.numeric_charges;
        for (key, units) in ["shipping-amount", "handling-amount", "misc-amount"]
            .into_iter()
            .zip(invoice.charges)
        {
            // With taxes on lines, charges are rows of their own.
            let units = if invoice.line_taxes { 0 } else { units };
            w.scalar(
                key,
                match numeric {
                    true => Scalar::Num { units, scale: 4 },
                    false => Scalar::Dec {
                        units,
                        scale: 4,
                        least: 2,
                    },
                },
            );
        }
        w.money("gross-total", gross);
        w.money("total-with-taxes", gross);
        w.money_opt("supplier-total", (invoice.slot % 3 != 1).then_some(gross));
        w.money(
            "amount-due",
            if invoice.paid {
                0
            } else {
                gross - invoice.paid_amount()
            },
        );
        let term = TERMS[self.suppliers[invoice.supplier as usize].term as usize % TERMS.len()];
        let discount = (term.4 > 0 && gross > 0)
            .then(|| self.round_money(net / 1000 * term.5, invoice.currency));
        w.money_opt("discount-amount", discount);
        w.scalar(
            "discount-percent",
            Scalar::Num {
                units: term.5,
                scale: 1,
            },
        );
        let to = self.chart_currency(invoice.chart);
        let month = self.month_of(self.created(Resource::Invoices, invoice.slot));
        let units = self.rate(invoice.currency, to, month);
        w.scalar(
            "exchange-rate",
            match invoice.currency == to {
                true => Scalar::Null,
                false => Scalar::Dec {
                    units,
                    scale: 9,
                    least: 2,
                },
            },
        );
    }

    fn invoice_dates<O: Out>(&self, w: &mut Writer<'_, O>, invoice: &Invoice, roll: u64) {
        let term = TERMS[self.suppliers[invoice.supplier as usize].term as usize % TERMS.len()];
        w.day("net-due-date", self.due_day(invoice));
        w.day_opt(
            "discount-due-date",
            (term.4 > 0).then_some(invoice.day + term.4 as i32),
        );
        w.day_opt(
            "date-received",
            (!roll.is_multiple_of(5)).then_some(invoice.created_day),
        );
        w.day_opt(
            "delivery-date",
            roll.is_multiple_of(3).then_some(invoice.day - 2),
        );
    }

    fn invoice_nulls<O: Out>(&self, w: &mut Writer<'_, O>) {
        w.nulls(&[
            "advance-payment-received-amount",
            "amount-due-less-discount",
            "amount-of-advance-payment",
            "archive-entity-id",
            "buyer-representative-name",
            "cash-accounting-scheme-reference",
            "clearance-document",
            "confirmation",
            "content-validation",
            "customer-account-number",
            "customs-declaration-date",
            "customs-declaration-number",
            "customs-office",
            "delivery-number",
            "dispute-method",
            "early-payment-provisions",
            "folio-number",
            "form-of-payment",
            "freight-type",
            "gross-total-less-discount",
            "image-scan-url",
            "image-scan-content-type",
            "image-scan-file-name",
            "image-scan-file-size",
            "inbox-name",
            "invoice-issuance-time",
            "invoice-reference-number",
            "issuance-place",
            "late-payment-penalties",
            "margin-scheme",
            "municipal-tax-number",
            "nature-of-operation",
            "net-total-less-discount",
            "origin-currency-gross",
            "origin-currency-net",
            "payment-method",
            "payment-order-number",
            "payment-order-reference",
            "place-of-supply",
            "pre-payment-date",
            "protocol-number",
            "reverse-charge-reference",
            "self-billing-reference",
            "sender-email",
            "series",
            "signed-qr-code",
            "split-payment-mechanism",
            "tax-amount-engine",
            "tax-code-engine",
            "tax-rate-engine",
            "taxes-in-origin-country-currency",
            "transaction-uuid",
            "type-of-document",
            "type-of-receipt",
            "use-of-invoice",
            "verification-code",
            "withholding-tax-override",
        ]);
    }

    fn invoice_parties<O: Out>(&self, w: &mut Writer<'_, O>, invoice: &Invoice, roll: u64) {
        w.object("account-type", |w| self.account_type_full(w, invoice.chart));
        w.object("currency", |w| self.mini_currency(w, invoice.currency));
        w.object("supplier", |w| {
            self.supplier_in_document(w, invoice.supplier)
        });
        w.object_opt(
            "remit-to-address",
            (!roll.is_multiple_of(7)).then_some(invoice.supplier),
            |w, s| self.remit_to(w, s),
        );
        let addresses = u64::from(self.base(Resource::Addresses));
        w.object("bill-to-address", |w| self.address_full(w, invoice.chart));
        w.object("ship-to-address", |w| {
            self.address_full(w, ((roll >> 25) % addresses) as u32)
        });
        w.object("payment-term", |w| {
            self.payment_term_full(w, self.suppliers[invoice.supplier as usize].term)
        });
        w.object_opt(
            "requested-by",
            (roll >> 27).is_multiple_of(2).then_some(invoice.requester),
            |w, u| {
                self.mini_user(w, u);
            },
        );
        let contract = if roll.is_multiple_of(11) {
            self.contract_of(invoice.supplier, roll)
        } else {
            None
        };
        w.object_opt("contract", contract, |w, c| self.contract_brief(w, c));
        let code = (!invoice.line_taxes).then_some(invoice.tax_rate);
        w.object_opt("tax-code", code, |w, rate| {
            self.tax_code(w, invoice.chart, rate)
        });
        w.null_objects(&[
            "shipping-term",
            "supplier-remit-to",
            "invoice-from-address",
            "ship-from-address",
            "supplier-site",
            "buyer-tax-registration",
            "supplier-tax-registration",
            "origin-country",
            "destination-country",
            "inbound-invoice",
            "pay-invoice",
            "abandon-reason",
        ]);
    }
}
