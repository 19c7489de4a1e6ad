//! Generic messages, in the field names of Sinch's Conversation API. The types say what may be written;
//! limits are LINE's and are met where the message is composed.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Number, Value};

/// A message as people write it: exactly one body, and what may stand beside it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Generic message")]
#[expect(clippy::struct_field_names, reason = "the names are Sinch's")]
pub(crate) struct Message<'a> {
    /// A text.
    #[serde(borrow)]
    pub(crate) text_message: Option<TextMessage<'a>>,
    /// A picture, a video, a sound or another file.
    #[serde(borrow)]
    pub(crate) media_message: Option<MediaMessage<'a>>,
    /// A text with choices.
    #[serde(borrow)]
    pub(crate) choice_message: Option<ChoiceMessage<'a>>,
    /// A picture, a title, a description and choices.
    #[serde(borrow)]
    pub(crate) card_message: Option<CardMessage<'a>>,
    /// Cards side by side.
    #[serde(borrow)]
    pub(crate) carousel_message: Option<CarouselMessage<'a>>,
    /// A place on a map.
    #[serde(borrow)]
    pub(crate) location_message: Option<LocationMessage<'a>>,
    /// A list to choose from, in sections.
    #[serde(borrow)]
    pub(crate) list_message: Option<ListMessage<'a>>,
    /// A person's name, numbers and addresses.
    #[serde(borrow)]
    pub(crate) contact_info_message: Option<ContactInfoMessage<'a>>,
    /// A message kept under a name; see the option `templates`.
    pub(crate) template_message: Option<TemplateMessage>,
    /// `{"LINE": …}`: LINE's own messages, as JSON text or as JSON. Stands in for the body.
    pub(crate) explicit_channel_message: Option<Map<String, Value>>,
    /// `{"LINE": …}`: of LINE there are notification messages only, which have actions of their own.
    pub(crate) channel_specific_message: Option<Map<String, Value>>,
    /// For other channels.
    pub(crate) explicit_channel_omni_message: Option<Map<String, Value>>,
    /// Who the message comes from.
    #[serde(borrow)]
    pub(crate) agent: Option<Agent<'a>>,
    /// Properties of channels: `LINE_VIDEO_TRACKING_ID`, `LINE_OPEN_STATUS`.
    #[serde(default, borrow, deserialize_with = "or_default")]
    pub(crate) channel_properties: BTreeMap<&'a str, &'a str>,
}

/// A text.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TextMessage<'a> {
    /// The text; `[emoji:PRODUCT:ID]` is a LINE emoji. More than 5,000 UTF-16 units become several messages.
    pub(crate) text: &'a str,
}

/// A picture, a video, a sound or another file, by its URL's ending (or that of `filename_override`).
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MediaMessage<'a> {
    /// Where it is: HTTPS, at most 2,000 characters. JPEG and PNG pictures to 10 MB, mp4 videos and m4a or
    /// mp3 sounds to 200 MB; others become links.
    pub(crate) url: &'a str,
    /// The picture shown before it is opened: JPEG or PNG, at most 1 MB. Videos must have one.
    pub(crate) thumbnail_url: Option<&'a str>,
    /// The file's name; shown where the file becomes a link.
    pub(crate) filename_override: Option<&'a str>,
}

/// A text with choices.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChoiceMessage<'a> {
    /// What is asked: at most 160 characters in a template.
    #[serde(borrow)]
    pub(crate) text_message: Option<TextMessage<'a>>,
    /// The choices: at most 4 in a template, 13 in a Flex Message.
    #[serde(borrow)]
    pub(crate) choices: Vec<Choice<'a>>,
    /// For other channels.
    pub(crate) message_properties: Option<Map<String, Value>>,
}

/// What can be tapped: exactly one kind.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-exactlyOne" = CHOICES))]
pub(crate) struct Choice<'a> {
    /// Answers with a text and, unseen, `postback_data`.
    #[serde(borrow)]
    pub(crate) text_message: Option<TextMessage<'a>>,
    /// Opens a page.
    #[serde(borrow)]
    pub(crate) url_message: Option<UrlMessage<'a>>,
    /// Calls a number.
    #[serde(borrow)]
    pub(crate) call_message: Option<CallMessage<'a>>,
    /// Opens a map.
    #[serde(borrow)]
    pub(crate) location_message: Option<LocationMessage<'a>>,
    /// Opens a page that adds an event to a calendar.
    #[serde(borrow)]
    pub(crate) calendar_message: Option<CalendarMessage<'a>>,
    /// Asks for the user's location.
    #[serde(borrow)]
    pub(crate) share_location_message: Option<ShareLocationMessage<'a>>,
    /// What your webhook receives, at most 300 UTF-16 units; text choices only.
    pub(crate) postback_data: Option<&'a str>,
}

/// The kinds of choices.
pub(crate) const CHOICES: [&str; 6] = [
    "text_message",
    "url_message",
    "call_message",
    "location_message",
    "calendar_message",
    "share_location_message",
];

/// Opens a page.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UrlMessage<'a> {
    /// The button's text: at most 20 characters in a template, 40 in a Flex Message.
    pub(crate) title: &'a str,
    /// What is opened: http, https, line or tel, at most 1,000 characters; others become text.
    pub(crate) url: &'a str,
}

/// Calls a number.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CallMessage<'a> {
    /// The button's text: at most 20 characters in a template, 40 in a Flex Message.
    pub(crate) title: &'a str,
    /// The number as E.164, with `+`.
    pub(crate) phone_number: &'a str,
}

/// A place on a map.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LocationMessage<'a> {
    /// Where it is.
    pub(crate) coordinates: Coordinates,
    /// Its name, at most 100 UTF-16 units.
    pub(crate) title: &'a str,
    /// Its address, at most 100 UTF-16 units; the title if absent.
    pub(crate) label: Option<&'a str>,
}

/// Where something is, in degrees.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Coordinates {
    /// From -90 to 90, north positive.
    pub(crate) latitude: Number,
    /// From -180 to 180, east positive.
    pub(crate) longitude: Number,
}

/// Opens a page that adds an event to a calendar; LINE itself has no calendar.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "the page shows the event; LINE has no place for it"
)]
pub(crate) struct CalendarMessage<'a> {
    /// The button's text: at most 20 characters in a template, 40 in a Flex Message.
    pub(crate) title: &'a str,
    /// When the event begins.
    pub(crate) event_start: &'a str,
    /// When the event ends.
    pub(crate) event_end: &'a str,
    /// What the event is called.
    pub(crate) event_title: &'a str,
    /// What it is about.
    pub(crate) event_description: Option<&'a str>,
    /// The page that is opened.
    pub(crate) fallback_url: &'a str,
}

/// Asks for the user's location.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ShareLocationMessage<'a> {
    /// The button's text: at most 20 characters in a template, 40 in a Flex Message.
    pub(crate) title: &'a str,
    /// The page that is opened where LINE cannot share a location: in groups and on desktops.
    pub(crate) fallback_url: &'a str,
}

/// A picture, a title, a description and choices; at least one of them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CardMessage<'a> {
    /// At most 40 characters in a template.
    pub(crate) title: Option<&'a str>,
    /// At most 60 characters in a template.
    pub(crate) description: Option<&'a str>,
    /// What stands above the title.
    #[serde(borrow)]
    pub(crate) media_message: Option<MediaMessage<'a>>,
    /// The buttons: at most 4 in a template (3 in a carousel), 13 in a Flex Message.
    #[serde(default, borrow, deserialize_with = "or_default")]
    pub(crate) choices: Vec<Choice<'a>>,
    /// How high the picture is.
    pub(crate) height: Option<Height>,
    /// For other channels.
    pub(crate) message_properties: Option<Map<String, Value>>,
}

/// How high a card's picture is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) enum Height {
    /// As LINE draws it.
    #[serde(rename = "UNSPECIFIED_HEIGHT")]
    Unspecified,
    /// 20:9 in a Flex Message, 1.51:1 in a template.
    #[serde(rename = "SHORT")]
    Short,
    /// 20:13 in a Flex Message, 1.51:1 in a template.
    #[serde(rename = "MEDIUM")]
    Medium,
    /// 1:1.
    #[serde(rename = "TALL")]
    Tall,
}

/// Cards side by side.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CarouselMessage<'a> {
    /// The cards: at most 10 in a template, 12 in a Flex Message; more become further messages.
    #[serde(borrow)]
    pub(crate) cards: Vec<CardMessage<'a>>,
    /// Choices that belong to no card.
    #[serde(default, borrow, deserialize_with = "or_default")]
    pub(crate) choices: Vec<Choice<'a>>,
}

/// A list to choose from. LINE has none: it becomes a Flex Message.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListMessage<'a> {
    /// What the list is called.
    pub(crate) title: &'a str,
    /// What it is about.
    pub(crate) description: Option<&'a str>,
    /// What stands above the title.
    #[serde(borrow)]
    pub(crate) media: Option<MediaMessage<'a>>,
    /// The sections.
    #[serde(borrow)]
    pub(crate) sections: Vec<ListSection<'a>>,
    /// For other channels.
    pub(crate) message_properties: Option<Map<String, Value>>,
}

/// A section of a list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListSection<'a> {
    /// What the section is called.
    pub(crate) title: Option<&'a str>,
    /// Its items.
    #[serde(borrow)]
    pub(crate) items: Vec<ListItem<'a>>,
}

/// An item of a list: exactly one kind.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-exactlyOne" = ["choice", "product"]))]
pub(crate) struct ListItem<'a> {
    /// An item to tap.
    #[serde(borrow)]
    pub(crate) choice: Option<ListChoice<'a>>,
    /// A product of a catalogue; LINE has no catalogues, so its ID and price are shown.
    #[serde(borrow)]
    pub(crate) product: Option<Product<'a>>,
}

/// An item to tap.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListChoice<'a> {
    /// What it is called.
    pub(crate) title: &'a str,
    /// What it is about.
    pub(crate) description: Option<&'a str>,
    /// Its picture.
    #[serde(borrow)]
    pub(crate) media: Option<MediaMessage<'a>>,
    /// What your webhook receives, at most 300 UTF-16 units.
    pub(crate) postback_data: Option<&'a str>,
}

/// A product of a catalogue.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Product<'a> {
    /// Its ID.
    pub(crate) id: &'a str,
    /// Where it is sold.
    pub(crate) marketplace: Option<&'a str>,
    /// How many.
    pub(crate) quantity: Option<Number>,
    /// The price of one.
    pub(crate) item_price: Option<Number>,
    /// The price's currency.
    pub(crate) currency: Option<&'a str>,
}

/// A message kept under a name; see the option `templates`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TemplateMessage {
    /// By channel: `{"LINE": …}`.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) channel_template: BTreeMap<String, TemplateReference>,
    /// For all channels that `channel_template` does not name.
    pub(crate) omni_template: Option<TemplateReference>,
}

/// Which template, and what is put into it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TemplateReference {
    /// The template's ID.
    pub(crate) template_id: String,
    /// Its version; there is one of each.
    #[expect(dead_code, reason = "there is one version of each template")]
    pub(crate) version: Option<String>,
    /// In which language: `ID/LANGUAGE` is looked for before `ID`.
    pub(crate) language_code: Option<String>,
    /// What stands for each `${name}`.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) parameters: BTreeMap<String, String>,
}

/// A person's name, numbers and addresses. LINE has no such message: it becomes a Flex Message.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ContactInfoMessage<'a> {
    /// What they are called.
    #[serde(borrow)]
    pub(crate) name: ContactName<'a>,
    /// Their telephones.
    #[serde(default, borrow, deserialize_with = "or_default")]
    pub(crate) phone_numbers: Vec<PhoneNumber<'a>>,
    /// Where they live or work.
    #[serde(default, borrow, deserialize_with = "or_default")]
    pub(crate) addresses: Vec<Address<'a>>,
    /// Their mail addresses; shown as text, since LINE opens no `mailto:`.
    #[serde(default, borrow, deserialize_with = "or_default")]
    pub(crate) email_addresses: Vec<EmailAddress<'a>>,
    /// Where they work.
    #[serde(borrow)]
    pub(crate) organization: Option<Organization<'a>>,
    /// Their pages.
    #[serde(default, borrow, deserialize_with = "or_default")]
    pub(crate) urls: Vec<ContactUrl<'a>>,
    /// Their birthday.
    pub(crate) birthday: Option<&'a str>,
}

/// What a person is called.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ContactName<'a> {
    /// The whole name.
    pub(crate) full_name: &'a str,
    /// The given name.
    pub(crate) first_name: Option<&'a str>,
    /// The family name.
    pub(crate) last_name: Option<&'a str>,
    /// Names between them.
    pub(crate) middle_name: Option<&'a str>,
    /// What stands before the name.
    pub(crate) prefix: Option<&'a str>,
    /// What stands behind the name.
    pub(crate) suffix: Option<&'a str>,
}

/// A telephone.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PhoneNumber<'a> {
    /// The number as E.164, with `+`.
    pub(crate) phone_number: &'a str,
    /// Such as WORK.
    pub(crate) r#type: Option<&'a str>,
}

/// A postal address.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Address<'a> {
    /// The city.
    pub(crate) city: Option<&'a str>,
    /// The country.
    pub(crate) country: Option<&'a str>,
    /// The state.
    pub(crate) state: Option<&'a str>,
    /// The postal code.
    pub(crate) zip: Option<&'a str>,
    /// Such as WORK.
    pub(crate) r#type: Option<&'a str>,
    /// The country's code.
    pub(crate) country_code: Option<&'a str>,
}

/// A mail address.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EmailAddress<'a> {
    /// The address.
    pub(crate) email_address: &'a str,
    /// Such as WORK.
    pub(crate) r#type: Option<&'a str>,
}

/// Where a person works.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Organization<'a> {
    /// The company.
    pub(crate) company: Option<&'a str>,
    /// The department.
    pub(crate) department: Option<&'a str>,
    /// What they are there.
    pub(crate) title: Option<&'a str>,
}

/// A page.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ContactUrl<'a> {
    /// Where it is.
    pub(crate) url: &'a str,
    /// Such as WORK.
    pub(crate) r#type: Option<&'a str>,
}

/// Who a message comes from; shown as its sender.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Agent<'a> {
    /// The name shown, at most 20 UTF-16 units.
    pub(crate) display_name: Option<&'a str>,
    /// A person or a program; LINE does not show it.
    #[expect(dead_code, reason = "LINE does not show it")]
    pub(crate) r#type: Option<AgentType>,
    /// The icon shown: a square PNG, at most 1 MB, over HTTPS.
    pub(crate) picture_url: Option<&'a str>,
}

/// A person or a program.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) enum AgentType {
    /// Not said.
    #[serde(rename = "UNKNOWN_AGENT_TYPE")]
    Unknown,
    /// A person.
    #[serde(rename = "HUMAN")]
    Human,
    /// A program.
    #[serde(rename = "BOT")]
    Bot,
}

/// The bodies of a generic message.
pub(crate) const BODIES: [&str; 11] = [
    "text_message",
    "media_message",
    "choice_message",
    "card_message",
    "carousel_message",
    "location_message",
    "list_message",
    "contact_info_message",
    "template_message",
    "explicit_channel_message",
    "channel_specific_message",
];

/// `null` is as good as nothing.
fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// The text of an optional field, where there is something to see: an empty one is an absent one.
pub(crate) fn filled(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.trim().is_empty())
}
