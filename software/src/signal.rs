//! The signals that speak for or against software, and what each weighs.

use std::fmt;

use serde::Deserialize;

/// What a signal rests on. Certainty asks for two kinds that agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Prior,
    Code,
    Account,
    Supplier,
    Name,
    Words,
    Pattern,
}

macro_rules! signals {
    ($($variant:ident $name:literal $kind:ident),* $(,)?) => {
        /// One thing that was noticed about a line. Names and weights stand in `weights.toml`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Signal { $($variant),* }

        impl Signal {
            /// All signals, in the order of their declaration.
            pub const ALL: &'static [Signal] = &[$(Signal::$variant),*];

            /// As written in the data files.
            pub fn name(self) -> &'static str {
                match self { $(Signal::$variant => $name),* }
            }

            /// What it rests on.
            pub fn kind(self) -> Kind {
                match self { $(Signal::$variant => Kind::$kind),* }
            }
        }
    };
}

signals! {
    Prior "prior" Prior,
    Capped "capped" Prior,
    CodeSoftware "code_software" Code,
    CodeMixed "code_mixed" Code,
    CodeItService "code_it_service" Code,
    CodeHardware "code_hardware" Code,
    CodeTelecom "code_telecom" Code,
    CodeContent "code_content" Code,
    CodeOther "code_other" Code,
    AccountSoftware "account_software" Account,
    CommoditySoftware "commodity_software" Account,
    BothSoftware "both_software" Account,
    AccountMixed "account_mixed" Account,
    AccountIt "account_it" Account,
    AccountItService "account_it_service" Account,
    AccountHardware "account_hardware" Account,
    AccountTelecom "account_telecom" Account,
    AccountLicence "account_licence" Account,
    AccountNeutral "account_neutral" Account,
    AccountOther "account_other" Account,
    AccountUnrelated "account_unrelated" Account,
    ContractSoftware "contract_software" Account,
    DepartmentIt "department_it" Account,
    SupplierStrong "supplier_strong" Supplier,
    SupplierMedium "supplier_medium" Supplier,
    SupplierWeak "supplier_weak" Supplier,
    SupplierMixed "supplier_mixed" Supplier,
    SupplierHardware "supplier_hardware" Supplier,
    SupplierServices "supplier_services" Supplier,
    SupplierRetail "supplier_retail" Supplier,
    SupplierTelecom "supplier_telecom" Supplier,
    SupplierContent "supplier_content" Supplier,
    SupplierPayments "supplier_payments" Supplier,
    SupplierReseller "supplier_reseller" Supplier,
    SupplierMarket "supplier_market" Supplier,
    LicenceFromItSeller "licence_from_it_seller" Supplier,
    CategoryAgrees "category_agrees" Supplier,
    SupplierSoftware "supplier_software" Supplier,
    SupplierTech "supplier_tech" Supplier,
    SupplierOther "supplier_other" Supplier,
    SupplierService "supplier_service" Supplier,
    ProductStrong "product_strong" Name,
    ProductMedium "product_medium" Name,
    ProductWeak "product_weak" Name,
    ProductSupported "product_supported" Name,
    VendorStrong "vendor_strong" Name,
    VendorMedium "vendor_medium" Name,
    VendorWeak "vendor_weak" Name,
    Pair "pair" Name,
    SoftwareWord "software_word" Words,
    SoftwareTerm "software_term" Words,
    SeatWord "seat_word" Words,
    EditionWord "edition_word" Words,
    SoftwareLicence "software_licence" Words,
    CloudWord "cloud_word" Words,
    PlatformWord "platform_word" Words,
    SystemWord "system_word" Words,
    LicenceWord "licence_word" Words,
    SubscriptionWord "subscription_word" Words,
    RenewalWord "renewal_word" Words,
    MaintenanceWord "maintenance_word" Words,
    TechWord "tech_word" Words,
    Period "period" Pattern,
    Recurring "recurring" Pattern,
    HardwareWord "hardware_word" Words,
    ServiceWord "service_word" Words,
    OtherLicence "other_licence" Words,
    ContentWord "content_word" Words,
    TelecomWord "telecom_word" Words,
    NotItWord "not_it_word" Words,
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Signal {
    /// The signal of that name.
    pub fn named(name: &str) -> Option<Signal> {
        Signal::ALL.iter().copied().find(|s| s.name() == name)
    }

    /// Whether it has a weight of its own in `weights.toml`.
    pub(crate) fn is_weighed(self) -> bool {
        !matches!(self, Signal::Prior | Signal::Capped)
    }
}

/// How much each signal counts, in points on the logit scale.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights {
    /// What a line is worth about which nothing is known.
    pub prior: f64,
    pub limits: Limits,
    pub certainty: Thresholds,
    by_signal: Vec<f64>,
}

/// Shares and caps; see `weights.toml` for what each means.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    pub words_up: f64,
    pub words_down: f64,
    pub against_beside_licence: f64,
    pub typo: f64,
    pub partial: f64,
    pub front: f64,
    pub uncurated: f64,
    pub account_beside_product: f64,
    pub mixed_weak: f64,
    pub content_product: f64,
    pub name_beside_against: f64,
}

/// From which confidence on an answer is called certain or likely.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Thresholds {
    pub certain: f64,
    pub likely: f64,
}

impl Weights {
    /// The points of one signal.
    pub fn of(&self, signal: Signal) -> f64 {
        self.by_signal[signal as usize]
    }

    /// Reads a merged document. The error says what is wrong, without the file's name.
    pub(crate) fn read(mut document: toml::Table) -> Result<Weights, String> {
        let mut take = |key: &str| {
            document
                .remove(key)
                .ok_or_else(|| format!("`{key}` is missing"))
        };
        let prior = number("prior", &take("prior")?)?;
        let weights = take("weights")?;
        let limits = take("limits")?
            .try_into()
            .map_err(|e| format!("[limits]: {}", e))?;
        let certainty = take("certainty")?
            .try_into()
            .map_err(|e| format!("[certainty]: {}", e))?;
        if let Some(key) = document.keys().next() {
            return Err(format!(
                "`{key}` is not known; allowed are prior, weights, limits, certainty"
            ));
        }
        let toml::Value::Table(weights) = weights else {
            return Err("`weights` is not a table".to_string());
        };
        let mut by_signal = vec![0.0; Signal::ALL.len()];
        for (name, value) in &weights {
            let signal = Signal::named(name)
                .filter(|s| s.is_weighed())
                .ok_or_else(|| unknown_signal(name))?;
            by_signal[signal as usize] = number(name, value)?;
        }
        if let Some(absent) = Signal::ALL
            .iter()
            .find(|s| s.is_weighed() && !weights.contains_key(s.name()))
        {
            return Err(format!("the weight of `{absent}` is missing"));
        }
        Ok(Weights {
            prior,
            limits,
            certainty,
            by_signal,
        })
    }
}

pub(crate) fn unknown_signal(name: &str) -> String {
    let near = Signal::ALL
        .iter()
        .map(|s| s.name())
        .min_by_key(|known| strsim::osa_distance(known, name))
        .unwrap_or("");
    format!("signal `{name}` is not known; the nearest is `{near}`")
}

fn number(name: &str, value: &toml::Value) -> Result<f64, String> {
    let number = match value {
        toml::Value::Float(x) => *x,
        toml::Value::Integer(x) => *x as f64,
        _ => return Err(format!("`{name}` is not a number")),
    };
    if number.is_finite() {
        Ok(number)
    } else {
        Err(format!("`{name}` is not finite"))
    }
}
