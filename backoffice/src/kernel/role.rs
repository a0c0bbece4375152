//! The four roles that every house has, and the one table of what they may do.

use super::permission::{Permission, Permissions};

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
            ViewTrade | ViewFinance => true,
            LookUpAtToss | Refund | Grant | SendMessage | RevealPersonal => {
                matches!(self, Self::Support | Self::Finance | Self::Admin)
            }
            ViewAudit | ApproveRefund | ManageCampaigns | UnlinkUser | Reconcile | Export => {
                matches!(self, Self::Finance | Self::Admin)
            }
            ManagePersonalData | ManageEvents | ManageApiKeys | ManageStaff | ChangeSettings => {
                self == Self::Admin
            }
        }
    }

    pub fn permissions(self) -> Permissions {
        Permission::ALL.into_iter().filter(|permission| self.may(*permission)).collect()
    }
}
