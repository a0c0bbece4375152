//! Who may do what: the roles, the permissions, and the one table between them.

text_enum! {
    Role {
        /// Reads.
        Viewer = "viewer",
        /// Reads and refunds.
        Support = "support",
        /// Reads, refunds and keeps the books.
        Finance = "finance",
        /// All that, and staff.
        Admin = "admin",
    }
}

impl Role {
    /// The one table of who may do what.
    pub fn may(self, permission: Permission) -> bool {
        use Permission::*;
        match permission {
            ViewTrade => true,
            LookUpAtToss | Refund | Grant | SendMessage | RevealPersonal => {
                matches!(self, Self::Support | Self::Finance | Self::Admin)
            }
            ViewAudit | ApproveRefund | ManageCampaigns | UnlinkUser | Reconcile | Export => {
                matches!(self, Self::Finance | Self::Admin)
            }
            ManageStaff | ChangeSettings => self == Self::Admin,
        }
    }
}

/// What a page or a server function asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Permission {
    /// Orders, transactions, refunds and webhooks, to read.
    ViewTrade,
    LookUpAtToss,
    Refund,
    /// Being the second person; never of one's own request.
    ApproveRefund,
    /// Points of a promotion to users, within its budget.
    Grant,
    SendMessage,
    /// Personal data of a user, with a reason that is kept.
    RevealPersonal,
    /// Ending a user's link with the mini-app.
    UnlinkUser,
    /// Making campaigns, and being the second person for their grants.
    ManageCampaigns,
    /// Working differences, closing days, the contract's rates, the bank's statement.
    Reconcile,
    /// Taking lists and reports out of the house, with a reason that is kept.
    Export,
    ViewAudit,
    ManageStaff,
    /// What holds for everybody: limits.
    ChangeSettings,
}
