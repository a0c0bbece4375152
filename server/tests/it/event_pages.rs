//! The pages of what the merchant's own systems are told, as a browser without JavaScript sees them.

use backoffice::{
    Actor,
    events::{self, Change, Filter},
    staff::Role,
};

use crate::support::Shop;

const ENDPOINTS: &str = "/events/endpoints";

fn location(response: &reqwest::Response) -> String {
    response.headers()["location"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_endpoint_is_added_by_a_form_that_keeps_what_was_typed_and_its_secret_is_shown_once() {
    let shop = Shop::open().await;
    let admin = shop.log_in(Role::Admin).await;
    let cookie = Some(admin.cookie.as_str());
    for (name, url, kind, sentence) in [
        (" ", "https://shop.example/hook", "order.paid", "이름은 1~60자로 입력하세요"),
        ("주문 서버", "shop.example", "order.paid", "https://로 시작하는 주소를 입력하세요"),
        ("주문 서버", "http://10.0.0.1/hook", "order.paid", "내부 네트워크 주소로는 보내지 않아요"),
        ("주문 서버", "https://user:pw@shop.example/", "order.paid", "아이디나 비밀번호를 넣을 수 없어요"),
        ("주문 서버", "https://shop.example/hook", "order.paint", "고를 수 없는 이벤트가 들어 있어요"),
        ("주문 서버", "https://shop.example/hook", "endpoint.test", "고를 수 없는 이벤트가 들어 있어요"),
    ] {
        let fields = [("name", name), ("url", url), ("kinds[]", kind), ("kinds[]", "refund.failed")];
        let response = shop.form("add_endpoint", cookie, &fields).await;
        assert_eq!(location(&response), format!("{ENDPOINTS}#new"));
        let (_, html) = shop.page(ENDPOINTS, cookie).await;
        assert!(html.contains(sentence), "{url} {kind}");
        assert!(html.contains(&format!("value=\"{url}\"")), "{url} was typed");
        assert!(html.contains("value=\"refund.failed\" checked"), "{url}: what was ticked");
    }
    assert!(events::endpoints(shop.backoffice()).await.unwrap().is_empty());

    let url = "https://shop.example/hook?key=of-the-shop";
    let fields =
        [("name", "주문 서버"), ("url", url), ("kinds[]", "order.paid"), ("kinds[]", "refund.failed")];
    let page = location(&shop.form("add_endpoint", cookie, &fields).await);
    let (_, first) = shop.page(&page, cookie).await;
    let secret = first.split("whsec_").nth(1).and_then(|rest| rest.split('<').next()).unwrap().to_owned();
    assert!(first.contains("다시 보여주지 않아요"));
    let (_, second) = shop.page(&page, cookie).await;
    assert!(!second.contains("whsec_") && second.contains("of-the-shop"));

    // Whoever may not change it does not read what may be a password.
    let viewer = shop.log_in(Role::Viewer).await;
    for path in [&page, ENDPOINTS] {
        let (status, html) = shop.page(path, Some(&viewer.cookie)).await;
        assert!(status == 200 && html.contains("주문 서버") && html.contains("?•••"), "{path}");
        assert!(!html.contains("of-the-shop") && !html.contains("/fn/add_endpoint"), "{path}");
    }
    let (_, log) = shop.page("/audit?action=event_endpoint.added", cookie).await;
    assert!(
        log.contains("이벤트 엔드포인트 추가") && log.contains("결제 완료, 환불 실패") && log.contains(&page)
    );
    assert!(!log.contains(&secret));
}

#[tokio::test]
async fn what_is_told_again_is_looked_at_before() {
    let shop = Shop::open().await;
    let admin = shop.log_in(Role::Admin).await;
    let cookie = Some(admin.cookie.as_str());
    for n in 0..3 {
        shop.paid(&format!("ord_again_{n}"), 10_000).await;
    }
    let new = Change { name: "창고".into(), url: "https://shop.example/".into(), kinds: Vec::new() };
    let (id, _) = events::add(shop.backoffice(), &Actor::CommandLine, &new).await.unwrap();
    let page = format!("{ENDPOINTS}/{id}");
    for (query, sentence) in [
        ("?from=", "언제부터인지 입력하세요"),
        ("?from=yesterday", "2026-11-21T14:30처럼 입력하세요"),
        ("?from=2020-01-02&to=2020-01-01", "시작보다 뒤여야 해요"),
        ("?from=2020-01-01&kind=order.paint", "고를 수 없는 이벤트가 들어 있어요"),
        ("?from=2020-01-01&to=2020-01-01", "다시 보낼 이벤트가 없어요."),
        ("?from=2020-01-01&kind=order.paid&missed=1", "이벤트 3건을 다시 보내요"),
    ] {
        let (status, html) = shop.page(&format!("{page}{query}"), cookie).await;
        assert!(status == 200 && html.contains(sentence), "{query}: {sentence}");
    }
    let waiting = async || events::endpoint(shop.backoffice(), id).await.unwrap().unwrap().waiting;
    assert_eq!(waiting().await, 0, "looking sends nothing");
    let id_text = id.to_string();
    let fields = [("id", id_text.as_str()), ("from", "2020-01-01"), ("to", ""), ("kinds[]", "order.paid")];
    let response = shop.form("resend_events", cookie, &fields).await;
    assert_eq!(location(&response), page);
    let (_, html) = shop.page(&page, cookie).await;
    assert!(html.contains("이벤트 3건을 다시 보내요."), "{html}");

    // A disabled one is told nothing.
    shop.form("disable_endpoint", cookie, &[("id", &id_text)]).await;
    shop.form("resend_events", cookie, &fields).await;
    let (_, html) = shop.page(&page, cookie).await;
    assert!(html.contains("그런 엔드포인트가 없거나 꺼져 있어요"), "{html}");
}

#[tokio::test]
async fn an_endpoint_that_is_paused_is_seen_on_every_page_and_a_list_finds_what_was_told_of_an_order() {
    let shop = Shop::open().await;
    let admin = shop.log_in(Role::Admin).await;
    let cookie = Some(admin.cookie.as_str());
    shop.paid("ord_told", 10_000).await;
    shop.paid("ord_other", 10_000).await;
    let (_, list) = shop.page("/events?order=ord_told&kind=order.paid", cookie).await;
    assert!(list.contains("/orders/ord_told") && !list.contains("/orders/ord_other"));
    let (_, order) = shop.page("/orders/ord_told", cookie).await;
    assert!(order.contains("/events?order=ord_told"));
    let (status, list) = shop.page("/events?kind=x&endpoint=x&state=x", cookie).await;
    assert!(status == 200 && list.matches("고를 수 없는 값이라 조건에서 뺐어요").count() == 3);

    let new = Change { name: "창고".into(), url: "https://shop.example/".into(), kinds: Vec::new() };
    let (id, _) = events::add(shop.backoffice(), &Actor::CommandLine, &new).await.unwrap();
    sqlx::query("update event_endpoints set state = 'paused', paused_because = 'gone' where id = $1")
        .bind(id)
        .execute(&shop.backoffice().pool)
        .await
        .unwrap();
    let (_, home) = shop.page("/", cookie).await;
    assert!(home.contains("일시 중지된 이벤트 엔드포인트 1곳"));
    let agent = shop.log_in(Role::Support).await;
    let (_, home) = shop.page("/", Some(&agent.cookie)).await;
    assert!(!home.contains("일시 중지된 이벤트 엔드포인트"));
    let (_, page) = shop.page(&format!("{ENDPOINTS}/{id}"), cookie).await;
    assert!(page.contains("더는 없는 주소라고 응답해서(410) 멈췄어요."));
    let filter = Filter { endpoint: Some(id), ..Filter::default() };
    assert!(events::list(shop.backoffice(), &filter, None, 9).await.unwrap().rows.is_empty());
}
