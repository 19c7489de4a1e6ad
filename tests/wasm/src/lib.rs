//! The core behind three functions that a WebAssembly host calls: hand over an invocation document,
//! get back what a dry run answers. Nothing is imported, so nothing but these can happen.

use std::io;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, SystemTime};

use line_connector_core::asset::Operator;
use line_connector_core::asset::{Credentials, Network};
use line_connector_core::auth::{IssuedToken, TokenIssuer};
use line_connector_core::call::Pipeline;
use line_connector_core::catalog::{Catalog, Defaults};
use line_connector_core::documents::{Invocation, Output};
use line_connector_core::error::{Error, Kind};
use line_connector_core::host::{Clock, Connect, Files, Host, Media, NewFile, Random};
use line_connector_core::media::Probe;
use line_connector_http::Transport;

/// A host that has nothing to offer.
struct Nothing;

fn unavailable() -> Error {
    Error::new(Kind::Internal, "this host has no network")
}

impl Connect for Nothing {
    fn transport(
        &self,
        _: &Network,
        _: &Defaults,
        _: &dyn Files,
    ) -> Result<Arc<dyn Transport>, Error> {
        Err(unavailable())
    }
}

impl Clock for Nothing {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }

    fn sleep(&self, _: Duration) {}

    fn waker(&self) -> Waker {
        Waker::noop().clone()
    }

    fn park(&self, _: Option<Duration>) {}
}

impl Random for Nothing {
    fn bits(&self) -> u128 {
        7
    }
}

impl Media for Nothing {
    fn probe(&self, _: &str, _: Duration) -> Result<Probe, String> {
        Err("there is no network".to_owned())
    }
}

impl Files for Nothing {
    fn read(&self, _: &str, _: u64) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn create(&self, _: &str, _: bool) -> io::Result<Box<dyn NewFile>> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl TokenIssuer for Nothing {
    fn issue(
        &self,
        _: &Credentials,
        _: &dyn Transport,
        _: SystemTime,
        _: Duration,
    ) -> Result<IssuedToken, Error> {
        Err(unavailable())
    }
}

/// Room for a document of so many bytes.
#[unsafe(no_mangle)]
pub extern "C" fn reserve(length: usize) -> *mut u8 {
    Box::leak(vec![0; length].into_boxed_slice()).as_mut_ptr()
}

/// The dry run of the document that stands in reserved room: its output's address in the upper half,
/// its length in the lower.
///
/// # Safety
///
/// `document` and `length` are those of one call of [`reserve`], and used once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn plan(document: *mut u8, length: usize) -> u64 {
    // SAFETY: `reserve` leaked exactly this slice, and nothing has used it since.
    let document = unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(document, length)) };
    let host = Host {
        network: Box::new(Nothing),
        clock: Box::new(Nothing),
        random: Box::new(Nothing),
        files: Box::new(Nothing),
        media: Box::new(Nothing),
        issuer: Box::new(Nothing),
        token_store: None,
        operator: Operator::default(),
    };
    let output = match Invocation::from_json(&document) {
        Ok(invocation) => Pipeline::new(Catalog::embedded(), host).plan(invocation),
        Err(refused) => Output::from(refused),
    };
    let text = Box::leak(output.render().into_bytes().into_boxed_slice());
    (text.as_ptr() as u64) << 32 | text.len() as u64
}

/// Hash maps are seeded alike; a module that answers one document at a time has nothing to fear.
///
/// # Safety
///
/// `bytes` is room for `length` bytes.
#[unsafe(no_mangle)]
unsafe extern "Rust" fn __getrandom_v03_custom(
    bytes: *mut u8,
    length: usize,
) -> Result<(), getrandom::Error> {
    // SAFETY: what the caller promises.
    unsafe { bytes.write_bytes(7, length) };
    Ok(())
}
