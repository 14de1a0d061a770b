//! A serializer around another one: infinite numbers and deep nesting are errors before they are written.
//!
//! `serde_json` writes `null` for NaN and infinities, and goes down for each level until the stack ends.

use std::cell::Cell;
use std::fmt::Display;

use serde::ser::{
    Error, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use super::DEPTH_MAX;

/// What an error says about a number; it is told apart from the errors of the value's own code by these words.
pub(super) const NOT_FINITE: &str = "finale: a number is not finite";
/// What an error says about nesting.
pub(super) const TOO_DEEP: &str = "finale: nested too deep";

/// The name by which `serde_json` knows a `RawValue`: nothing is written around that.
const ENCODED_ELSEWHERE: &str = "$serde_json::private::RawValue";

thread_local! {
    /// Whether the value in hand holds JSON that was encoded elsewhere, and so was not looked into.
    static HOLDS_ENCODED: Cell<bool> = const { Cell::new(false) };
}

/// Encodes a value; says whether it holds JSON that was encoded elsewhere.
pub(super) fn encode<T: Serialize + ?Sized>(value: &T, buffer: &mut Vec<u8>) -> serde_json::Result<bool> {
    // A value may encode others while it is encoded itself.
    let outer = HOLDS_ENCODED.replace(false);
    let encoded = Strict { inner: value, depth: 0 }.serialize(&mut serde_json::Serializer::new(buffer));
    let holds_encoded = HOLDS_ENCODED.replace(outer);
    encoded.map(|()| holds_encoded)
}

/// A value or serializer at a depth: how many lists and maps are around it.
struct Strict<T> {
    inner: T,
    depth: usize,
}

impl<T> Strict<T> {
    const fn at<U>(&self, inner: U) -> Strict<U> {
        Strict { inner, depth: self.depth }
    }
}

impl<T: Serialize + ?Sized> Serialize for Strict<&T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.inner.serialize(self.at(serializer))
    }
}

fn finite<E: Error>(is_finite: bool) -> Result<(), E> {
    if is_finite { Ok(()) } else { Err(E::custom(NOT_FINITE)) }
}

/// One level down.
fn inside<S: Serializer, C>(
    serializer: Strict<S>,
    levels: usize,
    open: impl FnOnce(S) -> Result<C, S::Error>,
) -> Result<Strict<C>, S::Error> {
    let depth = serializer.depth + levels;
    if depth > DEPTH_MAX {
        return Err(S::Error::custom(TOO_DEEP));
    }
    Ok(Strict { inner: open(serializer.inner)?, depth })
}

macro_rules! pass_on {
    ($($method:ident($type:ty)),* $(,)?) => {
        $(fn $method(self, value: $type) -> Result<Self::Ok, Self::Error> {
            self.inner.$method(value)
        })*
    };
}

impl<S: Serializer> Serializer for Strict<S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Strict<S::SerializeSeq>;
    type SerializeTuple = Strict<S::SerializeTuple>;
    type SerializeTupleStruct = Strict<S::SerializeTupleStruct>;
    type SerializeTupleVariant = Strict<S::SerializeTupleVariant>;
    type SerializeMap = Strict<S::SerializeMap>;
    type SerializeStruct = Strict<S::SerializeStruct>;
    type SerializeStructVariant = Strict<S::SerializeStructVariant>;

    pass_on! {
        serialize_bool(bool), serialize_i8(i8), serialize_i16(i16), serialize_i32(i32), serialize_i64(i64),
        serialize_i128(i128), serialize_u8(u8), serialize_u16(u16), serialize_u32(u32), serialize_u64(u64),
        serialize_u128(u128), serialize_char(char), serialize_str(&str), serialize_bytes(&[u8]),
        serialize_unit_struct(&'static str),
    }

    fn serialize_f32(self, value: f32) -> Result<Self::Ok, Self::Error> {
        finite(value.is_finite())?;
        self.inner.serialize_f32(value)
    }

    fn serialize_f64(self, value: f64) -> Result<Self::Ok, Self::Error> {
        finite(value.is_finite())?;
        self.inner.serialize_f64(value)
    }

    fn serialize_none(self) -> Result<Self::Ok, Self::Error> {
        self.inner.serialize_none()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Self::Ok, Self::Error> {
        let value = self.at(value);
        self.inner.serialize_some(&value)
    }

    fn serialize_unit(self) -> Result<Self::Ok, Self::Error> {
        self.inner.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
    ) -> Result<Self::Ok, Self::Error> {
        self.inner.serialize_unit_variant(name, index, variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<Self::Ok, Self::Error> {
        let value = self.at(value);
        self.inner.serialize_newtype_struct(name, &value)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Self::Ok, Self::Error> {
        // A map with the name of the variant is written around the value.
        inside(self, 1, |inner| Ok((inner, value))).and_then(|Strict { inner: (inner, value), depth }| {
            inner.serialize_newtype_variant(name, index, variant, &Strict { inner: value, depth })
        })
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<Self::SerializeSeq, Self::Error> {
        inside(self, 1, |inner| inner.serialize_seq(length))
    }

    fn serialize_tuple(self, length: usize) -> Result<Self::SerializeTuple, Self::Error> {
        inside(self, 1, |inner| inner.serialize_tuple(length))
    }

    fn serialize_tuple_struct(
        self,
        name: &'static str,
        length: usize,
    ) -> Result<Self::SerializeTupleStruct, Self::Error> {
        inside(self, 1, |inner| inner.serialize_tuple_struct(name, length))
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Self::SerializeTupleVariant, Self::Error> {
        inside(self, 2, |inner| inner.serialize_tuple_variant(name, index, variant, length))
    }

    fn serialize_map(self, length: Option<usize>) -> Result<Self::SerializeMap, Self::Error> {
        inside(self, 1, |inner| inner.serialize_map(length))
    }

    fn serialize_struct(self, name: &'static str, length: usize) -> Result<Self::SerializeStruct, Self::Error> {
        let is_encoded = name == ENCODED_ELSEWHERE;
        if is_encoded {
            HOLDS_ENCODED.set(true);
        }
        inside(self, usize::from(!is_encoded), |inner| inner.serialize_struct(name, length))
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Self::SerializeStructVariant, Self::Error> {
        inside(self, 2, |inner| inner.serialize_struct_variant(name, index, variant, length))
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<Self::Ok, Self::Error> {
        self.inner.collect_str(value)
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

macro_rules! elements {
    ($($trait:ident::$method:ident),* $(,)?) => {
        $(impl<C: $trait> $trait for Strict<C> {
            type Ok = C::Ok;
            type Error = C::Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
                let value = self.at(value);
                self.inner.$method(&value)
            }

            fn end(self) -> Result<C::Ok, C::Error> {
                self.inner.end()
            }
        })*
    };
}

elements! {
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field,
}

macro_rules! fields {
    ($($trait:ident),* $(,)?) => {
        $(impl<C: $trait> $trait for Strict<C> {
            type Ok = C::Ok;
            type Error = C::Error;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), C::Error> {
                let value = self.at(value);
                self.inner.serialize_field(key, &value)
            }

            fn skip_field(&mut self, key: &'static str) -> Result<(), C::Error> {
                self.inner.skip_field(key)
            }

            fn end(self) -> Result<C::Ok, C::Error> {
                self.inner.end()
            }
        })*
    };
}

fields!(SerializeStruct, SerializeStructVariant);

impl<C: SerializeMap> SerializeMap for Strict<C> {
    type Ok = C::Ok;
    type Error = C::Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), C::Error> {
        self.inner.serialize_key(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
        let value = self.at(value);
        self.inner.serialize_value(&value)
    }

    fn end(self) -> Result<C::Ok, C::Error> {
        self.inner.end()
    }
}
