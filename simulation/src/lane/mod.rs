//! One pair of processes and the runs that go through it, one after the other.

mod bank;
mod check;
mod toss_pay;

use std::{
    collections::HashMap,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use backoffice::{
    Actor, Backoffice,
    refunds::{self, Decision},
};
use futures::future::join_all;
use rust_decimal::Decimal;
use sandbox::{
    World,
    books::{Choice, Opening},
    faults::Switch,
};
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStdin},
    sync::{Mutex, oneshot},
};
use toss::payments::{CancelRequest, ConfirmRequest, OrderId};
use uuid::Uuid;

use crate::{
    process::{Act, Command, Person, Reply, Toss},
    schedule::{Approvers, Rail, Schedule, TOTAL},
};

/// A run whose intents are not known this long after Toss answers again has failed.
const KNOWN_WITHIN: Duration = Duration::from_secs(30);

const ENOUGH_LOOKS: u32 = 1000;

/// What every lane shares.
pub struct Shared {
    pub backoffice: Backoffice,
    pub world: Arc<World>,
    pub database_url: String,
    pub toss: Toss,
    pub support: [Person; 2],
    pub finance: [Person; 2],
}

type Pending = Arc<Mutex<HashMap<u64, oneshot::Sender<String>>>>;

/// A child process that can die at any moment.
struct Running {
    child: Child,
    stdin: ChildStdin,
    pending: Pending,
}

pub struct Lane {
    pub number: usize,
    shared: Arc<Shared>,
    processes: [Mutex<Option<Running>>; 2],
    next: AtomicU64,
    pub deaths: AtomicU64,
}

/// What one run led to.
#[derive(Debug, Default)]
pub struct Outcome {
    pub seed: u64,
    pub violations: Vec<String>,
    pub states: HashMap<String, usize>,
    /// From the moment Toss answers again; only intents that were open then.
    pub known_after: Option<Duration>,
    pub took: Duration,
    pub decided_by_people: usize,
    pub behind: usize,
}

impl Lane {
    pub fn new(number: usize, shared: Arc<Shared>) -> Self {
        Self {
            number,
            shared,
            processes: [Mutex::new(None), Mutex::new(None)],
            next: AtomicU64::new(0),
            deaths: AtomicU64::new(0),
        }
    }

    fn application(&self, process: usize) -> String {
        format!("simulation-{}-{process}", self.number)
    }

    fn spawn(&self, process: usize) -> anyhow::Result<Running> {
        let name = self.application(process);
        let mut child = tokio::process::Command::new(std::env::current_exe()?)
            .args(["process", "--database-url"])
            .arg(format!("{}?application_name={name}", self.shared.database_url))
            .args(self.shared.toss.arguments())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let stdin = child.stdin.take().context("no stdin")?;
        let stdout = child.stdout.take().context("no stdout")?;
        let pending: Pending = Arc::default();
        let answered = Arc::clone(&pending);
        tokio::spawn(async move {
            let mut lines = BufReader::new(stdout).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                if let Ok(reply) = serde_json::from_str::<Reply>(&line)
                    && let Some(waiting) = answered.lock().await.remove(&reply.n)
                {
                    drop(waiting.send(reply.outcome));
                }
            }
            // It died: whoever waits hears of it by the dropped sender.
            answered.lock().await.clear();
        });
        Ok(Running { child, stdin, pending })
    }

    /// Sends a command to a process that lives; `None` when it dies before it has answered.
    async fn tell(&self, process: usize, act: Act) -> Option<String> {
        let n = self.next.fetch_add(1, Ordering::Relaxed);
        let mut line = serde_json::to_vec(&Command { n, act }).ok()?;
        line.push(b'\n');
        let answer = {
            let mut held = self.processes.get(process)?.lock().await;
            let running = held.as_mut()?;
            let (sender, receiver) = oneshot::channel();
            running.pending.lock().await.insert(n, sender);
            running.stdin.write_all(&line).await.ok()?;
            running.stdin.flush().await.ok()?;
            receiver
        };
        answer.await.ok()
    }

    pub async fn kill(&self, process: usize) {
        if let Some(slot) = self.processes.get(process)
            && let Some(mut running) = slot.lock().await.take()
        {
            drop(running.child.kill().await);
            self.deaths.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Starts whatever has died, and has it drive this payment.
    async fn revive(&self, payment_key: &str) -> anyhow::Result<()> {
        for process in 0..2 {
            let slot = &self.processes[process];
            let mut held = slot.lock().await;
            let dead = match held.as_mut() {
                None => true,
                Some(running) => running.child.try_wait()?.is_some(),
            };
            if dead {
                if held.is_some() {
                    self.deaths.fetch_add(1, Ordering::Relaxed);
                }
                *held = Some(self.spawn(process)?);
                drop(held);
                self.tell(process, Act::Drive { payment_key: payment_key.to_owned() }).await;
            }
        }
        Ok(())
    }

    /// A delivery of Toss's, given to one of the two. False: no 200.
    pub async fn deliver(&self, n: usize, headers: Vec<(String, String)>, body: String) -> bool {
        self.tell(n % 2, Act::Webhook { headers, body })
            .await
            .is_some_and(|said| said == "applied" || said.starts_with("kept"))
    }

    /// An order that is paid, at Toss and in our books; its payment key.
    async fn paid(&self, order_id: &str, tax_free: i64, choice: Choice) -> anyhow::Result<String> {
        let world = &self.shared.world;
        let amount = Decimal::from(TOTAL);
        let now = world.clock.now();
        let refused = |refused: sandbox::books::Refused| anyhow::anyhow!("the sandbox: {}", refused.0);
        let key = world.with_books(|backoffice| {
            let opening: Opening = serde_json::from_value(
                json!({ "orderId": order_id, "orderName": "머그컵", "amount": TOTAL, "taxFreeAmount": tax_free }),
            )
            .map_err(anyhow::Error::from)?;
            let key = backoffice.open(opening, now).map_err(refused)?.payment.payment_key;
            backoffice.authenticate(&key.0, choice, now).map_err(refused)?;
            let confirm =
                ConfirmRequest { payment_key: key.clone(), order_id: OrderId(order_id.into()), amount };
            backoffice.confirm(&confirm, now).map_err(refused)?;
            anyhow::Ok(key)
        })?;
        for _ in 0..20 {
            // A busy machine may make this look-up too slow for its client.
            if backoffice::payments::look_up(&self.shared.backoffice, &Actor::Job("simulation"), &key)
                .await
                .is_ok()
            {
                return Ok(key.0);
            }
        }
        anyhow::bail!("the payment could not be looked up")
    }

    pub async fn run(&self, seed: u64) -> anyhow::Result<Outcome> {
        let begun = Instant::now();
        let schedule = Schedule::of(seed);
        let order_id = format!("sim_{}_{seed}", self.number);
        let key = match schedule.rail {
            Rail::TossPayments => self.paid(&order_id, schedule.tax_free, Choice::default()).await?,
            Rail::VirtualAccount => {
                let choice = Choice {
                    method: Some("가상계좌".into()),
                    customer_name: Some("홍길동".into()),
                    ..Choice::default()
                };
                let key = self.paid(&order_id, schedule.tax_free, choice).await?;
                bank::deposit(self, &order_id, &key).await?;
                self.record_return(&order_id).await?;
                key
            }
            Rail::TossPay => toss_pay::paid(&self.shared, &order_id).await?,
        };
        self.revive(&key).await?;
        for process in 0..2 {
            self.tell(process, Act::Drive { payment_key: key.clone() }).await;
        }
        for fault in &schedule.faults {
            let mut fault = fault.clone();
            fault["about"] = json!(key);
            let switch: Switch = serde_json::from_value(fault)?;
            self.shared.world.faults().add(switch);
        }
        let mut outcome = Outcome { seed, ..Outcome::default() };
        let behind = self.chaos(&schedule, &order_id, &key, &mut outcome).await?;
        outcome.behind = behind.len();
        self.shared.world.faults().clear_about(&key);
        let again = Instant::now();
        let open = !self.open(&key).await?.is_empty();
        if let Err(error) = self.settle(&key, &mut outcome).await {
            outcome.violations.push(error.to_string());
        }
        outcome.known_after = open.then(|| again.elapsed());
        for process in 0..2 {
            self.tell(process, Act::Rest { payment_key: key.clone() }).await;
        }
        if schedule.rail == Rail::VirtualAccount {
            self.hear_bank(&schedule, &order_id, &key, &mut outcome).await?;
        }
        check::run(&self.shared, &schedule, &order_id, &key, &behind, &mut outcome).await?;
        outcome.took = begun.elapsed();
        Ok(outcome)
    }

    /// Everything the schedule holds, at its time. Gives the transaction keys of the refunds made in the console.
    async fn chaos(
        &self,
        schedule: &Schedule,
        order_id: &str,
        key: &str,
        outcome: &mut Outcome,
    ) -> anyhow::Result<Vec<String>> {
        let agents = join_all(schedule.agents.iter().map(|agent| async move {
            tokio::time::sleep(Duration::from_millis(agent.after_ms)).await;
            let intent = refunds::new_intent();
            let refund = |die_at| Act::Refund {
                who: self.shared.support[agent.who].clone(),
                intent: intent.clone(),
                order_id: order_id.to_owned(),
                amount: agent.amount,
                reason: agent.reason.to_owned(),
                account: (schedule.rail == Rail::VirtualAccount).then(bank::account),
                die_at,
            };
            let first = self.tell(agent.process, refund(agent.die_at));
            if agent.twice {
                let second = self.tell(1 - agent.process, refund(None));
                drop(tokio::join!(first, second));
            } else {
                drop(first.await);
            }
        }));
        let kills = join_all(schedule.kills.iter().map(|(at, process)| async move {
            tokio::time::sleep(Duration::from_millis(*at)).await;
            self.kill(*process).await;
        }));
        let cuts = join_all(schedule.cuts.iter().map(|(at, process)| async move {
            tokio::time::sleep(Duration::from_millis(*at)).await;
            let cut = sqlx::query(
                "select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1",
            )
            .bind(self.application(*process));
            drop(cut.execute(&self.shared.backoffice.pool).await);
        }));
        let clocks = join_all(schedule.clocks.iter().map(|(at, process, seconds)| async move {
            tokio::time::sleep(Duration::from_millis(*at)).await;
            drop(self.tell(*process, Act::Clock { seconds: *seconds }).await);
        }));
        let behind = join_all(schedule.behind.iter().map(|behind| async move {
            tokio::time::sleep(Duration::from_millis(behind.after_ms)).await;
            if schedule.rail == Rail::TossPay {
                return toss_pay::refund_behind(&self.shared.world, key);
            }
            let request = CancelRequest {
                cancel_reason: if behind.same_words {
                    "고객 변심"
                } else {
                    "상점관리자에서 환불"
                }
                .into(),
                cancel_amount: Some(Decimal::from(behind.amount)),
                refund_receive_account: (schedule.rail == Rail::VirtualAccount).then(bank::account),
                ..CancelRequest::default()
            };
            let world = &self.shared.world;
            let now = world.clock.now();
            let payment = world.with_books(|backoffice| backoffice.cancel(key, &request, now)).ok()?;
            payment.last_transaction_key.map(|key| key.0)
        }));
        let approvals = async {
            // Requests above the limit come in while agents ask; people look at them a moment later.
            tokio::time::sleep(Duration::from_millis(150)).await;
            let mut refused_well = true;
            for _ in 0..3 {
                refused_well &= self.decide(schedule.approvers, key).await;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            refused_well
        };
        let reviving = async {
            loop {
                tokio::time::sleep(Duration::from_millis(50)).await;
                if self.revive(key).await.is_err() {
                    return;
                }
            }
        };
        let everything = async { tokio::join!(agents, kills, cuts, clocks, behind, approvals) };
        let (_, _, _, _, behind, refused_well) = tokio::select! {
            done = everything => done,
            () = reviving => anyhow::bail!("a process could not be started"),
        };
        if !refused_well {
            outcome.violations.push("somebody approved their own request".into());
        }
        Ok(behind.into_iter().flatten().collect())
    }

    /// Two people decide at once on whatever waits, and the one who asked tries as well. False when that worked.
    async fn decide(&self, approvers: Approvers, key: &str) -> bool {
        let waiting: Vec<(Uuid, Uuid)> = sqlx::query_as(
            "select id, requested_by from refunds where payment_key = $1 and state = 'waiting_for_approval'",
        )
        .bind(key)
        .fetch_all(&self.shared.backoffice.pool)
        .await
        .unwrap_or_default();
        let mut refused_well = true;
        for (id, requested_by) in waiting {
            let approve = |process, who: &Person| self.tell(process, Act::Approve { who: who.clone(), id });
            match approvers {
                Approvers::Nobody => {}
                Approvers::Decline => {
                    drop(self.tell(0, Act::Decline { who: self.shared.finance[0].clone(), id }).await);
                }
                Approvers::Approve => {
                    let own = self.shared.support.iter().find(|person| person.id == requested_by);
                    if let Some(own) = own {
                        // From another browser, and with the role of an approver by now.
                        let promoted = Person { role: backoffice::staff::Role::Admin, ..own.clone() };
                        let said = approve(1, &promoted).await;
                        refused_well &=
                            said.is_none_or(|said| said.starts_with("refused") || said.starts_with("fault"));
                    }
                    let [first, second] = &self.shared.finance;
                    drop(tokio::join!(approve(0, first), approve(1, second)));
                }
            }
        }
        refused_well
    }

    async fn open(&self, key: &str) -> anyhow::Result<Vec<Uuid>> {
        Ok(sqlx::query_scalar(
            "select id from refunds where payment_key = $1 and state in ('requested', 'approved', 'sending', 'unknown')",
        )
        .bind(key)
        .fetch_all(&self.shared.backoffice.pool)
        .await?)
    }

    /// Toss answers again: everything has to become known. What only a person can tell is told by a person.
    async fn settle(&self, key: &str, outcome: &mut Outcome) -> anyhow::Result<()> {
        let begun = Instant::now();
        let mut looks = 0;
        loop {
            self.revive(key).await?;
            let open = self.open(key).await?;
            if open.is_empty() {
                return Ok(());
            }
            for id in open {
                let backoffice = &self.shared.backoffice;
                let Some(refund) = backoffice::refunds::get(backoffice, id).await? else { continue };
                if refund.needs_person.is_none() {
                    continue;
                }
                let facts = backoffice::refunds::facts(backoffice, &refund).await?;
                let truth = check::truth(&self.shared.world, &refund);
                let decision = truth.map_or(Decision::NotMade, Decision::Ours);
                let person = self.shared.finance[0].actor();
                if backoffice::refunds::decide(backoffice, &person, id, &decision, &facts.version)
                    .await
                    .is_ok()
                {
                    outcome.decided_by_people += 1;
                }
            }
            looks += 1;
            // A machine that stood still has had no time: it has to have looked often enough as well.
            ensure!(
                begun.elapsed() < KNOWN_WITHIN || looks < ENOUGH_LOOKS,
                "still not known {} s after Toss answers again",
                KNOWN_WITHIN.as_secs()
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// The payment that a webhook's body is about, by its order: `sim_<lane>_<seed>`.
pub fn lane_of(body: &str) -> Option<usize> {
    let at = body.find("\"sim_")? + 5;
    body.get(at..)?.split('_').next()?.parse().ok()
}
