//! What stops the start.

use std::collections::BTreeMap;

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
        (&[("JANGBU_MODE", "test"), ("JANGBU_METRICS_TOKEN", "short")], "JANGBU_METRICS_TOKEN"),
        (&[("JANGBU_METRICS_ADDR", "4001")], "JANGBU_METRICS_ADDR"),
        (&[("JANGBU_METRICS_ADDR", "127.0.0.1:4000")], "JANGBU_METRICS_ADDR"),
        (&[("JANGBU_TRUSTED_PROXIES", "none, 10.0.0.0/8")], "JANGBU_TRUSTED_PROXIES"),
    ] {
        assert_eq!(read(pairs).map(drop).unwrap_err().name, name, "{pairs:?}");
    }
    assert!(read(&[("JANGBU_BASE_PATH", "/back/office/")]).is_ok_and(|s| s.base_path == "/back/office"));
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
    let keys = [("JANGBU_MERCHANT_API_KEY", "merchant-secret"), ("JANGBU_METRICS_TOKEN", "metrics-secret")];
    let shown = format!("{:?}", read(&keys).unwrap());
    for secret in ["test_sk_x", "merchant-secret", "metrics-secret"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}
