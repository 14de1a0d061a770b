use std::time::Duration;

use super::*;
use crate::compiled::DefinitionHash;
use crate::fact::{Facts, Seal};

fn key() -> WorkKey {
    WorkKey { node: 300, item: 0, round: 0 }
}

fn outcome(result: Result<Payload, Failure>) -> Fact {
    Fact::Outcome { key: key(), attempt: 2, result, started: Time::from_micros(900), ended: Time::from_micros(990) }
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
    vec![Fact::Activated(full), Fact::Activated(bare)]
}

/// What is in facts since later than the first release.
fn business_keys() -> Vec<Fact> {
    let with = |fact, key: &str| match fact {
        Fact::Activated(activation) => Fact::Activated(Activation { business_key: Some(key.into()), ..activation }),
        other => other,
    };
    activations().into_iter().zip(["order 7", ""]).map(|(fact, key)| with(fact, key)).collect()
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
    decisions.map(|decision| Fact::Decided { node: 7, decision }).into()
}

fn outcomes() -> Vec<Fact> {
    let mut facts = vec![outcome(Ok(Payload::NULL)), outcome(Ok(Payload::encode(&vec![7; 200]).unwrap()))];
    facts.extend(FailureClass::ALL.map(|class| outcome(Err(Failure::new(class, "slow")))));
    facts.push(outcome(Err(Failure::new(FailureClass::Failed, "").permanent())));
    // Clocks of others may be ahead, and numbers as large as their types.
    facts.push(Fact::Outcome {
        key: WorkKey { node: u32::MAX, item: u32::MAX, round: u16::MAX },
        attempt: u16::MAX,
        result: Ok(Payload::NULL),
        started: Time::from_micros(i64::MAX),
        ended: Time::from_micros(i64::MIN),
    });
    facts
}

fn endings() -> Vec<Fact> {
    let stops = [Stop::Closed, Stop::Stopped, Stop::Aborted, Stop::Lost];
    let mut facts = Vec::from(stops.map(|how| Fact::Stopped { key: key(), attempt: 1, how }));
    facts.extend([Timer::Deadline, Timer::Timeout(key(), 1), Timer::Backoff(key(), 3)].map(Fact::Fired));
    let decrees = [
        Decree::Cancel("me".into()),
        Decree::Complete("me".into()),
        Decree::Fail { by: "me".into(), reason: "so".into() },
        Decree::Output("no".into()),
        Decree::Stalled,
    ];
    facts.extend(decrees.map(Fact::Ending));
    facts.push(Fact::Ended(Seal { status: Terminal::Completed, output: Some(Payload::NULL) }));
    facts.push(Fact::Ended(Seal { status: Terminal::Completed, output: Payload::from_json(b"1").ok() }));
    let statuses = [Terminal::Failed, Terminal::Cancelled];
    facts.extend(statuses.map(|status| Fact::Ended(Seal { status, output: None })));
    facts
}

fn recoveries() -> Vec<Fact> {
    let lives = [(1, true), (300, false), (u32::MAX, true)];
    lives.map(|(epoch, crashed)| Fact::Recovered { epoch, crashed }).into()
}

/// What failures say since later than the first release.
fn delays() -> Vec<Fact> {
    let failure = |delay| Failure::new(FailureClass::Failed, "busy").retry_after(delay);
    [Duration::ZERO, Duration::from_secs(90), Duration::from_micros(u64::MAX)]
        .map(|delay| outcome(Err(failure(delay))))
        .into()
}

/// Every kind of fact with every variant of what is in it.
fn examples() -> Vec<Fact> {
    [activations(), decisions(), outcomes(), endings(), business_keys(), recoveries(), delays()].concat()
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

/// A change of these bytes makes every journal out there unreadable: add a new kind instead.
#[test]
fn the_bytes_of_facts_never_change() {
    let hex: String = encoded().iter().map(|byte| format!("{byte:02x}")).collect();
    let golden: String = include_str!("golden.hex").split_whitespace().collect();
    assert_eq!(hex, golden);
}

#[test]
fn an_activation_from_before_there_were_business_keys_reads_as_one_without() {
    let first = include_str!("golden.hex").lines().next().unwrap();
    let byte = |at: usize| u8::from_str_radix(&first[at..at + 2], 16).unwrap();
    let bytes: Vec<u8> = (0..first.len()).step_by(2).map(byte).collect();
    let read = Facts::new(&bytes).next().unwrap().unwrap().fact;
    assert_eq!(read, activations()[0]);
    let Fact::Activated(Activation { idempotency_key, business_key, .. }) = read else {
        panic!("{read:?}");
    };
    assert_eq!((idempotency_key.as_deref(), business_key), (Some("k"), None));
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
