//! Standard input cut into lines, none of which is kept beyond its bound. It parses nothing.

use std::io::{self, Read};

use memchr::memchr;

/// How much is read at once.
const CHUNK: usize = 64 * 1024;

/// What stands in a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Its bytes, without the line feed.
    Text(Vec<u8>),
    /// More than the bound; it was thrown away.
    TooLong,
}

/// A line with its number, from 1.
pub(super) type Line = (u64, Content);

/// The lines of a source that are not blank.
pub(super) struct Lines<R> {
    source: R,
    most: usize,
    buffer: Vec<u8>,
    /// Where the line begins that comes next.
    start: usize,
    /// Up to where no line feed was found.
    searched: usize,
    /// The number of the line that comes next.
    number: u64,
    /// Whether the rest of a line that was too long is still to come.
    skipping: bool,
}

impl<R: Read> Lines<R> {
    /// The lines of a source, each of at most so many bytes.
    pub(super) fn new(source: R, most: usize) -> Self {
        Self {
            source,
            most,
            buffer: Vec::new(),
            start: 0,
            searched: 0,
            number: 1,
            skipping: false,
        }
    }

    /// The next line that has come whole, without reading more.
    pub(super) fn next_whole(&mut self) -> Option<Line> {
        loop {
            let Some(found) = memchr(b'\n', &self.buffer[self.searched..]) else {
                self.searched = self.buffer.len();
                return self.overflow();
            };
            let end = self.searched + found;
            let line = self.take(end);
            self.start = end + 1;
            self.searched = self.start;
            if line.is_some() {
                return line;
            }
        }
    }

    /// Reads more, and says whether there may be more yet.
    pub(super) fn fill(&mut self) -> io::Result<bool> {
        self.buffer.drain(..self.start);
        self.searched -= self.start;
        self.start = 0;
        if self.buffer.is_empty() && self.buffer.capacity() > 16 * CHUNK {
            self.buffer = Vec::new();
        }
        let length = self.buffer.len();
        self.buffer.resize(length + CHUNK, 0);
        let read = loop {
            match self.source.read(&mut self.buffer[length..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        self.buffer.truncate(length + *read.as_ref().unwrap_or(&0));
        read.map(|read| read > 0)
    }

    /// What stands after the last line feed, once there is no more.
    pub(super) fn rest(&mut self) -> Option<Line> {
        let line = self.take(self.buffer.len());
        self.start = self.buffer.len();
        self.searched = self.start;
        line
    }

    /// The line that ends here, unless it is blank or was told of already.
    fn take(&mut self, end: usize) -> Option<Line> {
        let number = self.number;
        self.number += 1;
        let text = &self.buffer[self.start..end];
        if std::mem::take(&mut self.skipping) || text.iter().all(u8::is_ascii_whitespace) {
            return None;
        }
        if text.len() > self.most {
            return Some((number, Content::TooLong));
        }
        Some((number, Content::Text(text.to_vec())))
    }

    /// Throws away what has come of a line that is too long, and tells of it once.
    fn overflow(&mut self) -> Option<Line> {
        if !self.skipping && self.buffer.len() - self.start <= self.most {
            return None;
        }
        self.buffer.clear();
        self.start = 0;
        self.searched = 0;
        let told = std::mem::replace(&mut self.skipping, true);
        (!told).then_some((self.number, Content::TooLong))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hands out its bytes a few at a time.
    struct Trickle<'a>(&'a [u8], usize);

    impl Read for Trickle<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let length = self.1.min(self.0.len()).min(into.len());
            into[..length].copy_from_slice(&self.0[..length]);
            self.0 = &self.0[length..];
            Ok(length)
        }
    }

    fn all(input: &[u8], at_once: usize, most: usize) -> Vec<Line> {
        let mut lines = Lines::new(Trickle(input, at_once), most);
        let mut found = Vec::new();
        loop {
            while let Some(line) = lines.next_whole() {
                found.push(line);
            }
            if !lines.fill().unwrap() {
                found.extend(lines.rest());
                return found;
            }
        }
    }

    fn text(number: u64, text: &str) -> Line {
        (number, Content::Text(text.into()))
    }

    #[test]
    fn lines_come_whole_however_they_arrive() {
        let input = "one\n\n  \r\ntwo\r\nthree".as_bytes();
        for at_once in [1, 2, 3, 1000] {
            let expected = [text(1, "one"), text(4, "two\r"), text(5, "three")];
            assert_eq!(all(input, at_once, 100), expected, "{at_once}");
        }
        assert_eq!(all(b"", 1, 100), []);
    }

    #[test]
    fn a_line_that_is_too_long_is_told_of_once_and_the_next_one_is_read() {
        for at_once in [1, 7, 1000] {
            let input = b"0123456789\n{}\n01234567890123456789\nlast\n01234567";
            let expected = [
                (1, Content::TooLong),
                text(2, "{}"),
                (3, Content::TooLong),
                text(4, "last"),
                (5, Content::TooLong),
            ];
            assert_eq!(all(input, at_once, 6), expected, "{at_once}");
        }
    }

    #[test]
    fn a_line_without_an_end_is_not_kept() {
        let endless = vec![b'x'; 10 * CHUNK];
        let mut lines = Lines::new(&endless[..], CHUNK);
        let mut told = 0;
        while lines.fill().unwrap() {
            told += u32::from(lines.next_whole().is_some());
            assert!(lines.buffer.len() <= 2 * CHUNK);
        }
        assert_eq!(told, 1);
        assert_eq!(lines.rest(), None);
    }
}
