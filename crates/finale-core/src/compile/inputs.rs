//! What an activation hands in, checked against what the definition declares.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::value::RawValue;

use super::types;
use crate::definition::{Declaration, Definition};
use crate::payload::Payload;

/// What is wrong with the input of an activation; all of it at once.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .problems.join("; "))]
pub struct InputError {
    problems: Vec<String>,
}

impl InputError {
    /// The problems, in the order of the declarations.
    pub fn problems(&self) -> &[String] {
        &self.problems
    }
}

/// Checks an input against the declared inputs and fills in the defaults of those that are not given.
///
/// A definition that declares none takes anything. What is not declared is passed on as it is.
///
/// ```
/// use finale_core::Payload;
/// use finale_core::compile::accept_input;
/// use finale_core::definition::{Declaration, DeclaredType, Definition};
///
/// let mut definition = Definition::builder("order").build();
/// let (name, kind, default) = ("express".to_owned(), DeclaredType::Boolean, Some(false.into()));
/// definition.inputs.push(Declaration { name, kind, required: false, default });
///
/// let filled = accept_input(&definition, Payload::NULL)?;
/// assert_eq!(filled.as_bytes(), br#"{"express":false}"#);
///
/// let wrong = Payload::from_json(br#"{"express": 7}"#).unwrap();
/// let error = accept_input(&definition, wrong).unwrap_err();
/// assert_eq!(error.to_string(), "input \"express\" must be of type boolean, not 7");
/// # Ok::<(), finale_core::compile::InputError>(())
/// ```
///
/// # Errors
/// When a required input is missing, one is of another type, or the input as a whole is no object.
pub fn accept_input(definition: &Definition, input: Payload) -> Result<Payload, InputError> {
    accept("input", &definition.inputs, input)
}

/// Checks the members of a document against declarations and fills in defaults; `what` they are called in problems.
pub(crate) fn accept(what: &str, declarations: &[Declaration], input: Payload) -> Result<Payload, InputError> {
    if declarations.is_empty() {
        return Ok(input);
    }
    let mut given = object(what, &input)?;
    let count = given.len();
    let problems: Vec<_> = declarations.iter().filter_map(|declared| check(what, declared, &mut given)).collect();
    if !problems.is_empty() {
        return Err(InputError { problems });
    }
    if given.len() == count && !input.is_null() {
        // Nothing was filled in: the document stays as it came, to the last digit.
        return Ok(input);
    }
    Payload::encode(&given).map_err(|error| InputError { problems: vec![error.to_string()] })
}

/// The given inputs by name, unparsed; nothing at all counts as none.
fn object(what: &str, input: &Payload) -> Result<BTreeMap<String, Box<RawValue>>, InputError> {
    let object: Result<Option<_>, _> = input.decode();
    let problem = |_| InputError { problems: vec![format!("the workflow declares {what}s: an object is needed")] };
    object.map(Option::unwrap_or_default).map_err(problem)
}

fn check(what: &str, declared: &Declaration, given: &mut BTreeMap<String, Box<RawValue>>) -> Option<String> {
    let Declaration { name, kind, required, default } = declared;
    let given_value = given.get(name).map(|given| serde_json::from_str::<Value>(given.get()));
    match (given_value, default) {
        (Some(Ok(Value::Null)), _) if !required => None,
        (Some(Ok(value)), _) if types::matches(*kind, &value) => None,
        (Some(Ok(_)), _) => {
            Some(format!("{what} {name:?} must be of type {}, not {}", types::name(*kind), given[name].get()))
        }
        (Some(Err(error)), _) => Some(format!("{what} {name:?} cannot be read: {error}")),
        (None, Some(default)) => {
            let default = serde_json::value::to_raw_value(default).expect("a value of JSON has a JSON form");
            given.insert(name.clone(), default);
            None
        }
        (None, None) if *required => Some(format!("{what} {name:?} is missing")),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::DeclaredType;

    fn definition(required: bool) -> Definition {
        let mut definition = Definition::builder("w").build();
        for (name, kind) in [("count", DeclaredType::Integer), ("who", DeclaredType::String)] {
            definition.inputs.push(Declaration { name: name.to_owned(), kind, required, default: None });
        }
        definition
    }

    fn payload(json: &str) -> Payload {
        Payload::from_json(json.as_bytes()).unwrap()
    }

    #[test]
    fn all_problems_of_an_input_are_told_at_once() {
        let error = accept_input(&definition(true), payload(r#"{"count": "x"}"#)).unwrap_err();
        assert_eq!(
            error.problems(),
            ["input \"count\" must be of type integer, not \"x\"", "input \"who\" is missing"]
        );
    }

    #[test]
    fn what_is_not_declared_is_passed_on() {
        let accepted = accept_input(&definition(false), payload(r#"{"more": 1}"#)).unwrap();
        assert_eq!(accepted.as_bytes(), br#"{"more": 1}"#);
    }

    #[test]
    fn what_is_given_is_not_written_anew() {
        let mut definition = definition(false);
        let given = r#"{ "z": 123456789012345678901234567890, "count": 1.50e1, "a": 1e-7 }"#;
        let error = accept_input(&definition, payload(given)).unwrap_err();
        assert_eq!(error.problems(), ["input \"count\" must be of type integer, not 1.50e1"]);
        definition.inputs[0].kind = DeclaredType::Float;
        assert_eq!(accept_input(&definition, payload(given)).unwrap(), payload(given));
        definition.inputs[1].default = Some("me".into());
        let filled = accept_input(&definition, payload(given)).unwrap();
        let expected = r#"{"a":1e-7,"count":1.50e1,"who":"me","z":123456789012345678901234567890}"#;
        assert_eq!(filled, payload(expected));
    }

    #[test]
    fn an_input_that_is_no_object_is_refused_only_where_inputs_are_declared() {
        assert!(accept_input(&definition(false), payload("[1]")).is_err());
        assert!(accept_input(&Definition::builder("w").build(), payload("[1]")).is_ok());
    }
}
