//! Connections: accepted, served, and at the end drained.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use dormouse_contract::Event;
use dormouse_contract::manifest::CONTRACT;
use dormouse_contract::task::CONTRACT_HEADER;
use http::header::{HeaderName, HeaderValue};
use hyper::rt::{Read, Write};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio_util::task::TaskTracker;

use crate::error::{StartError, ToolError};
use crate::function::{Function, check_name};
use crate::handle;
use crate::listener::{Connection, Listener};
use crate::offer::{Hidden, Offer};
use crate::prompt::Prompt;
use crate::reaction::Reaction;
use crate::resource::Resource;
use crate::settings::Settings;
use crate::sink::Sink;
use crate::template::ResourceTemplate;
use crate::tool::Tool;

/// After a failed accept (usually: no file descriptors left) so long nothing is tried.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// When all handlers are done, clients get so long to take the last bytes.
const LAST_BYTES: Duration = Duration::from_secs(2);

/// A function at work: what all its connections share.
pub(crate) struct Service {
    function: Function,
    by_name: HashMap<String, usize>,
    /// What is not offered at the moment, and the manifest without it, made when first asked for.
    hidden: Mutex<(Hidden, Option<Result<Bytes, String>>)>,
    /// `source` of every event it emits.
    pub(crate) source: HeaderValue,
    pub(crate) secret: Option<String>,
    pub(crate) revision: Option<String>,
    pub(crate) sink: Option<Arc<Sink>>,
    pub(crate) grace: Duration,
    pub(crate) body_limit: usize,
    /// Handlers at work.
    pub(crate) running: TaskTracker,
    stopping: AtomicBool,
}

impl Service {
    pub(crate) fn new(function: Function, settings: Settings) -> Result<Arc<Self>, StartError> {
        let pool = settings.pool.as_deref().unwrap_or(&function.name);
        check_name(pool)?;
        let source = HeaderValue::try_from(format!("/pools/{pool}"))
            .map_err(|_| StartError::Name(pool.to_owned()))?;
        let sink = settings
            .sink
            .map(|uri| Arc::new(Sink::new(uri, settings.overrides)));
        let by_name = function
            .tools
            .iter()
            .enumerate()
            .map(|(index, tool)| (tool.name().to_owned(), index))
            .collect();
        Ok(Arc::new(Self {
            hidden: Mutex::new((Hidden::of(&function), None)),
            function,
            by_name,
            source,
            secret: settings.secret,
            revision: settings.revision,
            sink,
            grace: settings.grace,
            body_limit: settings.body_limit,
            running: TaskTracker::new(),
            stopping: AtomicBool::new(false),
        }))
    }

    pub(crate) fn tool(&self, name: &str) -> Option<&Tool> {
        self.function.tools.get(*self.by_name.get(name)?)
    }

    pub(crate) fn reaction(&self, event: &Event) -> Option<&Reaction> {
        let mut reactions = self.function.reactions.iter();
        reactions.find(|reaction| reaction.takes(event))
    }

    pub(crate) fn prompt(&self, name: &str) -> Option<&Prompt> {
        let mut prompts = self.function.prompts.iter();
        prompts.find(|prompt| prompt.name() == name)
    }

    pub(crate) fn resource(&self, uri: &str) -> Option<&Resource> {
        let mut resources = self.function.resources.iter();
        resources.find(|resource| resource.uri() == uri)
    }

    pub(crate) fn template(&self, uri_template: &str) -> Option<&ResourceTemplate> {
        let mut templates = self.function.templates.iter();
        templates.find(|template| template.uri() == uri_template)
    }

    /// The narrowest template that stands for a URI, and the URI's variables.
    pub(crate) fn template_of(
        &self,
        uri: &str,
    ) -> Option<(&ResourceTemplate, BTreeMap<String, String>)> {
        let templates = self.function.templates.iter().rev();
        templates
            .filter_map(|template| Some((template, template.variables_of(uri)?)))
            .max_by_key(|(template, _)| template.literals())
    }

    /// What is offered at the moment, as JSON.
    pub(crate) fn manifest(&self) -> Result<Bytes, String> {
        let mut hidden = self.hidden.lock().unwrap_or_else(PoisonError::into_inner);
        let (hidden, made) = &mut *hidden;
        made.get_or_insert_with(|| self.describe(hidden)).clone()
    }

    fn describe(&self, hidden: &Hidden) -> Result<Bytes, String> {
        let manifest = self.function.manifest_without(hidden);
        let manifest = manifest.map_err(|error| error.to_string())?;
        let json = serde_json::to_vec(&manifest).map_err(|error| error.to_string())?;
        Ok(json.into())
    }

    /// Shows or hides a capability; gives the new manifest when that changed anything.
    pub(crate) fn offer(&self, offer: Offer<'_>, shown: bool) -> Result<Option<Bytes>, ToolError> {
        let (what, is_known) = match offer {
            Offer::Tool(name) => (name, self.tool(name).is_some()),
            Offer::Prompt(name) => (name, self.prompt(name).is_some()),
            Offer::Resource(uri) => (uri, self.resource(uri).is_some()),
            Offer::Template(uri) => (uri, self.template(uri).is_some()),
        };
        if !is_known {
            let words = format!("`{what}` cannot be shown or hidden: it was never declared");
            return Err(ToolError::Internal(words));
        }
        let mut hidden = self.hidden.lock().unwrap_or_else(PoisonError::into_inner);
        let (hidden, made) = &mut *hidden;
        if hidden.has(offer) != shown {
            return Ok(None);
        }
        hidden.set(offer, !shown);
        let manifest = self.describe(hidden);
        *made = Some(manifest.clone());
        manifest.map(Some).map_err(ToolError::Internal)
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// From now on nothing new is taken; returns when what runs has finished.
    async fn finish(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.running.close();
        if !self.running.is_empty() {
            tracing::info!(
                running = self.running.len(),
                "stopping: finishing what runs"
            );
        }
        self.running.wait().await;
    }
}

/// Serves until `stop` resolves and what then runs has finished. While it finishes, connections
/// are still taken, so that probes are answered and late deliveries learn that they did not run.
pub(crate) async fn serve(
    service: Arc<Service>,
    listener: Listener,
    stop: impl Future<Output = ()>,
) {
    let connections = GracefulShutdown::new();
    let mut finished = std::pin::pin!(async {
        stop.await;
        service.finish().await;
    });
    loop {
        tokio::select! {
            biased;
            accepted = listener.accept() => match accepted {
                Ok(Connection::Tcp(stream)) => spawn(&service, stream, connections.watcher()),
                #[cfg(unix)]
                Ok(Connection::Unix(stream)) => spawn(&service, stream, connections.watcher()),
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            () = &mut finished => break,
        }
    }
    drop(listener);
    if tokio::time::timeout(LAST_BYTES, connections.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("a client did not take its answer in time");
    }
}

fn spawn<S>(service: &Arc<Service>, stream: S, watcher: Watcher)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
{
    tokio::spawn(converse(Arc::clone(service), TokioIo::new(stream), watcher));
}

/// HTTP/1.1 or, when the client starts so, HTTP/2 without TLS.
async fn converse<I>(service: Arc<Service>, io: I, watcher: Watcher)
where
    I: Read + Write + Send + Unpin + 'static,
{
    let answer = service_fn(move |request| {
        let service = Arc::clone(&service);
        async move {
            let mut answer = handle::answer(service, request).await;
            let mark = HeaderName::from_static(CONTRACT_HEADER);
            let contract = HeaderValue::from(CONTRACT);
            answer.headers_mut().insert(mark, contract);
            Ok::<_, Infallible>(answer)
        }
    });
    let server = auto::Builder::new(TokioExecutor::new());
    let connection = server.serve_connection(io, answer).into_owned();
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%error, "a connection broke");
    }
}
