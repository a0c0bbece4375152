//! The envelope around every answer (toss-api.md B1.3).

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Error, MaybeDone, NotDone, Refusal, lenient};
use crate::open_enum::open_enum;

open_enum! {
    /// How a call ended. Everything but `SUCCESS` is a failure, and four of them leave open whether it happened.
    ResultType {
        Success = "SUCCESS",
        HttpTimeout = "HTTP_TIMEOUT",
        NetworkError = "NETWORK_ERROR",
        ExecutionFail = "EXECUTION_FAIL",
        Interrupted = "INTERRUPTED",
        InternalError = "INTERNAL_ERROR",
        Fail = "FAIL",
    }
}

impl ResultType {
    /// Whether the call may have had its effect. A word that we do not know is no proof of the contrary.
    pub fn leaves_open(&self) -> bool {
        !matches!(self, Self::Success | Self::Fail | Self::ExecutionFail)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    result_type: Option<ResultType>,
    #[serde(borrow, default)]
    success: Option<&'a RawValue>,
    /// What older clients of the messenger read (toss-api.md B4).
    #[serde(borrow, default)]
    result: Option<&'a RawValue>,
    #[serde(default)]
    error: Option<WireError>,
}

/// The login calls answer `{"error": "invalid_grant"}` without an envelope (toss-api.md C26).
#[derive(Deserialize)]
#[serde(untagged)]
enum WireError {
    Word(String),
    #[serde(rename_all = "camelCase")]
    Object {
        #[serde(default, deserialize_with = "lenient::text")]
        error_code: Option<String>,
        #[serde(default)]
        data: Option<serde_json::Value>,
    },
}

impl WireError {
    fn refusal(self, status: u16, result_type: ResultType) -> Refusal {
        match self {
            Self::Word(code) => Refusal::new(status, result_type, &code, None),
            Self::Object { error_code, data } => {
                let wait = data.and_then(|d| d.get("retryAfterSeconds")?.as_u64());
                let code = error_code.unwrap_or_else(|| result_type.as_str().to_owned());
                Refusal::new(status, result_type, &code, wait)
            }
        }
    }
}

/// Decides by `resultType` first and by the HTTP status second. `null` where a success has no content.
pub(super) fn open(status: u16, bytes: &[u8]) -> Result<Box<RawValue>, Error> {
    let envelope: Envelope<'_> =
        serde_json::from_slice(bytes).map_err(|error| MaybeDone::Unreadable { status, how: error.into() })?;
    let is_ok = (200..300).contains(&status);
    match (envelope.result_type, envelope.error) {
        (Some(ResultType::Success), _) if is_ok => {
            let content = envelope.success.or(envelope.result);
            Ok(content.map_or_else(|| RawValue::NULL.to_owned(), ToOwned::to_owned))
        }
        (result_type, error) => {
            let missing = result_type.is_none() && error.is_none();
            let result_type = result_type.unwrap_or(ResultType::Fail);
            let refusal = match error {
                Some(error) => error.refusal(status, result_type),
                None => WireError::Object { error_code: None, data: None }.refusal(status, result_type),
            };
            // "Internal error" and "a problem has occurred" say nothing about what had happened by then.
            let vague = matches!(refusal.code.as_str(), "INTERNAL_ERROR" | "COMMON_PAY_ERROR");
            if missing || status >= 500 || refusal.result_type.leaves_open() || vague {
                return Err(MaybeDone::Said(refusal).into());
            }
            // A success with a status of 4xx is none.
            Err(NotDone::Refused(refusal).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(status: u16, body: &str) -> Error {
        open(status, body.as_bytes()).map(|_| ()).unwrap_err()
    }

    #[test]
    fn what_may_have_happened_is_told_from_what_did_not() {
        for word in ["HTTP_TIMEOUT", "NETWORK_ERROR", "INTERRUPTED", "INTERNAL_ERROR", "SOMETHING_NEW"] {
            let body = format!(
                r#"{{"resultType":"{word}","success":null,"error":{{"errorCode":"X","reason":"r"}}}}"#
            );
            assert!(matches!(error(200, &body), Error::MaybeDone(MaybeDone::Said(_))), "{word}");
        }
        for word in ["FAIL", "EXECUTION_FAIL"] {
            let body = format!(r#"{{"resultType":"{word}","error":{{"errorCode":4109,"reason":"r"}}}}"#);
            let Error::NotDone(NotDone::Refused(refusal)) = error(200, &body) else { panic!("{word}") };
            assert_eq!((refusal.code.as_str(), refusal.result_type.as_str()), ("4109", word));
        }
        assert!(matches!(
            error(500, r#"{"resultType":"FAIL","error":{"errorCode":"X"}}"#),
            Error::MaybeDone(_)
        ));
        assert!(matches!(error(502, "<html>"), Error::MaybeDone(MaybeDone::Unreadable { status: 502, .. })));
        assert!(matches!(error(200, "{}"), Error::MaybeDone(_)));
        let Error::NotDone(NotDone::Refused(refusal)) = error(400, r#"{"error":"invalid_grant"}"#) else {
            panic!("not refused")
        };
        assert_eq!(refusal.code, "invalid_grant");
    }

    #[test]
    fn the_content_is_read_under_either_name() {
        for body in [
            r#"{"resultType":"SUCCESS","success":"PENDING"}"#,
            r#"{"resultType":"SUCCESS","result":"PENDING"}"#,
        ] {
            assert_eq!(open(200, body.as_bytes()).unwrap().get(), r#""PENDING""#);
        }
        assert_eq!(open(200, br#"{"resultType":"SUCCESS"}"#).unwrap().get(), "null");
    }

    #[test]
    fn how_long_to_wait_is_read() {
        let body = r#"{"resultType":"FAIL","error":{"errorCode":"4095","reason":"r","data":{"retryAfterSeconds":7}}}"#;
        assert_eq!(error(200, body).refusal().and_then(|r| r.retry_after_seconds), Some(7));
    }
}
