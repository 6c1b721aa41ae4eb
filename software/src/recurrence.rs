//! Charges that come back: the same supplier, about the same amount, a month, quarter or year
//! apart. Gathered in a first pass over a table, with memory bounded by settings.

use chrono::NaiveDate;
use rust_decimal::Decimal;
use rustc_hash::FxHashMap;

/// How often a charge comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Recurrence {
    Monthly,
    Quarterly,
    Annual,
}

impl Recurrence {
    /// As shown to people.
    pub fn name(self) -> &'static str {
        match self {
            Recurrence::Monthly => "monthly",
            Recurrence::Quarterly => "quarterly",
            Recurrence::Annual => "annual",
        }
    }
}

/// Suppliers kept in the first pass; later ones are not looked at for recurrence.
const SUPPLIERS: usize = 50_000;
/// Charges kept of each.
const CHARGES: usize = 36;

/// The charges of each supplier, as far as they fit.
#[derive(Debug, Default)]
pub struct Charges {
    by_supplier: FxHashMap<String, Vec<(NaiveDate, Decimal)>>,
}

/// Which amounts of which supplier come back.
#[derive(Debug, Default)]
pub struct Recurrences {
    by_supplier: FxHashMap<String, Vec<(Decimal, Decimal, Recurrence)>>,
}

impl Charges {
    /// Notes one charge. `supplier` is any stable key. Credits and zero amounts are passed over.
    pub fn note(&mut self, supplier: &str, date: NaiveDate, amount: Decimal) {
        if amount <= Decimal::ZERO || supplier.is_empty() {
            return;
        }
        if let Some(charges) = self.by_supplier.get_mut(supplier) {
            if charges.len() < CHARGES {
                charges.push((date, amount));
            }
        } else if self.by_supplier.len() < SUPPLIERS {
            self.by_supplier
                .insert(supplier.to_string(), vec![(date, amount)]);
        }
    }

    /// What comes back among the charges noted.
    pub fn find(self) -> Recurrences {
        let mut found = Recurrences::default();
        for (supplier, mut charges) in self.by_supplier {
            charges.sort_by(|a, b| a.1.cmp(&b.1).then(a.0.cmp(&b.0)));
            let mut kept = Vec::new();
            for cluster in clusters(&charges) {
                let mut dates: Vec<NaiveDate> = cluster.iter().map(|(date, _)| *date).collect();
                dates.sort_unstable();
                dates.dedup();
                if let Some(recurrence) = recurrence(&dates) {
                    kept.push((cluster[0].1, cluster[cluster.len() - 1].1, recurrence));
                }
            }
            if !kept.is_empty() {
                found.by_supplier.insert(supplier, kept);
            }
        }
        found
    }
}

impl Recurrences {
    /// How often a charge of this amount comes back.
    pub fn of(&self, supplier: &str, amount: Decimal) -> Option<Recurrence> {
        self.by_supplier
            .get(supplier)?
            .iter()
            .find(|(low, high, _)| *low <= amount && amount <= *high)
            .map(|(_, _, recurrence)| *recurrence)
    }
}

/// Charges sorted by amount, cut where an amount exceeds the cluster's first by more than a tenth.
fn clusters(charges: &[(NaiveDate, Decimal)]) -> Vec<&[(NaiveDate, Decimal)]> {
    let tenth = Decimal::new(11, 1);
    let mut found = Vec::new();
    let mut start = 0;
    for at in 1..=charges.len() {
        let cut = match charges.get(at) {
            None => true,
            Some((_, amount)) => charges[start]
                .1
                .checked_mul(tenth)
                .is_none_or(|limit| *amount > limit),
        };
        if cut {
            found.push(&charges[start..at]);
            start = at;
        }
    }
    found
}

/// At least three charges, all intervals but one in six of the same kind.
fn recurrence(dates: &[NaiveDate]) -> Option<Recurrence> {
    if dates.len() < 3 {
        return None;
    }
    let intervals: Vec<i64> = dates.windows(2).map(|w| (w[1] - w[0]).num_days()).collect();
    let kinds = [
        (Recurrence::Monthly, 28..=31),
        (Recurrence::Quarterly, 84..=98),
        (Recurrence::Annual, 350..=380),
    ];
    kinds.into_iter().find_map(|(kind, days)| {
        let fit = intervals.iter().filter(|i| days.contains(*i)).count();
        (fit >= 2 && (intervals.len() - fit) * 6 <= intervals.len()).then_some(kind)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().expect("a date")
    }

    #[test]
    fn monthly_charges_are_found_whatever_else_is_bought() {
        let mut charges = Charges::default();
        for (date, amount) in [
            ("2025-01-15", 100),
            ("2025-02-15", 100),
            ("2025-02-20", 900),
            ("2025-03-15", 104),
            ("2025-04-14", 104),
        ] {
            charges.note("a", day(date), Decimal::from(amount));
        }
        let found = charges.find();
        assert_eq!(found.of("a", Decimal::from(102)), Some(Recurrence::Monthly));
        assert_eq!(found.of("a", Decimal::from(900)), None);
        assert_eq!(found.of("b", Decimal::from(102)), None);
    }

    #[test]
    fn irregular_and_few_charges_are_not() {
        let mut charges = Charges::default();
        for date in ["2025-01-15", "2025-01-19", "2025-03-02", "2025-03-15"] {
            charges.note("a", day(date), Decimal::from(5));
        }
        charges.note("b", day("2025-01-01"), Decimal::from(5));
        charges.note("b", day("2025-02-01"), Decimal::from(5));
        let found = charges.find();
        assert_eq!(found.of("a", Decimal::from(5)), None);
        assert_eq!(found.of("b", Decimal::from(5)), None);
    }

    #[test]
    fn huge_amounts_do_not_overflow() {
        let mut charges = Charges::default();
        for date in ["2025-01-15", "2025-02-15", "2025-03-15"] {
            charges.note("a", day(date), Decimal::MAX);
        }
        charges.find();
    }
}
