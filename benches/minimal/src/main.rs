//! The floor: posts standard input once and prints the answer. It checks nothing, repeats nothing
//! and knows no LINE; what a useful connector costs is what it takes beyond this.
//!
//! Environment: `URL`; `TOKEN`, or `TOKEN_URL` with `CLIENT_ID` and `CLIENT_SECRET`; `CA_FILE`.

use std::env::var;
use std::error::Error;
use std::io::{Read, stdin};

use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, http};

fn main() -> Result<(), Box<dyn Error>> {
    let mut body = Vec::new();
    stdin().read_to_end(&mut body)?;
    let agent = agent()?;
    let token = var("TOKEN").or_else(|_| issue(&agent))?;
    let request = http::Request::post(var("URL")?)
        .header("Content-Type", "application/json")
        .header("Authorization", format!("Bearer {token}"));
    let mut answer = agent.run(request.body(&body[..])?)?;
    println!("{}", answer.body_mut().read_to_string()?);
    Ok(())
}

fn agent() -> Result<Agent, Box<dyn Error>> {
    let mut tls = TlsConfig::builder();
    if let Ok(path) = var("CA_FILE") {
        let root = Certificate::from_pem(&std::fs::read(path)?)?;
        tls = tls.root_certs(RootCerts::new_with_certs(&[root]));
    }
    let config = Agent::config_builder().tls_config(tls.build());
    Ok(config.build().into())
}

fn issue(agent: &Agent) -> Result<String, Box<dyn Error>> {
    let form = [
        ("grant_type", "client_credentials".to_owned()),
        ("client_id", var("CLIENT_ID")?),
        ("client_secret", var("CLIENT_SECRET")?),
    ];
    let mut answer = agent.post(var("TOKEN_URL")?).send_form(form)?;
    let answer = answer.body_mut().read_to_string()?;
    let (_, rest) = answer.split_once("\"access_token\":\"").ok_or("no token")?;
    Ok(rest.split('"').next().unwrap_or_default().to_owned())
}
