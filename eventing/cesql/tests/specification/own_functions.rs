//! Section 3.5: what users add.

use dormouse_cesql::{
    ErrorKind, Expression, Function, FunctionError, Functions, InvalidFunction, Parameter, Type,
    Value,
};

use crate::EVENT;

fn function(arity: usize) -> Function {
    Function::new(
        "ABC",
        vec![Type::String; arity],
        Type::Integer,
        move |arguments| {
            let arity = i32::try_from(arity).unwrap();
            Ok(Value::Integer(
                arity * 100 + i32::try_from(arguments.len()).unwrap(),
            ))
        },
    )
}

fn with(functions: impl IntoIterator<Item = Function>) -> Result<Functions, InvalidFunction> {
    let mut registry = Functions::default();
    for function in functions {
        registry.add(function)?;
    }
    Ok(registry)
}

#[track_caller]
fn evaluated(text: &str, functions: &Functions) -> (Value<'static>, Option<ErrorKind>) {
    let expression = Expression::parse_with(text, functions).unwrap();
    let evaluation = expression.evaluate(&EVENT);
    let kind = evaluation.error.as_ref().map(dormouse_cesql::Error::kind);
    (evaluation.value.into_owned(), kind)
}

/// "the engine MUST be able to distinguish between two functions defined with the same name but
/// different arity", with the valid set of the section.
#[test]
fn functions_of_a_name_are_told_apart_by_their_arity() {
    let variadic = function(3).variadic(Type::String);
    let functions = with([function(1), function(2), variadic]).unwrap();
    for (call, value) in [
        ("ABC('x')", 101),
        ("abc('x', 'y')", 202),
        ("ABC(1, 2, 3)", 303),
        ("ABC(1, 2, 3, 4, 5)", 305),
    ] {
        assert_eq!(evaluated(call, &functions), (value.into(), None), "{call}");
    }
    let nothing = (false.into(), Some(ErrorKind::MissingFunction));
    assert_eq!(evaluated("ABC()", &functions), nothing);
}

/// "A function name MAY have at most one variadic overload definition and only if the number of
/// initial fixed arguments is greater than the maximum arity of all other function definitions",
/// with the invalid set of the section.
#[test]
fn ambiguous_functions_are_refused() {
    let variadic = |arity| function(arity).variadic(Type::String);
    let ambiguous = || InvalidFunction::Ambiguous {
        name: "ABC".to_owned(),
    };
    assert_eq!(with([variadic(0), function(3)]).unwrap_err(), ambiguous());
    assert_eq!(with([function(3), variadic(0)]).unwrap_err(), ambiguous());
    assert_eq!(with([function(3), variadic(3)]).unwrap_err(), ambiguous());
    assert_eq!(with([variadic(1), variadic(4)]).unwrap_err(), ambiguous());
    assert!(with([function(3), variadic(4)]).is_ok());
    assert!(with([variadic(4), function(3)]).is_ok());
}

/// "no functions with the same name and same arity but different types are allowed"; built-in ones
/// count.
#[test]
fn one_name_and_arity_is_one_function() {
    let exists = InvalidFunction::Exists {
        name: "ABC".to_owned(),
        arity: 1,
    };
    assert_eq!(with([function(1), function(1)]).unwrap_err(), exists);
    let length = |arity: usize| {
        Function::new("length", vec![Parameter::Any; arity], Type::Integer, |_| {
            Ok(7.into())
        })
    };
    assert_eq!(
        with([length(1)]).unwrap_err(),
        InvalidFunction::Exists {
            name: "LENGTH".to_owned(),
            arity: 1
        }
    );
    let functions = with([length(2)]).unwrap();
    assert_eq!(
        evaluated("LENGTH('a', 'b') + LENGTH('a')", &functions),
        (8.into(), None)
    );
    let concat = Function::new("CONCAT", [Type::String], Type::String, |_| Ok("".into()));
    assert_eq!(
        with([concat]).unwrap_err(),
        InvalidFunction::Ambiguous {
            name: "CONCAT".to_owned()
        }
    );
}

#[test]
fn names_follow_the_grammar() {
    for name in ["", "1A", "A1", "_A", "A-B", "and", "Like"] {
        let function = Function::new(name, [Type::String; 0], Type::Integer, |_| Ok(1.into()));
        let error = with([function]).unwrap_err();
        assert_eq!(error, InvalidFunction::Name(name.to_ascii_uppercase()));
    }
}

/// "for user defined functions, if they return one or more errors and fail to provide a valid
/// return value for their return type the CESQL engine MUST return the zero value for the return
/// type of the function, along with a FunctionEvaluationError"
#[test]
fn a_function_that_fails_still_has_a_value() {
    let failing = |name: &str, error: FunctionError<'static>| {
        Function::new(name, [Type::String; 0], Type::String, move |_| {
            Err(error.clone())
        })
    };
    let functions = with([
        failing("FAILS", "no".into()),
        failing(
            "FAILS_WITH",
            FunctionError::new("no").with_value("it".into()),
        ),
        failing("FAILS_WRONG", FunctionError::new("no").with_value(1.into())),
        Function::new("WRONG", [Type::String; 0], Type::String, |_| Ok(1.into())),
    ])
    .unwrap();
    let failed = Some(ErrorKind::FunctionEvaluation);
    assert_eq!(evaluated("FAILS()", &functions), ("".into(), failed));
    assert_eq!(evaluated("FAILS_WITH()", &functions), ("it".into(), failed));
    assert_eq!(evaluated("FAILS_WRONG()", &functions), ("".into(), failed));
    assert_eq!(evaluated("WRONG()", &functions), ("".into(), failed));
    let expression = Expression::parse_with("WRONG()", &functions).unwrap();
    assert_eq!(
        expression.evaluate(&EVENT).error.unwrap().to_string(),
        "WRONG: it gave a Integer instead of a String"
    );
}

/// The example of section 3.7: `sequence` is cast to Integer, the sum to String.
#[test]
fn arguments_are_cast_as_the_example_says() {
    let predicate = Function::new(
        "MY_STRING_PREDICATE",
        [Type::String],
        Type::Boolean,
        |arguments| Ok((arguments[0] == Value::from("20")).into()),
    );
    let functions = with([predicate]).unwrap();
    assert_eq!(
        evaluated("MY_STRING_PREDICATE(sequence + 10)", &functions),
        (true.into(), None)
    );
}

#[test]
fn parameters_of_any_type_take_arguments_as_they_are() {
    let function = Function::new("TYPE_OF", [Parameter::Any], Type::String, |arguments| {
        Ok(arguments[0].ty().to_string().into())
    });
    let functions = with([function.variadic(Type::Integer)]).unwrap();
    assert_eq!(
        evaluated("TYPE_OF('1')", &functions),
        ("String".into(), None)
    );
    assert_eq!(
        evaluated("TYPE_OF(TRUE, '1')", &functions),
        ("Boolean".into(), None)
    );
    let cast = Some(ErrorKind::Cast);
    assert_eq!(
        evaluated("TYPE_OF(TRUE, 'x')", &functions),
        ("".into(), cast)
    );
}
