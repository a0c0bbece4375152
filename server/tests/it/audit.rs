//! The log that cannot be changed quietly.

use backoffice::audit::{Verdict, verify};
use futures::future::join_all;

use crate::support::{Shop, refund};

#[tokio::test]
async fn the_chain_is_whole_under_a_crowd_and_broken_by_an_edit() {
    let shop = Shop::open().await;
    join_all((0..12).map(|n| {
        let shop = &shop;
        async move {
            let id = format!("ord_chain_{n}");
            shop.paid(&id, 10_000).await;
            backoffice::refunds::request(
                shop.backoffice(),
                &backoffice::Actor::CommandLine,
                &refund(&id, "1000"),
            )
            .await
            .unwrap();
        }
    }))
    .await;
    let pool = &shop.backoffice().pool;
    let Verdict::Whole { rows, .. } = verify(pool).await.unwrap() else { panic!("broken") };
    assert!(rows >= 12 * 5, "{rows}");

    let edit = sqlx::query("update audit set actor_name = 'nobody' where seq = 5").execute(pool).await;
    assert!(edit.unwrap_err().to_string().contains("append-only"));
    sqlx::query("alter table audit disable trigger audit_append_only").execute(pool).await.unwrap();
    sqlx::query("update audit set actor_name = 'nobody' where seq = 5").execute(pool).await.unwrap();
    assert!(matches!(verify(pool).await.unwrap(), Verdict::Broken { seq: 5, .. }));
    sqlx::query("delete from audit where seq = 3").execute(pool).await.unwrap();
    assert!(matches!(verify(pool).await.unwrap(), Verdict::Broken { seq: 4, .. }));
}
