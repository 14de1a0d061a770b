//! The steps of an expression, done one after the other.

use minijinja::value::{Kwargs, ValueKind};
use minijinja::{State, Value};

use super::error::EvaluationError;
use super::program::{Call, Callee, Comparison, Operands, Program, Span, Step};
use super::scope::Scope;
use super::{Facts, calculate, environment, functions, json, kind, order};

/// What one evaluation gave.
type Evaluated<T = ()> = Result<T, EvaluationError>;

/// Evaluates an expression; what is undefined as a whole is for the caller to refuse.
pub(super) fn evaluate(source: &str, program: &Program, scope: &Scope, facts: &dyn Facts) -> Evaluated<Value> {
    let state = environment::state();
    let mut machine = Machine { source, scope, facts, state, stack: Vec::with_capacity(8), input: None, vars: None };
    let mut at = 0;
    while let Some(step) = program.steps.get(at) {
        machine.state.consume_fuel(1)?;
        at += 1 + machine.step(step)?;
    }
    Ok(machine.pop())
}

struct Machine<'e> {
    source: &'e str,
    scope: &'e Scope,
    facts: &'e dyn Facts,
    state: State<'static, 'static>,
    stack: Vec<Value>,
    /// The input, once it was parsed.
    input: Option<Value>,
    vars: Option<Value>,
}

impl Machine<'_> {
    /// Does a step; how many steps to leave out after it.
    fn step(&mut self, step: &Step) -> Evaluated<usize> {
        match step {
            Step::Constant(value) => self.stack.push(value.clone()),
            Step::Input => {
                let input = self.input()?;
                self.stack.push(input);
            }
            Step::Failure => {
                let failures = self.scope.failures(self.facts)?;
                self.stack.push(failures.get_item_by_index(0).unwrap_or_default());
            }
            Step::Failures => {
                let failures = self.scope.failures(self.facts)?;
                self.stack.push(failures);
            }
            Step::Vars => {
                let vars = self.vars()?;
                self.stack.push(vars);
            }
            Step::Local(local) => self.push(Scope::local(*local, self.facts)?)?,
            Step::Node(place) => self.stack.push(self.scope.node(*place, self.facts)),
            Step::Attribute(name, container) => {
                let container = self.operand(*container)?;
                let found = container.get_attr(name)?;
                self.push(found)?;
            }
            Step::Item(container) => {
                let key = self.pop();
                let container = self.operand(*container)?;
                let found = container.get_item(&key)?;
                self.push(found)?;
            }
            Step::Slice(container) => {
                let bounds = [self.pop(), self.pop(), self.pop()];
                let container = self.operand(*container)?;
                let [step, end, begin] = bounds;
                let part = functions::slice(&self.state, &container, &begin, &end, &step)?;
                self.push(part)?;
            }
            Step::Negate(operand) => {
                let operand = self.operand(*operand)?;
                self.push(calculate::negate(&operand)?)?;
            }
            Step::Not(operand) => {
                let truth = self.truth(*operand)?;
                self.stack.push(Value::from(!truth));
            }
            Step::Calculate(calculation, operands) => {
                let (left, right) = self.operands(*operands)?;
                self.push(calculate::calculate(&self.state, *calculation, &left, &right)?)?;
            }
            Step::Concatenate(operands) => {
                let (left, right) = self.operands(*operands)?;
                let text = calculate::concatenate(&self.state, &left, &right)?;
                self.push(text)?;
            }
            Step::Compare(comparison, operands) => {
                let (left, right) = self.operands(*operands)?;
                let holds = order::holds(&self.state, *comparison, &left, &right)?;
                self.stack.push(Value::from(holds));
            }
            Step::Chain(comparison, operands, jump) => return self.chain(*comparison, *operands, *jump),
            Step::List(count) => self.list(*count)?,
            Step::Map(count) => self.map(*count)?,
            Step::Call(call) => self.call(call)?,
            Step::JumpUnless(jump, condition) => return Ok(if self.truth(*condition)? { 0 } else { *jump }),
            Step::And(jump, operand) => return self.shortcut(*jump, *operand, false),
            Step::Or(jump, operand) => return self.shortcut(*jump, *operand, true),
            Step::Jump(jump) => return Ok(*jump),
        }
        Ok(0)
    }

    fn chain(&mut self, comparison: Comparison, operands: Operands, jump: usize) -> Evaluated<usize> {
        let (left, right) = self.operands(operands)?;
        if order::holds(&self.state, comparison, &left, &right)? {
            self.stack.push(right);
            return Ok(0);
        }
        self.stack.push(Value::from(false));
        Ok(jump)
    }

    /// Keeps the topmost value and jumps if that decides `and` or `or`.
    fn shortcut(&mut self, jump: usize, operand: Span, decides: bool) -> Evaluated<usize> {
        let value = self.operand(operand)?;
        if value.is_true() != decides {
            return Ok(0);
        }
        self.stack.push(value);
        Ok(jump)
    }

    fn list(&mut self, count: usize) -> Evaluated {
        let items = self.stack.split_off(self.stack.len() - count);
        self.charge(count)?;
        self.push(Value::from(items))
    }

    fn map(&mut self, count: usize) -> Evaluated {
        let members = self.stack.split_off(self.stack.len() - 2 * count);
        self.charge(2 * count)?;
        let pairs = members.chunks_exact(2).map(|pair| match pair {
            [key, value] if key.as_str().is_some() || key.is_integer() => Ok((key.clone(), value.clone())),
            [key, _] if key.is_undefined() => Err(EvaluationError::Undefined { what: "the key of a map".to_owned() }),
            pair => {
                Err(EvaluationError::failed(format!("the key of a map must be a string, not a {}", kind(&pair[0]))))
            }
        });
        let map: std::collections::BTreeMap<Value, Value> = pairs.collect::<Evaluated<_>>()?;
        self.push(Value::from(map))
    }

    fn call(&mut self, call: &Call) -> Evaluated {
        let named = self.stack.split_off(self.stack.len() - call.named.len());
        let mut arguments = self.stack.split_off(self.stack.len() - call.positional);
        if let Some(subject) = arguments.first().filter(|_| takes_no_undefined(call.callee)) {
            self.defined(subject, call.subject)?;
        }
        let named = call.named.iter().zip(named).map(|(name, value)| (&**name, value));
        if call.named.is_empty() {
            drop(named);
        } else {
            arguments.push(Kwargs::from_iter(named).into());
        }
        for argument in &arguments {
            self.charge(argument.as_str().map_or(0, |text| text.len() / 64))?;
        }
        let result = match call.callee {
            Callee::Filter(name) => self.state.apply_filter(name, &arguments)?,
            Callee::Test(name) => Value::from(self.state.perform_test(name, &arguments)?),
            Callee::Range => functions::range(&self.state, &arguments)?,
            Callee::Dict => functions::dict(&arguments)?,
        };
        let result = functions::collected(&self.state, result)?;
        self.push(result)
    }

    fn input(&mut self) -> Evaluated<Value> {
        if self.input.is_none() {
            self.input = Some(self.scope.input(self.facts)?);
        }
        Ok(self.input.clone().unwrap_or_default())
    }

    fn vars(&mut self) -> Evaluated<Value> {
        if self.vars.is_none() {
            self.vars = Some(self.scope.vars(self.facts)?);
        }
        Ok(self.vars.clone().unwrap_or_default())
    }

    /// Pushes a value that was made; what cannot be read carries its error.
    fn push(&mut self, value: Value) -> Evaluated {
        if value.kind() == ValueKind::Invalid {
            value.try_iter()?;
        }
        if let Some(text) = value.as_str() {
            self.charge(text.len() / 64)?;
        }
        self.stack.push(value);
        Ok(())
    }

    fn charge(&self, parts: usize) -> Evaluated {
        Ok(self.state.consume_fuel(parts as u64)?)
    }

    fn pop(&mut self) -> Value {
        self.stack.pop().unwrap_or_default()
    }

    /// The topmost value, which must be defined.
    fn operand(&mut self, span: Span) -> Evaluated<Value> {
        let value = self.pop();
        self.defined(&value, span)?;
        Ok(value)
    }

    fn operands(&mut self, Operands { left, right }: Operands) -> Evaluated<(Value, Value)> {
        let (second, first) = (self.pop(), self.pop());
        self.defined(&first, left)?;
        self.defined(&second, right)?;
        Ok((first, second))
    }

    fn truth(&mut self, span: Span) -> Evaluated<bool> {
        self.operand(span).map(|value| value.is_true())
    }

    fn defined(&self, value: &Value, Span { start, end }: Span) -> Evaluated {
        if !value.is_undefined() {
            return Ok(());
        }
        let source = self.source.get(start as usize..end as usize).unwrap_or_default();
        Err(EvaluationError::Undefined { what: format!("`{}`", json::shortened(source)) })
    }
}

/// Whether an undefined value in the place of the first argument is an error.
const fn takes_no_undefined(callee: Callee) -> bool {
    match callee {
        Callee::Filter(name) => !environment::is_one_of(name, &["d", "default"]),
        Callee::Test(name) => {
            !environment::is_one_of(name, &["compares", "defined", "undefined", "truthy", "printed_as"])
        }
        Callee::Range | Callee::Dict => true,
    }
}
