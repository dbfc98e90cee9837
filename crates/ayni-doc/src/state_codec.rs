//! The tree of a document as bytes. Where no writes overlap it is the canonical encoding of the value that is shown.

use std::collections::BTreeMap;
use std::sync::Arc;

use ayni_log::codec::{DecodeError, Reader, Writer};
use ayni_log::ids::{DeviceId, Hash};
use ayni_log::limits;

use crate::state::{Candidate, Elements, Gathered, Node, Sum, Values};
use crate::value::Value;
use crate::value_codec::{deeper, items, tag};
use crate::version::Stamp;

const PLAIN: u8 = 0x01;
const STAMPED: u8 = 0x02;
const SUM: u8 = 0x04;
const SUM_STAMP: u8 = 0x08;
const ELEMENTS: u8 = 0x10;
const ELEMENTS_STAMP: u8 = 0x20;
const CHILDREN: u8 = 0x40;

impl Node {
    pub(crate) fn encode(&self, out: &mut Writer) {
        match (&self.values, &self.gathered) {
            (Values::Plain(value), None) => value.encode(out),
            (Values::None, None) => {
                out.byte(tag::MAP);
                self.encode_children(out);
            }
            _ => self.encode_contested(out),
        }
    }

    fn encode_contested(&self, out: &mut Writer) {
        out.byte(tag::CONTESTED);
        out.byte(self.flags());
        match &self.values {
            Values::None => {}
            Values::Plain(value) => value.encode(out),
            Values::Stamped(candidates) => {
                out.varint(candidates.len() as u64);
                for Candidate { value, stamp } in candidates {
                    stamp.encode(out);
                    out.byte(u8::from(value.is_some()));
                    if let Some(value) = value {
                        value.encode(out);
                    }
                }
            }
        }
        let gathered = self.gathered.as_deref();
        if let Some(sum) = gathered.and_then(|gathered| gathered.sum.as_ref()) {
            out.raw(&sum.total.to_be_bytes());
            sum.stamp.iter().for_each(|stamp| stamp.encode(out));
        }
        if let Some(elements) = gathered.and_then(|gathered| gathered.elements.as_ref()) {
            out.varint(elements.present.len() as u64);
            elements.present.keys().for_each(|element| out.raw(element));
            elements.stamp.iter().for_each(|stamp| stamp.encode(out));
        }
        if !self.children.is_empty() {
            self.encode_children(out);
        }
    }

    fn flags(&self) -> u8 {
        let mut flags = match &self.values {
            Values::None => 0,
            Values::Plain(_) => PLAIN,
            Values::Stamped(_) => STAMPED,
        };
        let gathered = self.gathered.as_deref();
        if let Some(sum) = gathered.and_then(|gathered| gathered.sum.as_ref()) {
            flags |= SUM | if sum.stamp.is_some() { SUM_STAMP } else { 0 };
        }
        if let Some(elements) = gathered.and_then(|gathered| gathered.elements.as_ref()) {
            flags |= ELEMENTS | if elements.stamp.is_some() { ELEMENTS_STAMP } else { 0 };
        }
        if !self.children.is_empty() {
            flags |= CHILDREN;
        }
        flags
    }

    fn encode_children(&self, out: &mut Writer) {
        out.varint(self.children.len() as u64);
        for (name, child) in &self.children {
            out.text(name);
            child.encode(out);
        }
    }

    /// Reads a node below which `depth` names may stand.
    pub(crate) fn decode(input: &mut Reader<'_>, depth: usize) -> Result<Self, DecodeError> {
        match input.rest().first() {
            Some(&tag::MAP) => {
                input.byte()?;
                let children = Self::decode_children(input, depth)?;
                let values =
                    if children.is_empty() { Values::Plain(Value::Map(BTreeMap::new())) } else { Values::None };
                Ok(Self { values, gathered: None, children })
            }
            Some(&tag::CONTESTED) => {
                input.byte()?;
                Self::decode_contested(input, depth)
            }
            _ => Ok(Self { values: Values::Plain(Value::decode_within(input, depth)?), ..Self::default() }),
        }
    }

    pub(crate) fn decode_children(
        input: &mut Reader<'_>,
        depth: usize,
    ) -> Result<BTreeMap<Arc<str>, Self>, DecodeError> {
        let count = input.count("fields in a map", input.remaining())?;
        let mut children = BTreeMap::<Arc<str>, Self>::new();
        let inner = deeper(depth)?;
        for _ in 0..count {
            let name = input.text("field name", limits::NAME_BYTES)?;
            if children.last_key_value().is_some_and(|(last, _)| &**last >= name) {
                return Err(DecodeError::NotCanonical("order of fields"));
            }
            children.insert(name.into(), Self::decode(input, inner)?);
        }
        Ok(children)
    }

    fn decode_contested(input: &mut Reader<'_>, depth: usize) -> Result<Self, DecodeError> {
        let flags = input.byte()?;
        let has = |flag| flags & flag != 0;
        let values = match (has(PLAIN), has(STAMPED)) {
            (true, false) => Values::Plain(Value::decode_within(input, depth)?),
            (false, true) => Values::Stamped(items("values in conflict", input, |input| {
                let stamp = Stamp::decode(input)?;
                let value = match input.byte()? {
                    0 => None,
                    1 => Some(Value::decode_within(input, depth)?),
                    _ => return Err(DecodeError::Invalid("value in conflict")),
                };
                Ok(Candidate { value, stamp })
            })?),
            _ => Values::None,
        };
        let stamp = |flag, input: &mut Reader<'_>| if has(flag) { Stamp::decode(input).map(Some) } else { Ok(None) };
        let mut gathered = Gathered::default();
        if has(SUM) {
            let total = i128::from_be_bytes(input.array()?);
            gathered.sum = Some(Sum { total, stamp: stamp(SUM_STAMP, input)? });
        }
        if has(ELEMENTS) {
            let present = decode_elements(input, depth)?;
            gathered.elements = Some(Elements { present, stamp: stamp(ELEMENTS_STAMP, input)? });
        }
        let children = if has(CHILDREN) { Self::decode_children(input, depth)? } else { BTreeMap::new() };
        let gathered = (has(SUM) || has(ELEMENTS)).then(|| Box::new(gathered));
        let node = Self { values, gathered, children };
        // Flags that say nothing or exclude each other; what stands alone is written without flags, and a value beside
        // fields with its stamp.
        if node.flags() != flags || matches!(flags, 0 | PLAIN | CHILDREN) || has(PLAIN) && has(CHILDREN) {
            return Err(DecodeError::NotCanonical("flags of a field"));
        }
        Ok(node)
    }

    /// Whether any stamp is kept here or below: whether there are conflicts.
    pub(crate) fn is_contested(&self) -> bool {
        matches!(self.values, Values::Stamped(_))
            || self.flags() & (SUM_STAMP | ELEMENTS_STAMP) != 0
            || self.children.values().any(Self::is_contested)
    }
}

fn decode_elements(input: &mut Reader<'_>, depth: usize) -> Result<BTreeMap<Vec<u8>, Value>, DecodeError> {
    let inner = deeper(depth)?;
    let mut present = BTreeMap::<Vec<u8>, Value>::new();
    for _ in 0..input.count("elements of a set", input.remaining())? {
        let before = input.rest();
        let element = Value::decode_within(input, inner)?;
        let bytes = before.get(..before.len() - input.remaining()).unwrap_or_default();
        if present.last_key_value().is_some_and(|(last, _)| last.as_slice() >= bytes) {
            return Err(DecodeError::NotCanonical("order of elements"));
        }
        present.insert(bytes.to_vec(), element);
    }
    Ok(present)
}

impl Stamp {
    fn encode(&self, out: &mut Writer) {
        out.signed(self.time);
        self.hash.encode(out);
        self.author.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { time: input.signed()?, hash: Hash::decode(input)?, author: DeviceId::decode(input)? })
    }
}
