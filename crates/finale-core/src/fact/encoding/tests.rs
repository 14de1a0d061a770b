use super::*;

fn key() -> WorkKey {
    WorkKey { node: 300, item: 0, round: 0 }
}

fn examples() -> Vec<Fact> {
    let outcome = |result| Fact::Outcome {
        key: key(),
        attempt: 2,
        result,
        started: Time::from_micros(900),
        ended: Time::from_micros(990),
    };
    let failure = Failure::new(FailureClass::TimedOut, "slow").permanent();
    let decided = |decision| Fact::Decided { node: 7, decision };
    vec![
        Fact::Activated(Activation {
            definition: DefinitionHash::from_bytes([9; 16]),
            semantics: 1,
            input: Payload::from_json(b"{}").unwrap(),
            by: "me".into(),
            deadline: Some(Time::from_micros(5_000)),
            idempotency_key: Some("k".into()),
        }),
        decided(Decision::Branch(true)),
        decided(Decision::Verdict(Verdict::Refer, "me".into())),
        decided(Decision::Input(Payload::from_json(b"[1]").unwrap())),
        decided(Decision::Failed("no".into())),
        outcome(Ok(Payload::NULL)),
        outcome(Ok(Payload::encode(&vec![7; 200]).unwrap())),
        outcome(Err(failure)),
        Fact::Stopped { key: key(), attempt: 1, how: Stop::Aborted },
        Fact::Fired(Timer::Deadline),
        Fact::Fired(Timer::Timeout(key(), 1)),
        Fact::Fired(Timer::Backoff(key(), 3)),
        Fact::Ending(Decree::Cancel("me".into())),
        Fact::Ending(Decree::Complete("me".into())),
        Fact::Ending(Decree::Fail { by: "me".into(), reason: "so".into() }),
        Fact::Ending(Decree::Output("no".into())),
        Fact::Ending(Decree::Stalled),
        Fact::Ended(Seal { status: Terminal::Completed, output: Some(Payload::NULL) }),
        Fact::Ended(Seal { status: Terminal::Cancelled, output: None }),
    ]
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
    assert_eq!(hex, include_str!("golden.hex").trim());
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
