//! One of the two processes: the real refund code over its own connections, told what to do line by line.

use std::{
    collections::HashMap,
    ffi::OsString,
    future::Future,
    path::PathBuf,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use backoffice::{
    Actor, AppsInToss, Backoffice, Clock, DataKey,
    audit::{note::Signer, seal::Sealing},
    refunds::{Form, Refund, RefundError},
    staff::Role,
    webhooks::Incoming,
};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use toss::{
    apps_in_toss::{self, Identity},
    payments::{Client, Config, RefundAccount},
};
use uuid::Uuid;

use crate::schedule::PATIENCE_MS;

/// Longer than a look-up, a cancel and a look-up may take here, as the real one is.
pub const LEASE: Duration = Duration::from_millis(1000);
/// Of every process of a simulation.
const DATA_KEY: &str = "c2ltdWxhdGlvbnMgb25seTogMzIgYnl0ZXMga2V5Li4=";
/// Between two looks for intents that are open. The product's own jobs wait longer between attempts.
const TICK: Duration = Duration::from_millis(20);

#[derive(Debug, Serialize, Deserialize)]
pub struct Command {
    pub n: u64,
    pub act: Act,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Act {
    Refund {
        who: Person,
        intent: String,
        order_id: String,
        amount: i64,
        reason: String,
        /// Where the money of a virtual account goes.
        account: Option<RefundAccount>,
        die_at: Option<u32>,
    },
    Approve {
        who: Person,
        id: Uuid,
    },
    Decline {
        who: Person,
        id: Uuid,
    },
    /// Carry on whatever is open of this payment, until told to rest.
    Drive {
        payment_key: String,
    },
    Rest {
        payment_key: String,
    },
    /// What the job does that asks about money at banks.
    Follow {
        order_id: String,
        payment_key: String,
    },
    Webhook {
        headers: Vec<(String, String)>,
        body: String,
    },
    Clock {
        seconds: i64,
    },
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Person {
    pub id: Uuid,
    pub name: String,
    pub role: Role,
}

impl Person {
    pub fn actor(&self) -> Actor {
        Actor::Staff {
            id: self.id,
            name: self.name.clone(),
            role: self.role,
            via: backoffice::audit::Via::default(),
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Reply {
    pub n: u64,
    /// A refund's state, `refused: …` or `fault: …`.
    pub outcome: String,
}

/// Ends the process at the given poll: at an await point, with whatever was begun left as it is.
struct DieAt<F> {
    inner: Pin<Box<F>>,
    left: u32,
}

impl<F: Future> Future for DieAt<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        if self.left == 0 {
            std::process::abort();
        }
        self.left -= 1;
        self.inner.as_mut().poll(cx)
    }
}

/// Where both sandboxes answer.
#[derive(Debug, Clone, clap::Args)]
pub struct Toss {
    #[arg(long)]
    pub url: String,
    #[arg(long)]
    pub key: String,
    #[arg(long)]
    pub apps_url: String,
    #[arg(long)]
    pub pay_url: String,
    /// The sandbox's certificates.
    #[arg(long)]
    pub tls_dir: PathBuf,
}

impl Toss {
    pub fn arguments(&self) -> [OsString; 10] {
        [
            "--url".into(),
            self.url.clone().into(),
            "--key".into(),
            self.key.clone().into(),
            "--apps-url".into(),
            self.apps_url.clone().into(),
            "--pay-url".into(),
            self.pay_url.clone().into(),
            "--tls-dir".into(),
            self.tls_dir.clone().into(),
        ]
    }

    fn client(&self) -> anyhow::Result<Client> {
        let mut config = Config::new(&self.url, self.key.clone());
        config.timeout = Duration::from_millis(PATIENCE_MS);
        config.connect_timeout = Duration::from_millis(PATIENCE_MS);
        Ok(Client::new(config)?)
    }

    fn mini_app(&self) -> anyhow::Result<AppsInToss> {
        let read = |name: &str| std::fs::read_to_string(self.tls_dir.join(name));
        let identity = Identity::from_pem(&read("client.pem")?, &read("client.key")?)?;
        let mut config = apps_in_toss::Config::new(&self.apps_url, &self.pay_url, vec![identity]);
        config.ca_pem = Some(read("ca.pem")?);
        config.timeout = Duration::from_millis(PATIENCE_MS);
        config.connect_timeout = Duration::from_millis(PATIENCE_MS);
        Ok(AppsInToss { client: apps_in_toss::Client::new(config)?, profile_key: None })
    }

    /// The real rules, with a shorter lease and less patience.
    pub async fn backoffice(&self, database_url: &str, connections: u32) -> anyhow::Result<Backoffice> {
        let pool = backoffice::database::connect(database_url, connections).await?;
        let key = DataKey::parse(&DATA_KEY.to_owned().into())?;
        Ok(Backoffice {
            keys: backoffice::keys::ring(&pool, key, Vec::new()).await?,
            sealing: Sealing { signer: Signer::rehearsal()?, previous: Vec::new(), places: Vec::new() },
            pool,
            toss: self.client()?,
            apps_in_toss: Some(self.mini_app()?),
            clock: Clock::default(),
            security_key: None,
            security_places: Vec::new(),
            settles: true,
            refund_lease: LEASE,
            approver_age: time::Duration::ZERO,
            second_factor: backoffice::staff::factors::SecondFactor::Off,
            passkeys: None,
            mail: None,
            outside: backoffice::events::Outside::new(&[])?,
            retention: backoffice::retention::Periods::default(),
            counts: backoffice::home::Counts::default(),
            intake_load: backoffice::IntakeLoad::default(),
            turns: backoffice::Turns::default(),
        })
    }
}

/// Works until its standard input ends.
pub async fn run(database_url: &str, toss: &Toss) -> anyhow::Result<()> {
    let backoffice = toss.backoffice(database_url, 6).await?;
    let driven: Arc<Mutex<HashMap<String, tokio::task::AbortHandle>>> = Arc::default();
    let (replies, mut outbox) = tokio::sync::mpsc::unbounded_channel::<Reply>();
    tokio::spawn(async move {
        let mut out = tokio::io::stdout();
        while let Some(reply) = outbox.recv().await {
            let Ok(mut line) = serde_json::to_vec(&reply) else { continue };
            line.push(b'\n');
            if out.write_all(&line).await.is_err() || out.flush().await.is_err() {
                return;
            }
        }
    });
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let command: Command = serde_json::from_str(&line)?;
        let (backoffice, replies, driven) = (backoffice.clone(), replies.clone(), Arc::clone(&driven));
        tokio::spawn(async move {
            let outcome = act(&backoffice, &driven, command.act).await;
            drop(replies.send(Reply { n: command.n, outcome }));
        });
    }
    Ok(())
}

fn said(outcome: Result<Refund, RefundError>) -> String {
    match outcome {
        Ok(refund) => refund.state.as_str().to_owned(),
        Err(RefundError::Refused(refused)) => format!("refused: {refused:?}"),
        Err(RefundError::Fault(fault)) => format!("fault: {fault}"),
    }
}

async fn act(
    backoffice: &Backoffice,
    driven: &Mutex<HashMap<String, tokio::task::AbortHandle>>,
    act: Act,
) -> String {
    match act {
        Act::Refund { who, intent, order_id, amount, reason, account, die_at } => {
            let (bank, account_number, holder_name) =
                account.map(|a| (a.bank, a.account_number, a.holder_name)).unwrap_or_default();
            let form = Form {
                bank,
                account_number,
                holder_name,
                intent,
                order_id,
                amount: amount.to_string(),
                reason_code: "changed_mind".into(),
                reason,
                ..Form::default()
            };
            let actor = who.actor();
            match die_at {
                None => said(backoffice::refunds::request(backoffice, &actor, &form).await),
                // The same two steps without the task in between, so that every await point is counted.
                Some(left) => {
                    let steps = async {
                        let id = backoffice::refunds::create_intent(backoffice, &actor, &form).await?;
                        backoffice::refunds::execute(backoffice, id).await?;
                        Ok(backoffice::refunds::get(backoffice, id).await?)
                    };
                    match (DieAt { inner: Box::pin(steps), left }).await {
                        Ok(Some(refund)) => said(Ok(refund)),
                        Ok(None) => "gone".into(),
                        Err(error) => said(Err(error)),
                    }
                }
            }
        }
        Act::Approve { who, id } => said(backoffice::refunds::approve(backoffice, &who.actor(), id).await),
        Act::Decline { who, id } => {
            said(backoffice::refunds::decline(backoffice, &who.actor(), id, "너무 많아요").await)
        }
        Act::Drive { payment_key } => {
            // Told again, it goes on as it is.
            if let Ok(mut driven) = driven.lock() {
                driven
                    .entry(payment_key.clone())
                    .or_insert_with(|| tokio::spawn(drive(backoffice.clone(), payment_key)).abort_handle());
            }
            "driving".into()
        }
        Act::Rest { payment_key } => {
            let task = driven.lock().ok().and_then(|mut driven| driven.remove(&payment_key));
            if let Some(task) = task {
                task.abort();
            }
            backoffice.clock.set_offset(time::Duration::ZERO);
            "resting".into()
        }
        Act::Follow { order_id, payment_key } => {
            let job = Actor::Job("simulation");
            let looked =
                backoffice::payments::look_up_on_rail(backoffice, &job, &order_id, Some(&payment_key));
            let followed = match looked.await {
                Ok(_) => backoffice::refunds::follow(backoffice, &payment_key).await,
                Err(fault) => Err(fault),
            };
            followed.map_or_else(|fault| format!("fault: {fault}"), |()| "followed".into())
        }
        Act::Webhook { headers, body } => {
            let incoming = Incoming {
                source_ip: None,
                listed: None,
                headers,
                body: body.into(),
                read_at: Instant::now(),
            };
            match backoffice::webhooks::keep(backoffice, std::slice::from_ref(&incoming)).await {
                Ok(ids) => match backoffice::webhooks::apply_all(backoffice, &ids, false).await {
                    Ok(()) => "applied".into(),
                    Err(fault) => format!("kept: {fault}"),
                },
                Err(fault) => format!("fault: {fault}"),
            }
        }
        Act::Clock { seconds } => {
            backoffice.clock.set_offset(time::Duration::seconds(seconds));
            "turned".into()
        }
    }
}

/// What the jobs do, at the simulation's pace.
async fn drive(backoffice: Backoffice, payment_key: String) {
    loop {
        let open: Vec<Uuid> = sqlx::query_scalar(
            "select id from refunds where payment_key = $1 and state in ('requested', 'approved', 'sending', 'unknown')
             and needs_person is null",
        )
        .bind(&payment_key)
        .fetch_all(&backoffice.pool)
        .await
        .unwrap_or_default();
        for id in open {
            // A failed attempt is tried again in a moment, as a job would.
            drop(backoffice::refunds::execute(&backoffice, id).await);
        }
        tokio::time::sleep(TICK).await;
    }
}
