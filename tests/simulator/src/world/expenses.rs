//! Expense reports: travel, meals, and software that people pay with the company's card.

use super::{
    Resource, World,
    catalog::{HOSTILE, catalog},
    dice::{Dice, mix},
    order_lines::{Accounts, Split},
};
use crate::{
    out::{Out, Scalar, Writer},
    zone::DAY,
};

const EXPENSE: u64 = 111;
const EDIT: u64 = 112;

/// Category, merchants, low and high dollars.
const CATEGORIES: [(&str, &[&str], i64, i64); 8] = [
    ("Software & subscriptions", &[], 9, 980),
    (
        "Airfare",
        &["Pacific Wings", "AeroNord", "Blue Delta Air"],
        120,
        2_400,
    ),
    (
        "Hotel",
        &["Osprey Hotels", "Quayside Inn", "Casa Miró"],
        90,
        640,
    ),
    (
        "Meals",
        &["Brasserie Léon", "Sushi 大将", "The Corner Café"],
        8,
        180,
    ),
    (
        "Ground transport",
        &["City Cab", "Railjet", "GoScoot"],
        4,
        140,
    ),
    ("Mileage", &["Own car"], 12, 210),
    (
        "Phone & internet",
        &["Skylark Mobile", "Beacon Telecom"],
        19,
        120,
    ),
    (
        "Training & events",
        &["Quayside Events", "CloudConf"],
        190,
        2_600,
    ),
];

const AUDIT: [&str; 4] = [
    "Verified Receipt Online",
    "Verified Unattached Receipt",
    "Waiting for Receipt",
    "No Receipt Required",
];

struct Line {
    category: usize,
    merchant: String,
    amount: i64,
    foreign: Option<(u8, i64)>,
    day: i32,
    account: u32,
    split: Split,
    by_card: bool,
    hostile: bool,
}

impl World {
    pub fn expense_is_draft(&self, slot: u32) -> bool {
        self.expense_status(slot) == "draft"
    }

    fn expense_status(&self, slot: u32) -> &'static str {
        let age = (self.shape.start - self.created(Resource::ExpenseReports, slot)) / DAY;
        let mut dice = Dice::new(self.seed(), EXPENSE, u64::from(slot));
        let mut status = if age > 45 {
            dice.weighted(&[
                ("paid", 82),
                ("approved_for_payment", 8),
                ("draft", 5),
                ("approved", 5),
            ])
        } else {
            dice.weighted(&[
                ("draft", 15),
                ("working", 8),
                ("pending_approval", 30),
                ("pending_info", 7),
                ("approved", 12),
                ("accounting_review", 8),
                ("approved_for_payment", 10),
                ("scheduled_for_payment", 5),
                ("paid", 5),
            ])
        };
        for nth in 1..=self.revision(Resource::ExpenseReports, slot) {
            let mut dice = Dice::new(self.seed(), EDIT + (u64::from(nth) << 16), u64::from(slot));
            status = match status {
                "draft" | "working" => "pending_approval",
                "pending_info" => "pending_approval",
                "pending_approval" => dice.pick(&["approved", "approved", "pending_info", "draft"]),
                "approved" => dice.pick(&["accounting_review", "approved_for_payment"]),
                "accounting_review" => "approved_for_payment",
                "approved_for_payment" => "scheduled_for_payment",
                _ => "paid",
            };
        }
        status
    }

    fn expense_lines(
        &self,
        slot: u32,
        dice: &mut Dice,
        currency: u8,
        chart: u32,
        created: i64,
    ) -> Vec<Line> {
        let count = 1 + dice.skewed(7);
        let catalog = catalog();
        let day = self.zone().day_of(created);
        let line = |nth: u64| {
            let category = if dice.chance(230) {
                0
            } else {
                1 + dice.below(7) as usize
            };
            let (_, merchants, low, high) = CATEGORIES[category];
            let merchant = match category {
                // Card statements print names in their own way.
                0 => {
                    let vendor = dice.pick(&catalog.vendors);
                    match dice.below(4) {
                        0 => format!("{}*SUBSCR", vendor.to_uppercase()),
                        1 => format!("{vendor} *TRIAL OVER"),
                        _ => vendor.to_owned(),
                    }
                }
                _ => dice.pick(merchants).to_owned(),
            };
            let usd = dice.between(low * 1_000, high * 1_000) * 1_000;
            let amount = self.round_money(self.price_in(usd, currency) / 100, currency);
            let foreign = dice.chance(150).then(|| {
                let other = dice.below(11) as u8;
                (
                    other,
                    self.round_money(self.price_in(usd, other) / 100, other),
                )
            });
            Line {
                category,
                merchant,
                amount,
                foreign,
                day: day - dice.between(0, 20) as i32,
                account: self.account_for(
                    chart,
                    if category == 0 { 0 } else { 3 },
                    dice.below(1 << 20),
                ),
                split: if dice.chance(40) {
                    Split::SixtyForty
                } else {
                    Split::None
                },
                by_card: dice.chance(450),
                hostile: (u64::from(slot) * 7 + nth).is_multiple_of(211),
            }
        };
        (0..count).map(line).collect()
    }

    pub(crate) fn write_expense_report<O: Out>(&self, w: &mut Writer<'_, O>, slot: u32) {
        let status = self.expense_status(slot);
        let created = self.created(Resource::ExpenseReports, slot);
        let revision = self.revision(Resource::ExpenseReports, slot);
        let mut dice = Dice::new(self.seed(), EXPENSE + 1, u64::from(slot));
        let by = self.employee(dice.below(1 << 32));
        let chart = dice.below(3) as u32;
        let currency = self.chart_currency(chart);
        let lines = self.expense_lines(slot, &mut dice, currency, chart, created);
        let total: i64 = lines.iter().map(|l| l.amount).sum();
        let own: i64 = lines.iter().filter(|l| !l.by_card).map(|l| l.amount).sum();
        let submitted = !matches!(status, "draft" | "working");
        let paid = status == "paid";
        let trip = dice.chance(400);
        let day = self.zone().day_of(created);
        self.head(w, Resource::ExpenseReports, slot);
        w.str("status", status);
        w.text("title", || match slot % 59 {
            17 => HOSTILE[slot as usize % 14].to_owned(),
            n => format!(
                "{} {}",
                ["Customer visit", "Conference", "Monthly", "Office"][n as usize % 4],
                slot + 1
            ),
        });
        w.money("total", total);
        w.money("reimbursable-total-amount", own);
        w.time_opt("submitted-at", submitted.then_some(created + 3_600));
        w.bool("paid", paid);
        w.str("payment-channel", "erp");
        w.bool("exported", paid);
        w.time_opt(
            "last-exported-at",
            paid.then_some((created + DAY).min(self.shape.start.max(created))),
        );
        w.int("audit-score", dice.between(0, 100));
        w.text("auditor-note", || {
            if revision == 0 {
                String::new()
            } else {
                format!("Round {revision}")
            }
        });
        w.str_opt(
            "reject-reason",
            (status == "draft" && revision > 0).then_some("Receipt missing"),
        );
        w.bool("past-due", !paid && self.shape.start - created > 60 * DAY);
        w.day("report-due-date", day + 30);
        w.bool("is-trip", trip);
        w.scalar(
            "start-date",
            if trip {
                Scalar::Date(day - 10)
            } else {
                Scalar::Null
            },
        );
        w.scalar(
            "end-date",
            if trip {
                Scalar::Date(day - 6)
            } else {
                Scalar::Null
            },
        );
        w.nulls(&[
            "erp-document-id",
            "erp-document-status",
            "external-src-name",
            "external-src-ref",
            "report-warnings",
        ]);
        w.object("currency", |w| self.mini_currency(w, currency));
        w.object("reimbursable-total-currency", |w| {
            self.mini_currency(w, currency)
        });
        w.object("expensed-by", |w| self.mini_user(w, by));
        w.object_opt("submitted-by", submitted.then_some(by), |w, u| {
            self.mini_user(w, u)
        });
        w.object_opt("payment", paid.then_some(own), |w, amount| {
            w.int("id", 7_500_000 + i64::from(slot));
            w.money("amount-paid", amount);
            w.day("payment-date", day + 14);
            w.str("notes", "Payroll run");
        });
        w.null_objects(&["travel-trip"]);
        w.list(
            "expense-lines",
            "expense-line",
            lines.iter().enumerate(),
            |w, (nth, line)| {
                self.write_expense_line(w, slot, nth, line, currency, chart, by);
            },
        );
        w.empty_lists(&[
            "approvals",
            "comments",
            "events",
            "expense-violations",
            "expense-policy-violations",
            "expense-report-preapprovals",
        ]);
        self.tail(w, Resource::ExpenseReports, slot);
        w.object("custom-fields", |w| {
            let region = self.lookup_of(2, u64::from(slot));
            w.field_object(
                "region",
                slot.is_multiple_of(3).then_some(region),
                |w, v| self.lookup_mini(w, v),
            );
        });
    }

    #[allow(
        clippy::too_many_arguments,
        reason = "a line has no record of its own to carry these"
    )]
    fn write_expense_line<O: Out>(
        &self,
        w: &mut Writer<'_, O>,
        slot: u32,
        nth: usize,
        line: &Line,
        currency: u8,
        chart: u32,
        by: u32,
    ) {
        let created = self.created(Resource::ExpenseReports, slot);
        let id = 600_001 + i64::from(slot) * 8 + nth as i64;
        let roll = mix(self.seed(), EXPENSE + 2, id as u64);
        w.int("id", id);
        w.time("created-at", created);
        w.time("updated-at", created);
        w.int("line-number", nth as i64 + 1);
        w.int("expense-report-id", self.id(Resource::ExpenseReports, slot));
        w.str("type", "ExpenseLine");
        w.str("status", "Active");
        w.day("expense-date", line.day);
        w.str("merchant", &line.merchant);
        w.str(
            "description",
            if line.hostile {
                HOSTILE[nth % 14]
            } else {
                CATEGORIES[line.category].0
            },
        );
        w.str(
            "reason",
            if roll.is_multiple_of(4) {
                "Customer meeting"
            } else {
                ""
            },
        );
        w.money("amount", line.amount);
        w.money("approved-amount", line.amount);
        w.money("receipt-total-amount", line.amount);
        w.money("accounting-total", line.amount);
        w.money_of("reporting-total", || {
            self.in_chart(line.amount, currency, 0, created)
        });
        w.money_opt("foreign-currency-amount", line.foreign.map(|f| f.1));
        w.scalar(
            "exchange-rate",
            match line.foreign {
                Some((from, _)) => Scalar::Dec {
                    units: super::currencies::worth(from, currency),
                    scale: 9,
                    least: 2,
                },
                None => Scalar::Null,
            },
        );
        w.str("audit-status", AUDIT[(roll % 4) as usize]);
        w.str_opt(
            "frugality",
            (roll % 20 < 2).then_some(["shame", "praise"][(roll % 2) as usize]),
        );
        w.bool("over-limit", roll.is_multiple_of(25));
        w.bool("requires-receipt", line.category != 5);
        w.bool("employee-reimbursable", !line.by_card);
        w.str_opt(
            "external-src-name",
            line.by_card.then_some("American Express"),
        );
        w.text_opt("external-src-ref", line.by_card.then_some(id), |id| {
            format!("AMEX-{id}")
        });
        w.nulls(&[
            "parent-expense-line-id",
            "start-date",
            "end-date",
            "divisor",
            "order-line-id",
            "custom-field-2",
            "custom-field-3",
        ]);
        // Documented: these two families stand at the root of the line.
        w.str(
            "custom-field-1",
            if roll.is_multiple_of(3) {
                "billable"
            } else {
                ""
            },
        );
        w.str(
            "expense-category-custom-field-1",
            if line.category == 0 { "seat" } else { "" },
        );
        let other = self.account_in(chart, roll);
        let accounts = Accounts {
            first: line.account,
            split: line.split,
            others: [other; 2],
        };
        self.accounting(
            w,
            &accounts,
            line.amount,
            currency,
            700_000_000 + id,
            created,
        );
        w.object("currency", |w| self.mini_currency(w, currency));
        w.object("accounting-total-currency", |w| {
            self.mini_currency(w, currency)
        });
        w.object_opt("foreign-currency", line.foreign, |w, (code, _)| {
            self.mini_currency(w, code)
        });
        w.object("expense-category", |w| {
            w.int("id", line.category as i64 + 1);
            w.str("name", CATEGORIES[line.category].0);
        });
        w.object("expensed-by", |w| self.mini_user(w, by));
        w.object("period", |w| self.period(w, created, chart));
        w.null_objects(&[
            "expense-line-mileage",
            "expense-line-per-diem",
            "expense-trip",
            "suggested-exchange-rate",
        ]);
        w.list(
            "expense-artifacts",
            "expense-artifact",
            0..u64::from(!roll.is_multiple_of(4)),
            |w, _| {
                w.int("id", 650_000_000 + id);
                w.str("image-file-name", "receipt.jpg");
                w.str("image-content-type", "image/jpeg");
            },
        );
        w.empty_lists(&["expense-line-taxes", "expense-attendees"]);
        w.object("custom-fields", |_| {});
    }
}
