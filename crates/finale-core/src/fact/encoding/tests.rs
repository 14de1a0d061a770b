use std::time::Duration;

use super::*;
use crate::compiled::DefinitionHash;
use crate::fact::Facts;
use crate::id::{Epoch, NodeIndex, ScopeId};

fn key() -> WorkKey {
    WorkKey::root(NodeIndex(300))
}

fn inside() -> WorkKey {
    WorkKey { scope: ScopeId(129), node: NodeIndex(7) }
}

const SECOND: AttemptNo = AttemptNo::FIRST.next();

fn outcome(result: Result<Payload, Failure>) -> Fact {
    Fact::Outcome {
        key: key(),
        attempt: SECOND,
        result,
        started: Time::from_micros(900),
        ended: Time::from_micros(990),
    }
}

fn activations() -> Vec<Fact> {
    let definition = DefinitionHash::from_bytes([9; 16]);
    let full = Activation {
        definition,
        semantics: 1,
        input: Payload::from_json(b"{}").unwrap(),
        by: "me".into(),
        deadline: Some(Time::from_micros(5_000)),
        idempotency_key: Some("k".into()),
        business_key: None,
    };
    let bare = Activation { input: Payload::NULL, deadline: None, idempotency_key: None, ..full.clone() };
    let named = Activation { business_key: Some("order 7".into()), ..full.clone() };
    let found = Activation { business_key: Some("".into()), ..bare.clone() };
    [full, bare, named, found].map(Fact::Activated).into()
}

fn decisions() -> Vec<Fact> {
    let decisions = [
        Decision::Branch(true),
        Decision::Branch(false),
        Decision::Verdict(Verdict::Pass, "me".into()),
        Decision::Verdict(Verdict::Fail, "me".into()),
        Decision::Verdict(Verdict::Refer, "me".into()),
        Decision::Input(Payload::from_json(b"[1]").unwrap()),
        Decision::Failed("no".into()),
    ];
    let key = WorkKey::root(NodeIndex(7));
    let mut facts = Vec::from(decisions.map(|decision| Fact::Decided { key, decision }));
    facts.push(Fact::Decided { key: inside(), decision: Decision::Branch(true) });
    facts
}

fn outcomes() -> Vec<Fact> {
    let mut facts = vec![outcome(Ok(Payload::NULL)), outcome(Ok(Payload::encode(&vec![7; 200]).unwrap()))];
    // Classes that came later stand behind what was there before.
    let first = FailureClass::ALL.into_iter().filter(|class| class_number(*class) < 8);
    facts.extend(first.map(|class| outcome(Err(Failure::new(class, "slow")))));
    facts.push(outcome(Err(Failure::new(FailureClass::Failed, "").permanent())));
    // Clocks of others may be ahead, and numbers as large as their types.
    facts.push(Fact::Outcome {
        key: WorkKey { scope: ScopeId(u32::MAX), node: NodeIndex(u32::MAX) },
        attempt: AttemptNo::new(u16::MAX).unwrap(),
        result: Ok(Payload::NULL),
        started: Time::from_micros(i64::MAX),
        ended: Time::from_micros(i64::MIN),
    });
    // The commonest of all: a first attempt in the definition's own graph.
    let (key, attempt, at) = (WorkKey::root(NodeIndex(3)), AttemptNo::FIRST, Time::from_micros(1));
    facts.push(Fact::Outcome { key, attempt, result: Ok(Payload::NULL), started: at, ended: at });
    facts
}

fn reports() -> Vec<Fact> {
    let report = |key, attempt, result| Fact::Reported { key, attempt, result, by: "ann".into() };
    vec![
        report(key(), AttemptNo::FIRST, Ok(Payload::NULL)),
        report(inside(), SECOND, Ok(Payload::encode(&7).unwrap())),
        report(key(), SECOND, Err(Failure::new(FailureClass::Rejected, "no"))),
    ]
}

fn endings() -> Vec<Fact> {
    let stops = [StopOutcome::Closed, StopOutcome::Stopped, StopOutcome::Aborted, StopOutcome::Lost];
    let mut facts = Vec::from(stops.map(|how| Fact::AttemptStopped { key: key(), attempt: AttemptNo::FIRST, how }));
    facts.extend(
        [Timer::Deadline, Timer::Timeout(key(), AttemptNo::FIRST), Timer::Backoff(inside(), SECOND)]
            .map(Fact::TimerFired),
    );
    let decrees = [
        EndRequest::Cancel("me".into()),
        EndRequest::Complete("me".into()),
        EndRequest::Fail { by: "me".into(), reason: "so".into() },
        EndRequest::Output("no".into()),
        EndRequest::Stalled,
    ];
    facts.extend(decrees.map(Fact::Ending));
    facts.push(Fact::Ended(Ended { status: Terminal::Completed, output: Some(Payload::NULL) }));
    facts.push(Fact::Ended(Ended { status: Terminal::Completed, output: Payload::from_json(b"1").ok() }));
    let statuses = [Terminal::Failed, Terminal::Cancelled];
    facts.extend(statuses.map(|status| Fact::Ended(Ended { status, output: None })));
    facts
}

fn recoveries() -> Vec<Fact> {
    let lives = [(1, true), (300, false), (u32::MAX, true)];
    lives.map(|(epoch, crashed)| Fact::Recovered { epoch: Epoch(epoch), crashed }).into()
}

fn delays() -> Vec<Fact> {
    let failure = |delay| Failure::new(FailureClass::Failed, "busy").retry_after(delay);
    [Duration::ZERO, Duration::from_secs(90), Duration::from_micros(u64::MAX)]
        .map(|delay| outcome(Err(failure(delay))))
        .into()
}

fn repeated() -> Vec<Fact> {
    let classes = [FailureClass::Limit, FailureClass::Exhausted];
    let failed = classes.map(|class| outcome(Err(Failure::new(class, "slow"))));
    let too_many = Fact::Decided { key: key(), decision: Decision::TooMany("3 are more than 2".into()) };
    let rounds = [Timer::Round(key(), 2), Timer::Round(inside(), u32::MAX)].map(Fact::TimerFired);
    failed.into_iter().chain([too_many]).chain(rounds).collect()
}

fn reports_with_codes() -> Vec<Fact> {
    let report = |failure| Fact::Reported { key: key(), attempt: SECOND, result: Err(failure), by: "ann".into() };
    let unknown = Failure::new(FailureClass::Unknown, "no answer");
    let coded = Failure::new(FailureClass::Failed, "declined").with_code("card_declined");
    vec![report(unknown), report(coded.clone()), report(coded.retry_after(Duration::from_secs(1)))]
}

fn operations() -> Vec<Fact> {
    let actions = [
        OperatorAction::Retry,
        OperatorAction::RunNow,
        OperatorAction::Complete(Payload::encode(&7).unwrap()),
        OperatorAction::Complete(Payload::NULL),
        OperatorAction::Fail,
        OperatorAction::Skip,
    ];
    let operation = |action| Operation { key: inside(), by: "ann".into(), reason: "so".into(), action };
    actions.map(|action| Fact::Operated(operation(action))).into()
}

fn waits() -> Vec<Fact> {
    let signal = |payload, id| Fact::Signalled(Signalled { name: "paid".into(), payload, by: "me".into(), id });
    vec![
        signal(Payload::NULL, None),
        signal(Payload::encode(&1).unwrap(), Some("7".into())),
        Fact::TimerFired(Timer::Wait(inside())),
        Fact::TimerFired(Timer::Wait(key())),
    ]
}

fn forced_ends() -> Vec<Fact> {
    vec![Fact::TimerFired(Timer::EndingWithin), Fact::Ending(EndRequest::ForceCancel("me".into()))]
}

fn custom_statuses() -> Vec<Fact> {
    let set = |key, attempt, set_at, text: &str| {
        let set_at = Time::from_micros(set_at);
        Fact::CustomStatusSet(CustomStatusSet { key, attempt, set_at, text: text.into() })
    };
    vec![
        set(key(), AttemptNo::FIRST, 900, "waiting for the bank"),
        set(inside(), SECOND, 0, ""),
        // A clock that was ahead, and one that was far behind.
        set(key(), SECOND, i64::MAX, "ä"),
        set(key(), SECOND, i64::MIN, "x"),
    ]
}

/// Every kind of fact with every variant of what is in it.
fn examples() -> Vec<Fact> {
    let continued = vec![Fact::Continued];
    let given = vec![Fact::Decided { key: inside(), decision: Decision::Output(Payload::encode(&7).unwrap()) }];
    let first =
        [activations(), decisions(), outcomes(), reports(), endings(), recoveries(), delays(), continued, given];
    let total = vec![Fact::TimerFired(Timer::Total(inside()))];
    let before = [first.concat(), repeated(), reports_with_codes(), operations(), waits(), total].concat();
    let mismatches = vec![
        Fact::Decided { key: inside(), decision: Decision::Mismatch("no x".into()) },
        Fact::Ending(EndRequest::OutputMismatch("no x".into())),
    ];
    [before, forced_ends(), custom_statuses(), mismatches].concat()
}

fn encoded() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut last = Time::default();
    for fact in examples() {
        let at = Time::from_micros(last.as_micros() + 1_000);
        encode(&mut bytes, last, at, &fact);
        last = at;
    }
    bytes
}

#[test]
fn every_fact_reads_back_as_it_was_written() {
    let read: Vec<_> = Facts::new(&encoded()).map(|read| read.unwrap().fact).collect();
    assert_eq!(read, examples());
}

/// One line for each example: a line that is not as it was makes every journal out there unreadable.
#[test]
fn the_bytes_of_facts_never_change() {
    let (bytes, mut start) = (encoded(), 0);
    let mut facts = Facts::new(&bytes);
    let mut golden = include_str!("golden.hex").lines();
    while facts.next().is_some() {
        let hex: String = bytes[start..facts.offset()].iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(golden.next(), Some(&*hex), "of the fact at byte {start}");
        start = facts.offset();
    }
    assert_eq!(golden.next(), None);
}

#[test]
fn what_happens_once_in_the_own_graph_pays_for_no_scope_and_no_attempt() {
    let length = |key, attempt| {
        let (at, mut bytes) = (Time::default(), Vec::new());
        encode(&mut bytes, at, at, &Fact::Outcome { key, attempt, result: Ok(Payload::NULL), started: at, ended: at });
        bytes.len()
    };
    // Length, kind, three times, the node, the output.
    assert_eq!(length(WorkKey::root(NodeIndex(3)), AttemptNo::FIRST), 7);
    assert_eq!(length(WorkKey { scope: ScopeId(1), node: NodeIndex(3) }, SECOND), 9);
}

#[test]
fn an_outcome_is_the_same_bytes_whether_or_not_a_fact_was_made_of_it() {
    let mut last = Time::default();
    for fact in examples() {
        let Fact::Outcome { key, attempt, ref result, started, ended } = fact else { continue };
        let at = Time::from_micros(last.as_micros() + 7);
        let (mut made, mut direct) = (Vec::new(), Vec::new());
        encode(&mut made, last, at, &fact);
        let result = result.as_ref().map(Payload::as_bytes);
        encode_outcome(&mut direct, last, at, (key, attempt), result, (started, ended));
        assert_eq!(made, direct, "{fact:?}");
        last = at;
    }
}

#[test]
fn a_history_cut_anywhere_is_a_prefix_or_an_error_and_no_panic() {
    let bytes = encoded();
    for end in 0..bytes.len() {
        let read: Vec<_> = Facts::new(&bytes[..end]).collect();
        let whole = read.iter().take_while(|read| read.is_ok()).count();
        assert!(read.len() - whole <= 1, "cut at {end}");
    }
}

#[test]
fn a_flipped_byte_gives_an_error_or_another_fact_and_no_panic() {
    let bytes = encoded();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << bit;
            assert!(Facts::new(&flipped).count() <= bytes.len());
        }
    }
}
