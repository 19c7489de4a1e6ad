//! The signals that `serve`, `listen`, `mcp` and campaigns obey: SIGTERM and SIGINT ask for their end, SIGUSR1 for their
//! figures, SIGHUP to read files again. SIGXFSZ is ignored, so that a full file is a write error like any other.

use std::io::{self, IsTerminal as _};

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Finish what was started and end.
    Stop,
    /// Tell the figures.
    Report,
    /// Read again what was read at the start.
    Reread,
}

/// Hands every signal to `obey`, on a thread of its own. A second request for the end is not
/// handed on: it ends the process at once, as if nobody watched.
///
/// # Errors
///
/// Where the system takes no handler, or gives no thread.
#[cfg(unix)]
pub fn watch(obey: impl Fn(Signal) + Send + 'static) -> io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGXFSZ};
    use signal_hook::iterator::Signals;
    use signal_hook::low_level::emulate_default_handler;

    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGXFSZ])?;
    let at_a_terminal = io::stderr().is_terminal();
    let thread = std::thread::Builder::new().name("signals".to_owned());
    thread.spawn(move || {
        let mut stopping = false;
        for signal in signals.forever() {
            if signal == SIGXFSZ {
                // A file that may not grow is an error of whoever writes it, and no end.
            } else if signal == SIGUSR1 {
                obey(Signal::Report);
            } else if signal == SIGHUP && (!at_a_terminal || io::stderr().is_terminal()) {
                // Where the terminal has gone, that is what it says: the end.
                obey(Signal::Reread);
            } else if stopping {
                let _ends_here = emulate_default_handler(signal);
            } else {
                stopping = true;
                obey(Signal::Stop);
            }
        }
    })?;
    Ok(())
}

/// Where there are no such signals, none comes.
///
/// # Errors
///
/// None.
#[cfg(not(unix))]
pub fn watch(_: impl Fn(Signal) + Send + 'static) -> io::Result<()> {
    Ok(())
}
