//! Every check over the repository's own cases and many mutations of them: what a fuzzer does for
//! hours, for some seconds. A failing input is printed; its seed makes it again.

use line_connector_fuzz::{CHECKS, Check, seeds};

/// How many mutations each check gets, unless `MUTATIONS` says another number.
const MUTATIONS: usize = 20_000;
/// What fraction of these gets a whole file, which takes milliseconds to read.
const FILES: usize = 20;

/// What JSON, HTTP and LINE make special.
const WORDS: [&str; 28] = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "\\u0000",
    "\\ud83d",
    "\n",
    "\r\n",
    "%2e",
    "..",
    "/",
    "null",
    "1e400",
    "-0",
    "\u{feff}",
    "\u{200b}",
    "😀",
    "replyToken",
    "messages",
    "X-Line-Retry-Key",
    "Content-Length: 7\r\n",
    "Transfer-Encoding: chunked\r\n",
    "HTTP/1.1 ",
    "0\r\n\r\n",
];

/// SplitMix64: any sequence that is the same each time does.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) % below.max(1) as u64) as usize
    }
}

fn mutated(bytes: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..1 + numbers.next(4) {
        let at = numbers.next(bytes.len() + 1);
        match numbers.next(5) {
            0 => bytes.truncate(at),
            1 => drop(bytes.splice(at..at, WORDS[numbers.next(WORDS.len())].bytes())),
            2 if at < bytes.len() => bytes[at] ^= 1 << numbers.next(8),
            3 => {
                let end = (at + numbers.next(20)).min(bytes.len());
                bytes.drain(at..end);
            }
            _ => {
                let end = (at + numbers.next(200)).min(bytes.len());
                let part = bytes[at..end].to_vec();
                bytes.splice(at..at, part);
            }
        }
    }
    bytes
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a switch of the test itself")]
fn every_check_holds_for_the_cases_and_their_mutations() {
    let mutations = std::env::var("MUTATIONS").map_or(MUTATIONS, |count| count.parse().unwrap());
    // Each on a thread of its own: they take minutes, one after another.
    std::thread::scope(|scope| {
        for (name, check) in CHECKS {
            let mutations = match name {
                "action" | "campaign" | "list" => mutations / FILES,
                _ => mutations,
            };
            scope.spawn(move || hold(name, check, mutations));
        }
    });
}

fn hold(name: &str, check: Check, mutations: usize) {
    let mut numbers = Numbers(7);
    let corpus = seeds(name);
    for case in &corpus {
        check(case);
    }
    for _ in 0..mutations {
        let input = mutated(&corpus[numbers.next(corpus.len())], &mut numbers);
        let held = std::panic::catch_unwind(|| check(&input));
        assert!(held.is_ok(), "{name}: {}", String::from_utf8_lossy(&input));
    }
}
