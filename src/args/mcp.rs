//! The arguments of `mcp`: what they are, not what they do.

use std::net::SocketAddr;
use std::path::PathBuf;

/// The server for AI agents. Lists are separated by commas; each option may also stand in the
/// environment, where the command line has none.
#[derive(Debug, clap::Args)]
pub(crate) struct McpArguments {
    /// A JSON file with an account's asset; may be given several times. Tools then take an `account`,
    /// the file's name without its ending. Without it: the environment's asset.
    #[arg(long = "asset", value_name = "FILE")]
    pub(crate) assets: Vec<PathBuf>,
    /// Keeps issued tokens in this folder for further processes; also `LINE_CONNECTOR_TOKEN_CACHE`.
    #[arg(long, value_name = "DIR")]
    pub(crate) token_cache: Option<PathBuf>,
    /// Offers the actions of these families, `default` or `all`, and no others. Also
    /// `LINE_MCP_TOOLSETS`.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) toolsets: Vec<String>,
    /// Offers these actions, beside those of `--toolsets`, and no others. Also `LINE_MCP_TOOLS`.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) tools: Vec<String>,
    /// Does not offer these actions or tools, whatever else says so. Also `LINE_MCP_EXCLUDE_TOOLS`.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) exclude_tools: Vec<String>,
    /// Offers only what changes nothing at LINE. Also `LINE_MCP_READ_ONLY=1`.
    #[arg(long)]
    pub(crate) read_only: bool,
    /// Asks nobody before sends to many, deletions and unlinking. Also `LINE_MCP_YES=1`.
    #[arg(long)]
    pub(crate) yes: bool,
    /// Lets calls read files beneath this folder; may be repeated. Also `LINE_FILES`.
    #[arg(long, value_name = "DIR")]
    pub(crate) files: Vec<PathBuf>,
    /// Lets calls save files beneath this folder; may be repeated. Also `LINE_SAVE_INTO`.
    #[arg(long, value_name = "DIR")]
    pub(crate) save_into: Vec<PathBuf>,
    /// Serves over HTTP at this address instead of standard input and output; port 0 takes a free one.
    /// Beyond this machine it needs a secret.
    #[arg(long, value_name = "ADDR")]
    pub(crate) http: Option<SocketAddr>,
    /// A file with the secret that clients show as a bearer token; without it `LINE_MCP_SECRET`.
    #[arg(long, value_name = "FILE", requires = "http")]
    pub(crate) http_secret_file: Option<PathBuf>,
    /// A host name by which clients may call the server; may be repeated.
    #[arg(long, value_name = "NAME", requires = "http")]
    pub(crate) http_host: Vec<String>,
    /// Asks the embedded sandbox instead of LINE; needs no credentials.
    #[arg(long, conflicts_with = "assets")]
    pub(crate) sandbox: bool,
}
