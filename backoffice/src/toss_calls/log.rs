//! Writing calls down. Nobody who calls waits for it.

use serde::Serialize;
use sqlx::PgPool;
use time::OffsetDateTime;
use toss::{
    observe::{Call, Observer, Outcome},
    payments::VERSION,
};

use crate::{
    Clock, Fault,
    kernel::{
        later::{Later, Row},
        text,
    },
};

/// A call, and when it left.
#[derive(Debug)]
struct Seen {
    at: OffsetDateTime,
    call: Call,
}

/// Takes calls down. Cheap to clone.
#[derive(Debug, Clone)]
pub struct CallLog {
    rows: Later<Seen>,
    clock: Clock,
}

impl Observer for CallLog {
    fn saw(&self, call: Call) {
        self.rows.write(Seen { at: self.clock.now() - call.took, call });
    }
}

impl CallLog {
    /// Begins to write. Ends when the last clone is dropped.
    pub fn open(pool: PgPool, clock: Clock) -> Self {
        Self { rows: Later::open(pool), clock }
    }

    /// Comes back once everything that was seen until now is written; at the end of a process, and not later than after
    /// some seconds.
    pub async fn flush(&self) {
        self.rows.flush().await;
    }
}

/// A row as the statement reads it.
#[derive(Serialize)]
struct NewRow<'a> {
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    api: &'static str,
    method: &'a str,
    path: &'a str,
    order_id: Option<&'a str>,
    payment_key: Option<&'a str>,
    outcome: &'static str,
    status: Option<u16>,
    failure: Option<&'static str>,
    why: Option<&'a str>,
    took_ms: i32,
    trace_id: Option<&'a str>,
    first_trace_id: Option<&'a str>,
    code: Option<&'a str>,
    result_type: Option<&'a str>,
    version: Option<&'a str>,
    is_other_version: bool,
    request: Option<&'a serde_json::Value>,
    answer: Option<&'a serde_json::Value>,
}

impl<'a> NewRow<'a> {
    fn of(at: OffsetDateTime, call: &'a Call) -> Self {
        let (mut failure, mut why, mut code, mut result_type) = (None, None, None, None);
        match &call.outcome {
            Outcome::Done => {}
            Outcome::Refused { code: said, result_type: of } => {
                (code, result_type) = (Some(said.as_str()), of.as_deref());
            }
            Outcome::NoAnswer { failure: kind, why: sentence } => {
                (failure, why) = (Some(kind.as_str()), Some(sentence.as_str()));
            }
        }
        // Of a replay: its own, and that of the answer it repeats (toss-api.md A1.7).
        let traces = call.trace_id.as_deref().map(|ids| ids.split_once(", ").unwrap_or((ids, "")));
        Self {
            at,
            api: call.api.as_str(),
            method: &call.method,
            path: call.path,
            order_id: call.order_id.as_deref(),
            payment_key: call.payment_key.as_deref(),
            outcome: call.outcome.as_str(),
            status: call.status,
            failure,
            why,
            took_ms: i32::try_from(call.took.as_millis()).unwrap_or(i32::MAX),
            trace_id: traces.map(|(own, _)| own),
            first_trace_id: traces.map(|(_, first)| first).filter(|first| !first.is_empty()),
            code,
            result_type,
            version: call.version.as_deref(),
            is_other_version: call.version.as_deref().is_some_and(|version| version != VERSION),
            request: call.request.as_ref(),
            answer: call.answer.as_ref(),
        }
    }
}

impl Row for Seen {
    const DROPPED: &'static str = "jangbu_toss_calls_dropped_total";

    async fn insert(pool: &PgPool, calls: &[Self]) -> Result<(), Fault> {
        let rows: Vec<NewRow<'_>> = calls.iter().map(|seen| NewRow::of(seen.at, &seen.call)).collect();
        let rows = serde_json::to_value(rows).map_err(Fault::unreadable("a call to Toss"))?;
        sqlx::query!(
        "with came as (
            select * from jsonb_to_recordset($1) as c (
                at timestamptz, api text, method text, path text, order_id text, payment_key text, outcome text, status integer,
                failure text, why text, took_ms integer, trace_id text, first_trace_id text, code text, result_type text,
                version text, is_other_version boolean, request jsonb, answer jsonb)),
         answered as (
            insert into toss_versions (version, first_seen_at, last_seen_at)
            select version, min(at), max(at) from came where version is not null group by version order by version
            on conflict (version) do update set last_seen_at = excluded.last_seen_at
            where toss_versions.last_seen_at < excluded.last_seen_at - interval '1 minute')
         insert into toss_calls (at, api, method, path, order_id, payment_key, outcome, status, failure, why, took_ms, trace_id,
                                 first_trace_id, code, result_type, version, is_other_version, request, answer)
         select at, api, method, path, order_id, payment_key, outcome, status, failure, why, took_ms, trace_id,
                first_trace_id, code, result_type, version, is_other_version, request, answer from came",
        text::without_nul(rows),
    )
    .execute(pool)
    .await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;
    use time::macros::datetime;
    use toss::observe::{Api, Failure};

    use super::*;

    fn call(outcome: Outcome) -> Call {
        Call {
            api: Api::TossPayments,
            method: "GET".to_owned(),
            path: "/v1/payments/{paymentKey}",
            order_id: None,
            payment_key: Some("key_1".to_owned()),
            took: Duration::from_millis(12),
            status: Some(200),
            outcome,
            trace_id: None,
            version: None,
            request: None,
            answer: None,
        }
    }

    fn row(call: &Call) -> serde_json::Value {
        serde_json::to_value(NewRow::of(datetime!(2026-11-30 03:00 UTC), call)).unwrap()
    }

    #[test]
    fn a_replay_has_both_traces_and_another_version_is_one() {
        let replayed = Call {
            trace_id: Some("aaaaaaaa1, bbbbbbbb2".to_owned()),
            version: Some("2024-06-01".to_owned()),
            ..call(Outcome::Done)
        };
        let row_of_it = row(&replayed);
        assert_eq!(
            (&row_of_it["trace_id"], &row_of_it["first_trace_id"]),
            (&json!("aaaaaaaa1"), &json!("bbbbbbbb2"))
        );
        assert_eq!((&row_of_it["is_other_version"], &row_of_it["took_ms"]), (&json!(true), &json!(12)));
        let plain = row(&Call {
            trace_id: Some("aaaaaaaa1".to_owned()),
            version: Some(VERSION.to_owned()),
            ..replayed
        });
        assert_eq!((&plain["first_trace_id"], &plain["is_other_version"]), (&json!(null), &json!(false)));
        // Most answers say nothing of it.
        assert_eq!(row(&call(Outcome::Done))["is_other_version"], json!(false));
    }

    #[test]
    fn a_refusal_has_a_code_and_no_answer_has_a_reason() {
        let refused = row(&call(Outcome::Refused {
            code: "INVALID_REQUEST".to_owned(),
            result_type: Some("FAIL".to_owned()),
        }));
        assert_eq!((&refused["code"], &refused["result_type"]), (&json!("INVALID_REQUEST"), &json!("FAIL")));
        assert_eq!((&refused["outcome"], &refused["failure"]), (&json!("refused"), &json!(null)));
        let silent =
            row(&call(Outcome::NoAnswer { failure: Failure::TimedOut, why: "it took too long".to_owned() }));
        assert_eq!((&silent["outcome"], &silent["failure"]), (&json!("no_answer"), &json!("timed_out")));
        assert_eq!(silent["why"], json!("it took too long"));
    }
}
