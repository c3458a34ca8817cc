//! Values one by one against serde_json as oracle, and the errors by what they say.

use proptest::prelude::*;

use super::*;
use crate::foreign::Fault;

fn skipped(text: &[u8]) -> Result<(), Foreign> {
    let mut json = Json::new(text)?;
    json.skip()?;
    json.end()
}

#[test]
fn values_are_read() {
    let mut json = Json::of(" [ \"a\" , -1.5e+3,true,false , null,\"\\u00e9\\n\\ud83d\\ude00\\/\" ] ");
    let mut members = json.list("a list").unwrap();
    let expected = [
        Value::Text("a".into()),
        Value::Number("-1.5e+3"),
        Value::Bool(true),
        Value::Bool(false),
        Value::Null,
        Value::Text("é\n😀/".into()),
    ];
    for value in expected {
        assert!(json.element(&mut members).unwrap());
        assert_eq!(json.value("a value").unwrap(), value);
    }
    assert!(!json.element(&mut members).unwrap());
    json.end().unwrap();
}

#[test]
fn members_are_read_by_their_keys() {
    let mut json =
        Json::new(br#" {"port": 80 , "n\u0061me": "cart", "later": [{}, {"a":[]}], "": null} "#).unwrap();
    let mut members = json.object("an endpoint").unwrap();
    let (mut name, mut others) = (None, 0);
    while let Some(key) = json.key(&mut members).unwrap() {
        match &*key {
            "name" => name = Some(json.text("a name").unwrap()),
            _ => {
                json.skip().unwrap();
                others += 1;
            }
        }
    }
    json.end().unwrap();
    assert_eq!((name.as_deref(), others), (Some("cart"), 3));
}

#[test]
fn texts_without_escapes_are_borrowed() {
    for length in 0..40 {
        let text = "x".repeat(length);
        let quoted = format!("\"{text}\"");
        assert!(matches!(Json::of(&quoted).text("").unwrap(), Cow::Borrowed(found) if found == text));
        let quoted = format!("\"{text}\\t{text}ü\"");
        assert_eq!(Json::of(&quoted).text("").unwrap(), format!("{text}\t{text}ü"));
    }
}

#[test]
fn halves_of_surrogate_pairs_are_replaced() {
    let check = |text: &str, expected: &str| assert_eq!(Json::of(text).text("").unwrap(), expected, "{text}");
    check(r#""\ud83d""#, "\u{fffd}");
    check(r#""\ude00\ud83d""#, "\u{fffd}\u{fffd}");
    check(r#""\ud83dx""#, "\u{fffd}x");
    check(r#""\ud83dA""#, "\u{fffd}A");
}

#[test]
fn errors_say_where_and_what() {
    let check = |text: &str, expected: &str| {
        assert_eq!(skipped(text.as_bytes()).unwrap_err().to_string(), expected, "{text}");
    };
    check("", "the end at byte 0, expected a value");
    check("[1,", "the end at byte 3, expected a value");
    check("{\"a\"", "the end at byte 4, expected a colon");
    check("{\"a\":1", "the end at byte 6, expected a comma or }");
    check("\"ab", "the end at byte 3, expected the end of the string");
    check("\"ab\\", "the end at byte 4, expected an escape");
    check("\"\\u12", "the end at byte 5, expected four hexadecimal digits");
    check("tru", "the end at byte 3, expected true");
    check("-", "the end at byte 1, expected a digit");
    check("1.", "the end at byte 2, expected a digit");
    check("[1 2]", "a number at byte 3, expected a comma or ]");
    check("[,]", "',' at byte 1, expected a value");
    check("[1,]", "']' at byte 3, expected a value");
    check("{1:2}", "a number at byte 1, expected a key");
    check("01", "a zero before other digits at byte 0, expected none");
    check("1.x", "'x' at byte 2, expected a digit");
    check("nul1", "'n' at byte 0, expected null");
    check("\"\\x\"", "the escape \\x at byte 1, expected an escape of JSON");
    check("\"\\u12g4\"", "'g' at byte 5, expected four hexadecimal digits");
    check("\"\n\"", "'\\n' at byte 1, expected no control characters in a string");
    check("1 x", "'x' at byte 2, expected the end");
    check("[tru]", "'t' at byte 1, expected true");
    check("[true false]", "a bool at byte 6, expected a comma or ]");
    let error = skipped(b"[\"\xe2\x82").unwrap_err();
    assert_eq!(error.to_string(), "the end in a character at byte 2, expected all of it");
    assert_eq!(error.fault, Fault::Truncated);
    let error = skipped(b"[\"\xff\"]").unwrap_err();
    assert_eq!(error.to_string(), "byte 0xff at byte 2, expected UTF-8");
    assert_eq!(
        Json::of("7").object("a span").unwrap_err().to_string(),
        "a number at byte 0, expected a span"
    );
}

#[test]
fn what_is_skipped_nests_up_to_the_limit() {
    let nested = |open: &str, close: &str, levels: usize| {
        skipped(format!("{}1{}", open.repeat(levels), close.repeat(levels)).as_bytes())
    };
    for (open, close) in [("[", "]"), ("{\"k\":", "}"), ("[{\"k\":", "}]")] {
        let levels = 128 / open.matches(['[', '{']).count();
        assert_eq!(nested(open, close, levels), Ok(()));
        assert_eq!(nested(open, close, levels + 1).unwrap_err().fault, Fault::Limit);
    }
    assert_eq!(skipped("[".repeat(1_000_000).as_bytes()).unwrap_err().fault, Fault::Limit);
}

/// Pieces that make JSON, and that nearly do.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("["),
        Just("]"),
        Just("{"),
        Just("}"),
        Just(","),
        Just(":"),
        Just("\"a\""),
        Just("\"\\n\""),
        Just("\"\\ud800\""),
        Just("1"),
        Just("-0"),
        Just("0.5e-7"),
        Just("00"),
        Just("true"),
        Just("null"),
        Just(" "),
        Just("\""),
        Just("é"),
        Just("1e"),
        Just("\u{1}"),
        Just("\"longer than eight bytes\""),
    ];
    proptest::collection::vec(piece, 0..9).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn it_takes_what_the_oracle_takes(text in pieces()) {
        let oracle = serde_json::from_str::<serde::de::IgnoredAny>(&text);
        prop_assert_eq!(skipped(text.as_bytes()).is_ok(), oracle.is_ok(), "{}", text);
    }

    #[test]
    fn strings_are_those_of_the_oracle(text in any::<String>(), pretty in any::<bool>()) {
        let value = serde_json::json!([text, {"k": text}]);
        let json = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        prop_assert_eq!(skipped(json.as_bytes()), Ok(()));
        let quoted = serde_json::to_string(&text).unwrap();
        prop_assert_eq!(&Json::of(&quoted).text("").unwrap(), &text);
        for cut in 0..quoted.len() {
            let error = skipped(&quoted.as_bytes()[..cut]).unwrap_err();
            prop_assert!(error.at <= cut && error.fault == Fault::Truncated, "{}", error);
        }
    }
}
