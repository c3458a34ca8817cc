//! `/ring`, `/memberlist`, `/ring/forget`.

use super::*;

fn clustered() -> Running {
    let member = |name: &str, status: &str| ClusterMember {
        name: name.into(),
        state: "active".into(),
        status: status.into(),
        owned_percent: 50.0,
        tokens: Some(vec![7, 8]),
        ..ClusterMember::default()
    };
    let members = vec![member("n-0", "up"), member("n-1", "down")];
    let cluster = ClusterPage { enabled: true, me: "n-0".into(), members, ..ClusterPage::default() };
    start(ApiConfig::default(), Fake { cluster, ..Fake::default() })
}

#[tokio::test]
async fn pages_are_html_for_browsers_and_json_for_programs() {
    let running = clustered();
    let json = [("Accept", "application/json")];
    for path in ["/ring", "/memberlist"] {
        let html = running.get(path).await;
        assert_eq!((html.status, html.header("content-type")), (StatusCode::OK, "text/html; charset=utf-8"));
        assert!(html.text().contains("n-1") && !html.text().contains("alone"), "{}", html.text());
        let by_header = running.ask(false, Method::GET, path, &json).await;
        let by_param = running.get(&format!("{path}?format=json")).await;
        assert_eq!((by_header.header("content-type"), &by_header.body), ("application/json", &by_param.body));
        let page: ClusterPage = serde_json::from_slice(&by_header.body).unwrap();
        assert_eq!((page.me.as_str(), page.members.len(), &page.members[1].tokens), ("n-0", 2, &None));
    }
    let ring = running.get("/ring").await;
    assert_eq!(ring.text().matches("<button>Forget</button>").count(), 1, "of the one that is down");
    let tokens = running.get("/ring?tokens=true&format=json").await;
    let page: ClusterPage = serde_json::from_slice(&tokens.body).unwrap();
    assert_eq!(page.members[1].tokens, Some(vec![7, 8]));
    let wrong = running.get("/ring?format=xml").await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    assert_eq!(wrong.text(), "format is \"xml\", expected json or html\n");
    running.end().await;
}

#[tokio::test]
async fn a_node_that_is_alone_says_so() {
    let running = running(0);
    for path in ["/ring", "/memberlist"] {
        let html = running.get(path).await;
        assert_eq!(html.status, StatusCode::OK);
        assert!(html.text().contains("This node is alone"), "{}", html.text());
    }
    let page: ClusterPage = serde_json::from_slice(&running.get("/ring?format=json").await.body).unwrap();
    assert!(!page.enabled && page.members.is_empty());
    running.end().await;
}

#[tokio::test]
async fn a_node_is_forgotten_by_its_name() {
    let running = clustered();
    let check = async |path: &str, headers: &[(&str, &str)], status: u16, part: &str| {
        let got = running.ask(false, Method::POST, path, headers).await;
        assert_eq!(got.status.as_u16(), status, "{path}: {}", got.text());
        assert!(got.text().contains(part), "{path}: {}", got.text());
        got
    };
    check("/ring/forget?node=n-1", &[], 202, "n-1 is being removed").await;
    check("/ring/forget?node=n-9", &[], 400, "no node named n-9").await;
    check("/ring/forget", &[], 400, "node is missing").await;
    let browser = check("/ring/forget?node=n-1", &[("Accept", "text/html,*/*")], 303, "").await;
    assert_eq!(browser.header("location"), "/ring");
    let got = running.get("/ring/forget?node=n-1").await;
    assert_eq!(got.status, StatusCode::METHOD_NOT_ALLOWED);
    running.end().await;
}
