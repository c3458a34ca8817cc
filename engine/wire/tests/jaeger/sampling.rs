//! Answers on sampling, as clients read them.

use prost::Message;
use spanloom_wire::jaeger::sampling::{Operation, Operations, Strategy, TypeAs, service};

fn by_operation() -> Strategy {
    let one = |name: &str, probability| Operation { name: name.to_owned(), probability };
    let each = vec![one("GET /cart", 1.0), one("GET \"/\"", 0.0)];
    let operations = Operations { default_probability: 0.1, lower_bound: 0.002, upper_bound: None, each };
    Strategy { operations: Some(operations), ..Strategy::probabilistic(0.1) }
}

#[test]
fn json_is_what_clients_look_for() {
    let check = |strategy: Strategy, type_as, expected: &str| {
        assert_eq!(String::from_utf8(strategy.to_json(type_as)).unwrap(), expected);
    };
    let half = r#""probabilisticSampling":{"samplingRate":0.5}}"#;
    check(Strategy::probabilistic(0.5), TypeAs::Name, &format!(r#"{{"strategyType":"PROBABILISTIC",{half}"#));
    check(Strategy::probabilistic(0.5), TypeAs::Number, &format!(r#"{{"strategyType":0,{half}"#));
    // A rate of zero is said: clients take a missing one for their default.
    let none = r#"{"strategyType":"PROBABILISTIC","probabilisticSampling":{"samplingRate":0}}"#;
    check(Strategy::probabilistic(0.0), TypeAs::Name, none);
    let ten = r#""rateLimitingSampling":{"maxTracesPerSecond":10}}"#;
    check(Strategy::rate_limiting(10), TypeAs::Name, &format!(r#"{{"strategyType":"RATE_LIMITING",{ten}"#));
    check(Strategy::rate_limiting(10), TypeAs::Number, &format!(r#"{{"strategyType":1,{ten}"#));
    let expected = concat!(
        r#"{"strategyType":"PROBABILISTIC","probabilisticSampling":{"samplingRate":0.1},"#,
        r#""operationSampling":{"defaultSamplingProbability":0.1,"defaultLowerBoundTracesPerSecond":0.002,"#,
        r#""perOperationStrategies":[{"operation":"GET /cart","probabilisticSampling":{"samplingRate":1}},"#,
        r#"{"operation":"GET \"/\"","probabilisticSampling":{"samplingRate":0}}]}}"#,
    );
    check(by_operation(), TypeAs::Name, expected);
}

#[derive(Clone, PartialEq, Message)]
struct Response {
    #[prost(int32, tag = "1")]
    strategy_type: i32,
    #[prost(message, optional, tag = "2")]
    probabilistic: Option<Probabilistic>,
    #[prost(message, optional, tag = "3")]
    rate_limiting: Option<RateLimiting>,
    #[prost(message, optional, tag = "4")]
    operation: Option<PerOperation>,
}

#[derive(Clone, PartialEq, Message)]
struct Probabilistic {
    #[prost(double, tag = "1")]
    rate: f64,
}

#[derive(Clone, PartialEq, Message)]
struct RateLimiting {
    #[prost(int32, tag = "1")]
    traces: i32,
}

#[derive(Clone, PartialEq, Message)]
struct PerOperation {
    #[prost(double, tag = "1")]
    default: f64,
    #[prost(double, tag = "2")]
    lower: f64,
    #[prost(message, repeated, tag = "3")]
    each: Vec<One>,
    #[prost(double, tag = "4")]
    upper: f64,
}

#[derive(Clone, PartialEq, Message)]
struct One {
    #[prost(string, tag = "1")]
    operation: String,
    #[prost(message, optional, tag = "2")]
    probabilistic: Option<Probabilistic>,
}

#[test]
fn protobuf_is_what_others_decode() {
    let check = |strategy: Strategy, expected: Response| {
        assert_eq!(Response::decode(&strategy.to_proto()[..]).unwrap(), expected);
    };
    let rate = |rate| Some(Probabilistic { rate });
    check(Strategy::probabilistic(0.0), Response { probabilistic: rate(0.0), ..Response::default() });
    check(Strategy::probabilistic(0.25), Response { probabilistic: rate(0.25), ..Response::default() });
    let limited = Response {
        strategy_type: 1,
        rate_limiting: Some(RateLimiting { traces: 499 }),
        ..Response::default()
    };
    check(Strategy::rate_limiting(499), limited);
    let mut strategy = by_operation();
    strategy.operations.as_mut().unwrap().upper_bound = Some(2.0);
    let each = vec![
        One { operation: "GET /cart".to_owned(), probabilistic: rate(1.0) },
        One { operation: "GET \"/\"".to_owned(), probabilistic: rate(0.0) },
    ];
    let operation = PerOperation { default: 0.1, lower: 0.002, each, upper: 2.0 };
    check(strategy, Response { probabilistic: rate(0.1), operation: Some(operation), ..Response::default() });
}

#[test]
fn strategies_that_clients_cannot_follow_are_named() {
    let check = |change: fn(&mut Strategy), expected: &str| {
        let mut strategy = by_operation();
        change(&mut strategy);
        assert_eq!(strategy.check().unwrap_err().to_string(), expected);
    };
    assert_eq!(by_operation().check(), Ok(()));
    assert_eq!(Strategy::rate_limiting(499).check(), Ok(()));
    check(|s| *s = Strategy::probabilistic(1.5), "the probability 1.5 of the service, expected 0 to 1");
    check(|s| *s = Strategy::probabilistic(f64::NAN), "the probability NaN of the service, expected 0 to 1");
    check(|s| *s = Strategy::rate_limiting(500), "500 traces a second, expected at most 499");
    check(
        |s| s.operations.as_mut().unwrap().each[0].probability = -1.0,
        "the probability -1 of \"GET /cart\", expected 0 to 1",
    );
    check(
        |s| s.operations.as_mut().unwrap().default_probability = 2.0,
        "the probability 2 of operations that are not listed, expected 0 to 1",
    );
    check(
        |s| s.operations.as_mut().unwrap().lower_bound = -0.5,
        "-0.5 traces a second as the lower bound, expected a number from 0",
    );
    check(
        |s| s.operations.as_mut().unwrap().upper_bound = Some(f64::INFINITY),
        "inf traces a second as the upper bound, expected a number from 0",
    );
}

#[test]
fn requests_name_a_service() {
    assert_eq!(service(b"\x0a\x04shop"), Ok("shop"));
    assert_eq!(service(b"\x0a\x04shop\x12\x01x"), Ok("shop"));
    assert_eq!(service(b""), Ok(""));
    for wrong in [&b"\x0a\x09shop"[..], b"\x08\x01", b"\x0a\x01\xff", b"\xff"] {
        assert!(service(wrong).is_err(), "{wrong:?}");
    }
}
