//! Budget lines: one for a cost centre, an account and a month.

use super::{Resource, World, accounting::SEGMENTS, catalog::HOSTILE, dice::mix};
use crate::{
    out::{Out, Writer},
    zone::DAY,
};

const BUDGET: u64 = 121;
const OPEN_MONTHS: u32 = 12;

impl World {
    pub(crate) fn write_budget_line<O: Out>(&self, w: &mut Writer<'_, O>, slot: u32) {
        let roll = mix(self.seed(), BUDGET, u64::from(slot));
        let accounts = self.base(Resource::Accounts);
        let account = (slot / OPEN_MONTHS * 5 + (roll % 3) as u32) % accounts;
        let moment = self.shape.start - i64::from(slot % OPEN_MONTHS) * 30 * DAY;
        let (account, chart) = (
            &self.accounts[account as usize],
            self.accounts[account as usize].chart,
        );
        let amount = (roll >> 8) as i64 % 400 * 1_000 * 10_000 + 10_000_000;
        let revision = i64::from(self.revision(Resource::BudgetLines, slot));
        let spent = amount / 100 * ((roll >> 20) as i64 % 110) + revision * 2_500_000;
        self.head(w, Resource::BudgetLines, slot);
        w.money("amount", amount);
        w.money("remaining", amount - spent);
        w.money(
            "pending-requisitions-amount",
            amount / 100 * ((roll >> 30) as i64 % 10),
        );
        w.str(
            "description",
            if slot % 71 == 9 {
                HOSTILE[slot as usize % 14]
            } else {
                ""
            },
        );
        w.str_opt("notes", None);
        w.bool("error-on-overrun", roll.is_multiple_of(5));
        w.int("overrun-calculation", 0);
        w.int("owner-is-approver", (roll % 2) as i64);
        for (key, segment) in SEGMENTS.iter().zip(&account.segments) {
            w.str(key, segment);
        }
        w.object("currency", |w| {
            self.mini_currency(w, self.chart_currency(chart))
        });
        w.object("owner", |w| self.mini_user(w, self.employee(roll >> 13)));
        w.object("period", |w| self.period(w, moment, chart));
        self.tail(w, Resource::BudgetLines, slot);
    }
}
