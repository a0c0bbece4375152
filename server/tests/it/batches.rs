//! Many refunds at once: previewed line by line, run once, never paid twice.

use backoffice::{
    Actor,
    refunds::{
        Refused,
        batch::{LineRefused, State},
    },
    staff::Role,
};
use uuid::Uuid;

use crate::support::{Person, Shop, refund};

async fn preview(shop: &Shop, who: &Person, text: &str) -> Uuid {
    backoffice::refunds::batch::preview(
        shop.backoffice(),
        &who.actor(),
        "환불.csv",
        text.as_bytes(),
        "defect",
        "상품 불량",
    )
    .await
    .unwrap()
}

async fn finished(shop: &Shop, id: Uuid) {
    shop.eventually("the file is worked off", || async {
        backoffice::refunds::batch::get(shop.backoffice(), id).await.unwrap().unwrap().state
            == State::Finished
    })
    .await;
}

fn cancels(shop: &Shop) -> usize {
    shop.sandbox.with_books(|books| books.payments().map(|r| r.payment.cancels().len()).sum())
}

#[tokio::test]
async fn every_line_says_what_will_become_of_it_and_nothing_is_sent_before_the_start() {
    let shop = Shop::open().await;
    let agent = shop.log_in(Role::Support).await;
    for order in ["ord_file_1", "ord_file_2", "ord_file_3", "ord_file_4"] {
        shop.paid(order, 10_000).await;
    }
    backoffice::refunds::request(shop.backoffice(), &agent.actor(), &refund("ord_file_4", "10000"))
        .await
        .unwrap();
    let id = preview(
        &shop,
        &agent,
        "주문번호,금액\nord_file_1,\"₩4,000\"\nord_file_2,10001\nord_file_3,10000\nord_file_4,1\nord_none,1\nord_file_1,4000\n",
    )
    .await;
    let lines = backoffice::refunds::batch::lines(shop.backoffice(), id, false, 0, 100).await.unwrap();
    let why: Vec<_> = lines.iter().map(|line| line.why.clone()).collect();
    assert_eq!(why[0], None);
    assert_eq!(
        why[1],
        Some(LineRefused::Refund(Refused::OverBalance { left: 10_000.into(), currency: "KRW".into() }))
    );
    assert_eq!(why[2], None);
    assert!(matches!(why[3], Some(LineRefused::Refund(Refused::NotPossible(_)))));
    assert_eq!(why[4], Some(LineRefused::Refund(Refused::NoSuchOrder)));
    assert_eq!(why[5], Some(LineRefused::Twice { line: 2 }));
    assert_eq!(cancels(&shop), 1);
    let batch = backoffice::refunds::batch::get(shop.backoffice(), id).await.unwrap().unwrap();
    assert_eq!((batch.lines, batch.ready, batch.ready_amount), (6, 2, 14_000.into()));

    assert_eq!(
        backoffice::refunds::batch::start(shop.backoffice(), &agent.actor(), id).await.unwrap(),
        State::Running
    );
    finished(&shop, id).await;
    let done = backoffice::refunds::batch::progress(shop.backoffice(), id).await.unwrap();
    assert_eq!((done.succeeded, done.refused, done.ready, done.open), (2, 4, 0, 0));
    assert_eq!(done.amount, 14_000.into());
    assert_eq!(cancels(&shop), 3);

    // The very same file again: nobody is paid twice.
    let again = preview(&shop, &agent, "주문번호,금액\nord_file_1,4000\nord_file_3,10000\n").await;
    let lines = backoffice::refunds::batch::lines(shop.backoffice(), again, false, 0, 100).await.unwrap();
    assert!(matches!(lines[0].why, Some(LineRefused::Earlier { .. })), "{:?}", lines[0].why);
    assert!(lines[1].why.is_some());
    assert!(
        backoffice::refunds::batch::start(shop.backoffice(), &agent.actor(), id).await.is_err(),
        "what is finished stays so"
    );
}

#[tokio::test]
async fn two_files_and_a_hand_never_pay_a_line_twice() {
    let shop = Shop::open().await;
    let (one, other) = (shop.log_in(Role::Support).await, shop.log_in(Role::Support).await);
    for order in ["ord_pair_1", "ord_pair_2"] {
        shop.paid(order, 20_000).await;
    }
    // Both are previewed before either is started; one order is refunded by hand in between.
    let first = preview(&shop, &one, "ord_pair_1,5000\n").await;
    let second = preview(&shop, &other, "ord_pair_1,5000\nord_pair_2,5000\n").await;
    backoffice::refunds::request(shop.backoffice(), &one.actor(), &refund("ord_pair_2", "5000"))
        .await
        .unwrap();
    assert!(
        backoffice::refunds::batch::start(shop.backoffice(), &other.actor(), first).await.is_err(),
        "only whoever made it starts it"
    );
    backoffice::refunds::batch::start(shop.backoffice(), &one.actor(), first).await.unwrap();
    finished(&shop, first).await;
    backoffice::refunds::batch::start(shop.backoffice(), &other.actor(), second).await.unwrap();
    finished(&shop, second).await;
    let done = backoffice::refunds::batch::progress(shop.backoffice(), second).await.unwrap();
    assert_eq!((done.succeeded, done.refused), (0, 2), "{done:?}");
    let lines = backoffice::refunds::batch::lines(shop.backoffice(), second, false, 0, 10).await.unwrap();
    assert!(lines.iter().all(|line| line.why == Some(LineRefused::Refund(Refused::Lapsed))), "{lines:?}");
    assert_eq!(cancels(&shop), 2);
}

#[tokio::test]
async fn a_stopped_file_goes_on_where_it_stopped() {
    let shop = Shop::open().await;
    let agent = shop.log_in(Role::Support).await;
    let mut text = String::from("orderId;amount\n");
    for n in 0..60 {
        shop.paid(&format!("ord_stop_{n}"), 1_000).await;
        text.push_str(&format!("ord_stop_{n};1000\n"));
    }
    let id = preview(&shop, &agent, &text).await;
    backoffice::refunds::batch::start(shop.backoffice(), &agent.actor(), id).await.unwrap();
    shop.eventually("some lines are done", || async {
        backoffice::refunds::batch::progress(shop.backoffice(), id).await.unwrap().succeeded >= 3
    })
    .await;
    backoffice::refunds::batch::stop(shop.backoffice(), &agent.actor(), id).await.unwrap();
    shop.eventually("it stands still", || async {
        let before = cancels(&shop);
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        before == cancels(&shop)
    })
    .await;
    let done = backoffice::refunds::batch::progress(shop.backoffice(), id).await.unwrap();
    assert!(done.ready > 0, "{done:?}");
    backoffice::refunds::batch::start(shop.backoffice(), &agent.actor(), id).await.unwrap();
    finished(&shop, id).await;
    assert_eq!(backoffice::refunds::batch::progress(shop.backoffice(), id).await.unwrap().succeeded, 60);
    assert_eq!(cancels(&shop), 60);
}

#[tokio::test]
async fn a_line_that_was_taken_down_by_a_dead_process_is_one_refund() {
    let shop = Shop::open().await;
    let agent = shop.log_in(Role::Support).await;
    let key = shop.paid("ord_half_1", 1_000).await;
    let id = preview(&shop, &agent, "ord_half_1,1000").await;
    // The process took the line down, refunded it, and died before it could mark the line.
    let line: Uuid = sqlx::query_scalar("select refund_id from refund_batch_lines where batch_id = $1")
        .bind(id)
        .fetch_one(&shop.backoffice().pool)
        .await
        .unwrap();
    let form = backoffice::refunds::Form {
        intent: line.to_string(),
        reason_code: "defect".into(),
        reason: "상품 불량".into(),
        ..refund("ord_half_1", "1000")
    };
    backoffice::refunds::request(shop.backoffice(), &agent.actor(), &form).await.unwrap();
    backoffice::refunds::batch::start(shop.backoffice(), &agent.actor(), id).await.unwrap();
    finished(&shop, id).await;
    assert_eq!(backoffice::refunds::batch::progress(shop.backoffice(), id).await.unwrap().succeeded, 1);
    assert_eq!(shop.cancels_at_toss(&key).len(), 1);
}

#[tokio::test]
async fn a_file_above_a_limit_waits_for_a_second_person() {
    let shop = Shop::open().await;
    shop.limit("support", "", "5000").await;
    let (agent, finance) = (shop.log_in(Role::Support).await, shop.log_in(Role::Finance).await);
    for n in 0..3 {
        shop.paid(&format!("ord_sum_{n}"), 2_000).await;
    }
    let id = preview(&shop, &agent, "ord_sum_0,2000\nord_sum_1,2000\nord_sum_2,2000\n").await;
    let backoffice = shop.backoffice();
    assert_eq!(
        backoffice::refunds::batch::start(backoffice, &agent.actor(), id).await.unwrap(),
        State::WaitingForApproval
    );
    assert!(
        backoffice::refunds::batch::approve(backoffice, &agent.actor(), id).await.is_err(),
        "nobody approves their own"
    );
    assert_eq!(cancels(&shop), 0);
    let (_, html) = shop.page(&format!("/refunds/batches/{id}"), Some(&finance.cookie)).await;
    assert!(html.contains("3건 6,000원 환불 승인"));
    backoffice::refunds::batch::approve(backoffice, &finance.actor(), id).await.unwrap();
    finished(&shop, id).await;
    assert_eq!(backoffice::refunds::batch::progress(backoffice, id).await.unwrap().succeeded, 3);
    let refunds = backoffice::refunds::list(backoffice, &Default::default(), None, 10).await.unwrap().rows;
    assert!(refunds.iter().all(|r| r.approved_by_name.as_deref() == Some("finance 사람")));
}

#[tokio::test]
async fn a_disabled_persons_file_stops() {
    let shop = Shop::open().await;
    let agent = shop.log_in(Role::Support).await;
    shop.paid("ord_gone_1", 1_000).await;
    let id = preview(&shop, &agent, "ord_gone_1,1000").await;
    backoffice::staff::disable(shop.backoffice(), &Actor::CommandLine, agent.id).await.unwrap();
    backoffice::refunds::batch::start(shop.backoffice(), &agent.actor(), id).await.unwrap();
    shop.eventually("it stops", || async {
        backoffice::refunds::batch::get(shop.backoffice(), id).await.unwrap().unwrap().state == State::Stopped
    })
    .await;
    assert_eq!(cancels(&shop), 0);
}

#[tokio::test]
async fn bad_files_get_a_sentence_and_good_ones_a_preview() {
    let shop = Shop::open().await;
    let agent = shop.log_in(Role::Support).await;
    shop.paid("ord_up_1", 10_000).await;
    for (bytes, says) in [
        (b"".as_slice(), "환불할 줄이 없는 파일이에요"),
        (b"PK\x03\x04\x00", "엑셀 파일이에요"),
        (b"\x81\xff\xff", "글자를 읽을 수 없어요"),
        (b"a,b\nc,d\n", "주문번호와 금액 칸을 찾지 못했어요"),
    ] {
        let response = shop.upload(&agent.cookie, "x.csv", bytes).await;
        assert_eq!(response.status(), 302);
        assert!(response.headers()["location"].to_str().unwrap().ends_with("/refunds/batches"));
        let (_, html) = shop.page("/refunds/batches", Some(&agent.cookie)).await;
        assert!(html.contains(says), "{says}");
    }
    let (cp949, ..) =
        (b"\xc1\xd6\xb9\xae\xb9\xf8\xc8\xa3,\xb1\xdd\xbe\xd7\r\nord_up_1,=1+1\r\nord_up_1,5000\r\n",);
    let response = shop.upload(&agent.cookie, "엑셀.csv", cp949).await;
    let location = response.headers()["location"].to_str().unwrap().to_owned();
    let (status, html) = shop.page(&location, Some(&agent.cookie)).await;
    assert_eq!(status, 200, "{location}");
    assert!(html.contains("수식이 든 칸이에요") && html.contains("2줄 가운데 1줄 환불 가능"), "{html}");
    assert!(html.contains("1건 5,000원 환불 시작"));
    let too_large = shop.upload(&agent.cookie, "x.csv", &vec![b'1'; 20 << 20]).await;
    assert_eq!(too_large.status(), 413);
}

#[tokio::test]
async fn fifty_thousand_lines_are_previewed() {
    let shop = Shop::open().await;
    let agent = shop.log_in(Role::Support).await;
    shop.paid("ord_big_00001", 10_000).await;
    let mut text = String::from("orderId,amount\n");
    for n in 0..50_000 {
        text.push_str(&format!("ord_big_{n:05},100\n"));
    }
    let id = preview(&shop, &agent, &text).await;
    let batch = backoffice::refunds::batch::get(shop.backoffice(), id).await.unwrap().unwrap();
    assert_eq!((batch.lines, batch.ready), (50_000, 1));
    let (status, html) = shop.page(&format!("/refunds/batches/{id}?after=49000"), Some(&agent.cookie)).await;
    assert_eq!(status, 200);
    assert!(html.contains("ord_big_49000"));
}

#[tokio::test]
async fn a_line_that_cannot_be_read_stops_loudly_and_is_lost_nowhere() {
    let shop = Shop::open().await;
    let agent = shop.log_in(Role::Support).await;
    for order in ["ord_torn_1", "ord_torn_2"] {
        shop.paid(order, 10_000).await;
    }
    let id = preview(&shop, &agent, "ord_torn_1,4000\nord_torn_2,4000\n").await;
    let break_line = |column: &str, value: &str| {
        let sql =
            format!("update refund_batch_lines set {column} = {value} where batch_id = $1 and line = 1");
        sqlx::query(sqlx::AssertSqlSafe(sql)).bind(id).execute(&shop.backoffice().pool)
    };
    break_line("why", "'{\"another_version\": 1}'").await.unwrap();
    let error = backoffice::refunds::batch::lines(shop.backoffice(), id, false, 0, 10).await.unwrap_err();
    assert!(matches!(error, backoffice::Fault::Unreadable { .. }), "{error}");
    break_line("why", "null").await.unwrap();

    break_line("account", "'{\"bank\": 88}'").await.unwrap();
    backoffice::refunds::batch::start(shop.backoffice(), &agent.actor(), id).await.unwrap();
    shop.eventually("the job says what it cannot read", || async {
        sqlx::query_scalar::<_, Option<String>>("select last_error from graphile_worker.jobs where key = $1")
            .bind(format!("batch:{id}"))
            .fetch_optional(&shop.backoffice().pool)
            .await
            .unwrap()
            .flatten()
            .is_some_and(|error| error.contains("refund_batch_lines.account cannot be opened"))
    })
    .await;
    let batch = backoffice::refunds::batch::get(shop.backoffice(), id).await.unwrap().unwrap();
    assert_eq!(batch.state, State::Running, "nobody calls it finished");
    let waiting = backoffice::refunds::batch::progress(shop.backoffice(), id).await.unwrap().ready;
    assert!(waiting >= 1, "the line is still there");

    // Somebody mends it, and the job's next turn comes.
    break_line("account", "null").await.unwrap();
    sqlx::query("update graphile_worker._private_jobs set run_at = now() where key = $1")
        .bind(format!("batch:{id}"))
        .execute(&shop.backoffice().pool)
        .await
        .unwrap();
    finished(&shop, id).await;
    assert_eq!(cancels(&shop), 2);
}
