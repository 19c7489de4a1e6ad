//! What clients ask for, answered: lists, calls, resources, prompts. A call is the connector's own; here
//! stands how arguments become it, who is asked first, and how its output becomes a result.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hyper::http::request::Parts;
use line_connector_client::{Catalog, Error, Invocation, Kind, Options, Output};
use line_connector_core::call;
use line_connector_core::catalog::SECTIONS;
use line_connector_core::catalog::definition::{Action, Effect};
use line_connector_core::documents::shortened;
use line_connector_core::error::Detail;
use line_connector_core::handle::Handle;
use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, CallToolResult, ClientResult,
    ElicitRequest, ElicitRequestParams, ElicitationAction, ElicitationSchema, ErrorData,
    GetPromptRequestParams, GetPromptResponse, Implementation, InitializeRequestParams,
    InitializeResult, InputRequest, InputRequiredResult, ListPromptsResult,
    ListResourceTemplatesResult, ListResourcesResult, ListToolsResult, PaginatedRequestParams,
    ProgressNotificationParam, ProtocolVersion, ReadResourceRequestParams, ReadResourceResponse,
    ReadResourceResult, ResourceContents, ServerCapabilities, ServerConfig, ServerRequest, Tool,
};
use rmcp::service::RequestContext;
use rmcp::{RoleServer, ServerHandler};
use serde_json::{Map, Value, json};
use tokio::sync::{OwnedSemaphorePermit, watch};

use crate::admission::Working;
use crate::tools::{ACCOUNT, COMPOSE, CONFIRM, DESCRIBE, FIND, META_TOOLS, READ, RUN, VALIDATION};
use crate::{Account, Server, pages, plan, tools};

/// How long lists may be taken for fresh, milliseconds: they hold as long as the process.
const FRESH_MS: u64 = 3_600_000;
/// How often a waiting client is told that the call goes on.
const PROGRESS: Duration = Duration::from_secs(2);
/// How long a person is waited for.
const PERSON: Duration = Duration::from_mins(10);
/// The most bytes of what a client says of itself.
const MAX_INITIALIZE: usize = 64 * 1024;
/// The most words that actions are looked for by.
const MAX_WORDS: usize = 32;
/// The question of a confirmation, as its name and as the name of the answer in it.
const QUESTION: &str = "confirm";

const INSTRUCTIONS: &str = "Everything that a LINE Official Account can do: messages (push, reply, multicast, \
broadcast, narrowcast), rich menus, audiences, insight and statistics, quota, followers, groups, coupons, \
memberships, LIFF, webhooks, tokens. The tools here are the most used; find_actions and describe_action show \
all of them, read_action and run_action call them. Inputs are checked against LINE's limits before anything is \
sent; a refusal names each place by JSON pointer. A user ID starts with U, a group's with C, a room's with R. \
Sends cost monthly quota and cannot be taken back: give idempotency_key so that a repeat sends nothing more.";

/// One call as a client wants it.
struct Wanted {
    action: Action,
    inputs: Value,
    /// Where the inputs stand among the arguments, as a JSON pointer.
    within: &'static str,
    /// The arguments beside the inputs.
    controls: Map<String, Value>,
}

impl Server {
    fn catalog(&self) -> Option<&Catalog> {
        self.0
            .accounts
            .first()
            .map(|account| account.connector.catalog())
    }

    fn names(&self) -> Vec<&str> {
        self.0
            .accounts
            .iter()
            .map(|account| account.name.as_str())
            .collect()
    }

    fn tools(&self) -> Vec<Tool> {
        let tools = self
            .catalog()
            .map(|catalog| tools::list(catalog, &self.0.offer, &self.names(), !self.0.yes));
        tools.unwrap_or_default()
    }

    /// The account that a call is for: its place among them.
    fn account(&self, controls: &mut Map<String, Value>) -> Result<usize, Error> {
        let Some(named) = controls.remove(ACCOUNT) else {
            return Ok(0);
        };
        let mut accounts = self.0.accounts.iter();
        let place = accounts.position(|account| Some(account.name.as_str()) == named.as_str());
        place.ok_or_else(|| {
            wrong(Detail {
                expected: Some(self.names().join(", ")),
                found: Some(shortened(&named.to_string()).to_owned()),
                ..Detail::new(format!("/{ACCOUNT}"), "names no account")
            })
        })
    }

    /// The call that a tool of an action's own stands for.
    fn direct(&self, action: Action, arguments: Map<String, Value>) -> Wanted {
        let known = tools::controls(&action, &self.names(), !self.0.yes);
        let (controls, inputs) = arguments
            .into_iter()
            .partition::<Map<_, _>, _>(|(name, _)| known.contains_key(name));
        Wanted {
            action,
            inputs: Value::Object(inputs),
            within: "",
            controls,
        }
    }

    /// The call of an action by name.
    fn by_name(
        &self,
        catalog: &Catalog,
        tool: &str,
        mut arguments: Map<String, Value>,
    ) -> Result<Wanted, Error> {
        let action = self.named(catalog, &arguments)?;
        if tool == READ && action.meta.effect != Effect::Read {
            let instead = self.offers(RUN).then(|| format!("use `{RUN}`"));
            let text = "changes something at LINE, and this tool only reads";
            return Err(wrong(Detail {
                hint: instead,
                ..Detail::new("/action", text)
            }));
        }
        arguments.remove("action");
        let inputs = arguments.remove("inputs").unwrap_or_else(|| json!({}));
        let known = tools::controls(&action, &self.names(), !self.0.yes);
        let unknown = arguments
            .keys()
            .filter(|name| *name != VALIDATION && !known.contains_key(*name));
        let details: Vec<Detail> = unknown
            .map(|name| Detail {
                hint: Some("inputs of the action stand in `inputs`".to_owned()),
                ..Detail::new(format!("/{name}"), "is no argument here")
            })
            .collect();
        if !details.is_empty() {
            return Err(Error::new(Kind::InvalidInputs, WRONG).with_details(details));
        }
        Ok(Wanted {
            action,
            inputs,
            within: "/inputs",
            controls: arguments,
        })
    }

    /// The action that arguments name, if it is offered.
    fn named(&self, catalog: &Catalog, arguments: &Map<String, Value>) -> Result<Action, Error> {
        let Some(name) = arguments.get("action").and_then(Value::as_str) else {
            return Err(wrong(Detail::new(
                "/action",
                "the action's name is missing",
            )));
        };
        let Some(action) = catalog.action(name) else {
            let near = catalog.nearest(name).filter(|near| self.offers(near));
            let near = near.map(|near| format!("did you mean `{near}`?"));
            let finds = self.offers(FIND).then(|| format!("`{FIND}` finds them"));
            let mut error = catalog.unknown(name);
            error.hint = near.or(finds);
            return Err(error);
        };
        match self.0.offer.refusal(&action) {
            Some(reason) => Err(Error::new(Kind::UnknownAction, reason)),
            None => Ok(action),
        }
    }

    /// Whether a client may be told of a tool or an action.
    fn offers(&self, name: &str) -> bool {
        let offer = &self.0.offer;
        if META_TOOLS.contains(&name) {
            return offer.lists(name);
        }
        let action = self.catalog().and_then(|catalog| catalog.action(name));
        action.is_some_and(|action| offer.refusal(&action).is_none())
    }

    fn find(&self, catalog: &Catalog, arguments: &Map<String, Value>) -> Value {
        let text = |name: &str| arguments.get(name).and_then(Value::as_str);
        let query = text("query").unwrap_or_default().to_lowercase();
        let words: Vec<&str> = query
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| word.len() > 1)
            .take(MAX_WORDS)
            .collect();
        let limit = arguments.get("limit").and_then(Value::as_u64).unwrap_or(20);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX).clamp(1, 200);
        let mut found: Vec<(usize, Value)> = Vec::new();
        for entry in catalog.entries() {
            let Some(action) = catalog.action(&entry.name) else {
                continue;
            };
            let effect = serde_json::to_value(action.meta.effect).unwrap_or_default();
            let fits = text("family").is_none_or(|family| entry.family == family)
                && text("effect").is_none_or(|wanted| effect == wanted);
            if !fits || self.0.offer.refusal(&action).is_some() {
                continue;
            }
            let names = format!("{} {} {}", entry.name, entry.short, entry.title).to_lowercase();
            let prose = action.description.to_lowercase();
            let weigh = |word: &&str| {
                let stem = word.strip_suffix('s').unwrap_or(word);
                let family = usize::from(entry.family.contains(stem));
                4 * usize::from(names.contains(stem))
                    + 2 * family
                    + usize::from(prose.contains(stem))
            };
            let weight: usize = words.iter().map(weigh).sum();
            if weight > 0 || words.is_empty() {
                let line = json!({
                    "action": entry.short,
                    "title": entry.title,
                    "family": entry.family,
                    "effect": effect,
                    "asks_first": action.asks_first(),
                });
                found.push((weight, line));
            }
        }
        let all = found.len();
        found.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
        let actions: Vec<Value> = found
            .into_iter()
            .take(limit)
            .map(|(_, line)| line)
            .collect();
        json!({"actions": actions, "found": all})
    }

    /// Makes the call, once whoever must agree has.
    async fn carry_out(
        &self,
        mut wanted: Wanted,
        request: &CallToolRequestParams,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let account = match self.account(&mut wanted.controls) {
            Ok(account) => account,
            Err(error) => return Ok(failed(&error).into()),
        };
        let digest = wanted.controls.remove(CONFIRM);
        let options = Value::Object(std::mem::take(&mut wanted.controls));
        let document = json!({
            "action": wanted.action.name, "inputs": wanted.inputs, "options": options,
        });
        let written = Written::of(&wanted);
        if wanted.action.asks_first() && !self.0.yes {
            let asked = Asked {
                server: self,
                account,
                document: &document,
                action: &wanted.action,
                written: &written,
            };
            if let Some(answer) = asked.answer(digest.as_ref(), request, context).await? {
                return Ok(answer);
            }
        }
        let output = self.call(account, document, context, Mode::Call).await?;
        Ok(result(written.places(output)).into())
    }

    /// A call's turn among all calls.
    async fn turn(
        &self,
        context: &RequestContext<RoleServer>,
    ) -> Result<OwnedSemaphorePermit, ErrorData> {
        tokio::select! {
            turn = Arc::clone(&self.0.calls).acquire_owned() => turn.map_err(|_| cancelled()),
            () = context.ct.cancelled() => Err(cancelled()),
        }
    }

    /// What a panic has made of a call.
    fn bug(&self) -> Error {
        self.0.bug.store(true, Ordering::SeqCst);
        Error::new(Kind::Internal, "the connector has a bug")
    }

    /// LINE's objects for messages as people write them, made on a thread of its own: a long text takes
    /// a while.
    async fn compose(
        &self,
        arguments: Map<String, Value>,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallToolResult, ErrorData> {
        let turn = self.turn(context).await?;
        let work = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            compose(arguments)
        });
        Ok(work.await.unwrap_or_else(|_| failed(&self.bug())))
    }

    /// Makes one call on a thread of its own, and tells the client its steps, and now and then that it
    /// goes on. A call that is cancelled before its turn is not made; one under way is given up.
    async fn call(
        &self,
        account: usize,
        document: Value,
        context: &RequestContext<RoleServer>,
        mode: Mode,
    ) -> Result<Value, ErrorData> {
        let turn = self.turn(context).await?;
        let shared = Arc::clone(&self.0);
        let (told, mut steps) = watch::channel(None);
        let given_up = GivenUp(Handle::listening(move |step| {
            told.send_replace(Some(step.to_owned()));
        }));
        let handle = given_up.0.clone();
        let mut work = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let account = shared.accounts.get(account);
            let output = account.map_or(Value::Null, |account| {
                made(account, document, mode, handle.clone())
            });
            if handle.is_cancelled()
                && mode == Mode::Call
                && let Some(say) = shared.say
            {
                say(&unheard(&output));
            }
            output
        });
        let token = context.meta.get_progress_token();
        let mut passed = 0.0;
        loop {
            if let Some(token) = &token {
                let mut told = ProgressNotificationParam::new(token.clone(), passed);
                told.message.clone_from(&steps.borrow_and_update());
                let _ = context.peer.notify_progress(told).await;
                passed += 1.0;
            }
            tokio::select! {
                ended = &mut work => {
                    return Ok(ended.unwrap_or_else(|_| Output::from(&self.bug()).document()));
                }
                () = context.ct.cancelled() => return Err(cancelled()),
                Ok(()) = steps.changed(), if token.is_some() => {}
                () = tokio::time::sleep(PROGRESS), if token.is_some() => {}
            }
        }
    }
}

/// Gives a call up once nobody waits for it any more.
struct GivenUp(Handle);

impl Drop for GivenUp {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// How a call ended that its client had given up, for people.
fn unheard(output: &Value) -> String {
    let action = output.pointer("/meta/action").and_then(Value::as_str);
    let end = match output.pointer("/error/message").and_then(Value::as_str) {
        Some(message) => message.to_owned(),
        None => format!("LINE answered {}", output["status_code"]),
    };
    format!("the client cancelled {}: {end}", action.unwrap_or("a call"))
}

/// LINE's objects for messages as people write them.
fn compose(mut arguments: Map<String, Value>) -> CallToolResult {
    let written = arguments.remove("messages").unwrap_or_default();
    let composed = Options::from_members(arguments)
        .and_then(|options| call::compose(&written, &options.compose));
    match composed {
        Ok(composed) => CallToolResult::structured(json!({
            "messages": composed.messages,
            "requests": composed.messages.len().div_ceil(call::MAX_MESSAGES),
            "composed": composed.report,
        })),
        Err(error) => failed(&error),
    }
}

/// Whether a call is made or only shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Call,
    Plan,
}

fn made(account: &Account, document: Value, mode: Mode, handle: Handle) -> Value {
    let mut invocation = match Invocation::from_value(document) {
        Ok(invocation) => invocation,
        Err(refused) => return Output::from(refused).document(),
    };
    invocation.asset = account.asset.clone();
    invocation.options.handle = Some(handle);
    let output = match mode {
        Mode::Call => account.connector.call(invocation),
        Mode::Plan => account.connector.plan(invocation),
    };
    output.document()
}

/// A call that somebody must agree to.
struct Asked<'a> {
    server: &'a Server,
    account: usize,
    document: &'a Value,
    action: &'a Action,
    written: &'a Written,
}

impl Asked<'_> {
    /// What to answer instead of making the call; nothing where it is agreed to.
    async fn answer(
        &self,
        digest: Option<&Value>,
        request: &CallToolRequestParams,
        context: &RequestContext<RoleServer>,
    ) -> Result<Option<CallToolResponse>, ErrorData> {
        let confirmations = &self.server.0.confirmations;
        let modern = context
            .protocol_version()
            .is_some_and(|version| version >= ProtocolVersion::V_2026_07_28);
        let forms = context
            .client_capabilities()
            .and_then(|capabilities| capabilities.elicitation)
            .is_some_and(|elicitation| elicitation.form.is_some() || elicitation.url.is_none());
        if let Some(state) = request.request_state.as_deref().filter(|_| modern && forms) {
            let answers = request.input_responses.as_ref();
            let answer = answers.and_then(|answers| answers.get(QUESTION));
            let agreed = answer.is_some_and(|answer| {
                answer["action"] == "accept" && answer["content"][QUESTION] == true
            });
            if !agreed {
                return Ok(Some(failed(&declined()).into()));
            }
            let fits = confirmations.is_answer(state, &self.what("form"));
            return Ok((!fits).then(|| failed(&stale()).into()));
        }
        if let Some(digest) = digest {
            let digest = digest.as_str().unwrap_or_default();
            let fits = confirmations.is_answer(digest, &self.what("digest"));
            return Ok((!fits).then(|| failed(&stale()).into()));
        }
        let plan = match self.plan(context).await? {
            Ok(plan) => plan,
            Err(refusal) => return Ok(Some(result(self.written.places(refusal)).into())),
        };
        if !forms {
            let digest = confirmations.ask(&self.what("digest"));
            return Ok(Some(to_confirm(plan, &digest).into()));
        }
        let question = question(&plan::form(self.action, &plan))?;
        if modern {
            let state = confirmations.ask(&self.what("form"));
            let request = InputRequest::Elicitation(ElicitRequest::new(question));
            let requests = [(QUESTION.to_owned(), request)].into();
            return Ok(Some(
                InputRequiredResult::new(Some(requests), Some(state)).into(),
            ));
        }
        let asked = ServerRequest::ElicitRequest(ElicitRequest::new(question));
        // Who does not answer must not keep others out meanwhile.
        let parts = context.extensions.get::<Parts>();
        let working = parts.and_then(|parts| parts.extensions.get::<Arc<Working>>());
        let pause = working.map(|working| working.pause());
        let answer = tokio::select! {
            answer = tokio::time::timeout(PERSON, context.peer.send_request(asked)) => answer,
            () = context.ct.cancelled() => {
                return Err(cancelled());
            }
        };
        drop(pause);
        let agreed = match answer {
            Ok(Ok(ClientResult::ElicitResult(answer))) => {
                let form = answer.content.unwrap_or_default();
                answer.action == ElicitationAction::Accept && form[QUESTION] == true
            }
            _ => false,
        };
        Ok((!agreed).then(|| failed(&declined()).into()))
    }

    /// What is agreed to: this call for this account, in the way that it was asked.
    fn what(&self, way: &str) -> Value {
        json!({"way": way, "account": self.account, "document": self.document})
    }

    /// What the call would do, or why it cannot be made: whoever is asked is not asked in vain.
    async fn plan(
        &self,
        context: &RequestContext<RoleServer>,
    ) -> Result<Result<Value, Value>, ErrorData> {
        let call =
            |document: Value, mode: Mode| self.server.call(self.account, document, context, mode);
        let shown = call(self.document.clone(), Mode::Plan).await?;
        if shown.get("error").is_some() {
            return Ok(Err(shown));
        }
        let account = self.server.0.accounts.get(self.account);
        let name = account.map_or("", |account| account.name.as_str());
        let mut plan = plan::plan(self.action, name, &shown);
        let quota = account.map(|account| &account.connector.catalog().manifest().quota);
        if let Some(quota) = quota.filter(|_| self.action.meta.sends.is_some()) {
            let mut figures = [Value::Null, Value::Null];
            for (figure, place) in [&quota.limit, &quota.used].into_iter().zip(&mut figures) {
                let told = call(json!({"action": figure.action}), Mode::Call).await?;
                let body = told.get("json_body");
                *place = body
                    .and_then(|body| body.pointer(&figure.output))
                    .cloned()
                    .unwrap_or_default();
            }
            let [limit, used] = figures;
            let left = limit.as_u64().zip(used.as_u64());
            let left = left.map(|(limit, used)| limit.saturating_sub(used));
            plan["quota"] = json!({"limit": limit, "used": used, "left": left});
        }
        Ok(Ok(plan))
    }
}

/// Where a call's inputs stand among the arguments: an output names places of the document that was made
/// of them.
struct Written {
    /// The sections that the client wrote itself.
    sections: Vec<String>,
    within: &'static str,
}

impl Written {
    fn of(wanted: &Wanted) -> Self {
        let keys = wanted.inputs.as_object().into_iter().flat_map(Map::keys);
        let sections = keys.filter(|key| SECTIONS.contains(&key.as_str()));
        Self {
            sections: sections.cloned().collect(),
            within: wanted.within,
        }
    }

    /// The output with places among the arguments.
    fn places(&self, mut output: Value) -> Value {
        for list in ["/error/details", "/meta/warnings"] {
            let details = output.pointer_mut(list).and_then(Value::as_array_mut);
            for detail in details.into_iter().flatten() {
                let path = detail.get("path").and_then(Value::as_str);
                if let Some(place) = path.map(|path| self.place(path)) {
                    detail["path"] = Value::from(place);
                }
            }
        }
        output
    }

    fn place(&self, path: &str) -> String {
        let mut parts = path.splitn(3, '/').skip(1);
        let (first, rest) = (parts.next().unwrap_or_default(), parts.next());
        match rest {
            Some(rest) if first == "options" => format!("/{rest}"),
            Some(rest) if first == "inputs" => format!("{}/{rest}", self.within),
            Some(rest) if self.is_bound(first) => format!("{}/{rest}", self.within),
            _ if path.is_empty() => String::new(),
            _ => format!("{}{path}", self.within),
        }
    }

    /// Whether this is a section that the client's inputs were put into.
    fn is_bound(&self, section: &str) -> bool {
        SECTIONS.contains(&section) && !self.sections.iter().any(|own| own == section)
    }
}

/// The form that a person fills in.
fn question(text: &str) -> Result<ElicitRequestParams, ErrorData> {
    let schema = ElicitationSchema::builder().required_bool(QUESTION).build();
    let schema = schema.map_err(|reason| ErrorData::internal_error(reason, None))?;
    Ok(ElicitRequestParams::FormElicitationParams {
        meta: None,
        message: text.to_owned(),
        requested_schema: schema,
    })
}

/// A plan for a client that can ask nobody by itself.
fn to_confirm(mut plan: Value, digest: &str) -> CallToolResult {
    plan["status"] = json!("nothing was sent: this is a plan");
    plan["next"] = json!(
        "Show this to the user. Only if they agree, call the same tool again with the same arguments and \
`confirm` set to the digest."
    );
    plan["digest"] = json!(digest);
    CallToolResult::structured(plan)
}

fn cancelled() -> ErrorData {
    ErrorData::internal_error("the request was cancelled", None)
}

fn declined() -> Error {
    Error::new(Kind::Usage, "nobody agreed to this call; nothing was sent")
}

fn stale() -> Error {
    let text = "this confirmation is not for this call, was used, or is too old; nothing was sent";
    Error::new(Kind::Usage, text).with_details(vec![Detail {
        hint: Some("call without it for a new plan".to_owned()),
        ..Detail::new(format!("/{CONFIRM}"), "does not fit")
    }])
}

const WRONG: &str = "the arguments are wrong; nothing was sent";

fn wrong(detail: Detail) -> Error {
    Error::new(Kind::InvalidInputs, WRONG).with_details(vec![detail])
}

fn failed(error: &Error) -> CallToolResult {
    CallToolResult::structured_error(Output::from(error).document())
}

/// An output as a tool's result. A picture is shown as one; its bytes stand there alone.
fn result(mut output: Value) -> CallToolResult {
    if output.get("error").is_some() {
        return CallToolResult::structured_error(output);
    }
    let file = output.get_mut("file").and_then(Value::as_object_mut);
    let picture = file.and_then(|file| {
        let kind = file.get("content_type")?.as_str()?.to_owned();
        let bytes = file.get("base64").filter(|_| kind.starts_with("image/"))?;
        let bytes = bytes.as_str()?.to_owned();
        file.remove("base64");
        Some(rmcp::model::ContentBlock::image(bytes, kind))
    });
    let mut result = CallToolResult::structured(output);
    result.content.extend(picture);
    result
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_resources()
            .enable_prompts()
            .build();
        let own = Implementation::new("line-connector", env!("CARGO_PKG_VERSION"));
        ServerConfig::new(capabilities)
            .with_server_info(own.with_title("LINE Messaging API"))
            .with_instructions(INSTRUCTIONS)
    }

    async fn initialize(
        &self,
        request: InitializeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<InitializeResult, ErrorData> {
        // It is kept as long as the session.
        let bytes = serde_json::to_string(&request).map_or(usize::MAX, |text| text.len());
        if bytes > MAX_INITIALIZE {
            let text = format!("`initialize` has at most {MAX_INITIALIZE} bytes");
            return Err(ErrorData::invalid_params(text, None));
        }
        let answer = self.negotiate_initialize(&request);
        context.peer.set_peer_info(request);
        answer
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult {
            ttl_ms: Some(FRESH_MS),
            cache_scope: Some(CacheScope::Public),
            ..ListToolsResult::with_all_items(self.tools())
        })
    }

    async fn call_tool(
        &self,
        mut request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let arguments = request.arguments.take().unwrap_or_default();
        let name = request.name.to_string();
        let unknown = || {
            let near = self
                .catalog()
                .and_then(|catalog| tools::nearest(catalog, &name))
                .filter(|near| self.offers(near));
            let near = near.map(|near| format!("; did you mean `{near}`?"));
            let text = format!("there is no tool `{}`", shortened(&name));
            ErrorData::invalid_params(text + &near.unwrap_or_default(), None)
        };
        let catalog = self.catalog().ok_or_else(unknown)?;
        if META_TOOLS.contains(&name.as_str()) && !self.0.offer.has_tool(&name) {
            let text = format!("the operator does not offer the tool `{name}`");
            return Err(ErrorData::invalid_params(text, None));
        }
        let wanted = match name.as_str() {
            FIND => return Ok(CallToolResult::structured(self.find(catalog, &arguments)).into()),
            DESCRIBE => {
                let described = self.named(catalog, &arguments);
                return Ok(match described {
                    Ok(action) => {
                        let described = pages::describe_action(catalog, &action.name);
                        CallToolResult::structured(described.unwrap_or_default()).into()
                    }
                    Err(error) => failed(&error).into(),
                });
            }
            COMPOSE => return Ok(self.compose(arguments, &context).await?.into()),
            READ | RUN => self.by_name(catalog, &name, arguments),
            _ => {
                let action = catalog.action(&name).ok_or_else(unknown)?;
                if let Some(reason) = self.0.offer.refusal(&action) {
                    return Err(ErrorData::invalid_params(reason, None));
                }
                Ok(self.direct(action, arguments))
            }
        };
        match wanted {
            Ok(wanted) => self.carry_out(wanted, &request, &context).await,
            Err(error) => Ok(failed(&error).into()),
        }
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        Ok(ListResourcesResult {
            ttl_ms: Some(FRESH_MS),
            cache_scope: Some(CacheScope::Public),
            ..ListResourcesResult::with_all_items(pages::resources())
        })
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        Ok(ListResourceTemplatesResult {
            ttl_ms: Some(FRESH_MS),
            cache_scope: Some(CacheScope::Public),
            ..ListResourceTemplatesResult::with_all_items(pages::templates())
        })
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let read = self
            .catalog()
            .and_then(|catalog| pages::read(catalog, &request.uri));
        let Some(read) = read else {
            let text = format!("there is no resource {}", shortened(&request.uri));
            return Err(ErrorData::resource_not_found(text, None));
        };
        let contents = ResourceContents::text(read.to_string(), request.uri);
        let mut result = ReadResourceResult::new(vec![contents.with_mime_type("application/json")]);
        result.ttl_ms = Some(FRESH_MS);
        result.cache_scope = Some(CacheScope::Public);
        Ok(ReadResourceResponse::Complete(result))
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        Ok(ListPromptsResult {
            ttl_ms: Some(FRESH_MS),
            cache_scope: Some(CacheScope::Public),
            ..ListPromptsResult::with_all_items(pages::prompts())
        })
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let given = request.arguments.unwrap_or_default();
        let prompt = pages::prompt(&request.name, &given);
        let prompt = prompt.map_err(|reason| ErrorData::invalid_params(reason, None))?;
        Ok(GetPromptResponse::Complete(prompt))
    }
}
