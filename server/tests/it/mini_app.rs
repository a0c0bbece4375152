//! Log-in, in-app purchases and messages of a mini-app.

use backoffice::{
    audit::access,
    iap::{Decision, DecisionChannel, DeskError, NewRequest, State, Tab},
    messages::{Form, MessageError, NewTemplate, Refused, State as MessageState},
    promotions::{self, NewCampaign},
    refunds,
    staff::Role,
};
use serde_json::json;

use crate::support::{Shop, UNLINK_AUTH, refund};

async fn log_in_user(shop: &Shop, user: i64) -> (u16, serde_json::Value) {
    let code = shop.control(&format!("apps-in-toss/users/{user}/authorize"), &json!({})).await;
    shop.api("login", &json!({ "authorizationCode": code["authorizationCode"], "referrer": "sandbox" })).await
}

#[tokio::test]
async fn a_profile_stays_encrypted_and_masked_until_somebody_says_why() {
    let shop = Shop::open().await;
    let user = shop.user().await;
    let (status, said) = log_in_user(&shop, user).await;
    assert_eq!((status, said["userKey"].as_i64()), (200, Some(user)), "{said}");
    let kept: serde_json::Value = sqlx::query_scalar("select sealed from toss_users where user_key = $1")
        .bind(user)
        .fetch_one(&shop.backoffice().pool)
        .await
        .unwrap();
    assert!(kept["name"].is_string() && !kept.to_string().contains("김하준"), "{kept}");
    let tokens: i64 = sqlx::query_scalar("select count(*) from toss_users t where t::text like '%eyJ%'")
        .fetch_one(&shop.backoffice().pool)
        .await
        .unwrap();
    assert_eq!(tokens, 0, "no token is kept");

    let agent = shop.log_in(Role::Support).await;
    let path = format!("/users/{user}");
    let (status, masked) = shop.page(&path, Some(&agent.cookie)).await;
    assert_eq!(status, 200);
    assert!(masked.contains("김*준") && masked.contains("010-****-5678"));
    assert!(!masked.contains("김하준") && !masked.contains("01012345678") && !masked.contains("19950315"));
    let fields =
        |why: &'static str| [("user_key".to_owned(), user.to_string()), ("why".to_owned(), why.to_owned())];
    let post = async |cookie: &str, why: &'static str| {
        let fields = fields(why);
        let fields: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        shop.form("reveal_profile", Some(cookie), &fields).await.status().as_u16()
    };
    post(&agent.cookie, "  ").await;
    assert!(!shop.page(&path, Some(&agent.cookie)).await.1.contains("김하준"), "no reason, no data");
    post(&agent.cookie, "환불 계좌 확인").await;
    let (_, clear) = shop.page(&path, Some(&agent.cookie)).await;
    assert!(clear.contains("김하준") && clear.contains("01012345678"));
    let other = shop.log_in(Role::Support).await;
    assert!(!shop.page(&path, Some(&other.cookie)).await.1.contains("김하준"), "only for whoever said why");
    let filter = access::Filter { subject: Some(user.to_string()), ..access::Filter::default() };
    let records = access::list(&shop.backoffice().pool, &filter, None, 10).await.unwrap().rows;
    let revealed = records.iter().find(|record| record.kind == access::Kind::Revealed).unwrap();
    assert_eq!(revealed.reason.as_deref(), Some("환불 계좌 확인"));
    assert_eq!(revealed.staff_id, agent.id);
    // Five minutes later it is over.
    shop.backoffice().clock.set_offset(time::Duration::minutes(6));
    assert!(!shop.page(&path, Some(&agent.cookie)).await.1.contains("김하준"));
}

#[tokio::test]
async fn an_unlink_is_kept_once_and_only_from_whoever_knows_the_word() {
    let shop = Shop::open().await;
    let user = shop.user().await;
    log_in_user(&shop, user).await;
    let url = format!("{}/hooks/apps-in-toss/unlink", shop.url);
    let body = json!({ "userKey": user, "referrer": "UNLINK" });
    let stranger = shop.http.post(&url).json(&body).send().await.unwrap().status();
    assert_eq!(stranger, 401);
    assert!(backoffice::users::get(shop.backoffice(), user).await.unwrap().unwrap().unlinked_at.is_none());
    for method in ["POST", "GET", "GET"] {
        let said = shop
            .control(
                &format!("apps-in-toss/users/{user}/unlink"),
                &json!({ "referrer": "WITHDRAWAL_TOSS", "method": method }),
            )
            .await;
        assert_eq!(said["status"], 200, "{method}");
    }
    let kept = backoffice::users::get(shop.backoffice(), user).await.unwrap().unwrap();
    assert_eq!(kept.unlink_referrer.as_deref(), Some("WITHDRAWAL_TOSS"));
    assert!(kept.sealed.is_empty(), "the profile is forgotten");
    let rows =
        backoffice::audit::of_subject(&shop.backoffice().pool, "user", &user.to_string()).await.unwrap();
    assert_eq!(rows.iter().filter(|row| row.action == "user.unlinked").count(), 1);
    let (name, word) = UNLINK_AUTH.split_once(':').unwrap();
    for bad in [json!({}), json!({ "userKey": "x", "referrer": "UNLINK" }), json!({ "referrer": "UNLINK" })] {
        let status =
            shop.http.post(&url).basic_auth(name, Some(word)).json(&bad).send().await.unwrap().status();
        assert_eq!(status, 400, "{bad}");
    }
    // A reason that Toss adds tomorrow, or none: the link has ended all the same.
    for (referrer, kept) in [(json!("ACCOUNT_MERGED"), "ACCOUNT_MERGED"), (json!(null), "UNKNOWN_CODE")] {
        let user = shop.user().await;
        log_in_user(&shop, user).await;
        let mut body = json!({ "userKey": user });
        if !referrer.is_null() {
            body["referrer"] = referrer;
        }
        let told = shop.http.post(&url).basic_auth(name, Some(word)).json(&body).send().await.unwrap();
        assert_eq!(told.status(), 200, "{body}");
        let ended = backoffice::users::get(shop.backoffice(), user).await.unwrap().unwrap();
        assert!(ended.unlinked_at.is_some() && ended.sealed.is_empty());
        assert_eq!(ended.unlink_referrer.as_deref(), Some(kept));
    }
    // By us, through Toss.
    let other = shop.user().await;
    let (_, said) = log_in_user(&shop, other).await;
    let (status, _) = shop.api("login/unlink", &json!({ "accessToken": said["accessToken"] })).await;
    assert_eq!(status, 200);
    assert_eq!(
        backoffice::users::get(shop.backoffice(), other).await.unwrap().unwrap().unlink_referrer.as_deref(),
        Some("PARTNER")
    );
    let spent = shop.api("login", &json!({ "authorizationCode": "spent", "referrer": "DEFAULT" })).await;
    assert_eq!((spent.0, spent.1["code"].as_str()), (400, Some("invalid_grant")));
}

#[tokio::test]
async fn a_store_s_refund_is_found_and_moves_what_was_asked_for() {
    let shop = Shop::open().await;
    let agent = shop.log_in(Role::Support).await.actor();
    let user = shop.user().await;
    let buy = async |platform: &str| {
        let order =
            shop.control("apps-in-toss/orders", &json!({ "userKey": user, "platform": platform })).await;
        order["orderId"].as_str().unwrap().to_owned()
    };
    let (asked, quiet, apple) = (buy("ANDROID").await, buy("ANDROID").await, buy("IOS").await);
    let (status, said) = shop.api("iap/orders", &json!({ "orderId": quiet, "userKey": user })).await;
    assert_eq!((status, said["status"].as_str()), (200, Some("PURCHASED")), "{said}");
    assert_eq!(shop.api("iap/orders", &json!({ "orderId": "not-a-uuid" })).await.0, 400);

    let request = |order: &str, platform: &str| NewRequest {
        order_id: order.into(),
        user_key: user.to_string(),
        platform: platform.into(),
        reason: "실수로 결제했어요".into(),
    };
    let id = backoffice::iap::refund_requests::record(shop.backoffice(), &agent, &request(&asked, "Android"))
        .await
        .unwrap();
    let twice =
        backoffice::iap::refund_requests::record(shop.backoffice(), &agent, &request(&asked, "Android"))
            .await
            .unwrap_err();
    assert!(matches!(twice, DeskError::AlreadyOpen));
    assert_eq!(
        backoffice::iap::refund_requests::decide(shop.backoffice(), &agent, id, Decision::Approve, "")
            .await
            .unwrap(),
        DecisionChannel::Manual
    );
    let again = backoffice::iap::refund_requests::decide(shop.backoffice(), &agent, id, Decision::Reject, "")
        .await
        .unwrap_err();
    assert!(matches!(again, DeskError::NotNow(State::PartnerApproved)), "{again:?}");
    let on_ios = backoffice::iap::refund_requests::record(shop.backoffice(), &agent, &request(&apple, "iOS"))
        .await
        .unwrap();
    let ours =
        backoffice::iap::refund_requests::decide(shop.backoffice(), &agent, on_ios, Decision::Approve, "")
            .await
            .unwrap_err();
    assert!(matches!(ours, DeskError::Apple));

    for order in [&asked, &quiet, &apple] {
        shop.control(&format!("apps-in-toss/orders/{order}/move"), &json!({ "to": "REFUNDED" })).await;
    }
    // Ten minutes for what is open, six hours for the rest.
    shop.backoffice().clock.set_offset(time::Duration::hours(7));
    backoffice::iap::orders::poll(shop.backoffice()).await.unwrap();
    let done = backoffice::iap::refund_requests::list(shop.backoffice(), Tab::Done, None, None, 50)
        .await
        .unwrap()
        .rows;
    let state = |order: &str| done.iter().find(|refund| refund.order_id == order).map(|refund| refund.state);
    assert_eq!(
        (state(&asked), state(&quiet), state(&apple)),
        (Some(State::Refunded), Some(State::Detected), Some(State::Refunded))
    );
    assert_eq!(
        backoffice::iap::refund_requests::repeaters(shop.backoffice(), 10).await.unwrap()[0].refunds,
        3
    );
    backoffice::iap::orders::poll(shop.backoffice()).await.unwrap();
    assert_eq!(
        backoffice::iap::refund_requests::list(shop.backoffice(), Tab::Done, None, None, 50)
            .await
            .unwrap()
            .rows
            .len(),
        3,
        "found once"
    );

    let pasted = format!(
        "orderId,userKey,기기,사유\n{},{user},Android,\"변심, 그냥\"\nnonsense,1,Android,x\n{asked},{user},Android,x\n",
        buy("ANDROID").await
    );
    let imported =
        backoffice::iap::refund_requests::import(shop.backoffice(), &agent, pasted.as_bytes()).await.unwrap();
    assert_eq!((imported.recorded, imported.known, imported.unread), (1, 1, vec![3]));
}

#[tokio::test]
async fn a_message_goes_out_once_and_never_again_when_nobody_knows() {
    let shop = Shop::open().await;
    let (agent, admin) = (shop.log_in(Role::Support).await.actor(), shop.log_in(Role::Finance).await.actor());
    let user = shop.user().await;
    let template = |code: &str, fields: &str, follows: &str| NewTemplate {
        code: code.into(),
        name: "주문 완료".into(),
        fields: fields.into(),
        follows: follows.into(),
    };
    backoffice::messages::templates::add(
        shop.backoffice(),
        &admin,
        &template("order_done", "storeName, date", ""),
    )
    .await
    .unwrap();
    backoffice::messages::templates::add(
        shop.backoffice(),
        &admin,
        &template("refund_done", "orderName,amount", "refund"),
    )
    .await
    .unwrap();
    backoffice::messages::templates::add(
        shop.backoffice(),
        &admin,
        &template("reward_granted", "amount", "grant"),
    )
    .await
    .unwrap();
    let taken =
        backoffice::messages::templates::add(shop.backoffice(), &admin, &template("another", "", "refund"))
            .await
            .unwrap_err();
    assert!(matches!(taken, MessageError::Refused(Refused::FollowsTaken)), "{taken:?}");
    let form = |context: &str| Form {
        intent: refunds::new_intent(),
        template_code: "order_done".into(),
        user_key: user.to_string(),
        context: context.into(),
        ..Form::default()
    };
    let missing =
        backoffice::messages::send(shop.backoffice(), &agent, &form("storeName=토스가게")).await.unwrap_err();
    assert!(matches!(missing, MessageError::Refused(Refused::MissingField(field)) if field == "date"));
    let asked = form("storeName=토스가게\ndate=오늘");
    let sent = backoffice::messages::send(shop.backoffice(), &agent, &asked).await.unwrap();
    assert_eq!((sent.state, sent.result.unwrap().msg_count), (MessageState::Sent, 1));
    assert_eq!(
        backoffice::messages::send(shop.backoffice(), &agent, &asked).await.unwrap().id,
        sent.id,
        "the same form again"
    );
    let other = Form { context: "storeName=다른 가게\ndate=오늘".into(), ..asked.clone() };
    let mixed = backoffice::messages::send(shop.backoffice(), &agent, &other).await.unwrap_err();
    assert!(matches!(mixed, MessageError::Refused(Refused::Form)), "another message under the same id");
    shop.fault(json!({ "on": "send-message", "kind": "lose_after" })).await;
    let lost =
        backoffice::messages::send(shop.backoffice(), &agent, &form("storeName=a\ndate=b")).await.unwrap();
    assert_eq!(lost.state, MessageState::Unknown);
    let bad = Form { deployment_id: "no-uuid".into(), ..form("storeName=a\ndate=b") };
    assert!(matches!(
        backoffice::messages::send(shop.backoffice(), &agent, &bad).await.unwrap_err(),
        MessageError::Refused(Refused::DeploymentId)
    ));

    // A refund and a grant each tell their user, once.
    let order = json!({ "orderNo": "tp-told", "userKey": user, "productDesc": "토끼 인형", "amount": 3000, "amountTaxFree": 0 });
    let token = shop.api("toss-pay/payments", &order).await.1["payToken"].as_str().unwrap().to_owned();
    shop.control(&format!("apps-in-toss/payments/{token}/authenticate"), &json!({})).await;
    assert_eq!(shop.execute("tp-told", &token).await.0, 200);
    backoffice::refunds::request(shop.backoffice(), &agent, &refund("tp-told", "3000")).await.unwrap();
    shop.control("apps-in-toss/promotions", &json!({ "promotionCode": "TELL" })).await;
    let campaign = NewCampaign {
        promotion_code: "TELL".into(),
        name: "알림".into(),
        amount: "100".into(),
        user_cap: "100".into(),
        budget: "1000".into(),
        starts_on: "2020-01-01".into(),
        ends_on: "2199-12-30".into(),
        approval_above: String::new(),
    };
    assert!(
        backoffice::promotions::campaigns::add(shop.backoffice(), &backoffice::Actor::CommandLine, &campaign)
            .await
            .unwrap()
            .is_ok()
    );
    let grant = promotions::Form {
        intent: refunds::new_intent(),
        promotion_code: "TELL".into(),
        user_key: user.to_string(),
        event: "e".into(),
        ..promotions::Form::default()
    };
    backoffice::promotions::grant(shop.backoffice(), &agent, &grant).await.unwrap();
    let at_toss = || {
        shop.sandbox.with_mini_app(|app| {
            let sent = app.messages().iter().filter(|m| m.user_key == user);
            sent.map(|m| (m.template_set_code.clone(), m.context.clone())).collect::<Vec<_>>()
        })
    };
    shop.eventually("both are told", || async { at_toss().len() == 4 }).await;
    let told = at_toss();
    let of = |code: &str| {
        told.iter().filter(|(known, _)| known == code).map(|(_, c)| c.clone()).collect::<Vec<_>>()
    };
    assert_eq!(of("refund_done"), [json!({ "orderName": "토끼 인형", "amount": "3,000" })]);
    assert_eq!(of("reward_granted"), [json!({ "amount": "100" })]);
    assert_eq!(of("order_done").len(), 2, "the lost one went out, and was not sent again");

    let list = format!("userKey,storeName,date\n{user},가게,오늘\n{},가게,내일\n", shop.user().await);
    let bulk = backoffice::messages::send_bulk(
        shop.backoffice(),
        &agent,
        &refunds::new_intent(),
        "order_done",
        list.as_bytes(),
    )
    .await
    .unwrap();
    assert_eq!((bulk.state, bulk.receivers, bulk.result.unwrap().msg_count), (MessageState::Sent, 2, 2));
    let wrong = backoffice::messages::send_bulk(
        shop.backoffice(),
        &agent,
        &refunds::new_intent(),
        "order_done",
        b"x,a,b\n1,a\n",
    )
    .await
    .unwrap_err();
    assert!(matches!(wrong, MessageError::Refused(Refused::Lines(lines)) if lines == [1, 2]));
}

#[tokio::test]
async fn what_has_to_get_through_the_firewall_is_shown_as_it_is_now() {
    let shop = Shop::open().await;
    let viewer = shop.log_in(Role::Viewer).await;
    let (status, page) = shop.page("/settings/firewall", Some(&viewer.cookie)).await;
    assert_eq!(status, 200);
    for text in ["117.52.3.11/32", "106.249.5.80/29", &shop.apps_url, &shop.pay_url] {
        assert!(page.contains(text), "{text}");
    }
    let reached = backoffice::firewall::outgoing(shop.backoffice()).await;
    assert!(reached.iter().all(|host| host.reached.is_ok()), "{reached:?}");
    let (_, settings) = shop.page("/settings", Some(&viewer.cookie)).await;
    assert!(settings.contains("CN=jangbu-mini-app") && settings.contains("isTestPayment"));
    let (_, metrics) = shop.page("/metrics", None).await;
    assert!(metrics.contains("jangbu_apps_in_toss_certificate_days"), "{metrics}");
}

#[tokio::test]
async fn a_log_in_without_an_answer_says_so_in_its_own_words() {
    let shop = Shop::open().await;
    let user = shop.user().await;
    shop.fault(json!({ "on": "generate-token", "kind": "lose_after" })).await;
    let (status, said) = log_in_user(&shop, user).await;
    assert_eq!((status, said["code"].as_str()), (504, Some("LOGIN_UNKNOWN")), "{said}");
    let (status, said) = log_in_user(&shop, user).await;
    assert_eq!(status, 200);
    let refresh = json!({ "refreshToken": said["refreshToken"] });
    shop.fault(json!({ "on": "refresh-token", "kind": "result_type_after", "word": "HTTP_TIMEOUT" })).await;
    let (status, lost) = shop.api("login/refresh", &refresh).await;
    assert_eq!((status, lost["code"].as_str()), (504, Some("LOGIN_UNKNOWN")), "{lost}");
    // A link that may have ended is not begun anew.
    let (_, said) = log_in_user(&shop, user).await;
    let unlink = json!({ "accessToken": said["accessToken"] });
    shop.fault(json!({ "on": "remove-by-access-token", "kind": "lose_after" })).await;
    let (status, lost) = shop.api("login/unlink", &unlink).await;
    assert_eq!((status, lost["code"].as_str()), (504, Some("UNLINK_UNKNOWN")), "{lost}");
}
