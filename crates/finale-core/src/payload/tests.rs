use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;

#[test]
fn unit_is_null_without_encoding() {
    assert!(Payload::encode(&()).unwrap().is_null());
}

#[test]
fn documents_of_every_length_are_kept_as_they_are() {
    assert_eq!(size_of::<Payload>(), 24);
    for length in [0, 1, SHORT_MAX - 3, SHORT_MAX - 2, SHORT_MAX - 1, 1_000] {
        let text = "x".repeat(length);
        let payload = Payload::encode(&text).unwrap();
        assert_eq!(payload.as_bytes(), format!("\"{text}\"").as_bytes());
        assert_eq!(payload.size(), length + 2);
        assert_eq!(payload, Payload::from_json(payload.as_bytes()).unwrap());
        assert_ne!(payload, Payload::encode(&format!("{text}y")).unwrap());
    }
}

#[test]
fn bytes_that_are_no_json_are_refused() {
    assert!(matches!(Payload::from_json(b"{"), Err(PayloadError::Json(_))));
    assert!(matches!(Payload::from_json(b"\xff"), Err(PayloadError::Json(_))));
    let why = |bytes: &[u8]| Payload::from_json(bytes).unwrap_err().to_string();
    assert_eq!(
        (why(b""), why(b" \n")),
        ("not JSON: there is nothing".to_owned(), "not JSON: there is nothing".to_owned())
    );
    assert_eq!(why(b"{\"a\": [1,\n"), "not JSON: it ends in the middle, at line 2 column 0");
}

#[test]
fn a_payload_serializes_as_the_document_itself() {
    let payload = Payload::from_json(br#" {"a": [1]} "#).unwrap();
    assert_eq!(serde_json::to_string(&payload).unwrap(), r#"{"a": [1]}"#);
    assert_eq!(Payload::encode(&payload).unwrap(), payload);
}

#[test]
fn the_limit_names_both_sizes() {
    let payload = Payload::encode("long").unwrap();
    let error = payload.limited(3).unwrap_err();
    assert_eq!(error, PayloadError::TooLarge { bytes: 6, bytes_max: 3 });
}

/// Lists inside each other, made without recursion.
fn nested(depth: usize) -> Value {
    (1..depth).fold(json!([]), |inner, _| Value::Array(vec![inner]))
}

#[test]
fn nesting_is_checked_before_it_is_walked() {
    for depth in [1, DEPTH_MAX] {
        let payload = Payload::encode(&nested(depth)).unwrap();
        assert_eq!(payload.decode::<Value>().unwrap(), nested(depth));
        assert_eq!(Payload::from_json(payload.as_bytes()), Ok(payload));
    }
    let too_deep = Err(PayloadError::TooDeep { depth_max: DEPTH_MAX });
    assert_eq!(Payload::encode(&nested(DEPTH_MAX + 1)), too_deep);
    let text = "[".repeat(DEPTH_MAX + 1) + &"]".repeat(DEPTH_MAX + 1);
    assert_eq!(Payload::from_json(text.as_bytes()), too_deep);
    let raw: Box<RawValue> = serde_json::from_str(&text).unwrap();
    assert_eq!(Payload::encode(&raw), too_deep, "JSON that was encoded elsewhere counts too");
    let deepest: Box<RawValue> = serde_json::from_str(&text[1..text.len() - 1]).unwrap();
    assert_eq!(Payload::encode(&deepest).map(|payload| payload.size()), Ok(2 * DEPTH_MAX));
    assert_eq!(Payload::encode(&[deepest]), too_deep);
}

#[test]
fn a_hundred_thousand_levels_harm_nobody() {
    let deep = nested(100_000);
    assert_eq!(Payload::encode(&deep), Err(PayloadError::TooDeep { depth_max: DEPTH_MAX }));
    // To drop it would recurse.
    let _leaked = std::mem::ManuallyDrop::new(deep);
    for open in ["[", "{\"a\":"] {
        let close = if open == "[" { "]" } else { "}" };
        let text = format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
        assert_eq!(Payload::from_json(text.as_bytes()), Err(PayloadError::TooDeep { depth_max: DEPTH_MAX }));
        assert!(serde_json::from_str::<Payload>(&text).is_err());
    }
}

/// Everything that nests in serde's data model counts as the levels that are written for it.
#[test]
fn every_kind_of_nesting_counts_as_it_is_written() {
    #[derive(Serialize)]
    enum Layer {
        Leaf,
        Newtype(Box<Layer>),
        Tuple(Box<Layer>, u8),
        Struct { inner: Box<Layer> },
        Fields(Fields),
        Map(BTreeMap<String, Layer>),
        Optional(Option<Box<Layer>>),
    }
    #[derive(Serialize)]
    struct Fields {
        inner: Box<Layer>,
    }
    let layers: [fn(Layer) -> Layer; 6] = [
        |inner| Layer::Newtype(Box::new(inner)),
        |inner| Layer::Tuple(Box::new(inner), 0),
        |inner| Layer::Struct { inner: Box::new(inner) },
        |inner| Layer::Fields(Fields { inner: Box::new(inner) }),
        |inner| Layer::Map(BTreeMap::from([("a".to_owned(), inner)])),
        |inner| Layer::Optional(Some(Box::new(inner))),
    ];
    for layer in layers {
        let written = |count| serde_json::to_string(&(0..count).fold(Layer::Leaf, |inner, _| layer(inner))).unwrap();
        for count in 1..=DEPTH_MAX + 1 {
            let depth = written(count).matches(['[', '{']).count();
            let value = (0..count).fold(Layer::Leaf, |inner, _| layer(inner));
            assert_eq!(Payload::encode(&value).is_ok(), depth <= DEPTH_MAX, "{depth} levels");
        }
    }
}

#[test]
fn numbers_that_json_cannot_say_are_refused_wherever_they_are() {
    #[derive(Serialize)]
    struct Report {
        means: Vec<Option<(f64, f32)>>,
    }
    let report = |mean: f64, part: f32| Payload::encode(&Report { means: vec![None, Some((mean, part))] });
    assert_eq!(report(0.5, 1.0).unwrap().as_bytes(), br#"{"means":[null,[0.5,1.0]]}"#);
    for (mean, part) in [(f64::NAN, 0.0), (f64::INFINITY, 0.0), (f64::NEG_INFINITY, 0.0), (0.0, f32::NAN)] {
        assert_eq!(report(mean, part), Err(PayloadError::NotFinite));
    }
    assert_eq!(Payload::encode(&f64::NAN), Err(PayloadError::NotFinite));
    assert_eq!(Payload::from_json(b"[-1e999]"), Err(PayloadError::NotFinite));
    assert_eq!(Payload::from_json("9".repeat(400).as_bytes()), Err(PayloadError::NotFinite));
    let raw: Box<RawValue> = serde_json::from_str("[1e999]").unwrap();
    assert_eq!(Payload::encode(&(f64::MAX, raw)), Err(PayloadError::NotFinite), "encoded elsewhere");
    for fine in [r#""1e999""#, r#"["\"", "1e999"]"#, "1e-999", "1.5e300", r#"{"1e999": 1}"#] {
        assert!(Payload::from_json(fine.as_bytes()).is_ok(), "{fine}");
    }
}

#[test]
fn a_document_that_was_accepted_can_be_read_again_inside_of_others() {
    let deepest = Payload::encode(&nested(DEPTH_MAX)).unwrap();
    let wrapped = format!("{}{}{}", "[".repeat(24), std::str::from_utf8(deepest.as_bytes()).unwrap(), "]".repeat(24));
    assert!(serde_json::from_str::<Payload>(&wrapped).is_ok());
    assert!(serde_json::from_str::<Value>(&format!("[[[[[[[{wrapped}]]]]]]]")).is_ok());
}

proptest::proptest! {
    /// Encoding with the checks gives the bytes that encoding without them gives.
    #[test]
    fn what_is_accepted_is_encoded_as_ever(numbers in proptest::collection::vec(-1e300_f64..1e300, 0..5), text in "\\PC*") {
        let value = json!({"numbers": numbers, "text": text, "none": null, "all": [[{"a": true}], -7, u64::MAX]});
        let payload = Payload::encode(&value).unwrap();
        proptest::prop_assert_eq!(payload.as_bytes(), serde_json::to_vec(&value).unwrap());
        proptest::prop_assert_eq!(Payload::from_json(payload.as_bytes()).unwrap(), payload);
    }
}

#[test]
fn what_is_encoded_behind_other_bytes_is_what_is_encoded_alone() {
    let mut buffer = b"before".to_vec();
    for value in [json!(null), json!(7), json!({"a": ["b", 1.5]})] {
        let before = buffer.len();
        Payload::encode_into(&value, &mut buffer).unwrap();
        assert_eq!(&buffer[before..], Payload::encode(&value).unwrap().as_bytes());
    }
    Payload::encode_into(&(), &mut buffer).unwrap();
    assert!(buffer.ends_with(b"null"));
    let whole = buffer.clone();
    let refused = Payload::encode_into(&("some text", f64::NAN), &mut buffer);
    assert_eq!((refused, buffer), (Err(PayloadError::NotFinite), whole));
}

#[test]
fn a_null_is_read_without_a_parser_as_with_one() {
    #[derive(Debug, PartialEq, serde::Deserialize)]
    struct Wrapped(Option<u8>);
    #[derive(Debug, PartialEq, serde::Deserialize)]
    struct Nothing;
    fn read<T: DeserializeOwned + fmt::Debug>() -> (Result<T, String>, Result<T, String>) {
        let parsed = serde_json::from_str("null").map_err(|error| error.to_string().replace(" at line 1 column 4", ""));
        let decoded = Payload::NULL.decode().map_err(|error| match error {
            PayloadError::Json(words) => words,
            other => other.to_string(),
        });
        (decoded, parsed)
    }
    macro_rules! same {
        ($($type:ty),*) => {$(
            let (decoded, parsed) = read::<$type>();
            assert_eq!(decoded, parsed);
        )*};
    }
    same!((), Option<u32>, Option<Option<u32>>, Wrapped, Nothing, Value, Payload);
    same!(u32, f64, bool, String, Vec<u8>, (u8, u8));
}

#[test]
fn half_of_a_character_is_refused_where_it_comes_in() {
    for text in [r#""\ud800""#, r#"{"a": "\ud800\u0041"}"#, r#"["\udc00"]"#, r#"{"\uD83D": 1}"#, r#""\\\udfff""#] {
        let refused = Payload::from_json(text.as_bytes()).unwrap_err();
        assert!(refused.to_string().contains("half of a surrogate pair"), "{text}: {refused}");
        let raw: Box<RawValue> = serde_json::from_str(text).unwrap();
        assert!(Payload::encode(&raw).is_err(), "{text}");
    }
    for text in [r#""\ud83d\ude00""#, r#""\\ud800""#, r#""\u0041\n\"""#, r#""\ud83d\uDE00\ud83d\ude00""#] {
        let payload = Payload::from_json(text.as_bytes()).unwrap();
        assert!(payload.decode::<Value>().is_ok(), "{text}");
    }
}

#[test]
fn a_value_of_another_type_is_told_as_that_and_not_as_no_json() {
    let why = Payload::encode("5s").unwrap().decode::<u32>().unwrap_err().to_string();
    assert_eq!(why, "invalid type: string \"5s\", expected u32");
}
