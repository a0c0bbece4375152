//! The sandbox's own pages: the payment window, a shop to buy in, and the control desk.

use std::sync::Arc;

use axum::{
    Form, Router,
    extract::{Path, Query, State},
    response::{Html, IntoResponse, Redirect, Response},
    routing::{MethodRouter, get},
};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use rust_decimal::Decimal;
use serde::Deserialize;
use time::Duration;
use toss::payments::{Payment, PaymentStatus, institutions};

use crate::{
    World,
    books::Choice,
    faults::{Fault, Switch},
    shop::{NewOrder, Shop, goods::PRODUCTS},
};

type Shared = State<Arc<World>>;

const STYLE: &str = "
:root{color-scheme:light dark;--paper:#faf9f6;--card:#fff;--ink:#1d1c1a;--soft:#5f5b53;--rule:#e6e2d9;--accent:#274690;--amber:#8a5a00;--amber-bg:#fbf0d9}
@media(prefers-color-scheme:dark){:root{--paper:#151412;--card:#1d1c19;--ink:#ece9e2;--soft:#b1aca1;--rule:#2e2c28;--accent:#9db7ff;--amber:#f0b955;--amber-bg:#3a2c10}}
body{margin:0;background:var(--paper);color:var(--ink);font:14px/1.5 Pretendard,'Apple SD Gothic Neo','Noto Sans KR','Noto Sans CJK KR',sans-serif}
header{background:var(--amber-bg);color:var(--amber);padding:10px 24px;font-weight:600;display:flex;gap:20px}header a{color:inherit}
main{max-width:1040px;margin:24px auto;padding:0 20px;display:grid;gap:20px}main.narrow{max-width:460px}
section{background:var(--card);border:1px solid var(--rule);border-radius:10px;padding:20px}h1,h2{margin:0 0 12px;font-size:18px}
label{display:grid;gap:4px;margin-bottom:12px;color:var(--soft)}input,select{font:inherit;color:inherit;background:var(--paper);border:1px solid var(--rule);border-radius:8px;padding:8px 10px}
button{font:inherit;font-weight:600;background:var(--accent);color:var(--card);border:0;border-radius:8px;padding:10px 16px;cursor:pointer}button.plain{background:none;color:var(--accent);padding:0}
table{width:100%;border-collapse:collapse}td,th{text-align:left;padding:6px 8px;border-bottom:1px solid var(--rule);vertical-align:top}td.n{text-align:right;font-variant-numeric:tabular-nums}code{font-size:12px;overflow-wrap:anywhere}
.big{font-size:28px;font-weight:700}.row{display:flex;flex-wrap:wrap;gap:10px;align-items:end}.soft{color:var(--soft)}form.inline{display:inline}";

pub fn router(world: &Arc<World>) -> Router {
    Router::new()
        .route("/", desk())
        .route("/pay/{key}", get(window).post(pay))
        .route("/shop", get(shelf).post(buy))
        .route("/shop/success", get(bought))
        .route("/shop/fail", get(not_bought))
        .with_state(Arc::clone(world))
}

pub(crate) fn page(title: &str, narrow: bool, body: &Markup) -> Html<String> {
    let markup = html! {
        (DOCTYPE)
        html lang="ko" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " · 샌드박스" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header { "샌드박스 — 실제 돈은 움직이지 않아요" a href="/_sandbox/" { "조종실" } a href="/_sandbox/shop" { "가게" } a href="/_sandbox/mini-app" { "미니앱" } }
                main.narrow[narrow] { (body) }
            }
        }
    };
    Html(markup.into_string())
}

fn money(payment: &Payment) -> String {
    amount(payment.total_amount, payment.currency())
}

fn amount(amount: Decimal, currency: &str) -> String {
    let text = amount.normalize().to_string();
    let (whole, fraction) = text.split_once('.').map_or((text.as_str(), None), |(w, f)| (w, Some(f)));
    let mut grouped = String::new();
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if let Some(fraction) = fraction {
        grouped = format!("{grouped}.{fraction}");
    }
    if currency == "KRW" { format!("{grouped}원") } else { format!("{currency} {grouped}") }
}

/// The payment window.
async fn window(State(world): Shared, Path(key): Path<String>) -> Response {
    let now = world.clock.now();
    let Ok(payment) = world.with_books(|books| books.look_up(&key, now)) else {
        return page("없는 결제", true, &html! { section { h1 { "없는 결제예요" } } }).into_response();
    };
    let body = match payment.status {
        PaymentStatus::Ready => methods(&payment),
        PaymentStatus::WaitingForDeposit => account(&payment),
        _ => html! { section { h1 { "이 결제창은 닫혔어요" } p.soft { "상태: " (payment.status) } } },
    };
    page("결제", true, &body).into_response()
}

fn methods(payment: &Payment) -> Markup {
    let foreign = payment.currency() != "KRW";
    let names: &[&str] = if foreign {
        &["해외간편결제"]
    } else {
        &[
            "카드",
            "가상계좌",
            "간편결제",
            "휴대폰",
            "계좌이체",
            "문화상품권",
            "도서문화상품권",
            "게임문화상품권",
        ]
    };
    html! {
        section {
            p.soft { (payment.order_name.as_deref().unwrap_or_default()) }
            p.big { (money(payment)) }
            form method="post" {
                label { "결제수단" select name="method" { @for name in names { option value=(name) { (name) } } } }
                label { "카드사" select name="issuer" {
                    @for (code, name) in institutions::CARDS.iter().take(21) { option value=(code) selected[*code == "41"] { (name) } } } }
                label { "은행 (가상계좌·계좌이체)" select name="bank" {
                    @for (code, name) in institutions::BANKS.iter().take(26) { option value=(code) selected[*code == "88"] { (name) } } } }
                label { "간편결제" input name="provider" value=(if foreign { "PAYPAL" } else { "토스페이" }); }
                label { "구매자 이름" input name="customer_name" value="홍길동"; }
                label { "승인 결과" select name="decline" {
                    option value="" { "승인" }
                    option value="REJECT_CARD_COMPANY" { "거절 — 카드사" }
                    option value="REJECT_ACCOUNT_PAYMENT" { "거절 — 잔액부족" }
                    option value="EXCEED_MAX_DAILY_PAYMENT_COUNT" { "거절 — 횟수 초과" } } }
                div.row { button name="act" value="pay" { (money(payment)) " 결제하기" } button.plain name="act" value="close" { "닫기" } }
            }
        }
    }
}

fn account(payment: &Payment) -> Markup {
    let account = payment.virtual_account.as_ref();
    let bank =
        account.and_then(|a| a.bank_code.as_deref()).and_then(institutions::bank_name).unwrap_or("은행");
    html! {
        section {
            h1 { "입금을 기다려요" }
            p.big { (money(payment)) }
            p { (bank) " " code { (account.and_then(|a| a.account_number.as_deref()).unwrap_or_default()) } }
            form method="post" { button name="act" value="deposit" { "입금하기" } }
        }
    }
}

#[derive(Deserialize)]
struct Pay {
    act: String,
    #[serde(default)]
    method: String,
    #[serde(default)]
    issuer: String,
    #[serde(default)]
    bank: String,
    #[serde(default)]
    provider: String,
    #[serde(default)]
    customer_name: String,
    #[serde(default)]
    decline: String,
}

fn encode(text: &str) -> String {
    text.bytes()
        .map(|b| {
            if b.is_ascii_alphanumeric() || b"-_.".contains(&b) {
                char::from(b).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect()
}

async fn pay(State(world): Shared, Path(key): Path<String>, Form(form): Form<Pay>) -> Response {
    let now = world.clock.now();
    if form.act == "deposit" {
        drop(world.with_books(|books| books.deposit(&key, now)));
        return Redirect::to(&format!("/_sandbox/pay/{key}")).into_response();
    }
    let Some(record) = world.with_books(|books| books.record(&key).cloned()) else {
        return Redirect::to("/_sandbox/").into_response();
    };
    if form.act == "close" {
        let to = record.fail_url.unwrap_or_else(|| "/_sandbox/".into());
        let order = encode(record.payment.order_id.as_str());
        let message = encode("사용자가 결제를 취소했습니다");
        return Redirect::to(&format!("{to}?code=PAY_PROCESS_CANCELED&message={message}&orderId={order}"))
            .into_response();
    }
    let by_card = matches!(form.method.as_str(), "카드" | "간편결제");
    let choice = Choice {
        method: Some(form.method),
        issuer_code: Some(form.issuer).filter(|_| by_card),
        bank_code: Some(form.bank),
        provider: Some(form.provider).filter(|p| !p.is_empty()),
        customer_name: Some(form.customer_name),
        decline: Some(form.decline).filter(|d| !d.is_empty()),
        ..Choice::default()
    };
    match world.with_books(|books| books.authenticate(&key, choice, now)) {
        Ok(record) => {
            let payment = &record.payment;
            let to = record.success_url.as_deref().unwrap_or("/_sandbox/");
            Redirect::to(&format!(
                "{to}?paymentType=NORMAL&orderId={}&paymentKey={key}&amount={}",
                encode(payment.order_id.as_str()),
                payment.total_amount
            ))
            .into_response()
        }
        Err(_) => Redirect::to(&format!("/_sandbox/pay/{key}")).into_response(),
    }
}

/// The shop's shelf.
async fn shelf(State(world): Shared) -> Html<String> {
    let open = world.options.shop.is_some();
    page(
        "가게",
        false,
        &html! {
            section {
                h1 { "연습용 가게" }
                @if !open { p.soft { "상점 API 주소가 없어서 쉬는 중이에요. --shop-api 로 알려 주세요." } }
                table {
                    @for (i, (name, price)) in PRODUCTS.iter().enumerate() {
                        tr {
                            td { (name) }
                            td.n { (amount(Decimal::from(*price), "KRW")) }
                            td { form.inline method="post" {
                                input type="hidden" name="product" value=(i);
                                button disabled[!open] aria-label=(format!("{name} 사기")) { "사기" } } }
                        }
                    }
                }
            }
        },
    )
}

#[derive(Deserialize)]
struct Buy {
    product: usize,
}

async fn buy(State(world): Shared, Form(form): Form<Buy>) -> Response {
    let (Some(config), Some((name, price))) = (&world.options.shop, PRODUCTS.get(form.product)) else {
        return Redirect::to("/_sandbox/shop").into_response();
    };
    let shop = Shop::new(world.http.clone(), config.clone());
    let order = NewOrder {
        order_id: format!("shop_{}", uuid::Uuid::new_v4().simple()).chars().take(20).collect(),
        amount: Decimal::from(*price),
        currency: "KRW",
        order_name: (*name).to_owned(),
        customer_name: "홍길동".into(),
        customer_mobile_phone: "01012345678".into(),
        customer_email: "hong@example.com".into(),
    };
    match shop.place(&order).await {
        Ok((201, _)) => {}
        Ok((status, said)) => return said_no(status, &said),
        Err(error) => return said_no(0, &serde_json::json!({ "message": error.without_url().to_string() })),
    }
    let back = |to: &str| Some(format!("{}/_sandbox/shop/{to}", config.own_url));
    let opening = crate::books::Opening {
        order_id: order.order_id,
        order_name: order.order_name,
        amount: order.amount,
        currency: None,
        tax_free_amount: None,
        tax_exemption_amount: None,
        success_url: back("success"),
        fail_url: back("fail"),
        use_escrow: false,
    };
    let now = world.clock.now();
    match world.with_books(|books| books.open(opening, now)) {
        Ok(record) => Redirect::to(&format!("/_sandbox/pay/{}", record.payment.payment_key)).into_response(),
        Err(refused) => refused.into_response(),
    }
}

fn said_no(status: u16, said: &serde_json::Value) -> Response {
    let message = said["message"].as_str().unwrap_or("상점 서버가 답하지 않았어요");
    page(
        "결제 실패",
        true,
        &html! { section { h1 { "결제하지 못했어요" } p { (message) } p.soft { "HTTP " (status) } } },
    )
    .into_response()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Success {
    order_id: String,
    payment_key: String,
    amount: Decimal,
}

/// The merchant's success page: its server confirms here.
async fn bought(State(world): Shared, Query(q): Query<Success>) -> Response {
    let Some(config) = &world.options.shop else { return Redirect::to("/_sandbox/shop").into_response() };
    let shop = Shop::new(world.http.clone(), config.clone());
    match shop.confirm(&q.order_id, &q.payment_key, q.amount).await {
        Ok((200, order)) => page("결제 완료", true, &html! {
            section {
                h1 { @if order["status"] == "WAITING_FOR_DEPOSIT" { "입금을 기다려요" } @else { "결제가 끝났어요" } }
                p { "주문번호 " code id="order-id" { (q.order_id) } }
                p.soft { "paymentKey " code { (q.payment_key) } }
                p { a href=(format!("/_sandbox/pay/{}", q.payment_key)) { "결제창 다시 보기" } " · " a href="/_sandbox/shop" { "더 사기" } }
            }
        })
        .into_response(),
        Ok((status, said)) => said_no(status, &said),
        Err(error) => said_no(0, &serde_json::json!({ "message": error.without_url().to_string() })),
    }
}

async fn not_bought(Query(q): Query<std::collections::HashMap<String, String>>) -> Html<String> {
    page(
        "결제 취소",
        true,
        &html! {
            section {
                h1 { "결제하지 않았어요" }
                p { (q.get("message").map(String::as_str).unwrap_or_default()) }
                p.soft { (q.get("code").map(String::as_str).unwrap_or_default()) }
            }
        },
    )
}

/// The control desk.
/// The control desk, with and without a slash at the end.
pub fn desk() -> MethodRouter<Arc<World>> {
    get(desk_page).post(act)
}

async fn desk_page(State(world): Shared) -> Html<String> {
    let now = world.clock.now();
    let payments: Vec<Payment> = world.with_books(|books| {
        books.expire_due(now);
        let mut all: Vec<_> = books.payments().map(|r| r.payment.clone()).collect();
        all.sort_by_key(|p| std::cmp::Reverse(p.requested_at));
        all.truncate(25);
        all
    });
    let deliveries: Vec<_> = world.outbox().deliveries.values().rev().take(25).cloned().collect();
    let faults = world.faults().list();
    page(
        "조종실",
        false,
        &html! {
            section {
                h1 { "시계" }
                p.big { (toss::timestamp::format(now)) }
                form.row method="post" {
                    button name="act" value="hour" { "한 시간 뒤로" }
                    button name="act" value="day" { "하루 뒤로" }
                    button.plain name="act" value="real" { "실제 시각으로" }
                    button.plain name="act" value="close-day" { "오늘 정산 마감" }
                }
            }
            section {
                h1 { "고장 내기" }
                @for switch in &faults { p { code { (serde_json::to_string(switch).unwrap_or_default()) } } }
                form.row method="post" {
                    label { "어디서" select name="on" { @for on in ["cancel", "confirm", "payment", "order", "transactions", "webhook"] { option { (on) } } } }
                    label { "무엇을" select name="kind" {
                        option value="lose_after" { "처리한 뒤 응답 잃기" } option value="lose_before" { "처리 전에 끊기" }
                        option value="garbage" { "읽을 수 없는 응답" } option value="delay" { "5초 지연" }
                        option value="duplicate" { "웹훅 두 번" } option value="drop" { "웹훅 안 보내기" } option value="hold" { "웹훅 10분 늦추기" }
                        @for code in ["IDEMPOTENT_REQUEST_PROCESSING", "PROVIDER_ERROR", "FAILED_INTERNAL_SYSTEM_PROCESSING", "TOO_MANY_REQUESTS"] {
                            option value=(code) { (code) } } } }
                    button name="act" value="fault" { "한 번 고장 내기" }
                    button.plain name="act" value="mend" { "모두 고치기" }
                }
            }
            section {
                h1 { "결제" }
                table {
                    @for payment in &payments {
                        tr {
                            td { code { (payment.order_id) } br; a href=(format!("/_sandbox/pay/{}", payment.payment_key)) { code { (payment.payment_key) } } }
                            td { (payment.method.as_ref().map_or("–", |m| m.as_str())) }
                            td.n { (money(payment)) }
                            td { (payment.status) }
                        }
                    }
                }
            }
            section {
                h1 { "웹훅" }
                table {
                    @for delivery in &deliveries {
                        tr {
                            td { (delivery.event_type) br; code { (delivery.id) } }
                            td { (serde_json::to_value(delivery.state).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default())
                                 " · " (delivery.attempts.len()) "회" }
                            td { form.inline method="post" { input type="hidden" name="id" value=(delivery.id); button.plain name="act" value="resend" { "다시 시도" } } }
                        }
                    }
                }
            }
        },
    )
}

#[derive(Deserialize)]
struct Act {
    act: String,
    #[serde(default)]
    id: String,
    #[serde(default)]
    on: String,
    #[serde(default)]
    kind: String,
}

async fn act(State(world): Shared, Form(form): Form<Act>) -> Redirect {
    match form.act.as_str() {
        "hour" => world.clock.advance(Duration::hours(1)),
        "day" => world.clock.advance(Duration::days(1)),
        "real" => world.clock.set_offset(Duration::ZERO),
        "close-day" => {
            let day = world.clock.now().date();
            world.with_books(|books| books.close_day(day));
        }
        "resend" => drop(world.resend(&form.id)),
        "mend" => world.faults().clear(),
        "fault" => {
            let fault = match form.kind.as_str() {
                "lose_after" => Fault::LoseAfter,
                "lose_before" => Fault::LoseBefore,
                "garbage" => Fault::Garbage,
                "delay" => Fault::Delay { ms: 5000 },
                "duplicate" => Fault::Duplicate { copies: 2 },
                "drop" => Fault::Drop,
                "hold" => Fault::Hold { seconds: 600 },
                code => Fault::Error { code: code.to_owned() },
            };
            world.faults().add(Switch { on: form.on, fault, times: 1, after: 0, about: None });
        }
        _ => {}
    }
    world.expire();
    world.wake.notify_one();
    Redirect::to("/_sandbox/")
}
