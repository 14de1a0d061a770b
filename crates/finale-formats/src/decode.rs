//! A document as the value of a Rust type that says itself what it accepts: the serialized form of a definition.

use std::fmt;

use finale_core::nearest::nearest;
use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error, Expected, IntoDeserializer, MapAccess,
    SeqAccess, Unexpected, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use crate::error::{Fault, LoadProblem, Step};
use crate::tree::{Entry, Located, Notation, Tree};

/// Decodes a document; what is wrong is told with its place.
pub(crate) fn decode<T: DeserializeOwned>(root: &Located) -> Result<T, Fault> {
    T::deserialize(root).map_err(|Mistake(fault)| fault)
}

/// What a type does not accept.
#[derive(Debug)]
pub(crate) struct Mistake(Fault);

impl Mistake {
    fn shape(message: String) -> Self {
        Self(Fault::new(LoadProblem::Shape { message }))
    }

    fn map(self, locate: impl FnOnce(Fault) -> Fault) -> Self {
        Self(locate(self.0))
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl std::error::Error for Mistake {}

impl Error for Mistake {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::shape(message.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let found = match found {
            Unexpected::Bool(_) => "a boolean",
            Unexpected::Unsigned(_) | Unexpected::Signed(_) | Unexpected::Float(_) => "a number",
            Unexpected::Char(_) | Unexpected::Str(_) => "text",
            Unexpected::Unit | Unexpected::Option => "nothing",
            Unexpected::Seq => "a list",
            Unexpected::Map => "a map",
            _ => "something else",
        };
        Self::shape(format!("expected {expected}, found {found}"))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let found = match found {
            Unexpected::Unsigned(number) => format!("`{number}`"),
            Unexpected::Signed(number) => format!("`{number}`"),
            Unexpected::Float(number) => format!("`{number}`"),
            Unexpected::Str(text) => format!("`{}`", text.chars().take(40).collect::<String>()),
            _ => "something else".to_owned(),
        };
        Self::shape(format!("expected {expected}, found {found}"))
    }

    fn unknown_variant(word: &str, accepted: &'static [&'static str]) -> Self {
        let nearest = nearest(word, accepted.iter().copied());
        Self(Fault::new(LoadProblem::UnknownWord { what: "word", value: word.to_owned(), nearest, accepted }))
    }

    fn unknown_field(key: &str, accepted: &'static [&'static str]) -> Self {
        let nearest = nearest(key, accepted.iter().copied());
        Self(Fault::new(LoadProblem::UnknownKey { key: key.to_owned(), nearest, accepted }))
    }

    fn missing_field(key: &'static str) -> Self {
        Self(Fault::new(LoadProblem::MissingKey { key, instead: None }))
    }

    fn duplicate_field(key: &'static str) -> Self {
        Self::shape(format!("the key `{key}` is there twice"))
    }
}

impl<'de> Deserializer<'de> for &'de Located {
    type Error = Mistake;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        if let Notation::Doubtful(_) = self.notation
            && let Some(problem) = self.doubt()
        {
            return Err(Mistake(Fault::new(problem).at(self.place)));
        }
        let decoded = match &self.tree {
            Tree::Null => visitor.visit_unit(),
            Tree::Bool(value) => visitor.visit_bool(*value),
            Tree::Text(text) => visitor.visit_borrowed_str(text),
            Tree::Number(number) => match (number.as_u64(), number.as_i64()) {
                (Some(number), _) => visitor.visit_u64(number),
                (None, Some(number)) => visitor.visit_i64(number),
                (None, None) => visitor.visit_f64(number.as_f64().unwrap_or_default()),
            },
            Tree::List(elements) => visitor.visit_seq(Elements { elements: elements.iter().enumerate() }),
            Tree::Map(entries) => visitor.visit_map(Entries { entries: entries.iter(), value: None }),
        };
        decoded.map_err(|mistake| mistake.map(|fault| fault.at(self.place)))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        match self.tree {
            Tree::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        let decoded = match &self.tree {
            Tree::Text(text) => visitor.visit_enum(IntoDeserializer::<Mistake>::into_deserializer(text.as_str())),
            Tree::Map(entries) if entries.len() == 1 => visitor.visit_enum(Variant { entry: &entries[0] }),
            Tree::Map(_) => Err(Mistake::shape("expected a word, or a map with one key".to_owned())),
            _ => Err(Mistake::shape(format!("expected a word, found {}", self.tree.type_name()))),
        };
        decoded.map_err(|mistake| mistake.map(|fault| fault.at(self.place)))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

/// What is left of a list.
struct Elements<'de> {
    elements: std::iter::Enumerate<std::slice::Iter<'de, Located>>,
}

impl<'de> SeqAccess<'de> for Elements<'de> {
    type Error = Mistake;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Mistake> {
        let Some((index, element)) = self.elements.next() else {
            return Ok(None);
        };
        let decoded = seed.deserialize(element);
        decoded.map(Some).map_err(|mistake| mistake.map(|fault| fault.within(Step::Index(index))))
    }
}

/// What is left of a map.
struct Entries<'de> {
    entries: std::slice::Iter<'de, Entry>,
    value: Option<&'de Entry>,
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = Mistake;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Mistake> {
        self.value = self.entries.next();
        let Some(entry) = self.value else {
            return Ok(None);
        };
        let decoded = seed.deserialize(StrDeserializer::<Mistake>::new(&entry.key));
        decoded.map(Some).map_err(|mistake| mistake.map(|fault| fault.at(entry.key_place).within_key(&entry.key)))
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Mistake> {
        let entry = self.value.take().expect("a value is asked for behind its key");
        seed.deserialize(&entry.value).map_err(|mistake| mistake.map(|fault| fault.within_key(&entry.key)))
    }
}

/// A word that has a value.
struct Variant<'de> {
    entry: &'de Entry,
}

impl<'de> EnumAccess<'de> for Variant<'de> {
    type Error = Mistake;
    type Variant = Self;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Self), Mistake> {
        let word = seed.deserialize(StrDeserializer::<Mistake>::new(&self.entry.key));
        let word = word.map_err(|mistake| mistake.map(|fault| fault.at(self.entry.key_place)))?;
        Ok((word, self))
    }
}

impl<'de> Variant<'de> {
    fn within<T>(self, read: impl FnOnce(&'de Located) -> Result<T, Mistake>) -> Result<T, Mistake> {
        let Entry { key, value, .. } = self.entry;
        read(value).map_err(|mistake| mistake.map(|fault| fault.at(value.place).within_key(key)))
    }
}

impl<'de> VariantAccess<'de> for Variant<'de> {
    type Error = Mistake;

    fn unit_variant(self) -> Result<(), Mistake> {
        self.within(|value| match value.tree {
            Tree::Null => Ok(()),
            _ => Err(Mistake::shape(format!("expected nothing, found {}", value.tree.type_name()))),
        })
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Mistake> {
        self.within(|value| seed.deserialize(value))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Mistake> {
        self.within(|value| value.deserialize_any(visitor))
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, Mistake> {
        self.within(|value| value.deserialize_any(visitor))
    }
}
