//! What users sent: downloads that are ready, not yet ready, gone, and far too long to be kept in
//! memory; previews; the state of preparation.

use std::collections::BTreeMap;
use std::io::Read;

use line_connector_http::Secret;
use line_connector_http::{FailureKind, Headers, Method, Request, Transport};
use line_connector_sandbox::{
    Content, ContentBytes, ContentFate, ContentKind, DropPoint, Fault, FaultKind, Sandbox, Settings,
};
use serde_json::json;

use super::plain_client::Seen;
use super::{Scene, TOKEN};

const IMAGE: &str = "354718705033693861";
const VIDEO: &str = "354718705033693862";
const AUDIO: &str = "354718705033693863";
const FILE: &str = "354718705033693864";
const UNSENT: &str = "354718705033693865";
const FAILED: &str = "354718705033693866";
const HUGE: &str = "354718705033693867";

fn path(id: &str, rest: &str) -> String {
    format!("/v2/bot/message/{id}/content{rest}")
}

fn get(scene: &Scene, id: &str, rest: &str) -> Seen {
    scene.call("GET", &path(id, rest), None)
}

fn refusal(scene: &Scene, id: &str, rest: &str) -> (u16, String) {
    let seen = get(scene, id, rest);
    (seen.status, seen.message())
}

fn filler(length: usize) -> Vec<u8> {
    (0..251).cycle().take(length).collect()
}

#[test]
fn content_comes_as_bytes_with_its_type() {
    let scene = Scene::new();
    let image = get(&scene, IMAGE, "");
    assert_eq!(
        (image.status, image.field("content-type")),
        (200, Some("image/png"))
    );
    assert!(image.body.starts_with(b"\x89PNG\r\n") && image.body.len() < 100);
    assert_eq!(image.field("content-disposition"), None);
    assert!(image.field("x-line-request-id").is_some());
    let audio = get(&scene, AUDIO, "");
    assert_eq!(audio.field("content-type"), Some("audio/x-m4a"));
    assert_eq!(audio.body, filler(10_000));
    let file = get(&scene, FILE, "");
    assert_eq!((file.status, file.field("content-type")), (200, None));
    assert_eq!(file.body, filler(5000));
}

#[test]
fn a_video_is_ready_after_some_requests() {
    let scene = Scene::new();
    for _ in 0..2 {
        let seen = get(&scene, VIDEO, "");
        assert_eq!((seen.status, seen.body.len()), (202, 0));
    }
    assert_eq!(get(&scene, VIDEO, "").body, filler(100_000));
    let scene = Scene::new();
    let status = || get(&scene, VIDEO, "/transcoding").json()["status"].clone();
    assert_eq!(
        [status(), status(), status()],
        ["processing", "processing", "succeeded"]
    );
    assert_eq!(
        get(&scene, VIDEO, "").status,
        200,
        "asking after it counts too"
    );
}

#[test]
fn what_cannot_be_had_says_why() {
    let scene = Scene::new();
    let (gone, missing) = ("The content is gone".to_owned(), "not found".to_owned());
    for rest in ["", "/preview", "/transcoding"] {
        assert_eq!(refusal(&scene, UNSENT, rest), (410, gone.clone()), "{rest}");
        assert_eq!(refusal(&scene, "1", rest), (404, missing.clone()), "{rest}");
    }
    assert_eq!(refusal(&scene, FAILED, ""), (404, missing));
    assert_eq!(
        get(&scene, FAILED, "/transcoding").json(),
        json!({ "status": "failed" })
    );
    let text = "Transcoding status doesn't support this type of content".to_owned();
    for id in [IMAGE, FILE] {
        assert_eq!(
            refusal(&scene, id, "/transcoding"),
            (400, text.clone()),
            "{id}"
        );
    }
    let text = "The content can not be previewed".to_owned();
    for id in [AUDIO, FILE] {
        assert_eq!(refusal(&scene, id, "/preview"), (400, text.clone()), "{id}");
    }
    for id in [IMAGE, VIDEO] {
        let preview = get(&scene, id, "/preview");
        assert_eq!(preview.field("content-type"), Some("image/png"));
    }
    assert_eq!(
        scene
            .client()
            .call("GET", &path(IMAGE, ""), &[], None)
            .unwrap()
            .status,
        401
    );
}

/// Reads an answer of any length without keeping it: the length promised, and the length that came.
fn measure(scene: &Scene, target: &str) -> (u64, u64) {
    let mut client = scene.client();
    client.send(format!(
        "GET {target} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n\r\n"
    ));
    let mut block = vec![0; 256 * 1024];
    let mut head = Vec::new();
    let end = loop {
        let count = client.stream.read(&mut block).unwrap();
        assert_ne!(count, 0, "the head");
        head.extend_from_slice(&block[..count]);
        if let Some(end) = head.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
    };
    let text = String::from_utf8_lossy(&head[..end]).into_owned();
    let length = text.split("content-length: ").nth(1).unwrap();
    let promised = length.lines().next().unwrap().parse().unwrap();
    let mut came = (head.len() - end) as u64;
    while let Ok(count @ 1..) = client.stream.read(&mut block) {
        assert_eq!(u64::from(block[0]), came % 251, "at {came}");
        came += count as u64;
    }
    (promised, came)
}

#[test]
fn a_huge_video_is_streamed_and_can_break_off() {
    let scene = Scene::new();
    assert_eq!(measure(&scene, &path(HUGE, "")), (300_000_000, 300_000_000));
    scene.sandbox.inject(Fault::once(FaultKind::Drop {
        at: DropPoint::MidBody,
    }));
    assert_eq!(measure(&scene, &path(HUGE, "")), (300_000_000, 150_000_000));
}

#[test]
fn a_client_that_leaves_in_the_middle_does_not_hold_the_listener_up() {
    let scene = Scene::new();
    let mut client = scene.client();
    client.send(format!(
        "GET {} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n\r\n",
        path(HUGE, "")
    ));
    client.stream.read_exact(&mut [0; 100]).unwrap();
    let mut staying = scene.client();
    staying.send(format!(
        "GET {} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n\r\n",
        path(HUGE, "")
    ));
    staying.stream.read_exact(&mut [0; 100]).unwrap();
    drop(client);
    scene.listener.stop();
}

#[test]
fn settings_say_what_there_is() {
    let content = Content {
        kind: ContentKind::File,
        content_type: Some("text/plain".to_owned()),
        bytes: ContentBytes::Given(b"Hello".to_vec()),
        fate: ContentFate::Preparing(1),
    };
    let scene = Scene::with(Settings {
        contents: BTreeMap::from([("42".to_owned(), content)]),
        ..Settings::default()
    });
    assert_eq!(get(&scene, "42", "").status, 202);
    assert_eq!(get(&scene, "42", "").text(), "Hello");
    assert_eq!(get(&scene, IMAGE, "").status, 404);
}

#[test]
fn in_memory_a_huge_video_is_too_large() {
    let fetch = |id: &str| {
        Sandbox::default().send(&Request {
            method: Method::Get,
            url: format!("https://api-data.line.me{}", path(id, "")),
            headers: Headers::new(),
            bearer: Some(Secret::new(TOKEN)),
            body: Vec::new(),
            timeout: std::time::Duration::from_secs(5),
            download_timeout: None,
        })
    };
    assert_eq!(fetch(AUDIO).unwrap().body, filler(10_000));
    assert_eq!(fetch(HUGE).unwrap_err().kind, FailureKind::TooLarge);
}
