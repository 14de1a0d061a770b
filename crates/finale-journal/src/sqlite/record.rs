//! The bytes of a batch that waits to be merged into the tables.
//!
//! One batch is what one transaction has written: records one after the other, each with a kind, the execution that it is
//! about, and what has changed. Numbers are LEB128, texts and facts have their length before them.

use finale_core::{ExecutionId, Time};
use uuid::Uuid;

use super::batch::{Batch, Begin, Facts, Stand};

const BEGIN: u8 = 1;
const FACTS: u8 = 2;
const STAND: u8 = 3;
const TOLD: u8 = 4;

/// What the flags of a [`STAND`] say.
const UNTIL_RELEASED: u8 = 1;
const HAS_COMPLETED: u8 = 2;
const TO_TELL: u8 = 4;

/// A part of the bytes of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) start: usize,
    pub(super) length: usize,
}

/// What one record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) id: ExecutionId,
    pub(super) number: i64,
    pub(super) what: What,
}

/// What has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Begin(BeginRecord),
    Facts(FactsRecord),
    Stand(StandRecord),
    /// Everybody was told of its end.
    Told,
}

/// An execution begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BeginRecord {
    pub(super) definition: i64,
    pub(super) at: Time,
    pub(super) by: Part,
    pub(super) idempotency_key: Option<Part>,
    pub(super) business_key: Option<Part>,
}

/// An execution has more facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FactsRecord {
    pub(super) first_sequence: u64,
    pub(super) count: u32,
    pub(super) facts: Part,
}

/// An execution stands elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StandRecord {
    pub(super) status: u8,
    pub(super) completed_at: Option<Time>,
    pub(super) error: Option<Part>,
    pub(super) quarantine: Option<Part>,
    pub(super) until_released: bool,
    /// Whether somebody has still to be told of the end.
    pub(super) to_tell: bool,
}

/// Writes the records of one batch.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    bytes: Vec<u8>,
}

impl Recorder {
    /// What was recorded, if anything was; the next record begins another batch.
    pub(super) fn take(&mut self) -> Option<Vec<u8>> {
        if self.bytes.is_empty() {
            return None;
        }
        // About as much as the next batch needs: nothing is copied while it grows.
        let room = self.bytes.len();
        Some(std::mem::replace(&mut self.bytes, Vec::with_capacity(room.min(1 << 20))))
    }

    pub(super) fn begin(&mut self, batch: &Batch, begin: &Begin) {
        self.head(BEGIN, begin.id, begin.number);
        self.number(begin.definition.cast_unsigned());
        self.time(begin.at);
        self.text(batch.bytes(begin.by));
        self.maybe_text(begin.idempotency_key.map(|key| batch.bytes(key)));
        self.maybe_text(begin.business_key.map(|key| batch.bytes(key)));
    }

    pub(super) fn facts(&mut self, batch: &Batch, facts: &Facts) {
        self.head(FACTS, facts.id, facts.number);
        self.number(facts.first_sequence);
        self.number(facts.count.into());
        self.text(batch.bytes(facts.facts));
    }

    pub(super) fn stand(&mut self, batch: &Batch, stand: &Stand) {
        self.head(STAND, stand.id, stand.number);
        self.bytes.push(stand.status);
        let flag = |is_set, flag| if is_set { flag } else { 0 };
        let until_released = flag(stand.until_released, UNTIL_RELEASED);
        let has_completed = flag(stand.completed_at.is_some(), HAS_COMPLETED);
        self.bytes.push(until_released | has_completed | flag(stand.to_tell, TO_TELL));
        self.time(stand.completed_at.unwrap_or_default());
        self.maybe_text(stand.error.map(|error| batch.bytes(error)));
        self.maybe_text(stand.quarantine.map(|reason| batch.bytes(reason)));
    }

    /// Whoever says that everybody was told knows the execution by its id alone.
    pub(super) fn told(&mut self, executions: &[ExecutionId]) {
        executions.iter().for_each(|execution| self.head(TOLD, *execution, 0));
    }

    fn head(&mut self, kind: u8, id: ExecutionId, number: i64) {
        self.bytes.push(kind);
        self.bytes.extend_from_slice(id.as_uuid().as_bytes());
        self.number(number.cast_unsigned());
    }

    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.bytes.push(number as u8);
    }

    fn time(&mut self, time: Time) {
        self.bytes.extend_from_slice(&time.as_micros().to_le_bytes());
    }

    fn text(&mut self, text: &[u8]) {
        self.number(text.len() as u64);
        self.bytes.extend_from_slice(text);
    }

    /// The length of one that is there is one more than it is.
    fn maybe_text(&mut self, text: Option<&[u8]>) {
        self.number(text.map_or(0, |text| text.len() as u64 + 1));
        self.bytes.extend_from_slice(text.unwrap_or_default());
    }
}

/// A text that was recorded, whether there was one or not.
struct MaybeText(Option<Part>);

/// The records of a batch. None comes after bytes that are no record.
#[derive(Clone, Debug)]
pub(super) struct Records<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Records<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Whether all bytes were read.
    pub(super) const fn is_at_end(&self) -> bool {
        self.at == self.bytes.len()
    }

    fn record(&mut self) -> Option<Record> {
        let kind = self.byte()?;
        let id = ExecutionId::from_uuid(Uuid::from_bytes(self.array()?));
        let number = self.number()?.cast_signed();
        let what = match kind {
            BEGIN => What::Begin(BeginRecord {
                definition: self.number()?.cast_signed(),
                at: self.time()?,
                by: self.text()?,
                idempotency_key: self.maybe_text()?.0,
                business_key: self.maybe_text()?.0,
            }),
            FACTS => What::Facts(FactsRecord {
                first_sequence: self.number()?,
                count: u32::try_from(self.number()?).ok()?,
                facts: self.text()?,
            }),
            STAND => What::Stand(self.stand()?),
            TOLD => What::Told,
            _ => return None,
        };
        Some(Record { id, number, what })
    }

    fn stand(&mut self) -> Option<StandRecord> {
        let (status, flags, at) = (self.byte()?, self.byte()?, self.time()?);
        Some(StandRecord {
            status,
            completed_at: (flags & HAS_COMPLETED != 0).then_some(at),
            error: self.maybe_text()?.0,
            quarantine: self.maybe_text()?.0,
            until_released: flags & UNTIL_RELEASED != 0,
            to_tell: flags & TO_TELL != 0,
        })
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let array = *self.bytes.get(self.at..)?.first_chunk()?;
        self.at += N;
        Some(array)
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn time(&mut self) -> Option<Time> {
        self.array().map(i64::from_le_bytes).map(Time::from_micros)
    }

    fn text(&mut self) -> Option<Part> {
        let length = usize::try_from(self.number()?).ok()?;
        self.part(length)
    }

    fn maybe_text(&mut self) -> Option<MaybeText> {
        match usize::try_from(self.number()?).ok()? {
            0 => Some(MaybeText(None)),
            length => self.part(length - 1).map(|part| MaybeText(Some(part))),
        }
    }

    fn part(&mut self, length: usize) -> Option<Part> {
        let part = Part { start: self.at, length };
        self.at = self.at.checked_add(length).filter(|end| *end <= self.bytes.len())?;
        Some(part)
    }
}

impl Iterator for Records<'_> {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        let (before, record) = (self.at, self.record());
        if record.is_none() {
            self.at = before;
        }
        record
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written() -> Vec<u8> {
        let (mut batch, mut recorder) = (Batch::default(), Recorder::default());
        let id = |number| ExecutionId::from_uuid(Uuid::from_u128(number));
        let (by, key) = (batch.keep("somebody".as_bytes()), batch.keep("".as_bytes()));
        let at = Time::from_micros(-5);
        let begin =
            Begin { id: id(7), number: 300, definition: 2, by, at, idempotency_key: Some(key), business_key: None };
        recorder.begin(&batch, &begin);
        let facts = batch.keep(&[9; 200]);
        recorder.facts(&batch, &Facts { id: id(7), number: 300, first_sequence: u64::MAX, count: 128, facts });
        let error = Some(batch.keep("why".as_bytes()));
        let (completed_at, quarantine) = (Some(Time::from_micros(i64::MAX)), None);
        let (until_released, to_tell, reseal) = (true, true, false);
        let (id, number, status) = (id(7), 300, 3);
        let stand = Stand { id, number, status, completed_at, error, quarantine, until_released, to_tell, reseal };
        recorder.stand(&batch, &stand);
        recorder.told(&[id]);
        recorder.take().unwrap()
    }

    fn text(bytes: &[u8], part: Part) -> &[u8] {
        &bytes[part.start..part.start + part.length]
    }

    #[test]
    fn what_was_recorded_is_read_back() {
        let bytes = written();
        let mut records = Records::new(&bytes);
        let What::Begin(begin) = records.next().unwrap().what else { panic!() };
        assert_eq!((begin.definition, begin.at), (2, Time::from_micros(-5)));
        assert_eq!(text(&bytes, begin.by), b"somebody");
        assert_eq!((begin.idempotency_key.map(|key| key.length), begin.business_key), (Some(0), None));
        let Record { number: 300, what: What::Facts(facts), .. } = records.next().unwrap() else { panic!() };
        assert_eq!((facts.first_sequence, facts.count), (u64::MAX, 128));
        assert_eq!(text(&bytes, facts.facts), [9; 200]);
        let What::Stand(stand) = records.next().unwrap().what else { panic!() };
        assert_eq!((stand.status, stand.completed_at), (3, Some(Time::from_micros(i64::MAX))));
        assert!(stand.until_released && stand.to_tell && stand.quarantine.is_none());
        assert_eq!(stand.error.map(|error| text(&bytes, error)), Some(&b"why"[..]));
        assert_eq!(records.next().unwrap().what, What::Told);
        assert!(records.next().is_none() && records.is_at_end());
    }

    #[test]
    fn bytes_that_are_cut_off_or_are_no_record_are_not_at_an_end() {
        let bytes = written();
        let ends: Vec<_> = {
            let mut records = Records::new(&bytes);
            std::iter::from_fn(|| records.next().map(|_| records.at)).collect()
        };
        for length in 1..bytes.len() {
            let mut records = Records::new(&bytes[..length]);
            while records.next().is_some() {}
            assert_eq!(records.is_at_end(), ends.contains(&length), "{length}");
        }
        for first in (0..=255).filter(|first| !(BEGIN..=TOLD).contains(first)) {
            let mut rubbish = bytes.clone();
            rubbish[0] = first;
            assert!(Records::new(&rubbish).next().is_none());
        }
    }
}
