//! What a host must offer to issue tokens.

use std::time::{Duration, SystemTime};

use line_connector_http::{Secret, Transport};

use crate::asset::Credentials;
use crate::error::Error;

/// Issues channel access tokens.
pub trait TokenIssuer: Send + Sync {
    /// Asks the token endpoint once, through this transport.
    ///
    /// # Errors
    ///
    /// [`Kind::TokenRefused`](crate::error::Kind::TokenRefused) where LINE or the key says no,
    /// [`Kind::TokenUnavailable`](crate::error::Kind::TokenUnavailable) where the endpoint does not
    /// answer.
    fn issue(
        &self,
        credentials: &Credentials,
        transport: &dyn Transport,
        now: SystemTime,
        timeout: Duration,
    ) -> Result<IssuedToken, Error>;
}

/// A channel access token as the endpoint gave it.
#[derive(Debug, Clone)]
pub struct IssuedToken {
    /// The token.
    pub value: Secret,
    /// How long it is good for, from now on.
    pub lifetime: Duration,
}
