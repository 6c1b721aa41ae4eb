//! Suppliers: a third sell software, the rest what else a company needs.

use super::{
    Resource, World,
    catalog::catalog,
    currencies::COUNTRIES,
    dice::{Dice, mix},
    reference::TERMS,
};
use crate::out::{Out, Scalar, Writer};

const SUPPLIER: u64 = 41;
const DETAIL: u64 = 42;

const FORMS: [&str; 12] = [
    "Inc.",
    "GmbH",
    "Ltd",
    "S.A.S.",
    "B.V.",
    "ULC",
    "Pty Ltd",
    "Pvt Ltd",
    "AG",
    "株式会社",
    "AB",
    "sp. z o.o.",
];
const REGIONS: [&str; 7] = [
    "",
    "North",
    "West",
    "International",
    "Central",
    "Group",
    "Direct",
];

/// A supplier as kept in memory.
pub struct Supplier {
    pub trade: u8,
    /// The publisher it is, for software sold directly.
    pub vendor: Option<u16>,
    pub name: String,
    pub number: String,
    pub domain: String,
    pub country: u8,
    pub currency: u8,
    pub term: u32,
    pub status: &'static str,
}

impl Supplier {
    pub fn new(world: &World, slot: u32) -> Supplier {
        let mut dice = Dice::new(world.seed(), SUPPLIER, u64::from(slot));
        let (trade, vendor, place) = position(slot);
        let country = dice.weighted(&[
            (0u8, 40),
            (1, 14),
            (2, 12),
            (3, 6),
            (4, 5),
            (5, 5),
            (6, 3),
            (7, 4),
            (8, 4),
            (9, 3),
            (10, 2),
            (11, 2),
        ]);
        let catalog = catalog();
        let name = match vendor {
            Some(vendor) => catalog.vendors[usize::from(vendor)].to_owned(),
            None if trade == 0 => format!(
                "Licence House {} {}",
                COUNTRIES[usize::from(country)].1,
                place + 1
            ),
            None => {
                let houses: Vec<_> = catalog.houses.iter().filter(|h| h.1 == trade).collect();
                let (house, _, word) = houses[place as usize % houses.len()];
                let rest = place as usize / houses.len();
                let region = REGIONS[rest % REGIONS.len()];
                let form = FORMS[usize::from(country)];
                let name = [*house, word, region, form].join(" ").replace("  ", " ");
                match rest / REGIONS.len() {
                    0 => name,
                    n => format!("{name} {}", n + 1),
                }
            }
        };
        let host: String = name
            .to_lowercase()
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .take(20)
            .collect();
        Supplier {
            trade,
            vendor,
            number: format!("V{:06}", 100_000 + slot),
            domain: format!("{host}.example"),
            name,
            country,
            currency: if dice.chance(60) {
                11
            } else {
                COUNTRIES[usize::from(country)].3
            },
            term: dice.below(TERMS.len() as u64) as u32,
            status: dice.weighted(&[("active", 86), ("inactive", 8), ("draft", 6)]),
        }
    }
}

/// Trade, publisher and place within the trade: three of ten sell software, publishers first.
fn position(slot: u32) -> (u8, Option<u16>, u32) {
    let vendors = catalog().vendors.len() as u32;
    match slot % 10 {
        at @ 0..3 => {
            let place = slot / 10 * 3 + at;
            if place < vendors {
                (0, Some(place as u16), place)
            } else {
                (0, None, place - vendors)
            }
        }
        at => {
            let place = slot / 10 * 7 + at - 3;
            ((1 + place % 10) as u8, None, place / 10)
        }
    }
}

impl World {
    /// The supplier that is a publisher, if the company buys from it.
    pub fn supplier_of_vendor(&self, vendor: u16) -> Option<u32> {
        let place = u32::from(vendor);
        let slot = place / 3 * 10 + place % 3;
        (slot < self.base(Resource::Suppliers)).then_some(slot)
    }

    /// A supplier for a document: software often, and of each trade some far more than others.
    pub fn buy_from(&self, dice: &mut Dice) -> u32 {
        let trade = if dice.chance(300) {
            0
        } else {
            1 + dice.below(10) as usize
        };
        let from = &self.by_trade[trade];
        from[dice.skewed(from.len() as u64) as usize]
    }

    /// A supplier as documents carry it.
    pub(crate) fn supplier_in_document<O: Out>(&self, w: &mut Writer<'_, O>, slot: u32) {
        let supplier = &self.suppliers[slot as usize];
        w.int("id", self.id(Resource::Suppliers, slot));
        w.str("name", &supplier.name);
        w.str("display-name", &supplier.name);
        w.str("number", &supplier.number);
        let roll = mix(self.seed(), DETAIL, u64::from(slot));
        w.object("primary-contact", |w| self.supplier_contact(w, slot, roll));
        w.object("primary-address", |w| {
            self.supplier_address(w, slot, roll, 0)
        });
    }

    fn supplier_contact<O: Out>(&self, w: &mut Writer<'_, O>, slot: u32, roll: u64) {
        let supplier = &self.suppliers[slot as usize];
        self.contact(w, roll % 100_000, &format!("orders@{}", supplier.domain));
    }

    fn supplier_address<O: Out>(&self, w: &mut Writer<'_, O>, slot: u32, roll: u64, nth: u64) {
        let supplier = &self.suppliers[slot as usize];
        w.int("id", 5_000 + i64::from(slot) * 8 + nth as i64);
        w.time_of("created-at", || self.created(Resource::Suppliers, slot));
        w.time_of("updated-at", || {
            self.base_updated(Resource::Suppliers, slot)
        });
        w.str_opt("name", (nth > 0).then_some("Remittance"));
        w.nulls(&["location-code"]);
        self.address_lines(w, supplier.country, (roll >> 9) + nth * 77);
        w.nulls(&["attention"]);
        w.bool("active", true);
        w.text("vat-number", || {
            format!(
                "{}{:09}",
                COUNTRIES[usize::from(supplier.country)].0,
                roll % 1_000_000_000
            )
        });
        w.nulls(&["local-tax-number", "business-group-name"]);
        w.object("country", |w| self.country(w, supplier.country));
        w.null_objects(&["vat-country"]);
        w.empty_lists(&["content-groups", "purposes", "tax-registrations"]);
    }

    /// The remit-to address of an invoice.
    pub(crate) fn remit_to<O: Out>(&self, w: &mut Writer<'_, O>, slot: u32) {
        let roll = mix(self.seed(), DETAIL, u64::from(slot));
        w.text("remit-to-code", || format!("R{slot:05}-1"));
        self.supplier_address(w, slot, roll, 1);
    }

    pub(crate) fn write_supplier<O: Out>(&self, w: &mut Writer<'_, O>, slot: u32) {
        let supplier = &self.suppliers[slot as usize];
        let revision = self.revision(Resource::Suppliers, slot);
        let roll = mix(self.seed(), DETAIL, u64::from(slot));
        let mut dice = Dice::new(self.seed(), DETAIL + 1, u64::from(slot));
        self.head(w, Resource::Suppliers, slot);
        w.str("name", &supplier.name);
        w.str("display-name", &supplier.name);
        w.str("number", &supplier.number);
        w.str(
            "status",
            match revision % 4 {
                3 => "inactive",
                _ => supplier.status,
            },
        );
        w.str(
            "po-method",
            dice.pick(&["email", "email", "cxml", "prompt", "buy_online"]),
        );
        w.str("po-change-method", "email");
        w.text("po-email", || match revision {
            0 => format!("po@{}", supplier.domain),
            n => format!("po{n}@{}", supplier.domain),
        });
        w.str(
            "payment-method",
            dice.pick(&["invoice", "invoice", "invoice", "pcard", "virtual_card"]),
        );
        w.str(
            "invoice-matching-level",
            dice.pick(&["3-way", "2-way", "none", "3-way-direct"]),
        );
        w.str_opt("tax-id", dice.chance(800).then_some(&supplier.number[1..]));
        w.text("duns", || format!("{:09}", roll % 999_999_999));
        w.str(
            "account-number",
            if dice.chance(300) { "ACME-01" } else { "" },
        );
        w.text("website", || {
            if roll.is_multiple_of(4) {
                String::new()
            } else {
                format!("https://{}", supplier.domain)
            }
        });
        w.bool(
            "on-hold",
            (roll >> 3).is_multiple_of(23) ^ (revision % 5 == 2),
        );
        w.bool("buyer-hold", (roll >> 5).is_multiple_of(31));
        w.bool("one-time-supplier", (roll >> 7).is_multiple_of(29));
        w.bool(
            "strategic-supplier",
            supplier.vendor.is_some() && roll.is_multiple_of(5),
        );
        w.bool("allow-inv-from-connect", true);
        w.bool("allow-cxml-invoicing", dice.chance(100));
        w.bool("allow-change-requests", true);
        w.bool("send-invoices-to-approvals", false);
        w.bool("do-not-accelerate", false);
        w.scalar(
            "savings-pct",
            Scalar::Dec {
                units: dice.between(0, 1200),
                scale: 2,
                least: 2,
            },
        );
        w.int("order-confirmation-level", 0);
        w.nulls(&[
            "corporate-url",
            "storefront-url",
            "confirm-by-hrs",
            "dd-settings",
            "default-locale",
            "business-entity-id",
            "cxml-domain",
            "cxml-identity",
            "cxml-supplier-domain",
            "cxml-protocol",
            "cxml-ssl-version",
            "cxml-http-username",
        ]);
        // Documented: secrets come back null. A few do not, so that whoever stores them can be found out.
        let leaky = slot % 29 == 5;
        let secret = || format!("not-a-real-secret-{:08x}", roll >> 32);
        for key in [
            "cxml-secret",
            "cxml-invoice-secret",
            "coupa-connect-secret",
            "cxml-http-password",
        ] {
            if leaky {
                w.text(key, secret);
            } else {
                w.str_opt(key, None);
            }
        }
        self.supplier_associations(w, slot, roll, &mut dice);
        self.tail(w, Resource::Suppliers, slot);
        // Custom fields from before there was a namespace stand at the root, under names of the tenant's own.
        w.str("sap-vendor", &supplier.number);
        w.bool("minority-owned", roll.is_multiple_of(11));
        w.object("custom-fields", |w| {
            let tier = self.lookup_of(3, roll >> 13);
            w.field_object(
                "risk-tier",
                (!roll.is_multiple_of(4)).then_some(tier),
                |w, v| self.lookup_mini(w, v),
            );
            w.text("last-review", || {
                if revision == 0 {
                    String::new()
                } else {
                    format!("round {revision}")
                }
            });
            w.str(
                "esg-note",
                if slot % 37 == 9 {
                    super::catalog::HOSTILE[slot as usize % 14]
                } else {
                    ""
                },
            );
        });
    }

    fn supplier_associations<O: Out>(
        &self,
        w: &mut Writer<'_, O>,
        slot: u32,
        roll: u64,
        dice: &mut Dice,
    ) {
        let supplier = &self.suppliers[slot as usize];
        w.object("payment-term", |w| self.payment_term_full(w, supplier.term));
        w.object_opt(
            "commodity",
            dice.chance(500).then_some(u32::from(supplier.trade)),
            |w, c| {
                self.commodity_full(w, c);
            },
        );
        w.object("enterprise", |w| {
            w.int("id", 1);
            w.str("code", "ACME");
            w.str("name", "ACME Corporation");
        });
        let parent = (slot > 12 && slot % 19 == 7).then_some(slot / 2);
        w.object_opt("parent", parent, |w, parent| {
            w.int("id", self.id(Resource::Suppliers, parent));
            w.str("name", &self.suppliers[parent as usize].name);
            w.str("number", &self.suppliers[parent as usize].number);
        });
        w.null_objects(&[
            "shipping-term",
            "tax-code",
            "online-store",
            "inventory-organization",
        ]);
        w.object("primary-contact", |w| self.supplier_contact(w, slot, roll));
        w.object("primary-address", |w| {
            self.supplier_address(w, slot, roll, 0)
        });
        w.list(
            "remit-to-addresses",
            "remit-to-address",
            1..1 + roll % 3,
            |w, nth| {
                w.text("remit-to-code", || format!("R{slot:05}-{nth}"));
                self.supplier_address(w, slot, roll, nth);
            },
        );
        w.list(
            "supplier-addresses",
            "supplier-address",
            3..3 + (roll >> 4) % 2,
            |w, nth| {
                self.supplier_address(w, slot, roll, nth);
            },
        );
        w.list("contacts", "contact", 0..(roll >> 6) % 3, |w, nth| {
            // The first of them has the address of the primary contact in capitals, as people type it.
            let user = if nth == 0 {
                "ORDERS".to_owned()
            } else {
                format!("contact{nth}")
            };
            self.contact(
                w,
                (roll >> 8) % 10_000 + nth,
                &format!("{user}@{}", supplier.domain),
            );
        });
        w.list(
            "invoice-emails",
            "invoice-email",
            0..(roll >> 10) % 2,
            |w, _| {
                w.int("id", 3_000 + i64::from(slot));
                w.text("email", || format!("billing@{}", supplier.domain));
            },
        );
        w.list("content-groups", "business-group", [0], |w, g| {
            self.business_group_full(w, g)
        });
        let charts = if roll.is_multiple_of(9) { 1..3 } else { 0..0 };
        w.list(
            "restricted-account-types",
            "account-type",
            charts,
            |w, c| self.account_type_brief(w, c),
        );
        w.empty_lists(&[
            "supplier-sites",
            "diversities",
            "customer-support-contacts",
            "integration-contacts",
            "preferred-commodities",
            "taggings",
        ]);
    }
}
