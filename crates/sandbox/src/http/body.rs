//! The bytes of an answer: stored, or generated block by block while they are sent, so that a video
//! of any length costs no memory.

use std::io::{self, Write};

/// Filler repeats the bytes 0, 1, … 250. A block holds whole periods, so that blocks join.
const FILLER_PERIOD: u8 = 251;
const FILLER_BLOCK: usize = FILLER_PERIOD as usize * 256;

/// The bytes of an answer.
#[derive(Debug, Clone)]
pub(crate) enum Body {
    Bytes(Vec<u8>),
    /// This many bytes of filler: the byte at index n is n modulo 251.
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

    /// Writes `head`, then the first `max_bytes` bytes of this body.
    pub(crate) fn write_after(
        &self,
        mut head: Vec<u8>,
        max_bytes: u64,
        sink: &mut impl Write,
    ) -> io::Result<()> {
        let mut left = max_bytes.min(self.len());
        match self {
            Self::Bytes(bytes) => {
                let end = usize::try_from(left).unwrap_or(bytes.len());
                head.extend_from_slice(&bytes[..end]);
                sink.write_all(&head)
            }
            Self::Filler(_) => {
                sink.write_all(&head)?;
                let filler_block = filler_block();
                while left > 0 {
                    let count = usize::try_from(left)
                        .unwrap_or(FILLER_BLOCK)
                        .min(FILLER_BLOCK);
                    sink.write_all(&filler_block[..count])?;
                    left = left.saturating_sub(FILLER_BLOCK as u64);
                }
                Ok(())
            }
        }
    }

    /// The whole body in memory; `None` for filler of more than `max_bytes` bytes.
    pub(crate) fn into_bytes(self, max_bytes: u64) -> Option<Vec<u8>> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::Filler(length) if length > max_bytes => None,
            Self::Filler(length) => {
                let length = usize::try_from(length).ok()?;
                Some((0..FILLER_PERIOD).cycle().take(length).collect())
            }
        }
    }
}

fn filler_block() -> Vec<u8> {
    (0..FILLER_PERIOD).cycle().take(FILLER_BLOCK).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(body: &Body, max_bytes: u64) -> Vec<u8> {
        let mut sink = Vec::new();
        body.write_after(b"head".to_vec(), max_bytes, &mut sink)
            .unwrap();
        sink.split_off(4)
    }

    #[test]
    fn filler_is_the_same_however_it_is_written() {
        for length in [0, 1, 251, FILLER_BLOCK as u64, 3 * FILLER_BLOCK as u64 + 7] {
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
