//! Writing a program's own types as values: the other side of [`super::read`].

use std::fmt::Display;

use ayni_doc::{Map, Value};
use serde::Serialize;
use serde::ser::{
    Error as _, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};
use serde_json::Value as Json;

use super::Misfit;

/// What a program's value is.
pub(crate) fn written<T: Serialize + ?Sized>(value: &T) -> Result<Value, Misfit> {
    value.serialize(Writer)
}

/// What a map is: a few are a value that JSON has no form for, and so are geometries.
fn of_map(map: Map) -> Result<Value, Misfit> {
    let may_be_special = match map.len() {
        1 => map.keys().all(|name| name.starts_with('$')),
        2 => map.contains_key("type"),
        _ => false,
    };
    if !may_be_special {
        return Ok(Value::Map(map));
    }
    let members = map.into_iter().map(|(name, value)| (name, value.to_json()));
    Value::from_json(&Json::Object(members.collect())).map_err(Misfit::custom)
}

fn of_variant(name: &str, value: Value) -> Result<Value, Misfit> {
    of_map(Map::from([(name.to_owned(), value)]))
}

/// A key of a map: text, or what stands as text in JSON.
fn key<T: Serialize + ?Sized>(key: &T) -> Result<String, Misfit> {
    match serde_json::to_value(key).map_err(Misfit::custom)? {
        Json::String(text) => Ok(text),
        Json::Number(number) => Ok(number.to_string()),
        Json::Bool(bool) => Ok(bool.to_string()),
        _ => Err(Misfit("a key of a map must be text, a number or a boolean".to_owned())),
    }
}

fn large(number: impl Display) -> Misfit {
    let most = i64::MAX;
    Misfit(format!("the integer {number} is too large: integers go up to {most}; write it as text"))
}

struct Writer;

/// Those types that are an integer.
macro_rules! integers {
    ($($method:ident($type:ty))*) => {$(
        fn $method(self, value: $type) -> Result<Value, Misfit> {
            i64::try_from(value).map(Value::Int).map_err(|_| large(value))
        }
    )*};
}

impl Serializer for Writer {
    type Ok = Value;
    type Error = Misfit;
    type SerializeSeq = List;
    type SerializeTuple = List;
    type SerializeTupleStruct = List;
    type SerializeTupleVariant = List;
    type SerializeMap = Members;
    type SerializeStruct = Members;
    type SerializeStructVariant = Members;

    integers! {
        serialize_i8(i8) serialize_i16(i16) serialize_i32(i32) serialize_i64(i64) serialize_i128(i128)
        serialize_u8(u8) serialize_u16(u16) serialize_u32(u32) serialize_u64(u64) serialize_u128(u128)
    }

    fn serialize_bool(self, value: bool) -> Result<Value, Misfit> {
        Ok(Value::Bool(value))
    }

    fn serialize_f32(self, value: f32) -> Result<Value, Misfit> {
        Ok(Value::from(f64::from(value)))
    }

    fn serialize_f64(self, value: f64) -> Result<Value, Misfit> {
        Ok(Value::from(value))
    }

    fn serialize_char(self, value: char) -> Result<Value, Misfit> {
        Ok(Value::Text(value.to_string()))
    }

    fn serialize_str(self, value: &str) -> Result<Value, Misfit> {
        Ok(Value::Text(value.to_owned()))
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<Value, Misfit> {
        Ok(Value::Bytes(value.to_vec()))
    }

    fn serialize_none(self) -> Result<Value, Misfit> {
        Ok(Value::Null)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Value, Misfit> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<Value, Misfit> {
        Ok(Value::Null)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<Value, Misfit> {
        Ok(Value::Null)
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<Value, Misfit> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<Value, Misfit> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Value, Misfit> {
        of_variant(variant, value.serialize(self)?)
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<List, Misfit> {
        // A length is a hint, which may be wrong.
        Ok(List { items: Vec::with_capacity(length.unwrap_or(0).min(1 << 10)), variant: None })
    }

    fn serialize_tuple(self, length: usize) -> Result<List, Misfit> {
        self.serialize_seq(Some(length))
    }

    fn serialize_tuple_struct(self, _: &'static str, length: usize) -> Result<List, Misfit> {
        self.serialize_seq(Some(length))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<List, Misfit> {
        Ok(List { variant: Some(variant), ..self.serialize_seq(Some(length))? })
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Members, Misfit> {
        Ok(Members::default())
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Members, Misfit> {
        Ok(Members::default())
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Members, Misfit> {
        Ok(Members { variant: Some(variant), ..Members::default() })
    }
}

/// A list under way.
struct List {
    items: Vec<Value>,
    variant: Option<&'static str>,
}

impl List {
    fn push<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<(), Misfit> {
        self.items.push(written(item)?);
        Ok(())
    }

    fn whole(self) -> Result<Value, Misfit> {
        let list = Value::List(self.items);
        match self.variant {
            Some(variant) => of_variant(variant, list),
            None => Ok(list),
        }
    }
}

/// A map under way.
#[derive(Default)]
struct Members {
    map: Map,
    /// The key whose value comes next.
    key: Option<String>,
    variant: Option<&'static str>,
}

impl Members {
    fn insert<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), Misfit> {
        self.map.insert(name.to_owned(), written(value)?);
        Ok(())
    }

    fn whole(self) -> Result<Value, Misfit> {
        let map = of_map(self.map)?;
        match self.variant {
            Some(variant) => of_variant(variant, map),
            None => Ok(map),
        }
    }
}

/// What all kinds of lists have in common.
macro_rules! list {
    ($($trait:ident $method:ident)*) => {$(
        impl $trait for List {
            type Ok = Value;
            type Error = Misfit;

            fn $method<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<(), Misfit> {
                self.push(item)
            }

            fn end(self) -> Result<Value, Misfit> {
                self.whole()
            }
        }
    )*};
}

list! {
    SerializeSeq serialize_element
    SerializeTuple serialize_element
    SerializeTupleStruct serialize_field
    SerializeTupleVariant serialize_field
}

impl SerializeMap for Members {
    type Ok = Value;
    type Error = Misfit;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, name: &T) -> Result<(), Misfit> {
        self.key = Some(key(name)?);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Misfit> {
        let key = self.key.take().ok_or_else(|| Misfit::custom("a value without a key"))?;
        self.insert(&key, value)
    }

    fn end(self) -> Result<Value, Misfit> {
        self.whole()
    }
}

/// What structs and variants with named fields have in common.
macro_rules! members {
    ($($trait:ident)*) => {$(
        impl $trait for Members {
            type Ok = Value;
            type Error = Misfit;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Misfit> {
                self.insert(name, value)
            }

            fn end(self) -> Result<Value, Misfit> {
                self.whole()
            }
        }
    )*};
}

members! { SerializeStruct SerializeStructVariant }
