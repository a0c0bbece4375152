//! Where the money of a deposited virtual account goes: to the account that the buyer left with Toss, or to one that somebody
//! typed, and then the question is whose it is.

use serde_json::Value;
use sqlx::PgConnection;
use toss::payments::{RefundAccount, RefundReceiveAccount, institutions};

use super::{Form, Refund, Refused, create_intent::parse_account};
use crate::{
    Backoffice, Fault,
    kernel::seal::{Keyring, REFUND_ACCOUNT},
    masking::{mask_name, mask_number},
    payments::{self, ProviderPayment},
};

/// What a form says instead of a bank, for the account that the buyer left.
pub const OWN_ACCOUNT: &str = "own";
/// Of the keyed hash.
const HASHED: &str = "account";

text_enum! {
    /// Whose account it is, as far as can be told.
    AccountCheck {
        /// The one that the buyer left.
        Own = "own",
        /// The buyer left none, and is its holder.
        SameHolder = "same_holder",
        /// The buyer left another one.
        OtherAccount = "other_account",
        /// Its holder is not the buyer.
        OtherHolder = "other_holder",
        /// Nobody knows the buyer's name.
        UnknownBuyer = "unknown_buyer",
    }
}

impl AccountCheck {
    /// Whatever the amount: money goes there only when two people have seen it.
    pub fn needs_second_person(self) -> bool {
        !matches!(self, Self::Own | Self::SameHolder)
    }
}

/// An account as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Bank and last digits.
    pub masked: String,
    pub holder_masked: String,
}

/// What the second person looks at.
#[derive(Debug, Clone)]
pub struct AccountFacts {
    pub masked: String,
    pub check: AccountCheck,
    /// In full, until the refund is settled.
    pub holder: Option<String>,
    /// The account that the buyer left, where it is another one.
    pub own: Option<Shown>,
    pub buyer_masked: Option<String>,
    /// So many other buyers were refunded to it, at most a hundred.
    pub other_buyers: i64,
}

fn masked(account: &RefundAccount) -> String {
    let bank = institutions::BANKS.iter().find(|(code, _)| *code == account.bank);
    let bank = bank.map_or(account.bank.as_str(), |(_, name)| name);
    format!("{bank} {}", mask_number(&account.account_number))
}

fn shown(account: &RefundAccount) -> Shown {
    Shown { masked: masked(account), holder_masked: mask_name(&account.holder_name) }
}

/// `홍 길동` and `홍길동` are one name.
fn same_name(a: &str, b: &str) -> bool {
    let letters = |name: &str| -> String {
        name.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_lowercase).collect()
    };
    letters(a) == letters(b)
}

/// Who pays back to whom: what is known of the buyer.
#[derive(Debug, Clone, Default)]
pub(super) struct Buyer {
    own: Option<RefundAccount>,
    names: Vec<String>,
}

impl Buyer {
    /// `kept` is the account that Toss told once, sealed.
    pub fn new(
        keys: &Keyring,
        kept: Option<&str>,
        customer_name: Option<String>,
        payment: &ProviderPayment,
    ) -> Result<Self, Fault> {
        let own = kept.map(|sealed| payments::open_refund_account(keys, sealed)).transpose()?.and_then(whole);
        let account = match payment {
            ProviderPayment::TossPayments(payment) => payment.virtual_account.as_ref(),
            ProviderPayment::TossPay(_) => None,
        };
        let told = account.map(|a| [a.customer_name.clone(), a.depositor_name.clone()]).unwrap_or_default();
        let names = std::iter::once(customer_name).chain(told).flatten();
        Ok(Self { own, names: names.filter(|name| !name.trim().is_empty()).collect() })
    }

    /// The account that a form means: the buyer's own, also where nothing was typed, or the one that was.
    pub fn account(&self, typed: &[String; 3]) -> Result<RefundAccount, Refused> {
        let own = typed[0] == OWN_ACCOUNT;
        let nothing_typed = typed.iter().all(|cell| cell.trim().is_empty());
        match &self.own {
            Some(account) if own || nothing_typed => Ok(account.clone()),
            _ if own => Err(Refused::NoOwnAccount),
            _ => super::create_intent::parse_account(&typed[0], &typed[1], &typed[2]),
        }
    }

    pub fn check(&self, account: &RefundAccount) -> AccountCheck {
        let is_buyer = |name: &String| same_name(name, &account.holder_name);
        match &self.own {
            Some(own) if (&own.bank, &own.account_number) != (&account.bank, &account.account_number) => {
                AccountCheck::OtherAccount
            }
            Some(own) if same_name(&own.holder_name, &account.holder_name) => AccountCheck::Own,
            Some(_) if self.names.iter().any(is_buyer) => AccountCheck::Own,
            None if self.names.is_empty() => AccountCheck::UnknownBuyer,
            None if self.names.iter().any(is_buyer) => AccountCheck::SameHolder,
            _ => AccountCheck::OtherHolder,
        }
    }
}

/// As a cancel takes it; nothing where Toss told only a part of it.
fn whole(told: RefundReceiveAccount) -> Option<RefundAccount> {
    let bank = institutions::bank_code(&told.bank_code?)?.to_owned();
    // A number that is masked is none.
    super::create_intent::parse_account(&bank, &told.account_number?, told.holder_name?.trim()).ok()
}

/// An account as it is kept with an intent or a line of a file.
pub(super) struct Kept {
    pub sealed: String,
    pub masked: String,
    pub hash: String,
    pub check: AccountCheck,
}

pub(super) fn keep(
    keys: &Keyring,
    context: &str,
    account: &RefundAccount,
    check: AccountCheck,
) -> Result<Kept, Fault> {
    let text = serde_json::to_string(account).map_err(Fault::unreadable("an account"))?;
    Ok(Kept { sealed: keys.seal(context, &text)?, masked: masked(account), hash: hash(keys, account), check })
}

fn hash(keys: &Keyring, account: &RefundAccount) -> String {
    keys.index(HASHED, format!("{}:{}", account.bank, account.account_number))
}

/// Of an account that was typed, and not left by the buyer.
pub(super) fn hash_of_typed(keys: &Keyring, form: &Form) -> Option<String> {
    if form.bank == OWN_ACCOUNT {
        return None;
    }
    let account = parse_account(&form.bank, &form.account_number, &form.holder_name).ok()?;
    Some(hash(keys, &account))
}

pub(super) fn open(keys: &Keyring, context: &str, sealed: &str) -> Result<RefundAccount, Fault> {
    serde_json::from_str(&keys.open(context, sealed)?).map_err(Fault::unreadable("the account of a refund"))
}

/// For the audit log, which keeps it for good: enough to find it again, too little to use.
pub(super) fn audited(kept: Option<&Kept>) -> Value {
    kept.map_or(
        Value::Null,
        |kept| serde_json::json!({ "account": kept.masked, "hash": kept.hash, "check": kept.check.as_str() }),
    )
}

/// The account that the buyer left, as the refund form offers it.
pub async fn own_account(backoffice: &Backoffice, payment_key: &str) -> Result<Option<Shown>, Fault> {
    let mut connection = backoffice.pool.acquire().await?;
    let buyer = buyer_of(&mut connection, &backoffice.keys, payment_key).await?;
    Ok(buyer.own.as_ref().map(shown))
}

async fn buyer_of(connection: &mut PgConnection, keys: &Keyring, payment_key: &str) -> Result<Buyer, Fault> {
    let row = sqlx::query!(
        r#"select p.refund_receive_account, p.raw, p.rail as "rail: crate::rail::Rail", o.customer_name
           from payments p join orders o on o.order_id = p.order_id where p.payment_key = $1"#,
        payment_key,
    )
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(Buyer::default()) };
    let payment = ProviderPayment::open(keys, row.rail, row.raw)?;
    Buyer::new(keys, row.refund_receive_account.as_deref(), row.customer_name, &payment)
}

/// What the second person has to see of where the money goes; nothing where no account is needed.
pub async fn account_facts(backoffice: &Backoffice, refund: &Refund) -> Result<Option<AccountFacts>, Fault> {
    let mut connection = backoffice.pool.acquire().await?;
    let row = sqlx::query!(
        r#"select refund_account, account_masked, account_hash, account_check as "account_check: AccountCheck"
           from refunds where id = $1"#,
        refund.id,
    )
    .fetch_one(&mut *connection)
    .await?;
    let (Some(masked), Some(check)) = (row.account_masked, row.account_check) else { return Ok(None) };
    let sealed = row.refund_account.as_deref();
    let account = sealed.map(|sealed| open(&backoffice.keys, REFUND_ACCOUNT, sealed)).transpose()?;
    let buyer = buyer_of(&mut connection, &backoffice.keys, &refund.payment_key).await?;
    let other_buyers = sqlx::query_scalar!(
        r#"select count(*) as "count!" from (
               select distinct coalesce(o.user_key, o.customer_mobile_phone_hash, o.customer_email_hash, o.customer_name, o.order_id)
               from refunds r join orders o on o.order_id = r.order_id
               where r.account_hash = $1
                 and coalesce(o.user_key, o.customer_mobile_phone_hash, o.customer_email_hash, o.customer_name, o.order_id)
                     <> (select coalesce(b.user_key, b.customer_mobile_phone_hash, b.customer_email_hash, b.customer_name, b.order_id)
                         from orders b where b.order_id = $2)
               limit 100) x"#,
        row.account_hash,
        refund.order_id,
    )
    .fetch_one(&mut *connection)
    .await?;
    Ok(Some(AccountFacts {
        masked,
        check,
        holder: account.map(|account| account.holder_name),
        own: buyer.own.as_ref().filter(|_| check == AccountCheck::OtherAccount).map(shown),
        buyer_masked: buyer.names.first().map(|name| mask_name(name)),
        other_buyers,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(bank: &str, number: &str, holder: &str) -> RefundAccount {
        RefundAccount { bank: bank.into(), account_number: number.into(), holder_name: holder.into() }
    }

    fn buyer(own: Option<RefundAccount>, names: &[&str]) -> Buyer {
        Buyer { own, names: names.iter().map(|name| (*name).to_owned()).collect() }
    }

    #[test]
    fn an_account_is_the_buyers_or_is_seen_by_two() {
        let own = || Some(account("88", "110123456789", "김하준"));
        for (buyer, to, check) in [
            (buyer(own(), &[]), account("88", "110123456789", "김하준"), AccountCheck::Own),
            (buyer(own(), &["이서연"]), account("88", "110123456789", "이 서연"), AccountCheck::Own),
            (buyer(own(), &["김하준"]), account("88", "110123456789", "박다른"), AccountCheck::OtherHolder),
            (buyer(own(), &["김하준"]), account("88", "110123456788", "김하준"), AccountCheck::OtherAccount),
            (buyer(own(), &["김하준"]), account("04", "110123456789", "김하준"), AccountCheck::OtherAccount),
            (buyer(None, &["김하준"]), account("88", "1101234567", "김하준"), AccountCheck::SameHolder),
            (buyer(None, &["KIM hajun"]), account("88", "1101234567", "Kim Hajun"), AccountCheck::SameHolder),
            (buyer(None, &["김하준"]), account("88", "1101234567", "박다른"), AccountCheck::OtherHolder),
            (buyer(None, &[]), account("88", "1101234567", "박다른"), AccountCheck::UnknownBuyer),
        ] {
            assert_eq!(buyer.check(&to), check, "{buyer:?} {to:?}");
            assert_eq!(
                check.needs_second_person(),
                !matches!(check, AccountCheck::Own | AccountCheck::SameHolder)
            );
        }
    }

    #[test]
    fn the_buyers_own_account_is_meant_where_nothing_is_typed() {
        let own = account("88", "110123456789", "김하준");
        let typed = |cells: [&str; 3]| cells.map(str::to_owned);
        let known = buyer(Some(own.clone()), &[]);
        assert_eq!(known.account(&typed([OWN_ACCOUNT, "999999", "박다른"])), Ok(own.clone()));
        assert_eq!(known.account(&typed(["", " ", ""])), Ok(own));
        assert_eq!(
            known.account(&typed(["국민은행", "12-34 5678", "박다른"])),
            Ok(account("06", "12345678", "박다른"))
        );
        let unknown = buyer(None, &[]);
        assert_eq!(unknown.account(&typed([OWN_ACCOUNT, "", ""])), Err(Refused::NoOwnAccount));
        assert_eq!(unknown.account(&typed(["", "", ""])), Err(Refused::Bank));
    }
}
