//! The resources the simulator serves, and the scope each needs.

/// A Coupa collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resource {
    AccountTypes,
    Currencies,
    Departments,
    BusinessGroups,
    Commodities,
    PaymentTerms,
    Addresses,
    LookupValues,
    Users,
    UserGroups,
    UserGroupMemberships,
    Accounts,
    ExchangeRates,
    Projects,
    Suppliers,
    Contracts,
    Items,
    SupplierItems,
    BudgetLines,
    Requisitions,
    PurchaseOrders,
    ReceivingTransactions,
    Invoices,
    ExpenseReports,
    Approvals,
}

/// What is fixed about a resource.
pub struct Meta {
    /// Path segment after `/api/`.
    pub name: &'static str,
    /// The model: root element in XML.
    pub model: &'static str,
    /// Root element of a list in XML.
    pub models: &'static str,
    /// OAuth scope of index and show.
    pub scope: &'static str,
    pub first_id: i64,
    /// Records at scale 1; `None`: follows from others, or does not grow with the scale.
    pub at_scale_1: Option<u32>,
}

const fn meta(
    name: &'static str,
    models: &'static str,
    model: &'static str,
    scope: &'static str,
    first_id: i64,
    at_scale_1: Option<u32>,
) -> Meta {
    Meta {
        name,
        model,
        models,
        scope,
        first_id,
        at_scale_1,
    }
}

const COMMON: &str = "core.common.read";
const ACCOUNTING: &str = "core.accounting.read";
const GROUP: &str = "core.user_group.read";

// Scopes: Coupa Core API, "OAuth 2.0", table of scopes and controllers. `supplier_items` also hang on core.catalog,
// `items` on core.item and core.catalog; one of them is asked for here, the other is accepted (see `auth`).
static METAS: [Meta; 25] = [
    meta(
        "account_types",
        "account-types",
        "account-type",
        ACCOUNTING,
        1,
        None,
    ),
    meta("currencies", "currencies", "currency", COMMON, 1, None),
    meta(
        "departments",
        "departments",
        "department",
        COMMON,
        1,
        Some(40),
    ),
    meta(
        "business_groups",
        "business-groups",
        "business-group",
        COMMON,
        1,
        None,
    ),
    meta("commodities", "commodities", "commodity", COMMON, 1, None),
    meta(
        "payment_terms",
        "payment-terms",
        "payment-term",
        COMMON,
        1,
        None,
    ),
    meta("addresses", "addresses", "address", COMMON, 11, Some(80)),
    meta(
        "lookup_values",
        "lookup-values",
        "lookup-value",
        COMMON,
        101,
        Some(500),
    ),
    meta("users", "users", "user", "core.user.read", 1, Some(800)),
    meta(
        "user_groups",
        "user-groups",
        "user-group",
        GROUP,
        1,
        Some(40),
    ),
    meta(
        "user_group_memberships",
        "user-group-memberships",
        "user-group-membership",
        GROUP,
        1,
        Some(260),
    ),
    meta(
        "accounts",
        "accounts",
        "account",
        ACCOUNTING,
        1001,
        Some(600),
    ),
    meta(
        "exchange_rates",
        "exchange-rates",
        "exchange-rate",
        COMMON,
        1,
        None,
    ),
    meta(
        "projects",
        "projects",
        "project",
        "core.project.read",
        21,
        Some(60),
    ),
    meta(
        "suppliers",
        "suppliers",
        "supplier",
        "core.supplier.read",
        1,
        Some(400),
    ),
    meta(
        "contracts",
        "contracts",
        "contract",
        "core.contract.read",
        301,
        Some(250),
    ),
    meta("items", "items", "item", "core.item.read", 1, Some(800)),
    meta(
        "supplier_items",
        "supplier-items",
        "supplier-item",
        "core.catalog.read",
        5001,
        Some(1_800),
    ),
    meta(
        "budget_lines",
        "budget-lines",
        "budget-line",
        "core.budget.read",
        1,
        Some(400),
    ),
    meta(
        "requisitions",
        "requisition-headers",
        "requisition-header",
        "core.requisition.read",
        2001,
        Some(2_000),
    ),
    meta(
        "purchase_orders",
        "order-headers",
        "order-header",
        "core.purchase_order.read",
        4001,
        Some(4_000),
    ),
    meta(
        "receiving_transactions",
        "inventory-transactions",
        "inventory-transaction",
        "core.inventory.receiving.read",
        30_001,
        Some(8_000),
    ),
    meta(
        "invoices",
        "invoice-headers",
        "invoice-header",
        "core.invoice.read",
        50_001,
        Some(5_000),
    ),
    meta(
        "expense_reports",
        "expense-reports",
        "expense-report",
        "core.expense.read",
        7001,
        Some(1_500),
    ),
    meta(
        "approvals",
        "approvals",
        "approval",
        "core.approval.read",
        900_001,
        None,
    ),
];

impl Resource {
    /// All of them; a resource stands after those its records are made from.
    pub const ALL: [Resource; 25] = [
        Resource::AccountTypes,
        Resource::Currencies,
        Resource::Departments,
        Resource::BusinessGroups,
        Resource::Commodities,
        Resource::PaymentTerms,
        Resource::Addresses,
        Resource::LookupValues,
        Resource::Users,
        Resource::UserGroups,
        Resource::UserGroupMemberships,
        Resource::Accounts,
        Resource::ExchangeRates,
        Resource::Projects,
        Resource::Suppliers,
        Resource::Contracts,
        Resource::Items,
        Resource::SupplierItems,
        Resource::BudgetLines,
        Resource::Requisitions,
        Resource::PurchaseOrders,
        Resource::ReceivingTransactions,
        Resource::Invoices,
        Resource::ExpenseReports,
        Resource::Approvals,
    ];

    pub fn meta(self) -> &'static Meta {
        &METAS[self as usize]
    }

    /// The path segment after `/api/`.
    pub fn name(self) -> &'static str {
        self.meta().name
    }

    /// By path segment.
    pub fn named(name: &str) -> Option<Resource> {
        Self::ALL.into_iter().find(|r| r.name() == name)
    }

    /// Every read scope the served resources need.
    pub fn scopes() -> Vec<String> {
        let mut scopes: Vec<_> = METAS.iter().map(|m| m.scope.to_owned()).collect();
        scopes.sort();
        scopes.dedup();
        scopes
    }

    /// Documents come one after the other through the years; everything else was mostly there at the beginning.
    pub(crate) fn is_document(self) -> bool {
        matches!(
            self,
            Resource::Requisitions
                | Resource::PurchaseOrders
                | Resource::ReceivingTransactions
                | Resource::Invoices
                | Resource::ExpenseReports
        )
    }
}
