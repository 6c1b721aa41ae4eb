//! Approvals of requisitions and invoices.
//!
//! A document has up to two. Their slots are its own slot times four, plus two for invoices, plus the position;
//! most slots are empty, and one comes into being when its document gets that far.

use super::{Resource, World, dice::mix};
use crate::{
    out::{Out, Writer},
    zone::DAY,
};

const APPROVAL: u64 = 101;

/// The document an approval belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    Requisition,
    Invoice,
}

fn taken_apart(slot: u32) -> (Of, u32, u32) {
    (
        if slot & 2 == 0 {
            Of::Requisition
        } else {
            Of::Invoice
        },
        slot / 4,
        slot & 1,
    )
}

impl World {
    fn approval_count(&self, of: Of, document: u32, status: &str) -> u32 {
        let roll = mix(self.seed(), APPROVAL + of as u64, u64::from(document));
        match (of, status) {
            (Of::Requisition, "draft" | "cart" | "backgrounded" | "pending_buyer_action") => 0,
            (Of::Requisition, _) => 1 + u32::from(roll.is_multiple_of(3)),
            (
                Of::Invoice,
                "draft" | "new" | "processing" | "pending_receipt" | "ap_hold" | "pending_action",
            ) => 0,
            (Of::Invoice, "pending_approval" | "rejected") => 1 + u32::from(roll.is_multiple_of(4)),
            (Of::Invoice, _) => u32::from(roll % 10 < 4) + u32::from(roll.is_multiple_of(10)),
        }
    }

    fn status_of(&self, of: Of, document: u32) -> &'static str {
        match of {
            Of::Requisition => self.requisition_now(document).status,
            Of::Invoice => self.invoice_now(document).status,
        }
    }

    fn document(of: Of) -> Resource {
        match of {
            Of::Requisition => Resource::Requisitions,
            Of::Invoice => Resource::Invoices,
        }
    }

    /// Whether the document of an approval has come so far.
    pub fn approval_exists(&self, slot: u32) -> bool {
        let (of, document, position) = taken_apart(slot);
        self.table(Self::document(of)).exists(document)
            && position < self.approval_count(of, document, self.status_of(of, document))
    }

    /// Slots of approvals that a document can have.
    pub fn approval_slots(&self, resource: Resource, document: u32) -> [u32; 2] {
        let first = document * 4 + if resource == Resource::Invoices { 2 } else { 0 };
        [first, first + 1]
    }

    fn approvals(&self, of: Of, document: u32) -> Vec<u32> {
        let slots = self.approval_slots(Self::document(of), document);
        slots
            .into_iter()
            .filter(|slot| self.table(Resource::Approvals).exists(*slot))
            .collect()
    }

    pub fn approvals_of_requisition(&self, requisition: u32) -> Vec<u32> {
        self.approvals(Of::Requisition, requisition)
    }

    pub fn approvals_of_invoice(&self, invoice: u32) -> Vec<u32> {
        self.approvals(Of::Invoice, invoice)
    }

    /// When an approval was asked for: soon after its document was made.
    pub(super) fn approval_created(&self, slot: u32) -> i64 {
        let (of, document, position) = taken_apart(slot);
        let created = match self
            .table(Self::document(of))
            .updated
            .get(document as usize)
        {
            Some(_) => self.created(Self::document(of), document),
            None => self.shape.start,
        };
        created + 600 + i64::from(position) * 60
    }

    fn approval_status(&self, slot: u32) -> &'static str {
        let (of, document, position) = taken_apart(slot);
        let status = self.status_of(of, document);
        let last = position + 1 == self.approval_count(of, document, status);
        match status {
            "pending_approval" if position == 0 => "pending_approval",
            "pending_approval" => "new",
            "rejected" | "withdrawn" | "abandoned" if last => "rejected",
            _ => "approved",
        }
    }

    pub fn approval_is_pending(&self, slot: u32) -> bool {
        self.approval_status(slot) == "pending_approval"
    }

    pub(crate) fn write_approval<O: Out>(&self, w: &mut Writer<'_, O>, slot: u32) {
        let (of, document, position) = taken_apart(slot);
        let roll = mix(self.seed(), APPROVAL + 7, u64::from(slot));
        let requester = match of {
            Of::Requisition => self.requisition_now(document).requester,
            Of::Invoice => self.employee(mix(self.seed(), APPROVAL + 8, u64::from(document))),
        };
        let manager = self.users[requester as usize].manager.unwrap_or(0);
        let approver = if position == 0 {
            manager
        } else {
            self.users[manager as usize].manager.unwrap_or(0)
        };
        let status = self.approval_status(slot);
        let created = self.created(Resource::Approvals, slot);
        let stamped = !roll.is_multiple_of(10);
        w.int("id", self.id(Resource::Approvals, slot));
        // Seen in genuine payloads: approvals whose creation is not stamped.
        w.time_opt("created-at", stamped.then_some(created));
        w.time("updated-at", self.updated(Resource::Approvals, slot));
        w.int("position", i64::from(position) + 1);
        w.str("status", status);
        let decided = matches!(status, "approved" | "rejected");
        w.time_opt(
            "approval-date",
            decided
                .then_some((created + (roll % 5) as i64 * DAY).min(self.shape.start.max(created))),
        );
        w.str_opt("note", (roll % 30 == 4).then_some("ok, see mail"));
        w.str("type", "ManagementHierarchyApproval");
        w.str(
            "approvable-type",
            if of == Of::Requisition {
                "RequisitionHeader"
            } else {
                "InvoiceHeader"
            },
        );
        w.int("approvable-id", self.id(Self::document(of), document));
        w.nulls(&["approval-chain-id", "parallel-group-name", "delegate-id"]);
        w.int("approver-id", self.id(Resource::Users, approver));
        w.str("approver-type", "User");
        w.bool("holdable", false);
        w.object("approver", |w| self.mini_user(w, approver));
        w.object_opt(
            "approved-by",
            (status == "approved").then_some(approver),
            |w, u| self.mini_user(w, u),
        );
        w.null_objects(&["delegate"]);
        w.empty_lists(&["delegates", "reasons"]);
    }
}
