//! Items, the suppliers' offers of them, and contracts.

use super::{
    Resource, World,
    catalog::{Product, catalog},
    currencies::{CURRENCIES, worth},
    dice::{Dice, mix},
};
use crate::{
    out::{Out, Scalar, Writer},
    zone::DAY,
};

const ITEM: u64 = 51;
const OFFER: u64 = 52;
const CONTRACT: u64 = 53;

/// An item as kept in memory.
pub struct Item {
    /// Index into the catalogue's products.
    pub product: u32,
    pub name: String,
    pub number: String,
}

impl Item {
    pub fn new(_: &World, slot: u32) -> Item {
        let products = &catalog().products;
        let product = slot % products.len() as u32;
        let description = &products[product as usize].description;
        let name = match slot / products.len() as u32 {
            0 => description.clone(),
            n => format!("{description}, variant {}", n + 1),
        };
        Item {
            product,
            name,
            number: format!("ITM-{:05}", 10_000 + slot),
        }
    }
}

impl World {
    pub fn product_of(&self, item: u32) -> &'static Product {
        &catalog().products[self.items[item as usize].product as usize]
    }

    /// A price in a currency, in 1/1,000,000 of it, rounded as people price: to cents, or finer when it is small.
    pub fn price_in(&self, usd: i64, currency: u8) -> i64 {
        let exact = i128::from(usd) * i128::from(worth(0, currency)) / 1_000_000_000;
        let step = match CURRENCIES[usize::from(currency)].1 {
            0 => 1_000_000,
            _ if exact < 5_000_000 => 100,
            _ => 10_000,
        };
        ((exact + step / 2) / step * step).max(step) as i64
    }

    /// Places of a currency that a sum is rounded to, as a step in 1/10,000.
    pub fn round_money(&self, units: i64, currency: u8) -> i64 {
        let step = match CURRENCIES[usize::from(currency)].1 {
            0 => 10_000,
            3 => 10,
            _ => 100,
        };
        let half = step / 2 * units.signum();
        (units + half) / step * step
    }

    pub(crate) fn uom<O: Out>(&self, w: &mut Writer<'_, O>, uom: u8) {
        let code = catalog().uoms[usize::from(uom)];
        w.int("id", i64::from(uom) + 1);
        w.str("code", code);
        w.str(
            "name",
            match code {
                "EA" => "Each",
                "HR" => "Hour",
                "DAY" => "Day",
                "MON" => "Month",
                "YR" => "Year",
                "KG" => "Kilogram",
                "L" => "Litre",
                "M2" => "Square metre",
                other => other,
            },
        );
        w.int(
            "allowable-precision",
            if matches!(code, "EA" | "BX" | "CS") {
                0
            } else {
                3
            },
        );
        w.bool("active", true);
    }

    /// An item as lines carry it.
    pub(crate) fn item_brief<O: Out>(&self, w: &mut Writer<'_, O>, slot: u32) {
        let item = &self.items[slot as usize];
        w.int("id", self.id(Resource::Items, slot));
        w.str("name", &item.name);
        w.str("item-number", &item.number);
        w.str("description", &item.name);
        w.bool("active", slot % 23 != 22);
        w.str("item-type", "Item");
        w.object("commodity", |w| {
            self.commodity_full(w, u32::from(self.product_of(slot).commodity))
        });
        w.object("uom", |w| self.uom(w, self.product_of(slot).uom));
    }

    pub(crate) fn write_item<O: Out>(&self, w: &mut Writer<'_, O>, slot: u32) {
        let item = &self.items[slot as usize];
        let product = self.product_of(slot);
        let revision = self.revision(Resource::Items, slot);
        let roll = mix(self.seed(), ITEM, u64::from(slot));
        self.head(w, Resource::Items, slot);
        w.str("name", &item.name);
        w.text("description", || match (revision, slot % 41) {
            (0, 13) => super::catalog::HOSTILE[slot as usize % 14].to_owned(),
            (0, _) => item.name.clone(),
            (n, _) => format!("{}, edition {}", item.name, n + 1),
        });
        w.str("item-number", &item.number);
        w.bool("active", (slot % 23 != 22) ^ (revision % 4 == 3));
        w.str("item-type", "Item");
        w.str_opt(
            "manufacturer-name",
            product.vendor.map(|v| catalog().vendors[usize::from(v)]),
        );
        w.text("manufacturer-part-number", || {
            if roll.is_multiple_of(3) {
                format!("MPN{slot:05}")
            } else {
                String::new()
            }
        });
        w.bool("allow-partial-quantity", false);
        w.bool("require-asset-tag", product.trade == 1);
        w.bool("require-inspection", product.trade == 5);
        w.bool("inventory-lot-tracking-enabled", false);
        w.nulls(&[
            "inventory-lot-expiration-type",
            "reorder-alerts",
            "external-image-url",
            "consumption-quantity",
            "storage-quantity",
        ]);
        w.object("commodity", |w| {
            self.commodity_full(w, u32::from(product.commodity))
        });
        w.object("uom", |w| self.uom(w, product.uom));
        w.null_objects(&[
            "consumption-uom",
            "storage-uom",
            "receiving-form",
            "tax-detail",
            "sustainability-detail",
        ]);
        self.tail(w, Resource::Items, slot);
        w.str(
            "legacy-material",
            if roll.is_multiple_of(5) { "" } else { "MAT" },
        );
        w.object("custom-fields", |w| {
            w.bool("hazardous", product.trade == 5 && roll.is_multiple_of(4));
            let region = self.lookup_of(2, roll >> 9);
            w.field_object(
                "made-in",
                roll.is_multiple_of(2).then_some(region),
                |w, v| self.lookup_mini(w, v),
            );
        });
    }

    /// Item and supplier of an offer.
    fn offer(&self, slot: u32) -> (u32, u32, u32) {
        let items = u64::from(self.base(Resource::Items));
        let offers = u64::from(self.base(Resource::SupplierItems).max(1));
        let n = u64::from(slot) % offers;
        let item = (n * items / offers) as u32;
        let nth = (n - (u64::from(item) * offers).div_ceil(items)) as u32 + slot / offers as u32;
        let product = self.product_of(item);
        let of_trade = &self.by_trade[usize::from(product.trade)];
        let direct = product.vendor.and_then(|v| self.supplier_of_vendor(v));
        let supplier = match (nth, direct) {
            (0, Some(supplier)) => supplier,
            _ => {
                of_trade[((mix(self.seed(), OFFER, u64::from(item)) + u64::from(nth))
                    % of_trade.len() as u64) as usize]
            }
        };
        (item, supplier, nth)
    }

    pub(crate) fn write_supplier_item<O: Out>(&self, w: &mut Writer<'_, O>, slot: u32) {
        let (item, supplier, nth) = self.offer(slot);
        let product = self.product_of(item);
        let seller = &self.suppliers[supplier as usize];
        let mut dice = Dice::new(self.seed(), OFFER + 100, u64::from(slot));
        let revision = i64::from(self.revision(Resource::SupplierItems, slot));
        let usd = dice.between(product.low, product.high);
        let price = self.price_in(usd + usd * revision / 40, seller.currency);
        self.head(w, Resource::SupplierItems, slot);
        w.price("price", price);
        w.text("supplier-part-num", || {
            format!("{}-{item:04}", seller.number)
        });
        w.str_opt("supplier-aux-part-num", dice.chance(200).then_some("AUX"));
        w.bool("preferred", nth == 0 && item % 3 != 2);
        w.int_opt("lead-time", dice.chance(700).then(|| dice.between(1, 45)));
        w.quantity_opt("minimum-order-quantity", dice.chance(300).then_some(5_000));
        w.quantity_opt("order-increment", dice.chance(100).then_some(1_000));
        w.str(
            "availability",
            dice.pick(&["in_stock", "in_stock", "backordered", "out_of_stock"]),
        );
        w.str("unspsc-code", product.unspsc);
        w.str_opt(
            "manufacturer",
            product.vendor.map(|v| catalog().vendors[usize::from(v)]),
        );
        w.scalar(
            "savings-pct",
            Scalar::Dec {
                units: dice.between(0, 900),
                scale: 2,
                least: 2,
            },
        );
        w.scalar(
            "price-change",
            Scalar::Num {
                units: revision * 25,
                scale: 1,
            },
        );
        w.bool("is-coupa-advantage", false);
        let tiers = dice.chance(150);
        for (nth, key) in ["price-tier-1", "price-tier-2", "price-tier-3"]
            .into_iter()
            .enumerate()
        {
            let units = price - price / 20 * (nth as i64 + 1);
            w.scalar(
                key,
                if tiers {
                    Scalar::Dec {
                        units,
                        scale: 6,
                        least: 2,
                    }
                } else {
                    Scalar::Null
                },
            );
        }
        w.object("currency", |w| self.mini_currency(w, seller.currency));
        w.object("item", |w| self.item_brief(w, item));
        w.object("supplier", |w| {
            w.int("id", self.id(Resource::Suppliers, supplier));
            w.str("name", &seller.name);
            w.str("number", &seller.number);
        });
        w.object_opt(
            "contract",
            self.contract_of(supplier, u64::from(item)),
            |w, c| self.contract_brief(w, c),
        );
        w.null_objects(&["contract-term", "catalog"]);
        self.tail(w, Resource::SupplierItems, slot);
        w.object("custom-fields", |w| {
            w.str("quote-reference", if nth == 0 { "" } else { "Q-77" })
        });
    }

    /// The supplier a contract is with.
    pub fn party(&self, contract: u32) -> u32 {
        let suppliers = u64::from(self.base(Resource::Suppliers));
        let contracts = u64::from(self.base(Resource::Contracts).max(1));
        (u64::from(contract) * suppliers / contracts % suppliers) as u32
    }

    /// One of the contracts with a supplier, if there is any.
    pub fn contract_of(&self, supplier: u32, roll: u64) -> Option<u32> {
        let suppliers = u64::from(self.base(Resource::Suppliers));
        let contracts = u64::from(self.base(Resource::Contracts));
        let first = |supplier: u32| (u64::from(supplier) * contracts).div_ceil(suppliers);
        let (from, to) = (first(supplier), first(supplier + 1));
        (from < to).then(|| (from + roll % (to - from)) as u32)
    }

    pub(crate) fn contract_brief<O: Out>(&self, w: &mut Writer<'_, O>, slot: u32) {
        let supplier = self.party(slot);
        w.int("id", self.id(Resource::Contracts, slot));
        w.text("name", || self.contract_name(slot));
        w.text("number", || format!("CTR-{:05}", 2_000 + slot));
        w.object("supplier", |w| {
            w.int("id", self.id(Resource::Suppliers, supplier));
            w.str("name", &self.suppliers[supplier as usize].name);
        });
    }

    fn contract_name(&self, slot: u32) -> String {
        let supplier = &self.suppliers[self.party(slot) as usize];
        let name: String = supplier.name.chars().take(80).collect();
        format!("{name} frame {}", slot + 1)
    }

    pub(crate) fn write_contract<O: Out>(&self, w: &mut Writer<'_, O>, slot: u32) {
        let supplier = self.party(slot);
        let seller = &self.suppliers[supplier as usize];
        let mut dice = Dice::new(self.seed(), CONTRACT, u64::from(slot));
        let revision = self.revision(Resource::Contracts, slot);
        let begin = self
            .zone()
            .day_of(self.created(Resource::Contracts, slot) + 20 * DAY);
        let maximum = dice.between(20, 4_000) * 1_000 * 10_000;
        let term = dice.weighted(&[("fixed", 6), ("auto_renew", 3), ("perpetual", 1)]);
        let end = (term != "perpetual").then(|| begin + dice.between(365, 1_500) as i32);
        let status = dice.weighted(&[
            ("published", 75),
            ("draft", 8),
            ("inactive", 7),
            ("completed", 6),
            ("expired", 4),
        ]);
        self.head(w, Resource::Contracts, slot);
        w.text("name", || self.contract_name(slot));
        w.text("number", || format!("CTR-{:05}", 2_000 + slot));
        w.text("description", || {
            if revision == 0 {
                String::new()
            } else {
                format!("Amended {revision} times")
            }
        });
        w.str(
            "status",
            if revision > 0 && status == "draft" {
                "published"
            } else {
                status
            },
        );
        w.str(
            "type",
            if slot % 20 == 11 {
                "AmendmentContract"
            } else {
                "MasterContract"
            },
        );
        w.str("term-type", term);
        w.day("start-date", begin);
        w.day_opt("end-date", end);
        w.money("minimum-value", maximum / 10);
        w.money("maximum-value", maximum + i64::from(revision) * 10_000_000);
        w.money("min-commit", maximum / 10);
        w.money("max-commit", maximum + i64::from(revision) * 10_000_000);
        w.int("version", 1 + i64::from(revision));
        w.bool("terminated", dice.chance(30));
        w.bool("preferred", dice.chance(200));
        w.bool("supplier-invoiceable", dice.chance(300));
        w.bool("used-for-buying", true);
        w.str(
            "consent",
            dice.pick(&["notice", "consent", "not_required", "not_assignable"]),
        );
        w.str("termination-notice", "yes");
        w.str("termination-notice-length-unit", "days");
        w.int("termination-notice-length-value", dice.pick(&[30, 60, 90]));
        w.str_opt(
            "renewal-length-unit",
            (term == "auto_renew").then_some("months"),
        );
        w.int_opt("renewal-length-value", (term == "auto_renew").then_some(12));
        w.int("no-of-renewals", i64::from(term == "auto_renew"));
        w.str("stop-spend-based-on-max-value", "no");
        w.str("source", "contract");
        w.scalar(
            "savings-pct",
            Scalar::Dec {
                units: dice.between(0, 1500),
                scale: 2,
                least: 2,
            },
        );
        w.nulls(&[
            "legal-agreement-url",
            "execution-date",
            "published-date",
            "external-contract-id",
            "supplier-account",
            "requisition-message",
            "po-message",
            "terms",
            "order-window-tz",
        ]);
        let roll = dice.below(1 << 40);
        w.object("supplier", |w| self.supplier_in_document(w, supplier));
        w.object("currency", |w| self.mini_currency(w, seller.currency));
        w.object("contract-owner", |w| self.mini_user(w, self.employee(roll)));
        let department = roll % u64::from(self.base(Resource::Departments));
        w.object("department", |w| self.department_full(w, department as u32));
        w.object("payment-term", |w| self.payment_term_full(w, seller.term));
        let account = roll
            .is_multiple_of(3)
            .then(|| self.account_for((roll % 3) as u32, seller.trade, roll >> 4));
        w.object_opt("default-account", account, |w, a| self.account_full(w, a));
        let master = (slot % 20 == 11).then(|| slot - 1);
        w.object_opt("parent", master, |w, c| self.contract_brief(w, c));
        w.object_opt("master-contract", master, |w, c| self.contract_brief(w, c));
        w.null_objects(&[
            "shipping-term",
            "current-approval",
            "contract-type",
            "schedule",
            "submitter",
        ]);
        w.list("content-groups", "business-group", [0], |w, g| {
            self.business_group_full(w, g)
        });
        w.empty_lists(&[
            "contract-terms",
            "contract-clauses",
            "taggings",
            "current-parallel-approvals",
        ]);
        self.tail(w, Resource::Contracts, slot);
        w.object("custom-fields", |w| {
            w.str("data-processing", dice.pick(&["", "signed", "not needed"]));
            let region = self.lookup_of(2, roll >> 7);
            w.field_object(
                "region",
                roll.is_multiple_of(2).then_some(region),
                |w, v| self.lookup_mini(w, v),
            );
        });
    }
}
