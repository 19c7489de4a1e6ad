//! Where hosts are. The system is asked on threads, since a look-up cannot be given up: on few at a time,
//! for the whole process, whoever asks. Which addresses may be used is not judged here.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use ureq::Error;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver as _};
use ureq::unversioned::transport::NextTimeout;
use ureq::unversioned::transport::time::Duration as Left;

/// How many look-ups the system is busy with at most, beside those of the operator's names.
const MAX_LOOK_UPS: usize = 16;
/// How many of them are for names that never had an answer. Names that stall for good cannot take the
/// others, which are for those that are in use.
const MAX_FIRST_LOOK_UPS: usize = 8;
/// How many names are remembered.
const MAX_NAMES: usize = 256;
/// How long an answer is good.
const FRESH: Duration = Duration::from_secs(30);
/// How long it is good where no newer one comes.
const KEPT: Duration = Duration::from_hours(1);
/// How long a newer answer is waited for where there is one already.
const RENEWAL: Duration = Duration::from_secs(2);
/// How long an answer is waited for at most: the system itself has given up by then.
const LONGEST: Duration = Duration::from_mins(1);
/// How many addresses of a host are tried.
const MAX_ADDRESSES: usize = 16;

static SYSTEM: LazyLock<Names> =
    LazyLock::new(|| Names::new(|host: &str| Ok((host, 0).to_socket_addrs()?.collect::<Vec<_>>())));

/// This may be the operator's URL, whose host waits for no look-up of another.
pub(crate) fn expect(url: &str) {
    if let Ok(url) = url.parse::<Uri>()
        && let (Some(_), Some(host)) = (url.scheme(), url.host())
    {
        let host = host.to_ascii_lowercase();
        SYSTEM.table().operators.insert(host);
    }
}

/// Where the host of a URL is.
///
/// # Errors
///
/// Where it is not found, not within this time, or not looked up at all.
pub(crate) fn resolve(uri: &Uri, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
    let host = uri.scheme().zip(uri.authority());
    let host = host.and_then(|(scheme, host)| DefaultResolver::host_and_port(scheme, host));
    let host = host.ok_or(Error::HostNotFound)?;
    let mut addresses = DefaultResolver::default().empty();
    if let Ok(address) = host.parse() {
        addresses.push(address);
        return Ok(addresses);
    }
    let (name, port) = host.rsplit_once(':').ok_or(Error::HostNotFound)?;
    let port = port.parse().map_err(|_| Error::HostNotFound)?;
    let most = match timeout.after {
        Left::Exact(after) => after.min(LONGEST),
        Left::NotHappening => LONGEST,
    };
    let found = SYSTEM.addresses(&name.to_ascii_lowercase(), most);
    let found = found.map_err(|failed| match failed {
        Failed::NotFound => Error::HostNotFound,
        Failed::TooLate => Error::Timeout(timeout.reason),
        Failed::NoThread(error) => Error::Io(error),
    })?;
    for address in found.iter().take(MAX_ADDRESSES) {
        let mut address = *address;
        address.set_port(port);
        addresses.push(address);
    }
    Ok(addresses)
}

/// Why there are no addresses.
#[derive(Debug)]
enum Failed {
    NotFound,
    /// Not in time, or no look-up was free in that time.
    TooLate,
    NoThread(io::Error),
}

type Addresses = Arc<[SocketAddr]>;
/// Filled in when a look-up ends: with nothing where the host was not found.
type Answer = Arc<OnceLock<Option<Addresses>>>;
type LookUp = dyn Fn(&str) -> io::Result<Vec<SocketAddr>> + Send + Sync;

struct Names {
    look_up: Box<LookUp>,
    table: Mutex<Table>,
    /// A look-up has ended.
    ended: Condvar,
}

#[derive(Default)]
struct Table {
    /// The operator's, of which there are few.
    operators: HashSet<String>,
    known: HashMap<String, Known>,
    under_way: HashMap<String, UnderWay>,
}

/// A name that was answered.
struct Known {
    since: Instant,
    uses: u64,
    addresses: Addresses,
}

/// A name that is looked up.
struct UnderWay {
    answer: Answer,
    is_first: bool,
}

impl Table {
    /// Whether one more look-up may begin.
    fn has_room(&self, is_first: bool) -> bool {
        let first = self.under_way.values().filter(|one| one.is_first).count();
        self.under_way.len() < MAX_LOOK_UPS && !(is_first && first >= MAX_FIRST_LOOK_UPS)
    }

    /// What is known of a name, if it is not older than this.
    fn known(&mut self, host: &str, age: Duration) -> Option<Addresses> {
        let known = self.known.get_mut(host)?;
        (known.since.elapsed() < age).then(|| {
            known.uses += 1;
            Arc::clone(&known.addresses)
        })
    }

    fn end(&mut self, host: &str, found: Option<Addresses>) {
        if let Some(addresses) = found.clone() {
            let since = Instant::now();
            self.known
                .retain(|_, known| since.duration_since(known.since) < KEPT);
            let uses = self.known.remove(host).map_or(0, |known| known.uses);
            if self.known.len() >= MAX_NAMES {
                // However many names a stranger has, those in use stay.
                let least = self.known.iter();
                let least = least.min_by_key(|(_, known)| (known.uses, known.since));
                let least = least.map(|(host, _)| host.clone());
                least.and_then(|host| self.known.remove(&host));
            }
            let known = Known {
                since,
                uses,
                addresses,
            };
            self.known.insert(host.to_owned(), known);
        }
        if let Some(look_up) = self.under_way.remove(host) {
            let _ = look_up.answer.set(found);
        }
    }
}

impl Names {
    fn new(look_up: impl Fn(&str) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static) -> Self {
        Self {
            look_up: Box::new(look_up),
            table: Mutex::default(),
            ended: Condvar::new(),
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The addresses of a host. All who ask for one at the same time wait for the same look-up.
    fn addresses(&'static self, host: &str, most: Duration) -> Result<Addresses, Failed> {
        let begun = Instant::now();
        let mut answer: Option<Answer> = None;
        let mut table = self.table();
        loop {
            if let Some(found) = answer.as_ref().and_then(|answer| answer.get()) {
                return found.clone().ok_or(Failed::NotFound);
            }
            if let Some(addresses) = table.known(host, FRESH) {
                return Ok(addresses);
            }
            if answer.is_none() {
                answer = self.look_up(host, &mut table)?;
            }
            let is_known = table.known.contains_key(host);
            let most = if is_known { most.min(RENEWAL) } else { most };
            let left = most.saturating_sub(begun.elapsed());
            if left.is_zero() {
                return table.known(host, KEPT).ok_or(Failed::TooLate);
            }
            table = self
                .ended
                .wait_timeout(table, left)
                .map_or_else(|poisoned| poisoned.into_inner().0, |(table, _)| table);
        }
    }

    /// The look-up of a host that is under way, or begins now: none where there are too many.
    fn look_up(&'static self, host: &str, table: &mut Table) -> Result<Option<Answer>, Failed> {
        if let Some(look_up) = table.under_way.get(host) {
            return Ok(Some(Arc::clone(&look_up.answer)));
        }
        let is_first = !table.known.contains_key(host);
        if !table.operators.contains(host) && !table.has_room(is_first) {
            return Ok(None);
        }
        let name = host.to_owned();
        thread::Builder::new()
            .name("look-up".to_owned())
            .spawn(move || {
                let found = (self.look_up)(&name).ok();
                let found = found.filter(|found| !found.is_empty()).map(Arc::from);
                self.table().end(&name, found);
                self.ended.notify_all();
            })
            .map_err(Failed::NoThread)?;
        let answer = Answer::default();
        let under_way = UnderWay {
            answer: Arc::clone(&answer),
            is_first,
        };
        table.under_way.insert(host.to_owned(), under_way);
        Ok(Some(answer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(1);
    const LONG: Duration = Duration::from_mins(1);

    /// Names of which those that begin with this do not answer.
    fn names(stalling: &'static Mutex<&'static str>) -> &'static Names {
        Box::leak(Box::new(Names::new(move |host: &str| {
            if host.starts_with(*stalling.lock().unwrap()) {
                loop {
                    thread::park();
                }
            }
            if host == "nowhere" {
                return Err(io::ErrorKind::NotFound.into());
            }
            Ok(vec!["192.0.2.1:0".parse().unwrap()])
        })))
    }

    fn age(names: &Names, host: &str) {
        let mut table = names.table();
        let known = table.known.get_mut(host).unwrap();
        known.since = known.since.checked_sub(FRESH).unwrap();
    }

    #[test]
    fn names_that_stall_take_few_threads_and_none_of_those_in_use() {
        static STALLING: Mutex<&str> = Mutex::new("stranger");
        let names = names(&STALLING);
        names.addresses("operator", LONG).unwrap();
        for number in 0..100 {
            let stranger = names.addresses(&format!("stranger-{number}"), SOON);
            assert!(matches!(stranger, Err(Failed::TooLate)), "{stranger:?}");
        }
        assert_eq!(names.table().under_way.len(), MAX_FIRST_LOOK_UPS);
        age(names, "operator");
        names.addresses("operator", LONG).unwrap();
        assert!(names.table().known["operator"].since.elapsed() < FRESH);
        let new = names.addresses("new", SOON);
        assert!(matches!(new, Err(Failed::TooLate)), "{new:?}");
        names.table().operators.insert("new".to_owned());
        names.addresses("new", LONG).unwrap();
    }

    #[test]
    fn a_name_without_a_new_answer_keeps_its_old_one() {
        static STALLING: Mutex<&str> = Mutex::new("none");
        let names = names(&STALLING);
        names.addresses("operator", LONG).unwrap();
        *STALLING.lock().unwrap() = "operator";
        age(names, "operator");
        for _ in 0..3 {
            names.addresses("operator", SOON).unwrap();
        }
        assert_eq!(names.table().under_way.len(), 1);
    }

    #[test]
    fn few_names_are_remembered_and_those_in_use_among_them() {
        static STALLING: Mutex<&str> = Mutex::new("none");
        let names = names(&STALLING);
        for _ in 0..3 {
            names.addresses("operator", LONG).unwrap();
        }
        for number in 0..2 * MAX_NAMES {
            names
                .addresses(&format!("stranger-{number}"), LONG)
                .unwrap();
        }
        let nowhere = names.addresses("nowhere", LONG);
        assert!(matches!(nowhere, Err(Failed::NotFound)), "{nowhere:?}");
        let table = names.table();
        assert_eq!(table.known.len(), MAX_NAMES);
        assert!(table.known.contains_key("operator"));
        assert!(table.under_way.is_empty());
    }
}
