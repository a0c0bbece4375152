//! The running parts: the sandbox and the dashboard with its private PostgreSQL, started, watched and ended together.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    front,
    run::{binary, run, stopped},
};

pub(crate) const SECRET_KEY: &str = "test_sk_zXLkKEypNArWmo50nX3lmeaxYG5R";
pub(crate) const SECURITY_KEY: &str = "5e0f6a3c9b1d4e7f8a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f7081";
/// What the sandbox encrypts login profiles with.
const DECRYPT_KEY: &str = "c2FuZGJveC1kZWNyeXB0LWtleS0wMTIzNDU2Nzg5YWI=";
const UNLINK_AUTH: &str = "toss:sandbox-unlink";
pub(crate) const MERCHANT_KEY: &str = "sandbox-merchant-key";
/// One for every account of a sandbox that listens on the loopback only.
pub(crate) const PASSWORD: &str = "jangbu-demo-2026";

/// A program of ours; ended when dropped.
pub(crate) struct Part {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Part {
    fn start(name: &'static str, mut command: Command, folder: &Path) -> anyhow::Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let file = File::create(&log)?;
        // Its own group: Ctrl-C is for us, and we end our parts in order.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("{name} could not be started"))?;
        Ok(Self { name, child, log })
    }

    /// The reason when it has ended.
    fn ended(&mut self) -> Option<String> {
        let status = self.child.try_wait().ok().flatten()?;
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let last = lines[lines.len().saturating_sub(12)..].join("\n    ");
        Some(format!("{} ended ({status}); its last words ({}):\n    {last}", self.name, self.log.display()))
    }

    fn end(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        // Politely first: the dashboard stops its PostgreSQL and finishes what is under way.
        drop(Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status());
        let patience = Instant::now() + Duration::from_secs(40);
        while Instant::now() < patience {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.end();
    }
}

/// A port near the wished one that nobody listens on.
fn free_port(wished: u16) -> anyhow::Result<u16> {
    (wished..wished + 90)
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .with_context(|| format!("no free port from {wished} on"))
}

/// Sandbox and dashboard, up and answering.
pub(crate) struct Stack {
    // Dropped in this order: the dashboard before the sandbox it asks.
    parts: Vec<Part>,
    pub(crate) url: String,
    pub(crate) sandbox_url: String,
    folder: PathBuf,
    environment: Vec<(&'static str, String)>,
    /// When the clocks of all parts stood as it started.
    at: Option<OffsetDateTime>,
}

impl Stack {
    /// `at`: the moment that the clocks of all parts begin at; now, if there is none.
    pub(crate) fn start(folder: &Path, wished: u16, at: Option<OffsetDateTime>) -> anyhow::Result<Self> {
        fs::create_dir_all(folder)?;
        let port = free_port(wished)?;
        let sandbox_port = free_port(wished + 100)?;
        // By name: browsers have passkeys for no bare address.
        let url = format!("http://localhost:{port}");
        let sandbox_url = format!("http://127.0.0.1:{sandbox_port}");
        let apps_port = free_port(sandbox_port + 1)?;
        let pay_port = free_port(apps_port + 1)?;
        let tls = folder.join("sandbox-tls");
        let certificate = |name: &str| tls.join(name).display().to_string();
        let offset_ms = at.map_or(0, offset_ms);
        let environment = vec![
            ("JANGBU_MODE", "sandbox".to_owned()),
            ("JANGBU_CLOCK_OFFSET_MS", offset_ms.to_string()),
            ("JANGBU_ADDR", format!("127.0.0.1:{port}")),
            ("JANGBU_PUBLIC_URL", url.clone()),
            ("JANGBU_DATA_DIR", folder.display().to_string()),
            ("JANGBU_SITE_DIR", front::site().display().to_string()),
            ("TOSS_PAYMENTS_URL", sandbox_url.clone()),
            ("TOSS_PAYMENTS_SECRET_KEY", SECRET_KEY.to_owned()),
            ("TOSS_PAYMENTS_SECURITY_KEY", SECURITY_KEY.to_owned()),
            ("JANGBU_MERCHANT_API_KEY", MERCHANT_KEY.to_owned()),
            ("APPS_IN_TOSS_URL", format!("https://127.0.0.1:{apps_port}")),
            ("APPS_IN_TOSS_PAY_URL", format!("https://127.0.0.1:{pay_port}")),
            ("APPS_IN_TOSS_CERT", certificate("client.pem")),
            ("APPS_IN_TOSS_KEY", certificate("client.key")),
            ("APPS_IN_TOSS_CERT_NEXT", certificate("client-next.pem")),
            ("APPS_IN_TOSS_KEY_NEXT", certificate("client-next.key")),
            ("APPS_IN_TOSS_CA", certificate("ca.pem")),
            ("APPS_IN_TOSS_DECRYPT_KEY", DECRYPT_KEY.to_owned()),
            ("APPS_IN_TOSS_DECRYPT_AAD", "TOSS".to_owned()),
            ("APPS_IN_TOSS_UNLINK_AUTH", UNLINK_AUTH.to_owned()),
        ];
        let mut stack =
            Self { parts: Vec::new(), url, sandbox_url, folder: folder.to_owned(), environment, at };
        let mut sandbox = Command::new(binary("toss-sandbox"));
        sandbox
            .args(["serve", "--addr", &format!("127.0.0.1:{sandbox_port}"), "--shop-api", &stack.url])
            .args([
                "--webhook",
                &format!("{}/hooks/toss-payments", stack.url),
                "--security-key",
                SECURITY_KEY,
            ])
            .arg("--journal")
            .arg(folder.join("sandbox.jsonl"))
            .arg("--tls-dir")
            .arg(&tls)
            .args(["--apps-addr", &format!("127.0.0.1:{apps_port}")])
            .args(["--apps-pay-addr", &format!("127.0.0.1:{pay_port}")])
            .args(["--unlink-url", &format!("{}/hooks/apps-in-toss/unlink", stack.url)])
            .arg(format!("--clock-offset-ms={offset_ms}"))
            .env("APPS_IN_TOSS_UNLINK_AUTH", UNLINK_AUTH)
            .env("JANGBU_MERCHANT_API_KEY", MERCHANT_KEY);
        // First the sandbox: it makes the certificates that the dashboard is started with.
        stack.parts.push(Part::start("toss-sandbox", sandbox, folder)?);
        stack.wait_for("/_sandbox/health", sandbox_port)?;
        let mut serve = stack.jangbu();
        serve.arg("serve");
        stack.parts.insert(0, Part::start("jangbu", serve, folder)?);
        stack.wait_for("/health/ready", port)?;
        Ok(stack)
    }

    /// The dashboard's binary with this stack's settings, and nothing of the caller's database.
    pub(crate) fn jangbu(&self) -> Command {
        let mut command = Command::new(binary("jangbu"));
        command.envs(self.environment.iter().cloned()).env_remove("DATABASE_URL").env_remove("JANGBU_CONFIG");
        command
    }

    fn wait_for(&mut self, path: &str, port: u16) -> anyhow::Result<()> {
        let patience = Instant::now() + Duration::from_secs(90);
        while Instant::now() < patience {
            self.check()?;
            ensure!(!stopped(), "stopped");
            if get(port, path).is_some_and(|status| status == 200) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        bail!("nothing answers at port {port}; the logs are in {}", self.folder.display())
    }

    /// An error when a part has ended by itself.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        for part in &mut self.parts {
            if let Some(why) = part.ended() {
                bail!(why);
            }
        }
        Ok(())
    }

    /// The private PostgreSQL, for what only a test may do: make a proof or a log-in older.
    pub(crate) fn database_url(&self) -> anyhow::Result<String> {
        let home = fs::read_to_string(self.folder.join("postgres-home"));
        let home = home.map_or_else(|_| self.folder.join("postgres"), |home| PathBuf::from(home.trim()));
        let password = fs::read_to_string(home.join("password"))?;
        // Its fourth line is the port.
        let pid = fs::read_to_string(home.join("pgdata/postmaster.pid"))?;
        let port = pid.lines().nth(3).context("a port in postmaster.pid")?;
        Ok(format!("postgres://jangbu:{}@127.0.0.1:{port}/jangbu", password.trim()))
    }

    /// One account per role, and a key of a server that reads. True when they are new.
    pub(crate) fn add_staff(&self) -> anyhow::Result<bool> {
        let known = self.jangbu().args(["staff", "list"]).stderr(Stdio::null()).output()?;
        if String::from_utf8_lossy(&known.stdout).contains("admin@jangbu.test") {
            return Ok(false);
        }
        for (role, name) in ROLES {
            let mut command = self.jangbu();
            command.args([
                "staff",
                "add",
                "--email",
                &format!("{role}@jangbu.test"),
                "--name",
                name,
                "--role",
                role,
            ]);
            let mut child = command
                .arg("--password-stdin")
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()?;
            child.stdin.take().context("no stdin")?.write_all(PASSWORD.as_bytes())?;
            let output = child.wait_with_output()?;
            ensure!(output.status.success(), "staff add: {}", String::from_utf8_lossy(&output.stderr));
        }
        let mut limit = self.jangbu();
        limit.args(["staff", "limit", "--role", "support", "--one-refund", SUPPORT_LIMIT]);
        run(limit.args(["--per-day", "1000000"]).stdout(Stdio::null()).stderr(Stdio::null()))?;
        let mut key = self.jangbu();
        key.args([
            "api-keys",
            "add",
            "--name",
            "통계 서버",
            "--scope",
            "orders:read",
            "--scope",
            "transactions:read",
        ]);
        run(key.stdout(Stdio::null()).stderr(Stdio::null()))?;
        Ok(true)
    }

    /// Makes sample trade; its progress is handed to `progress` line by line.
    pub(crate) fn trade(&mut self, orders: usize, progress: impl Fn(&str)) -> anyhow::Result<()> {
        let mut command = Command::new(binary("toss-sandbox"));
        command.arg("trade");
        if let Some(at) = self.at {
            command.args(["--until", &at.format(&Rfc3339)?]);
        }
        let mut child = command
            .args(["--sandbox", &self.sandbox_url, "--shop-api", &self.url, "--orders", &orders.to_string()])
            .env("JANGBU_MERCHANT_API_KEY", MERCHANT_KEY)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut last = String::new();
        for line in BufReader::new(child.stderr.take().context("no stderr")?).lines() {
            let line = line?;
            if stopped() {
                drop(child.kill());
                break;
            }
            self.check()?;
            progress(&line);
            last.push_str(&line);
            last.push('\n');
        }
        let status = child.wait()?;
        ensure!(!stopped(), "stopped");
        ensure!(status.success(), "the sample trade failed: {last}");
        Ok(())
    }

    /// What finance starts from: the sandbox shop's contract, Toss's lists of the last month read, the days reconciled.
    pub(crate) fn keep_books(&self) -> anyhow::Result<()> {
        let window = ["--last", "33"];
        let quiet = |command: &mut Command| run(command.stdout(Stdio::null()).stderr(Stdio::null()));
        for (method, currency, per_cent, flat) in CONTRACT {
            let mut set = self.jangbu();
            set.args([
                "contract",
                "set",
                "--method",
                method,
                "--currency",
                currency,
                "--valid-from",
                "2025-01-01",
            ]);
            quiet(set.args(["--per-cent", per_cent, "--flat", flat, "--payout-days", "5"]))?;
        }
        quiet(self.jangbu().args(["sync", "transactions"]).args(window))?;
        quiet(self.jangbu().args(["sync", "settlements"]).args(window))?;
        quiet(self.jangbu().arg("reconcile").args(window))
    }
}

/// What the sandbox takes, VAT included.
pub(crate) const CONTRACT: [(&str, &str, &str, &str); 8] = [
    ("*", "KRW", "3.1", "0"),
    ("*", "USD", "3.1", "0"),
    ("가상계좌", "KRW", "0", "300"),
    ("계좌이체", "KRW", "1.8", "0"),
    ("휴대폰", "KRW", "3.5", "0"),
    ("문화상품권", "KRW", "6.6", "0"),
    ("도서문화상품권", "KRW", "6.6", "0"),
    ("게임문화상품권", "KRW", "6.6", "0"),
];

pub(crate) const ROLES: [(&str, &str); 4] =
    [("viewer", "윤서하"), ("support", "김하늘"), ("finance", "박도현"), ("admin", "이가온")];

/// Above this, in won, the demo's support agent needs a second person.
const SUPPORT_LIMIT: &str = "300000";

/// How far a moment is from now.
#[expect(clippy::disallowed_methods, reason = "the clocks of a stack are so far from the real one")]
fn offset_ms(at: OffsetDateTime) -> i64 {
    i64::try_from((at - OffsetDateTime::now_utc()).whole_milliseconds()).unwrap_or_default()
}

/// A GET with nothing but the standard library; its status.
fn get(port: u16, path: &str) -> Option<u16> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.take(4096).read_to_string(&mut answer).ok()?;
    answer.split_whitespace().nth(1)?.parse().ok()
}
