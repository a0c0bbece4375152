//! The third rail: virtual accounts that their buyers paid into. What Toss takes of them a bank pays out late, in part, never,
//! or gives back. After every answer each won is where the books say.

use anyhow::ensure;
use backoffice::{
    Actor,
    refunds::{self, Filter, Refund, Stage, State, WayOut},
    returns,
};
use rust_decimal::Decimal;
use toss::payments::{RefundAccount, RefundStatus};

use super::{Lane, Outcome};
use crate::{
    process::Act,
    schedule::{BankAnswer, Schedule},
};

const ENOUGH_TRIES: u32 = 200;

pub fn account() -> RefundAccount {
    RefundAccount {
        bank: "88".into(), account_number: "110123456789".into(), holder_name: "홍길동".into()
    }
}

fn told(answer: BankAnswer) -> Option<RefundStatus> {
    match answer {
        BankAnswer::Pays => Some(RefundStatus::Completed),
        BankAnswer::PaysPart => Some(RefundStatus::PartialFailed),
        BankAnswer::GivesBack => Some(RefundStatus::Failed),
        BankAnswer::IsSilent => None,
    }
}

impl Lane {
    /// The goods came back before anybody asked for the money.
    pub(super) async fn record_return(&self, order_id: &str) -> anyhow::Result<()> {
        let backoffice = &self.shared.backoffice;
        let today = backoffice.clock.today().to_string();
        let person = self.shared.support[0].actor();
        returns::record(backoffice, &person, order_id, "returned", &today, "").await?;
        Ok(())
    }

    /// The bank's answers, one after the other, found out by processes that die over them.
    pub(super) async fn hear_bank(
        &self,
        schedule: &Schedule,
        order_id: &str,
        key: &str,
        outcome: &mut Outcome,
    ) -> anyhow::Result<()> {
        for (answer, kill) in &schedule.bank {
            if self.at_toss(key) == RefundStatus::None {
                return Ok(());
            }
            if let Some(status) = told(*answer) {
                self.shared.world.with_books(|books| books.finish_bank_refund(key, status)).ok();
            }
            let followed = self.find_out(order_id, key, *kill).await;
            outcome.violations.extend(followed.err().map(|error| error.to_string()));
            self.check_stages(order_id, key, outcome).await?;
        }
        // A person mends what came back, and then the bank pays.
        for refund in self.refunds(order_id).await? {
            if refund.stage.is_some_and(Stage::needs_person) {
                let person = self.shared.finance[0].actor();
                let backoffice = &self.shared.backoffice;
                refunds::record_way_out(backoffice, &person, refund.id, WayOut::SentAgain, "고침").await?;
            }
        }
        self.shared.world.with_books(|books| books.finish_bank_refund(key, RefundStatus::Completed)).ok();
        self.find_out(order_id, key, None).await?;
        self.check_stages(order_id, key, outcome).await
    }

    fn at_toss(&self, key: &str) -> RefundStatus {
        let status = self.shared.world.with_books(|books| {
            books
                .record(key)
                .and_then(|record| record.payment.virtual_account.as_ref()?.refund_status.clone())
        });
        status.unwrap_or(RefundStatus::None)
    }

    async fn refunds(&self, order_id: &str) -> anyhow::Result<Vec<Refund>> {
        let filter = Filter { order_id: Some(order_id.to_owned()), ..Filter::default() };
        Ok(refunds::list(&self.shared.backoffice, &filter, None, 100).await?.rows)
    }

    /// Both processes ask at once; one may be killed over it. Until one has found out.
    async fn find_out(&self, order_id: &str, key: &str, kill: Option<(u64, usize)>) -> anyhow::Result<()> {
        let ask = |process| {
            let act = Act::Follow { order_id: order_id.to_owned(), payment_key: key.to_owned() };
            self.tell(process, act)
        };
        let killed = async {
            if let Some((after, process)) = kill {
                tokio::time::sleep(std::time::Duration::from_millis(after)).await;
                self.kill(process).await;
            }
        };
        drop(tokio::join!(ask(0), ask(1), killed));
        for _ in 0..ENOUGH_TRIES {
            self.revive(key).await?;
            if ask(0).await.as_deref() == Some("followed") {
                return Ok(());
            }
        }
        anyhow::bail!("what the bank did was not found out")
    }

    /// Where the books say that the money is, against what the bank did with it.
    async fn check_stages(&self, order_id: &str, key: &str, outcome: &mut Outcome) -> anyhow::Result<()> {
        let refunds = self.refunds(order_id).await?;
        let made: Vec<&Refund> = refunds.iter().filter(|r| r.state == State::Succeeded).collect();
        let sum = |stage: Stage| -> Decimal {
            made.iter().filter(|r| r.stage == Some(stage)).map(|r| r.amount).sum()
        };
        let all: Decimal = made.iter().map(|r| r.amount).sum();
        let status = self.at_toss(key);
        let mut wrong = |what: String| outcome.violations.push(format!("bank {status}: {what}"));
        let staged: Decimal = Stage::ALL.into_iter().map(sum).sum();
        if staged != all || !sum(Stage::Accepted).is_zero() {
            wrong(format!("{staged} of {all} is somewhere"));
        }
        let lost = sum(Stage::Returned) + sum(Stage::PartlyArrived);
        let right = match &status {
            RefundStatus::Completed => sum(Stage::Arrived) == all,
            // One word for all parts: of what had arrived before nobody can say more.
            RefundStatus::Failed => {
                sum(Stage::AtTheBank).is_zero() && (all.is_zero() || !sum(Stage::Returned).is_zero())
            }
            RefundStatus::PartialFailed => {
                sum(Stage::AtTheBank).is_zero() && (all.is_zero() || !lost.is_zero())
            }
            RefundStatus::Pending => lost.is_zero(),
            _ => true,
        };
        if !right {
            let stages: Vec<_> = made.iter().map(|r| (r.amount, r.stage)).collect();
            wrong(format!("{stages:?}"));
        }
        let backoffice = &self.shared.backoffice;
        let tasks = Filter {
            order_id: Some(order_id.to_owned()),
            not_arrived_on: Some(backoffice.clock.today()),
            ..Filter::default()
        };
        let tasks: Decimal =
            refunds::list(backoffice, &tasks, None, 100).await?.rows.iter().map(|r| r.amount).sum();
        if tasks != lost {
            wrong(format!("{lost} came back, {tasks} is somebody's task"));
        }
        let left = backoffice::payments::get(backoffice, key).await?.map(|p| p.balance_amount);
        let back = left == Some(Decimal::ZERO) && sum(Stage::Arrived) == all && !all.is_zero();
        let runs = returns::get_open(backoffice, order_id).await?.is_some();
        if !runs && !back {
            wrong("the legal clock stands still before the buyer has the money".into());
        }
        Ok(())
    }
}

/// An issued account is paid into, and our books know.
pub(super) async fn deposit(lane: &Lane, order_id: &str, key: &str) -> anyhow::Result<()> {
    let world = &lane.shared.world;
    let now = world.clock.now();
    let deposited = world.with_books(|books| books.deposit(key, now));
    ensure!(deposited.is_ok(), "nobody could pay into the account");
    for _ in 0..20 {
        let job = Actor::Job("simulation");
        let looked =
            backoffice::payments::look_up_on_rail(&lane.shared.backoffice, &job, order_id, Some(key)).await;
        if looked.is_ok() {
            return Ok(());
        }
    }
    anyhow::bail!("the deposit could not be looked up")
}
