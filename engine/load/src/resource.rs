//! The resource of each instance: who runs where.

use spanloom_span::proto::put_message;

use crate::attributes::Level;
use crate::encode;
use crate::random::splitmix;
use crate::topology::{Language, Service};

/// The `resource` field of an instance's `ResourceSpans`.
pub fn encode(service: &Service, pod: u8, address: &str, level: Level) -> Vec<u8> {
    let seed = service.name.bytes().fold(u64::from(pod), |sum, b| splitmix(sum ^ u64::from(b)));
    let (language, runtime, runtime_version) = language(service.language);
    let pod_name = format!("{}-{:09x}-{:05x}", service.name, splitmix(seed >> 9) >> 28, splitmix(seed) >> 44);
    let node = format!("ip-10-4-{}-{}.eu-west-1.compute.internal", seed % 4, seed % 250);
    let mut list: Vec<(Level, &str, String)> = vec![
        (Level::Small, "service.name", service.name.to_owned()),
        (Level::Small, "service.namespace", "shop".to_owned()),
        (Level::Small, "service.version", service.version.to_owned()),
        (Level::Small, "service.instance.id", pod_name.clone()),
        (Level::Small, "deployment.environment.name", "production".to_owned()),
        (Level::Small, "telemetry.sdk.name", "opentelemetry".to_owned()),
        (Level::Small, "telemetry.sdk.language", language.to_owned()),
        (Level::Small, "telemetry.sdk.version", "1.38.0".to_owned()),
        (Level::Default, "k8s.namespace.name", "shop".to_owned()),
        (Level::Default, "k8s.pod.name", pod_name),
        (Level::Default, "k8s.node.name", node.clone()),
        (Level::Default, "cloud.region", "eu-west-1".to_owned()),
        (Level::Large, "k8s.cluster.name", "shop-prod-1".to_owned()),
        (Level::Large, "k8s.deployment.name", service.name.to_owned()),
        (Level::Large, "k8s.pod.ip", address.to_owned()),
        (Level::Large, "host.name", node),
        (Level::Large, "os.type", "linux".to_owned()),
        (Level::Large, "container.id", (0..4).map(|i| format!("{:016x}", splitmix(seed ^ i))).collect()),
        (Level::Large, "process.runtime.name", runtime.to_owned()),
        (Level::Large, "process.runtime.version", runtime_version.to_owned()),
    ];
    list.retain(|(least, ..)| *least <= level);
    let mut out = Vec::new();
    put_message(&mut out, 1, |o| {
        for (_, key, value) in &list {
            put_message(o, 1, |kv| encode::text_body(kv, key, value));
        }
        if level >= Level::Default {
            put_message(o, 1, |kv| encode::int_body(kv, "process.pid", i64::from(seed as u16 % 40 + 1)));
        }
    });
    out
}

fn language(language: Language) -> (&'static str, &'static str, &'static str) {
    match language {
        Language::Go => ("go", "go", "go1.25.1"),
        Language::Java => ("java", "OpenJDK Runtime Environment", "21.0.8+9-LTS"),
        Language::Node => ("nodejs", "nodejs", "24.9.0"),
        Language::Python => ("python", "cpython", "3.13.7"),
        Language::Dotnet => ("dotnet", ".NET", "9.0.9"),
        Language::Rust => ("rust", "rustc", "1.90.0"),
    }
}
