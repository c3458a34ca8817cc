//! `/api/service-graph`.

use super::*;
use crate::time::SECOND;

#[tokio::test]
async fn a_graph_has_nodes_and_edges() {
    let server = running(1);
    let got = server.get("/api/service-graph?start=1700000000&end=1700000060").await;
    let nodes = r#"[{"name":"a","kind":"service","spans":9,"errors":1},{"name":"db","kind":"database","spans":4,"errors":1}]"#;
    let edges = r#"[{"client":"a","server":"db","calls":4,"errors":2,"p50Ms":1.234,"p95Ms":9}]"#;
    let graph = |rest: &str| format!(r#"{{"nodes":{nodes},"edges":{edges},"traces":3,{rest}}}"#);
    assert_eq!(got.text(), graph(r#""complete":true"#));
    let asked = server.fake.graphs.lock().unwrap().pop().unwrap();
    assert_eq!((asked.start, asked.end), (1_700_000_000 * SECOND, 1_700_000_060 * SECOND));
    *server.fake.missing.lock().unwrap() = Some("n1 is down".into());
    let got = server.get("/api/service-graph").await;
    assert_eq!(got.text(), graph(r#""complete":false,"message":"n1 is down""#));
    assert_eq!(got.header(PARTIAL), "n1 is down");
    let got = server.get("/api/service-graph?start=5&end=4").await;
    assert_eq!(got.text(), "start is 5 and end is 4, expected end after start\n");
    server.end().await;
}
