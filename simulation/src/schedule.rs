//! What goes wrong in one run, drawn from its seed. Everything a seed expands to is printed with a violation.

use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use serde::Serialize;
use serde_json::{Value, json};

/// Won of every order.
pub const TOTAL: i64 = 100_000;
/// Above this a support agent needs a second person.
pub const LIMIT: i64 = 60_000;
/// How long the client of a process waits for Toss.
pub const PATIENCE_MS: u64 = 250;

/// Every refusal of toss-api.md A9.2 that a cancel can meet.
const CODES: [&str; 32] = [
    "ALREADY_CANCELED_PAYMENT",
    "INVALID_REFUND_ACCOUNT_INFO",
    "EXCEED_CANCEL_AMOUNT_DISCOUNT_AMOUNT",
    "INVALID_REQUEST",
    "INVALID_REFUND_ACCOUNT_NUMBER",
    "INVALID_BANK",
    "NOT_MATCHES_REFUNDABLE_AMOUNT",
    "PROVIDER_ERROR",
    "REFUND_REJECTED",
    "ALREADY_REFUND_PAYMENT",
    "FORBIDDEN_BANK_REFUND_REQUEST",
    "INVALID_IDEMPOTENCY_KEY",
    "UNAUTHORIZED_KEY",
    "NOT_CANCELABLE_AMOUNT",
    "FORBIDDEN_CONSECUTIVE_REQUEST",
    "FORBIDDEN_REQUEST",
    "NOT_CANCELABLE_PAYMENT",
    "EXCEED_MAX_REFUND_DUE",
    "NOT_ALLOWED_PARTIAL_REFUND_WAITING_DEPOSIT",
    "NOT_ALLOWED_PARTIAL_REFUND",
    "NOT_AVAILABLE_BANK",
    "INCORRECT_BASIC_AUTH_FORMAT",
    "NOT_CANCELABLE_PAYMENT_FOR_DORMANT_USER",
    "EXCEED_CANCEL_LIMIT",
    "NOT_FOUND_PAYMENT",
    "FAILED_INTERNAL_SYSTEM_PROCESSING",
    "FAILED_REFUND_PROCESS",
    "FAILED_METHOD_HANDLING_CANCEL",
    "FAILED_PARTIAL_REFUND",
    "COMMON_ERROR",
    "FAILED_PAYMENT_INTERNAL_SYSTEM_PROCESSING",
    "FAILED_CLOSED_ACCOUNT_REFUND",
];

#[derive(Debug, Clone, Serialize)]
pub struct Schedule {
    pub seed: u64,
    pub rail: Rail,
    /// What of the order bears no VAT.
    pub tax_free: i64,
    pub agents: Vec<Agent>,
    /// Fault switches of the sandbox, without the payment they are about.
    pub faults: Vec<Value>,
    pub behind: Vec<Behind>,
    /// `(after milliseconds, process)`: SIGKILL.
    pub kills: Vec<(u64, usize)>,
    /// `(after milliseconds, process)`: every database connection of the process is cut.
    pub cuts: Vec<(u64, usize)>,
    /// `(after milliseconds, process, seconds)`: its clock jumps.
    pub clocks: Vec<(u64, usize, i64)>,
    pub approvers: Approvers,
    /// What the bank says, in order, and which process dies over it after how many milliseconds.
    pub bank: Vec<(BankAnswer, Option<(u64, usize)>)>,
}

/// What a bank does with the refund of a virtual account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum BankAnswer {
    Pays,
    PaysPart,
    GivesBack,
    IsSilent,
}

/// Which way the money took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Rail {
    TossPayments,
    /// Toss Payments too: a buyer paid into an account, and a bank pays back.
    VirtualAccount,
    TossPay,
}

/// Somebody who asks for a refund.
#[derive(Debug, Clone, Serialize)]
pub struct Agent {
    pub after_ms: u64,
    pub process: usize,
    /// Which of the support agents.
    pub who: usize,
    pub amount: i64,
    pub reason: &'static str,
    /// The process dies at this await point of the refund.
    pub die_at: Option<u32>,
    /// The same form goes to the other process as well.
    pub twice: bool,
}

/// A refund in Toss's own console.
#[derive(Debug, Clone, Serialize)]
pub struct Behind {
    pub after_ms: u64,
    pub amount: i64,
    /// In the very words an agent uses: nothing tells it apart but its key.
    pub same_words: bool,
}

/// What becomes of requests above the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Approvers {
    /// Two people approve at the same moment, and the one who asked tries too.
    Approve,
    Decline,
    Nobody,
}

impl Schedule {
    pub fn of(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let count = rng.random_range(1..=10);
        let chance = |rng: &mut StdRng, percent: u32| rng.random_range(0..100) < percent;
        let mut agents = Vec::new();
        for _ in 0..count {
            agents.push(Agent {
                after_ms: if chance(&mut rng, 60) { 0 } else { rng.random_range(0..300) },
                process: rng.random_range(0..2),
                who: rng.random_range(0..2),
                amount: pick(&mut rng, &[TOTAL, 10_000, 30_000, 50_000, LIMIT + 1, 40_000]),
                reason: pick(&mut rng, &["고객 변심", "상품 불량", "중복 결제"]),
                die_at: chance(&mut rng, 15).then(|| rng.random_range(1..=60)),
                twice: chance(&mut rng, 20),
            });
        }
        let faults = (0..rng.random_range(0..=4)).map(|_| fault(&mut rng)).collect();
        let behind = if chance(&mut rng, 30) {
            (0..rng.random_range(1..=2))
                .map(|_| Behind {
                    after_ms: rng.random_range(0..400),
                    amount: pick(&mut rng, &[10_000, 30_000, 40_000, 50_000]),
                    same_words: chance(&mut rng, 25),
                })
                .collect()
        } else {
            Vec::new()
        };
        let moments = |rng: &mut StdRng, percent: u32| -> Vec<(u64, usize)> {
            if !chance(rng, percent) {
                return Vec::new();
            }
            (0..rng.random_range(1..=2)).map(|_| (rng.random_range(0..400), rng.random_range(0..2))).collect()
        };
        let kills = moments(&mut rng, 20);
        let cuts = moments(&mut rng, 25);
        let clocks = moments(&mut rng, 15)
            .into_iter()
            .map(|(at, process)| {
                // an hour back, a day and 20 days ahead: the last is beyond the life of a key
                (at, process, pick(&mut rng, &[-3600, 86_400, 20 * 86_400]))
            })
            .collect();
        let approvers =
            pick(&mut rng, &[Approvers::Approve, Approvers::Approve, Approvers::Decline, Approvers::Nobody]);
        let rail = match seed % 3 {
            0 => Rail::TossPay,
            1 => Rail::TossPayments,
            _ => Rail::VirtualAccount,
        };
        let tax_free = pick(&mut rng, &[0, 0, 40_000, TOTAL]);
        let bank = if rail == Rail::VirtualAccount { bank(&mut rng) } else { Vec::new() };
        let mut schedule =
            Self { seed, rail, tax_free, agents, faults, behind, kills, cuts, clocks, approvers, bank };
        if rail == Rail::TossPay {
            schedule.for_toss_pay(&mut rng);
        }
        schedule
    }

    /// Only the whole of it goes back there; a part now and then has to be refused. Other calls, other words.
    fn for_toss_pay(&mut self, rng: &mut StdRng) {
        for agent in &mut self.agents {
            if agent.amount != 10_000 {
                agent.amount = TOTAL;
            }
        }
        self.behind.truncate(1);
        self.faults = (0..rng.random_range(0..=4)).map(|_| toss_pay_fault(rng)).collect();
    }

    /// Whether an answer may be so late that its caller has given up.
    pub fn delays(&self) -> bool {
        self.faults.iter().any(|fault| fault["kind"] == "delay")
    }
}

fn pick<T: Copy>(rng: &mut StdRng, from: &[T]) -> T {
    // Every list above has an entry.
    from.choose(rng).copied().unwrap_or(from[0])
}

fn bank(rng: &mut StdRng) -> Vec<(BankAnswer, Option<(u64, usize)>)> {
    use BankAnswer::{GivesBack, IsSilent, Pays, PaysPart};
    (0..rng.random_range(1..=3))
        .map(|_| {
            let answer = pick(rng, &[Pays, Pays, PaysPart, GivesBack, GivesBack, IsSilent]);
            let kill = rng.random_ratio(3, 10).then(|| (rng.random_range(0..30), rng.random_range(0..2)));
            (answer, kill)
        })
        .collect()
}

fn fault(rng: &mut StdRng) -> Value {
    let on = pick(rng, &["cancel", "cancel", "cancel", "payment", "webhook"]);
    let mut fault = if on == "webhook" {
        match rng.random_range(0..3) {
            0 => json!({ "kind": "duplicate", "copies": 3 }),
            1 => json!({ "kind": "hold", "seconds": 1 }),
            _ => json!({ "kind": "drop" }),
        }
    } else {
        match rng.random_range(0..10) {
            0 | 1 => json!({ "kind": "lose_before" }),
            2 | 3 => json!({ "kind": "lose_after" }),
            4 => json!({ "kind": "delay", "ms": PATIENCE_MS + rng.random_range(20..300) }),
            5 => json!({ "kind": "garbage" }),
            6 => {
                json!({ "kind": "error", "code": pick(rng, &["IDEMPOTENT_REQUEST_PROCESSING", "TOO_MANY_REQUESTS"]) })
            }
            7 => {
                json!({ "kind": "error_after", "code": pick(rng, &["FAILED_REFUND_PROCESS", "COMMON_ERROR", "FAILED_PARTIAL_REFUND"]) })
            }
            _ => json!({ "kind": "error", "code": pick(rng, &CODES) }),
        }
    };
    fault["on"] = json!(on);
    fault["times"] = json!(rng.random_range(1..=3));
    fault["after"] = json!(rng.random_range(0..=2));
    fault
}

fn toss_pay_fault(rng: &mut StdRng) -> Value {
    const WORDS: [&str; 4] = ["HTTP_TIMEOUT", "NETWORK_ERROR", "INTERRUPTED", "INTERNAL_ERROR"];
    const CODES: [&str; 8] = [
        "COMMON_REFUND_ERROR",
        "COMMON_PAY_ERROR",
        "COMMON_BREAK_TIME_OF_BANK",
        "COMMON_INVALID_PARAMETER",
        "INACTIVE_USER",
        "REFUND_EXCEED_DAILY",
        "INTERNAL_ERROR",
        "4095",
    ];
    let mut fault = match rng.random_range(0..10) {
        0 | 1 => json!({ "kind": "lose_before" }),
        2 | 3 => json!({ "kind": "lose_after" }),
        4 => json!({ "kind": "delay", "ms": PATIENCE_MS + rng.random_range(20..300) }),
        5 => json!({ "kind": "garbage" }),
        6 => json!({ "kind": "result_type", "word": pick(rng, &WORDS) }),
        7 => json!({ "kind": "result_type_after", "word": pick(rng, &WORDS) }),
        _ => json!({ "kind": "error", "code": pick(rng, &CODES) }),
    };
    fault["on"] =
        json!(pick(rng, &["refund-payment", "refund-payment", "refund-payment", "get-payment-status"]));
    fault["times"] = json!(rng.random_range(1..=3));
    fault["after"] = json!(rng.random_range(0..=2));
    fault
}
