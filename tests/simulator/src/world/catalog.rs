//! What the company buys and from whom: the lists in `data/`, read once.

use std::{collections::BTreeMap, sync::LazyLock};

/// The trades suppliers belong to, in a fixed order; software first.
pub const TRADES: [&str; 11] = [
    "software",
    "hardware",
    "office",
    "travel",
    "construction",
    "raw-material",
    "services",
    "facilities",
    "telecom",
    "marketing",
    "logistics",
];

/// Something that can be bought. Prices in 1/1,000,000 US dollar.
pub struct Product {
    pub trade: u8,
    /// Index into [`Catalog::commodities`].
    pub commodity: u16,
    pub description: String,
    pub uom: u8,
    pub low: i64,
    pub high: i64,
    pub unspsc: &'static str,
    /// The publisher, for software.
    pub vendor: Option<u16>,
}

/// A kind of spend. The first ones are the trades, the others have one of those as parent.
pub struct Commodity {
    pub name: String,
    pub parent: Option<u16>,
    pub trade: u8,
}

pub struct Catalog {
    pub products: Vec<Product>,
    /// Indices of products by trade.
    pub by_trade: Vec<Vec<u32>>,
    /// Indices of products by software publisher.
    pub by_vendor: Vec<Vec<u32>>,
    pub vendors: Vec<&'static str>,
    pub commodities: Vec<Commodity>,
    pub uoms: Vec<&'static str>,
    /// House, trade, word.
    pub houses: Vec<(&'static str, u8, &'static str)>,
    pub given: Vec<&'static str>,
    pub family: Vec<&'static str>,
}

static CATALOG: LazyLock<Catalog> = LazyLock::new(Catalog::read);

/// The lists.
pub fn catalog() -> &'static Catalog {
    &CATALOG
}

/// The files of `data/`: software, products, houses, people.
static FILES: LazyLock<[Vec<csv::StringRecord>; 4]> = LazyLock::new(|| {
    [
        include_str!("../../data/software.csv"),
        include_str!("../../data/products.csv"),
        include_str!("../../data/trades.csv"),
        include_str!("../../data/people.csv"),
    ]
    .map(|text| {
        let mut reader = csv::ReaderBuilder::new()
            .comment(Some(b'#'))
            .from_reader(text.as_bytes());
        reader
            .records()
            .collect::<Result<_, _>>()
            .expect("data/*.csv are well formed")
    })
});

fn rows<const N: usize>(file: usize) -> impl Iterator<Item = [&'static str; N]> {
    FILES[file]
        .iter()
        .map(|row| std::array::from_fn(|n| &row[n]))
}

/// Licences are sold per seat and year; low and high dollars a seat, by what the software does.
fn software_price(category: &str) -> (i64, i64) {
    match category {
        "erp-finance" | "cad-engineering" | "database" | "healthcare" => (900, 9_800),
        "security" | "observability" | "bi-analytics" | "crm" => (120, 1_800),
        "cloud-infrastructure" | "data-integration" => (400, 6_500),
        "scientific-analytical" | "gis-mapping" => (350, 4_200),
        _ => (36, 640),
    }
}

/// UNSPSC class of a kind of software (single class numbers, as facts).
fn software_class(category: &str) -> &'static str {
    match category {
        "erp-finance" | "crm" | "hr-payroll" | "expense-ap-procurement" => "43231600",
        "security" | "identity-access" => "43233200",
        "database" | "data-integration" | "bi-analytics" => "43232300",
        "cad-engineering" | "design-creative" | "gis-mapping" => "43232100",
        "devtools-cicd" => "43232400",
        "network-telecom" | "observability" | "it-management" => "43232800",
        "cloud-infrastructure" | "web-cms-hosting" => "81112100",
        "data-content-subscription" => "55111500",
        _ => "43232600",
    }
}

impl Catalog {
    fn read() -> Catalog {
        let trade_of = |name: &str| {
            TRADES
                .iter()
                .position(|t| *t == name)
                .expect("data/*.csv names a trade of the list") as u8
        };
        let mut commodities: Vec<Commodity> = TRADES
            .iter()
            .enumerate()
            .map(|(i, trade)| Commodity {
                name: title(trade),
                parent: None,
                trade: i as u8,
            })
            .collect();
        let mut known = BTreeMap::new();
        let mut commodity = |name: String, trade: u8| {
            *known.entry(name.clone()).or_insert_with(|| {
                commodities.push(Commodity {
                    name,
                    parent: Some(u16::from(trade)),
                    trade,
                });
                commodities.len() as u16 - 1
            })
        };
        let mut uoms: Vec<&'static str> = vec!["EA", "YR"];
        let mut vendors: Vec<&'static str> = Vec::new();
        let mut products = Vec::new();
        for [vendor, product, category] in rows(0) {
            let index = vendors
                .iter()
                .position(|v| *v == vendor)
                .unwrap_or_else(|| {
                    vendors.push(vendor);
                    vendors.len() - 1
                });
            let (low, high) = software_price(category);
            let commodity = commodity(format!("Software - {}", title(category)), 0);
            for (suffix, uom, factor) in [
                ("subscription, per seat and year", 0, 1),
                ("enterprise licence", 1, 40),
            ] {
                products.push(Product {
                    trade: 0,
                    commodity,
                    description: format!("{vendor} {product} {suffix}"),
                    uom,
                    low: low * factor * 1_000_000,
                    high: high * factor * 1_000_000,
                    unspsc: software_class(category),
                    vendor: Some(index as u16),
                });
            }
        }
        for [trade, name, description, uom, low, high, unspsc] in rows(1) {
            let trade = trade_of(trade);
            let uom = uoms.iter().position(|u| *u == uom).unwrap_or_else(|| {
                uoms.push(uom);
                uoms.len() - 1
            });
            products.push(Product {
                trade,
                commodity: commodity(name.to_owned(), trade),
                description: description.to_owned(),
                uom: uom as u8,
                low: micros(low),
                high: micros(high),
                unspsc,
                vendor: None,
            });
        }
        let mut by_trade = vec![Vec::new(); TRADES.len()];
        let mut by_vendor = vec![Vec::new(); vendors.len()];
        for (i, product) in products.iter().enumerate() {
            by_trade[usize::from(product.trade)].push(i as u32);
            if let Some(vendor) = product.vendor {
                by_vendor[usize::from(vendor)].push(i as u32);
            }
        }
        let houses = rows(2).map(|[h, t, w]| (h, trade_of(t), w)).collect();
        let people: Vec<[&str; 2]> = rows(3).collect();
        Catalog {
            products,
            by_trade,
            by_vendor,
            vendors,
            commodities,
            uoms,
            houses,
            given: people.iter().map(|p| p[0]).collect(),
            family: people.iter().map(|p| p[1]).collect(),
        }
    }
}

fn micros(text: &str) -> i64 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{fraction:0<6}")
        .parse()
        .expect("prices in data/products.csv have at most six decimals")
}

fn title(name: &str) -> String {
    let mut words = name.replace('-', " ");
    if let Some(first) = words.get_mut(0..1) {
        first.make_ascii_uppercase();
    }
    words
}

/// Text as people paste it into forms: quotes, markup, formulas, line breaks, other scripts, directions.
pub const HOSTILE: [&str; 14] = [
    "19\" rack mount, \"heavy duty\", 'as quoted'",
    "<script>alert('x')</script> & <b>bold</b>",
    "=HYPERLINK(\"http://example.invalid\",\"click\")",
    "+1-555-0100 @SUM(A1:A9) -2+3",
    "line one\nline two\r\nline three\tend",
    "Ürün açıklaması – ödeme 30 gün içinde",
    "購入依頼：ノートパソコン ２台",
    "فاتورة خدمات الصيانة",
    "\u{202e}desrever\u{202c} text",
    "🚀 launch kit 🎉 (family: 👩‍👩‍👧‍👦)",
    "back\\slash \\n not a newline \\u0041",
    "'; DROP TABLE invoices; --",
    "non\u{a0}breaking and zero\u{200b}width",
    "NULL",
];
