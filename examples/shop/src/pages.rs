//! What buyers see. maud escapes whatever is put into a page.

use axum::response::Html;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::orders::{Order, PRODUCTS, State};

const STYLE: &str = "
:root{color-scheme:light dark}
body{margin:0;font:16px/1.6 Pretendard,'Apple SD Gothic Neo','Noto Sans KR','Noto Sans CJK KR',sans-serif}
main{max-width:30rem;margin:12vh auto;padding:0 1.25rem}h1{font-size:1.5rem}ul{padding:0}
li{display:flex;gap:1rem;align-items:center;padding:.6rem 0;border-bottom:1px solid #8884}li b{flex:1;font-weight:500}
button{font:inherit;padding:.4rem 1rem;border:0;border-radius:.5rem;background:#274690;color:#fff;cursor:pointer}
code{overflow-wrap:anywhere}";

/// Toss's own window, as its SDK of version 2 opens it: https://docs.tosspayments.com/sdk/v2/js
/// A buyer who closes it, and whatever else goes wrong, goes the way of every failure.
const OPEN_WINDOW: &str = r#"
const button = document.getElementById("pay");
const { clientKey, orderId, orderName, amount, successUrl, failUrl } = button.dataset;
const payment = TossPayments(clientKey).payment({ customerKey: TossPayments.ANONYMOUS });
button.addEventListener("click", () => {
  payment
    .requestPayment({
      method: "CARD",
      amount: { currency: "KRW", value: Number(amount) },
      orderId, orderName, successUrl, failUrl,
    })
    .catch(({ code, message }) => {
      location.href = failUrl + "?" + new URLSearchParams({ code, message, orderId });
    });
});
"#;

fn page(title: &str, body: &Markup) -> Html<String> {
    let markup = html! {
        (DOCTYPE)
        html lang="ko" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " · 부엌 가게" }
                style { (PreEscaped(STYLE)) }
            }
            body { main { h1 { (title) } (body) } }
        }
    };
    Html(markup.into_string())
}

pub fn shelf() -> Html<String> {
    let body = html! {
        ul {
            @for (index, product) in PRODUCTS.iter().enumerate() {
                li {
                    b { (product.name) }
                    span { (won(product.price)) }
                    form method="post" action="/buy" {
                        input type="hidden" name="product" value=(index);
                        button aria-label=(format!("{} 사기", product.name)) { "사기" }
                    }
                }
            }
        }
    };
    page("무엇을 살까요?", &body)
}

/// The button is pressed once more: browsers open windows for a click only.
pub fn checkout(client_key: &str, order: &Order, success_url: &str, fail_url: &str) -> Html<String> {
    let price = order.product.price;
    let body = html! {
        p { (order.product.name) }
        button id="pay" data-client-key=(client_key) data-order-id=(order.id) data-order-name=(order.product.name)
            data-amount=(price) data-success-url=(success_url) data-fail-url=(fail_url) { (won(price)) " 결제하기" }
        script src="https://js.tosspayments.com/v2/standard" {}
        script { (PreEscaped(OPEN_WINDOW)) }
    };
    page("결제하기", &body)
}

pub fn order(order: &Order) -> Html<String> {
    let title = match order.state {
        State::Placed => "결제를 기다려요",
        State::WaitingForDeposit => "입금을 기다려요",
        State::Paid => "결제가 끝났어요",
        State::Failed => "결제하지 못했어요",
        State::Expired => "결제 시간이 지났어요",
        State::PartlyRefunded => "일부를 환불했어요",
        State::Canceled => "주문이 취소됐어요",
    };
    let price = won(order.product.price);
    let body = html! {
        p { (order.product.name) " · " (price) }
        @match (order.state, &order.account) {
            (State::WaitingForDeposit, Some(account)) => {
                p { (account.bank_name) " " code { (account.account_number) } " 계좌로 " (price) "을 입금해 주세요." }
            }
            (State::PartlyRefunded, _) => { p { "남은 결제 금액은 " (won(order.left)) "이에요." } }
            (State::Canceled, _) => { p { "결제하신 금액은 모두 돌려 드려요." } }
            _ => {}
        }
        @if order.is_shipped { p { "상품을 보냈어요." } }
        p { "주문번호 " code id="order-id" { (order.id) } }
        p { a href="/" { "더 둘러보기" } }
    };
    page(title, &body)
}

/// Something that a buyer has to know, and the order that it is about.
pub fn notice(title: &str, words: &str, order: Option<&Order>) -> Html<String> {
    let body = html! {
        p { (words) }
        @if let Some(order) = order { p { a href=(format!("/orders/{}", order.id)) { "주문 보기" } } }
        p { a href="/" { "가게로 돌아가기" } }
    };
    page(title, &body)
}

fn won(amount: i64) -> String {
    let digits = amount.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text + "원"
}
