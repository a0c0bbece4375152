//! Our client against the sandbox's Apps in Toss: every call, over real mutual TLS.

use std::{collections::BTreeMap, fs, time::Duration};

use sandbox::apps_in_toss::tls::Authority;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use toss::apps_in_toss::{
    Bulk, Channel, Client, Config, Error, ExecutePayment, GrantState, Headers, IapStatus, Identity,
    IdentityError, MakePayment, MaybeDone, NotDone, PayStatus, PayToken, ProfileKey, PromotionKey,
    RefundReason, TlsProblem, UserKey,
};

use crate::support::{Shop, certificate};

fn pem(name: &str) -> String {
    fs::read_to_string(certificate(name)).unwrap()
}

fn identity() -> Identity {
    Identity::from_pem(&pem("client.pem"), &pem("client.key")).unwrap()
}

fn client_with(shop: &Shop, identities: Vec<Identity>) -> Client {
    let mut config = Config::new(&shop.apps_url, &shop.pay_url, identities);
    config.ca_pem = Some(pem("ca.pem"));
    config.timeout = Duration::from_secs(3);
    Client::new(config).unwrap()
}

fn client(shop: &Shop) -> Client {
    client_with(shop, vec![identity()])
}

fn code(error: &Error) -> &str {
    error.code().unwrap_or_else(|| panic!("no code: {error}"))
}

fn payment(order_no: &str) -> MakePayment {
    serde_json::from_value(
        json!({ "orderNo": order_no, "productDesc": "토끼 인형", "amount": 1000, "amountTaxFree": 0 }),
    )
    .unwrap()
}

#[tokio::test]
async fn without_mutual_trust_there_is_a_sentence_that_says_what_to_mend() {
    let shop = Shop::open().await;
    let greet = async |client: Client| {
        let [(_, general), (_, pay)] = client.greet().await;
        (general.map_err(|e| e.to_string()), pay.map_err(|e| e.to_string()))
    };
    assert_eq!(greet(client(&shop)).await, (Ok(()), Ok(())));

    let nobody = client_with(&shop, Vec::new());
    let error = nobody.iap_order(None, "x").await.unwrap_err();
    assert!(matches!(&error, Error::NotDone(NotDone::Tls(TlsProblem::NoCertificate))), "{error:?}");

    let (stranger, _) = Authority::new().unwrap();
    let now =
        time::OffsetDateTime::from_unix_timestamp(identity().not_before.unix_timestamp() + 90_000).unwrap();
    let pair = stranger.client("stranger", now - time::Duration::DAY, now + time::Duration::DAY).unwrap();
    let other = client_with(&shop, vec![Identity::from_pem(&pair.cert_pem, &pair.key_pem).unwrap()]);
    let error = other.iap_order(None, "x").await.unwrap_err();
    assert!(
        matches!(&error, Error::NotDone(NotDone::Tls(TlsProblem::OurCertificateRefused(_)))),
        "{error:?}"
    );

    // Signed by the right authority, and over since a day.
    let (authority, _) = Authority::in_folder(certificate("").as_path(), &[]).unwrap();
    let over = authority
        .client("jangbu-mini-app", now - time::Duration::days(30), now - time::Duration::DAY)
        .unwrap();
    let over = Identity::from_pem(&over.cert_pem, &over.key_pem).unwrap();
    let error = client_with(&shop, vec![over.clone()]).iap_order(None, "x").await.unwrap_err();
    assert!(matches!(&error, Error::NotDone(NotDone::Tls(TlsProblem::OurCertificateEnded))), "{error:?}");
    // The next one takes over by itself.
    let rotated = client_with(&shop, vec![over, identity()]);
    assert_eq!(rotated.certificates().iter().map(|c| c.is_used).collect::<Vec<_>>(), [false, true]);
    assert_eq!(greet(rotated).await, (Ok(()), Ok(())));

    // A server that we do not know.
    let mut config = Config::new(&shop.apps_url, &shop.pay_url, vec![identity()]);
    config.ca_pem = Some(stranger.ca_pem.clone());
    let error = Client::new(config).unwrap().iap_order(None, "x").await.unwrap_err();
    assert!(matches!(&error, Error::NotDone(NotDone::Tls(TlsProblem::ServerUnknown))), "{error:?}");
    // A name that its certificate does not carry.
    let mut config =
        Config::new(shop.apps_url.replace("127.0.0.1", "127.0.0.2"), &shop.pay_url, vec![identity()]);
    config.ca_pem = Some(pem("ca.pem"));
    let error = Client::new(config).unwrap().iap_order(None, "x").await.unwrap_err();
    assert!(
        matches!(
            &error,
            Error::NotDone(NotDone::Tls(TlsProblem::ServerNameDiffers) | NotDone::NotReached(_))
        ),
        "{error:?}"
    );
    assert_eq!(
        Identity::from_pem(&pem("client.pem"), &pem("server.key")).unwrap_err(),
        IdentityError::Mismatch
    );
    // Nobody without a certificate has reached a rule.
    assert!(shop.calls("\"x\"").is_empty());
}

#[tokio::test]
async fn a_login_goes_from_code_to_profile_and_ends() {
    let shop = Shop::open().await;
    let toss = client(&shop);
    let user = shop.user().await;
    let code_of = async || {
        let said = shop.control(&format!("apps-in-toss/users/{user}/authorize"), &json!({})).await;
        said["authorizationCode"].as_str().unwrap().to_owned()
    };
    let first = code_of().await;
    let tokens = toss.generate_token(&first, "sandbox").await.unwrap().value;
    assert_eq!((tokens.token_type.as_str(), tokens.expires_in), ("Bearer", 3599));
    let again = toss.generate_token(&first, "sandbox").await.unwrap_err();
    assert_eq!(code(&again), "invalid_grant");

    let profile = toss.login_me(&tokens.access_token).await.unwrap().value;
    assert_eq!(profile.user_key, UserKey(user));
    let key = ProfileKey::new(sandbox::apps_in_toss::login::SANDBOX_DECRYPT_KEY, "TOSS").unwrap();
    let opened: BTreeMap<_, _> = profile
        .sealed()
        .map(|(name, text)| (name, key.open(text).unwrap().expose_secret().to_owned()))
        .collect();
    assert_eq!((opened["name"].as_str(), opened["phone"].as_str()), ("김하준", "01012345678"));

    let refreshed = toss.refresh_token(&tokens.refresh_token).await.unwrap().value;
    assert_eq!(code(&toss.login_me(&tokens.access_token).await.unwrap_err()), "UNAUTHORIZED");
    toss.remove_by_access_token(&refreshed.access_token).await.unwrap();
    assert_eq!(code(&toss.login_me(&refreshed.access_token).await.unwrap_err()), "UNAUTHORIZED");

    let tokens = toss.generate_token(&code_of().await, "DEFAULT").await.unwrap().value;
    toss.remove_by_user_key(UserKey(user)).await.unwrap();
    assert_eq!(code(&toss.login_me(&tokens.access_token).await.unwrap_err()), "UNAUTHORIZED");
    assert_eq!(code(&toss.remove_by_user_key(UserKey(user)).await.unwrap_err()), "INVALID_PARAMETER");

    // Ten minutes, and an hour.
    let late = code_of().await;
    shop.control("clock", &json!({ "advanceSeconds": 601 })).await;
    assert_eq!(code(&toss.generate_token(&late, "DEFAULT").await.unwrap_err()), "invalid_grant");
    let tokens = toss.generate_token(&code_of().await, "DEFAULT").await.unwrap().value;
    shop.control("clock", &json!({ "advanceSeconds": 3601 })).await;
    assert_eq!(code(&toss.login_me(&tokens.access_token).await.unwrap_err()), "UNAUTHORIZED");
    assert!(toss.refresh_token(&tokens.refresh_token).await.is_ok());
}

#[tokio::test]
async fn a_payment_goes_through_its_states() {
    let shop = Shop::open().await;
    let toss = client(&shop);
    let user = UserKey(shop.user().await);
    let token = toss.make_payment(user, &payment("t-1")).await.unwrap().value;
    let again = toss.make_payment(user, &payment("t-1")).await.unwrap_err();
    assert_eq!(code(&again), "PAYMENT_EXISTING_PAYMENT");
    let status =
        async |token: &PayToken| toss.payment_status(user, Some(token), None).await.unwrap().value.pay_status;
    assert_eq!(status(&token).await, PayStatus::Standby);
    let execute = ExecutePayment { pay_token: token.clone(), order_no: Some("t-1".into()) };
    let early = toss.execute_payment(user, &execute).await.unwrap_err();
    assert!(early.may_have_happened(), "a vague refusal is looked up: {early:?}");

    shop.control(
        &format!("apps-in-toss/payments/{token}/authenticate"),
        &json!({ "payMethod": "CARD", "discount": 100 }),
    )
    .await;
    assert_eq!(status(&token).await, PayStatus::Approved);
    let done = toss.execute_payment(user, &execute).await.unwrap().value;
    assert_eq!((done.amount, done.mode.as_deref()), (1000, Some("TEST")));
    let paid = toss.payment_status(user, None, Some("t-1")).await.unwrap().value;
    assert_eq!((paid.pay_status.clone(), paid.left(), paid.paid_amount), (PayStatus::Complete, 1000, 900));
    assert_eq!((paid.amount_taxable, paid.amount_vat), (Some(909), Some(91)));
    assert_eq!(paid.card.as_ref().and_then(|c| c.card_company_code), Some(4));

    let reason = RefundReason::parse("고객 변심").unwrap();
    let refunded = toss.refund_payment(user, &token, &reason).await.unwrap().value;
    assert_eq!((refunded.refunded_amount, refunded.refundable_amount), (1000, 0), "without a sign");
    let twice = toss.refund_payment(user, &token, &reason).await.unwrap_err();
    assert_eq!((code(&twice), twice.may_have_happened()), ("COMMON_REFUND_ERROR", false));
    let after = toss.payment_status(user, Some(&token), Some("t-1")).await.unwrap().value;
    assert_eq!(
        (after.pay_status.clone(), after.left(), after.refunds().count()),
        (PayStatus::RefundSuccess, 0, 1)
    );
    let missing = toss.payment_status(user, Some(&PayToken::from("nobody")), None).await.unwrap_err();
    assert!(missing.is_not_found());
    let other = UserKey(shop.user().await);
    assert!(toss.payment_status(other, Some(&token), None).await.unwrap_err().is_not_found());
    assert_eq!(code(&toss.payment_status(UserKey(7), Some(&token), None).await.unwrap_err()), "4010");

    // A success that carries a failed payment is none.
    let declined = toss.make_payment(user, &payment("t-2")).await.unwrap().value;
    shop.control(
        &format!("apps-in-toss/payments/{declined}/authenticate"),
        &json!({ "decline": "CARD_LIMIT" }),
    )
    .await;
    let error = toss
        .execute_payment(user, &ExecutePayment { pay_token: declined.clone(), order_no: None })
        .await
        .unwrap_err();
    assert!(
        matches!(&error, Error::MaybeDone(MaybeDone::FailedInside(code)) if code == "CARD_LIMIT"),
        "{error:?}"
    );
    assert_eq!(status(&declined).await, PayStatus::Cancel);
}

#[tokio::test]
async fn in_app_purchases_messages_and_promotions_answer_as_documented() {
    let shop = Shop::open().await;
    let toss = client(&shop);
    let user = shop.user().await;
    let order = shop.control("apps-in-toss/orders", &json!({ "userKey": user })).await;
    let id = order["orderId"].as_str().unwrap().to_owned();
    for status in [
        "PURCHASED",
        "PAYMENT_COMPLETED",
        "FAILED",
        "REFUNDED",
        "ORDER_IN_PROGRESS",
        "MINIAPP_MISMATCH",
        "ERROR",
    ] {
        shop.control(&format!("apps-in-toss/orders/{id}/move"), &json!({ "to": status })).await;
        let told = toss.iap_order(Some(UserKey(user)), &id).await.unwrap().value;
        assert_eq!(told.status, IapStatus::from(status));
        assert_eq!(told.sku.is_some(), told.status.is_about_ours(), "{status}");
    }
    let other = UserKey(shop.user().await);
    assert_eq!(toss.iap_order(Some(other), &id).await.unwrap().value.status, IapStatus::NotFound);
    assert_eq!(code(&toss.iap_order(None, "not-a-uuid").await.unwrap_err()), "INVALID_PARAMETER");

    let context = BTreeMap::from([("storeName".to_owned(), "토스가게".to_owned())]);
    let headers = Headers::from(UserKey(user));
    let sent = toss.send_message(headers, "order_done", &context).await.unwrap().value;
    assert_eq!((sent.msg_count, sent.sent_by(Channel::Push)), (1, 1));
    let quiet =
        shop.control("apps-in-toss/users", &json!({ "push": false })).await["userKey"].as_i64().unwrap();
    let sent = toss.send_message(UserKey(quiet).into(), "order_done", &context).await.unwrap().value;
    assert_eq!((sent.sent_by(Channel::Inbox), sent.failed_by(Channel::Push).len()), (1, 1));
    assert_eq!(sent.failed_by(Channel::Push)[0].reached_fail_reason.as_deref(), Some("PUSH_OFF"));
    let bundle = "0199f2a4-1c1e-7f5e-9d0a-0a1b2c3d4e5f";
    assert!(toss.send_test_message(headers, "order_done", &context, bundle).await.is_ok());
    assert_eq!(
        code(&toss.send_test_message(headers, "order_done", &context, "x").await.unwrap_err()),
        "INVALID_PARAMETER"
    );
    let list = [user, quiet].map(|user| Bulk { user_key: UserKey(user), context: context.clone() });
    assert_eq!(toss.send_bulk_message("order_done", &list).await.unwrap().value.msg_count, 2);
    assert_eq!(
        code(&toss.send_message(headers, "unheard_of", &context).await.unwrap_err()),
        "INVALID_PARAMETER"
    );
    for _ in 0..7 {
        toss.send_message(headers, "order_done", &context).await.unwrap();
    }
    let often = toss.send_message(headers, "order_done", &context).await.unwrap_err();
    assert_eq!(code(&often), "4095");
    assert!(often.refusal().and_then(|r| r.retry_after_seconds).is_some_and(|s| (1..=61).contains(&s)));

    let user = UserKey(shop.user().await);
    let headers = Headers::from(user);
    let promotion = |code: &str, more: Value| {
        let mut body = json!({ "promotionCode": code, "budget": 1000, "most": 700 });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    shop.control("apps-in-toss/promotions", &promotion("P1", json!({ "pendingLooks": 1 }))).await;
    let key = async || toss.promotion_key(headers).await.unwrap().value;
    let first = key().await;
    assert_eq!(code(&toss.promotion_result(headers, "P1", &first).await.unwrap_err()), "4111");
    toss.execute_promotion(headers, "P1", &first, 600).await.unwrap();
    assert_eq!(toss.promotion_result(headers, "P1", &first).await.unwrap().value, GrantState::Pending);
    assert_eq!(toss.promotion_result(headers, "P1", &first).await.unwrap().value, GrantState::Success);
    let refused = async |promotion: &str, key: &PromotionKey, amount: i64| {
        code(&toss.execute_promotion(headers, promotion, key, amount).await.unwrap_err()).to_owned()
    };
    assert_eq!(refused("P1", &first, 600).await, "4113");
    assert_eq!(refused("NONE", &key().await, 1).await, "4100");
    assert_eq!(refused("P1", &key().await, 701).await, "4114");
    assert_eq!(refused("P1", &key().await, 401).await, "4116");
    toss.execute_promotion(headers, "TEST_P1", &key().await, 700).await.unwrap();
    assert_eq!(
        shop.sandbox.with_mini_app(|app| app.promotion("P1").unwrap().paid_out),
        600,
        "a test pays nothing"
    );
    for (n, (status, expected)) in
        [("STOPPED", "4104"), ("ENDED", "4105"), ("NOT_APPROVED", "4108"), ("READY", "4109")]
            .iter()
            .enumerate()
    {
        shop.control("clock", &json!({ "advanceSeconds": 61 })).await;
        let name = format!("Q{n}");
        shop.control("apps-in-toss/promotions", &promotion(&name, json!({ "status": status }))).await;
        assert_eq!(refused(&name, &key().await, 1).await, *expected);
    }
    shop.control("apps-in-toss/promotions", &promotion("POOR", json!({ "wallet": 0 }))).await;
    assert_eq!(refused("POOR", &key().await, 1).await, "4112");
    let old = key().await;
    shop.control("clock", &json!({ "advanceSeconds": 3600 })).await;
    assert_eq!(refused("P1", &old, 1).await, "4110", "a key lives an hour");
}

/// Every call there is, by the end of its path; each about nothing that exists.
async fn call(toss: &Client, endpoint: &str, user: UserKey) -> Result<(), Error> {
    let (context, key, token) = (BTreeMap::new(), PromotionKey::from("k"), PayToken::from("t"));
    let secret = secrecy::SecretString::from("s");
    let headers = Headers::from(user);
    let list = [Bulk { user_key: user, context: BTreeMap::new() }];
    let execute = ExecutePayment { pay_token: token.clone(), order_no: None };
    let reason = RefundReason::parse("x").unwrap();
    match endpoint {
        "generate-token" => toss.generate_token("c", "DEFAULT").await.map(drop),
        "refresh-token" => toss.refresh_token(&secret).await.map(drop),
        "login-me" => toss.login_me(&secret).await.map(drop),
        "remove-by-access-token" => toss.remove_by_access_token(&secret).await,
        "remove-by-user-key" => toss.remove_by_user_key(user).await,
        "get-key" => toss.promotion_key(headers).await.map(drop),
        "execute-promotion" => toss.execute_promotion(headers, "P", &key, 1).await.map(drop),
        "execution-result" => toss.promotion_result(headers, "P", &key).await.map(drop),
        "send-message" => toss.send_message(headers, "x", &context).await.map(drop),
        "send-test-message" => toss.send_test_message(headers, "x", &context, "x").await.map(drop),
        "send-bulk-message" => toss.send_bulk_message("x", &list).await.map(drop),
        "get-order-status" => toss.iap_order(Some(user), "x").await.map(drop),
        "make-payment" => toss.make_payment(user, &payment("bad order no")).await.map(drop),
        "execute-payment" => toss.execute_payment(user, &execute).await.map(drop),
        "refund-payment" => toss.refund_payment(user, &token, &reason).await.map(drop),
        "get-payment-status" => toss.payment_status(user, Some(&token), None).await.map(drop),
        other => panic!("{other}"),
    }
}

const ENDPOINTS: [&str; 16] = [
    "generate-token",
    "refresh-token",
    "login-me",
    "remove-by-access-token",
    "remove-by-user-key",
    "get-key",
    "execute-promotion",
    "execution-result",
    "send-message",
    "send-test-message",
    "send-bulk-message",
    "get-order-status",
    "make-payment",
    "execute-payment",
    "refund-payment",
    "get-payment-status",
];

#[tokio::test]
async fn every_way_of_not_knowing_is_told_from_a_no_by_every_call() {
    let shop = Shop::open().await;
    let toss = client(&shop);
    let user = UserKey(shop.user().await);
    for endpoint in ENDPOINTS {
        let spoilt = async |kind: Value| {
            let mut fault = kind;
            fault["on"] = json!(endpoint);
            shop.fault(fault).await;
            call(&toss, endpoint, user).await.unwrap_err()
        };
        for word in ["HTTP_TIMEOUT", "NETWORK_ERROR", "INTERRUPTED", "INTERNAL_ERROR"] {
            let error = spoilt(json!({ "kind": "result_type", "word": word })).await;
            assert!(
                matches!(&error, Error::MaybeDone(MaybeDone::Said(r)) if r.result_type.as_str() == word),
                "{endpoint}: {error:?}"
            );
        }
        let failed = spoilt(json!({ "kind": "result_type", "word": "EXECUTION_FAIL" })).await;
        assert!(!failed.may_have_happened(), "{endpoint}");
        for kind in ["lose_before", "lose_after"] {
            let error = spoilt(json!({ "kind": kind })).await;
            assert!(matches!(error, Error::MaybeDone(MaybeDone::NoAnswer(_))), "{endpoint} {kind}");
        }
        let garbage = spoilt(json!({ "kind": "garbage" })).await;
        assert!(matches!(garbage, Error::MaybeDone(MaybeDone::Unreadable { status: 502, .. })), "{endpoint}");
        for (known, _) in toss::apps_in_toss::codes::CODES {
            let error = spoilt(json!({ "kind": "error", "code": known })).await;
            assert_eq!(code(&error), *known, "{endpoint}");
            let vague = matches!(*known, "INTERNAL_ERROR" | "COMMON_PAY_ERROR");
            assert_eq!(error.may_have_happened(), vague, "{endpoint} {known}");
        }
    }
    shop.fault(json!({ "on": "get-payment-status", "kind": "delay", "ms": 4000 })).await;
    let late = call(&toss, "get-payment-status", user).await.unwrap_err();
    assert!(matches!(late, Error::MaybeDone(MaybeDone::NoAnswer(_))));
    // A path of the other host is not answered.
    let mut config = Config::new(&shop.pay_url, &shop.apps_url, vec![identity()]);
    config.ca_pem = Some(pem("ca.pem"));
    let crossed = Client::new(config).unwrap();
    assert_eq!(code(&crossed.payment_status(user, None, Some("t")).await.unwrap_err()), "NOT_FOUND");
}
