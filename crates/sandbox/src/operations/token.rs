//! The token endpoints: issue, verify, list and revoke, with the error bodies that each documents.
//! Which tokens live is up to `store::token`.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::client_assertion;
use crate::http::{Answer, Form};
use crate::route::Route;
use crate::state::Turn;
use crate::store::token::{TokenKind, TokenStatus};

const STATELESS_LIFE: Duration = Duration::from_mins(15);
const SHORT_LIFE: Duration = Duration::from_hours(30 * 24);

/// Which tokens the older pair of verify and revoke answers for.
const OLDER: [TokenKind; 2] = [TokenKind::ShortLived, TokenKind::LongLived];

pub(crate) const ROUTES: &[Route] = &[
    Route::open("POST", "/oauth2/v2.1/token", issue_by_assertion),
    Route::open("GET", "/oauth2/v2.1/verify", verify_by_query),
    Route::open("GET", "/oauth2/v2.1/tokens/kid", list_key_ids),
    Route::open("POST", "/oauth2/v2.1/revoke", revoke_with_secret),
    Route::open("POST", "/oauth2/v3/token", issue_stateless),
    Route::open("POST", "/v2/oauth/accessToken", issue_short_lived),
    Route::open("POST", "/v2/oauth/verify", verify_by_form),
    Route::open("POST", "/v2/oauth/revoke", revoke_by_form),
];

fn missing() -> Answer {
    Answer::oauth("invalid_request", "some parameters missed or invalid")
}

/// The form of a call that asks for a token.
fn grant(turn: &Turn<'_>) -> Result<Form, Answer> {
    let form = turn.call.form().ok_or_else(missing)?;
    let fits = form.get("grant_type").as_deref() == Some("client_credentials");
    if fits { Ok(form) } else { Err(missing()) }
}

fn claims(
    turn: &Turn<'_>,
    kind: Option<&str>,
    jwt: Option<&str>,
) -> Result<Map<String, Value>, Answer> {
    if kind != Some(client_assertion::TYPE) {
        return Err(missing());
    }
    client_assertion::check(turn, jwt.ok_or_else(missing)?)
}

fn form_claims(turn: &Turn<'_>, form: &Form) -> Result<Map<String, Value>, Answer> {
    let (kind, jwt) = (
        form.get("client_assertion_type"),
        form.get("client_assertion"),
    );
    claims(turn, kind.as_deref(), jwt.as_deref())
}

fn issue_by_assertion(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    let form = grant(turn)?;
    let claims = form_claims(turn, &form)?;
    let life = client_assertion::token_life(&claims)?;
    let Some((token, key_id)) = turn
        .state
        .tokens
        .issue(TokenKind::Assertion, life, turn.now)
    else {
        let text = "The maximum number of access tokens has already been issued";
        return Err(Answer::message(400, text));
    };
    let mut body = issued(&token, life);
    body["key_id"] = json!(key_id);
    Ok(Answer::json(200, &body))
}

fn issue_stateless(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    let form = grant(turn)?;
    let by_secret = form.has("client_id") || form.has("client_secret");
    let by_assertion = form.has("client_assertion_type") || form.has("client_assertion");
    match (by_secret, by_assertion) {
        (true, false) if secret_matches(turn, &form) => {}
        (true, false) => {
            let text = "Invalid 'client_credentials'.";
            return Err(Answer::oauth("invalid_request", text));
        }
        (false, true) => drop(form_claims(turn, &form)?),
        // Fields of both variants, even empty ones, spoil the request.
        _ => return Err(missing()),
    }
    issue(turn, TokenKind::Stateless, STATELESS_LIFE)
}

fn issue_short_lived(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    let form = grant(turn)?;
    let (Some(id), Some(secret)) = (form.get("client_id"), form.get("client_secret")) else {
        return Err(missing());
    };
    if id != turn.settings.channel_id {
        return Err(Answer::oauth("invalid_client", "invalid client_id"));
    }
    if secret != turn.settings.channel_secret.expose() {
        return Err(Answer::oauth("invalid_client", "invalid client_secret"));
    }
    issue(turn, TokenKind::ShortLived, SHORT_LIFE)
}

fn issue(turn: &mut Turn<'_>, kind: TokenKind, life: Duration) -> Result<Answer, Answer> {
    match turn.state.tokens.issue(kind, life, turn.now) {
        Some((token, _)) => Ok(Answer::json(200, &issued(&token, life))),
        None => Err(Answer::message(500, "Internal error")),
    }
}

fn issued(token: &str, life: Duration) -> Value {
    json!({ "token_type": "Bearer", "access_token": token, "expires_in": life.as_secs() })
}

fn secret_matches(turn: &Turn<'_>, form: &Form) -> bool {
    form.get("client_id").as_ref() == Some(&turn.settings.channel_id)
        && form.get("client_secret").as_deref() == Some(turn.settings.channel_secret.expose())
}

fn list_key_ids(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    let query = |name| turn.call.query_value(name);
    let (kind, jwt) = (query("client_assertion_type"), query("client_assertion"));
    claims(turn, kind.as_deref(), jwt.as_deref())?;
    let body = json!({ "kids": turn.state.tokens.key_ids(turn.now) });
    Ok(Answer::json(200, &body))
}

fn is_jws(token: &str) -> bool {
    token.split('.').count() == 3 && token.split('.').all(|part| !part.is_empty())
}

fn verify_by_query(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    let refuse = |description| Err(Answer::oauth("invalid_request", description));
    let token = turn.call.query_value("access_token").unwrap_or_default();
    if !is_jws(&token) {
        return refuse("The access token not JWS");
    }
    match turn
        .state
        .tokens
        .look_up(&token, &[TokenKind::Assertion], turn.now)
    {
        TokenStatus::Live(found) => Ok(verified(turn, found.seconds_left(turn.now), None)),
        TokenStatus::Expired => refuse("The access token expired"),
        TokenStatus::Unknown => refuse("The access token malformed"),
    }
}

fn verify_by_form(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    let refuse = |description| Err(Answer::oauth("invalid_request", description));
    let Some(token) = well_formed_token(turn) else {
        return refuse("access_token in invalid format");
    };
    match turn.state.tokens.look_up(&token, &OLDER, turn.now) {
        TokenStatus::Live(found) => Ok(verified(turn, found.seconds_left(turn.now), Some("P CM"))),
        TokenStatus::Expired | TokenStatus::Unknown => refuse("access_token invalid"),
    }
}

fn verified(turn: &Turn<'_>, seconds_left: u64, scope: Option<&str>) -> Answer {
    let mut body = json!({ "client_id": turn.settings.channel_id, "expires_in": seconds_left });
    if let Some(scope) = scope {
        body["scope"] = json!(scope);
    }
    Answer::json(200, &body)
}

/// The form's `access_token`, unless no token could look like it.
fn well_formed_token(turn: &Turn<'_>) -> Option<String> {
    let token = turn.call.form()?.get("access_token")?;
    (!token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic())).then_some(token)
}

fn revoke_with_secret(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    let form = turn.call.form().ok_or_else(missing)?;
    let token = form.get("access_token").ok_or_else(missing)?;
    if !secret_matches(turn, &form) {
        return Err(Answer::oauth("invalid_client", "invalid client_secret"));
    }
    if !is_jws(&token) {
        return Err(Answer::oauth("invalid_request", "The access token not JWS"));
    }
    turn.state.tokens.revoke(&token, &[TokenKind::Assertion]);
    Ok(Answer::raw(200, "application/json", ""))
}

fn revoke_by_form(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    let Some(token) = well_formed_token(turn) else {
        return Err(Answer::json(400, &json!({ "error": "invalid_request" })));
    };
    turn.state.tokens.revoke(&token, &OLDER);
    Ok(Answer::raw(200, "application/json", ""))
}
