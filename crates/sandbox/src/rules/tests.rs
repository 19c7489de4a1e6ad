//! What the rules accept and what they refuse, in LINE's words. Whole requests are tested over HTTP, in
//! `tests/it/sandbox.rs`.

use serde_json::{Value, json};

use super::{Destination, check_messages};

fn refused(body: &Value) -> Value {
    let answer = check_messages(body, Destination::User).expect_err("refused");
    assert_eq!(answer.status, 400);
    serde_json::from_slice(&answer.body.into_bytes(0).expect("bytes")).expect("JSON")
}

fn violation(message: &Value) -> (String, String) {
    let body = refused(&json!({ "messages": [message] }));
    let detail = &body["details"][0];
    let text = |key: &str| detail[key].as_str().unwrap_or_default().to_owned();
    (text("property"), text("message"))
}

fn accepted(message: &Value) -> bool {
    check_messages(&json!({ "messages": [message] }), Destination::User).is_ok()
}

#[test]
fn the_fact_sheets_error_bodies_come_out_to_the_letter() {
    let body = json!({ "messages": [{ "type": "text", "text": "" }, { "type": "movie" }] });
    let refusal = refused(&body);
    assert_eq!(refusal["message"], "The request body has 2 error(s)");
    assert_eq!(
        refusal["details"][0],
        json!({ "message": "May not be empty", "property": "messages[0].text" })
    );
    assert_eq!(refusal["details"][1]["property"], "messages[1].type");
    let six = vec![json!({ "type": "text", "text": "a" }); 6];
    let expected = json!({ "message": "The request body has 1 error(s)",
        "details": [{ "message": "Size must be between 1 and 5", "property": "messages" }] });
    assert_eq!(refused(&json!({ "messages": six })), expected);
    let long = json!({ "messages": [{ "type": "text", "text": "a".repeat(5001) }] });
    let expected = json!({ "message": "The request body has 1 error(s)",
        "details": [{ "message": "Length must be between 0 and 5000", "property": "messages[0].text" }] });
    assert_eq!(refused(&long), expected);
}

#[test]
fn flex_and_template_faults_name_the_message_with_a_no_break_space() {
    let flex = json!({ "type": "flex", "altText": "a", "contents":
        { "type": "bubble", "hero": { "type": "image" } } });
    let body = json!({ "messages": [{ "type": "text", "text": "a" }, flex] });
    let expected = json!({ "message": "A message (messages[1])\u{a0}in the request body is invalid",
        "details": [{ "message": "must be specified", "property": "/hero/url" }] });
    assert_eq!(refused(&body), expected);
    let template = json!({ "type": "template", "altText": "a", "template": { "type": "buttons",
        "text": "a", "actions": [{ "type": "uri", "label": "a", "uri": "ftp://a" }] } });
    let expected = json!({ "message": "A message (messages[0])\u{a0}in the request body is invalid",
        "details": [{ "message": "invalid uri scheme", "property": "template/actions/0/uri" }] });
    assert_eq!(refused(&json!({ "messages": [template] })), expected);
}

#[test]
fn a_value_of_the_wrong_type_stops_the_parser() {
    let body = json!({ "messages": [{ "type": "text", "text": 7 }] });
    let expected =
        "The property, 'messages[0].text', in the request body is invalid (line: -, column: -)";
    assert_eq!(refused(&body)["message"], expected);
}

#[test]
fn texts_are_counted_in_utf_16() {
    assert!(accepted(
        &json!({ "type": "text", "text": "🍎".repeat(2500) })
    ));
    assert!(!accepted(
        &json!({ "type": "text", "text": "🍎".repeat(2501) })
    ));
    let emoji = |index: usize| {
        json!({ "type": "text", "text": "🍎 $",
            "emojis": [{ "index": index, "productId": "5ac1bfd5040ab15980c9b435", "emojiId": "001" }] })
    };
    assert!(accepted(&emoji(3)));
    assert_eq!(violation(&emoji(2)).0, "messages[0].emojis[0].index");
}

#[test]
fn labels_are_counted_in_graphemes() {
    let quick = |label: &str| {
        json!({ "type": "text", "text": "a", "quickReply": { "items": [{ "type": "action",
            "action": { "type": "message", "label": label, "text": "a" } }] } })
    };
    assert!(accepted(&quick(&"👨‍👩‍👧‍👦".repeat(20))));
    let path = "messages[0].quickReply.items[0].action.label";
    assert_eq!(violation(&quick(&"a".repeat(21))).0, path);
}

#[test]
fn quick_replies_have_at_most_thirteen_items_of_the_right_kinds() {
    let quick = |count: usize, action: &Value| {
        let items = vec![json!({ "type": "action", "action": action }); count];
        json!({ "type": "text", "text": "a", "quickReply": { "items": items } })
    };
    let camera = json!({ "type": "camera", "label": "a" });
    assert!(accepted(&quick(13, &camera)));
    assert_eq!(
        violation(&quick(14, &camera)).0,
        "messages[0].quickReply.items"
    );
    let switch = json!({ "type": "richmenuswitch", "richMenuAliasId": "a", "data": "a" });
    assert!(
        violation(&quick(1, &switch))
            .1
            .starts_with("Must be one of")
    );
    let old = json!({ "type": "postback", "label": "a", "data": "a", "text": "a" });
    assert_eq!(violation(&quick(1, &old)).1, "Must not be specified");
}

#[test]
fn text_v2_braces_pair_and_keys_are_known() {
    let message = |text: &str, substitution: Value| json!({ "type": "textV2", "text": text, "substitution": substitution });
    let emoji = json!({ "type": "emoji", "productId": "a", "emojiId": "001" });
    assert!(accepted(&message("{{literal}} {a}", json!({ "a": emoji }))));
    for text in ["{b}", "{a", "a}", "{"] {
        assert_eq!(
            violation(&message(text, json!({ "a": emoji }))).0,
            "messages[0].text",
            "{text}"
        );
    }
    assert_eq!(
        violation(&message("a", json!({ "user-1": emoji }))).0,
        "messages[0].substitution"
    );
    let mention = message(
        "{a}",
        json!({ "a": { "type": "mention", "mentionee": { "type": "all" } } }),
    );
    assert!(!accepted(&mention), "a mention to one person");
    assert!(check_messages(&json!({ "messages": [mention] }), Destination::Group).is_ok());
}

#[test]
fn media_come_from_https() {
    let image = |url: &str| json!({ "type": "image", "originalContentUrl": url, "previewImageUrl": "https://a.example/p" });
    assert!(accepted(&image("https://a.example/o.jpg")));
    let path = "messages[0].originalContentUrl".to_owned();
    assert_eq!(
        violation(&image("http://a.example/o.jpg")),
        (path.clone(), "invalid uri scheme".into())
    );
    assert_eq!(
        violation(&image("https://a.example/o o.jpg")),
        (path.clone(), "invalid uri".into())
    );
    assert_eq!(violation(&image("https://")), (path, "invalid uri".into()));
}

#[test]
fn templates_know_how_many_actions_and_how_much_text() {
    let template =
        |template: Value| json!({ "type": "template", "altText": "a", "template": template });
    let action = json!({ "type": "message", "label": "a", "text": "a" });
    let confirm = |count: usize| {
        template(json!({ "type": "confirm", "text": "a", "actions": vec![action.clone(); count] }))
    };
    assert!(accepted(&confirm(2)));
    assert_eq!(
        violation(&confirm(3)),
        (
            "template/actions".into(),
            "Size must be between 2 and 2".into()
        )
    );
    let buttons = |text: usize, title: Option<&str>| {
        let mut buttons =
            json!({ "type": "buttons", "text": "a".repeat(text), "actions": [action] });
        if let Some(title) = title {
            buttons["title"] = json!(title);
        }
        template(buttons)
    };
    assert!(accepted(&buttons(160, None)));
    assert!(!accepted(&buttons(161, None)));
    assert!(accepted(&buttons(60, Some("a"))));
    assert!(!accepted(&buttons(61, Some("a"))));
}

#[test]
fn uris_of_actions_have_no_blanks_and_lead_to_no_apk() {
    let buttons = |uri: &str| {
        let action = json!({ "type": "uri", "label": "a", "uri": uri });
        json!({ "type": "template", "altText": "a",
            "template": { "type": "buttons", "text": "a", "actions": [action] } })
    };
    assert!(accepted(&buttons("https://a.example/b%20c?d=.apk%3F")));
    for uri in [
        "https://a.example/b c",
        "https://a.example/@shop.apk",
        "https://a.example/b\n",
    ] {
        let expected = (
            "template/actions/0/uri".to_owned(),
            "invalid uri".to_owned(),
        );
        assert_eq!(violation(&buttons(uri)), expected, "{uri}");
    }
}

#[test]
fn lengths_of_flex_components_are_numbers_with_a_unit_or_keywords() {
    let component = |kind: &str, key: &str, value: &str| {
        let mut component = match kind {
            "text" => json!({ "type": "text", "text": "a" }),
            "image" => json!({ "type": "image", "url": "https://a.example/p.png" }),
            _ => json!({ "type": "box", "layout": "vertical", "contents": [] }),
        };
        component[key] = json!(value);
        let body = json!({ "type": "box", "layout": "vertical", "contents": [component] });
        json!({ "type": "flex", "altText": "a", "contents": { "type": "bubble", "body": body } })
    };
    for (kind, key, value, is_taken) in [
        ("text", "offsetTop", "-2px", true),
        ("box", "offsetEnd", "-20.5%", true),
        ("text", "offsetTop", "xl", true),
        ("text", "offsetTop", "2", false),
        ("text", "offsetTop", "2em", false),
        ("text", "offsetTop", "", false),
        ("box", "paddingAll", "10%", true),
        ("box", "paddingTop", "-4px", false),
        ("box", "width", "50%", true),
        ("box", "width", "lg", false),
        ("box", "height", "", false),
        ("box", "cornerRadius", "100px", true),
        ("box", "cornerRadius", "round", false),
        ("box", "borderWidth", "semi-bold", true),
        ("box", "borderWidth", "thin", false),
        ("image", "size", "5xl", true),
        ("image", "size", "nanpx", false),
        ("text", "size", "14px", true),
        ("text", "lineSpacing", "20px", true),
        ("text", "lineSpacing", "md", false),
    ] {
        let message = component(kind, key, value);
        assert_eq!(accepted(&message), is_taken, "{kind} {key} {value}");
        if !is_taken {
            let place = violation(&message).0;
            assert_eq!(place, format!("/body/contents/0/{key}"), "{value}");
        }
    }
}

#[test]
fn carousels_have_columns_of_one_kind() {
    let carousel = |columns: Value| {
        json!({ "type": "template", "altText": "a",
            "template": { "type": "carousel", "columns": columns } })
    };
    let action = |label: &str| json!({ "type": "message", "label": label, "text": "a" });
    let column = |count: usize| json!({ "text": "a", "actions": vec![action("a"); count] });
    let with = |key: &str, value: &str| {
        let mut column = column(1);
        column[key] = json!(value);
        column
    };
    let titled = with("title", "a");
    let pictured = with("thumbnailImageUrl", "https://a.example/p.png");
    assert!(accepted(&carousel(json!([column(2), column(2)]))));
    assert!(accepted(&carousel(json!([titled, titled]))));
    let blank = json!({ "text": "a", "actions": [action(" ")] });
    for (columns, place) in [
        (json!([column(2), column(1)]), "columns/1/actions"),
        (json!([column(0)]), "columns/0/actions"),
        (json!([column(1), titled]), "columns/1/title"),
        (json!([titled, column(1)]), "columns/1/title"),
        (json!([pictured, column(1)]), "columns/1/thumbnailImageUrl"),
        (json!([blank]), "columns/0/actions/0/label"),
    ] {
        let found = violation(&carousel(columns.clone())).0;
        assert_eq!(found, format!("template/{place}"), "{columns}");
    }
}

#[test]
fn pickers_take_only_dates_that_exist_in_order() {
    let picker = |mode: &str, least: &str, most: &str| {
        let action = json!({ "type": "datetimepicker", "label": "a", "data": "a", "mode": mode,
            "min": least, "max": most });
        json!({ "type": "template", "altText": "a", "template":
            { "type": "buttons", "text": "a", "actions": [action] } })
    };
    assert!(accepted(&picker(
        "datetime",
        "2017-06-18T06:15",
        "2017-06-18t06:16"
    )));
    assert!(accepted(&picker("time", "00:00", "23:59")));
    assert!(!accepted(&picker("time", "00:00", "24:00")));
    assert!(!accepted(&picker("date", "2017-6-18", "2018-01-01")));
    assert!(!accepted(&picker("date", "2018-01-01", "2018-01-01")));
}

#[test]
fn flex_components_stand_where_they_may() {
    let flex = |contents: Value| json!({ "type": "flex", "altText": "a", "contents": contents });
    let body = |layout: &str, contents: Value| {
        flex(
            json!({ "type": "bubble", "body": { "type": "box", "layout": layout, "contents": contents } }),
        )
    };
    let icon = json!({ "type": "icon", "url": "https://a.example/i.png" });
    assert!(accepted(&body("vertical", json!([]))));
    assert!(accepted(&body("baseline", json!([icon]))));
    assert_eq!(
        violation(&body("vertical", json!([icon]))).0,
        "/body/contents/0/type"
    );
    assert_eq!(
        violation(&body("vertical", json!([{ "type": "spacer" }]))).1,
        "invalid property"
    );
    let wordless = json!([{ "type": "text" }]);
    assert_eq!(
        violation(&body("vertical", wordless)),
        ("/body/contents/0/text".into(), "must be specified".into())
    );
    let video = json!({ "type": "video", "url": "https://a.example/v.mp4",
        "previewUrl": "https://a.example/p.jpg", "altContent": { "type": "image", "url": "https://a.example/p.jpg" } });
    assert!(accepted(&flex(json!({ "type": "bubble", "hero": video }))));
    assert!(!accepted(&flex(
        json!({ "type": "bubble", "size": "nano", "hero": video })
    )));
    let inside = json!({ "type": "carousel", "contents": [{ "type": "bubble", "hero": video }] });
    assert!(!accepted(&flex(inside)));
}

#[test]
fn flex_carousels_have_twelve_bubbles_of_one_size_and_fifty_kilobytes() {
    let bubble = |size: &str, text: &str| {
        json!({ "type": "bubble", "size": size, "body": { "type": "box", "layout": "vertical",
            "contents": [{ "type": "text", "text": text }] } })
    };
    let carousel = |bubbles: Vec<Value>| json!({ "type": "flex", "altText": "a", "contents": { "type": "carousel", "contents": bubbles } });
    assert!(accepted(&carousel(vec![bubble("mega", "a"); 12])));
    assert!(!accepted(&carousel(vec![bubble("mega", "a"); 13])));
    let mixed = carousel(vec![bubble("mega", "a"), bubble("kilo", "a")]);
    assert_eq!(violation(&mixed).0, "/contents/1/size");
    assert!(!accepted(&carousel(vec![
        bubble("mega", &"a".repeat(5000));
        11
    ])));
}

#[test]
fn an_unknown_member_is_let_through() {
    assert!(accepted(
        &json!({ "type": "text", "text": "a", "brandNew": { "x": 1 } })
    ));
}
