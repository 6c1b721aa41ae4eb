//! Users, user groups and memberships.

use super::{
    Resource, World,
    catalog::catalog,
    dice::{Dice, mix},
};
use crate::out::{Out, Writer};

const USER: u64 = 1;
const GROUPS: u64 = 2;

const ROLES: [(&str, &str, bool); 9] = [
    ("User", "Basic access", false),
    ("Buyer", "Sources and orders", false),
    ("Buying Manager", "Sees all orders of the department", false),
    ("Accounts Payable", "Enters and corrects invoices", false),
    ("Expense User", "Files expense reports", false),
    ("Receiver", "Receives at the warehouse", false),
    ("Admin", "Everything", true),
    ("Budget Owner", "Keeps budgets", false),
    ("API User", "Integrations", false),
];

const LICENCES: [&str; 17] = [
    "purchasing-user",
    "expense-user",
    "sourcing-user",
    "inventory-user",
    "contracts-user",
    "analytics-user",
    "spend-guard-user",
    "ccw-user",
    "aic-user",
    "travel-user",
    "treasury-user",
    "invoicing-user",
    "supply-chain-user",
    "risk-assess-user",
    "category-planner-user",
    "clm-advanced-user",
    "msp-user",
];

/// A user as kept in memory: names are printed in every other record.
pub struct User {
    pub first: &'static str,
    pub last: &'static str,
    pub full: String,
    pub login: String,
    pub email: String,
    pub number: String,
    pub manager: Option<u32>,
    pub department: u32,
    pub active: bool,
    pub api: bool,
    pub of_supplier: bool,
}

impl User {
    pub fn new(world: &World, slot: u32) -> User {
        let mut dice = Dice::new(world.seed(), USER, u64::from(slot));
        let catalog = catalog();
        let (first, last) = (dice.pick(&catalog.given), dice.pick(&catalog.family));
        let login = format!("{}.{}{}", ascii(first), ascii(last), slot + 1);
        // Two integrations, then about one supplier's user in fifty.
        let api = slot == 3 || slot == 7;
        let leads = slot * 7 + 1 < world.base(Resource::Users);
        let of_supplier = !api && !leads && dice.chance(20);
        let domain = if of_supplier {
            "supplier.example"
        } else {
            "acme.example"
        };
        User {
            first,
            last,
            full: format!("{first} {last}"),
            email: format!("{login}@{domain}"),
            login,
            number: format!("E{:05}", 10_000 + slot),
            manager: (slot > 0 && !api && !of_supplier).then(|| match (slot - 1) / 7 {
                3 | 7 => 0,
                manager => manager,
            }),
            department: dice.below(u64::from(world.base(Resource::Departments))) as u32,
            active: slot < 20 || !dice.chance(80),
            api,
            of_supplier,
        }
    }
}

/// The letters of a name that can stand in a login.
fn ascii(name: &str) -> String {
    let plain = |c: char| match c {
        'á' | 'à' | 'ä' | 'å' | 'ã' => Some('a'),
        'é' | 'è' | 'ë' | 'ê' => Some('e'),
        'í' | 'î' => Some('i'),
        'ó' | 'ö' | 'ø' | 'ô' => Some('o'),
        'ú' | 'ü' => Some('u'),
        'š' | 'ś' => Some('s'),
        other => other.is_ascii_alphanumeric().then_some(other),
    };
    name.to_lowercase().chars().filter_map(plain).collect()
}

impl World {
    /// A person who works here, for a document: not a supplier's user, not an integration.
    pub fn employee(&self, roll: u64) -> u32 {
        let users = u64::from(self.base(Resource::Users));
        let mut slot = (roll % users) as u32;
        while self.users[slot as usize].api || self.users[slot as usize].of_supplier {
            slot = if u64::from(slot) + 1 < users {
                slot + 1
            } else {
                0
            };
        }
        slot
    }

    pub(crate) fn mini_user<O: Out>(&self, w: &mut Writer<'_, O>, slot: u32) {
        let user = &self.users[slot as usize];
        w.int("id", self.id(Resource::Users, slot));
        w.str("login", &user.login);
        w.str("email", &user.email);
        w.str_opt(
            "employee-number",
            (!user.api && !user.of_supplier).then_some(user.number.as_str()),
        );
        w.str("firstname", user.first);
        w.str("lastname", user.last);
        w.str("fullname", &user.full);
        w.nulls(&["salesforce-id", "avatar-thumb-url"]);
    }

    pub(crate) fn phone<O: Out>(&self, w: &mut Writer<'_, O>, roll: u64) {
        w.str("country-code", ["1", "44", "49", "33"][(roll % 4) as usize]);
        w.text("area-code", || format!("{}", 200 + roll / 4 % 700));
        w.text("number", || {
            format!("{}-{:04}", 200 + roll / 5000 % 700, roll % 10_000)
        });
        w.str_opt("extension", roll.is_multiple_of(5).then_some("12"));
    }

    pub(crate) fn write_user<O: Out>(&self, w: &mut Writer<'_, O>, slot: u32) {
        let user = &self.users[slot as usize];
        let revision = self.revision(Resource::Users, slot);
        let mut dice = Dice::new(self.seed(), USER + 1000, u64::from(slot));
        let roll = dice.below(u64::MAX);
        self.head(w, Resource::Users, slot);
        w.str("login", &user.login);
        w.str("email", &user.email);
        w.bool("purchasing-user", dice.chance(600));
        w.bool("expense-user", dice.chance(700));
        for licence in &LICENCES[2..] {
            w.bool(licence, dice.chance(60));
        }
        w.str_opt(
            "employee-number",
            (!user.api && !user.of_supplier).then_some(user.number.as_str()),
        );
        w.str("firstname", user.first);
        w.str("lastname", user.last);
        w.str("fullname", &user.full);
        w.str_opt("middlename", dice.chance(50).then_some("J."));
        w.bool("active", user.active ^ (revision % 3 == 2));
        w.bool("api-user", user.api);
        w.bool("supplier-user", user.of_supplier);
        w.bool("support-user", false);
        w.str_opt(
            "type",
            if user.of_supplier {
                Some("SupplierUser")
            } else {
                None
            },
        );
        w.int("account-security-type", 0);
        w.int("business-group-security-type", i64::from(dice.chance(100)));
        w.str(
            "authentication-method",
            if user.api {
                "coupa_credentials"
            } else {
                "saml"
            },
        );
        w.str_opt("sso-identifier", (!user.api).then_some(user.email.as_str()));
        w.str(
            "default-locale",
            dice.pick(&["en", "en", "en", "de", "fr", "es", "ja"]),
        );
        w.str(
            "business-function",
            dice.pick(&["", "Finance", "Engineering", "Operations", "Sales", "Legal"]),
        );
        w.str(
            "seniority-level",
            match revision {
                0 => dice.pick(&["", "Staff", "Manager", "Director"]),
                n => ["Staff", "Manager", "Director", "Vice President"][n as usize % 4],
            },
        );
        w.text("mention-name", || {
            format!("{}{}", ascii(user.first), ascii(user.last))
        });
        w.str("employee-payment-channel", "erp");
        w.bool("allow-employee-payment-account-creation", false);
        w.nulls(&[
            "salesforce-id",
            "avatar-thumb-url",
            "allowed-invoice-inboxes",
            "eligible-for-virtual-cards",
        ]);
        w.object_opt("manager", user.manager, |w, manager| {
            self.mini_user(w, manager)
        });
        w.object_opt(
            "department",
            (!user.api).then_some(user.department),
            |w, d| self.department_full(w, d),
        );
        w.object_opt("phone-work", dice.chance(700).then_some(roll), |w, roll| {
            self.phone(w, roll)
        });
        w.object_opt(
            "phone-mobile",
            dice.chance(300).then_some(roll >> 7),
            |w, roll| self.phone(w, roll),
        );
        let chart = (roll % 3) as u32;
        w.object("default-account-type", |w| {
            self.account_type_brief(w, chart)
        });
        let account = self.account_in(chart, roll >> 9);
        w.object_opt(
            "default-account",
            dice.chance(800).then_some(account),
            |w, a| self.account_full(w, a),
        );
        let address = (roll >> 17) % u64::from(self.base(Resource::Addresses));
        w.object_opt(
            "default-address",
            dice.chance(900).then_some(address as u32),
            |w, a| self.address_full(w, a),
        );
        let currency = self.chart_currency(chart);
        w.object("default-currency", |w| self.mini_currency(w, currency));
        let limit = dice.pick(&[500, 2_500, 10_000, 50_000, 1_000_000]);
        for kind in [
            "requisition-approval-limit",
            "invoice-approval-limit",
            "expense-approval-limit",
        ] {
            w.object_opt(kind, dice.chance(300).then_some(limit), |w, limit| {
                w.int("id", 10 + limit / 500);
                w.text("name", || format!("Up to {limit}"));
                w.money("amount", limit * 10_000);
                w.object("currency", |w| self.mini_currency(w, 0));
            });
        }
        w.null_objects(&[
            "requisition-self-approval-limit",
            "invoice-self-approval-limit",
            "expense-self-approval-limit",
            "contract-approval-limit",
            "contract-self-approval-limit",
            "work-confirmation-approval-limit",
            "escalation-threshold",
            "country-of-residence",
            "expenses-delegated-to",
            "can-expense-for",
            "legal-entity",
            "pcard",
        ]);
        let picked = self.roles_of(slot);
        w.list("roles", "role", picked, |w, role| {
            let (name, description, omnipotent) = ROLES[role];
            w.int("id", role as i64 + 1);
            w.str("name", name);
            w.str("description", description);
            w.bool("omnipotent", omnipotent);
            w.bool("system-role", role < 5);
        });
        let groups = self.groups_of(slot);
        w.list("user-groups", "user-group", groups, |w, group| {
            self.group_brief(w, group)
        });
        let content = [
            0,
            1 + (roll >> 23) % u64::from(self.base(Resource::BusinessGroups) - 1),
        ];
        let shown = if dice.chance(600) { 1 } else { 2 };
        w.list(
            "content-groups",
            "business-group",
            &content[..shown],
            |w, group| {
                self.business_group_full(w, *group as u32);
            },
        );
        w.empty_lists(&[
            "account-groups",
            "approval-groups",
            "working-warehouses",
            "inventory-organizations",
        ]);
        self.tail(w, Resource::Users, slot);
        w.object("custom-fields", |w| {
            w.str(
                "desk-location",
                dice.pick(&["", "HQ 3.14", "Plant 2", "Remote"]),
            );
            let center = self.lookup_of(0, roll >> 31);
            w.field_object("cost-object", dice.chance(400).then_some(center), |w, v| {
                self.lookup_mini(w, v)
            });
        });
    }

    fn roles_of(&self, slot: u32) -> Vec<usize> {
        let roll = mix(self.seed(), GROUPS, u64::from(slot));
        let mut roles = vec![0];
        for role in 1..8 {
            if (roll >> (role * 5)).is_multiple_of(7) && (role != 6 || slot < 12) {
                roles.push(role);
            }
        }
        if self.users[slot as usize].api {
            roles.push(8);
        }
        roles
    }

    /// A membership joins a user and a group: the n-th one takes the groups in turn.
    pub(crate) fn membership(&self, slot: u32) -> (u32, u32) {
        let groups = self.base(Resource::UserGroups);
        let users = u64::from(self.base(Resource::Users));
        let (group, round) = (slot % groups, slot / groups);
        // A step that shares no divisor with the number of users visits each user once.
        let from = mix(self.seed(), GROUPS + 1, u64::from(group)) % users;
        let user = (from + u64::from(round) * 31) % users;
        (self.employee(user), group)
    }

    /// The groups a user is in, as memberships stand now.
    fn groups_of(&self, user: u32) -> Vec<u32> {
        let table = self.table(Resource::UserGroupMemberships);
        let members = (0..table.updated.len() as u32).filter(|slot| table.exists(*slot));
        let mut groups: Vec<u32> = members
            .map(|slot| self.membership(slot))
            .filter(|(u, _)| *u == user)
            .map(|(_, g)| g)
            .collect();
        groups.sort_unstable();
        groups.dedup();
        groups
    }

    fn members_of(&self, group: u32) -> Vec<u32> {
        let table = self.table(Resource::UserGroupMemberships);
        let groups = self.base(Resource::UserGroups);
        let slots = (group..table.updated.len() as u32).step_by(groups as usize);
        let mut users: Vec<u32> = slots
            .filter(|slot| table.exists(*slot))
            .map(|slot| self.membership(slot).0)
            .collect();
        users.sort_unstable();
        users.dedup();
        users
    }

    fn group_name(&self, group: u32) -> String {
        let kinds = [
            "Travel approvers",
            "Capital committee",
            "Plant buyers",
            "Invoice entry",
            "Project",
        ];
        format!("{} {}", kinds[group as usize % kinds.len()], group + 1)
    }

    fn group_brief<O: Out>(&self, w: &mut Writer<'_, O>, group: u32) {
        w.int("id", self.id(Resource::UserGroups, group));
        w.text("name", || self.group_name(group));
        w.bool("active", group % 11 != 10);
    }

    pub(crate) fn write_user_group<O: Out>(&self, w: &mut Writer<'_, O>, slot: u32) {
        let roll = mix(self.seed(), GROUPS + 2, u64::from(slot));
        let revision = self.revision(Resource::UserGroups, slot);
        self.head(w, Resource::UserGroups, slot);
        w.text("name", || self.group_name(slot));
        w.text("description", || match revision {
            0 => String::new(),
            n => format!("Members reviewed, round {n}"),
        });
        w.bool("active", slot % 11 != 10);
        w.bool("open", roll.is_multiple_of(3));
        w.bool("can-approve", roll.is_multiple_of(2));
        w.str_opt("type", (slot % 5 == 4).then_some("Project"));
        w.text("mention-name", || {
            self.group_name(slot).replace(' ', "").to_lowercase()
        });
        w.nulls(&["avatar-thumb-url"]);
        w.object_opt(
            "owner",
            (!roll.is_multiple_of(9)).then_some(self.employee(roll)),
            |w, u| self.mini_user(w, u),
        );
        let members = if slot < self.base(Resource::UserGroups) {
            self.members_of(slot)
        } else {
            Vec::new()
        };
        w.list("users", "user", members, |w, user| self.mini_user(w, user));
        w.empty_lists(&["content-groups"]);
        self.tail(w, Resource::UserGroups, slot);
    }

    pub(crate) fn write_membership<O: Out>(&self, w: &mut Writer<'_, O>, slot: u32) {
        let (user, group) = self.membership(slot);
        let roll = mix(self.seed(), GROUPS + 3, u64::from(slot));
        let revision = self.revision(Resource::UserGroupMemberships, slot);
        self.head(w, Resource::UserGroupMemberships, slot);
        w.bool("owner", (u64::from(revision) + roll).is_multiple_of(10));
        w.bool("participant", true);
        w.int("user-id", self.id(Resource::Users, user));
        w.int("user-group-id", self.id(Resource::UserGroups, group));
        w.str(
            "user-group-type",
            if group % 5 == 4 {
                "Project"
            } else {
                "UserGroup"
            },
        );
        w.object("user", |w| self.mini_user(w, user));
        w.object("user-group", |w| self.group_brief(w, group));
    }
}
