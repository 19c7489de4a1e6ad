//! A webhook of five events: verified, read into the connector's events, written as JSON; beside
//! minimal programs that verify and only parse. `cargo bench --bench webhook`; the figures are
//! bodies, so five times as many events.

#![expect(
    clippy::unwrap_used,
    reason = "a benchmark that cannot go on has nothing to measure"
)]

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use line_connector::catalog::Catalog;
use line_connector::encoding;
use line_connector::secret::Secret;
use line_connector::webhook::signature::Verifier;
use line_connector::webhook::{self, Terms};
use ring::hmac;
use serde::Deserialize;

const SECRET: &str = "8c570fa6dd201bb328f1c1eac23a96d8";

/// As LINE writes it: one line, no spaces.
const BODY: &str = concat!(
    r#"{"destination":"U8e742f61d673b39c7fff3cecb7536ef0","events":["#,
    r#"{"type":"message","message":{"type":"text","id":"444573844083572737","quoteToken":"q3Plxr4AgKd0yA7c4nW6yMoG1l_oPkJS6BhPCDsQkS5MzUl1hmJ8","markAsReadToken":"30yhdy232jYd38hd73ndy9","text":"Hello, is the red one in size 42 still there? I would like to pick it up this evening."},"webhookEventId":"01HMQGW40RZJPJM3RAJP7BHC2Q","deliveryContext":{"isRedelivery":false},"timestamp":1705891467176,"source":{"type":"user","userId":"U4af4980629f0b5a3c3d6b8a1d2e3f405"},"replyToken":"85cbe770fa8b4f45bbe077b1d4be4a36","mode":"active"},"#,
    r#"{"type":"message","message":{"type":"text","id":"444573844083572738","quoteToken":"q3Plxr4AgKd0yA7c4nW6yMoG1l_oPkJS6BhPCDsQkS5MzUl1hmJ8","markAsReadToken":"30yhdy232jYd38hd73ndy9","text":"@All @example Good Morning!! (love)","emojis":[{"index":29,"length":6,"productId":"5ac1bfd5040ab15980c9b435","emojiId":"001"}],"mention":{"mentionees":[{"index":0,"length":4,"type":"all"},{"index":5,"length":8,"userId":"U0047556f2e40dba2456887320ba7c76d","type":"user","isSelf":false}]}},"webhookEventId":"01HMQGW40RZJPJM3RAJP7BHC2R","deliveryContext":{"isRedelivery":false},"timestamp":1705891467177,"source":{"type":"group","groupId":"Ca56f94637c40dba2456887320ba7c76d","userId":"U4af4980629f0b5a3c3d6b8a1d2e3f405"},"replyToken":"38ef843bde154d9b91c21320ffd17a0f","mode":"active"},"#,
    r#"{"type":"message","message":{"type":"image","id":"354718705033693859","quoteToken":"q3Plxr4AgKd0yA7c4nW6yMoG1l_oPkJS6BhPCDsQkS5MzUl1hmJ8","markAsReadToken":"30yhdy232jYd38hd73ndy9","contentProvider":{"type":"line"},"imageSet":{"id":"E005D41A7288F41B65593ED38FF6E9834B046AB36A37921A56BC236F13A91855","index":1,"total":2}},"webhookEventId":"01HMQGW40RZJPJM3RAJP7BHC2S","deliveryContext":{"isRedelivery":false},"timestamp":1705891467178,"source":{"type":"user","userId":"U4af4980629f0b5a3c3d6b8a1d2e3f405"},"replyToken":"7840b71058e24a5d91f9b5726c7512c9","mode":"active"},"#,
    r#"{"type":"postback","postback":{"data":"movieId=1234&actionId=101","params":{"datetime":"2017-12-25T01:00"}},"webhookEventId":"01HMQGW40RZJPJM3RAJP7BHC2T","deliveryContext":{"isRedelivery":true},"timestamp":1705891467179,"source":{"type":"user","userId":"U4af4980629f0b5a3c3d6b8a1d2e3f405"},"replyToken":"b60d432864f44d079f6d8efe86cf404b","mode":"active"},"#,
    r#"{"type":"follow","follow":{"isUnblocked":false},"webhookEventId":"01HMQGW40RZJPJM3RAJP7BHC2V","deliveryContext":{"isRedelivery":false},"timestamp":1705891467180,"source":{"type":"user","userId":"U4af4980629f0b5a3c3d6b8a1d2e3f405"},"replyToken":"bd10a5a6e0a648fbb1a1ae0ba6b8c1f2","mode":"active"}"#,
    r"]}",
);

/// What a minimal receiver knows of an event: who, what, when, in what kind of message.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "it is parsed and not looked at")]
struct Minimal<'a> {
    #[serde(borrow)]
    destination: Cow<'a, str>,
    #[serde(borrow)]
    events: Vec<MinimalEvent<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "it is parsed and not looked at")]
struct MinimalEvent<'a> {
    #[serde(borrow)]
    r#type: Cow<'a, str>,
    timestamp: i64,
    #[serde(borrow)]
    webhook_event_id: Cow<'a, str>,
    #[serde(borrow)]
    reply_token: Option<Cow<'a, str>>,
    #[serde(borrow)]
    source: Option<MinimalSource<'a>>,
    #[serde(borrow)]
    message: Option<MinimalMessage<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "it is parsed and not looked at")]
struct MinimalSource<'a> {
    #[serde(borrow)]
    user_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    group_id: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "it is parsed and not looked at")]
struct MinimalMessage<'a> {
    #[serde(borrow)]
    r#type: Cow<'a, str>,
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
}

fn key() -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes())
}

fn signature() -> String {
    encoding::base64(hmac::sign(&key(), BODY.as_bytes()).as_ref())
}

/// What every receiver must do, with ring and base64 and nothing of the connector's.
fn verify(key: &hmac::Key, signature: &str) {
    let tag = encoding::from_base64(signature).unwrap();
    hmac::verify(key, black_box(BODY).as_bytes(), &tag).unwrap();
}

/// Each run drops what it made, as a receiver does: kept results would measure fresh memory.
fn counted<'a, 'b>(bencher: Bencher<'a, 'b>) -> Bencher<'a, 'b> {
    // Events, and the bytes that they come in.
    bencher
        .counter(ItemsCount::new(5_u32))
        .counter(BytesCount::of_str(BODY))
}

#[divan::bench]
fn a_verify_only(bencher: Bencher<'_, '_>) {
    let (key, signature) = (key(), signature());
    counted(bencher).bench_local(|| verify(&key, &signature));
}

#[divan::bench]
fn b_verify_and_parse_minimal_types(bencher: Bencher<'_, '_>) {
    let (key, signature) = (key(), signature());
    counted(bencher).bench_local(|| {
        verify(&key, &signature);
        black_box(&serde_json::from_slice::<Minimal<'_>>(black_box(BODY).as_bytes()).unwrap());
    });
}

#[divan::bench]
fn c_verify_and_parse_value(bencher: Bencher<'_, '_>) {
    let (key, signature) = (key(), signature());
    counted(bencher).bench_local(|| {
        verify(&key, &signature);
        black_box(
            &serde_json::from_slice::<serde_json::Value>(black_box(BODY).as_bytes()).unwrap(),
        );
    });
}

#[divan::bench]
fn d_connector_verify_and_read(bencher: Bencher<'_, '_>) {
    let (verifier, signature) = (Verifier::new(&Secret::new(SECRET)), signature());
    let triggers = Catalog::embedded().triggers();
    let terms = Terms::new(
        &triggers.content,
        SystemTime::UNIX_EPOCH + Duration::from_hours(1),
    );
    counted(bencher).bench_local(|| {
        let body = black_box(BODY).as_bytes();
        verifier.verify(body, Some(&signature)).unwrap();
        black_box(&webhook::read(body, &terms).unwrap());
    });
}

#[divan::bench]
fn e_connector_verify_read_and_write(bencher: Bencher<'_, '_>) {
    let (verifier, signature) = (Verifier::new(&Secret::new(SECRET)), signature());
    let triggers = Catalog::embedded().triggers();
    let terms = Terms::new(
        &triggers.content,
        SystemTime::UNIX_EPOCH + Duration::from_hours(1),
    );
    counted(bencher).bench_local(|| {
        let body = black_box(BODY).as_bytes();
        verifier.verify(body, Some(&signature)).unwrap();
        black_box(&serde_json::to_string(&webhook::read(body, &terms).unwrap()).unwrap());
    });
}

fn main() {
    divan::main();
}
