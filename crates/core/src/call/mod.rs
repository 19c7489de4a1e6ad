//! The pipeline: one invocation in, one output out. Its private functions, read from top to
//! bottom, are the life of a call. It prints nothing and reads no environment; what it needs of
//! the world arrives in [`Host`].

mod action;
mod attempts;
mod caches;
mod deadline;
mod files;
mod messages;
mod options;
mod pages;
mod permits;
mod places;
mod progress;

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::asset::{Asset, Credentials, Operator};
use crate::auth::{self, Tokens};
use crate::catalog::Catalog;
use crate::documents::{
    AssetParameters, CallReport, ErrorReport, FileReport, Idempotency, Invocation, Options, Output,
    PlannedRequest, bounded, shortened,
};
use crate::error::{Detail, Error, ExitCode, Kind};
use crate::host::Host;
use crate::rate_limit::Budgets;
use crate::redact::Redactor;
use crate::request::{self, Around};
use crate::response;
use crate::retry::{self, Policy};
use crate::schema;
use line_connector_catalog::definition::{Action, Authorization, Repeat, Validation};
use line_connector_http::{REDACTED, Request, Secret};

use action::ResolvedAction;
use attempts::{AttemptContext, Exchange};
use caches::Caches;
use deadline::Deadline;
use files::{Saving, digest};
pub use messages::{MAX_MESSAGES, compose, detail_of};
pub use permits::Limit;
use progress::Patience;

/// Makes calls: a catalog, the world, and what calls share. Every method may be called from any
/// thread.
pub struct Pipeline {
    catalog: Catalog,
    host: Host,
    tokens: Tokens,
    budgets: Budgets,
    caches: Caches,
    /// How many bytes the listings under way hold.
    listed: AtomicUsize,
}

impl std::fmt::Debug for Pipeline {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Pipeline").finish_non_exhaustive()
    }
}

/// A call whose action and asset are known.
struct Call<'a> {
    action: Arc<ResolvedAction>,
    inputs: Map<String, Value>,
    options: &'a Options,
    /// As the document gave it.
    parameters: &'a AssetParameters,
    asset: &'a Asset,
}

/// How one request of a call is made: sent or shown.
type Step = fn(&Pipeline, Invocation) -> Answer;

impl Pipeline {
    /// A pipeline over a catalog.
    #[must_use]
    pub fn new(catalog: Catalog, mut host: Host) -> Self {
        let tokens = Tokens::shared(host.token_store.take());
        let caches = Caches::new(std::mem::take(&mut host.operator));
        Self {
            catalog,
            host,
            tokens,
            budgets: Budgets::default(),
            listed: AtomicUsize::default(),
            caches,
        }
    }

    /// From the next call on these are the operator's asset parameters.
    ///
    /// # Errors
    ///
    /// [`Kind::InvalidAsset`] where they are wrong; those before them stay.
    pub fn set_operator(&self, operator: Operator) -> Result<(), Error> {
        let manifest = self.catalog.manifest();
        Asset::resolve(manifest, &AssetParameters::default(), &operator)?;
        self.caches.set_operator(operator);
        Ok(())
    }

    /// What is declared.
    #[must_use]
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Makes one call, and those that belong to it: further pages, questions after its end.
    #[must_use]
    pub fn call(&self, invocation: Invocation) -> Output {
        let handle = invocation.options.handle.clone();
        let mut answer = self.with_messages(invocation, Self::whole);
        if handle.is_some_and(|handle| handle.is_cancelled()) {
            answer.output.meta.get_or_insert_default().cancelled = Some(true);
        }
        answer.redacted()
    }

    fn whole(&self, invocation: Invocation) -> Answer {
        let deadline = self.deadline(&invocation.options);
        let action = match self.followed(&invocation) {
            Ok(action) => action,
            Err(error) => return self.refused(invocation, error),
        };
        let Some(action) = action else {
            return self.once(invocation);
        };
        if let (Some(pages), Some(true)) = (&action.meta.pages, invocation.options.all_pages) {
            return self.all_pages(&action, pages, invocation, &deadline);
        }
        let answer = self.once(invocation.clone());
        match &action.meta.progress {
            Some(progress) if answer.output.error.is_none() => {
                self.wait(&action, progress, invocation, answer, &deadline)
            }
            _ => answer,
        }
    }

    /// The action, where the options ask for more than one exchange.
    ///
    /// # Errors
    ///
    /// [`Kind::UnknownAction`] where there is none.
    fn followed(&self, invocation: &Invocation) -> Result<Option<Arc<ResolvedAction>>, Error> {
        let options = &invocation.options;
        let all_pages = options.all_pages == Some(true);
        if !all_pages && options.wait_ms.is_none() {
            return Ok(None);
        }
        Ok(Some(self.look_up(invocation.action.as_deref())?))
    }

    /// A call that is refused before any request is made of it.
    fn refused(&self, invocation: Invocation, error: Error) -> Answer {
        self.answer(invocation, |_, _, _| Err(error.into()))
    }

    /// Makes one call by itself.
    fn once(&self, invocation: Invocation) -> Answer {
        self.answer(invocation, Self::send)
    }

    /// Prepares one call and shows its request instead of sending it. It needs neither network nor
    /// credentials.
    #[must_use]
    pub fn plan(&self, invocation: Invocation) -> Output {
        let show: Step = |pipeline, invocation| pipeline.answer(invocation, Self::show);
        self.with_messages(invocation, show).redacted()
    }

    /// What `call` and `plan` share: the asset, the report, the errors, the secrets.
    fn answer(
        &self,
        mut invocation: Invocation,
        step: impl FnOnce(&Self, Call<'_>, &mut CallReport) -> Result<Read, Failed>,
    ) -> Answer {
        let started = self.host.clock.monotonic();
        let id = invocation.id.take();
        let action = self.look_up(invocation.action.as_deref());
        let named = match &action {
            Ok(action) => Some(action.name.as_str()),
            Err(_) => invocation.action.as_deref().map(shortened),
        };
        let mut report = CallReport {
            action: named.map(str::to_owned),
            ..CallReport::default()
        };
        let secrets = match &action {
            Ok(action) => secret_inputs(action, &invocation.inputs),
            Err(_) => Vec::new(),
        };
        let asset = self.asset(&invocation.asset);
        let result = asset.as_ref().map_err(|error| Failed::from(error.clone()));
        let result = result.and_then(|asset| {
            let call = Call {
                action: action?,
                inputs: std::mem::take(&mut invocation.inputs),
                options: &invocation.options,
                parameters: &invocation.asset,
                asset,
            };
            step(self, call, &mut report)
        });
        let (read, error) = match result {
            Ok(read) => (read, None),
            Err(failed) => (failed.read, Some(ErrorReport::from(&failed.error))),
        };
        report.warnings = bounded(&report.warnings);
        let elapsed = self.host.clock.monotonic().saturating_sub(started);
        report.elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        let tokens = read.tokens;
        Answer {
            output: Output {
                id,
                error,
                meta: Some(report),
                ..*read.output
            },
            redactor: match asset {
                Ok(asset) => tokens
                    .iter()
                    .fold(asset.redactor.clone().with(&secrets), |redactor, token| {
                        redactor.and(&self.caches.redactor(token))
                    }),
                Err(_) => Redactor::new(&secrets),
            },
        }
    }

    fn send(&self, call: Call<'_>, report: &mut CallReport) -> Result<Read, Failed> {
        let Call { asset, options, .. } = call;
        let deadline = self.deadline(options);
        let action = Arc::clone(&call.action);
        let repeat = repeat(&action, &call.inputs);
        let channel = self.channel(&call, report, &deadline);
        let request = self.prepare(call, channel.as_deref(), report, |_, _| {})?;
        let credentials = match action.meta.auth {
            Authorization::Bearer => Some(credentials(asset)?),
            Authorization::None => None,
        };
        let defaults = &self.catalog.manifest().defaults;
        let files = self.host.files.as_ref();
        let transport = self
            .host
            .network
            .transport(&asset.network, defaults, files)?;
        let permits = self.permits(&action, asset, options)?;
        report.warnings.extend(permits.warning.clone());
        let policy = Policy {
            slows_down: permits.are_a_gateways(),
            ..self.policy(repeat, credentials, options)
        };
        let file = gives_file(&action);
        let path = options.save_to.as_deref().filter(|_| file);
        let most = defaults.max_file_bytes;
        let mut saving = path
            .map(|path| Saving::new(path, options, &self.host, most))
            .transpose()?;
        let context = AttemptContext {
            transport: transport.as_ref(),
            credentials,
            is_operators: asset.is_operators,
            policy: &policy,
            permits,
            deadline,
        };
        let pending = &action.meta.pending;
        let patience = Patience::new(self.host.clock.now(), options.wait_ms);
        let exchange = self.until_ready(request, &context, pending, patience, &mut saving);
        report.waited_ms = context.permits.waited_ms();
        let exchange = exchange?;
        let trouble = self.tokens.trouble();
        report
            .warnings
            .extend(trouble.map(|trouble| Detail::new("", trouble)));
        report.attempts = exchange.attempts;
        if let Ok(reply) = &exchange.result {
            report.pending = pending.contains(&reply.status).then_some(true);
        }
        let saved = match (&exchange.result, saving) {
            (Ok(reply), Some(saving)) => saving.finish(reply)?,
            _ => None,
        };
        let in_doubt = exchange.in_doubt;
        read(exchange, report, file, saved).map_err(|failed| {
            let error = match failed.error {
                unsaved if unsaved.kind == Kind::FileUnwritable => context.deadline.reason(unsaved),
                other => other,
            };
            let error = with_own_hint(&action, error, failed.read.output.status_code);
            let error = error.after(in_doubt).of(repeat);
            Failed { error, ..failed }
        })
    }

    /// The channel that an idempotency key belongs to. Where only its token is known, LINE is asked
    /// once, so that the key means the same after the token was replaced.
    fn channel(
        &self,
        call: &Call<'_>,
        report: &mut CallReport,
        deadline: &Deadline,
    ) -> Option<String> {
        let credentials = call.asset.credentials.as_ref()?;
        let is_needed =
            call.action.meta.retry == Repeat::Keyed && call.options.idempotency_key.is_some();
        let Credentials::Bearer {
            token,
            client_id: None,
        } = credentials
        else {
            return Some(credentials.channel().to_owned());
        };
        if !is_needed {
            return None;
        }
        let learnt = self
            .caches
            .channel(token, || self.learn(token, call, deadline));
        if learnt.is_none() {
            let message =
                "the key holds only while the token stays the same: LINE did not tell its channel";
            report.warnings.push(Detail {
                hint: Some("give `asset.client_id` beside the token".to_owned()),
                ..Detail::new("/options/idempotency_key", message)
            });
        }
        learnt.or_else(|| Some(credentials.channel().to_owned()))
    }

    /// Asks LINE which channel a token belongs to.
    fn learn(&self, token: &Secret, call: &Call<'_>, deadline: &Deadline) -> Option<String> {
        let question = &self.catalog.manifest().channel_of_token;
        let inputs = [(question.input.clone(), Value::from(token.expose()))];
        let mut options = Options {
            timeout_ms: call.options.timeout_ms,
            ..Options::default()
        };
        deadline.hand_to(&mut options, self.host.clock.as_ref());
        let invocation = Invocation {
            action: Some(question.action.clone()),
            asset: call.parameters.clone(),
            inputs: inputs.into_iter().collect(),
            options,
            ..Invocation::default()
        };
        let body = self.once(invocation).output.json()?;
        body.pointer(&question.output)?.as_str().map(str::to_owned)
    }

    fn show(&self, call: Call<'_>, report: &mut CallReport) -> Result<Read, Failed> {
        let auth = call.action.meta.auth;
        let known = call.asset.credentials.as_ref().map(Credentials::channel);
        let refusal = self.refusal(&call);
        let request = self.prepare(call, known, report, hide_odd_secrets)?;
        let own = match auth {
            Authorization::Bearer => {
                Some(("Authorization".to_owned(), format!("Bearer {REDACTED}")))
            }
            Authorization::None => None,
        };
        let headers = request
            .headers
            .iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let body = files::shown(&request);
        let planned = PlannedRequest {
            method: request.method.as_str().to_owned(),
            url: request.url,
            headers: own.into_iter().chain(headers).collect(),
            body,
        };
        let output = Output {
            request: Some(planned),
            ..Output::default()
        };
        let read = Read {
            output: Box::new(output),
            tokens: Vec::new(),
        };
        match refusal {
            Some(error) => Err(Failed { error, read }),
            None => Ok(read),
        }
    }

    /// Why LINE would refuse a request that is shown, and would be sent, unchecked.
    fn refusal(&self, call: &Call<'_>) -> Option<Error> {
        if self.validation(call.options) != Validation::Off {
            return None;
        }
        let action = &call.action;
        let sections = |name: &str| action.section(name);
        let (mut inputs, _) = request::place_all(call.inputs.clone(), sections);
        fill_sections(action, &mut inputs);
        let checked = Options {
            validation: Some(Validation::Strict),
            ..Options::default()
        };
        let error = self.validate(action, &mut inputs, &checked).err()?;
        let message = "LINE would refuse this request: the inputs break its rules";
        let hint = "correct the inputs; without `--dry-run` they are sent as they are, since `options.validation` is \"off\"";
        let refusal = Error::new(Kind::InvalidInputs, message);
        Some(refusal.with_details(error.details).with_hint(hint))
    }

    /// Everything before the network: bind, validate, build. `hide` may change valid inputs.
    fn prepare(
        &self,
        call: Call<'_>,
        channel: Option<&str>,
        report: &mut CallReport,
        hide: fn(&ResolvedAction, &mut Value),
    ) -> Result<Request, Error> {
        let Call {
            action,
            inputs,
            options,
            asset,
            ..
        } = call;
        report.idempotency = idempotency(&action, options)?;
        report.warnings.extend_from_slice(&asset.warnings);
        let written = sections_of(&inputs);
        let (mut inputs, homeless) = request::place_all(inputs, |name| action.section(name));
        if self.validation(options) != Validation::Off {
            fill_sections(&action, &mut inputs);
        }
        let judged = self.validate(&action, &mut inputs, options);
        let judged = judged.map_err(|error| with_places(error, &written));
        if !homeless.is_empty() {
            return Err(request::homeless(all_of(homeless, judged.err())));
        }
        report.warnings.extend(judged?);
        report.warnings.extend(self.too_early(&action, &inputs));
        digest(&action, &mut inputs)?;
        hide(&action, &mut inputs);
        let is_judged = self.validation(options) != Validation::Off;
        let doubts = is_judged.then_some(&mut report.warnings);
        let parts = self.parts(&action, &inputs, doubts)?;
        // Only between parts, so that no other call asks for random bits.
        let boundary = match parts.as_slice() {
            [] => String::new(),
            _ => format!("line-connector-{:032x}", self.host.random.bits()),
        };
        let channel = channel.map(|channel| asset.scope(channel));
        report.retry_key = self.retry_key(&action, &inputs, channel.as_deref(), options);
        let names_bot = asset.bot_header.is_some() || has_headers(&inputs);
        if action.meta.bot_header && !names_bot {
            report.warnings.push(Detail {
                hint: Some(
                    "give it in `headers`, or for every call in `asset.bot_header`".to_owned(),
                ),
                ..Detail::new(
                    "/headers",
                    "lacks the header with the bot's user ID, which LINE requires here",
                )
            });
        }
        let base = asset.hosts.get(&action.meta.host).ok_or_else(|| {
            Error::new(
                Kind::InvalidAsset,
                "the manifest has no URL for this action's host",
            )
        })?;
        let around = Around {
            base,
            retry_key: report.retry_key.as_deref(),
            bot_header: asset
                .bot_header
                .as_ref()
                .filter(|_| action.meta.auth == Authorization::Bearer),
            timeout: self.timeout(options),
            parts,
            boundary: &boundary,
        };
        request::build(&action, &inputs, around)
    }

    fn look_up(&self, name: Option<&str>) -> Result<Arc<ResolvedAction>, Error> {
        let name = name.ok_or_else(|| {
            Error::new(Kind::InvalidDocument, "no action is named").with_details(vec![Detail {
                hint: Some("or name it on the command line: `run ACTION`".to_owned()),
                ..Detail::new("/action", "`action` is missing")
            }])
        })?;
        self.caches
            .action(&self.catalog, name)
            .ok_or_else(|| self.catalog.unknown(name))
    }

    /// What is doubtful about the inputs. Where they are wrong at first sight, what travels as text
    /// is read as declared before anything is said.
    fn validate(
        &self,
        action: &ResolvedAction,
        inputs: &mut Value,
        options: &Options,
    ) -> Result<Vec<Detail>, Error> {
        if self.validation(options) == Validation::Off {
            return Ok(Vec::new());
        }
        if self.catalog.is_as_built(&action.name)
            && schema::accepts(&action.name, inputs) == Some(true)
        {
            return Ok(Vec::new());
        }
        request::read_texts(inputs, self.catalog.schemas(), |section| {
            action.section(section)
        });
        let findings = self.caches.schema(&self.catalog, action).check(inputs);
        if findings.violations.is_empty() {
            return Ok(findings.warnings);
        }
        let count = findings.violations.len();
        let message = match count {
            1 => "the inputs break a rule; nothing was sent".to_owned(),
            count => format!("the inputs break {count} rules; nothing was sent"),
        };
        Err(Error::new(Kind::InvalidInputs, message).with_details(findings.violations))
    }

    /// Days before those that LINE still has figures of. The clock may be wrong, so they only warn.
    fn too_early(&self, action: &Action, inputs: &Value) -> Vec<Detail> {
        let now = self.host.clock.now();
        let days = action.meta.years_back.iter().filter_map(|(place, years)| {
            let path = format!("/{place}");
            let day = inputs.pointer(&path)?.as_str()?;
            let first = schema::first_day_after(day, *years, now)?;
            Some(Detail {
                expected: Some(format!("{first} or later")),
                found: Some(day.to_owned()),
                ..Detail::new(path, format!("is more than {years} years ago"))
            })
        });
        days.collect()
    }

    /// The key that every attempt carries: the caller's, or the idempotency key's, or a random one.
    fn retry_key(
        &self,
        action: &Action,
        inputs: &Value,
        channel: Option<&str>,
        options: &Options,
    ) -> Option<String> {
        if action.meta.retry != Repeat::Keyed {
            return None;
        }
        let channel = channel.unwrap_or_default();
        Some(
            match (request::retry_key(inputs), &options.idempotency_key) {
                (Some(key), _) => key.to_owned(),
                (None, Some(name)) => retry::derived_key(channel, &action.name, name),
                (None, None) => retry::random_key(self.host.random.bits()),
            },
        )
    }

    fn policy(
        &self,
        repeat: Repeat,
        credentials: Option<&Credentials>,
        options: &Options,
    ) -> Policy {
        let defaults = &self.catalog.manifest().defaults;
        Policy {
            repeat,
            attempts: options.attempts.unwrap_or(defaults.attempts),
            backoff: Duration::from_millis(defaults.backoff_ms),
            max_backoff: Duration::from_millis(defaults.max_backoff_ms),
            renewable: credentials.is_some_and(auth::renewable),
            slows_down: false,
        }
    }

    /// The end of a call that begins now.
    fn deadline(&self, options: &Options) -> Deadline {
        let default = self.catalog.manifest().defaults.deadline_ms;
        Deadline::of(options, default, self.host.clock.as_ref())
    }

    fn timeout(&self, options: &Options) -> Duration {
        let default = self.catalog.manifest().defaults.timeout_ms;
        Duration::from_millis(options.timeout_ms.unwrap_or(default))
    }

    fn validation(&self, options: &Options) -> Validation {
        options
            .validation
            .unwrap_or(self.catalog.manifest().defaults.validation)
    }
}

/// Puts a member into a section, which is made if it is not there.
fn insert(inputs: &mut Map<String, Value>, section: &str, name: &str, value: Value) {
    let members = inputs
        .entry(section)
        .or_insert_with(|| Value::Object(Map::new()));
    if let Some(members) = members.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
}

/// Takes a member out of a section.
fn remove(inputs: &mut Map<String, Value>, section: &str, name: &str) -> Option<Value> {
    let members = inputs.get_mut(section)?.as_object_mut()?;
    members.shift_remove(name)
}

/// When the request may be repeated: an input can make it go on where the one before it stopped.
/// The inputs are as the caller gave them, in sections or flat.
fn repeat(action: &Action, inputs: &Map<String, Value>) -> Repeat {
    let key = action.meta.resumes_with.as_deref().and_then(|place| {
        let (section, name) = place.split_once('/')?;
        let inside = inputs.get(section).and_then(|members| members.get(name));
        inside.or_else(|| inputs.get(name))?.as_str()
    });
    match key {
        Some(key) if !key.is_empty() => Repeat::Safe,
        _ => action.meta.retry,
    }
}

/// The error with the hint that the action has for this status.
fn with_own_hint(action: &Action, error: Error, status: Option<u16>) -> Error {
    let hint = status.and_then(|status| action.meta.hints.get(&status));
    match hint {
        Some(hint) => error.with_hint(hint.as_str()),
        None if error.kind == Kind::NotFound => error.with_hint(nothing_there(action)),
        None => error,
    }
}

/// What to do about a 404 of which the action says nothing: it is about an ID in the path, or about the URL.
fn nothing_there(action: &Action) -> String {
    let ids = action.meta.endpoint.split("{{").skip(1);
    let ids = ids.filter_map(|rest| rest.split("}}").next());
    let ids: Vec<String> = ids.map(|id| format!("`{id}`")).collect();
    if ids.is_empty() {
        return "this endpoint names nothing that could be missing: check that `asset.url` leads to LINE's API".to_owned();
    }
    format!(
        "check {}: LINE has nothing there, or does not show it to this channel",
        ids.join(" and ")
    )
}

/// The sections that the caller wrote themselves.
fn sections_of(inputs: &Map<String, Value>) -> Vec<String> {
    let keys = inputs.keys().filter(|key| request::is_section(key));
    keys.cloned().collect()
}

/// Says where to give each input that is missing: who writes inputs without sections has never seen one.
fn with_places(mut error: Error, written: &[String]) -> Error {
    for detail in &mut error.details {
        let Some(section) = detail.path.strip_prefix('/') else {
            continue;
        };
        if detail.hint.is_none()
            && detail.message.ends_with(schema::MISSING)
            && request::is_section(section)
        {
            detail.hint = Some(if written.iter().any(|name| name == section) {
                format!("give it in `inputs.{section}`")
            } else {
                "give it in `inputs`".to_owned()
            });
        }
    }
    error
}

/// What has no place among the inputs, and what is wrong with the rest, but for what is missing since it
/// was misspelt.
fn all_of(mut homeless: Vec<Detail>, judged: Option<Error>) -> Vec<Detail> {
    let meant: Vec<String> = homeless.iter().filter_map(|one| one.hint.clone()).collect();
    let is_told = |detail: &Detail| {
        let name = detail.message.strip_suffix(schema::MISSING);
        name.is_some_and(|name| meant.iter().any(|hint| hint.contains(name.trim_end())))
    };
    let others = judged.into_iter().flat_map(|error| error.details);
    homeless.extend(others.filter(|detail| !is_told(detail)));
    homeless
}

/// Adds the required sections that are absent or nothing, empty: so what is missing inside them is told by name,
/// and one of which nothing is required may be left out. Bytes are no section of names.
fn fill_sections(action: &Action, inputs: &mut Value) {
    let Some(members) = inputs.as_object_mut() else {
        return;
    };
    let required = action.inputs.get("required").and_then(Value::as_array);
    let sections = action.inputs.get("properties");
    for name in required.into_iter().flatten().filter_map(Value::as_str) {
        let section = sections.and_then(|sections| sections.get(name));
        let is_bytes = section.is_some_and(|section| section.get("x-binary").is_some());
        let is_given = members
            .get(name)
            .is_some_and(|given| !given.is_null() && given != "");
        if !is_bytes && !is_given {
            members.insert(name.to_owned(), Value::Object(Map::new()));
        }
    }
}

/// What an idempotency key means for an action.
fn idempotency(action: &Action, options: &Options) -> Result<Option<Idempotency>, Error> {
    if options.idempotency_key.is_none() {
        return Ok(None);
    }
    match action.meta.retry {
        Repeat::Keyed => Ok(Some(Idempotency::KeptByLine)),
        Repeat::Safe => Ok(Some(Idempotency::NotNeeded)),
        Repeat::Never => Err(Error::new(
            Kind::InvalidInputs,
            "the options do not fit the action",
        )
        .with_details(vec![Detail {
            hint: Some("leave it out, and before repeating the call look whether it was carried out".to_owned()),
            ..Detail::new(
                "/options/idempotency_key",
                "cannot be kept: LINE takes no retry key for this action, and repeating it repeats its effect",
            )
        }])),
    }
}

fn has_headers(inputs: &Value) -> bool {
    let headers = inputs.get("headers").and_then(Value::as_object);
    headers.is_some_and(|headers| !headers.is_empty())
}

/// The values of inputs that the action marks `writeOnly`: they are not repeated in outputs.
fn secret_inputs(action: &ResolvedAction, inputs: &Map<String, Value>) -> Vec<Secret> {
    let mut secrets = Vec::new();
    for (section, name) in action.secrets() {
        let inside = inputs.get(*section).and_then(Value::as_object);
        let value = inside.and_then(|members| members.get(name));
        if let Some(value) = value.or_else(|| inputs.get(name)) {
            collect_strings(value, &mut secrets);
        }
    }
    secrets
}

/// Replaces the secrets among inputs that are no strings, which a dry run would show as they are.
fn hide_odd_secrets(action: &ResolvedAction, inputs: &mut Value) {
    for (section, name) in action.secrets() {
        let section = inputs.get_mut(*section);
        if let Some(value) = section.and_then(|members| members.get_mut(name))
            && !value.is_string()
        {
            *value = Value::from(REDACTED);
        }
    }
}

/// Every string in a value of any shape: what breaks the schema is a secret all the same.
fn collect_strings(value: &Value, strings: &mut Vec<Secret>) {
    match value {
        Value::String(text) => strings.push(Secret::new(text.as_str())),
        Value::Array(items) => items.iter().for_each(|item| collect_strings(item, strings)),
        Value::Object(members) => members
            .values()
            .for_each(|member| collect_strings(member, strings)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The end of a call: LINE's answer as the output, or why there is none.
fn read(
    exchange: Exchange,
    report: &mut CallReport,
    file: bool,
    saved: Option<FileReport>,
) -> Result<Read, Failed> {
    let tokens = exchange.tokens;
    let reply = match exchange.result {
        Ok(reply) => reply,
        Err(failure) => {
            let read = Read {
                tokens,
                ..Read::default()
            };
            return Err(Failed {
                error: response::unanswered(&failure),
                read,
            });
        }
    };
    let reading = response::read(reply, file, saved);
    report.request_id = reading.request_id;
    report.already_accepted = reading.already_accepted.then_some(true);
    // After an attempt of its own it was this request that LINE had accepted.
    if reading.already_accepted && report.attempts == 1 {
        report.warnings.push(Detail::new(
            "",
            "LINE had accepted this retry key before: what was sent then counts, and if this request differs from it, this one was not carried out",
        ));
    }
    let read = Read {
        output: Box::new(reading.output),
        tokens,
    };
    match reading.error {
        None => Ok(read),
        Some(error) => Err(Failed { error, read }),
    }
}

/// Whether what an action answers is a file.
fn gives_file(action: &Action) -> bool {
    action
        .output
        .get("properties")
        .is_some_and(|properties| properties.get("file").is_some())
}

fn credentials(asset: &Asset) -> Result<&Credentials, Error> {
    asset.credentials.as_ref().ok_or_else(|| {
        Error::new(Kind::NoCredentials, "there are no complete credentials")
            .with_details(asset.missing.clone())
    })
}

/// What LINE answered, and the tokens that it was asked with.
#[derive(Default)]
struct Read {
    output: Box<Output>,
    tokens: Vec<Secret>,
}

/// A call that failed, with what LINE answered, if anything.
struct Failed {
    error: Error,
    read: Read,
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self {
            error,
            read: Read::default(),
        }
    }
}

/// An output as only the pipeline may see it, and what finds the secrets in it.
#[derive(Clone, Default)]
struct Answer {
    output: Output,
    redactor: Redactor,
}

impl Answer {
    fn with_error(mut self, error: &Error) -> Self {
        self.output.error = Some(ErrorReport::from(error));
        self
    }

    fn redacted(mut self) -> Output {
        self.output.redact(&self.redactor);
        self.output
    }
}

/// The exit code that belongs to an output.
#[must_use]
pub fn exit_code(output: &Output) -> ExitCode {
    output
        .error
        .as_ref()
        .map_or(ExitCode::Accepted, |error| error.kind.exit_code())
}
