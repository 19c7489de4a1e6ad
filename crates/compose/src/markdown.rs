//! Markdown as blocks of plain text. LINE shows no markup in texts: what is bold or slanted becomes
//! plain, lists get bullets, links show their address. HTML stays as it is written.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use crate::link;

/// The most that a text with markup has, bytes: some of it takes time by the square of its length.
pub(crate) const MAX_MARKDOWN: usize = 64 << 10;

/// The most that the name of a column has where it stands before each cell, bytes.
const MAX_NAME: usize = 200;

/// A part of a text, in the order of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Block {
    Text(String),
    Heading(String),
    /// Rows of cells; the first one is the header.
    Table(Vec<Vec<String>>),
    /// A picture that LINE can show.
    Image {
        url: String,
        alt: String,
    },
}

/// The blocks of a text; `None` where it has no markup, so that plain text stays as it is.
pub(crate) fn blocks(text: &str) -> Option<Vec<Block>> {
    let options =
        Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    let events: Vec<Event<'_>> = Parser::new_ext(text, options).collect();
    if events.iter().all(is_plain) {
        return None;
    }
    let mut renderer = Renderer::default();
    for event in events {
        renderer.take(event);
    }
    renderer.end_text();
    // A text of nothing but definitions or comments shows itself.
    (!renderer.blocks.is_empty()).then_some(renderer.blocks)
}

fn is_plain(event: &Event<'_>) -> bool {
    match event {
        Event::Text(_) | Event::SoftBreak => true,
        Event::Start(tag) => matches!(tag, Tag::Paragraph),
        Event::End(tag) => matches!(tag, TagEnd::Paragraph),
        _ => false,
    }
}

/// The blocks as one plain text.
pub(crate) fn plain(blocks: &[Block]) -> String {
    let mut text = String::new();
    let mut after_heading = false;
    for block in blocks {
        if !text.is_empty() {
            text.push_str(if after_heading { "\n" } else { "\n\n" });
        }
        after_heading = matches!(block, Block::Heading(_));
        match block {
            Block::Text(part) | Block::Heading(part) => text.push_str(part),
            Block::Table(rows) => text.push_str(&stacked(rows)),
            Block::Image { url, alt } => text.push_str(&labelled(alt, url)),
        }
    }
    text
}

/// A table as lines: each cell with the name of its column, a blank line between rows. Names that are too
/// long to stand before each cell stand once.
pub(crate) fn stacked(rows: &[Vec<String>]) -> String {
    let Some((header, rows)) = rows.split_first() else {
        return String::new();
    };
    let first = header.join(" | ");
    if rows.is_empty() {
        return first;
    }
    let are_names = header.iter().all(|name| name.len() <= MAX_NAME);
    let header = if are_names { header.as_slice() } else { &[] };
    let line = |(column, cell): (usize, &String)| match header.get(column) {
        Some(name) if !name.is_empty() && !cell.is_empty() => format!("{name}: {cell}"),
        Some(name) if cell.is_empty() => name.clone(),
        _ => cell.clone(),
    };
    let row = |row: &Vec<String>| {
        row.iter()
            .enumerate()
            .map(line)
            .collect::<Vec<_>>()
            .join("\n")
    };
    let first = (!are_names).then_some(first);
    let lines: Vec<String> = first.into_iter().chain(rows.iter().map(row)).collect();
    lines.join("\n\n")
}

/// A link: its label with its address, or the address alone where they are the same.
fn labelled(label: &str, url: &str) -> String {
    if label.is_empty() || label == url || url.strip_prefix("mailto:") == Some(label) {
        url.to_owned()
    } else {
        format!("{label} ({url})")
    }
}

/// Writes blocks while it walks through a text.
#[derive(Debug, Default)]
struct Renderer {
    blocks: Vec<Block>,
    /// The text block that is being written.
    text: String,
    /// What each line begins with: of quotes and lists, from the outermost.
    prefixes: Vec<String>,
    /// Line breaks that are due before the next text.
    due: usize,
    /// The number of the next item of each list; `None` for bullets.
    lists: Vec<Option<u64>>,
    /// Where links and images began, and where they lead.
    links: Vec<(usize, String)>,
    /// The table's rows, while in one.
    table: Option<Vec<Vec<String>>>,
    /// Text set aside while a cell is written.
    aside: String,
}

impl Renderer {
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) | Event::Code(text) | Event::Html(text) | Event::InlineHtml(text) => {
                self.write(&text);
            }
            Event::SoftBreak | Event::HardBreak if self.table.is_some() => self.write(" "),
            Event::SoftBreak | Event::HardBreak => self.write("\n"),
            Event::Rule => {
                self.gap(2);
                self.write("———");
                self.gap(2);
            }
            Event::TaskListMarker(done) => self.write(if done { "☑ " } else { "☐ " }),
            // Not enabled.
            Event::FootnoteReference(_) | Event::InlineMath(_) | Event::DisplayMath(_) => {}
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Paragraph => self.gap(if self.lists.is_empty() { 2 } else { 1 }),
            Tag::Heading { .. } => {
                self.gap(2);
                if self.prefixes.is_empty() {
                    self.end_text();
                }
            }
            Tag::BlockQuote(_) => {
                self.gap(2);
                self.prefixes.push("> ".to_owned());
            }
            Tag::CodeBlock(_) | Tag::HtmlBlock => self.gap(2),
            Tag::List(first) => {
                self.gap(if self.lists.is_empty() { 2 } else { 1 });
                self.lists.push(first);
            }
            Tag::Item => self.start_item(),
            Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. } => {
                self.flush_due();
                self.links.push((self.text.len(), dest_url.into_string()));
            }
            Tag::Table(_) => {
                self.gap(2);
                self.flush_due();
                self.aside = std::mem::take(&mut self.text);
                self.table = Some(Vec::new());
            }
            Tag::TableHead | Tag::TableRow => {
                if let Some(rows) = &mut self.table {
                    rows.push(Vec::new());
                }
            }
            _ => {}
        }
    }

    fn start_item(&mut self) {
        self.gap(1);
        let marker = match self.lists.last_mut() {
            Some(Some(number)) => {
                let marker = format!("{number}. ");
                *number = number.saturating_add(1);
                marker
            }
            _ => "• ".to_owned(),
        };
        self.write(&marker);
        self.prefixes.push("  ".to_owned());
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Paragraph => self.gap(if self.lists.is_empty() { 2 } else { 1 }),
            TagEnd::Heading(_) => {
                if self.prefixes.is_empty() {
                    let heading = std::mem::take(&mut self.text);
                    self.due = 0;
                    if !heading.trim().is_empty() {
                        self.blocks.push(Block::Heading(heading.trim().to_owned()));
                    }
                } else {
                    self.gap(1);
                }
            }
            TagEnd::BlockQuote(_) => {
                self.prefixes.pop();
                self.gap(2);
            }
            TagEnd::CodeBlock | TagEnd::HtmlBlock => {
                while self.text.ends_with('\n') {
                    self.text.pop();
                }
                self.gap(2);
            }
            TagEnd::List(_) => {
                self.lists.pop();
                self.gap(if self.lists.is_empty() { 2 } else { 1 });
            }
            TagEnd::Item => {
                // An item without text ends behind its marker.
                self.flush_due();
                self.prefixes.pop();
                self.gap(1);
            }
            TagEnd::Link => self.end_link(),
            TagEnd::Image => self.end_image(),
            TagEnd::TableCell => {
                let cell = std::mem::take(&mut self.text);
                if let Some(row) = self.table.as_mut().and_then(|rows| rows.last_mut()) {
                    row.push(cell.trim().to_owned());
                }
            }
            TagEnd::Table => self.end_table(),
            _ => {}
        }
    }

    fn end_link(&mut self) {
        if let Some((start, url)) = self.links.pop() {
            let label = self.text.split_off(start.min(self.text.len()));
            self.text.push_str(&labelled(&label, &url));
        }
    }

    /// A picture of its own is a block; one within a link, a list or a table is a link.
    fn end_image(&mut self) {
        let Some((start, url)) = self.links.pop() else {
            return;
        };
        let alt = self.text.split_off(start.min(self.text.len()));
        let is_shown = url.starts_with("https://")
            && link::encoded(&url).len() <= link::MAX_MEDIA
            && link::ending(&url).is_some_and(|end| matches!(end.as_str(), "jpg" | "jpeg" | "png"));
        let is_alone = self.links.is_empty() && self.prefixes.is_empty() && self.table.is_none();
        if is_shown && is_alone {
            self.end_text();
            let url = link::encoded(&url);
            self.blocks.push(Block::Image { url, alt });
        } else {
            self.text.push_str(&labelled(&alt, &url));
        }
    }

    fn end_table(&mut self) {
        let rows = self.table.take().unwrap_or_default();
        self.text = std::mem::take(&mut self.aside);
        if self.prefixes.is_empty() {
            self.end_text();
            self.blocks.push(Block::Table(rows));
        } else {
            self.write(&stacked(&rows));
            self.gap(2);
        }
    }

    /// Ends the text block that is being written.
    fn end_text(&mut self) {
        let text = std::mem::take(&mut self.text);
        let text = text.trim_matches('\n').trim_end();
        if !text.trim().is_empty() {
            self.blocks.push(Block::Text(text.to_owned()));
        }
        self.due = 0;
    }

    /// At least so many line breaks come before the next text.
    fn gap(&mut self, breaks: usize) {
        self.due = self.due.max(breaks);
    }

    fn flush_due(&mut self) {
        let breaks = std::mem::take(&mut self.due);
        if self.table.is_some() {
            return;
        }
        if self.text.is_empty() {
            self.text.push_str(&self.prefixes.concat());
            return;
        }
        // Right behind an item's marker the text goes on in the same line.
        if self.text.ends_with("• ") || ends_with_number(&self.text) {
            return;
        }
        for _ in 0..breaks {
            self.break_line();
        }
    }

    fn break_line(&mut self) {
        let kept = self.text.trim_end_matches(' ').len();
        self.text.truncate(kept);
        self.text.push('\n');
        self.text.push_str(&self.prefixes.concat());
    }

    fn write(&mut self, text: &str) {
        self.flush_due();
        let mut lines = text.split('\n');
        self.text.push_str(lines.next().unwrap_or_default());
        for line in lines {
            self.break_line();
            self.text.push_str(line);
        }
    }
}

/// Whether the text ends in the marker of a numbered item.
fn ends_with_number(text: &str) -> bool {
    let line = text.rsplit('\n').next().unwrap_or_default();
    let number = line.trim_start_matches([' ', '>']).strip_suffix(". ");
    number.is_some_and(|number| {
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}
