//! A webhook as LINE writes it: the fields that are documented, every one of which may be missing,
//! of another type, or stand where LINE does not document it. What is new is passed over.

#![expect(clippy::struct_field_names, reason = "the names are LINE's")]

use super::lenient::{List, Members, Object, Text};

/// Declares LINE's objects.
macro_rules! objects {
    ($($(#[$doc:meta])* $name:ident { $($field:ident: $kind:ty,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Default, serde::Deserialize)]
        #[serde(default, rename_all = "camelCase")]
        pub(super) struct $name<'a> {
            $(#[serde(borrow)] pub(super) $field: $kind,)*
        }
    )*};
}

objects! {
    /// What every event has, and the parts that some have.
    Event {
        r#type: Text<'a>,
        mode: Text<'a>,
        timestamp: Text<'a>,
        source: Object<Source<'a>>,
        webhook_event_id: Text<'a>,
        delivery_context: Object<DeliveryContext<'a>>,
        reply_token: Text<'a>,
        message: Object<Message<'a>>,
        postback: Object<Postback<'a>>,
        follow: Object<Follow<'a>>,
        unsend: Object<Unsend<'a>>,
        joined: Object<People<'a>>,
        left: Object<People<'a>>,
        video_play_complete: Object<VideoPlayComplete<'a>>,
        beacon: Object<Beacon<'a>>,
        link: Object<Link<'a>>,
        membership: Object<Membership<'a>>,
        delivery: Object<Delivery<'a>>,
        module: Object<Module<'a>>,
        chat_control: Object<ChatControl<'a>>,
    }
    /// Who did it, and where.
    Source { r#type: Text<'a>, user_id: Text<'a>, group_id: Text<'a>, room_id: Text<'a>, }
    /// How the event came.
    DeliveryContext { is_redelivery: Text<'a>, }
    /// All fields of all message types.
    Message {
        r#type: Text<'a>,
        id: Text<'a>,
        quote_token: Text<'a>,
        mark_as_read_token: Text<'a>,
        quoted_message_id: Text<'a>,
        text: Text<'a>,
        emojis: List<Object<Emoji<'a>>>,
        mention: Object<Mention<'a>>,
        content_provider: Object<ContentProvider<'a>>,
        image_set: Object<ImageSet<'a>>,
        duration: Text<'a>,
        file_name: Text<'a>,
        file_size: Text<'a>,
        title: Text<'a>,
        address: Text<'a>,
        latitude: Text<'a>,
        longitude: Text<'a>,
        package_id: Text<'a>,
        sticker_id: Text<'a>,
        sticker_resource_type: Text<'a>,
        keywords: List<Text<'a>>,
    }
    /// A LINE emoji in a text.
    Emoji { index: Text<'a>, length: Text<'a>, product_id: Text<'a>, emoji_id: Text<'a>, }
    /// The mentions of a text.
    Mention { mentionees: List<Object<Mentionee<'a>>>, }
    /// One of them.
    Mentionee {
        index: Text<'a>,
        length: Text<'a>,
        r#type: Text<'a>,
        user_id: Text<'a>,
        is_self: Text<'a>,
    }
    /// Where a message's content lies.
    ContentProvider {
        r#type: Text<'a>,
        original_content_url: Text<'a>,
        preview_image_url: Text<'a>,
    }
    /// Images that were sent at once.
    ImageSet { id: Text<'a>, index: Text<'a>, total: Text<'a>, }
    /// A postback's part.
    Postback { data: Text<'a>, params: Members<'a>, }
    /// A follow's part.
    Follow { is_unblocked: Text<'a>, }
    /// An unsend's part.
    Unsend { message_id: Text<'a>, }
    /// People who joined or left.
    People { members: List<Object<Source<'a>>>, }
    /// The part of a video that was watched.
    VideoPlayComplete { tracking_id: Text<'a>, }
    /// A beacon's part.
    Beacon { hwid: Text<'a>, r#type: Text<'a>, dm: Text<'a>, }
    /// The part of an account link.
    Link { result: Text<'a>, nonce: Text<'a>, }
    /// A membership's part.
    Membership { r#type: Text<'a>, membership_id: Text<'a>, }
    /// The part of a delivered notification.
    Delivery { data: Text<'a>, }
    /// A module's part.
    Module { r#type: Text<'a>, bot_id: Text<'a>, scopes: List<Text<'a>>, reason: Text<'a>, }
    /// For how long a module has the chat.
    ChatControl { expire_at: Text<'a>, }
}
