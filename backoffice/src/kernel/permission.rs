//! What can be permitted, and sets of it.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

text_enum! {
    /// What a page or a server function asks for.
    Permission {
        /// Orders, refunds, webhooks, users, to read.
        ViewTrade = "view_trade",
        /// What becomes of the money: transactions, pay-outs, reconciliation, reports, the contract, to read.
        ViewFinance = "view_finance",
        LookUpAtToss = "look_up_at_toss",
        Refund = "refund",
        /// Being the second person; never of one's own request.
        ApproveRefund = "approve_refund",
        /// Points of a promotion to users, within its budget.
        Grant = "grant",
        /// Making campaigns, and being the second person for their grants.
        ManageCampaigns = "manage_campaigns",
        SendMessage = "send_message",
        /// Personal data of a user, with a reason that is kept.
        RevealPersonal = "reveal_personal",
        /// Ending a user's link with the mini-app.
        UnlinkUser = "unlink_user",
        /// Working differences, closing days, the contract's rates, the bank's statement.
        Reconcile = "reconcile",
        /// Taking lists and reports out of the house, with a reason that is kept.
        Export = "export",
        ViewAudit = "view_audit",
        /// What people may ask of us about their own data: a copy, and that it is erased.
        ManagePersonalData = "manage_personal_data",
        /// Where events go, with which secrets, and telling them again.
        ManageEvents = "manage_events",
        /// Keys of the merchant's own servers, and what was called with them.
        ManageApiKeys = "manage_api_keys",
        ManageStaff = "manage_staff",
        /// What holds for everybody: limits.
        ChangeSettings = "change_settings",
    }
}

impl Permission {
    /// Giving and taking it takes two people: with it alone somebody approves, takes out, or lets others do so.
    pub const fn is_sensitive(self) -> bool {
        use Permission::*;
        matches!(
            self,
            ApproveRefund
                | ManageCampaigns
                | Reconcile
                | Export
                | ManagePersonalData
                | ManageEvents
                | ManageApiKeys
                | ManageStaff
                | ChangeSettings
        )
    }
}

/// A set of permissions.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Permissions(u32);

impl Permissions {
    pub const NONE: Self = Self(0);
    pub const ALL: Self = Self::of(&Permission::ALL);

    pub const fn of(permissions: &[Permission]) -> Self {
        let mut set = 0;
        let mut at = 0;
        while at < permissions.len() {
            set |= 1 << permissions[at] as u32;
            at += 1;
        }
        Self(set)
    }

    /// As they stand in SQL and in forms. What is not known is not permitted.
    pub fn parse(words: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        words.into_iter().filter_map(|word| Permission::parse(word.as_ref())).collect()
    }

    pub fn words(self) -> Vec<String> {
        self.iter().map(|permission| permission.as_str().to_owned()).collect()
    }

    pub const fn contains(self, permission: Permission) -> bool {
        self.0 & (1 << permission as u32) != 0
    }

    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.into_iter().filter(move |permission| self.contains(*permission))
    }

    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub const fn is_subset(self, of: Self) -> bool {
        self.0 & !of.0 == 0
    }

    pub const fn and(self, more: Self) -> Self {
        Self(self.0 | more.0)
    }

    /// What giving and taking takes two people for.
    pub fn sensitive(self) -> Self {
        self.iter().filter(|permission| permission.is_sensitive()).collect()
    }
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        permissions.into_iter().fold(Self::NONE, |set, permission| set.and(Self::of(&[permission])))
    }
}

impl std::fmt::Debug for Permissions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl Serialize for Permissions {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Permissions {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(Self::parse(Vec::<String>::deserialize(from)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_what_was_put_into_it_and_what_nobody_knows_is_not_permitted() {
        let set = Permissions::parse(["refund", "export", "everything", ""]);
        assert_eq!(set.words(), ["refund", "export"]);
        assert_eq!(serde_json::to_string(&set).unwrap(), r#"["refund","export"]"#);
        assert_eq!(serde_json::from_str::<Permissions>(r#"["export","x","refund"]"#).unwrap(), set);
        assert!(set.is_subset(Permissions::ALL) && !Permissions::ALL.is_subset(set));
        assert_eq!(set.sensitive().words(), ["export"]);
        assert_eq!(Permissions::ALL.iter().count(), Permission::ALL.len());
    }
}
