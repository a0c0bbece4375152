//! A shop with its sandbox, its dashboard and its own database, for one test.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use backoffice::{
    Actor, Backoffice, limits,
    refunds::Form,
    staff::{NewStaff, Permission, Role, rights, roles},
    webhooks::{Delivery, Filter},
};
use sandbox::{
    Callback, Options, PUBLIC_TEST_KEYS, SANDBOX_SECURITY_KEY, World,
    apps_in_toss::{login, tls::Authority},
};
use serde_json::{Value, json};
use server::{
    Jangbu,
    settings::{Settings, Source},
};
use tokio::{net::TcpListener, sync::OnceCell};
use tokio_util::sync::{CancellationToken, DropGuard};

pub const MERCHANT_KEY: &str = "merchant-key-of-the-tests";
pub const PASSWORD: &str = "a password for tests";

pub const UNLINK_AUTH: &str = "toss:unlink of the tests";

/// The certificates of all tests of this process, in a folder that goes with it.
static CERTIFICATES: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    Authority::in_folder(folder.path(), &[]).unwrap();
    folder
});

static TEMPLATE: OnceCell<String> = OnceCell::const_new();
static NEXT: AtomicU32 = AtomicU32::new(0);

/// A database of its own, copied from one that has every table.
pub async fn database() -> String {
    let url = postgres();
    let template = TEMPLATE
        .get_or_init(|| async {
            let name = format!("template_{}", std::process::id());
            let owned = backoffice::database::create_migrated(&url, &name).await.unwrap();
            let pool = server::database::connect(&owned, 1).await.unwrap();
            make_roles(&pool).await;
            backoffice::database::grant(&pool, APPLICATION, &[READER.to_owned()]).await.unwrap();
            pool.close().await;
            name
        })
        .await;
    create_database(template).await
}

/// Roles of the whole cluster, for every test of every run.
pub const APPLICATION: &str = "jangbu_tests";
pub const READER: &str = "jangbu_tests_reader";

async fn make_roles(pool: &sqlx::PgPool) {
    for role in [APPLICATION, READER] {
        // Another process may be making it at this moment.
        let make = format!(
            "do $$ begin create role {role} login password '{role}';
             exception when duplicate_object or unique_violation then null; end $$"
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(make)).execute(pool).await.unwrap();
    }
}

/// The address of the same database for another role.
pub fn as_role(url: &str, role: &str) -> String {
    let (_, place) = url.split_once('@').unwrap();
    format!("postgres://{role}:{role}@{place}")
}

/// A database of its own with nothing in it.
pub async fn empty_database() -> String {
    create_database("template0").await
}

fn postgres() -> String {
    std::env::var("JANGBU_TEST_DATABASE_URL")
        .expect("JANGBU_TEST_DATABASE_URL: run the tests with `cargo xtask test`")
}

async fn create_database(template: &str) -> String {
    let url = postgres();
    let (server, _) = url.rsplit_once('/').unwrap();
    let name = format!("test_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let pool = server::database::connect(&url, 1).await.unwrap();
    let statement = format!("create database {name} template {template}");
    sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&pool).await.unwrap();
    pool.close().await;
    format!("{server}/{name}")
}

/// Of every test: what signs checkpoints of the audit log, and what seals.
pub const AUDIT_KEY: &str =
    "PRIVATE+KEY+jangbu.test/audit+51679e4d+AXRlc3RzIG9ubHk6IDMyIGJ5dGVzIG9mIGEgc2VlZC4u";
pub const DATA_KEY: &str = "dGVzdHMgb25seTogMzIgYnl0ZXMgb2YgYSBkYXRhIGs=";

pub struct Shop {
    /// Of the tables' owner; the shop itself connects as [`APPLICATION`].
    pub database_url: String,
    pub jangbu: Jangbu,
    pub sandbox: Arc<World>,
    pub url: String,
    pub sandbox_url: String,
    /// Of Apps in Toss: the general host, and that of Toss Pay.
    pub apps_url: String,
    pub pay_url: String,
    pub http: reqwest::Client,
    _stop: DropGuard,
}

impl Shop {
    pub async fn open() -> Self {
        Self::open_at("").await
    }

    /// Where an account has to be a day old before it approves anything, as outside of rehearsals.
    pub async fn strict() -> Self {
        Self::open_with(&[("JANGBU_APPROVER_AGE_HOURS", "24")]).await
    }

    /// Where roles that move money have to have a second factor, as outside of rehearsals.
    pub async fn guarded() -> Self {
        Self::open_with(&[("JANGBU_SECOND_FACTOR", "roles")]).await
    }

    /// Where letters to staff go out.
    pub async fn with_mail(url: &str) -> Self {
        Self::open_with(&[("JANGBU_MAIL_URL", url), ("JANGBU_MAIL_FROM", "장부 <jangbu@shop.example>")]).await
    }

    /// Mounted at a path of a host that has pages of its own.
    pub async fn open_at(base: &str) -> Self {
        Self::open_with(&[("JANGBU_BASE_PATH", base)]).await
    }

    pub async fn open_with(more: &[(&str, &str)]) -> Self {
        Self::open_as(more, |jangbu| jangbu).await
    }

    /// As a host sets it up.
    pub async fn open_as(more: &[(&str, &str)], set_up: impl FnOnce(Jangbu) -> Jangbu) -> Self {
        let base = more.iter().find(|(name, _)| *name == "JANGBU_BASE_PATH").map_or("", |(_, base)| base);
        server::install_crypto();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let sandbox_listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let sandbox_url = format!("http://{}", sandbox_listener.local_addr().unwrap());
        let url = format!("http://{addr}{base}");
        let (apps, pay) = (
            TcpListener::bind("127.0.0.1:0").await.unwrap(),
            TcpListener::bind("127.0.0.1:0").await.unwrap(),
        );
        let [apps_url, pay_url] =
            [&apps, &pay].map(|listener| format!("https://{}", listener.local_addr().unwrap()));
        let (authority, server) = Authority::in_folder(CERTIFICATES.path(), &[]).unwrap();
        let certificate = |name: &str| certificate(name).display().to_string();
        let basic = UNLINK_AUTH.split_once(':').map(|(name, word)| (name.to_owned(), word.to_owned()));
        let sandbox = World::new(Options {
            webhook_urls: vec![format!("{url}/hooks/toss-payments")],
            unlink: Some(Callback { url: format!("{url}/hooks/apps-in-toss/unlink"), basic }),
            ..Options::default()
        })
        .unwrap();
        let mut values = BTreeMap::from(
            [
                ("JANGBU_MODE", "sandbox"),
                ("JANGBU_DATA_KEY", DATA_KEY),
                ("JANGBU_AUDIT_KEY", AUDIT_KEY),
                ("JANGBU_ADDR", &addr.to_string()),
                ("TOSS_PAYMENTS_URL", &sandbox_url),
                ("TOSS_PAYMENTS_SECRET_KEY", PUBLIC_TEST_KEYS[0]),
                ("TOSS_PAYMENTS_SECURITY_KEY", SANDBOX_SECURITY_KEY),
                ("JANGBU_MERCHANT_API_KEY", MERCHANT_KEY),
                ("JANGBU_DATABASE_CONNECTIONS", "12"),
                ("APPS_IN_TOSS_URL", &apps_url),
                ("APPS_IN_TOSS_PAY_URL", &pay_url),
                ("APPS_IN_TOSS_CERT", &certificate("client.pem")),
                ("APPS_IN_TOSS_KEY", &certificate("client.key")),
                ("APPS_IN_TOSS_CA", &certificate("ca.pem")),
                ("APPS_IN_TOSS_DECRYPT_KEY", login::SANDBOX_DECRYPT_KEY),
                ("APPS_IN_TOSS_DECRYPT_AAD", login::SANDBOX_DECRYPT_AAD),
                ("APPS_IN_TOSS_UNLINK_AUTH", UNLINK_AUTH),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        values.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let settings = Settings::read(&Source(values)).unwrap();
        let database_url = database().await;
        // As a shop should run it: the process owns none of its tables.
        let application = as_role(&database_url, APPLICATION);
        let jangbu = set_up(Jangbu::start(settings, &application).await.unwrap());
        let host = axum::Router::new()
            .route("/host", axum::routing::get(|| async { "the host's own page" }))
            .merge(jangbu.router());
        let stop = CancellationToken::new();
        tokio::spawn(Arc::clone(&sandbox).run(sandbox_listener));
        let mini_app = Arc::clone(&sandbox);
        tokio::spawn(async move { mini_app.run_apps_in_toss(&authority, &server, apps, pay).await.unwrap() });
        tokio::spawn(async move {
            axum::serve(listener, host.into_make_service_with_connect_info::<SocketAddr>()).await.unwrap();
        });
        let worker = jangbu.clone();
        let stopped = stop.clone();
        tokio::spawn(async move { worker.work(stopped).await });
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self {
            database_url,
            jangbu,
            sandbox,
            url,
            sandbox_url,
            apps_url,
            pay_url,
            http,
            _stop: stop.drop_guard(),
        }
    }

    /// A user of the mini-app.
    pub async fn user(&self) -> i64 {
        self.control("apps-in-toss/users", &json!({})).await["userKey"].as_i64().unwrap()
    }

    /// A Toss Pay payment that the buyer has authenticated; its token.
    pub async fn toss_pay(&self, order_no: &str, amount: i64, choice: Value) -> String {
        let user = self.user().await;
        self.toss_pay_of(order_no, user, amount, choice).await
    }

    async fn toss_pay_of(&self, order_no: &str, user: i64, amount: i64, choice: Value) -> String {
        let new = json!({ "orderNo": order_no, "userKey": user, "productDesc": "토끼 인형", "amount": amount, "amountTaxFree": 0 });
        let (status, said) = self.api("toss-pay/payments", &new).await;
        assert_eq!(status, 200, "{said}");
        let token = said["payToken"].as_str().unwrap().to_owned();
        self.control(&format!("apps-in-toss/payments/{token}/authenticate"), &choice).await;
        token
    }

    pub async fn execute(&self, order_no: &str, token: &str) -> (u16, Value) {
        self.api(&format!("toss-pay/payments/{order_no}/execute"), &json!({ "payToken": token })).await
    }

    pub async fn paid_by_toss_pay_of(&self, order_no: &str, user: i64) {
        let token = self.toss_pay_of(order_no, user, 1000, json!({})).await;
        assert_eq!(self.execute(order_no, &token).await.0, 200);
    }

    /// A paid one.
    pub async fn paid_by_toss_pay(&self, order_no: &str, amount: i64, choice: Value) -> String {
        let token = self.toss_pay(order_no, amount, choice).await;
        let (status, said) = self.execute(order_no, &token).await;
        assert_eq!((status, said["status"].as_str()), (200, Some("PAY_COMPLETE")), "{said}");
        token
    }

    /// Refunds at Toss of a Toss Pay payment.
    pub fn refunds_at_toss_pay(&self, token: &str) -> usize {
        self.sandbox.with_mini_app(|app| {
            app.payment(token).unwrap().steps.iter().filter(|step| step.step_type == "REFUND").count()
        })
    }

    /// What reached Toss about something, by the end of its path.
    pub fn calls(&self, about: &str) -> Vec<String> {
        self.sandbox.with_mini_app(|app| {
            app.calls
                .iter()
                .filter(|call| call.about.contains(about))
                .map(|call| call.endpoint.clone())
                .collect()
        })
    }

    /// Somebody who owns the tables, and may do anything.
    pub async fn owner(&self) -> sqlx::PgPool {
        server::database::connect(&self.database_url, 2).await.unwrap()
    }

    pub fn backoffice(&self) -> &Backoffice {
        &self.jangbu.backoffice
    }

    pub async fn api(&self, path: &str, body: &Value) -> (u16, Value) {
        let request =
            self.http.post(format!("{}/api/v1/{path}", self.url)).bearer_auth(MERCHANT_KEY).json(body);
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap_or(Value::Null))
    }

    /// An order as the merchant's server reads it.
    pub async fn read_order(&self, order_id: &str) -> Value {
        let url = format!("{}/api/v1/orders/{order_id}", self.url);
        self.http.get(url).bearer_auth(MERCHANT_KEY).send().await.unwrap().json().await.unwrap()
    }

    pub async fn control(&self, path: &str, body: &Value) -> Value {
        let response =
            self.http.post(format!("{}/_sandbox/{path}", self.sandbox_url)).json(body).send().await.unwrap();
        assert!(response.status().is_success(), "{path}: {}", response.status());
        response.json().await.unwrap_or(Value::Null)
    }

    pub async fn fault(&self, fault: Value) {
        self.control("faults", &fault).await;
    }

    /// An order, and a payment the buyer has authenticated.
    pub async fn authenticated(&self, order_id: &str, amount: i64, choice: Value) -> String {
        let order = json!({ "orderId": order_id, "amount": amount, "orderName": "머그컵 세트", "customerName": "김하준" });
        assert_eq!(self.api("orders", &order).await.0, 201);
        let opening = json!({ "orderId": order_id, "orderName": "머그컵 세트", "amount": amount });
        let key = self.control("payments", &opening).await["paymentKey"].as_str().unwrap().to_owned();
        self.control(&format!("payments/{key}/authenticate"), &choice).await;
        key
    }

    pub async fn confirm(&self, order_id: &str, key: &str, amount: i64) -> (u16, Value) {
        self.api(&format!("orders/{order_id}/confirm"), &json!({ "paymentKey": key, "amount": amount })).await
    }

    /// A paid order; its payment key.
    pub async fn paid(&self, order_id: &str, amount: i64) -> String {
        self.paid_by(order_id, amount, json!({ "method": "카드" })).await
    }

    pub async fn paid_by(&self, order_id: &str, amount: i64, choice: Value) -> String {
        let key = self.authenticated(order_id, amount, choice).await;
        let (status, said) = self.confirm(order_id, &key, amount).await;
        assert_eq!(status, 200, "{said}");
        key
    }

    /// A virtual account that its buyer paid into, as our books know it; its payment key.
    pub async fn paid_into(&self, order_id: &str, amount: i64, choice: Value) -> String {
        let key = self.paid_by(order_id, amount, choice).await;
        self.control(&format!("payments/{key}/deposit"), &Value::Null).await;
        let job = Actor::Job("look_up");
        backoffice::payments::look_up_on_rail(self.backoffice(), &job, order_id, None).await.unwrap();
        key
    }

    /// The sandbox's own list of cancels of a payment.
    pub fn cancels_at_toss(&self, key: &str) -> Vec<toss::payments::Cancel> {
        self.sandbox.with_books(|books| books.record(key).unwrap().payment.cancels().to_vec())
    }

    /// Patient, because a busy machine is no fault: what holds is seen at once all the same.
    pub async fn eventually<F: Future<Output = bool>>(&self, what: &str, holds: impl FnMut() -> F) {
        self.eventually_within(30, what, holds).await;
    }

    pub async fn eventually_within<F: Future<Output = bool>>(
        &self,
        seconds: u32,
        what: &str,
        mut holds: impl FnMut() -> F,
    ) {
        for _ in 0..seconds * 40 {
            if holds().await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("never: {what}");
    }

    /// Posts to where Toss posts to.
    pub async fn hook(&self, headers: &[(&str, &str)], body: impl Into<reqwest::Body>) -> u16 {
        let mut request = self.http.post(format!("{}/hooks/toss-payments", self.url)).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap().status().as_u16()
    }

    /// The deliveries of a filter, newest first.
    pub async fn deliveries(&self, filter: &Filter) -> Vec<Delivery> {
        backoffice::webhooks::list(self.backoffice(), filter, None, 500).await.unwrap().rows
    }

    /// Until Toss has posted all it has to, and everything was looked into.
    pub async fn quiet(&self) {
        self.eventually("no delivery waits", || async {
            self.sandbox.pending_deliveries() == 0
                && !backoffice::webhooks::any_waiting(self.backoffice()).await.unwrap()
        })
        .await;
    }

    pub async fn status_of(&self, order_id: &str) -> String {
        backoffice::orders::get(self.backoffice(), order_id).await.unwrap().unwrap().status
    }

    /// An account, and the cookie of its session.
    pub async fn log_in(&self, role: Role) -> Person {
        let (id, email) = self.account(role).await;
        self.comes_in(id, email, role).await
    }

    /// The same with a role of the house's own, and that role.
    pub async fn log_in_as(&self, base: Role, permissions: &[Permission]) -> (Person, uuid::Uuid) {
        let (id, email) = self.account(base).await;
        let own = self.own_role(base, permissions).await;
        let given =
            rights::give(self.backoffice(), &Actor::CommandLine, id, rights::Wanted::Own(own)).await.unwrap();
        assert_eq!(given, rights::Given::Now);
        (self.comes_in(id, email, base).await, own)
    }

    /// A role that nobody has yet.
    pub async fn own_role(&self, base: Role, permissions: &[Permission]) -> uuid::Uuid {
        let words: Vec<String> = permissions.iter().map(|one| one.as_str().to_owned()).collect();
        let name = format!("role {}", uuid::Uuid::new_v4().simple()).chars().take(40).collect::<String>();
        let typed = roles::Typed { name: &name, base: base.as_str(), permissions: &words };
        roles::add(self.backoffice(), &Actor::CommandLine, typed).await.unwrap()
    }

    pub async fn account(&self, role: Role) -> (uuid::Uuid, String) {
        let email = format!("{}@example.com", uuid::Uuid::new_v4().simple());
        let new = NewStaff { email: email.clone(), name: format!("{} 사람", role.as_str()), role };
        let added = backoffice::staff::add(self.backoffice(), &Actor::CommandLine, new, PASSWORD.into());
        (added.await.unwrap(), email)
    }

    async fn comes_in(&self, id: uuid::Uuid, email: String, role: Role) -> Person {
        let response = self.form("log_in", None, &[("email", &email), ("password", PASSWORD)]).await;
        assert_eq!(response.status(), 302);
        let device = cookie_named(&response, "jangbu_device=").expect("a device cookie");
        Person { cookie: cookie(&response).expect("a session cookie"), device, email, id, role }
    }

    /// The same, with an authenticator app.
    pub async fn log_in_with_app(&self, role: Role) -> (Person, App) {
        let person = self.log_in(role).await;
        let app = self.connect_app(&person).await;
        (person, app)
    }

    pub async fn connect_app(&self, person: &Person) -> App {
        self.form("begin_totp", Some(&person.cookie), &[]).await;
        let (_, html) = self.page("/account/factors", Some(&person.cookie)).await;
        let by_hand = html.split("totp-secret\">").nth(1).expect("the key stands on the page");
        let app = App::of(by_hand.split('<').next().unwrap());
        let fields = [("name", "휴대폰"), ("code", &app.code(0))];
        assert_eq!(self.form("confirm_totp", Some(&person.cookie), &fields).await.status(), 302);
        app
    }

    /// Time goes on to the next code: a code works once.
    pub async fn next_code(&self) {
        self.sql("update staff_factors set last_step = 0 where kind = 'totp'").await;
    }

    /// The last proof of everybody is older than five minutes.
    pub async fn proofs_grow_old(&self) {
        self.sql("update staff_sessions set proved_at = now() - interval '301 seconds'").await;
    }

    async fn sql(&self, statement: &'static str) {
        sqlx::query(statement).execute(&self.backoffice().pool).await.unwrap();
    }

    /// The cookie of one more session of somebody.
    pub async fn again(&self, person: &Person) -> String {
        let fields = [("email", person.email.as_str()), ("password", PASSWORD)];
        cookie(&self.form("log_in", None, &fields).await).expect("a session cookie")
    }

    /// Posts a form as a browser without JavaScript does.
    pub async fn form(
        &self,
        function: &str,
        cookie: Option<&str>,
        fields: &[(&str, &str)],
    ) -> reqwest::Response {
        let mut request = self
            .http
            .post(format!("{}/fn/{function}", self.url))
            .header("accept", "text/html")
            .header("sec-fetch-site", "same-origin")
            .header("referer", format!("{}/", self.url))
            .form(fields);
        if let Some(cookie) = cookie {
            request = request.header("cookie", cookie);
        }
        request.send().await.unwrap()
    }

    /// Uploads a file as the form of the page does.
    pub async fn upload(&self, cookie: &str, name: &str, bytes: &[u8]) -> reqwest::Response {
        self.multipart("preview_batch", cookie, &[("reason_code", "defect"), ("reason", "")], name, bytes)
            .await
    }

    /// Posts a form that carries a file.
    pub async fn multipart(
        &self,
        function: &str,
        cookie: &str,
        fields: &[(&str, &str)],
        name: &str,
        bytes: &[u8],
    ) -> reqwest::Response {
        let boundary = "a-line-that-is-in-no-file";
        let mut body = Vec::new();
        for (field, value) in fields.iter().filter(|(field, _)| *field != "file") {
            body.extend(
                format!(
                    "--{boundary}\r\nContent-Disposition: form-data; name=\"{field}\"\r\n\r\n{value}\r\n"
                )
                .into_bytes(),
            );
        }
        body.extend(
            format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n"
            )
            .into_bytes(),
        );
        body.extend(bytes);
        body.extend(format!("\r\n--{boundary}--\r\n").into_bytes());
        self.http
            .post(format!("{}/fn/{function}", self.url))
            .header("accept", "text/html")
            .header("sec-fetch-site", "same-origin")
            .header("content-type", format!("multipart/form-data; boundary={boundary}"))
            .header("cookie", cookie)
            .body(body)
            .send()
            .await
            .unwrap()
    }

    /// The sandbox's own console: a refund that we did not make.
    pub fn refund_behind_our_back(&self, key: &str, amount: i64) {
        self.refund_in_words(key, amount, "상점관리자에서 환불");
    }

    pub fn refund_in_words(&self, key: &str, amount: i64, reason: &str) {
        let request = toss::payments::CancelRequest {
            cancel_reason: reason.into(),
            cancel_amount: Some(amount.into()),
            ..toss::payments::CancelRequest::default()
        };
        let now = self.sandbox.clock.now();
        self.sandbox.with_books(|books| books.cancel(key, &request, now)).unwrap();
    }

    pub async fn limit(&self, role: &str, one_refund: &'static str, per_day: &'static str) {
        let none = |text: &'static str| if text.is_empty() { limits::NONE } else { text };
        let (one_refund, per_day) = (none(one_refund), none(per_day));
        let typed = limits::Typed { role, one_refund, per_day, grants_per_day: limits::NONE };
        let kept = limits::set(self.backoffice(), &Actor::CommandLine, typed).await;
        assert_eq!(kept.unwrap(), limits::Kept::Now);
    }

    pub async fn page(&self, path: &str, cookie: Option<&str>) -> (u16, String) {
        let mut request = self.http.get(format!("{}{path}", self.url)).header("accept", "text/html");
        if let Some(cookie) = cookie {
            request = request.header("cookie", cookie);
        }
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }
}

/// One of the files that every test's certificates are in.
pub fn certificate(name: &str) -> PathBuf {
    CERTIFICATES.path().join(name)
}

pub struct Person {
    pub cookie: String,
    /// The cookie of a browser that they have come in with.
    pub device: String,
    pub email: String,
    pub id: uuid::Uuid,
    pub role: Role,
}

impl Person {
    pub fn actor(&self) -> Actor {
        let name = format!("{} 사람", self.role.as_str());
        Actor::Staff { id: self.id, name, role: self.role, via: backoffice::audit::Via::default() }
    }
}

/// An authenticator app, by another hand than the one that checks its codes.
pub struct App(Vec<u8>);

impl App {
    pub fn of(base32: &str) -> Self {
        let mut bits = String::new();
        for character in base32.chars().filter(|c| !c.is_whitespace()) {
            let value = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".find(character).expect("base32");
            bits.push_str(&format!("{value:05b}"));
        }
        let bytes = bits.as_bytes().chunks_exact(8);
        Self(bytes.map(|byte| u8::from_str_radix(std::str::from_utf8(byte).unwrap(), 2).unwrap()).collect())
    }

    /// What it shows when its clock is so many seconds ahead.
    #[expect(clippy::disallowed_methods, reason = "an app lives in real time")]
    pub fn code(&self, ahead: i64) -> String {
        use ring::hmac;
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let step = now.checked_add_signed(ahead).unwrap() / 30;
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.0);
        let hash = hmac::sign(&key, &step.to_be_bytes());
        let hash = hash.as_ref();
        let at = usize::from(hash[19] & 15);
        let word = u32::from_be_bytes(hash[at..at + 4].try_into().unwrap()) & 0x7fff_ffff;
        format!("{:06}", word % 1_000_000)
    }
}

pub fn cookie(response: &reqwest::Response) -> Option<String> {
    cookie_named(response, "jangbu_session=")
}

fn cookie_named(response: &reqwest::Response, name: &str) -> Option<String> {
    let all = response.headers().get_all("set-cookie").iter();
    let of_this_name = all.filter_map(|v| v.to_str().ok()).filter(|v| v.contains(name));
    of_this_name.filter_map(|v| v.split(';').next()).next_back().map(str::to_owned)
}

/// A filled-in refund form.
pub fn refund(order_id: &str, amount: &str) -> Form {
    Form {
        intent: backoffice::refunds::new_intent(),
        order_id: order_id.into(),
        amount: amount.into(),
        reason_code: "changed_mind".into(),
        reason: "고객 변심".into(),
        ..Form::default()
    }
}
