//! v1 Thrift: values by their types, and that the quick ways of reading read what the plain way reads.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};

use super::*;
use crate::thrift::{CompactReader, Cursor, Field, List, Map, Message, Protocol, Writer};

#[test]
fn a_value_is_of_its_type_when_it_is_as_long() {
    let check = |value: &[u8], kind: i32, expected: Given<'_>| {
        assert_eq!(as_kind(value, kind), expected, "{value:?} {kind}");
    };
    check(&[0], 0, Given::Bool(false));
    check(&[1], 0, Given::Bool(true));
    check(b"0x01", 0, Given::Bool(true));
    check(&[1, 1], 0, Given::Bytes(Cow::Borrowed(&[1, 1])));
    check(&[1, 0], 2, Given::Int(256));
    check(&[0xff; 4], 3, Given::Int(-1));
    check(&[0xff; 8], 4, Given::Int(-1));
    check(&1.5f64.to_be_bytes(), 5, Given::Double(1.5));
    check(b"text", 6, Given::Raw(b"text"));
    check(&[1, 2, 3], 4, Given::Bytes(Cow::Borrowed(&[1, 2, 3])));
}

/// A reader that foresees no field and knows no value again: everything goes the plain way.
struct Plain<R>(R);

impl<'a, R: Reader<'a>> Reader<'a> for Plain<R> {
    fn comes(&mut self, _: &mut Fields, _: i16, _: Type) -> bool {
        false
    }
    fn again(&mut self, _: &[u8]) -> bool {
        false
    }

    fn cursor(&self) -> &Cursor<'a> {
        self.0.cursor()
    }
    fn cursor_mut(&mut self) -> &mut Cursor<'a> {
        self.0.cursor_mut()
    }
    fn message(&mut self) -> Result<Message<'a>, Foreign> {
        self.0.message()
    }
    fn field(&mut self, fields: &mut Fields) -> Result<Option<Field>, Foreign> {
        self.0.field(fields)
    }
    fn list(&mut self) -> Result<List, Foreign> {
        self.0.list()
    }
    fn map(&mut self) -> Result<Map, Foreign> {
        self.0.map()
    }
    fn bool(&mut self) -> Result<bool, Foreign> {
        self.0.bool()
    }
    fn i8(&mut self) -> Result<i8, Foreign> {
        self.0.i8()
    }
    fn i16(&mut self) -> Result<i16, Foreign> {
        self.0.i16()
    }
    fn i32(&mut self) -> Result<i32, Foreign> {
        self.0.i32()
    }
    fn i64(&mut self) -> Result<i64, Foreign> {
        self.0.i64()
    }
    fn double(&mut self) -> Result<f64, Foreign> {
        self.0.double()
    }
    fn bytes(&mut self) -> Result<&'a [u8], Foreign> {
        self.0.bytes()
    }
    fn uuid(&mut self) -> Result<[u8; 16], Foreign> {
        self.0.uuid()
    }
}

/// The value of a field.
#[derive(Debug, Clone)]
enum Value {
    Bool(bool),
    I16(i16),
    I32(i32),
    I64(i64),
    Bytes(Vec<u8>),
    Struct(Struct),
    List(Vec<Struct>),
}

type Struct = Vec<(i16, Value)>;

fn write_fields(out: &mut Writer, fields: &Struct) {
    for (id, value) in fields {
        let id = *id;
        match value {
            Value::Bool(value) => out.bool_field(id, *value),
            Value::I16(value) => {
                out.field(id, Type::I16);
                out.i16(*value);
            }
            Value::I32(value) => out.i32_field(id, *value),
            Value::I64(value) => out.i64_field(id, *value),
            Value::Bytes(value) => out.bytes_field(id, value),
            Value::Struct(fields) => out.struct_field(id, |out| write_fields(out, fields)),
            Value::List(items) => out.structs_field(id, items, write_fields),
        }
    }
}

fn bytes(choices: &'static [&'static [u8]]) -> BoxedStrategy<Value> {
    select(choices).prop_map(|bytes| Value::Bytes(bytes.to_vec())).boxed()
}

fn i64s(range: std::ops::Range<i64>) -> BoxedStrategy<Value> {
    range.prop_map(Value::I64).boxed()
}

/// A field that is not known there, or seldom one that is, by another type perhaps.
fn odd() -> impl Strategy<Value = (i16, Value)> {
    let id = prop_oneof![4 => 13i16..40, 2 => 1i16..7, 1 => any::<i16>()];
    let value = prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        any::<i16>().prop_map(Value::I16),
        any::<i32>().prop_map(Value::I32),
        i64s(0..99),
        bytes(&[b"", b"ca", b"long enough"]),
        vec((1i16..5, i64s(0..9)), 0..3).prop_map(Value::Struct),
    ];
    (id, value)
}

/// A struct of these fields: as they are, or only some, among others, in any order, some twice.
fn structure(usual: Vec<(i16, BoxedStrategy<Value>)>) -> BoxedStrategy<Struct> {
    let count = usual.len();
    let fields = usual.into_iter().map(|(id, value)| (Just(id), value).boxed()).collect::<Vec<_>>();
    let some = fields.clone().prop_flat_map(move |fields| subsequence(fields, 0..=count));
    let mixed = (fields.clone(), some.clone(), vec(odd(), 0..3));
    let mixed = mixed.prop_map(|(all, more, odd)| [all, more, odd].concat()).prop_shuffle();
    let with_odd = (some, vec(odd(), 0..2)).prop_map(|(some, odd)| [some, odd].concat());
    prop_oneof![6 => fields, 2 => with_odd, 1 => mixed].boxed()
}

fn endpoint() -> BoxedStrategy<Value> {
    let usual = structure(vec![
        (1, select(&[0, 0x0a01_0203][..]).prop_map(Value::I32).boxed()),
        (2, select(&[0i16, 8080][..]).prop_map(Value::I16).boxed()),
        (3, bytes(&[b"cart", b"web", b"", b"\xff"])),
    ]);
    let ipv6 = structure(vec![(4, bytes(&[&[7; 16], b"", b"short"]))]);
    prop_oneof![8 => usual, 1 => ipv6].prop_map(Value::Struct).boxed()
}

fn annotation() -> BoxedStrategy<Struct> {
    const VALUES: &[&[u8]] =
        &[b"cs", b"sr", b"ss", b"ws", b"", b"miss", b"\xc3\xbc", b"\xff", b"n: {\"k\":1}"];
    let times = prop_oneof![20 => i64s(0..1 << 51), 1 => i64s(i64::MIN..i64::MAX)];
    structure(vec![(1, times.boxed()), (2, bytes(VALUES)), (3, endpoint())])
}

fn binary_annotation() -> BoxedStrategy<Struct> {
    const KEYS: &[&[u8]] = &[
        b"",
        b"http.path",
        b"error",
        b"ca",
        b"sa",
        b"ma",
        b"lc",
        b"peer.service",
        b"net.peer.ip",
        b"host.name",
        b"otel.status_code",
        b"otlp.link.0",
        b"k\xc3\xbc",
        b"k\xff",
    ];
    const VALUES: &[&[u8]] = &[b"", b"\x01", b"true", b"12345678", b"OK", b"v\xc3\xbc", b"v\xff"];
    let kind = prop_oneof![4 => Just(6), 1 => -1i32..8].prop_map(Value::I32);
    structure(vec![(1, bytes(KEYS)), (2, bytes(VALUES)), (3, kind.boxed()), (4, endpoint())])
}

fn a_span() -> BoxedStrategy<Struct> {
    structure(vec![
        (1, i64s(1..9)),
        (3, bytes(&[b"get", b"", b"\xff"])),
        (4, i64s(1..9)),
        (5, i64s(0..9)),
        (6, vec(annotation(), 0..4).prop_map(Value::List).boxed()),
        (8, vec(binary_annotation(), 0..5).prop_map(Value::List).boxed()),
        (9, any::<bool>().prop_map(Value::Bool).boxed()),
        (10, i64s(0..1 << 51)),
        (11, i64s(0..1 << 20)),
        (12, i64s(0..9)),
    ])
}

fn body(protocol: Protocol, spans: &[Struct]) -> Vec<u8> {
    let mut out = Writer::new(protocol);
    out.list(Type::Struct, spans.len());
    for span in spans {
        out.structure(|out| write_fields(out, span));
    }
    out.into_bytes()
}

/// What becomes of a body, and where its reading ended.
fn read<'a>(mut input: impl Reader<'a>) -> (Result<u64, Foreign>, Vec<u8>, Option<usize>) {
    let mut out = Vec::new();
    let result = thrift_spans(&mut input, &Options::default(), usize::MAX, &mut out);
    let end = result.is_ok().then(|| input.position());
    (result, out, end)
}

/// Reads it both ways, which must not differ; yields whether it was taken.
fn read_both(protocol: Protocol, body: &[u8]) -> Result<bool, TestCaseError> {
    let limits = Limits::default();
    let (quick, plain) = match protocol {
        Protocol::Binary => {
            let input = BinaryReader::new(body, limits).unwrap();
            (read(input.clone()), read(Plain(input)))
        }
        Protocol::Compact => {
            let input = CompactReader::new(body, limits).unwrap();
            (read(input.clone()), read(Plain(input)))
        }
    };
    prop_assert_eq!(&quick, &plain, "{:?}", protocol);
    Ok(quick.0.is_ok())
}

const BOTH: [Protocol; 2] = [Protocol::Binary, Protocol::Compact];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn the_quick_ways_read_what_the_plain_way_reads(
        spans in vec(a_span(), 1..4),
        cuts in vec(any::<Index>(), 8),
        damage in vec((any::<Index>(), any::<u8>()), 8),
    ) {
        for protocol in BOTH {
            let body = body(protocol, &spans);
            read_both(protocol, &body)?;
            for cut in &cuts {
                prop_assert!(!read_both(protocol, &body[..cut.index(body.len())])?);
            }
            for (at, byte) in &damage {
                let mut body = body.clone();
                let at = at.index(body.len());
                body[at] = *byte;
                read_both(protocol, &body)?;
            }
        }
    }
}

proptest! {
    #[test]
    fn an_endpoint_known_before_is_the_same_again(kinds in vec(endpoint(), 1..5), order in vec(any::<Index>(), 1..20)) {
        let order: Vec<&Value> = order.iter().map(|at| at.get(&kinds)).collect();
        let mut out = Writer::new(Protocol::Binary);
        for value in order {
            let Value::Struct(fields) = value else { continue };
            out.structure(|out| write_fields(out, fields));
        }
        let bytes = out.into_bytes();
        let mut plain = BinaryReader::new(&bytes, Limits::default()).unwrap();
        let mut quick = plain.clone();
        let mut hosts = Hosts::default();
        while plain.left() > 0 {
            let expected = read_endpoint(&mut plain);
            prop_assert_eq!(hosts.read(&mut quick).map(|()| *hosts.of(true)), expected.clone());
            if expected.is_err() {
                break;
            }
            prop_assert_eq!(quick.position(), plain.position());
            prop_assert_eq!(*hosts.of(false), Raw::default());
        }
    }
}
