//! The error codes of Apps in Toss with their Korean reason (toss-api.md B1.3, B4, B5).
//!
//! Reasons may be reworded at any time: they are for people, code matches on `code` only.

/// `(code, reason)`.
pub const CODES: &[(&str, &str)] = &[
    ("INVALID_PARAMETER", "요청에 실패했습니다."),
    ("INTERNAL_ERROR", "요청을 처리하는 도중에 문제가 발생했습니다."),
    ("4010", "식별키를 확인할 수 없어요"),
    ("4095", "요청이 너무 많아요."),
    ("4100", "프로모션 정보를 찾을 수 없어요"),
    ("4104", "중지된 프로모션이에요"),
    ("4105", "종료된 프로모션이에요"),
    ("4108", "승인되지 않은 프로모션이에요"),
    ("4109", "프로모션이 실행중이 아니에요"),
    ("4110", "리워드를 지급/회수할 수 없어요"),
    ("4111", "리워드 지급내역을 찾을 수 없어요"),
    ("4112", "프로모션 머니가 부족해요"),
    ("4113", "이미 지급/회수된 내역이에요"),
    ("4114", "1회 지급 금액을 초과했어요"),
    ("4116", "최대 지급 금액이 예산을 초과했어요"),
    ("PAYMENT_EXISTING_PAYMENT", "이미 존재하는 결제입니다."),
    ("COMMON_INVALID_API_KEY", "바르지 않은 apiKey 입니다."),
    ("COMMON_BREAK_TIME_OF_BANK", "지금은 은행 점검 시간입니다. 점검이 끝난 후 사용해주세요."),
    ("COMMON_PAY_ERROR", "문제가 발생하였습니다."),
    ("COMMON_INVALID_PARAMETER", "요청한 값이 바르지 않습니다."),
    ("INACTIVE_USER", "탈퇴한 사용자입니다. 환불이 불가능합니다."),
    ("COMMON_REFUND_ERROR", "환불이 불가능한 상태입니다."),
    ("REFUND_EXCEED_DAILY", "환불 금액이 상점의 일일 환불 한도보다 클 수 없습니다."),
];

/// The reason of a code that Toss documents.
pub fn find(code: &str) -> Option<&'static str> {
    CODES.iter().find(|(known, _)| *known == code).map(|(_, reason)| *reason)
}
