//! The token endpoints: issue, verify, list and revoke, with the error bodies that LINE documents for
//! each. The tokens themselves are in `store::token`.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::client_assertion;
use crate::http::{Answer, Form};
use crate::route::Route;
use crate::state::Context;
use crate::store::token::{TokenKind, TokenStatus};

const STATELESS_LIFETIME: Duration = Duration::from_mins(15);
const SHORT_LIVED_LIFETIME: Duration = Duration::from_hours(30 * 24);

/// The kinds of token that the verify and revoke endpoints before v2.1 are for.
const BEFORE_V2_1: [TokenKind; 2] = [TokenKind::ShortLived, TokenKind::LongLived];

/// The paths that issue tokens.
pub(crate) const ISSUING: [&str; 3] = [
    "/oauth2/v2.1/token",
    "/oauth2/v3/token",
    "/v2/oauth/accessToken",
];

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

/// The form of a token request, which must have the grant type `client_credentials`.
fn client_credentials_form(ctx: &Context<'_>) -> Result<Form, Answer> {
    let form = ctx.call.form().ok_or_else(missing)?;
    let fits = form.get("grant_type").as_deref() == Some("client_credentials");
    if fits { Ok(form) } else { Err(missing()) }
}

fn claims(
    ctx: &Context<'_>,
    kind: Option<&str>,
    jwt: Option<&str>,
) -> Result<Map<String, Value>, Answer> {
    if kind != Some(client_assertion::ASSERTION_TYPE) {
        return Err(missing());
    }
    client_assertion::verify(ctx, jwt.ok_or_else(missing)?)
}

fn form_claims(ctx: &Context<'_>, form: &Form) -> Result<Map<String, Value>, Answer> {
    let (kind, jwt) = (
        form.get("client_assertion_type"),
        form.get("client_assertion"),
    );
    claims(ctx, kind.as_deref(), jwt.as_deref())
}

fn issue_by_assertion(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let form = client_credentials_form(ctx)?;
    let claims = form_claims(ctx, &form)?;
    let life = client_assertion::token_lifetime(&claims)?;
    let Some((token, key_id)) = ctx.state.tokens.issue(TokenKind::V2_1, life, ctx.now) else {
        let text = "The maximum number of access tokens has already been issued";
        return Err(Answer::message(400, text));
    };
    let mut body = issued(&token, life);
    body["key_id"] = json!(key_id);
    Ok(Answer::json(200, &body))
}

fn issue_stateless(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let form = client_credentials_form(ctx)?;
    let by_secret = form.has("client_id") || form.has("client_secret");
    let by_assertion = form.has("client_assertion_type") || form.has("client_assertion");
    match (by_secret, by_assertion) {
        (true, false) if secret_matches(ctx, &form) => {}
        (true, false) => {
            let text = "Invalid 'client_credentials'.";
            return Err(Answer::oauth("invalid_request", text));
        }
        (false, true) => drop(form_claims(ctx, &form)?),
        // Fields of both variants, even empty ones, make the request invalid.
        _ => return Err(missing()),
    }
    issue(ctx, TokenKind::Stateless, STATELESS_LIFETIME)
}

fn issue_short_lived(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let form = client_credentials_form(ctx)?;
    let (Some(id), Some(secret)) = (form.get("client_id"), form.get("client_secret")) else {
        return Err(missing());
    };
    if id != ctx.settings.channel_id {
        return Err(Answer::oauth("invalid_client", "invalid client_id"));
    }
    if secret != ctx.settings.channel_secret.expose() {
        return Err(Answer::oauth("invalid_client", "invalid client_secret"));
    }
    issue(ctx, TokenKind::ShortLived, SHORT_LIVED_LIFETIME)
}

fn issue(ctx: &mut Context<'_>, kind: TokenKind, life: Duration) -> Result<Answer, Answer> {
    match ctx.state.tokens.issue(kind, life, ctx.now) {
        Some((token, _)) => Ok(Answer::json(200, &issued(&token, life))),
        None => Err(Answer::message(500, "Internal error")),
    }
}

fn issued(token: &str, life: Duration) -> Value {
    json!({ "token_type": "Bearer", "access_token": token, "expires_in": life.as_secs() })
}

fn secret_matches(ctx: &Context<'_>, form: &Form) -> bool {
    form.get("client_id").as_ref() == Some(&ctx.settings.channel_id)
        && form.get("client_secret").as_deref() == Some(ctx.settings.channel_secret.expose())
}

fn list_key_ids(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let query = |name| ctx.call.query_value(name);
    let (kind, jwt) = (query("client_assertion_type"), query("client_assertion"));
    claims(ctx, kind.as_deref(), jwt.as_deref())?;
    let body = json!({ "kids": ctx.state.tokens.key_ids(ctx.now) });
    Ok(Answer::json(200, &body))
}

fn is_jws(token: &str) -> bool {
    token.split('.').count() == 3 && token.split('.').all(|part| !part.is_empty())
}

fn verify_by_query(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let refuse = |description| Err(Answer::oauth("invalid_request", description));
    let token = ctx.call.query_value("access_token").unwrap_or_default();
    if !is_jws(&token) {
        return refuse("The access token not JWS");
    }
    match ctx
        .state
        .tokens
        .look_up(&token, &[TokenKind::V2_1], ctx.now)
    {
        TokenStatus::Live(found) => Ok(verified(ctx, found.seconds_left(ctx.now), None)),
        TokenStatus::Expired => refuse("The access token expired"),
        TokenStatus::Unknown => refuse("The access token malformed"),
    }
}

fn verify_by_form(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let refuse = |description| Err(Answer::oauth("invalid_request", description));
    let Some(token) = well_formed_token(ctx) else {
        return refuse("access_token in invalid format");
    };
    match ctx.state.tokens.look_up(&token, &BEFORE_V2_1, ctx.now) {
        TokenStatus::Live(found) => Ok(verified(ctx, found.seconds_left(ctx.now), Some("P CM"))),
        TokenStatus::Expired | TokenStatus::Unknown => refuse("access_token invalid"),
    }
}

fn verified(ctx: &Context<'_>, seconds_left: u64, scope: Option<&str>) -> Answer {
    let mut body = json!({ "client_id": ctx.settings.channel_id, "expires_in": seconds_left });
    if let Some(scope) = scope {
        body["scope"] = json!(scope);
    }
    Answer::json(200, &body)
}

/// The form's `access_token`, if it has the format of a token.
fn well_formed_token(ctx: &Context<'_>) -> Option<String> {
    let token = ctx.call.form()?.get("access_token")?;
    (!token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic())).then_some(token)
}

fn revoke_with_secret(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let form = ctx.call.form().ok_or_else(missing)?;
    let token = form.get("access_token").ok_or_else(missing)?;
    if !secret_matches(ctx, &form) {
        return Err(Answer::oauth("invalid_client", "invalid client_secret"));
    }
    if !is_jws(&token) {
        return Err(Answer::oauth("invalid_request", "The access token not JWS"));
    }
    ctx.state.tokens.revoke(&token, &[TokenKind::V2_1]);
    Ok(Answer::raw(200, "application/json", ""))
}

fn revoke_by_form(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let Some(token) = well_formed_token(ctx) else {
        return Err(Answer::json(400, &json!({ "error": "invalid_request" })));
    };
    ctx.state.tokens.revoke(&token, &BEFORE_V2_1);
    Ok(Answer::raw(200, "application/json", ""))
}
