//! Looks at media on the web: the first bytes of what a URL leads to. URLs come from whoever writes
//! documents, so nothing of the operator's own network answers, not behind a redirect either.

use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use line_connector_core::host::Media;
use line_connector_core::media::Probe;
use ureq::Agent;
use ureq::config::Config;
use ureq::http::{Uri, header};
use ureq::tls::TlsConfig;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};

use crate::names;
use crate::transport::UnusableSetting;
use crate::transport::roots;

/// How many bytes tell a format.
const FIRST_BYTES: u64 = 512;
/// How many redirects are followed.
const MAX_REDIRECTS: u32 = 3;

/// Media on the public web.
#[derive(Debug, Default)]
pub struct WebMedia {
    tls: TlsConfig,
    any_address: bool,
}

impl WebMedia {
    /// With certificate authorities in PEM, trusted instead of the bundled ones.
    ///
    /// # Errors
    ///
    /// Where they cannot be used.
    pub fn trusting(mut self, authorities: &[u8]) -> Result<Self, UnusableSetting> {
        self.tls = TlsConfig::builder().root_certs(roots(authorities)?).build();
        Ok(self)
    }

    /// With private addresses too, for media of a network of one's own. Nobody else may write documents
    /// then.
    #[must_use]
    pub fn at_any_address(mut self) -> Self {
        self.any_address = true;
        self
    }
}

impl Media for WebMedia {
    fn probe(&self, url: &str, most: Duration) -> Result<Probe, String> {
        let config = Agent::config_builder()
            .https_only(true)
            .http_status_as_error(false)
            .max_redirects(MAX_REDIRECTS)
            .proxy(None)
            .tls_config(self.tls.clone())
            .timeout_global(Some(most))
            .user_agent(concat!("line-connector/", env!("CARGO_PKG_VERSION")))
            .build();
        let resolver = Addresses {
            any: self.any_address,
        };
        let agent = Agent::with_parts(config, DefaultConnector::default(), resolver);
        let range = format!("bytes=0-{}", FIRST_BYTES - 1);
        let answer = agent.get(url).header(header::RANGE, range).call();
        let mut answer = answer.map_err(|error| error.to_string())?;
        let text = |name: header::HeaderName| {
            let value = answer.headers().get(name)?;
            value.to_str().ok().map(str::to_owned)
        };
        let whole =
            text(header::CONTENT_RANGE).and_then(|range| range.rsplit('/').next()?.parse().ok());
        let declared = text(header::CONTENT_LENGTH).and_then(|length| length.parse().ok());
        let mut probe = Probe {
            status: answer.status().as_u16(),
            content_type: text(header::CONTENT_TYPE),
            // What comes as a part declares the length of the part.
            size_bytes: whole.or(declared.filter(|_| answer.status() != 206)),
            first_bytes: Vec::new(),
        };
        let body = answer.body_mut().as_reader();
        body.take(FIRST_BYTES)
            .read_to_end(&mut probe.first_bytes)
            .map_err(|error| error.to_string())?;
        Ok(probe)
    }
}

/// Finds hosts, and leads to no address that is not public.
#[derive(Debug)]
struct Addresses {
    any: bool,
}

impl Resolver for Addresses {
    fn resolve(
        &self,
        uri: &Uri,
        _: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = names::resolve(uri, timeout)?;
        if !self.any && found.iter().any(|address| !is_public(address.ip())) {
            return Err(ureq::Error::Other(
                "its address is not one of the public internet".into(),
            ));
        }
        Ok(found)
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match inner(address) {
            Some(inner) => is_public_v4(inner),
            None => is_public_v6(address),
        },
    }
}

/// IANA's special-purpose address registry.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [first, second, third, _] = address.octets();
    let is_shared = first == 100 && second & 0xc0 == 64;
    let is_protocol = first == 192 && second == 0 && third == 0;
    let is_benchmark = first == 198 && second & 0xfe == 18;
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || address.is_multicast()
        || first == 0
        || first >= 240
        || is_shared
        || is_protocol
        || is_benchmark)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    // Global unicast, without the documentation and the protocol blocks.
    first & 0xe000 == 0x2000 && !(first == 0x2001 && (second < 0x200 || second == 0xdb8))
}

/// The IPv4 address that an IPv6 address stands for: mapped, translated (NAT64) or 6to4.
fn inner(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let embedded = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            Some(embedded(high, low))
        }
        [0x2002, high, low, ..] => Some(embedded(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_the_public_internet_are_public() {
        for address in [
            "8.8.8.8",
            "203.104.138.1",
            "2001:4860:4860::8888",
            "2606:4700::1111",
            "64:ff9b::8.8.8.8",
        ] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
        for address in [
            "127.0.0.1",
            "127.8.8.8",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "0.1.2.3",
            "192.0.0.8",
            "198.18.0.1",
            "192.0.2.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "2001:db8::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::127.0.0.1",
            "2002:7f00:1::",
            "2002:a9fe:a9fe::",
            "2001::1",
        ] {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
    }
}
