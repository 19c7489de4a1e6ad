//! LINE's event into ours: which type it is, and where each of its fields goes. Nothing fails: what
//! is not as LINE documents it is left out, and stands in `raw`.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::event::{
    AccountLink, Beacon, ChatControl, Delivered, Event, Fetch, FetchInputs, ImageSet, Location,
    Media, Member, Membership, Message, Module, OptIn, Source, Sticker, Type, Video,
};
use super::moment::Moment;
use super::{Terms, postback, text, wire};

/// How long after the event, or after the delivery of a repeated one, LINE takes a reply.
const REPLY_MILLIS: i64 = 60_000;

/// After this time LINE takes no reply, however late the event was delivered.
const LAST_REPLY_MILLIS: i64 = 20 * 60_000;

/// Reads one event.
pub(super) fn event<'a>(raw: &'a RawValue, terms: &Terms<'a>) -> Event<'a> {
    // A text that is no object, or a key that is no text, leaves everything absent.
    let line: wire::Event<'a> = serde_json::from_str(raw.get()).unwrap_or_default();
    let time = line.timestamp.whole().and_then(Moment::from_millis);
    let is_redelivery = line.delivery_context.0.is_redelivery.flag() == Some(true);
    let waits = line.mode.word() != "standby";
    let reply_token = line.reply_token.filled().filter(|_| waits);
    let answered = reply_token.is_some();
    let mut event = Event {
        kind: kind(&line),
        id: line.webhook_event_id.filled(),
        time,
        is_redelivery,
        mode: line.mode.filled(),
        source: source(&line.source.0),
        reply_token,
        reply_by: time
            .filter(|_| answered)
            .map(|time| reply_by(time, is_redelivery, terms.received)),
        message: None,
        postback: None,
        opt_in: None,
        members: None,
        video: None,
        beacon: None,
        account_link: None,
        membership: None,
        delivery: None,
        module: None,
        chat_control: None,
        raw,
    };
    fill(&mut event, &line, terms);
    event
}

/// A reply must reach LINE within a minute of the webhook. The event's own time is the safe
/// beginning of that minute; a repeated delivery begins another one, up to a limit.
fn reply_by(time: Moment, is_redelivery: bool, received: Moment) -> Moment {
    if is_redelivery {
        received
            .later(REPLY_MILLIS)
            .min(time.later(LAST_REPLY_MILLIS))
    } else {
        time.later(REPLY_MILLIS)
    }
}

fn kind(line: &wire::Event<'_>) -> Type {
    match line.r#type.word() {
        "message" => match line.message.0.r#type.word() {
            "text" => Type::MessageText,
            "image" => Type::MessageImage,
            "video" => Type::MessageVideo,
            "audio" => Type::MessageAudio,
            "file" => Type::MessageFile,
            "location" => Type::MessageLocation,
            "sticker" => Type::MessageSticker,
            _ => Type::MessageUnknown,
        },
        "messageEdited" => Type::MessageEdited,
        "unsend" => Type::MessageUnsent,
        "postback" => Type::Postback,
        "follow" => Type::OptIn,
        "unfollow" => Type::OptOut,
        "join" => at_place(line, Type::GroupJoin, Type::RoomJoin),
        "leave" => at_place(line, Type::GroupLeave, Type::RoomLeave),
        "memberJoined" => Type::MemberJoined,
        "memberLeft" => Type::MemberLeft,
        "videoPlayComplete" => Type::VideoCompleted,
        "beacon" => Type::Beacon,
        "accountLink" => Type::AccountLinked,
        "membership" => match line.membership.0.r#type.word() {
            "joined" => Type::MembershipJoined,
            "left" => Type::MembershipLeft,
            "renewed" => Type::MembershipRenewed,
            _ => Type::Unknown,
        },
        "delivery" => Type::DeliveryCompleted,
        "module" => match line.module.0.r#type.word() {
            "attached" => Type::ModuleAttached,
            "detached" => Type::ModuleDetached,
            _ => Type::Unknown,
        },
        "activated" => Type::ChatActivated,
        "deactivated" => Type::ChatDeactivated,
        "botSuspended" => Type::BotSuspended,
        "botResumed" => Type::BotResumed,
        _ => Type::Unknown,
    }
}

fn at_place(line: &wire::Event<'_>, group: Type, room: Type) -> Type {
    match line.source.0.r#type.word() {
        "group" => group,
        "room" => room,
        _ => Type::Unknown,
    }
}

/// Puts the content into the part of the event that its type has.
fn fill<'a>(event: &mut Event<'a>, line: &wire::Event<'a>, terms: &Terms<'a>) {
    match event.kind {
        Type::MessageText
        | Type::MessageImage
        | Type::MessageVideo
        | Type::MessageAudio
        | Type::MessageFile
        | Type::MessageLocation
        | Type::MessageSticker
        | Type::MessageUnknown
        | Type::MessageEdited => {
            event.message = Some(Box::new(message(event.kind, &line.message.0, terms)));
        }
        Type::MessageUnsent => {
            event.message = Some(Box::new(Message {
                id: line.unsend.0.message_id.filled(),
                ..Message::default()
            }));
        }
        Type::Postback => event.postback = Some(postback::read(&line.postback.0)),
        Type::OptIn => {
            event.opt_in = Some(OptIn {
                is_unblocked: line.follow.0.is_unblocked.flag(),
            });
        }
        Type::MemberJoined => event.members = Some(members(&line.joined.0)),
        Type::MemberLeft => event.members = Some(members(&line.left.0)),
        _ => fill_rarer(event, line),
    }
}

fn fill_rarer<'a>(event: &mut Event<'a>, line: &wire::Event<'a>) {
    match event.kind {
        Type::VideoCompleted => {
            let tracking_id = line.video_play_complete.0.tracking_id.filled();
            event.video = Some(Video { tracking_id });
        }
        Type::Beacon => {
            event.beacon = Some(Beacon {
                kind: line.beacon.0.r#type.filled(),
                hwid: line.beacon.0.hwid.filled(),
                dm: line.beacon.0.dm.filled(),
            });
        }
        Type::AccountLinked => {
            event.account_link = Some(AccountLink {
                result: line.link.0.result.filled(),
                nonce: line.link.0.nonce.filled(),
            });
        }
        Type::MembershipJoined | Type::MembershipLeft | Type::MembershipRenewed => {
            let id = line.membership.0.membership_id.filled();
            event.membership = Some(Membership { id });
        }
        Type::DeliveryCompleted => {
            let data = line.delivery.0.data.filled();
            event.delivery = Some(Delivered { data });
        }
        Type::ModuleAttached | Type::ModuleDetached => {
            event.module = Some(Module {
                bot_id: line.module.0.bot_id.filled(),
                scopes: texts(&line.module.0.scopes.0),
                reason: line.module.0.reason.filled(),
            });
        }
        Type::ChatActivated => {
            let expires = line.chat_control.0.expire_at.whole();
            event.chat_control = Some(ChatControl {
                expires_at: expires.and_then(Moment::from_millis),
            });
        }
        _ => {}
    }
}

fn source<'a>(line: &wire::Source<'a>) -> Option<Source<'a>> {
    let source = Source {
        kind: line.r#type.filled(),
        user_id: line.user_id.filled(),
        group_id: line.group_id.filled(),
        room_id: line.room_id.filled(),
    };
    (source != Source::default()).then_some(source)
}

fn members<'a>(line: &wire::People<'a>) -> Vec<Member<'a>> {
    let member = |source: &wire::Source<'a>| Member {
        user_id: source.user_id.filled(),
    };
    line.members.0.iter().map(|one| member(&one.0)).collect()
}

fn texts<'a>(list: &[super::Text<'a>]) -> Vec<Cow<'a, str>> {
    list.iter().filter_map(|text| text.filled()).collect()
}

fn message<'a>(kind: Type, line: &wire::Message<'a>, terms: &Terms<'a>) -> Message<'a> {
    let mut message = Message {
        id: line.id.filled(),
        quoted_message_id: line.quoted_message_id.filled(),
        quote_token: line.quote_token.filled(),
        mark_as_read_token: line.mark_as_read_token.filled(),
        ..Message::default()
    };
    match kind {
        Type::MessageText | Type::MessageEdited => text::fill(&mut message, line),
        Type::MessageLocation => {
            message.location = Some(Location {
                title: line.title.filled(),
                address: line.address.filled(),
                latitude: line.latitude.number(),
                longitude: line.longitude.number(),
            });
        }
        Type::MessageSticker => {
            message.text = line.text.filled();
            message.sticker = Some(Sticker {
                package_id: line.package_id.filled(),
                sticker_id: line.sticker_id.filled(),
                resource_type: line.sticker_resource_type.filled(),
                keywords: texts(&line.keywords.0),
            });
        }
        Type::MessageUnknown => {}
        _ => message.media = Some(media(kind, line, terms)),
    }
    message
}

/// What a message of bytes tells. LINE has the bytes of every file, and of the rest only where it
/// says so; a picture of them there is for images and videos.
fn media<'a>(kind: Type, line: &wire::Message<'a>, terms: &Terms<'a>) -> Media<'a> {
    let provider = &line.content_provider.0;
    let at_line = kind == Type::MessageFile || provider.r#type.word() == "line";
    let pictured = matches!(kind, Type::MessageImage | Type::MessageVideo);
    let fetch = |action: &'a str| {
        let message_id = line.id.filled().filter(|_| at_line)?;
        let inputs = FetchInputs { message_id };
        Some(Fetch { action, inputs })
    };
    let set = ImageSet {
        id: line.image_set.0.id.filled(),
        index: line.image_set.0.index.count(),
        total: line.image_set.0.total.count(),
    };
    Media {
        provider: provider
            .r#type
            .filled()
            .or(at_line.then_some(Cow::Borrowed("line"))),
        fetch: fetch(&terms.content.fetch),
        fetch_preview: fetch(&terms.content.preview).filter(|_| pictured),
        url: provider.original_content_url.filled(),
        preview_url: provider.preview_image_url.filled(),
        duration_ms: line.duration.count(),
        file_name: line.file_name.filled(),
        size_bytes: line.file_size.count(),
        image_set: (set != ImageSet::default()).then_some(set),
    }
}
