//! A function that a user of the crate adds.

use alloc::borrow::{Cow, ToOwned as _};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::{Parameter, Signature};
use crate::error::{Error, FunctionError};
use crate::evaluate::Failure;
use crate::value::{Type, Value};

type Body =
    dyn for<'v> Fn(&[Value<'v>]) -> Result<Value<'v>, FunctionError<'v>> + Send + Sync + 'static;

/// A function of your own, for [`Functions::add`](super::Functions::add).
///
/// It must be pure: the same arguments, the same result.
///
/// ```
/// use dormouse_cesql::{Expression, Function, Functions, Type, Value};
///
/// let shout = Function::new("SHOUT", [Type::String], Type::String, |arguments| {
///     Ok(Value::from(format!("{}!", arguments[0])))
/// });
/// let mut functions = Functions::default();
/// functions.add(shout)?;
/// let expression = Expression::parse_with("SHOUT(1 + 1) = '2!'", &functions)?;
/// assert!(expression.matches(&[] as &[(&str, Value<'_>); 0]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Function {
    name: String,
    fixed: Vec<Parameter>,
    variadic: Option<Parameter>,
    returns: Type,
    body: Box<Body>,
}

impl Function {
    /// A function that takes as many arguments as there are parameters. The body gets them
    /// evaluated and cast; what it returns must be of the type `returns`.
    ///
    /// Names are letters and underscores in any case and start with a letter; this is checked when
    /// the function is added.
    pub fn new<P: Into<Parameter>>(
        name: &str,
        parameters: impl IntoIterator<Item = P>,
        returns: Type,
        body: impl for<'v> Fn(&[Value<'v>]) -> Result<Value<'v>, FunctionError<'v>>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        Self {
            name: name.to_ascii_uppercase(),
            fixed: parameters.into_iter().map(Into::into).collect(),
            variadic: None,
            returns,
            body: Box::new(body),
        }
    }

    /// The same function, taking any number of arguments more behind the parameters.
    #[must_use]
    pub fn variadic(mut self, parameter: impl Into<Parameter>) -> Self {
        self.variadic = Some(parameter.into());
        self
    }

    pub(crate) fn signature(&self) -> Signature<'_> {
        Signature {
            name: &self.name,
            fixed: &self.fixed,
            variadic: self.variadic,
            returns: self.returns,
        }
    }

    /// Calls the body and sees to it that there is a value of the right type (section 3.5.3).
    pub(crate) fn call<'a>(&'a self, arguments: &[Value<'a>]) -> Result<Value<'a>, Failure<'a>> {
        let (value, reason) = match (self.body)(arguments) {
            Ok(value) => (Some(value), None),
            Err(FunctionError { reason, value }) => (value, Some(reason)),
        };
        match (value, reason) {
            (Some(value), None) if value.ty() == self.returns => Ok(value),
            (Some(value), None) => Err(self.failure(
                None,
                format!("it gave a {} instead of a {}", value.ty(), self.returns).into(),
            )),
            (value, reason) => Err(self.failure(
                value.filter(|value| value.ty() == self.returns),
                reason.unwrap_or_else(|| "it gave no value".into()),
            )),
        }
    }

    fn failure<'a>(&'a self, value: Option<Value<'a>>, reason: Cow<'static, str>) -> Failure<'a> {
        Failure {
            value,
            error: Error::FunctionEvaluation {
                function: Cow::Borrowed(&self.name),
                reason,
            },
        }
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Function")
            .field("name", &self.name.to_owned())
            .field("fixed", &self.fixed)
            .field("variadic", &self.variadic)
            .field("returns", &self.returns)
            .finish_non_exhaustive()
    }
}
