//! `listen`: the program's receiver, over a publisher instead of a queue.

use std::sync::Arc;

use line_connector::ListenArguments;
use line_connector_client::{Catalog, Error, ExitCode, Kind};
use line_connector_receiver::Publisher;

use super::publisher::JetStream;

/// Receives and publishes until a signal.
pub(crate) fn listen(catalog: &Catalog, arguments: &ListenArguments) -> Result<ExitCode, Error> {
    let Some(urls) = &arguments.publish else {
        let error = Error::new(
            Kind::Usage,
            "the worker's `listen` publishes, and needs --publish",
        );
        return Err(error.with_hint("`line-connector listen --queue FILE` keeps a queue"));
    };
    line_connector::publish(catalog, arguments, |log, ending| {
        let publisher = JetStream::start(urls, arguments, log, ending)?;
        Ok(Arc::new(publisher) as Arc<dyn Publisher>)
    })
}
