//! What stops the start.

use std::collections::BTreeMap;

use backoffice::staff::Role;

use super::*;

fn read(pairs: &[(&str, &str)]) -> Result<Settings, SettingError> {
    let mut values = BTreeMap::from([
        ("JANGBU_MODE".to_owned(), "sandbox".to_owned()),
        ("TOSS_PAYMENTS_URL".to_owned(), "http://127.0.0.1:4100".to_owned()),
        ("TOSS_PAYMENTS_SECRET_KEY".to_owned(), "test_sk_x".to_owned()),
    ]);
    values.extend(pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())));
    Settings::read(&Source(values))
}

#[test]
fn keys_and_modes_that_contradict_each_other_stop_the_start() {
    for (pairs, name) in [
        (&[("TOSS_PAYMENTS_SECRET_KEY", "live_sk_x")][..], "TOSS_PAYMENTS_SECRET_KEY"),
        (&[("JANGBU_MODE", "live")], "TOSS_PAYMENTS_SECRET_KEY"),
        (&[("JANGBU_MODE", "live"), ("TOSS_PAYMENTS_SECRET_KEY", "live_sk_x")], "TOSS_PAYMENTS_URL"),
        (&[("TOSS_PAYMENTS_URL", OFFICIAL_URL)], "TOSS_PAYMENTS_URL"),
        (&[("JANGBU_MODE", "production")], "JANGBU_MODE"),
        (&[("JANGBU_MODE", "")], "JANGBU_MODE"),
        (&[("JANGBU_BASE_PATH", "back")], "JANGBU_BASE_PATH"),
        (&[("JANGBU_TRUSTED_PROXIES", "10.0.0.0/99")], "JANGBU_TRUSTED_PROXIES"),
        (&[("JANGBU_MAIL_FROM", "jangbu@shop.example")], "JANGBU_MAIL_URL"),
        (&[("JANGBU_MAIL_URL", "smtp://mail.example")], "JANGBU_MAIL_FROM"),
        (&[("JANGBU_MAIL_URL", "mail.example"), ("JANGBU_MAIL_FROM", "a@b.example")], "JANGBU_MAIL_URL"),
        (&[("JANGBU_SECOND_FACTOR", "sometimes")], "JANGBU_SECOND_FACTOR"),
        (
            &[
                ("JANGBU_MODE", "test"),
                ("JANGBU_MERCHANT_API_KEY", &"k".repeat(32)),
                ("JANGBU_SECOND_FACTOR", "off"),
            ],
            "JANGBU_SECOND_FACTOR",
        ),
        (&[("TOSS_PAYMENTS_SECURITY_KEY", "abc")], "TOSS_PAYMENTS_SECURITY_KEY"),
        (&[("TOSS_PAYMENTS_URL", "not a url")], "TOSS_PAYMENTS_URL"),
        (&[("TOSS_PAYMENTS_URL", "127.0.0.1:4100")], "TOSS_PAYMENTS_URL"),
        (&[("TOSS_PAYMENTS_URL", "http://")], "TOSS_PAYMENTS_URL"),
        (&[("TOSS_PAYMENTS_URL", "ftp://127.0.0.1")], "TOSS_PAYMENTS_URL"),
        (&[("TOSS_PAYMENTS_URL", "http://127.0.0.1:99999")], "TOSS_PAYMENTS_URL"),
        (&[("TOSS_PAYMENTS_URL", "http://someone:word@127.0.0.1")], "TOSS_PAYMENTS_URL"),
        (&[("TOSS_PAYMENTS_URL", "http://127.0.0.1/?a=b")], "TOSS_PAYMENTS_URL"),
        (&[("JANGBU_PUBLIC_URL", "https://")], "JANGBU_PUBLIC_URL"),
        (&[("JANGBU_CLOCK_OFFSET_MS", "tomorrow")], "JANGBU_CLOCK_OFFSET_MS"),
        (
            &[
                ("JANGBU_MODE", "test"),
                ("JANGBU_MERCHANT_API_KEY", &"k".repeat(32)),
                ("JANGBU_CLOCK_OFFSET_MS", "1"),
            ],
            "JANGBU_CLOCK_OFFSET_MS",
        ),
        (&[("JANGBU_PUBLIC_URL", "https://back office.example")], "JANGBU_PUBLIC_URL"),
        (&[("TOSS_PAYMENTS_URL", "HTTPS://api.tosspayments.com:443/")], "TOSS_PAYMENTS_URL"),
        (&[("APPS_IN_TOSS_URL", "https://127.0.0.1:4101")], "APPS_IN_TOSS_CERT"),
        (&[("APPS_IN_TOSS_CERT", "/nowhere/client.pem")], "APPS_IN_TOSS_CERT"),
        (&[("JANGBU_MODE", "test"), ("JANGBU_MERCHANT_API_KEY", "short")], "JANGBU_MERCHANT_API_KEY"),
        (&[("JANGBU_OIDC_CLIENT_ID", "jangbu")], "JANGBU_OIDC_ISSUER"),
        (&[("JANGBU_OIDC_ONLY", "true")], "JANGBU_OIDC_ISSUER"),
        (&[("JANGBU_OIDC_ISSUER", "https://a.example")], "JANGBU_OIDC_CLIENT_ID"),
        (&[("JANGBU_MODE", "test"), ("JANGBU_METRICS_TOKEN", "short")], "JANGBU_METRICS_TOKEN"),
        (&[("JANGBU_METRICS_ADDR", "4001")], "JANGBU_METRICS_ADDR"),
        (&[("JANGBU_TOSS_TEST_CODE", "reject card")], "JANGBU_TOSS_TEST_CODE"),
        (&[("JANGBU_METRICS_ADDR", "127.0.0.1:4000")], "JANGBU_METRICS_ADDR"),
        (&[("JANGBU_TRUSTED_PROXIES", "none, 10.0.0.0/8")], "JANGBU_TRUSTED_PROXIES"),
    ] {
        assert_eq!(read(pairs).map(drop).unwrap_err().name, name, "{pairs:?}");
    }
    assert!(read(&[("JANGBU_BASE_PATH", "/back/office/")]).is_ok_and(|s| s.base_path == "/back/office"));
}

const OIDC: [(&str, &str); 3] = [
    ("JANGBU_OIDC_ISSUER", "https://accounts.example/"),
    ("JANGBU_OIDC_CLIENT_ID", "jangbu"),
    ("JANGBU_OIDC_ROLES", "support-team=support, cn=money=finance,back-office-admins=admin"),
];

#[test]
fn the_log_in_of_the_house_next_door_stands_whole_or_not_at_all() {
    assert!(read(&[]).unwrap().oidc.is_none());
    let oidc = read(&OIDC).unwrap().oidc.unwrap();
    assert_eq!((oidc.issuer.as_str(), oidc.name.as_str()), ("https://accounts.example/", "accounts.example"));
    let role = |groups: &[&str]| oidc.role_of(&groups.iter().map(|g| (*g).to_owned()).collect::<Vec<_>>());
    assert_eq!(role(&["support-team", "cn=money", "guests"]), Some(Role::Finance));
    assert_eq!(role(&["Support-team", ""]), None);
    for (pair, name) in [
        (("JANGBU_OIDC_ISSUER", "accounts.example"), "JANGBU_OIDC_ISSUER"),
        (("JANGBU_OIDC_ISSUER", "ftp://accounts.example"), "JANGBU_OIDC_ISSUER"),
        (("JANGBU_OIDC_ISSUER", "https://accounts.example/?a=b"), "JANGBU_OIDC_ISSUER"),
        (("JANGBU_OIDC_ROLES", "support-team"), "JANGBU_OIDC_ROLES"),
        (("JANGBU_OIDC_ROLES", "support-team=owner"), "JANGBU_OIDC_ROLES"),
        (("JANGBU_OIDC_ROLES", "=admin"), "JANGBU_OIDC_ROLES"),
        (("JANGBU_OIDC_ROLES", ","), "JANGBU_OIDC_ROLES"),
        (("JANGBU_OIDC_ONLY", "yes"), "JANGBU_OIDC_ONLY"),
        (
            ("JANGBU_OIDC_NAME", "우리 회사의 아주 긴 이름을 가진 통합 로그인 서비스, 본사와 모든 지점의 것"),
            "JANGBU_OIDC_NAME",
        ),
    ] {
        let pairs: Vec<_> = OIDC.into_iter().chain([pair]).collect();
        assert_eq!(read(&pairs).map(drop).unwrap_err().name, name, "{pair:?}");
    }
    let only = [("JANGBU_OIDC_ONLY", "true"), ("JANGBU_OIDC_ROLES", "finance=finance")];
    let pairs: Vec<_> = OIDC.into_iter().chain(only).collect();
    assert_eq!(read(&pairs).map(drop).unwrap_err().name, "JANGBU_OIDC_ROLES");
    let live = [
        ("JANGBU_MODE", "live"),
        ("TOSS_PAYMENTS_SECRET_KEY", "live_sk_x"),
        ("TOSS_PAYMENTS_URL", OFFICIAL_URL),
        ("JANGBU_PUBLIC_URL", "https://back.example"),
        ("JANGBU_OIDC_ISSUER", "http://accounts.example"),
    ];
    let pairs: Vec<_> = OIDC.into_iter().chain(live).collect();
    assert_eq!(read(&pairs).map(drop).unwrap_err().name, "JANGBU_OIDC_ISSUER");
}

#[test]
fn a_live_shop_speaks_to_its_database_in_private_and_has_keys_of_its_own() {
    let data_key = "dGVzdHMgb25seTogMzIgYnl0ZXMgb2YgYSBkYXRhIGs=";
    let audit_key = "PRIVATE+KEY+jangbu.test/audit+51679e4d+AXRlc3RzIG9ubHk6IDMyIGJ5dGVzIG9mIGEgc2VlZC4u";
    let live = |url: &str, audit: &str| {
        read(&[
            ("JANGBU_MODE", "live"),
            ("TOSS_PAYMENTS_SECRET_KEY", "live_sk_x"),
            ("TOSS_PAYMENTS_URL", OFFICIAL_URL),
            ("JANGBU_PUBLIC_URL", "https://shop.example"),
            ("JANGBU_TRUSTED_PROXIES", "none"),
            ("JANGBU_DATA_KEY", data_key),
            ("JANGBU_AUDIT_KEY", audit),
            ("DATABASE_URL", url),
        ])
        .map(drop)
        .map_err(|error| error.name)
    };
    for open in [
        "postgres://a:b@db.example/x",
        "postgres://a:b@db.example/x?sslmode=prefer",
        "postgres://192.0.2.1/x",
    ] {
        assert_eq!(live(open, audit_key), Err("DATABASE_URL"), "{open}");
    }
    for guarded in [
        "postgres://a:b@db.example/x?sslmode=verify-full",
        "postgres://a:b@db.example/x?sslmode=require",
        "postgres://a:b@localhost/x",
        "postgres://a:b@127.0.0.1:5433/x",
        "postgres:///x?host=/run/postgresql",
    ] {
        assert_eq!(live(guarded, audit_key), Ok(()), "{guarded}");
    }
    assert_eq!(live("postgres://a:b@localhost/x", ""), Err("JANGBU_AUDIT_KEY"));
    assert_eq!(live("postgres://a:b@localhost/x", "PRIVATE+KEY+x"), Err("JANGBU_AUDIT_KEY"));
}

#[test]
fn a_live_shop_says_which_proxies_stand_before_it() {
    let live = [
        ("JANGBU_MODE", "live"),
        ("TOSS_PAYMENTS_SECRET_KEY", "live_sk_x"),
        ("TOSS_PAYMENTS_URL", OFFICIAL_URL),
        ("JANGBU_PUBLIC_URL", "https://shop.example"),
    ];
    let with = |proxies: &str| read(&[&live[..], &[("JANGBU_TRUSTED_PROXIES", proxies)]].concat());
    for nothing in [read(&live), with(" "), with("")] {
        let error = nothing.map(drop).unwrap_err();
        assert_eq!(error.name, "JANGBU_TRUSTED_PROXIES");
        assert!(error.why.contains("none"), "{error}");
    }
    assert_eq!(with("none").unwrap().trusted_proxies, []);
    assert_eq!(with("10.0.0.0/8, 192.0.2.1").unwrap().trusted_proxies.len(), 2);
}

#[test]
fn no_key_is_printed() {
    let mut pairs = OIDC.to_vec();
    pairs.extend([
        ("JANGBU_MERCHANT_API_KEY", "merchant-secret"),
        ("JANGBU_METRICS_TOKEN", "metrics-secret"),
        ("JANGBU_OIDC_CLIENT_SECRET", "client-secret"),
    ]);
    let shown = format!("{:?}", read(&pairs).unwrap());
    for key in ["test_sk_x", "merchant-secret", "metrics-secret", "client-secret"] {
        assert!(!shown.contains(key), "{shown}");
    }
}

#[test]
fn errors_are_rehearsed_anywhere_but_in_a_live_shop() {
    let code = ("JANGBU_TOSS_TEST_CODE", "REJECT_CARD_COMPANY");
    assert_eq!(read(&[code]).unwrap().toss_test_code.as_deref(), Some("REJECT_CARD_COMPANY"));
    let key = "k".repeat(32);
    let test = [("JANGBU_MODE", "test"), ("JANGBU_MERCHANT_API_KEY", &key), code];
    assert!(read(&test).unwrap().toss_test_code.is_some());
    let live = [
        ("JANGBU_MODE", "live"),
        ("TOSS_PAYMENTS_SECRET_KEY", "live_sk_x"),
        ("TOSS_PAYMENTS_URL", OFFICIAL_URL),
        ("JANGBU_PUBLIC_URL", "https://shop.example"),
        ("JANGBU_TRUSTED_PROXIES", "none"),
    ];
    assert!(read(&live).is_ok_and(|settings| settings.toss_test_code.is_none()));
    let error = read(&[&live[..], &[code]].concat()).map(drop).unwrap_err().to_string();
    assert!(error.starts_with("JANGBU_TOSS_TEST_CODE: JANGBU_MODE is live"), "{error}");
}
