//! Steps: work whose result is kept, so that a replay does not do it again.

use std::cell::Cell;
use std::pin::pin;

use dormouse_contract::suspension::Stepped;
use dormouse_contract::task::STEPPED;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::{RawValue, to_raw_value};

use crate::ask::check_name;
use crate::context::Context;
use crate::error::ToolError;
use crate::replay::Audience;

thread_local! {
    /// Whether what is polled on this thread right now belongs to a step.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Steps and asks cannot stand inside of a step: a replay would not come by them.
pub(crate) fn check_outside(what: &str, name: &str) -> Result<(), String> {
    match INSIDE.get() {
        false => Ok(()),
        true => Err(format!(
            "the {what} `{name}` stands inside of a step: a step that is done is not run again, \
             so ask before it, and hand the answer in"
        )),
    }
}

/// Polls a step's work so that what it creates knows where it stands.
async fn inside<W: Future>(work: W) -> W::Output {
    /// Taken back when the work panics, too.
    struct Outer(bool);
    impl Drop for Outer {
        fn drop(&mut self) {
            INSIDE.set(self.0);
        }
    }
    let mut work = pin!(work);
    std::future::poll_fn(|task| {
        let _outer = Outer(INSIDE.replace(true));
        work.as_mut().poll(task)
    })
    .await
}

impl Context {
    /// Runs `work` once in the life of the task: its result is stored by the platform before this
    /// returns, and every later round and attempt gets the stored result without running it.
    ///
    /// `work` gets a key that is the same whenever this step of this task runs. It can run more
    /// than once all the same, when the process dies between the work and the storing: hand the
    /// key on as an idempotency key, and the other side does it once.
    ///
    /// Names have 1 to 128 visible ASCII characters and are unique in the task. Asks and other
    /// steps cannot stand inside. A result that could not be stored is a
    /// [`ToolError::Retryable`], one that the platform refuses (a task holds up to 1,000 steps and
    /// 4 MiB of results) a [`ToolError::Internal`]. In a task of an event, and in a function that
    /// no platform calls, nothing is stored: the work runs whenever the handler does, with the same
    /// key.
    ///
    /// ```
    /// use dormouse_function::{Context, NoArguments, ToolError};
    ///
    /// # async fn charge(key: &str) -> Result<String, ToolError> { Ok(key.to_owned()) }
    /// async fn order(cx: Context, _: NoArguments) -> Result<String, ToolError> {
    ///     let receipt: String = cx.step("charge", async |key| charge(&key).await).await?;
    ///     Ok(format!("Paid: {receipt}"))
    /// }
    /// # let _ = order;
    /// ```
    pub fn step<T, F, Fut>(
        &self,
        name: &str,
        work: F,
    ) -> impl Future<Output = Result<T, ToolError>> + use<T, F, Fut>
    where
        T: Serialize + DeserializeOwned,
        F: FnOnce(String) -> Fut,
        Fut: Future<Output = Result<T, ToolError>>,
    {
        let name = name.to_owned();
        // Come by now, not when polled: a `select!` may never get to it.
        let met = check_name(&name)
            .and_then(|()| check_outside("step", &name))
            .and_then(|()| {
                let stored = self.replay().step(&name)?;
                Ok(stored.map(ToOwned::to_owned))
            });
        let cx = self.clone();
        async move {
            match met.map_err(ToolError::Internal)? {
                Some(stored) => cx.recall(&name, &stored).await,
                None => {
                    let key = format!("{}/{name}", cx.task_id());
                    let result = inside(async { work(key).await }).await?;
                    cx.store(&name, &result).await?;
                    Ok(result)
                }
            }
        }
    }

    async fn recall<T: DeserializeOwned>(
        &self,
        name: &str,
        stored: &RawValue,
    ) -> Result<T, ToolError> {
        match serde_json::from_str(stored.get()) {
            Ok(result) => Ok(result),
            Err(error) => {
                let words = format!("the stored result of step `{name}` is no longer one: {error}");
                self.replay().differ(words);
                // The round ends with the difference, whatever the handler would make of it.
                Err(ToolError::internal("the replay differs"))
            }
        }
    }

    async fn store<T: Serialize>(&self, name: &str, result: &T) -> Result<(), ToolError> {
        if self.replay().audience() == Audience::Nobody || !self.is_platforms() {
            return Ok(());
        }
        let Some(outlet) = self.outlet() else {
            return Err(ToolError::internal(format!(
                "the result of step `{name}` cannot be stored: K_SINK is not set"
            )));
        };
        let result = to_raw_value(result)?;
        let data = serde_json::to_vec(&Stepped {
            step: name.into(),
            result: &result,
        })?;
        let what = format!("/step/{name}");
        let sent = outlet.send(STEPPED, &what, data.into());
        sent.await.map_err(|error| {
            let words = format!("step `{name}` was done but not stored: {error}");
            // Another attempt would do the work again, and be refused again.
            match error.is_final() {
                true => ToolError::Internal(words),
                false => ToolError::retryable(words),
            }
        })
    }
}
