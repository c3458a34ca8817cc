//! The example runs, and an engine behaves as a program that embeds it expects.

use spanloom_server::{Config, Engine, Refusal, SpanBatch, StartError, Tenant, TraceId};

#[path = "../examples/embedded.rs"]
#[allow(dead_code)]
mod example;

#[test]
fn the_example_runs() {
    example::main().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_has_one_engine_and_a_stopped_engine_takes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::builder().data_dir(dir.path()).start().await.unwrap();
    let second = Engine::builder().data_dir(dir.path()).start().await.err().unwrap();
    assert!(second.to_string().ends_with("another engine uses this directory"), "{second}");
    let nothing = engine.trace(&Tenant::default(), TraceId([1; 16])).await.unwrap();
    assert_eq!((nothing.trace, nothing.blocks), (None, 0));
    let refused = engine.push(&Tenant::default(), SpanBatch::from_otlp(vec![0xff])).await.unwrap_err();
    assert!(matches!(refused, Refusal::Invalid(_)), "{refused}");
    engine.stop().await.unwrap();
    engine.stop().await.unwrap();
    let refused = engine.push(&Tenant::default(), SpanBatch::from_otlp(Vec::new())).await.unwrap_err();
    assert_eq!(refused, Refusal::Stopping);
    drop(engine);
    assert!(Engine::builder().data_dir(dir.path()).start().await.is_ok());
}

#[tokio::test]
async fn a_wrong_configuration_starts_nothing() {
    let config = Config { listen_host: "nowhere".into(), ..Config::default() };
    let refused = Engine::builder().config(config).start().await.err().unwrap();
    assert!(matches!(refused, StartError::Config(_)), "{refused}");
}
