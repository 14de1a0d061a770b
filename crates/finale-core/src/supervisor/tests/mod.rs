//! Drives a supervisor, in virtual time.

mod admission;
mod closing;
mod deaths;
mod ended;
mod failing;
mod keys;
mod messages;
mod parking;
mod quarantine;
mod random;
mod rebuilding;
mod recovery;
mod retention;
mod sweep;
mod telling;
mod unreadable;
mod world;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::*;
use crate::execution::{Command, Execution, Report, SEMANTICS, Turn};
use crate::fact::Activation;
use crate::id::{Epoch, WorkKey};
use crate::number::{ActorNo, Callback, DefinitionNo, ShardNo};
use crate::record::{Counts, DecidedBy, End, Outcome};
use crate::{Compiled, Definition, Payload, compile, definition, execution};

/// A supervisor of one shard, and what was asked of it.
struct Scene {
    supervisor: Supervisor,
    out: Outbox,
    now: Time,
    /// Permits that the pool has.
    permits: usize,
    requests: u64,
    ids: IdGenerator,
}

fn options() -> Options {
    Options {
        shard: ShardNo(0),
        shards: 1,
        seed: 7,
        active_executions_max: 2,
        recovering_executions_max: 2,
        unused_permits_max: 4,
        reads_max: 2,
        recovery_reads_max: 2,
        early_messages_max: 3,
        crashes_max: 3,
        crashes_window: Duration::from_secs(600),
        deaths_max: 2,
        deaths_window: Duration::from_secs(60),
        sweep_interval: Duration::from_secs(5),
        retention: Retention {
            completed: Keep::default(),
            failed: Keep::default(),
            cancelled: Keep::default(),
            interval: Duration::from_secs(10),
        },
        ended_handlers: 0,
        late_events_max: 2,
    }
}

impl Scene {
    /// A shard on which nothing has begun.
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Options)) -> Self {
        let mut scene = Self::unstarted(change);
        scene.recover(Vec::new());
        scene
    }

    fn unstarted(change: impl FnOnce(&mut Options)) -> Self {
        let mut options = options();
        change(&mut options);
        let ids = IdGenerator::new(options.shard, options.shards, 99);
        let supervisor = Supervisor::new(options);
        let now = Time::from_micros(1_000_000_000_000);
        Self { supervisor, out: Outbox::default(), now, permits: 1_000, requests: 0, ids }
    }

    fn recover(&mut self, found: Vec<Found>) -> Outbox {
        let permits = found.len();
        self.tell(Input::Recover(Recover { epoch: Epoch(3), crashed: true, found, permits }))
    }

    fn advance(&mut self, span: Duration) {
        self.now = self.now.after(span);
    }

    /// Wakes it if it wants to be, after that time.
    fn wake_after(&mut self, span: Duration) -> Outbox {
        self.advance(span);
        match self.supervisor.wake_at() {
            Some(due) if due <= self.now => self.tell(Input::Wake),
            _ => Outbox::default(),
        }
    }

    /// Tells it something; gives what comes of that. The pool answers at once.
    fn tell(&mut self, input: Input) -> Outbox {
        self.supervisor.handle(self.now, input, &mut self.out);
        while let Some(change) = self.out.permits.pop() {
            match change {
                PermitChange::Ask(wanted) => {
                    let granted = wanted.min(self.permits);
                    self.permits -= granted;
                    self.supervisor.handle(self.now, Input::PermitsGranted(granted), &mut self.out);
                }
                PermitChange::Return(permits) => self.permits += permits,
            }
        }
        std::mem::take(&mut self.out)
    }

    fn request(&mut self) -> RequestId {
        self.requests += 1;
        RequestId(self.requests)
    }

    fn id(&mut self) -> ExecutionId {
        self.ids.next(self.now)
    }

    /// An activation that somebody waits for.
    fn activation(&mut self) -> Activate {
        activation(Some(self.request()))
    }

    /// Activates; the execution begins at once.
    fn begin(&mut self) -> (ActorNo, Begin) {
        let activate = self.activation();
        let out = self.tell(Input::Activate(activate));
        let [ToActor::Begin(begin)] = &to_actors(&out)[..] else { panic!("it does not begin: {out:?}") };
        (out.actors[0].0, (**begin).clone())
    }

    /// Activates; the execution begins at once and waits.
    fn begin_parked(&mut self) -> Begin {
        let (_, begin) = self.begin();
        self.detach(&begin, 0);
        begin
    }

    fn detach(&mut self, begin: &Begin, told: u32) -> Outbox {
        self.tell(Input::Detached(Box::new(hosted(begin.slot, begin.execution, told))))
    }

    fn end(&mut self, begin: &Begin) -> Outbox {
        self.tell(Input::Ended(ended(begin.slot, self.now)))
    }

    fn ask(&mut self, execution: ExecutionId, message: Message) -> Outbox {
        self.tell(Input::Ask(Ask { execution, what: Question::Tell(message) }))
    }

    fn release(&mut self, execution: ExecutionId) -> (RequestId, Outbox) {
        let request = self.request();
        (request, self.tell(Input::Ask(Ask { execution, what: Question::Release(Some(request)) })))
    }

    fn report(&mut self, text: &str) -> Message {
        report(Some(self.request()), text)
    }

    fn cancel(&mut self) -> Message {
        let command = Command::Cancel { by: "somebody".into() };
        Message { request: Some(self.request()), body: Body::Input(execution::Input::Command(command)) }
    }

    fn query(&mut self) -> Message {
        Message { request: Some(self.request()), body: Body::Query }
    }

    /// Answers a read of a history.
    fn restored(&mut self, read: &Read, restored: Result<Option<Restored>, Box<str>>) -> Outbox {
        self.tell(Input::Restored { read: read.number, restored })
    }

    /// Lets the state machine of an execution panic with these messages in hand, and answers the read of its history.
    fn die(&mut self, begin: &Begin, messages: Vec<Message>) -> Outbox {
        let panicked = Panicked { slot: begin.slot, begin: None, messages, cancels: Vec::new(), told: 0 };
        let out = self.tell(Input::Panicked(Box::new(panicked)));
        assert_eq!(histories(&out), [begin.execution]);
        self.restored(&out.reads[0], Ok(Some(restored(begin.execution))))
    }
}

fn definition() -> &'static Compiled {
    static DEFINITION: OnceLock<Compiled> = OnceLock::new();
    DEFINITION.get_or_init(|| {
        let definition = Definition::builder("order").task("pack", definition::Task::handler("pack")).build();
        compile(definition, &Default::default()).unwrap()
    })
}

/// The state of an execution that has begun: a handler is at work.
fn state(execution: ExecutionId) -> Box<Execution> {
    let (mut state, mut turn) = (Execution::new(execution, definition()), Turn::new());
    let activation = Activation {
        definition: definition().hash(),
        semantics: SEMANTICS,
        input: input(),
        by: "somebody".into(),
        deadline: None,
        idempotency_key: None,
        business_key: None,
    };
    let begun = state.handle(definition(), Time::default(), execution::Input::Activate(activation), &mut turn);
    turn.discard();
    assert_eq!(begun, Ok(()));
    Box::new(state)
}

/// The same, after the process crashed so often over the handler.
fn crashed(execution: ExecutionId, crashes: u32) -> Box<Execution> {
    let (mut state, mut turn) = (state(execution), Turn::new());
    for epoch in 1..=crashes {
        let recovered = execution::Input::Recovered { epoch: Epoch(epoch), crashed: true };
        state.handle(definition(), Time::default(), recovered, &mut turn).unwrap();
    }
    turn.discard();
    state
}

/// The same, when its end is decided and its handler is to stop.
fn ending(execution: ExecutionId) -> Box<Execution> {
    let (mut state, mut turn) = (state(execution), Turn::new());
    let cancel = execution::Input::Command(Command::Cancel { by: "somebody".into() });
    state.handle(definition(), Time::default(), cancel, &mut turn).unwrap();
    turn.discard();
    state
}

fn restored(execution: ExecutionId) -> Restored {
    Restored {
        definition: DefinitionNo(5),
        state: state(execution),
        missing_handler: None,
        crashes: Vec::new(),
        outcome: None,
    }
}

fn hosted(slot: Slot, execution: ExecutionId, told: u32) -> Hosted {
    Hosted { slot, definition: DefinitionNo(5), state: state(execution), cancels: Vec::new(), told }
}

fn input() -> Payload {
    Payload::encode(&7).unwrap()
}

fn activation(request: Option<RequestId>) -> Activate {
    Activate {
        request,
        definition: Some(DefinitionNo(5)),
        id: None,
        idempotency: None,
        business_key: None,
        by: "somebody".into(),
        deadline: None,
        input: input(),
    }
}

fn outcome(at: Time) -> Arc<Outcome> {
    Arc::new(Outcome {
        completed_at: at,
        decided_by: DecidedBy::AllSettled,
        counts: Counts::default(),
        ending_failures: Vec::new(),
        ending_failures_more: 0,
        end: End::Completed { output: Payload::NULL },
    })
}

fn ended(slot: Slot, at: Time) -> Ended {
    Ended { slot, outcome: outcome(at), business_key: None, cancels: Vec::new(), interrupted: Vec::new() }
}

fn report(request: Option<RequestId>, text: &str) -> Message {
    let report = Report { key: WorkKey::default(), attempt: None, result: Ok(Payload::NULL), by: text.into() };
    Message { request, body: Body::Input(execution::Input::Reported(report)) }
}

fn found(execution: ExecutionId) -> Found {
    Found { execution, quarantine: None }
}

fn to_actors(out: &Outbox) -> Vec<&ToActor> {
    out.actors.iter().map(|(_, message)| message).collect()
}

fn histories(out: &Outbox) -> Vec<ExecutionId> {
    let history = |read: &Read| match read.what {
        ReadWhat::History(execution) => Some(execution),
        _ => None,
    };
    out.reads.iter().filter_map(history).collect()
}

/// What actors are told, in words.
fn told(out: &Outbox) -> Vec<String> {
    let words = |(actor, message): &(ActorNo, ToActor)| {
        let what = match message {
            ToActor::Begin(_) => "begin".to_owned(),
            ToActor::Resume(Resume { messages, applies_command, .. }) => {
                let messages: Vec<_> = messages.iter().map(name).collect();
                format!("{}[{}]", if *applies_command { "command" } else { "resume" }, messages.join(" "))
            }
            ToActor::Tell(tell) => name(&tell.message),
        };
        format!("{}: {what}", actor.0)
    };
    out.actors.iter().map(words).collect()
}

fn name(message: &Message) -> String {
    match &message.body {
        Body::Query => "query".to_owned(),
        Body::Reconcile => "reconcile".to_owned(),
        Body::Probe => "probe".to_owned(),
        Body::Input(execution::Input::Reported(report)) => report.by.to_string(),
        Body::Input(execution::Input::Command(_)) => "command".to_owned(),
        Body::Input(execution::Input::Recovered { crashed, .. }) => format!("recovered({crashed})"),
        Body::Input(execution::Input::CustomStatus { text, .. }) => format!("status({text})"),
        Body::Input(other) => format!("{other:?}"),
    }
}

fn answers(out: &Outbox) -> Vec<(u64, Answer)> {
    out.replies.iter().map(|reply| (reply.request.0, reply.answer.clone())).collect()
}
