//! Toss's ways for money to come.

text_enum! {
    /// Which of them a payment took.
    Rail {
        TossPayments = "toss_payments",
        /// In a mini-app, through Apps in Toss.
        TossPay = "toss_pay",
        /// A store's in-app purchase: it has no payment at Toss and is refunded by the store.
        Iap = "iap",
    }
}
