//! Errors as answers of an actix-web service.

use actix_web::http::StatusCode;
use actix_web::http::header::RETRY_AFTER;
use actix_web::{HttpResponse, ResponseError};
use serde_json::json;

use crate::activation::ActivateError;
use crate::completion::Abandoned;
use crate::error::Error;
use crate::errors::{CommandError, ReportError};
use crate::runtime::RegisterError;

/// What `Retry-After` says when finale has too much to do.
const RETRY_AFTER_SECONDS: u32 = 1;

/// The status that an error with this code is answered with.
fn status(code: &str) -> StatusCode {
    match code {
        "not_found" | "unknown_node" => StatusCode::NOT_FOUND,
        "invalid" | "input_invalid" | "too_long" | "blank_key" | "zero_deadline" | "payload_not_json"
        | "payload_too_deep" | "payload_not_finite" | "wrong_type" | "schema_mismatch" => StatusCode::BAD_REQUEST,
        "payload_too_large" => StatusCode::PAYLOAD_TOO_LARGE,
        "already_terminal"
        | "already_settled"
        | "scope_over"
        | "end_decided"
        | "not_running"
        | "not_ready"
        | "stale_attempt"
        | "idempotency_conflict"
        | "id_conflict"
        | "workflow_conflict"
        | "schema_conflict"
        | "signals_full"
        | "execution_cancelled" => StatusCode::CONFLICT,
        "execution_failed" => StatusCode::UNPROCESSABLE_ENTITY,
        "saturated" | "stopped" | "abandoned" => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn response(code: &str, message: &str) -> HttpResponse {
    let mut response = HttpResponse::build(status(code));
    if code == "saturated" {
        response.insert_header((RETRY_AFTER, RETRY_AFTER_SECONDS));
    }
    response.json(json!({"code": code, "message": message}))
}

macro_rules! answer_with {
    ($($error:ty),*) => {$(
        impl ResponseError for $error {
            fn status_code(&self) -> StatusCode {
                status(self.code())
            }

            fn error_response(&self) -> HttpResponse {
                response(self.code(), &self.to_string())
            }
        }
    )*};
}

answer_with!(Error, RegisterError, ActivateError, CommandError, ReportError, Abandoned);

#[cfg(test)]
mod tests {
    use actix_web::body::to_bytes;

    use super::*;

    #[actix::test]
    async fn an_error_is_answered_with_its_status_its_code_and_its_words() {
        let answer = Error::from(CommandError::NotFound).error_response();
        assert_eq!(answer.status(), StatusCode::NOT_FOUND);
        let body = to_bytes(answer.into_body()).await.expect("it is all there");
        assert_eq!(body, r#"{"code":"not_found","message":"there is no such execution"}"#);
    }

    #[test]
    fn who_comes_when_there_is_too_much_to_do_is_told_when_to_come_again() {
        let answer = ActivateError::Saturated { open_executions_max: 7 }.error_response();
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(answer.headers().contains_key(RETRY_AFTER));
    }
}
