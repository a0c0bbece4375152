//! Forms: an answer is said where it belongs, what was typed comes back as text, and no input makes a page fall over.

use std::collections::BTreeMap;

use app::access::{FUNCTIONS, PAGES};
use backoffice::{Actor, events::Change, messages::NewTemplate, promotions::NewCampaign, staff::Role};
use scraper::{ElementRef, Html, Selector};
use serde_json::json;

use crate::support::Shop;

#[tokio::test]
async fn an_answer_is_said_on_the_page_of_its_own_order() {
    const TABS: i64 = 24;
    let shop = Shop::open().await;
    let agent = shop.log_in(Role::Support).await;
    for tab in 0..TABS {
        shop.paid(&format!("ord_tab_{tab}"), 10_000).await;
    }
    // One person works in many tabs at once: half of them refund, half of them mistype.
    let (shop, agent) = (&shop, &agent);
    let tabs = (0..TABS).map(async |tab: i64| {
        let order = format!("ord_tab_{tab}");
        let amount = if tab % 2 == 0 { (1_000 + tab).to_string() } else { (90_000 + tab).to_string() };
        let intent = backoffice::refunds::new_intent();
        let fields = [
            ("order_id", order.as_str()),
            ("intent", &intent),
            ("amount", &amount),
            ("reason_code", "defect"),
        ];
        let response = shop.form("refund", Some(&agent.cookie), &fields).await;
        assert_eq!(response.status(), 302);
        let (_, html) = shop.page(&format!("/orders/{order}"), Some(&agent.cookie)).await;
        (tab, html)
    });
    let pages = futures::future::join_all(tabs).await;
    for (tab, html) in pages {
        let said = |n: i64| html.contains(&format!("1,{:03}원 환불을 마쳤어요", n));
        let typed = |n: i64| html.contains(&format!("value=\"{}\"", 90_000 + n));
        if tab % 2 == 0 {
            assert!(said(tab), "ord_tab_{tab} was refunded and does not say so: {html}");
        } else {
            assert!(typed(tab), "what was typed for ord_tab_{tab} is lost");
        }
        for other in (0..TABS).filter(|other| *other != tab) {
            assert!(!said(other) && !typed(other), "ord_tab_{tab} says what belongs to ord_tab_{other}");
        }
    }
}

/// Text that would leave whatever it is put into, if it were taken for markup.
const HOSTILE: &str = "</textarea></title></script>\"'><x-hostile onload=\"1\" data-hostile='1'>&lt;b&gt;";

fn hostile_elements(html: &str) -> usize {
    let page = Html::parse_document(html);
    let any = Selector::parse("x-hostile, [data-hostile], [onload]").unwrap();
    page.select(&any).count()
}

#[derive(Debug)]
struct Form {
    function: String,
    is_upload: bool,
    fields: Vec<(String, String)>,
}

fn forms(html: &str) -> Vec<Form> {
    let page = Html::parse_document(html);
    let (form, field) = (Selector::parse("form[action]").unwrap(), Selector::parse("[name]").unwrap());
    let value = |element: &ElementRef<'_>| {
        element.value().attr("value").map_or_else(|| element.text().collect::<String>(), str::to_owned)
    };
    page.select(&form)
        .filter_map(|form| {
            let function = form.value().attr("action")?.strip_prefix("/fn/")?.to_owned();
            let is_upload = form.value().attr("enctype").is_some();
            let mut fields: Vec<(String, String)> = Vec::new();
            for element in form.select(&field) {
                let name = element.value().attr("name").unwrap_or_default();
                // Of several buttons a browser sends the one that was pressed.
                if fields.iter().all(|(known, _)| known != name) {
                    fields.push((name.to_owned(), value(&element)));
                }
            }
            Some(Form { function, is_upload, fields })
        })
        .collect()
}

/// Every page an administrator can open, with something on it.
async fn pages(shop: &Shop) -> Vec<String> {
    let key = shop.paid("ord_hostile", 50_000).await;
    shop.paid("ord_batch", 10_000).await;
    let user = shop.user().await;
    let code = shop.control(&format!("apps-in-toss/users/{user}/authorize"), &json!({})).await;
    let login = json!({ "authorizationCode": code["authorizationCode"], "referrer": "sandbox" });
    assert_eq!(shop.api("login", &login).await.0, 200);
    let text = str::to_owned;
    let template = NewTemplate {
        code: text("refund_done"),
        name: text("환불"),
        fields: text("amount"),
        follows: text(""),
    };
    backoffice::messages::templates::add(shop.backoffice(), &Actor::CommandLine, &template).await.unwrap();
    let campaign = NewCampaign {
        promotion_code: text("HOSTILE"),
        name: text("모두에게"),
        amount: text("100"),
        user_cap: text("1000"),
        budget: text("100000"),
        starts_on: text("2020-01-01"),
        ends_on: text("2090-01-01"),
        approval_above: text(""),
    };
    backoffice::promotions::campaigns::add(shop.backoffice(), &Actor::CommandLine, &campaign)
        .await
        .unwrap()
        .unwrap();
    shop.quiet().await;
    let delivery = shop.deliveries(&backoffice::webhooks::Filter::default()).await.remove(0).id;
    shop.refund_behind_our_back(&key, 1_000);
    let params = BTreeMap::from([
        ("{order_id}", "ord_hostile".to_owned()),
        ("{day}", backoffice::clock::Clock::default().today().to_string()),
        ("{user_key}", user.to_string()),
        ("{seq}", "1".to_owned()),
        ("{promotion_code}", "HOSTILE".to_owned()),
        ("{key}", "nothing".to_owned()),
    ]);
    let mut pages: Vec<String> = PAGES
        .iter()
        .filter(|(path, _)| *path != "/login" && !path.contains("{id}"))
        .map(|(path, _)| {
            params.iter().fold((*path).to_owned(), |path, (name, value)| path.replace(name, value))
        })
        .collect();
    pages.push(format!("/webhooks/{delivery}"));
    let endpoint =
        Change { name: text("주문 서버"), url: text("https://shop.example/hook"), kinds: Vec::new() };
    let (endpoint, _) =
        backoffice::events::add(shop.backoffice(), &Actor::CommandLine, &endpoint).await.unwrap();
    pages.push(format!("/events/endpoints/{endpoint}"));
    pages.push(format!("/events/endpoints/{endpoint}?from=2020-01-01"));
    let events = backoffice::events::list(shop.backoffice(), &Default::default(), None, 1).await.unwrap();
    pages.push(format!("/events/{}", events.rows[0].event.id));
    pages
}

#[tokio::test]
async fn markup_that_is_typed_into_any_field_of_any_form_comes_back_as_text() {
    let shop = Shop::open().await;
    let admin = shop.log_in(Role::Admin).await;
    let pages = pages(&shop).await;
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for path in &pages {
        let (status, html) = shop.page(path, Some(&admin.cookie)).await;
        // Nobody is in the second step of a log-in, or has left something unsent.
        assert!([200, 302, 404].contains(&status), "{path}: {status}");
        for form in forms(&html) {
            let tried = seen.entry(form.function.clone()).or_default();
            *tried += 1;
            // The same form for the next row tells nothing new; a log-out ends the test.
            if *tried > 2 || form.function == "log_out" {
                continue;
            }
            let names: Vec<String> = form.fields.iter().map(|(name, _)| name.clone()).collect();
            for hostile in names.iter().map(String::as_str).chain(["*"]) {
                let fields: Vec<(&str, &str)> = form
                    .fields
                    .iter()
                    .map(|(name, value)| {
                        let spoil = hostile == "*" || name == hostile;
                        (name.as_str(), if spoil { HOSTILE } else { value.as_str() })
                    })
                    .collect();
                let response = if form.is_upload {
                    shop.multipart(
                        &form.function,
                        &admin.cookie,
                        &fields,
                        "<x-hostile>.csv",
                        HOSTILE.as_bytes(),
                    )
                    .await
                } else {
                    shop.form(&form.function, Some(&admin.cookie), &fields).await
                };
                let status = response.status().as_u16();
                assert!(status < 500, "{} with a hostile {hostile}: {status}", form.function);
                let location = response.headers().get("location").map(|v| v.to_str().unwrap().to_owned());
                let inside = location.as_deref().is_none_or(|to| to.starts_with('/'));
                assert!(inside, "{} with a hostile {hostile} leads to {location:?}", form.function);
                let html = match location {
                    Some(location) => shop.page(&location, Some(&admin.cookie)).await.1,
                    None => response.text().await.unwrap(),
                };
                assert_eq!(hostile_elements(&html), 0, "{} with a hostile {hostile}: {html}", form.function);
            }
        }
    }
    assert!(seen.len() >= 24 && seen.contains_key("send_message"), "few forms: {:?}", seen.keys());
    // What was kept of it comes back as text, too.
    for path in &pages {
        let (_, html) = shop.page(path, Some(&admin.cookie)).await;
        assert_eq!(hostile_elements(&html), 0, "{path}");
    }
    for query in ["q", "at", "month", "class", "tab", "from", "status"] {
        for path in &pages {
            let hostile = app::routes::encode(HOSTILE);
            let (status, html) = shop.page(&format!("{path}?{query}={hostile}"), Some(&admin.cookie)).await;
            assert!(status < 500, "{path}?{query}: {status}");
            assert_eq!(hostile_elements(&html), 0, "{path}?{query}");
        }
    }
}

#[tokio::test]
async fn no_id_and_no_character_makes_a_function_fall_over() {
    let shop = Shop::open().await;
    let admin = shop.log_in(Role::Admin).await;
    let names = [
        "id",
        "order_id",
        "key",
        "role",
        "reason",
        "note",
        "promotion_code",
        "user_key",
        "day",
        "back",
        "next",
        "code",
        "sku",
        "template_code",
        "intent",
        "lang",
        "theme",
        "q",
        "list",
        "email",
        "name",
        "version",
        "ours",
        "base",
        "permissions[]",
        "seen",
    ];
    let long = "x".repeat(3_000);
    for text in
        ["\0", "a\0b", "\r\nset-cookie: a=b", "a\nb", "\u{7f}", "한글 /?#%", "..", "%00", "\u{fffd}", &long]
    {
        let fields: Vec<(&str, &str)> = names.iter().map(|name| (*name, text)).collect();
        for (path, _) in FUNCTIONS.iter().filter(|(path, _)| *path != "/fn/log_out") {
            let function = path.trim_start_matches("/fn/");
            let response = shop.form(function, Some(&admin.cookie), &fields).await;
            let status = response.status().as_u16();
            assert!(status < 500, "{function} with {text:.9?}: {status}");
            assert!(
                response.headers().get("set-cookie").is_none_or(|v| !v.to_str().unwrap().contains("a=b"))
            );
            if text.contains('\0') && status != 415 {
                assert_eq!(status, 400, "{function}");
                assert!(response.text().await.unwrap().contains("쓸 수 없는 문자"), "{function}");
            }
        }
    }
    assert_eq!(shop.page("/", Some(&admin.cookie)).await.0, 200);
}

#[tokio::test]
async fn a_file_that_cannot_be_there_is_not_there() {
    let shop = Shop::open().await;
    for name in
        ["x".repeat(10_000), "a/".repeat(5_000), "x".repeat(254), "%00".to_owned(), "..%2f..%2fx".to_owned()]
    {
        for method in [reqwest::Method::GET, reqwest::Method::HEAD] {
            for encoding in ["identity", "br, gzip"] {
                let request = shop.http.request(method.clone(), format!("{}/pkg/{name}", shop.url));
                let status = request.header("accept-encoding", encoding).send().await.unwrap().status();
                assert_eq!(status, 404, "{method} {name:.20} {encoding}");
            }
        }
    }
}

#[tokio::test]
async fn every_refusal_of_the_merchant_api_is_a_code_and_a_sentence() {
    for base in ["", "/back/office"] {
        let shop = Shop::open_at(base).await;
        let large = json!({ "orderId": "x".repeat(70_000) }).to_string();
        let (get, post, delete) = (reqwest::Method::GET, reqwest::Method::POST, reqwest::Method::DELETE);
        for (method, path, body, status, code) in [
            (&get, "/api", "", 404, "NOT_FOUND"),
            (&get, "/api/", "", 404, "NOT_FOUND"),
            (&get, "/api/v1/nope", "", 404, "NOT_FOUND"),
            (&post, "/api/v2/orders", "{}", 404, "NOT_FOUND"),
            (&delete, "/api/v1/orders", "", 405, "METHOD_NOT_ALLOWED"),
            (&get, "/api/v1/login", "", 405, "METHOD_NOT_ALLOWED"),
            (&post, "/api/v1/openapi.json", "", 405, "METHOD_NOT_ALLOWED"),
            (&post, "/api/v1/orders", &large, 413, "PAYLOAD_TOO_LARGE"),
            (&post, "/api/v1/orders", "not json", 400, "INVALID_REQUEST"),
            (&post, "/api/v1/orders", "", 400, "INVALID_REQUEST"),
            (&get, "/api/v1/orders/%FF", "", 400, "INVALID_REQUEST"),
            (&get, "/api/v1/orders/%00", "", 404, "NOT_FOUND_ORDER"),
            (&get, "/api/v1/orders/nobody", "", 404, "NOT_FOUND_ORDER"),
        ] {
            for language in ["ko", "en"] {
                let request = shop
                    .http
                    .request(method.clone(), format!("{}{path}", shop.url))
                    .bearer_auth(crate::support::MERCHANT_KEY)
                    .header("accept-language", language)
                    .body(body.to_owned());
                let response = request.send().await.unwrap();
                assert_eq!(response.status().as_u16(), status, "{method} {path}");
                let said: serde_json::Value = response.json().await.unwrap();
                assert_eq!(said["code"], code, "{method} {path}: {said}");
                let korean = said["message"].as_str().unwrap().chars().any(|c| ('가'..='힣').contains(&c));
                assert_eq!(korean, language == "ko", "{said}");
            }
        }
    }
}

#[tokio::test]
async fn a_card_number_that_nobody_masked_is_kept_nowhere() {
    const CARD: &str = "4111 1111 1111 1111";
    let shop = Shop::open().await;
    let agent = shop.log_in(Role::Admin).await;
    shop.paid("ord_pan_1", 10_000).await;
    let intent = backoffice::refunds::new_intent();
    let reason = format!("카드 {CARD} 로 결제했대요");
    let fields = [
        ("order_id", "ord_pan_1"),
        ("intent", intent.as_str()),
        ("amount", "1000"),
        ("reason_code", "defect"),
        ("reason", reason.as_str()),
    ];
    shop.form("refund", Some(&agent.cookie), &fields).await;
    let (_, html) = shop.page("/orders/ord_pan_1", Some(&agent.cookie)).await;
    assert!(html.contains("카드번호가 들어 있는 것 같아요") && !html.contains(CARD), "{html}");
    let (status, said) = shop
        .api(
            "orders",
            &json!({ "orderId": "ord_pan_2", "amount": 1_000, "orderName": "컵", "customerName": CARD }),
        )
        .await;
    assert_eq!((status, said["code"].as_str()), (400, Some("INVALID_REQUEST")), "{said}");
    let dump: Vec<String> = sqlx::query_scalar(
        "select data::text from staff_sessions union all select to_jsonb(a)::text from form_answers a
         union all select to_jsonb(a)::text from audit a union all select to_jsonb(r)::text from refunds r",
    )
    .fetch_all(&shop.backoffice().pool)
    .await
    .unwrap();
    // Eight of its digits: four stand in some hash by chance.
    assert!(dump.iter().all(|row| !row.contains("4111 1111") && !row.contains("41111111")), "{dump:?}");
}
