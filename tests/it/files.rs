//! Bytes in and out: images and lists that go to LINE, content that comes from it, saved whole or
//! not at all.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Waker;
use std::time::{Duration, SystemTime};

use line_connector_client::{Clock, SystemClock};
use line_connector_core::digest::sha256;
use line_connector_core::documents::Invocation;
use line_connector_core::encoding::{base64, from_base64};
use line_connector_core::error::{Detail, Kind};
use line_connector_http::{Failure, Receiver, Reply, Request, Transport};
use serde_json::{Value, json};

use crate::world::{Ended, World, call, connector, run};

/// A PNG of one colour and these dimensions, as far as anybody looks.
fn png(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    bytes.extend_from_slice(&width.to_be_bytes());
    bytes.extend_from_slice(&height.to_be_bytes());
    bytes.extend_from_slice(&[8, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    bytes
}

fn rich_menu(world: &World) -> String {
    let inputs = json!({
        "size": {"width": 2500, "height": 1686}, "selected": false, "name": "menu",
        "chatBarText": "open", "areas": [],
    });
    let document = json!({"action": "create_rich_menu", "asset": world.bearer(), "inputs": inputs});
    let output = call(&connector(), document);
    let body = output
        .json()
        .unwrap_or_else(|| panic!("{}", output.render()));
    body["richMenuId"].as_str().unwrap().to_owned()
}

fn upload(world: &World, menu: &str, source: &Value) -> Value {
    json!({
        "action": "upload_rich_menu_image", "asset": world.bearer(),
        "inputs": {"path_parameters": {"richMenuId": menu}, "data_body": source},
    })
}

#[test]
fn a_rich_menu_image_goes_as_raw_bytes_and_comes_back_the_same() {
    let world = World::new();
    let menu = rich_menu(&world);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("menu.png");
    fs::write(&path, png(2500, 1686)).unwrap();
    let output = call(&connector(), upload(&world, &menu, &json!({"path": path})));
    assert!(output.error.is_none(), "{}", output.render());
    let request = world.sandbox.requests().pop().unwrap();
    assert!(
        request
            .headers
            .contains(&("content-type".to_owned(), "image/png".to_owned()))
    );
    let document = json!({
        "action": "download_rich_menu_image", "asset": world.bearer(),
        "inputs": {"richMenuId": menu},
    });
    let file = call(&connector(), document).file.unwrap();
    assert_eq!(from_base64(&file.base64.unwrap()).unwrap(), png(2500, 1686));
    assert_eq!(file.sha256, sha256(&png(2500, 1686)));
    assert_eq!(file.content_type.as_deref(), Some("image/png"));
}

#[test]
fn a_wrong_image_is_refused_before_anything_is_sent() {
    let world = World::new();
    let menu = rich_menu(&world);
    let before = world.sandbox.requests().len();
    let large = [png(2500, 1686), vec![0; 1024 * 1024]].concat();
    for bytes in [
        b"GIF89a....".to_vec(),
        png(799, 300),
        png(2500, 1800),
        png(800, 249),
        large,
        vec![1],
    ] {
        let source = json!({"base64": base64(&bytes)});
        let output = call(&connector(), upload(&world, &menu, &source));
        let error = output.error.unwrap();
        assert_eq!(error.kind, Kind::InvalidInputs);
        assert_eq!(error.details[0].path, "/data_body");
    }
    for source in [
        json!({"path": "/nowhere/menu.png"}),
        json!({"base64": "*"}),
        json!({}),
    ] {
        let output = call(&connector(), upload(&world, &menu, &source));
        assert_eq!(output.error.unwrap().kind, Kind::InvalidInputs);
    }
    assert_eq!(world.sandbox.requests().len(), before);
}

/// What a dry run of an upload of this source would send as the content type, or what is refused.
fn planned(source: &Value) -> Result<String, String> {
    let document = json!({
        "action": "upload_rich_menu_image",
        "inputs": {"richMenuId": format!("richmenu-{}", "0".repeat(32)), "data_body": source},
    });
    let output = connector().plan(Invocation::from_value(document).unwrap());
    if let Some(error) = output.error {
        return Err(error.details[0].to_string());
    }
    let request = serde_json::to_value(output.request.unwrap()).unwrap();
    let sent = &request["body"]["binary"];
    assert_eq!(sent["sha256"], sha256(&png(2500, 1686)), "{source}");
    Ok(sent["content_type"].as_str().unwrap().to_owned())
}

#[test]
fn bytes_are_taken_in_the_notations_that_other_programs_use() {
    let plain = base64(&png(2500, 1686));
    let wrapped = |width: usize, end: &str| {
        let lines = plain.as_bytes().chunks(width);
        lines.fold(String::new(), |text, line| {
            text + str::from_utf8(line).unwrap() + end
        })
    };
    let url_safe = plain.replace('+', "-").replace('/', "_");
    for text in [
        wrapped(76, "\n"),
        wrapped(64, "\r\n"),
        wrapped(10, " "),
        wrapped(5, "\t"),
        format!("\n{plain}\n"),
        plain.trim_end_matches('=').to_owned(),
        url_safe.trim_end_matches('=').to_owned(),
        url_safe,
        format!("data:image/png;base64,{plain}"),
        format!("DATA:image/png;BASE64,{plain}"),
        format!("data:image/png;charset=binary;base64,{plain}"),
        format!("data:;base64,{plain}"),
        format!("data:application/octet-stream;base64,{plain}"),
        format!("data:image/png;base64,{}", wrapped(76, "\r\n")),
    ] {
        let sent = planned(&json!({"base64": text}));
        assert_eq!(sent.as_deref(), Ok("image/png"), "{text}");
    }
    // Who gives a content type means it, whatever the data URL says.
    let source =
        json!({"base64": format!("data:text/plain;base64,{plain}"), "content_type": "image/png"});
    assert_eq!(planned(&source).as_deref(), Ok("image/png"));
}

#[test]
fn bytes_that_cannot_be_read_are_told_by_place_and_reason() {
    let plain = base64(&png(2500, 1686));
    let at = |place: usize, odd: &str| format!("{}{odd}{}", &plain[..place], &plain[place..]);
    for (text, words) in [
        (at(4, "*"), "character 5 is `*`"),
        (at(8, "\\n"), "character 9 is `\\`"),
        (at(0, "\""), "character 1 is `\""),
        (at(12, "%2B"), "character 13 is `%`"),
        (at(12, "é"), "character 13 is `é`"),
        (at(4, "\u{200b}"), "character 5 is `\\u{200b}`"),
        (at(4, "="), "goes on at character 6, after the `=`"),
        ("QUJD*".to_owned(), "character 5 is `*`"),
        ("QUJDR".to_owned(), "5 characters cannot be whole bytes"),
        (
            "QUJDRA=".to_owned(),
            "1 `=` after 6 characters, where 2 belong",
        ),
        ("QUJDRB==".to_owned(), "holds too many bits"),
        (
            format!("data:image/png;base64,{}", at(4, "?")),
            "character 27 is `?`",
        ),
        (format!("data:image/png;base64{plain}"), "without the comma"),
        (
            "data:text/plain,hello".to_owned(),
            "must have `;base64` before the comma",
        ),
        (
            "https://example.com/menu.png".to_owned(),
            "character 6 is `:`",
        ),
    ] {
        let refused = planned(&json!({"base64": text})).unwrap_err();
        assert!(refused.starts_with("/data_body/base64: "), "{refused}");
        assert!(refused.contains(words), "{text}: {refused}");
    }
    let refused = planned(&json!({"base64": format!("data:image/jpg;base64,{plain}")}));
    assert!(
        refused
            .unwrap_err()
            .contains("is not what `content_type` says")
    );
    for (path, words) in [
        ("https://example.com/menu.png", "fetch it first"),
        ("HTTP://example.com/menu.png", "fetch it first"),
        ("s3://bucket/menu.png", "fetch it first"),
        ("file:///tmp/menu.png", "without `file://`"),
        ("data:image/png;base64,QUJD", "give it as `base64`"),
    ] {
        let refused = planned(&json!({"path": path})).unwrap_err();
        assert!(refused.contains(words), "{path}: {refused}");
    }
}

#[test]
fn a_file_of_user_ids_goes_as_multipart() {
    let world = World::new();
    let ids = format!(
        "{}\n{}\n",
        crate::world::USER,
        "U00000000000000000000000000000001"
    );
    let document = json!({
        "action": "create_audience_for_uploading_user_ids_by_file", "asset": world.bearer(),
        "inputs": {
            "data_body": {"description": "from a file"},
            "files": {"file": {"base64": base64(ids.as_bytes()), "file_name": "ids.txt"}},
        },
    });
    let output = call(&connector(), document);
    assert!(output.error.is_none(), "{}", output.render());
    assert!(output.json().unwrap()["audienceGroupId"].is_u64());
    let request = world.sandbox.requests().pop().unwrap();
    let content_type = request
        .headers
        .iter()
        .find(|(name, _)| name == "content-type")
        .unwrap();
    assert!(
        content_type.1.starts_with("multipart/form-data; boundary="),
        "{content_type:?}"
    );
}

const IFA: &str = "11111111-2222-3333-4444-555555555555";

/// A dry run of an upload of lines: into a new audience where the fields are a description, else
/// into one that is there. What is refused and what is doubtful, as places and texts.
fn lines_of(bytes: &[u8], fields: &Value) -> (Vec<Detail>, Vec<Detail>) {
    let action = if fields.get("description").is_some() {
        "create_audience_for_uploading_user_ids_by_file"
    } else {
        "add_user_ids_or_identifiers_for_advertisers_ifas_to_an_audience_for_uploading_user_ids_by_file"
    };
    let file = json!({"base64": base64(bytes)});
    let document =
        json!({"action": action, "inputs": {"data_body": fields, "files": {"file": file}}});
    let output = connector().plan(Invocation::from_value(document).unwrap());
    let refused = output.error.map(|error| error.details);
    let doubtful = output.meta.map(|meta| meta.warnings);
    (refused.unwrap_or_default(), doubtful.unwrap_or_default())
}

#[expect(clippy::too_many_lines, reason = "a table of cases")]
#[test]
fn the_lines_of_an_audience_file_are_checked_before_it_is_sent() {
    use crate::world::USER;
    let new = json!({"description": "a"});
    let ifas = json!({"description": "a", "isIfaAudience": true});
    let known = json!({"audienceGroupId": 1});
    let utf16 = |text: &str| {
        let units = text.encode_utf16().flat_map(u16::to_le_bytes);
        units.collect::<Vec<u8>>()
    };
    let upper = USER.to_uppercase();
    for (text, fields, message, hint) in [
        (
            format!("userId\n{USER}"),
            &new,
            "line 1 is not a user ID: it looks like a header",
            "remove the line",
        ),
        (
            format!("\"userId\"\n{USER}"),
            &new,
            "line 1 is not a user ID: it is in quotation marks",
            "without them",
        ),
        (
            format!("{USER},{USER}"),
            &new,
            "line 1 is not a user ID: it holds a separator",
            "one value a line",
        ),
        (
            format!("{USER},"),
            &new,
            "line 1 is not a user ID: it holds a separator",
            "one value a line",
        ),
        (
            format!("{USER}\n{USER};Tanaka"),
            &new,
            "line 2 is not a user ID: it holds a separator",
            "one value a line",
        ),
        (
            format!("{USER}\tTanaka"),
            &new,
            "line 1 is not a user ID: it holds a separator",
            "one value a line",
        ),
        (
            format!("[\"{USER}\"]"),
            &new,
            "line 1 is not a user ID: it is JSON",
            "one value a line",
        ),
        (
            format!("\"{USER}\""),
            &new,
            "line 1 is not a user ID: it is in quotation marks",
            "without them",
        ),
        (
            format!("{USER}\u{200b}"),
            &new,
            "line 1 is not a user ID: it holds a character that no value has",
            "anew",
        ),
        (
            format!("{USER} {USER}"),
            &new,
            "line 1 is not a user ID: it holds a blank",
            "one value a line",
        ),
        (
            upper,
            &new,
            "line 1 is not a user ID: it has letters of the wrong case",
            "as LINE gave it",
        ),
        (
            format!("{USER}\n\n{}", &USER[..32]),
            &new,
            "line 3 is not a user ID",
            "correct or remove",
        ),
        (
            format!("C{}", &USER[1..]),
            &new,
            "line 1 is not a user ID",
            "correct or remove",
        ),
        (
            format!("{USER}\n{IFA}"),
            &new,
            "line 2 is an IFA, not a user ID",
            "where `isIfaAudience` is true every line must be an IFA, else a user ID",
        ),
        (
            format!("{IFA}\n{USER}"),
            &ifas,
            "line 2 is a user ID, not an IFA",
            "where `isIfaAudience` is true",
        ),
        (
            format!("{USER}\n{IFA}"),
            &known,
            "line 2 is an IFA, not a user ID",
            "line 1 is a user ID: a file holds one kind",
        ),
        (
            format!("{IFA}\r\n{USER}"),
            &known,
            "line 2 is a user ID, not an IFA",
            "line 1 is an IFA: a file holds one kind",
        ),
        (
            "4711".to_owned(),
            &known,
            "line 1 is not a user ID or an IFA",
            "correct or remove",
        ),
        (
            format!("{USER}\r{USER}\r"),
            &new,
            "has lines that end in CR alone",
            "write LF",
        ),
        (
            format!("\u{feff}{USER}"),
            &new,
            "begins with a byte order mark (BOM)",
            "without a byte order mark",
        ),
        ("\n \r\n".to_owned(), &new, "holds no value", ""),
    ] {
        let (refused, _) = lines_of(text.as_bytes(), fields);
        let detail = refused
            .first()
            .unwrap_or_else(|| panic!("{text:?} is taken"));
        assert_eq!(detail.path, "/files/file");
        assert!(detail.message.starts_with(message), "{text:?} {detail:?}");
        assert!(
            detail.hint.as_deref().unwrap_or_default().contains(hint),
            "{detail:?}"
        );
        assert!(!detail.to_string().contains(&USER[..20]), "{detail:?}");
    }
    for (bytes, message) in [
        ([b"\xff\xfe".to_vec(), utf16(USER)].concat(), "is UTF-16"),
        (utf16(USER), "is UTF-16"),
        (b"\xfe\xff\0U".to_vec(), "is UTF-16"),
        (b"\x1f\x8b\x08\0\0".to_vec(), "is compressed (gzip)"),
        (
            b"PK\x03\x04\x14\0".to_vec(),
            "is a ZIP archive or an Excel workbook (.xlsx)",
        ),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1".to_vec(),
            "is an Excel workbook (.xls)",
        ),
        (b"%PDF-1.7\n".to_vec(), "is a PDF"),
        (b"U1\n\x82\xa0\n".to_vec(), "is not text in UTF-8: byte 4"),
    ] {
        let (refused, _) = lines_of(&bytes, &new);
        assert_eq!(refused[0].message, message);
        assert!(refused[0].hint.is_some());
    }
    for (text, fields) in [
        (USER.to_owned(), &new),
        (format!("{USER}\r\n{USER}\r\n"), &new),
        (format!("{USER}\n\n\n"), &new),
        (format!("L{USER}-{USER}\n"), &new),
        (format!("{IFA}\n{}\n", IFA.to_uppercase()), &ifas),
        (format!("{IFA}\n"), &known),
        (format!("{USER}\n"), &known),
    ] {
        assert_eq!(
            lines_of(text.as_bytes(), fields),
            (vec![], vec![]),
            "{text}"
        );
    }
    for (text, message) in [
        (
            format!("{USER}\n\n{USER}"),
            "line 2 is blank, and perhaps others",
        ),
        (
            format!("{USER} \n{USER}"),
            "line 1 has white space around it, and perhaps others",
        ),
        (
            format!("{USER}\n\t{USER}"),
            "line 2 has white space around it, and perhaps others",
        ),
    ] {
        let (refused, doubtful) = lines_of(text.as_bytes(), &new);
        assert_eq!((refused, doubtful.len()), (vec![], 1), "{text:?}");
        assert_eq!(doubtful[0].message, message);
    }
}

#[test]
fn of_many_wrong_lines_the_first_are_told_and_the_rest_counted() {
    let lines = "4711\n".repeat(1000) + crate::world::USER;
    let (refused, _) = lines_of(lines.as_bytes(), &json!({"description": "a"}));
    assert_eq!(refused.len(), 6);
    assert!(refused[4].message.starts_with("line 5 is not"));
    assert_eq!(refused[5].message, "995 more lines are wrong, of 1001");
}

#[test]
fn lines_are_sent_as_they_are_where_validation_is_off() {
    let document = json!({
        "action": "create_audience_for_uploading_user_ids_by_file",
        "inputs": {"description": "a", "file": {"base64": base64(b"userId\n")}},
        "options": {"validation": "off"},
    });
    let output = connector().plan(Invocation::from_value(document).unwrap());
    assert!(output.error.is_none());
}

#[test]
fn a_dry_run_shows_what_a_file_is_and_not_its_bytes() {
    let world = World::new();
    let source = json!({"base64": base64(&png(2500, 1686))});
    let document = upload(&world, "richmenu-862e6ad6c267d2ddf3f42bc78554f6a4", &source);
    let ended = run(&["run", "--dry-run"], document.to_string().as_bytes(), &[]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let shown = &ended.document()["request"]["body"]["binary"];
    assert_eq!(shown["content_type"], "image/png");
    assert_eq!(shown["sha256"], sha256(&png(2500, 1686)));
}

fn content(world: &World, message: &str, save_to: &Value) -> Value {
    json!({
        "action": "get_content", "asset": world.bearer(),
        "inputs": {"messageId": message}, "options": {"save_to": save_to},
    })
}

/// Runs with a folder that is open for saving.
fn run_saving(folder: &tempfile::TempDir, document: &Value) -> Ended {
    let folder = folder.path().to_str().unwrap();
    let arguments = ["run", "--save-into", folder];
    run(&arguments, document.to_string().as_bytes(), &[])
}

#[test]
fn content_is_saved_whole_with_its_digest() {
    let world = World::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sound.m4a");
    let document = content(&world, "354718705033693863", &json!(path));
    let ended = run_saving(&folder, &document);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let file = &ended.document()["file"];
    let bytes = fs::read(&path).unwrap();
    assert_eq!(bytes.len(), 10_000);
    assert_eq!(file["size_bytes"], 10_000);
    assert_eq!(file["sha256"], sha256(&bytes));
    assert_eq!(file["path"], json!(path));
    assert!(file.get("base64").is_none());
}

#[test]
fn a_connection_dropped_in_the_middle_leaves_no_file() {
    let world = World::new();
    world.fault(json!({"kind": "drop", "at": "mid_body", "times": 9}));
    let folder = tempfile::tempdir().unwrap();
    let document = content(
        &world,
        "354718705033693863",
        &json!(folder.path().join("sound.m4a")),
    );
    let ended = run_saving(&folder, &document);
    assert_eq!(ended.code, 5, "{}", ended.stdout);
    assert_eq!(ended.document()["error"]["kind"], "connection_broken");
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        0,
        "nothing is left behind"
    );
}

#[test]
fn a_connection_dropped_once_is_taken_up_again_from_the_start() {
    let world = World::new();
    world.fault(json!({"kind": "drop", "at": "mid_body"}));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sound.m4a");
    let document = content(&world, "354718705033693863", &json!(path));
    let ended = run_saving(&folder, &document);
    assert_eq!(ended.code, 0, "{}", ended.stdout);
    assert_eq!(fs::metadata(&path).unwrap().len(), 10_000);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn content_that_is_gone_leaves_no_file_and_says_so() {
    let world = World::new();
    let folder = tempfile::tempdir().unwrap();
    let document = content(
        &world,
        "354718705033693865",
        &json!(folder.path().join("gone")),
    );
    let ended = run_saving(&folder, &document);
    assert_eq!(ended.document()["error"]["kind"], "gone");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_place_that_cannot_be_written_is_told() {
    let world = World::new();
    let document = content(&world, "354718705033693863", &json!("/nowhere/at/all.m4a"));
    let ended = run(&["run"], document.to_string().as_bytes(), &[]);
    assert_eq!(ended.document()["error"]["kind"], "file_unwritable");
    assert_eq!(ended.code, 2);
}

#[test]
fn content_over_the_cap_is_not_taken_into_memory() {
    let world = World::new();
    let document = json!({
        "action": "get_content", "asset": world.bearer(),
        "inputs": {"messageId": "354718705033693867"},
    });
    assert_eq!(
        call(&connector(), document).error.unwrap().kind,
        Kind::ResponseTooLarge
    );
}

/// 300 MB pass through a process that stays small: it holds a block at a time.
#[cfg(target_os = "linux")]
#[test]
fn a_download_of_300_megabytes_stays_under_32_mebibytes_of_memory() {
    use std::io::Write;
    use std::process::{Command, Stdio};
    let world = World::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("film.mp4");
    let mut document = content(&world, "354718705033693867", &json!(path));
    document["options"]["timeout_ms"] = json!(120_000);
    let mut child = Command::new(env!("CARGO_BIN_EXE_line-connector"))
        .args(["run", "--save-into"])
        .arg(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(document.to_string().as_bytes())
        .unwrap();
    // The kernel keeps the peak, so the last look before the end tells nearly all of it.
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kibibytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
        peak = peak.max(kibibytes.unwrap_or(0));
        std::thread::yield_now();
    }
    let ended = child.wait_with_output().unwrap();
    assert!(
        ended.status.success(),
        "{}",
        String::from_utf8_lossy(&ended.stdout)
    );
    assert_eq!(fs::metadata(&path).unwrap().len(), 300_000_000);
    assert!((1..32 * 1024).contains(&peak), "the peak was {peak} KiB");
}

fn audience(file: &Value) -> String {
    let inputs = json!({"description": "Buyers", "file": file});
    json!({"action": "create_audience_for_uploading_user_ids_by_file", "inputs": inputs})
        .to_string()
}

/// The message about a file that a document names.
fn refusal(arguments: &[&str], path: &str) -> String {
    let document = audience(&json!({"path": path, "content_type": "text/plain"}));
    let mut all = vec!["run", "--sandbox"];
    all.extend(arguments);
    let ended = run(&all, document.as_bytes(), &[]);
    assert_eq!(ended.code, 3, "{path}: {}", ended.stdout);
    let error = &ended.document()["error"];
    assert_eq!(error["details"][0]["path"], "/file/path", "{error}");
    error["details"][0]["message"].as_str().unwrap().to_owned()
}

#[cfg(unix)]
#[test]
fn a_document_reads_no_file_outside_the_folders_that_the_operator_opened() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let (open, secret) = (at("open"), at("secret"));
    fs::create_dir(&open).unwrap();
    fs::write(&secret, "U4af4980629f0b5a3c3d6b8a1d2e3f405\n").unwrap();
    fs::write(open.join("ids.txt"), "U4af4980629f0b5a3c3d6b8a1d2e3f405\n").unwrap();
    std::os::unix::fs::symlink(&secret, open.join("link")).unwrap();
    std::os::unix::fs::symlink(folder.path(), open.join("up")).unwrap();
    std::os::unix::fs::symlink("ids.txt", open.join("within")).unwrap();
    // Whoever may make one has the file's content anyway: it is the file itself.
    fs::hard_link(&secret, open.join("hard")).unwrap();
    let opened = ["--files", open.to_str().unwrap()];

    let outside = "cannot be read: it lies in no folder that is open to documents";
    for path in [
        secret.to_str().unwrap(),
        at("missing").to_str().unwrap(),
        "/etc/passwd",
        "/proc/self/environ",
        "/dev/stdin",
        "../secret",
        "../open/../secret",
        "link",
        "up/secret",
        open.join("../secret").to_str().unwrap(),
    ] {
        for arguments in [&opened[..], &["--dry-run"], &[]] {
            assert_eq!(refusal(arguments, path), outside, "{path}");
        }
    }
    for path in [
        "ids.txt",
        "./ids.txt",
        "within",
        "hard",
        open.join("ids.txt").to_str().unwrap(),
    ] {
        let document = audience(&json!({"path": path, "content_type": "text/plain"}));
        let arguments = ["run", "--sandbox", opened[0], opened[1]];
        let ended = run(&arguments, document.as_bytes(), &[]);
        assert_eq!(ended.code, 0, "{path}: {}", ended.stdout);
        let environment = [("LINE_FILES", open.to_str().unwrap())];
        let ended = run(&["run", "--sandbox"], document.as_bytes(), &environment);
        assert_eq!(ended.code, 0, "{path}: {}", ended.stdout);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn only_regular_files_of_a_bounded_size_are_read_and_none_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    assert!(
        std::process::Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap()
            .success()
    );
    let _socket = std::os::unix::net::UnixListener::bind(folder.path().join("socket")).unwrap();
    let large = fs::File::create(folder.path().join("large")).unwrap();
    large.set_len(20 << 30).unwrap();
    let opened = ["--files", folder.path().to_str().unwrap()];
    assert!(refusal(&opened, "fifo").contains("not a regular file"));
    assert!(refusal(&opened, "socket").starts_with("cannot be read"));
    assert!(refusal(&opened, ".").contains("not a regular file"));
    assert!(refusal(&opened, "large").contains("larger than"));
    let devices = ["--files", "/dev"];
    for device in ["zero", "null", "tty", "stdin"] {
        assert!(
            refusal(&devices, device).starts_with("cannot be read"),
            "{device}"
        );
    }
}

#[cfg(unix)]
#[test]
fn content_is_saved_nowhere_else_and_over_nothing() {
    use std::os::unix::fs::PermissionsExt;

    let world = World::new();
    let folder = tempfile::tempdir().unwrap();
    let open = folder.path().join("open");
    fs::create_dir(&open).unwrap();
    let keys = folder.path().join("authorized_keys");
    fs::write(&keys, "original").unwrap();
    fs::write(open.join("there"), "original").unwrap();
    fs::create_dir(open.join("folder")).unwrap();
    fs::hard_link(&keys, open.join("hard")).unwrap();
    std::os::unix::fs::symlink(&keys, open.join("link")).unwrap();
    std::os::unix::fs::symlink(folder.path(), open.join("up")).unwrap();

    let save = |save_to: &str, overwrite: bool| {
        let mut document = content(&world, "354718705033693863", &json!(save_to));
        document["options"]["overwrite"] = json!(overwrite);
        let arguments = ["run", "--save-into", open.to_str().unwrap()];
        run(&arguments, document.to_string().as_bytes(), &[])
    };
    for (save_to, overwrite) in [
        (keys.to_str().unwrap(), true),
        ("../authorized_keys", true),
        ("up/authorized_keys", true),
        ("link", true),
        ("link", false),
        ("there", false),
        ("hard", false),
        ("folder", true),
        (".", true),
        ("..", true),
        ("missing/file", true),
        ("a\0b", true),
    ] {
        let ended = save(save_to, overwrite);
        assert_eq!(ended.code, 2, "{save_to}: {}", ended.stdout);
        let document = ended.document();
        assert_eq!(document["error"]["kind"], "file_unwritable", "{document}");
        assert_eq!(document["meta"]["attempts"], 0, "LINE was not asked");
    }
    assert_eq!(fs::read_to_string(&keys).unwrap(), "original");
    assert_eq!(fs::read_to_string(open.join("there")).unwrap(), "original");
    assert_eq!(save("there", true).code, 0);
    assert_eq!(save("hard", true).code, 0);
    assert_eq!(fs::read_to_string(&keys).unwrap(), "original");
    assert_eq!(save("folder/new", false).code, 0);
    for name in ["there", "hard", "folder/new"] {
        let saved = fs::metadata(open.join(name)).unwrap();
        assert_eq!(
            (saved.len(), saved.permissions().mode() & 0o777),
            (10_000, 0o600)
        );
    }
    assert_eq!(
        fs::read_dir(&open).unwrap().count(),
        5,
        "nothing is left behind"
    );
}

/// A clock on which a second passes at every look.
struct Hasty(AtomicU64);

impl Clock for Hasty {
    fn now(&self) -> SystemTime {
        SystemClock.now()
    }

    fn monotonic(&self) -> Duration {
        Duration::from_secs(self.0.fetch_add(1, Ordering::SeqCst))
    }

    fn sleep(&self, _: Duration) {}

    fn waker(&self) -> Waker {
        SystemClock.waker()
    }

    fn park(&self, at_most: Option<Duration>) {
        SystemClock.park(at_most);
    }
}

/// Sends a byte at a time, without an end.
struct Trickle;

impl Transport for Trickle {
    fn send(&self, _: &Request) -> Result<Reply, Failure> {
        unreachable!("it is a download")
    }

    fn download(&self, _: &Request, receiver: &mut dyn Receiver) -> Result<Reply, Failure> {
        receiver.restart().unwrap();
        loop {
            receiver
                .take(b"x")
                .map_err(|error| Failure::of_receiver(&error))?;
        }
    }
}

#[test]
fn a_download_that_trickles_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let connector = crate::world::builder()
        .clock(Hasty(AtomicU64::new(0)))
        .transport(Arc::new(Trickle))
        .build();
    let document = json!({
        "action": "get_content", "asset": {"token": "t"},
        "inputs": {"messageId": "354718705033693863"},
        "options": {"save_to": folder.path().join("slow"), "attempts": 1},
    });
    let error = call(&connector, document).error.unwrap();
    assert!(
        error.message.contains("more slowly than"),
        "{}",
        error.message
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
