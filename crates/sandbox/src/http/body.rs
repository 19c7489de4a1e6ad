//! The bytes of an answer: either there, or made up block by block while they are sent, so that a
//! film of any length costs no memory. It knows nothing of HTTP.

use std::io::{self, Write};

/// What filler repeats: 0, 1, … 250, and again. The length is a multiple of that, so blocks join.
const PERIOD: u8 = 251;
const BLOCK: usize = PERIOD as usize * 256;

/// The bytes of an answer.
#[derive(Debug, Clone)]
pub(crate) enum Body {
    Bytes(Vec<u8>),
    /// So many bytes of filler: the byte at place n is n modulo 251.
    Filler(u64),
}

impl<T: Into<Vec<u8>>> From<T> for Body {
    fn from(bytes: T) -> Self {
        Self::Bytes(bytes.into())
    }
}

impl Body {
    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            Self::Filler(length) => *length,
        }
    }

    /// Writes `head`, then the first `most` bytes of this body.
    pub(crate) fn write_after(
        &self,
        mut head: Vec<u8>,
        most: u64,
        sink: &mut impl Write,
    ) -> io::Result<()> {
        let mut left = most.min(self.len());
        match self {
            Self::Bytes(bytes) => {
                let end = usize::try_from(left).unwrap_or(bytes.len());
                head.extend_from_slice(&bytes[..end]);
                sink.write_all(&head)
            }
            Self::Filler(_) => {
                sink.write_all(&head)?;
                let block = block();
                while left > 0 {
                    let count = usize::try_from(left).unwrap_or(BLOCK).min(BLOCK);
                    sink.write_all(&block[..count])?;
                    left = left.saturating_sub(BLOCK as u64);
                }
                Ok(())
            }
        }
    }

    /// The whole body in memory, unless it is filler of more than `most` bytes.
    pub(crate) fn into_bytes(self, most: u64) -> Option<Vec<u8>> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::Filler(length) if length > most => None,
            Self::Filler(length) => {
                let length = usize::try_from(length).ok()?;
                Some((0..PERIOD).cycle().take(length).collect())
            }
        }
    }
}

fn block() -> Vec<u8> {
    (0..PERIOD).cycle().take(BLOCK).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(body: &Body, most: u64) -> Vec<u8> {
        let mut sink = Vec::new();
        body.write_after(b"head".to_vec(), most, &mut sink).unwrap();
        sink.split_off(4)
    }

    #[test]
    fn filler_is_the_same_however_it_is_written() {
        for length in [0, 1, 251, BLOCK as u64, 3 * BLOCK as u64 + 7] {
            let body = Body::Filler(length);
            let bytes = body.clone().into_bytes(length).unwrap();
            assert_eq!(written(&body, u64::MAX), bytes, "{length}");
            assert_eq!(body.len(), length);
        }
        assert_eq!(Body::Filler(10).into_bytes(9), None);
    }

    #[test]
    fn a_body_is_cut_where_asked() {
        assert_eq!(written(&Body::from("abcdef"), 3), b"abc");
        assert_eq!(written(&Body::from("abc"), u64::MAX), b"abc");
        let half = written(&Body::Filler(200_000), 100_000);
        assert_eq!((half.len(), half[99_999]), (100_000, (99_999 % 251) as u8));
    }
}
