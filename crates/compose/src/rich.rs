//! Plain strings and text messages: as text, or, where Markdown is asked for, as what its markup says.

use serde_json::Value;

use crate::composer::{Composer, Words};
use crate::flex::{self, Look};
use crate::list::paged;
use crate::markdown::{self, Block, MAX_MARKDOWN};
use crate::options::Markdown;
use crate::report::{Place, Problem, What};

/// The most columns of a table that stand side by side.
const MAX_COLUMNS: usize = 4;

impl Composer<'_> {
    /// The messages of a text.
    pub(crate) fn text_message(&mut self, text: &str, place: &Place) -> Vec<Value> {
        let is_markdown = self.options.markdown != Markdown::Off;
        if is_markdown && text.len() > MAX_MARKDOWN {
            let problem = Problem::new(place, "is too long for Markdown")
                .expected(format!("at most {MAX_MARKDOWN} bytes"))
                .found(format!("{} bytes", text.len()));
            self.report
                .refuse(problem.hint("send it in parts, or without `markdown`"));
            return Vec::new();
        }
        let blocks = is_markdown.then(|| markdown::blocks(text)).flatten();
        let Some(blocks) = blocks else {
            return self.texts(text, place);
        };
        let is_rich = |block: &Block| matches!(block, Block::Heading(_) | Block::Table(_));
        if self.options.markdown == Markdown::Rich && blocks.iter().any(is_rich) {
            self.report.changed(
                place,
                What::Transcoded,
                "is a Flex Message: it has headings or tables",
            );
            return self.rich_text(&blocks, place);
        }
        self.report
            .changed(place, What::Transcoded, "is text: LINE shows no Markdown");
        let mut messages = Vec::new();
        for part in blocks.chunk_by(|left, right| !is_image(left) && !is_image(right)) {
            match part {
                [Block::Image { url, .. }] => messages.push(serde_json::json!({
                    "type": "image", "originalContentUrl": url, "previewImageUrl": url,
                })),
                blocks => messages.extend(self.texts(&markdown::plain(blocks), place)),
            }
        }
        messages
    }

    fn rich_text(&mut self, blocks: &[Block], place: &Place) -> Vec<Value> {
        let mut messages = Vec::new();
        let mut parts = Vec::new();
        for block in blocks {
            match block {
                Block::Heading(text) => {
                    parts.push(self.rich_part(text, Look::Title, place, &mut messages));
                }
                Block::Text(text) => {
                    parts.push(self.rich_part(text, Look::Row, place, &mut messages));
                }
                Block::Image { url, .. } => parts.push(flex::image(url, "20:13")),
                Block::Table(rows) if rows.iter().any(|row| row.len() > MAX_COLUMNS) => {
                    let text = markdown::stacked(rows);
                    parts.push(self.rich_part(&text, Look::Row, place, &mut messages));
                }
                Block::Table(rows) => self.table(rows, place, &mut parts, &mut messages),
            }
        }
        let bubbles = paged(flex::bubble(None, Vec::new(), Vec::new()), parts);
        let lines: Vec<Block> = blocks
            .iter()
            .filter(|block| !is_image(block))
            .cloned()
            .collect();
        let alt_text = self.alt_text(&[&markdown::plain(&lines)], &[]);
        let found = bubbles.len();
        let drawn = bubbles
            .into_iter()
            .map(|bubble| (alt_text.clone(), bubble))
            .collect();
        messages.extend(self.flex_messages(drawn, (place, found)));
        messages
    }

    fn rich_part(
        &mut self,
        text: &str,
        look: Look,
        place: &Place,
        whole: &mut Vec<Value>,
    ) -> Value {
        let place = place.clone();
        let text = if text.trim().is_empty() { "–" } else { text };
        let text = self.flex_text(&Words { text, place }, whole);
        flex::text(&text, look)
    }

    fn table(
        &mut self,
        rows: &[Vec<String>],
        place: &Place,
        parts: &mut Vec<Value>,
        whole: &mut Vec<Value>,
    ) {
        for (index, row) in rows.iter().enumerate() {
            let look = if index == 0 { Look::Note } else { Look::Row };
            let cells = row
                .iter()
                .map(|cell| self.rich_part(cell, look, place, whole));
            let cells: Vec<Value> = cells.collect();
            if !cells.is_empty() {
                parts.push(flex::row(cells));
            }
            if index == 0 {
                parts.push(flex::separator());
            }
        }
    }
}

fn is_image(block: &Block) -> bool {
    matches!(block, Block::Image { .. })
}
