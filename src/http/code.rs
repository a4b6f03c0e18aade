//! Every problem there is: code, status, title, what it means and what to do; `docs/errors.md` is made from this list.

use std::fmt::Write;

use actix_web::http::StatusCode;

use crate::core::verdict::Reason;

/// Declares the codes once.
macro_rules! codes {
    ($($variant:ident $code:literal $status:ident $title:literal $meaning:literal $remedy:literal)*) => {
        /// A kind of problem. The codes are part of the contract and never change.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Code {
            $($variant,)*
        }

        impl Code {
            const ALL: &[Self] = &[$(Self::$variant),*];

            /// The stable code.
            pub(super) const fn name(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// The HTTP status.
            pub(super) const fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)* }
            }

            /// The title.
            pub(super) const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }

            /// What happened and what to do, where nothing more is known.
            pub(super) const fn detail(self) -> &'static str {
                match self { $(Self::$variant => concat!($meaning, " ", $remedy),)* }
            }

            const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)* }
            }

            const fn remedy(self) -> &'static str {
                match self { $(Self::$variant => $remedy,)* }
            }
        }
    };
}

codes! {
    Malformed "malformed" BAD_REQUEST "Malformed request"
        "The request can not be read: its JSON, its envelope, its query or its cursor." "Mend what `errors` points at and send it again."
    TokenRepeated "token_repeated" BAD_REQUEST "Token repeated"
        "The request carries more than one token, and which one counts is not guessed at." "Send one token, in one place."
    Unauthenticated "unauthenticated" UNAUTHORIZED "Not authenticated"
        "There is no genuine token behind the request." "The member `code` says why; get a fresh token and send it as `Authorization: Bearer TOKEN`."
    LoginFailed "login_failed" UNAUTHORIZED "Login failed"
        "There is no such account, or the password is wrong; or no name and password were sent." "Send both by HTTP Basic."
    InsufficientScope "insufficient_scope" FORBIDDEN "Insufficient scope"
        "The token is genuine and does not allow this." "Ask for a token with the scope that is named."
    IdentityTooLarge "identity_too_large" FORBIDDEN "Identity too large"
        "The token is genuine, and what it says of its caller is more than the headers to the service can carry." "Get a token with fewer scopes or roles in it."
    DevelopmentMode "development_mode" FORBIDDEN "Development mode"
        "In development mode the gateway serves only this machine, directly." "Call it as localhost without a proxy, or set server.mode to \"production\"."
    RegistrationOff "registration_off" FORBIDDEN "Registration off"
        "Accounts are not made by this call here." "Ask who runs the gateway for an account, or them to set accounts.registration."
    NotFound "not_found" NOT_FOUND "Not found"
        "There is nothing here under this name, or it is somebody else's." "Check the path and the id, and whose token this is."
    MethodNotAllowed "method_not_allowed" METHOD_NOT_ALLOWED "Method not allowed"
        "The path exists, and not for this method." "Use one of the methods in the header `Allow`."
    RequestTimeout "request_timeout" REQUEST_TIMEOUT "Request timeout"
        "The body did not arrive in time." "Send it faster, or in smaller requests."
    RequestFinished "request_finished" CONFLICT "Request finished"
        "The request had reached its end before it could be cancelled or moved on." "The member `request` shows how it ended."
    NotFinished "not_finished" CONFLICT "Not finished"
        "The request has not reached its end." "The member `request` shows how it gets on; wait for its end, or cancel it."
    RequestFailed "request_failed" CONFLICT "Request failed"
        "The request has reached its end without a result: it failed, was cancelled or expired." "The member `request` shows how it ended."
    NotSimulated "not_simulated" CONFLICT "Not simulated"
        "Workers move this request on, and not the time." "Complete it as a worker would."
    LeaseLost "lease_lost" CONFLICT "Lease lost"
        "This is not the lease that counts: another has been given since, the attempt has ended, or the request has." "Stop working on the request, and do not report on it again; the member `request` shows how it stands."
    NotFailed "not_failed" CONFLICT "Not failed"
        "The request has not failed, so it can not be tried again." "The member `request` shows how it stands."
    EndpointConflict "endpoint_conflict" CONFLICT "Endpoint conflict"
        "The webhook endpoint is disabled or configured by the Provider, or there are too many." "Read `detail`."
    AccountExists "account_exists" CONFLICT "Account exists"
        "There is an account of this name." "Choose another name."
    ClientConflict "client_conflict" CONFLICT "Client conflict"
        "The client exists already, is configured by the Provider, or is not in a state for this." "Read `detail`."
    KeysNotFetched "keys_not_fetched" CONFLICT "Keys not fetched"
        "This verifier fetches no keys: there is nothing to refresh." "Refresh one that has `keys` in `GET /v1/admin/issuers`."
    KeysNotRotated "keys_not_rotated" CONFLICT "Keys not rotated"
        "There is no new signing key." "Read `detail`."
    Gone "gone" GONE "Gone"
        "It was here, and is no longer kept." "Submit the request again if you still need it."
    StateChanged "state_changed" PRECONDITION_FAILED "State changed"
        "The request is in another state than the one that `If-Match` names." "The member `request` shows the present one; decide again."
    PayloadTooLarge "payload_too_large" PAYLOAD_TOO_LARGE "Payload too large"
        "The body is larger than the gateway reads." "Send less, or have server.max_body_bytes raised."
    UnsupportedMediaType "unsupported_media_type" UNSUPPORTED_MEDIA_TYPE "Unsupported media type"
        "The body is not of a media type that is read here, or it is compressed." "Send it as `Content-Type: application/json`, not compressed."
    HostUnknown "host_unknown" MISDIRECTED_REQUEST "Host unknown"
        "The gateway is operated on this machine only, and the host that was called is not this machine." "Call it as localhost, or give server.admin_bind the address that it is called at."
    PayloadInvalid "payload_invalid" UNPROCESSABLE_ENTITY "Payload invalid"
        "The payload breaks the schema of its type." "Mend what `errors` points at and send it again."
    ResultInvalid "result_invalid" UNPROCESSABLE_ENTITY "Result invalid"
        "The result breaks the schema of the results of its type, and the attempt has failed for it." "Mend the worker by what `errors` points at; the member `request` shows whether there will be another attempt."
    AccountInvalid "account_invalid" UNPROCESSABLE_ENTITY "Account invalid"
        "The name can be no account's, or the password is too easily guessed." "Choose others by what `errors` says."
    IdempotencyKeyReused "idempotency_key_reused" UNPROCESSABLE_ENTITY "Idempotency key reused"
        "The Idempotency-Key was used before with another body." "Use a fresh key for a different request."
    TooManyAttempts "too_many_attempts" TOO_MANY_REQUESTS "Too many attempts"
        "Too many attempts came from there: wrong passwords, or new accounts." "Wait for `Retry-After` and try again."
    QuotaExceeded "quota_exceeded" TOO_MANY_REQUESTS "Quota exceeded"
        "Your share of the gateway is used up: you have called too often, or too many of your requests have not reached their end." "Wait for `Retry-After` and send it again; the member `limit` says which limit it is, by `name` and `value`, and `reset` after how many seconds it is worth another try."
    Internal "internal" INTERNAL_SERVER_ERROR "Internal error"
        "The gateway failed; the request may or may not have taken effect." "Report the trace_id to its operator."
    RecordDamaged "record_damaged" INTERNAL_SERVER_ERROR "Record damaged"
        "The stored record does not match its checksum." "Report the trace_id to the gateway's operator, who can restore it from a backup."
    KeysNotRefreshed "keys_not_refreshed" BAD_GATEWAY "Keys not refreshed"
        "The issuer did not give its keys; those that there were stay." "Look at `last_error` of the issuer and at the log."
    Overloaded "overloaded" SERVICE_UNAVAILABLE "Overloaded"
        "The gateway is at its limit and did not take the request." "Wait for `Retry-After` and send it again."
    VerifierUnavailable "verifier_unavailable" SERVICE_UNAVAILABLE "Token can not be verified"
        "What is needed to check the token is not to be had from its issuer now." "The token may be good: wait for `Retry-After` and send the request again."
    StoreFull "store_full" SERVICE_UNAVAILABLE "Store full"
        "There is no space left to store the request; nothing was stored." "Wait for `Retry-After` and send it again; the operator must make space."
    StoreUnreadable "store_unreadable" SERVICE_UNAVAILABLE "Store unreadable"
        "The store can not be read now; nothing was changed." "Wait for `Retry-After` and ask again; the operator finds the reason in the log."
    StoreUnavailable "store_unavailable" SERVICE_UNAVAILABLE "Store unavailable"
        "The store can not be used; the request may or may not have been stored." "Send it again with the same Idempotency-Key once the gateway is back."
}

/// The codes of faults in a body.
const FAULTS: &[(&str, &str)] = &[
    ("invalid_json", "This is not JSON."),
    ("unknown_field", "There is no member of this name."),
    ("missing_field", "A member that must be there is not."),
    ("duplicate_field", "A member comes twice."),
    ("wrong_type", "The value is of another JSON type than the one expected."),
    ("invalid_value", "The value is of the right JSON type and not one of those allowed."),
    ("unknown_type", "There is no request type of this name."),
    ("invalid_key", "The key of a tag has characters that it may not have, or too many or none."),
    ("too_long", "The value of a tag is too long."),
    ("too_many", "There are too many tags, or too many requests in a batch."),
    ("out_of_range", "The instant lies too early or too late."),
    ("weak_password", "The password is too short, too long, or one of those that are tried first."),
    ("schema_violation", "The payload breaks the schema of its type here."),
];

/// The errors of the token service.
const OAUTH_ERRORS: &[(&str, &str, &str)] = &[
    (
        "invalid_request",
        "400, 408, 413, 415",
        "A parameter is missing, repeated or malformed, or the body can not be read.",
    ),
    ("invalid_client", "401", "The client is not known, or its secret is wrong."),
    (
        "invalid_grant",
        "400",
        "The code, the refresh token or the device code is unknown, expired, used already or another client's, or does not go with the other parameters.",
    ),
    ("unauthorized_client", "400", "The client may not use this grant: its `grants` do not name it."),
    ("unsupported_grant_type", "400", "The grant is none that is offered."),
    ("invalid_scope", "400", "A scope is not one that the client has."),
    ("authorization_pending", "400", "The person has not confirmed the device yet: ask again after the interval."),
    ("slow_down", "400", "The same, and the device asked too early: from now on it has to wait for 5 seconds more."),
    ("access_denied", "400", "The person has denied it."),
    ("expired_token", "400", "The person has not confirmed the device in time: begin again."),
    (
        "temporarily_unavailable",
        "429, 503",
        "There were too many attempts with wrong credentials, or too many devices have begun to wait; or (503) the store or the keys are not to be had: wait for `Retry-After`.",
    ),
];

/// The text of `docs/errors.md`.
pub fn errors_document() -> String {
    let mut text = String::from(
        "# Errors\n\nMade from the code by `anteroom openapi --errors`; do not edit. Every error is `application/problem+json` (RFC 9457) \
         with the members `type` (`urn:anteroom:error:CODE`), `title`, `status`, `detail`, `code`, `trace_id` and, where the \
         body is at fault, `errors` with a JSON Pointer to each fault. `POST /oauth/token`, `/oauth/introspect`, `/oauth/revoke`, `/oauth/device` and `/auth` answer most errors in the \
         form of RFC 6749, below; their 403 `development_mode`, 405 and 503 `overloaded` are problems like those of any path. Errors of HTTP parsing itself (400, 408, 431) have an empty body.\n\n\
         | code | status | meaning | what to do |\n|---|---|---|---|\n",
    );
    for code in Code::ALL {
        let (name, status, meaning, remedy) = (code.name(), code.status().as_u16(), code.meaning(), code.remedy());
        // Writing to a string does not fail.
        let _ = writeln!(text, "| `{name}` | {status} | {meaning} | {remedy} |");
    }
    text.push_str("\n## Why a token is refused\n\nWith status 401 the member `code` is one of:\n\n| code | meaning |\n|---|---|\n");
    for reason in Reason::ALL {
        let _ = writeln!(text, "| `{}` | {} |", reason.code(), reason.sentence());
    }
    text.push_str("\n## What is wrong with a body\n\nThe `code` of each fault in `errors` is one of:\n\n| code | meaning |\n|---|---|\n");
    for (code, meaning) in FAULTS {
        let _ = writeln!(text, "| `{code}` | {meaning} |");
    }
    text.push_str(
        "\n## Why there is no token\n\n`POST /oauth/token`, `/oauth/introspect`, `/oauth/revoke`, `/oauth/device` and `/auth` answer `error` and `error_description` (RFC 6749 section 5.2), \
         where `error` is one of:\n\n| error | status | meaning |\n|---|---|---|\n",
    );
    for (error, status, meaning) in OAUTH_ERRORS {
        let _ = writeln!(text, "| `{error}` | {status} | {meaning} |");
    }
    text
}
