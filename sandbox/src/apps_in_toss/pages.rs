//! The Toss app and Toss's console for one mini-app, as a page: users, the Toss Pay window, in-app purchases, promotions
//! and messages.

use std::sync::Arc;

use axum::{
    Form, Router,
    extract::{Path, State},
    response::{Html, IntoResponse, Redirect, Response},
    routing::get,
};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::json;

use super::{
    iap::Order,
    login::User,
    pay::{Choice, Payment},
};
use crate::{World, ids, pages::page, shop::Shop};

type Shared = State<Arc<World>>;
const HERE: &str = "/_sandbox/mini-app";

pub fn router(world: &Arc<World>) -> Router {
    Router::new()
        .route("/mini-app", get(desk).post(act))
        .route("/mini-app/pay/{payToken}", get(window).post(pay))
        .with_state(Arc::clone(world))
}

fn hidden(name: &str, value: &str) -> Markup {
    html! { input type="hidden" name=(name) value=(value); }
}

/// One button that does one thing to one thing.
fn button(act: &str, id: &str, to: &str, word: &str) -> Markup {
    html! {
        form.inline method="post" action=(HERE) {
            (hidden("id", id)) (hidden("to", to))
            button.plain name="act" value=(act) aria-label=(format!("{word}: {id}")) { (word) }
        }
        " "
    }
}

fn orders(orders: &[Order]) -> Markup {
    html! {
        table {
            tr { th { "orderId" } th { "userKey" } th { "기기" } th { "상태" } th { "콘솔의 목록" } th { "스토어가" } }
            @for order in orders {
                tr {
                    td { code { (order.order_id) } } td { (order.user_key) } td { (order.platform) } td { (order.status) }
                    td { (order.tab.as_deref().unwrap_or("결제 내역")) }
                    td {
                        @if order.status != "REFUNDED" { (button("move-order", &order.order_id, "REFUNDED", "환불하기")) }
                        @if order.platform == "ANDROID" && order.status != "REFUNDED" {
                            (button("file-order", &order.order_id, "환불 요청", "사용자가 환불 요청"))
                            (button("file-order", &order.order_id, "환불 반려", "반려하기"))
                        }
                    }
                }
            }
        }
    }
}

fn payments(payments: &[Payment]) -> Markup {
    html! {
        table {
            tr { th { "orderNo" } th { "금액" } th { "상태" } th { "" } }
            @for payment in payments {
                tr {
                    td { code { (payment.order_no) } } td.n { (payment.amount) } td { (payment.pay_status) }
                    td {
                        @match payment.pay_status.as_str() {
                            "PAY_STANDBY" => { a href=(format!("{HERE}/pay/{}", payment.pay_token)) { "결제창" } },
                            "PAY_PROGRESS" => (button("move-payment", &payment.pay_token, "PAY_COMPLETE", "결제 끝내기")),
                            "PAY_COMPLETE" => {
                                (button("move-payment", &payment.pay_token, "REFUND_SUCCESS", "콘솔에서 환불"))
                                (button("move-payment", &payment.pay_token, "SETTLEMENT_COMPLETE", "정산 끝내기"))
                            },
                            "REFUND_PROGRESS" => (button("move-payment", &payment.pay_token, "REFUND_SUCCESS", "환불 끝내기")),
                            _ => {},
                        }
                    }
                }
            }
        }
    }
}

async fn desk(State(world): Shared) -> Html<String> {
    let (users, paid, bought, promotions, messages) = world.with_mini_app(|app| {
        let mut paid: Vec<Payment> = app.payments.values().cloned().collect();
        paid.sort_by_key(|p| std::cmp::Reverse(p.created_at));
        paid.truncate(25);
        let mut bought: Vec<Order> = app.orders.values().cloned().collect();
        bought.sort_by_key(|o| std::cmp::Reverse(o.determined_at));
        bought.truncate(25);
        let users: Vec<User> = app.users.values().rev().take(25).cloned().collect();
        let promotions: Vec<_> = app.promotions.values().cloned().collect();
        let messages: Vec<_> = app.messages.iter().rev().take(15).cloned().collect();
        (users, paid, bought, promotions, messages)
    });
    page(
        "미니앱",
        false,
        &html! {
            section {
                h1 { "사용자" }
                form.row method="post" action=(HERE) { button name="act" value="user" { "새 사용자가 로그인" } }
                table {
                    tr { th { "userKey" } th { "이름" } th { "연결" } th { "" } }
                    @for user in &users {
                        @let key = user.user_key.to_string();
                        tr {
                            td { code { (key) } } td { (user.name) } td { @if user.linked { "연결됨" } @else { "끊김" } }
                            td {
                                (button("pay", &key, "", "토스페이로 사기"))
                                (button("buy", &key, "ANDROID", "인앱결제 (Android)"))
                                (button("buy", &key, "IOS", "인앱결제 (iOS)"))
                                @if user.linked { (button("unlink", &key, "UNLINK", "연결 끊기")) }
                                @else { (button("log-in", &key, "", "다시 로그인")) }
                            }
                        }
                    }
                }
            }
            section { h1 { "토스페이" } (payments(&paid)) }
            section { h1 { "인앱결제" } (orders(&bought)) }
            section {
                h1 { "프로모션" }
                form.row method="post" action=(HERE) {
                    label { "코드" input name="id" required; } label { "예산" input name="to" value="1000000"; }
                    button name="act" value="promotion" { "콘솔에서 만들기" }
                }
                table {
                    tr { th { "코드" } th { "예산" } th { "지급" } th { "상태" } }
                    @for promotion in &promotions {
                        tr { td { code { (promotion.promotion_code) } } td.n { (promotion.budget) } td.n { (promotion.paid_out) } td { (promotion.status) } }
                    }
                }
            }
            section {
                h1 { "메시지" }
                table {
                    tr { th { "userKey" } th { "템플릿" } th { "내용" } th { "" } }
                    @for message in &messages {
                        tr {
                            td { (message.user_key) } td { (message.template_set_code) } td { code { (message.context.to_string()) } }
                            td { @if message.push { "푸시" } @else { "알림함" } }
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
    to: String,
}

fn failed(what: &str, said: &str) -> Response {
    page(
        "미니앱",
        true,
        &html! { section { h1 { (what) } p.soft { (said) } a href=(HERE) { "미니앱으로" } } },
    )
    .into_response()
}

async fn log_in(world: &World, shop: &Shop, user_key: i64) -> Result<(), String> {
    let now = world.clock.now();
    let code = world.with_mini_app(|app| app.authorize(user_key, now)).ok_or("탈퇴한 사용자예요")?;
    let code = json!({ "authorizationCode": code, "referrer": "sandbox" });
    match shop.log_in(&code).await {
        Ok((200, _)) => Ok(()),
        Ok((status, said)) => Err(format!("{status} {said}")),
        Err(error) => Err(error.to_string()),
    }
}

async fn act(State(world): Shared, Form(form): Form<Act>) -> Response {
    let now = world.clock.now();
    let key: i64 = form.id.parse().unwrap_or_default();
    let shop = world.options.shop.clone().map(|config| Shop::new(world.http.clone(), config));
    let Some(shop) = shop else { return failed("가게가 없어요", "--shop-api로 연결하세요") };
    match form.act.as_str() {
        "user" | "log-in" => {
            let key = match form.act.as_str() {
                "user" => world.with_mini_app(|app| app.add_user(User::default())).user_key,
                _ => key,
            };
            if let Err(said) = log_in(&world, &shop, key).await {
                return failed("로그인하지 못했어요", &said);
            }
        }
        "pay" => {
            let order_no = format!("mini-{}", ids::digits(10));
            return match shop.begin_toss_pay(&order_no, key, "토끼 인형", 12_000).await {
                Ok((200, said)) => {
                    let token = said["payToken"].as_str().unwrap_or_default();
                    Redirect::to(&format!("{HERE}/pay/{token}")).into_response()
                }
                Ok((status, said)) => failed("결제를 시작하지 못했어요", &format!("{status} {said}")),
                Err(error) => failed("결제를 시작하지 못했어요", &error.to_string()),
            };
        }
        "buy" => {
            let order = Order { user_key: key, platform: form.to.clone(), ..Order::default() };
            let order = world.with_mini_app(|app| app.add_order(order, now));
            match shop.tell_purchase(&json!(order)).await {
                Ok((200, _)) => {}
                Ok((status, said)) => return failed("가게가 받지 않았어요", &format!("{status} {said}")),
                Err(error) => return failed("가게가 받지 않았어요", &error.to_string()),
            }
        }
        "unlink" => {
            world.with_mini_app(|app| app.unlink(key, &form.to));
            world.tell_unlinked(key, &form.to, false).await;
        }
        "move-payment" => drop(world.with_mini_app(|app| app.move_payment(&form.id, &form.to, now))),
        "move-order" => drop(world.with_mini_app(|app| app.move_order(&form.id, &form.to, now))),
        "file-order" => drop(world.with_mini_app(|app| app.file_order(&form.id, &form.to))),
        "promotion" => {
            let budget = form.to.parse().unwrap_or(1_000_000);
            let promotion = super::promotion::Promotion {
                promotion_code: form.id.clone(),
                budget,
                pending_looks: 1,
                ..Default::default()
            };
            world.with_mini_app(|app| app.set_promotion(promotion));
        }
        _ => {}
    }
    Redirect::to(HERE).into_response()
}

async fn window(State(world): Shared, Path(token): Path<String>) -> Html<String> {
    let payment = world.with_mini_app(|app| app.payment(&token).cloned());
    let body = match payment {
        Some(payment) if payment.pay_status == "PAY_STANDBY" => html! {
            section {
                p.soft { (payment.product_desc) }
                p.big { (payment.amount) "원" }
                form method="post" {
                    label { "결제수단" select name="method" { option value="TOSS_MONEY" { "토스머니" } option value="CARD" { "카드" } } }
                    label { "환불할 때" select name="refund" { option value="" { "바로 환불" } option value="slow" { "시간이 걸림" } } }
                    button name="act" value="pay" { "인증하고 결제하기" }
                }
            }
        },
        _ => html! { section { h1 { "이 결제창은 닫혔어요" } a href=(HERE) { "미니앱으로" } } },
    };
    page("토스페이", true, &body)
}

#[derive(Deserialize)]
struct Pay {
    method: String,
    #[serde(default)]
    refund: String,
}

/// The user authenticates, and the merchant's server executes.
async fn pay(State(world): Shared, Path(token): Path<String>, Form(form): Form<Pay>) -> Response {
    let choice =
        Choice { pay_method: Some(form.method), slow_refund: form.refund == "slow", ..Choice::default() };
    let Some(payment) = world.with_mini_app(|app| app.authenticate(&token, choice)) else {
        return failed("이 결제창은 닫혔어요", "");
    };
    let shop = world.options.shop.clone().map(|config| Shop::new(world.http.clone(), config));
    let Some(shop) = shop else { return failed("가게가 없어요", "--shop-api로 연결하세요") };
    match shop.execute_toss_pay(&payment.order_no, &token).await {
        Ok((200, _)) => page(
            "결제 완료",
            true,
            &html! { section { h1 { "결제했어요" } p { "주문번호 " code id="order-id" { (payment.order_no) } } a href=(HERE) { "미니앱으로" } } },
        )
        .into_response(),
        Ok((status, said)) => failed("결제하지 못했어요", &format!("{status} {said}")),
        Err(error) => failed("결제하지 못했어요", &error.to_string()),
    }
}
