//! Write an agent tool as an HTTP function that sleeps until it is called.
//!
//! A function is an ordinary program. It names its tools, prompts and resources, each an async
//! function from typed arguments to a result; everything else comes with this crate: JSON Schemas
//! made from the types, validation, progress, cancellation, questions to the client, errors that a
//! model understands, a manifest, health probes, CloudEvents over HTTP, and an orderly end.
//!
//! # The smallest function
//!
//! ```no_run
//! use dormouse_function::{Context, Function, ToolError};
//!
//! #[derive(serde::Deserialize, schemars::JsonSchema)]
//! struct Greet {
//!     /// Who is greeted.
//!     name: String,
//! }
//!
//! async fn greet(_: Context, args: Greet) -> Result<String, ToolError> {
//!     Ok(format!("Hello, {}!", args.name))
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     Function::new("hello").tool("greet", "Greet someone.", greet).main()
//! }
//! ```
//!
//! Its `Cargo.toml` needs `dormouse-function`, `serde` (with `derive`) and `schemars`. Run it, and
//! it listens on `PORT`, or 8080; `hello --capabilities` prints what it offers. To call it without
//! a platform, send it the event that the platform would send:
//!
//! ```sh
//! curl localhost:8080 -H 'ce-specversion: 1.0' -H 'ce-id: 1' -H 'ce-source: /me' \
//!   -H 'ce-type: dev.dormouse.task.requested.v1' -H 'content-type: application/json' \
//!   -d '{"method": "tools/call", "params": {"name": "greet", "arguments": {"name": "Ada"}}}'
//! ```
//!
//! # Arguments
//!
//! Any struct that derives `Deserialize` and `JsonSchema`. Doc comments become the descriptions
//! that a model reads, `Option` and `#[serde(default)]` make an argument optional, and what the
//! schema says beyond the type is checked too. Wrong arguments never reach the handler: the caller
//! is told which ones are wrong, and how. A tool without arguments takes [`NoArguments`].
//!
//! ```
//! # use dormouse_function::{Context, Function, ToolError};
//! #[derive(serde::Deserialize, schemars::JsonSchema)]
//! struct Quiz {
//!     /// What it is about.
//!     #[schemars(length(min = 3))]
//!     topic: String,
//!     /// How many questions.
//!     #[serde(default = "five")]
//!     #[schemars(range(min = 1, max = 20))]
//!     questions: u8,
//! }
//!
//! fn five() -> u8 {
//!     5
//! }
//! # async fn quiz(_: Context, args: Quiz) -> Result<String, ToolError> { Ok(args.topic) }
//! # assert!(Function::new("quiz").tool("quiz", "", quiz).manifest().is_ok());
//! ```
//!
//! # Results
//!
//! A `String` is a text. [`Structured`] is data for programs: its schema stands in the manifest
//! as `outputSchema`, and what is returned is checked against it. [`ToolResult`] and [`Content`] make everything else that MCP knows.
//!
//! ```
//! use dormouse_function::{Context, NoArguments, Structured, ToolError};
//!
//! #[derive(serde::Serialize, schemars::JsonSchema)]
//! struct Weather {
//!     celsius: f64,
//! }
//!
//! async fn weather(_: Context, _: NoArguments) -> Result<Structured<Weather>, ToolError> {
//!     Ok(Structured(Weather { celsius: 21.5 }))
//! }
//! # let _ = weather;
//! ```
//!
//! # Errors
//!
//! | error | what happens |
//! |---|---|
//! | [`ToolError::caller`] | an answer: the model reads it and may call again in another way |
//! | [`ToolError::retryable`] | the platform tries again, where that is safe |
//! | [`ToolError::internal`], or `?` on any error | the task fails |
//! | [`ToolError::Protocol`] | the task fails with a JSON-RPC error code of its own |
//! | a panic | the task fails, the function lives on |
//!
//! *Safe* is a second run when the tool says so: [`Tool::read_only`], [`Tool::idempotent`] or
//! [`Tool::retry_always`]. All others run at most once; a call whose end nobody knows is reported
//! as just that.
//!
//! ```
//! # use std::time::Duration;
//! # use dormouse_function::{Context, Function, NoArguments, Tool, ToolError};
//! # async fn convert(_: Context, _: NoArguments) -> Result<String, ToolError> { Ok("".into()) }
//! let convert = Tool::new("convert", "Convert a document to plain text.", convert)
//!     .title("Converter")
//!     .read_only()
//!     .timeout(Duration::from_secs(60));
//! let function = Function::new("documents").with_tool(convert);
//! # assert!(function.manifest().is_ok());
//! ```
//!
//! # While it runs
//!
//! The [`Context`] tells a handler who calls, until when, and in which trace; through it the
//! handler tells how far it is, and learns that nobody waits any more.
//!
//! ```
//! use dormouse_function::{Context, Level, ToolError};
//!
//! #[derive(serde::Deserialize, schemars::JsonSchema)]
//! struct Index {
//!     files: Vec<String>,
//! }
//!
//! async fn index(cx: Context, args: Index) -> Result<String, ToolError> {
//!     let all = args.files.len() as f64;
//!     for (done, file) in args.files.iter().enumerate() {
//!         if cx.is_cancelled() {
//!             return Err(ToolError::internal("cancelled half way"));
//!         }
//!         cx.progress(done as f64, all, file);
//!         if file.is_empty() {
//!             cx.log(Level::Warning, "a file without a name was left out");
//!         }
//!     }
//!     Ok(format!("{all} files"))
//! }
//! # let _ = index;
//! ```
//!
//! Handlers share one thread unless [`Function::threads`] says otherwise: what computes for long
//! belongs on `tokio::task::spawn_blocking`. The function's own log is [`tracing`]: lines on
//! stderr, at the level of `RUST_LOG`, as JSON with `LOG_FORMAT=json`.
//!
//! # Prompts, resources and completion
//!
//! A *prompt* is a text for a model that a person picks and fills in. Its arguments are a struct
//! like a tool's; they come as strings, and numbers and truth values are read from them. Its
//! handler returns a text, or several [`PromptMessage`]s.
//!
//! A *resource* is what a client reads at a URI: a text, bytes, or several [`Contents`]. A
//! *template* stands for all the URIs that its variables make, and its handler is given the
//! variables. [`Prompt::complete`] and [`ResourceTemplate::complete`] help a person who types.
//!
//! ```
//! use dormouse_function::{
//!     Context, Function, Prompt, Resource, ResourceTemplate, ToolError, Typed,
//! };
//!
//! #[derive(serde::Deserialize, schemars::JsonSchema)]
//! struct City {
//!     /// Which city.
//!     city: String,
//! }
//!
//! async fn guide(_: Context, args: City) -> Result<String, ToolError> {
//!     Ok(format!("You know {} by heart. Show me around.", args.city))
//! }
//!
//! async fn cities(_: Context) -> Result<&'static str, ToolError> {
//!     Ok("Paris\nPadua\nRome")
//! }
//!
//! async fn map(_: Context, args: City) -> Result<Vec<u8>, ToolError> {
//!     match args.city.as_str() {
//!         "Paris" => Ok(vec![0x89, 0x50]),
//!         other => Err(ToolError::caller(format!("there is no map of {other}"))),
//!     }
//! }
//!
//! async fn known(_: Context, typed: Typed) -> Result<dormouse_function::Completion, ToolError> {
//!     Ok(typed.pick(["Paris", "Padua", "Rome"]))
//! }
//!
//! let function = Function::new("travel")
//!     .with_prompt(Prompt::new("guide", "A guide to a city.", guide).complete("city", known))
//!     .with_resource(Resource::new("travel://cities", "cities", cities).mime_type("text/plain"))
//!     .with_template(
//!         ResourceTemplate::new("travel://maps/{city}", "map", map)
//!             .mime_type("image/png")
//!             .complete("city", known),
//!     );
//! # assert!(function.manifest().is_ok());
//! ```
//!
//! Their handlers get the same [`Context`] as a tool's. What changes while the function runs is
//! announced with [`Context::resource_updated`] and [`Context::offer`].
//!
//! # Asking
//!
//! A handler can ask the client that called: a person to fill in a form ([`Context::elicit`]) or
//! to open a page ([`Context::elicit_url`]), its model ([`Context::sample`]), and which folders it
//! works on ([`Context::roots`]). Each question has a name and is a future:
//!
//! ```
//! use dormouse_function::{Answer, Context, NoArguments, SampleRequest, ToolError};
//!
//! #[derive(serde::Deserialize, schemars::JsonSchema)]
//! struct Trip {
//!     /// Where to.
//!     city: String,
//!     #[serde(default = "three")]
//!     days: u8,
//! }
//!
//! fn three() -> u8 {
//!     3
//! }
//!
//! async fn plan(cx: Context, _: NoArguments) -> Result<String, ToolError> {
//!     let Answer::Accepted(trip) = cx.elicit::<Trip>("trip", "Where are you going?").await? else {
//!         return Err(ToolError::caller("without a city there is no plan"));
//!     };
//!     let task = format!("Plan {} days in {}.", trip.days, trip.city);
//!     let plan = cx.sample("plan", SampleRequest::new(800).user(task)).await?;
//!     Ok(plan.text())
//! }
//! # let _ = plan;
//! ```
//!
//! While someone thinks, nothing runs and nothing is held: when only questions are left to wait
//! for, the function hands the call back with all that are open, and may sleep, for a day if need
//! be. **The handler then runs again from the top** and finds the answers where it asked before.
//! So:
//!
//! - Give each question a name of its own, the same in every run. Several at once go in a `join!`.
//! - Ask the same questions in every run: do not let chance or the time of day decide. A run that
//!   does not come by an answer again fails, naming both revisions of the function.
//! - Ask in the handler itself, not in spawned tasks.
//! - Do what must not be done twice in a step.
//!
//! A handler can wait for an event of any producer in the same way, [`Context::event`]: for a
//! payment, a build, a person who signs. The platform answers that from its log of events, so
//! nothing is missed while the function sleeps, and no client has to be there.
//!
//! `?` on a question that the client refuses tells the model so; on one that the client does not
//! support it tells the client. To do without, look first: `cx.client().can_elicit()` and its
//! siblings.
//!
//! # Steps
//!
//! [`Context::step`] does something once in the life of a call. Its result is stored before it
//! returns, and every later run gets the stored result:
//!
//! ```
//! use dormouse_function::{Answer, Context, NoArguments, ToolError};
//!
//! #[derive(serde::Deserialize, schemars::JsonSchema)]
//! struct Rating {
//!     #[schemars(range(min = 1, max = 5))]
//!     stars: u8,
//! }
//!
//! # async fn book(key: &str) -> Result<String, ToolError> { Ok(key.to_owned()) }
//! async fn stay(cx: Context, _: NoArguments) -> Result<String, ToolError> {
//!     // The key is the same in every run: the hotel sees one booking, whatever happens.
//!     let booking: String = cx.step("book", async |key| book(&key).await).await?;
//!     let rating = cx.elicit::<Rating>("rating", "How was it?").await?;
//!     let stars = rating.accepted().map_or(0, |rating| rating.stars);
//!     Ok(format!("{booking}: {stars} stars"))
//! }
//! # let _ = stay;
//! ```
//!
//! # Events
//!
//! [`Function::on`] reacts to events of any producer, and what the handler returns is published in
//! turn. Events are those of the CloudEvents SDK, the crate [`cloudevents`]; a function needs no tool
//! to have a reaction.
//!
//! ```no_run
//! use dormouse_function::cloudevents::{AttributesReader, Event};
//! use dormouse_function::{Context, Function, ToolError};
//!
//! async fn saved(_: Context, lesson: Event) -> Result<(), ToolError> {
//!     println!("{} was saved", lesson.subject().unwrap_or("a lesson"));
//!     Ok(())
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     Function::new("notifier").on("org.example.lesson.saved", saved).main()
//! }
//! ```
//!
//! The manifest tells the platform which events these are; where the AgentPool file lists
//! `triggers`, those count instead. [`Context::emit`] sends events at any time, from tools too, and
//! [`Context::new_event`] begins one.
//!
//! The SDK's type has `time` in UTC and `dataschema` in its normal form. A handler that must pass on
//! an event to the letter takes and returns [`Event`], which is as it came.
//!
//! # Tests
//!
//! A handler is a function: call it with [`Context::detached`], or, when it asks, with
//! [`Context::rehearsed`] and the answers (an event is `{"event": {…}}`, in the CloudEvents JSON
//! format). To test the whole function over
//! HTTP, hand [`Function::serve`] a listener of your own.
//!
//! # What the platform sets
//!
//! [`Settings`] lists the environment variables; a function never names a broker. When the
//! platform's host hands over the listener as standard input, that is served in place of a port,
//! and the function dies with the host. On SIGTERM it finishes what runs and refuses what is new.
//!
//! [`tracing`]: https://docs.rs/tracing

mod arrival;
mod ask;
mod call;
mod checked;
mod completion;
mod contents;
mod context;
mod delivery;
mod emit;
mod error;
mod event;
mod form;
mod function;
mod handle;
mod handler;
mod in_process;
mod listener;
mod logging;
mod manifest;
mod method;
mod offer;
mod outlet;
mod process;
mod prompt;
mod question;
mod reaction;
mod replay;
mod reply;
mod reports;
mod resource;
mod result;
mod round;
mod running;
mod sampling;
mod schema;
mod server;
mod settings;
mod shown;
mod sink;
mod start;
mod step;
mod strings;
mod template;
mod tool;
mod tool_object;
mod uri_template;

pub use dormouse_contract::filter::{Filter, Ordering, Trigger};
pub use dormouse_contract::policy::{BackoffPolicy, DeliverySpec, Retry, RetryRule, Stored};
pub use dormouse_contract::task::Client;
pub use dormouse_contract::trace::TraceParent;
pub use dormouse_contract::{Event, ExtensionValue, Manifest};
pub use {cloudevents, schemars, serde, serde_json};

pub use arrival::Arrival;
pub use ask::{Ask, AskError};
pub use completion::{Completion, IntoCompletion, Typed};
pub use contents::{Contents, IntoContents};
pub use context::Context;
pub use error::{StartError, ToolError};
pub use event::{FromEvent, IntoEvents};
pub use function::Function;
pub use in_process::InProcess;
pub use listener::Listener;
pub use offer::Offer;
pub use prompt::{IntoPromptResult, Prompt, PromptMessage, PromptResult};
pub use question::{Answer, Root};
pub use reaction::{IntoFilter, IntoTrigger};
pub use reports::{Level, UnknownLevel};
pub use resource::Resource;
pub use result::{Content, IntoToolResult, Structured, ToolResult};
pub use sampling::{Role, SampleRequest, Sampled, ToolChoice, ToolUse};
pub use settings::Settings;
pub use shown::{Icon, Theme};
pub use template::ResourceTemplate;
pub use tool::Tool;
pub use tool_object::TaskSupport;

/// The arguments of a tool or prompt that takes none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
pub struct NoArguments {}
