//! A payment from the open window to the money taken (toss-api.md A2, A4).

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::json;
use time::{Duration, OffsetDateTime};
use toss::payments::{
    Billing, BillingChargeRequest, Card, ConfirmRequest, EasyPay, Failure, GiftCertificate, Method,
    MobilePhone, OrderId, Payment, PaymentKey, PaymentStatus, PaymentType, RefundReceiveAccount,
    RefundStatus, TransactionKey, Transfer, Url, VirtualAccount, VirtualAccountRequest, WebhookSecret, codes,
    institutions,
};

use super::{
    Books, Change, Event, Outcome, Record, Refused, WantedReceipt, holds_money, money::set_balance, receipts,
};
use crate::ids;

/// Time to authenticate once the window is open, and how long the refund account can be read.
const WINDOW: Duration = Duration::minutes(30);
/// Time to confirm once authenticated.
const CONFIRM: Duration = Duration::minutes(10);

/// What a shop's page hands to the payment window.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Opening {
    pub order_id: String,
    pub order_name: String,
    #[serde(with = "toss::decimal")]
    pub amount: Decimal,
    #[serde(default)]
    pub currency: Option<String>,
    #[serde(default, with = "toss::decimal::option")]
    pub tax_free_amount: Option<Decimal>,
    #[serde(default, with = "toss::decimal::option")]
    pub tax_exemption_amount: Option<Decimal>,
    #[serde(default)]
    pub success_url: Option<String>,
    #[serde(default)]
    pub fail_url: Option<String>,
    #[serde(default)]
    pub use_escrow: bool,
}

/// What the buyer picks in the window.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Choice {
    /// Toss's Korean word; the card when absent.
    pub method: Option<String>,
    /// Two characters of toss-api.md A11.
    pub issuer_code: Option<String>,
    pub bank_code: Option<String>,
    pub provider: Option<String>,
    pub installment_plan_months: Option<i32>,
    pub customer_name: Option<String>,
    pub customer_mobile_phone: Option<String>,
    pub valid_hours: Option<i64>,
    pub refund_receive_account: Option<RefundReceiveAccount>,
    /// A receipt that the buyer asks for with the payment.
    pub cash_receipt: Option<WantedReceipt>,
    /// A foreign card cannot be refunded in part.
    pub partial_cancelable: Option<bool>,
    #[serde(with = "toss::decimal::option")]
    pub discount_amount: Option<Decimal>,
    /// Code of toss-api.md A9.1 that the confirm will be refused with.
    pub decline: Option<String>,
}

impl Books {
    /// Opens the payment window: READY.
    pub fn open(&mut self, opening: Opening, now: OffsetDateTime) -> Outcome<Record> {
        if opening.order_id.is_empty() || opening.order_id.chars().count() > 64 {
            return Err(Refused("INVALID_ORDER_ID"));
        }
        if opening.amount <= Decimal::ZERO {
            return Err(Refused("BELOW_ZERO_AMOUNT"));
        }
        self.refuse_paid_order(&opening.order_id)?;
        let key = ids::payment_key(&self.m_id, now);
        let mut payment = self.blank(key, &opening.order_id, &opening.order_name, now);
        payment.currency = Some(opening.currency.unwrap_or_else(|| "KRW".into()));
        payment.total_amount = opening.amount;
        payment.tax_free_amount = opening.tax_free_amount;
        payment.tax_exemption_amount = opening.tax_exemption_amount;
        payment.use_escrow = Some(opening.use_escrow);
        set_balance(&mut payment, opening.amount);
        let record = Record {
            payment,
            opened_at: now,
            authenticated_at: None,
            success_url: opening.success_url,
            fail_url: opening.fail_url,
            decline: None,
            refund_account: None,
            paid_back_to: None,
            cash_receipt: None,
            bank_since: None,
            customer_key: None,
        };
        self.put(record.clone());
        Ok(record)
    }

    /// The buyer has picked and proven a method: IN_PROGRESS. Nothing is sent for it (toss-api.md A10.3).
    pub fn authenticate(&mut self, key: &str, choice: Choice, now: OffsetDateTime) -> Outcome<Record> {
        self.expire_due(now);
        let mut record = self.get(key)?;
        if record.payment.status != PaymentStatus::Ready {
            return Err(Refused("NOT_FOUND_PAYMENT_SESSION"));
        }
        if choice.decline.as_deref().is_some_and(|code| codes::find(code).is_none()) {
            return Err(Refused("INVALID_TEST_CODE"));
        }
        record.decline = choice.decline.clone();
        record.refund_account = choice.refund_receive_account.clone();
        record.cash_receipt = choice.cash_receipt.clone();
        record.authenticated_at = Some(now);
        let payment = &mut record.payment;
        payment.status = PaymentStatus::InProgress;
        payment.secret = Some(WebhookSecret(ids::secret()));
        if let Some(discount) = choice.discount_amount.filter(|d| !d.is_zero()) {
            payment.discount = Some(toss::payments::Discount { amount: discount });
        }
        fill_method(payment, &choice, now);
        self.put(record.clone());
        Ok(record)
    }

    /// `POST /v1/payments/confirm`.
    pub fn confirm(&mut self, request: &ConfirmRequest, now: OffsetDateTime) -> Outcome<Payment> {
        self.expire_due(now);
        let mut record = self.get(request.payment_key.as_str())?;
        match record.payment.status {
            PaymentStatus::InProgress => {}
            PaymentStatus::Ready | PaymentStatus::Expired => {
                return Err(Refused("NOT_FOUND_PAYMENT_SESSION"));
            }
            _ => return Err(Refused("ALREADY_PROCESSED_PAYMENT")),
        }
        // Toss blocks both; the code is not documented (toss-api.md Part E1).
        if request.order_id != record.payment.order_id || request.amount != record.payment.total_amount {
            return Err(Refused("INVALID_REQUEST"));
        }
        self.refuse_paid_order(request.order_id.as_str())?;
        if record.payment.currency() == "KRW" && request.amount < minimum(record.payment.method.as_ref()) {
            return Err(Refused("BELOW_MINIMUM_AMOUNT"));
        }
        if let Some((code, message)) = record.decline.take().and_then(|wanted| {
            codes::CODES
                .iter()
                .find(|(_, code, _)| *code == wanted)
                .map(|(_, code, message)| (*code, *message))
        }) {
            record.payment.status = PaymentStatus::Aborted;
            record.payment.failure = Some(Failure { code: Some(code.into()), message: Some(message.into()) });
            let payment = record.payment.clone();
            self.put(record);
            self.announce(&payment);
            return Err(Refused(code));
        }
        record.payment.last_transaction_key = Some(TransactionKey(ids::transaction_key()));
        let booked = if let Some(account) = &mut record.payment.virtual_account {
            record.payment.status = PaymentStatus::WaitingForDeposit;
            account.refund_receive_account = record.refund_account.clone();
            Decimal::ZERO
        } else {
            record.payment.status = PaymentStatus::Done;
            record.payment.approved_at = Some(now);
            receipts::issue_with_payment(&mut record, now);
            record.payment.total_amount
        };
        let payment = record.payment.clone();
        self.put(record);
        self.book(&payment, booked, now);
        self.announce(&payment);
        Ok(payment)
    }

    /// `GET /v1/payments/{paymentKey}`.
    pub fn look_up(&mut self, key: &str, now: OffsetDateTime) -> Outcome<Payment> {
        self.expire_due(now);
        let record = self.get(key)?;
        let mut payment = record.payment;
        if let Some(account) = &mut payment.virtual_account {
            account.refund_receive_account =
                record.refund_account.filter(|_| now - record.opened_at <= WINDOW);
        }
        Ok(payment)
    }

    /// `GET /v1/payments/orders/{orderId}`.
    pub fn look_up_order(&mut self, order_id: &str, now: OffsetDateTime) -> Outcome<Payment> {
        let key = self.by_order.get(order_id).cloned().ok_or(Refused("NOT_FOUND_PAYMENT"))?;
        self.look_up(&key, now)
    }

    /// Closes every window whose time has passed, and every account whose due date has; banks do their work.
    pub fn expire_due(&mut self, now: OffsetDateTime) {
        self.let_banks_work(now);
        let due: Vec<Record> = self
            .payments
            .values()
            .filter(|r| match (&r.payment.status, r.authenticated_at) {
                (PaymentStatus::Ready, _) => now - r.opened_at > WINDOW,
                (PaymentStatus::InProgress, Some(at)) => now - at > CONFIRM,
                (PaymentStatus::WaitingForDeposit, _) => r
                    .payment
                    .virtual_account
                    .as_ref()
                    .is_some_and(|a| a.expired == Some(false) && a.due_date.is_some_and(|due| due < now)),
                _ => false,
            })
            .cloned()
            .collect();
        for mut record in due {
            let payment = &mut record.payment;
            if let (PaymentStatus::WaitingForDeposit, Some(account)) =
                (&payment.status, &mut payment.virtual_account)
            {
                // Nothing is sent when a due date passes (toss-api.md A10.4).
                account.expired = Some(true);
                self.put(record);
                continue;
            }
            payment.status = PaymentStatus::Expired;
            // The look-up of an expired payment has lost all this (toss-api.md A6).
            payment.method = None;
            payment.use_escrow = None;
            payment.secret = None;
            payment.receipt = None;
            (payment.card, payment.virtual_account, payment.easy_pay) = (None, None, None);
            (payment.transfer, payment.mobile_phone, payment.gift_certificate) = (None, None, None);
            payment.failure = Some(Failure {
                code: Some("EXPIRED_PAYMENT".into()),
                message: Some("결제가 만료되었습니다. 다시 시도해주세요.".into()),
            });
            let payment = payment.clone();
            self.put(record);
            self.announce(&payment);
        }
    }

    /// The buyer pays into the account.
    pub fn deposit(&mut self, key: &str, now: OffsetDateTime) -> Outcome<Payment> {
        self.expire_due(now);
        let mut record = self.get(key)?;
        let payment = &mut record.payment;
        let (PaymentStatus::WaitingForDeposit, Some(account)) =
            (&payment.status, &mut payment.virtual_account)
        else {
            return Err(Refused("NOT_FOUND_PAYMENT_SESSION"));
        };
        if account.expired == Some(true) {
            return Err(Refused("EXCEED_MAX_DUE_DATE"));
        }
        account.depositor_name = account.customer_name.clone();
        payment.status = PaymentStatus::Done;
        payment.approved_at = Some(now);
        payment.last_transaction_key = Some(TransactionKey(ids::transaction_key()));
        receipts::issue_with_payment(&mut record, now);
        let payment = record.payment.clone();
        self.put(record);
        self.book(&payment, payment.total_amount, now);
        self.announce(&payment);
        Ok(payment)
    }

    /// The bank takes a deposit back: DONE becomes WAITING_FOR_DEPOSIT again (toss-api.md A2).
    pub fn deposit_error(&mut self, key: &str) -> Outcome<Payment> {
        let mut record = self.get(key)?;
        if record.payment.status != PaymentStatus::Done || record.payment.virtual_account.is_none() {
            return Err(Refused("NOT_FOUND_PAYMENT_SESSION"));
        }
        record.payment.status = PaymentStatus::WaitingForDeposit;
        record.payment.approved_at = None;
        let payment = record.payment.clone();
        self.put(record);
        self.announce(&payment);
        Ok(payment)
    }

    /// `POST /v1/virtual-accounts`: an account without a window.
    pub fn issue_virtual_account(
        &mut self,
        request: VirtualAccountRequest,
        now: OffsetDateTime,
    ) -> Outcome<Payment> {
        if request.valid_hours.is_some() && request.due_date.is_some() {
            return Err(Refused("INVALID_VALID_HOURS_WITH_DUE_DATE_AND_SINGLE"));
        }
        if request.valid_hours.is_some_and(|hours| hours > 2160) {
            return Err(Refused("EXCEED_MAX_VALID_HOURS"));
        }
        let bank_code = bank_code(&request.bank).ok_or(Refused("INVALID_BANK"))?;
        if request.due_date.is_some_and(|due| due <= now) {
            return Err(Refused("INVALID_DATE"));
        }
        // Refused before a window opens, so that nothing is left behind.
        if request.amount < minimum(Some(&Method::VirtualAccount)) {
            return Err(Refused("BELOW_MINIMUM_AMOUNT"));
        }
        let record = self.open(
            Opening {
                order_id: request.order_id.0.clone(),
                order_name: request.order_name,
                amount: request.amount,
                currency: None,
                tax_free_amount: request.tax_free_amount,
                tax_exemption_amount: None,
                success_url: None,
                fail_url: None,
                use_escrow: request.use_escrow.unwrap_or(false),
            },
            now,
        )?;
        let hours =
            request.due_date.map(|due| (due - now).whole_hours()).or(request.valid_hours.map(i64::from));
        let choice = Choice {
            method: Some("가상계좌".into()),
            bank_code: Some(bank_code.into()),
            customer_name: Some(request.customer_name),
            valid_hours: hours,
            ..Choice::default()
        };
        self.authenticate(record.payment.payment_key.as_str(), choice, now)?;
        self.confirm(
            &ConfirmRequest {
                payment_key: record.payment.payment_key,
                order_id: request.order_id,
                amount: request.amount,
            },
            now,
        )
    }

    /// `POST /v1/billing/authorizations/issue`.
    pub fn issue_billing_key(&mut self, customer_key: &str, now: OffsetDateTime) -> Outcome<Billing> {
        let billing = Billing {
            m_id: Some(self.m_id.clone()),
            customer_key: customer_key.to_owned(),
            authenticated_at: Some(now),
            method: Some("카드".into()),
            billing_key: ids::billing_key(),
            card: Some(card(&Choice::default(), Decimal::ZERO)),
        };
        self.changes.push(Change::Billing(Box::new(billing.clone())));
        self.billing.insert(billing.billing_key.clone(), billing.clone());
        Ok(billing)
    }

    /// `POST /v1/billing/{billingKey}`. No payment event follows (toss-api.md A4.5).
    pub fn charge_billing_key(
        &mut self,
        billing_key: &str,
        request: &BillingChargeRequest,
        now: OffsetDateTime,
    ) -> Outcome<Payment> {
        if self.removed_billing.contains(billing_key) {
            return Err(Refused("ALREADY_REMOVED_BILLING_KEY"));
        }
        let billing = self.billing.get(billing_key).ok_or(Refused("NOT_FOUND_BILLING"))?;
        if billing.customer_key != request.customer_key {
            return Err(Refused("NOT_MATCHES_CUSTOMER_KEY"));
        }
        if request.amount < Decimal::ONE_HUNDRED {
            return Err(Refused("BELOW_MINIMUM_AMOUNT"));
        }
        self.refuse_paid_order(request.order_id.as_str())?;
        let key = ids::payment_key(&self.m_id, now);
        let mut payment = self.blank(key, request.order_id.as_str(), &request.order_name, now);
        payment.kind = Some(PaymentType::Billing);
        payment.total_amount = request.amount;
        payment.tax_free_amount = request.tax_free_amount;
        set_balance(&mut payment, request.amount);
        fill_method(&mut payment, &Choice::default(), now);
        payment.status = PaymentStatus::Done;
        payment.approved_at = Some(now);
        payment.secret = Some(WebhookSecret(ids::secret()));
        payment.last_transaction_key = Some(TransactionKey(ids::transaction_key()));
        self.put(Record {
            payment: payment.clone(),
            opened_at: now,
            authenticated_at: Some(now),
            success_url: None,
            fail_url: None,
            decline: None,
            refund_account: None,
            paid_back_to: None,
            cash_receipt: None,
            bank_since: None,
            customer_key: Some(request.customer_key.clone()),
        });
        self.book(&payment, payment.total_amount, now);
        Ok(payment)
    }

    /// `DELETE /v1/billing/{billingKey}`.
    pub fn delete_billing_key(&mut self, billing_key: &str) -> Outcome<()> {
        if self.removed_billing.contains(billing_key) {
            return Err(Refused("ALREADY_REMOVED_BILLING_KEY"));
        }
        self.billing.remove(billing_key).ok_or(Refused("NOT_FOUND_BILLING"))?;
        self.removed_billing.insert(billing_key.to_owned());
        self.changes.push(Change::BillingRemoved(billing_key.to_owned()));
        self.outbox.push(Event::Plain {
            event_type: "BILLING_DELETED".into(),
            data: json!({ "billingKey": billing_key, "reason": "삭제 API 요청" }),
        });
        Ok(())
    }

    fn refuse_paid_order(&self, order_id: &str) -> Outcome<()> {
        let taken = self
            .by_order
            .get(order_id)
            .and_then(|key| self.payments.get(key))
            .is_some_and(|record| holds_money(&record.payment.status));
        if taken { Err(Refused("DUPLICATED_ORDER_ID")) } else { Ok(()) }
    }

    fn blank(&self, key: String, order_id: &str, order_name: &str, now: OffsetDateTime) -> Payment {
        let link = |what: &str| Some(Url { url: Some(format!("https://{what}/{key}")) });
        Payment {
            version: Some("2022-11-16".into()),
            kind: Some(PaymentType::Normal),
            order_id: OrderId(order_id.to_owned()),
            order_name: Some(order_name.to_owned()),
            m_id: Some(self.m_id.clone()),
            currency: Some("KRW".into()),
            method: None,
            total_amount: Decimal::ZERO,
            balance_amount: Decimal::ZERO,
            status: PaymentStatus::Ready,
            requested_at: Some(now),
            approved_at: None,
            use_escrow: Some(false),
            last_transaction_key: None,
            supplied_amount: None,
            vat: None,
            tax_free_amount: None,
            tax_exemption_amount: None,
            culture_expense: Some(false),
            cancels: None,
            is_partial_cancelable: Some(true),
            card: None,
            virtual_account: None,
            transfer: None,
            mobile_phone: None,
            gift_certificate: None,
            easy_pay: None,
            secret: None,
            cash_receipt: None,
            cash_receipts: None,
            discount: None,
            metadata: None,
            receipt: link("dashboard.tosspayments.com/receipt/redirection"),
            checkout: link("api.tosspayments.com/v1/payments"),
            country: Some("KR".into()),
            failure: None,
            payment_key: PaymentKey(key),
        }
    }
}

fn minimum(method: Option<&Method>) -> Decimal {
    match method {
        Some(Method::Transfer | Method::VirtualAccount) => Decimal::from(200),
        _ => Decimal::ONE_HUNDRED,
    }
}

pub(super) fn bank_code(bank: &str) -> Option<&'static str> {
    institutions::BANKS
        .iter()
        .find(|(code, name)| *code == bank || *name == bank || name.trim_end_matches("은행") == bank)
        .map(|(code, _)| *code)
}

fn card(choice: &Choice, amount: Decimal) -> Card {
    let issuer = choice.issuer_code.clone().unwrap_or_else(|| "41".into());
    Card {
        amount: Some(amount),
        acquirer_code: Some(issuer.clone()),
        issuer_code: Some(issuer),
        number: Some(format!("{}****{}*", ids::digits(8), ids::digits(3))),
        installment_plan_months: Some(choice.installment_plan_months.unwrap_or(0)),
        approve_no: Some(ids::digits(8)),
        use_card_point: Some(false),
        card_type: Some("신용".into()),
        owner_type: Some("개인".into()),
        acquire_status: Some("READY".into()),
        is_interest_free: Some(false),
        interest_payer: None,
    }
}

/// Fills the one part of the payment that belongs to the method.
fn fill_method(payment: &mut Payment, choice: &Choice, now: OffsetDateTime) {
    let method = Method::from(choice.method.as_deref().unwrap_or("카드"));
    let bank = choice.bank_code.clone().unwrap_or_else(|| "88".into());
    let incomplete = || Some("INCOMPLETED".to_owned());
    match &method {
        Method::VirtualAccount => {
            payment.virtual_account = Some(VirtualAccount {
                account_type: Some("일반".into()),
                account_number: Some(ids::account_number()),
                bank_code: Some(bank),
                customer_name: choice.customer_name.clone(),
                depositor_name: None,
                due_date: Some(now + Duration::hours(choice.valid_hours.unwrap_or(168))),
                refund_status: Some(RefundStatus::None),
                expired: Some(false),
                settlement_status: incomplete(),
                refund_receive_account: None,
            });
        }
        Method::Transfer => {
            payment.transfer = Some(Transfer { bank_code: Some(bank), settlement_status: incomplete() });
        }
        Method::MobilePhone => {
            payment.mobile_phone = Some(MobilePhone {
                customer_mobile_phone: choice.customer_mobile_phone.clone().map(Into::into),
                settlement_status: incomplete(),
                receipt_url: None,
            });
        }
        Method::CultureGiftCertificate | Method::BookGiftCertificate | Method::GameGiftCertificate => {
            payment.gift_certificate =
                Some(GiftCertificate { approve_no: Some(ids::digits(8)), settlement_status: incomplete() });
        }
        Method::EasyPay | Method::ForeignEasyPay => {
            let foreign = method == Method::ForeignEasyPay;
            let discount = choice.discount_amount.unwrap_or_default();
            let by_card = choice.issuer_code.is_some();
            payment.easy_pay = Some(EasyPay {
                provider: Some(
                    choice
                        .provider
                        .clone()
                        .unwrap_or_else(|| if foreign { "PAYPAL" } else { "토스페이" }.into()),
                ),
                amount: Some(if by_card { Decimal::ZERO } else { payment.total_amount - discount }),
                discount_amount: Some(discount),
            });
            payment.card = by_card.then(|| card(choice, payment.total_amount - discount));
        }
        _ => payment.card = Some(card(choice, payment.total_amount)),
    }
    payment.is_partial_cancelable = Some(choice.partial_cancelable.unwrap_or(true));
    payment.method = Some(method);
}
