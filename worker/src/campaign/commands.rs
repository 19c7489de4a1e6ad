//! `campaign …` over a shared run: the plan and the results through the store, the rest through Restate.

use line_connector::campaign::{plan, show_status, write};
use line_connector::{About, CampaignCommand, PlanArguments};
use line_connector_campaign::{SharedRun, Standing};
use line_connector_client::{Catalog, Error, ExitCode, Kind};
use tokio::runtime::Runtime;

use super::ingress::Ingress;
use super::services::Begin;
use super::store::Objects;
use super::{cloud_variables, runtime, use_ring};

/// A run by its URL.
struct Named<'a> {
    url: &'a str,
    run: String,
    store: Objects,
}

impl<'a> Named<'a> {
    fn new(about: &'a About, runtime: &Runtime) -> Result<Self, Error> {
        let url = about.url().ok_or_else(no_url)?;
        let (place, run) = SharedRun::place(url)?;
        let store = Objects::new(&place, cloud_variables(), runtime.handle().clone())?;
        Ok(Self { url, run, store })
    }

    fn open(&self) -> Result<SharedRun, Error> {
        SharedRun::open(&self.store, &self.run)
    }
}

/// Without the URL of a run, or of a store to plan into, these commands are the program's own.
fn no_url() -> Error {
    let message = "this program takes runs that several machines send, by their URL";
    Error::new(Kind::Usage, message)
        .with_hint("`line-connector campaign` takes documents; `plan --to URL` makes a run for several machines")
}

/// Does what the command line says.
pub(crate) fn campaign(
    catalog: &impl Fn() -> Result<Catalog, Error>,
    command: &CampaignCommand,
) -> Result<ExitCode, Error> {
    use_ring();
    let runtime = runtime()?;
    match command {
        CampaignCommand::Plan(arguments) => plan_into_store(catalog, arguments, &runtime),
        CampaignCommand::Start(arguments) => {
            let about = &arguments.going.sent.about;
            let begin = Begin {
                confirm: arguments.confirm.clone(),
            };
            steer(&runtime, about, "start", Some(&begin))
        }
        CampaignCommand::Resume(arguments) => {
            if arguments.resend_unknown.is_some() {
                let message = "`--resend-unknown` is not done for a run that several machines send";
                let hint = "plan another `occurrence` for the people whom `campaign results --state expired_unknown` names";
                return Err(Error::new(Kind::Usage, message).with_hint(hint));
            }
            steer(&runtime, &arguments.going.sent.about, "resume", None)
        }
        CampaignCommand::Pause(about) => steer(&runtime, about, "pause", None),
        CampaignCommand::Cancel(about) => steer(&runtime, about, "cancel", None),
        CampaignCommand::Status(about) if about.ingress.is_some() => {
            steer(&runtime, about, "status", None)
        }
        CampaignCommand::Status(about) => {
            let named = Named::new(about, &runtime)?;
            let status = named.open()?.status(&named.store, named.url)?;
            Ok(show_status(about, &status))
        }
        CampaignCommand::Results(arguments) if arguments.statistics => {
            let message = "`--statistics` is not told of a run that several machines send";
            Err(Error::new(Kind::Usage, message).with_hint(
                "ask LINE for the unit's figures: the action for statistics per unit does",
            ))
        }
        CampaignCommand::Results(arguments) => {
            let named = Named::new(&arguments.sent.about, &runtime)?;
            let run = named.open()?;
            let form = arguments.form();
            write(form, |to| {
                run.results(&named.store, form, &arguments.state, to)
            })
        }
        CampaignCommand::Test(_) | CampaignCommand::Schema => Err(no_url()),
    }
}

fn plan_into_store(
    catalog: &impl Fn() -> Result<Catalog, Error>,
    arguments: &PlanArguments,
    runtime: &Runtime,
) -> Result<ExitCode, Error> {
    let url = arguments.to.as_deref().ok_or_else(no_url)?;
    let store = Objects::new(url, cloud_variables(), runtime.handle().clone())?;
    let folder = tempfile::tempdir().map_err(|error| {
        let message = format!("no folder for the plan can be made: {error}");
        Error::new(Kind::FileUnwritable, message).with_hint("`TMPDIR` names a folder with room")
    })?;
    let ledger = folder.path().join("plan.ledger");
    plan(catalog, arguments, Some(&ledger), &|campaigner, options| {
        campaigner.plan_shared(options, &store, url)
    })
}

/// Lets Restate do something with a run, and shows where it stands then.
fn steer(
    runtime: &Runtime,
    about: &About,
    handler: &str,
    input: Option<&Begin>,
) -> Result<ExitCode, Error> {
    let named = Named::new(about, runtime)?;
    let run = named.open()?;
    let ingress = Ingress::new(about.ingress.as_deref())?;
    let standing: Standing = runtime.block_on(ingress.call(&named.run, handler, input))?;
    Ok(show_status(about, &run.told(named.url, Some(&standing))))
}
