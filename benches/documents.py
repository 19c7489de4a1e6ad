"""The documents that every client gets: one text message, and the largest legal carousel.

Run by itself it writes `inputs/`, where the Rust benches find them.
"""

import json
import os

ACTION = "send_push_message"
INPUTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "inputs")
USER = "U4af4980629f0b5a3c3d6b8a1d2e3f405"

BUBBLES = 12
# LINE says 50 KB and not whether that is 1,000 or 1,024 bytes each; this is legal either way.
CAROUSEL_BYTES = 50_000


def compact(value):
    """The shortest JSON of a value, which is how LINE's limits in bytes are counted."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def size(value):
    """Bytes of a value as JSON."""
    return len(compact(value).encode())


def text_push():
    """A push of one short text."""
    return {"to": USER, "messages": [{"type": "text", "text": "Your parcel has been handed over."}]}


def carousel_push():
    """A push of the largest carousel that LINE takes."""
    contents = carousel()
    return {"to": USER, "messages": [{"type": "flex", "altText": "Rooms", "contents": contents}]}


def carousel():
    """Twelve bubbles, rows added in turn until nothing more fits, then a text to the last byte.

    Rows rather than one long text: what a carousel costs is its number of components.
    """
    bubbles = [bubble(number) for number in range(BUBBLES)]
    whole = {"type": "carousel", "contents": bubbles}
    number = 0
    while size(whole) + size(row(number)) + 1 <= CAROUSEL_BYTES:
        bubbles[number % BUBBLES]["body"]["contents"].append(row(number))
        number += 1
    title = bubbles[0]["body"]["contents"][0]
    title["text"] += "." * (CAROUSEL_BYTES - size(whole))
    return whole


def bubble(number):
    """A bubble with a picture, a title, five stars and two buttons, as shops send them."""
    page = f"https://example.com/rooms/{number}"
    title = {"type": "text", "text": f"Room {number} 海の見える部屋", "weight": "bold", "wrap": True}
    return {
        "type": "bubble",
        "size": "mega",
        "hero": {
            "type": "image",
            "url": f"{page}.png",
            "size": "full",
            "aspectRatio": "20:13",
            "aspectMode": "cover",
            "action": {"type": "uri", "label": "Show", "uri": page},
        },
        "body": {"type": "box", "layout": "vertical", "spacing": "md", "contents": [title, stars()]},
        "footer": {
            "type": "box",
            "layout": "horizontal",
            "spacing": "sm",
            "contents": [
                button({"type": "uri", "label": "Open", "uri": page}, "link"),
                button({"type": "postback", "label": "Book", "data": f"book={number}"}, "primary"),
            ],
        },
    }


def stars():
    """A baseline box: five icons and a figure."""
    icon = {"type": "icon", "size": "sm", "url": "https://example.com/star.png"}
    figure = {"type": "text", "text": "4.6", "size": "sm", "color": "#999999", "flex": 0}
    return {"type": "box", "layout": "baseline", "margin": "md", "contents": [icon] * 5 + [figure]}


def button(action, style):
    """A button of the footer."""
    return {"type": "button", "style": style, "height": "sm", "action": action}


def row(number):
    """A line of the body: what it is on the left, how much on the right."""
    style = {"type": "text", "size": "sm"}
    item = {**style, "text": f"Item {number:03}", "color": "#aaaaaa", "flex": 1}
    price = {**style, "text": "¥12,000", "wrap": True, "color": "#666666", "flex": 5}
    return {"type": "box", "layout": "baseline", "spacing": "sm", "contents": [item, price]}


def inputs():
    """The files of `inputs/` by name: the inputs of the action, in sections."""
    pushes = {"text.json": text_push(), "carousel.json": carousel_push()}
    return {name: compact({"json_body": push}) + "\n" for name, push in pushes.items()}


def main():
    """Writes the files."""
    for name, text in inputs().items():
        with open(os.path.join(INPUTS, name), "w", encoding="utf-8") as file:
            file.write(text)


if __name__ == "__main__":
    main()
