//! Both formats: what is written is read, what is hostile is refused where it stands.

use proptest::prelude::*;

use super::*;
use crate::foreign::{Fault, Foreign};

/// A value of any shape. Elements of a container are of one type, as in Thrift.
#[derive(Debug, Clone, PartialEq)]
enum Tree {
    Bool(bool),
    I8(i8),
    I16(i16),
    I32(i32),
    I64(i64),
    Double(f64),
    Bytes(Vec<u8>),
    Uuid([u8; 16]),
    Struct(Vec<(i16, Tree)>),
    List(Vec<Tree>),
    Set(Vec<Tree>),
    Map(Vec<(Tree, Tree)>),
}

impl Tree {
    fn kind(&self) -> Type {
        match self {
            Tree::Bool(_) => Type::Bool,
            Tree::I8(_) => Type::I8,
            Tree::I16(_) => Type::I16,
            Tree::I32(_) => Type::I32,
            Tree::I64(_) => Type::I64,
            Tree::Double(_) => Type::Double,
            Tree::Bytes(_) => Type::Bytes,
            Tree::Uuid(_) => Type::Uuid,
            Tree::Struct(_) => Type::Struct,
            Tree::List(_) => Type::List,
            Tree::Set(_) => Type::Set,
            Tree::Map(_) => Type::Map,
        }
    }

    fn write(&self, out: &mut Writer) {
        match self {
            Tree::Bool(v) => out.bool(*v),
            Tree::I8(v) => out.i8(*v),
            Tree::I16(v) => out.i16(*v),
            Tree::I32(v) => out.i32(*v),
            Tree::I64(v) => out.i64(*v),
            Tree::Double(v) => out.double(*v),
            Tree::Bytes(v) => out.bytes(v),
            Tree::Uuid(v) => out.uuid(*v),
            Tree::Struct(fields) => out.structure(|out| {
                for (id, value) in fields {
                    match value {
                        Tree::Bool(v) => out.bool_field(*id, *v),
                        _ => {
                            out.field(*id, value.kind());
                            value.write(out);
                        }
                    }
                }
            }),
            Tree::List(items) | Tree::Set(items) => {
                out.list(items.first().map_or(Type::I64, Tree::kind), items.len());
                items.iter().for_each(|item| item.write(out));
            }
            Tree::Map(pairs) => {
                let kinds = pairs.first().map_or((Type::I8, Type::Bool), |(k, v)| (k.kind(), v.kind()));
                out.map(kinds.0, kinds.1, pairs.len());
                for (key, value) in pairs {
                    key.write(out);
                    value.write(out);
                }
            }
        }
    }

    fn read<'a>(input: &mut impl Reader<'a>, kind: Type) -> Result<Tree, Foreign> {
        Ok(match kind {
            Type::Bool => Tree::Bool(input.bool()?),
            Type::I8 => Tree::I8(input.i8()?),
            Type::I16 => Tree::I16(input.i16()?),
            Type::I32 => Tree::I32(input.i32()?),
            Type::I64 => Tree::I64(input.i64()?),
            Type::Double => Tree::Double(input.double()?),
            Type::Bytes => Tree::Bytes(input.bytes()?.to_vec()),
            Type::Uuid => Tree::Uuid(input.uuid()?),
            Type::Struct => {
                let (mut out, mut fields) = (Vec::new(), Fields::new("a skipped struct"));
                while let Some(field) = input.field(&mut fields)? {
                    out.push((field.id, Tree::read(input, field.kind)?));
                }
                Tree::Struct(out)
            }
            Type::List | Type::Set => {
                let list = input.list()?;
                let items = (0..list.count).map(|_| Tree::read(input, list.kind));
                let items = items.collect::<Result<_, _>>()?;
                if kind == Type::List { Tree::List(items) } else { Tree::Set(items) }
            }
            Type::Map => {
                let map = input.map()?;
                let pair = |_| Ok((Tree::read(input, map.key)?, Tree::read(input, map.value)?));
                Tree::Map((0..map.count).map(pair).collect::<Result<_, Foreign>>()?)
            }
        })
    }
}

fn leaf(kind: u8) -> BoxedStrategy<Tree> {
    match kind {
        0 => any::<bool>().prop_map(Tree::Bool).boxed(),
        1 => any::<i8>().prop_map(Tree::I8).boxed(),
        2 => any::<i16>().prop_map(Tree::I16).boxed(),
        3 => any::<i32>().prop_map(Tree::I32).boxed(),
        4 => any::<i64>().prop_map(Tree::I64).boxed(),
        5 => (-1e300f64..1e300).prop_map(Tree::Double).boxed(),
        6 => proptest::collection::vec(any::<u8>(), 0..20).prop_map(Tree::Bytes).boxed(),
        _ => any::<[u8; 16]>().prop_map(Tree::Uuid).boxed(),
    }
}

fn tree() -> impl Strategy<Value = Tree> {
    (0u8..8).prop_flat_map(leaf).prop_recursive(4, 40, 20, |inner| {
        let leaves = |kind| proptest::collection::vec(leaf(kind), 0..20);
        let pairs = |(k, v)| proptest::collection::vec((leaf(k), leaf(v)), 0..5);
        let fields = proptest::collection::vec((any::<i16>(), inner.clone()), 0..6);
        let structs = proptest::collection::vec(fields.clone().prop_map(Tree::Struct), 0..18);
        prop_oneof![
            fields.prop_map(Tree::Struct),
            (0u8..8).prop_flat_map(leaves).prop_map(Tree::List),
            (0u8..8).prop_flat_map(leaves).prop_map(Tree::Set),
            structs.prop_map(Tree::List),
            (0u8..8, 0u8..8).prop_flat_map(pairs).prop_map(Tree::Map),
        ]
    })
}

/// Reads and skips; both must come to the same end.
fn read_both<'a, R: Reader<'a> + Clone>(input: R, kind: Type) -> (Result<Tree, Foreign>, R, R) {
    let (mut reading, mut skipping) = (input.clone(), input);
    let tree = Tree::read(&mut reading, kind);
    let skipped = skipping.skip(kind);
    assert_eq!(tree.as_ref().err(), skipped.as_ref().err());
    (tree, reading, skipping)
}

fn read(protocol: Protocol, bytes: &[u8], kind: Type) -> Result<Tree, Foreign> {
    let limits = Limits::default();
    let check = |tree: Result<Tree, Foreign>, ends: [usize; 2]| {
        if tree.is_ok() {
            assert_eq!(ends, [0, 0]);
        }
        tree
    };
    match protocol {
        Protocol::Binary => {
            let (tree, a, b) = read_both(BinaryReader::new(bytes, limits)?, kind);
            check(tree, [a.left(), b.left()])
        }
        Protocol::Compact => {
            let (tree, a, b) = read_both(CompactReader::new(bytes, limits)?, kind);
            check(tree, [a.left(), b.left()])
        }
    }
}

fn written(protocol: Protocol, write: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut out = Writer::new(protocol);
    write(&mut out);
    out.into_bytes()
}

const BOTH: [Protocol; 2] = [Protocol::Binary, Protocol::Compact];

proptest! {
    #[test]
    fn what_is_written_is_read_and_skipped(tree in tree()) {
        for protocol in BOTH {
            let bytes = written(protocol, |out| tree.write(out));
            prop_assert_eq!(read(protocol, &bytes, tree.kind()), Ok(tree.clone()));
            for cut in 0..bytes.len() {
                let fault = read(protocol, &bytes[..cut], tree.kind()).unwrap_err().fault;
                prop_assert_eq!(fault, Fault::Truncated);
            }
        }
    }

    #[test]
    fn message_headers_come_back(name in "[a-zA-Z]{0,20}", sequence in any::<i32>(), kind in 1u8..5) {
        let kind = MessageKind::from_code(kind).unwrap();
        let expected = Message { name: name.as_bytes(), kind, sequence };
        let bytes = written(Protocol::Binary, |out| out.message(&name, kind, sequence));
        let mut input = BinaryReader::new(&bytes, Limits::default()).unwrap();
        prop_assert_eq!(input.message(), Ok(expected));
        prop_assert_eq!(input.end(), Ok(()));
        let bytes = written(Protocol::Compact, |out| out.message(&name, kind, sequence));
        let mut input = CompactReader::new(&bytes, Limits::default()).unwrap();
        prop_assert_eq!(input.message(), Ok(expected));
        prop_assert_eq!(input.end(), Ok(()));
    }
}

/// Reads the first field's header both ways: what is foreseen must be what is read.
fn foresees<'a, R: Reader<'a> + Clone>(input: R, last: i16, asked: Option<(i16, Type)>) {
    let fields = Fields { last, within: "S" };
    let (mut plain, mut plain_fields) = (input.clone(), fields);
    let read = plain.field(&mut plain_fields);
    let found = read.as_ref().ok().and_then(|field| field.as_ref()).map(|field| (field.id, field.kind));
    let Some((id, kind)) = asked.or(found) else { return };
    let (mut quick, mut quick_fields) = (input, fields);
    let from = quick.position();
    if quick.comes(&mut quick_fields, id, kind) {
        assert_eq!(found, Some((id, kind)));
        assert_eq!(quick.position(), plain.position());
        // The next field's number may count from this one.
        assert_eq!(quick.field(&mut quick_fields), plain.field(&mut plain_fields));
    } else {
        assert_eq!((quick.position(), quick_fields.last), (from, last));
        assert_eq!(quick.field(&mut quick_fields), read);
    }
}

proptest! {
    #[test]
    fn a_field_that_comes_is_the_one_that_is_read(
        (at, last) in (prop_oneof![1i16..20, any::<i16>()], prop_oneof![0i16..20, any::<i16>()]),
        (id, value, next) in (prop_oneof![1i16..20, any::<i16>()], (0u8..8).prop_flat_map(leaf), any::<u8>()),
        cut in 0usize..4,
    ) {
        for protocol in BOTH {
            let bytes = written(protocol, |out| Tree::Struct(vec![(at, value.clone())]).write(out));
            // A header alone, then one byte of something else, or less.
            let bytes = [&bytes[..bytes.len().min(cut)], &[next]].concat();
            for asked in [None, Some((id, value.kind())), Some((at, Type::Struct)), Some((at, Type::Bool))] {
                match protocol {
                    Protocol::Binary => {
                        foresees(BinaryReader::new(&bytes, Limits::default()).unwrap(), last, asked);
                    }
                    Protocol::Compact => {
                        foresees(CompactReader::new(&bytes, Limits::default()).unwrap(), last, asked);
                    }
                }
            }
        }
    }
}

#[test]
fn the_usual_field_is_foreseen() {
    for protocol in BOTH {
        let bytes = written(protocol, |out| out.bytes_field(3, b"cart"));
        let check = |id, kind, expected: bool| {
            let mut fields = Fields::new("S");
            let came = match protocol {
                Protocol::Binary => {
                    BinaryReader::new(&bytes, Limits::default()).unwrap().comes(&mut fields, id, kind)
                }
                Protocol::Compact => {
                    CompactReader::new(&bytes, Limits::default()).unwrap().comes(&mut fields, id, kind)
                }
            };
            assert_eq!(came, expected, "{protocol:?} {id} {kind:?}");
        };
        check(3, Type::Bytes, true);
        check(2, Type::Bytes, false);
        check(3, Type::List, false);
        check(i16::MIN, Type::Bytes, false);
    }
}

/// Bytes as in the specification's examples.
#[test]
fn the_bytes_are_those_of_the_specification() {
    let value = |out: &mut Writer| {
        out.structure(|out| {
            out.i32_field(1, 1);
            out.bool_field(2, true);
            out.bytes_field(40, b"ab");
            out.field(41, Type::List);
            out.list(Type::I16, 2);
            out.i16(-1);
            out.i16(300);
            out.double_field(42, 1.0);
        });
    };
    let binary: &[u8] = &[
        8, 0, 1, 0, 0, 0, 1, 2, 0, 2, 1, 11, 0, 40, 0, 0, 0, 2, b'a', b'b', 15, 0, 41, 6, 0, 0, 0, 2, 255,
        255, 1, 44, 4, 0, 42, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0, 0,
    ];
    assert_eq!(written(Protocol::Binary, value), binary);
    let compact: &[u8] =
        &[0x15, 2, 0x11, 8, 80, 2, b'a', b'b', 0x19, 0x24, 1, 0xd8, 4, 0x17, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0];
    assert_eq!(written(Protocol::Compact, value), compact);
}

#[test]
fn old_headers_without_a_version_are_read() {
    let bytes = [0, 0, 0, 2, b'h', b'i', 4, 0, 0, 0, 9];
    let mut input = BinaryReader::new(&bytes, Limits::default()).unwrap();
    let expected = Message { name: b"hi", kind: MessageKind::OneWay, sequence: 9 };
    assert_eq!(input.message(), Ok(expected));
}

#[test]
fn headers_of_another_format_are_named() {
    let check = |protocol, bytes: &[u8], fault, expected: &str| {
        let limits = Limits::default();
        let result = match protocol {
            Protocol::Binary => BinaryReader::new(bytes, limits).unwrap().message().unwrap_err(),
            Protocol::Compact => CompactReader::new(bytes, limits).unwrap().message().unwrap_err(),
        };
        assert_eq!((result.fault, result.to_string().as_str()), (fault, expected));
    };
    let binary = written(Protocol::Binary, |out| out.message("emitBatch", MessageKind::OneWay, 1));
    let compact = written(Protocol::Compact, |out| out.message("emitBatch", MessageKind::OneWay, 1));
    let m = Fault::Malformed;
    let words = "0x80, as TBinary begins at byte 0, expected a TCompact message (0x82)";
    check(Protocol::Compact, &binary, m, words);
    let words = "0x82, as TCompact begins at byte 0, expected a TBinary message (0x8001 or the length of a \
                 method's name)";
    check(Protocol::Binary, &compact, m, words);
    check(Protocol::Compact, b"{}", m, "0x7b at byte 0, expected a TCompact message (0x82)");
    check(Protocol::Compact, &[0x82, 0x22], m, "version 2 at byte 1, expected version 1 of TCompact");
    check(Protocol::Compact, &[0x82, 0x01], m, "message type 0 at byte 1, expected 1 to 4");
    check(Protocol::Binary, &[0x80, 1, 0, 5], m, "message type 5 at byte 3, expected 1 to 4");
    let words = "a method's name of 2065850658 bytes at byte 0, expected a TBinary message (0x8001 or the length \
                 of a method's name)";
    check(Protocol::Binary, b"{\"a\":1}", m, words);
    check(Protocol::Binary, &[0, 0, 0, 9, 1], Fault::Truncated, "1 byte at byte 4, expected at least 9");
    check(Protocol::Compact, &[], Fault::Truncated, "the end at byte 0, expected at least 1");
}

#[test]
fn claims_that_the_bytes_cannot_keep_are_refused() {
    let check = |protocol, bytes: &[u8], kind, fault| {
        let error = read(protocol, bytes, kind).unwrap_err();
        assert_eq!(error.fault, fault, "{error}");
    };
    use Fault::{Limit, Malformed, Truncated};
    use Protocol::{Binary, Compact};
    check(Binary, &[0x7f, 255, 255, 255, 1], Type::Bytes, Limit);
    check(Binary, &[0, 0, 0, 200, 1], Type::Bytes, Truncated);
    check(Binary, &[255, 255, 255, 255], Type::Bytes, Malformed);
    check(Compact, &[255, 255, 255, 255, 7, 1], Type::Bytes, Limit);
    check(Compact, &[255, 255, 255, 255, 15, 1], Type::Bytes, Malformed);
    check(Compact, &[255; 11], Type::Bytes, Malformed);
    // A million elements in a handful of bytes; more than that in none.
    check(Binary, &[12, 0, 15, 0, 0, 0], Type::List, Truncated);
    check(Binary, &[12, 0x7f, 0, 0, 0, 0], Type::List, Limit);
    check(Compact, &[0xfc, 255, 255, 3, 0], Type::List, Truncated);
    check(Compact, &[0xfc, 255, 255, 255, 255, 7, 0], Type::Set, Limit);
    check(Binary, &[10, 10, 0, 0, 0, 2, 0, 0, 0, 0], Type::Map, Truncated);
    check(Compact, &[3, 0x77, 0], Type::Map, Truncated);
    // Types that are none.
    check(Binary, &[7, 0, 1, 0], Type::Struct, Malformed);
    check(Binary, &[1, 0, 0, 0, 1, 0], Type::List, Malformed);
    check(Compact, &[0x1e, 0], Type::Struct, Malformed);
    check(Compact, &[0x1f, 0], Type::List, Malformed);
    // Numbers of more bits than their type, field numbers past the last.
    check(Compact, &[255, 255, 255, 255, 31], Type::I32, Malformed);
    check(Compact, &[255, 255, 255, 1], Type::I16, Malformed);
    check(Compact, &[0x01, 0xfe, 255, 3, 0x11, 0], Type::Struct, Malformed);
    check(Binary, &[2, 0, 1, 7, 0], Type::Struct, Malformed);
    check(Compact, &[0x11, 3], Type::List, Malformed);
}

#[test]
fn empty_containers_need_no_type() {
    assert_eq!(read(Protocol::Binary, &[0, 0, 0, 0, 0], Type::List), Ok(Tree::List(vec![])));
    assert_eq!(read(Protocol::Binary, &[0, 0, 0, 0, 0, 0], Type::Map), Ok(Tree::Map(vec![])));
    assert_eq!(read(Protocol::Compact, &[0], Type::Set), Ok(Tree::Set(vec![])));
    let mut input = BinaryReader::new(&[3, 0, 0, 0, 0], Limits::default()).unwrap();
    assert_eq!(input.structs(), Ok(0));
    let mut input = CompactReader::new(&[0x13, 0], Limits::default()).unwrap();
    let message = input.structs().unwrap_err().to_string();
    assert_eq!(message, "a list of i8 at byte 0, expected a list of struct");
}

#[test]
fn deep_nesting_is_refused_and_takes_no_stack() {
    for protocol in BOTH {
        let nested = |levels: usize| {
            let header = match protocol {
                Protocol::Binary => vec![15, 0, 0, 0, 1],
                Protocol::Compact => vec![0x19],
            };
            header.repeat(levels)
        };
        let skip = |bytes: &[u8], max_depth| {
            let limits = Limits { max_depth, ..Limits::default() };
            match protocol {
                Protocol::Binary => BinaryReader::new(bytes, limits).unwrap().skip(Type::List),
                Protocol::Compact => CompactReader::new(bytes, limits).unwrap().skip(Type::List),
            }
        };
        let mut bytes = nested(31);
        bytes.extend([3, 0, 0, 0, 0]); // an empty list in both
        assert_eq!(skip(&bytes, 32), Ok(()));
        let error = skip(&nested(1_000_000), u32::MAX).unwrap_err();
        assert_eq!(error.fault, Fault::Limit);
        assert!(error.to_string().ends_with("expected at most 64 levels"), "{error}");
        assert_eq!(skip(&nested(33), 32).unwrap_err().fault, Fault::Limit);
    }
}

#[test]
fn a_known_field_of_another_type_is_refused_by_name() {
    let bytes = written(Protocol::Compact, |out| out.structure(|out| out.i32_field(3, 1)));
    let mut input = CompactReader::new(&bytes, Limits::default()).unwrap();
    let field = input.field(&mut Fields::new("Span")).unwrap().unwrap();
    let error = input.i64_of(&field).unwrap_err();
    assert_eq!(error.to_string(), "field 3 of Span as i32 at byte 0, expected i64");
}

#[test]
fn a_message_over_the_limit_is_refused_unread() {
    let limits = Limits { max_bytes: 3, ..Limits::default() };
    let error = BinaryReader::new(&[0; 4], limits).unwrap_err();
    assert_eq!(error.to_string(), "4 bytes in the message at byte 0, expected at most 3");
}
