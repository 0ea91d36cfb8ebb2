//! Values from anything that serde can serialize.
//!
//! Stops unbounded recursion on the way into a template.
//!
//! 1. Data nested deeper than [`MAX_DEPTH`] is refused.
//! 2. Text stays text: nothing that is serialized becomes [`Markup`](crate::Markup).

use std::fmt;
use std::sync::Arc;

use serde::ser::{self, Serialize};

use super::map::{Key, Map};
use super::value::Value;

/// What data says of its length is believed up to here.
const MAX_RESERVED: usize = 4096;
/// The deepest nesting of data that is taken.
pub(crate) const MAX_DEPTH: usize = 64;

pub(crate) fn value<T: Serialize + ?Sized>(data: &T) -> Result<Value, SerializeError> {
    data.serialize(Serializer { depth: 0 })
}

/// Data could not become a template's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SerializeError(String);

impl fmt::Display for SerializeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "this data cannot be a template's variable: {}", self.0)
    }
}

impl std::error::Error for SerializeError {}

impl ser::Error for SerializeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

#[derive(Clone, Copy)]
struct Serializer {
    depth: usize,
}

impl Serializer {
    fn deeper(self) -> Result<Self, SerializeError> {
        match self.depth < MAX_DEPTH {
            true => Ok(Self { depth: self.depth + 1 }),
            false => Err(SerializeError(format!("it is nested more than {MAX_DEPTH} levels deep"))),
        }
    }

    fn list(self, length: Option<usize>) -> Result<List, SerializeError> {
        let items = Vec::with_capacity(length.unwrap_or_default().min(MAX_RESERVED));
        Ok(List { items, inner: self.deeper()?, variant: None })
    }

    fn map(self, fields: usize) -> Result<Pairs, SerializeError> {
        Ok(Pairs {
            map: Map::with_capacity(fields.min(MAX_RESERVED)),
            key: None,
            inner: self.deeper()?,
            variant: None,
        })
    }
}

macro_rules! scalar {
    ($($method:ident($type:ty)),* $(,)?) => {$(
        fn $method(self, value: $type) -> Result<Value, SerializeError> {
            Ok(value.into())
        }
    )*};
}

impl ser::Serializer for Serializer {
    type Ok = Value;
    type Error = SerializeError;
    type SerializeSeq = List;
    type SerializeTuple = List;
    type SerializeTupleStruct = List;
    type SerializeTupleVariant = List;
    type SerializeMap = Pairs;
    type SerializeStruct = Pairs;
    type SerializeStructVariant = Pairs;

    scalar! {
        serialize_bool(bool), serialize_i8(i8), serialize_i16(i16), serialize_i32(i32), serialize_i64(i64),
        serialize_u8(u8), serialize_u16(u16), serialize_u32(u32), serialize_u64(u64),
        serialize_f32(f32), serialize_f64(f64), serialize_str(&str),
    }

    fn serialize_char(self, value: char) -> Result<Value, SerializeError> {
        Ok(value.to_string().into())
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<Value, SerializeError> {
        Ok(Value::from(bytes))
    }

    fn serialize_none(self) -> Result<Value, SerializeError> {
        Ok(Value::None)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Value, SerializeError> {
        value.serialize(self.deeper()?)
    }

    fn serialize_unit(self) -> Result<Value, SerializeError> {
        Ok(Value::None)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<Value, SerializeError> {
        Ok(Value::None)
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<Value, SerializeError> {
        Ok(variant.into())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<Value, SerializeError> {
        value.serialize(self.deeper()?)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Value, SerializeError> {
        Ok([(variant, value.serialize(self.deeper()?)?)].into_iter().collect())
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<List, SerializeError> {
        self.list(length)
    }

    fn serialize_tuple(self, length: usize) -> Result<List, SerializeError> {
        self.list(Some(length))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<List, SerializeError> {
        self.list(None)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<List, SerializeError> {
        Ok(List { variant: Some(variant), ..self.list(None)? })
    }

    fn serialize_map(self, length: Option<usize>) -> Result<Pairs, SerializeError> {
        self.map(length.unwrap_or_default())
    }

    fn serialize_struct(self, _: &'static str, fields: usize) -> Result<Pairs, SerializeError> {
        self.map(fields)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        fields: usize,
    ) -> Result<Pairs, SerializeError> {
        Ok(Pairs { variant: Some(variant), ..self.map(fields)? })
    }
}

fn named(variant: Option<&'static str>, value: Value) -> Value {
    match variant {
        Some(name) => [(name, value)].into_iter().collect(),
        None => value,
    }
}

struct List {
    items: Vec<Value>,
    inner: Serializer,
    variant: Option<&'static str>,
}

impl List {
    fn push<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), SerializeError> {
        self.items.push(value.serialize(self.inner)?);
        Ok(())
    }

    fn finish(self) -> Value {
        named(self.variant, Value::List(self.items.into()))
    }
}

macro_rules! list {
    ($($trait:ident::$method:ident),* $(,)?) => {$(
        impl ser::$trait for List {
            type Ok = Value;
            type Error = SerializeError;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), SerializeError> {
                self.push(value)
            }

            fn end(self) -> Result<Value, SerializeError> {
                Ok(self.finish())
            }
        }
    )*};
}

list! {
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field,
}

struct Pairs {
    map: Map,
    key: Option<Arc<str>>,
    inner: Serializer,
    variant: Option<&'static str>,
}

impl ser::SerializeMap for Pairs {
    type Ok = Value;
    type Error = SerializeError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), SerializeError> {
        self.key = Some(match key.serialize(self.inner)? {
            Value::Str(text) => text,
            number @ (Value::Int(_) | Value::Bool(_)) => number.text().into(),
            other => return Err(SerializeError(format!("{other:?} is not a key"))),
        });
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), SerializeError> {
        let key =
            self.key.take().ok_or_else(|| SerializeError("a value came before its key".into()))?;
        self.map.insert(key, value.serialize(self.inner)?);
        Ok(())
    }

    fn end(self) -> Result<Value, SerializeError> {
        Ok(named(self.variant, self.map.into()))
    }
}

macro_rules! structure {
    ($($trait:ident),*) => {$(
        impl ser::$trait for Pairs {
            type Ok = Value;
            type Error = SerializeError;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), SerializeError> {
                self.map.insert(Key::constant(name), value.serialize(self.inner)?);
                Ok(())
            }

            fn end(self) -> Result<Value, SerializeError> {
                Ok(named(self.variant, self.map.into()))
            }
        }
    )*};
}

structure!(SerializeStruct, SerializeStructVariant);

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Serialize)]
    struct Row {
        name: &'static str,
        tags: Vec<u8>,
        next: Option<Box<Row>>,
    }

    #[test]
    fn structures_become_maps() {
        let row = Row { name: "<a>", tags: vec![1], next: None };
        let value = value(&row).unwrap_or_default();
        assert_eq!(value.text(), "{'name': '<a>', 'tags': [1], 'next': None}");
        assert!(value.step("name").is_some_and(|name| !name.is_markup()));
    }

    #[test]
    fn rule_1_depth_is_limited() {
        let deep = (0..100).fold(Row { name: "", tags: vec![], next: None }, |inner, _| Row {
            name: "",
            tags: vec![],
            next: Some(Box::new(inner)),
        });
        assert!(value(&deep).is_err());
    }
}
