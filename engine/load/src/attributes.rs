//! Which attributes a span carries, by its role and by the profile: OpenTelemetry's semantic conventions 1.3x.

use crate::topology::Language;

/// What a span does; it decides attributes and instrumentation library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Answers an HTTP request.
    HttpServer,
    /// Sends an HTTP request.
    HttpClient,
    /// Answers a gRPC call.
    GrpcServer,
    /// Makes a gRPC call.
    GrpcClient,
    /// Asks PostgreSQL.
    Sql,
    /// Asks Redis.
    Cache,
    /// Sends to a queue.
    Producer,
    /// Takes from a queue.
    Consumer,
    /// Works within the service.
    Internal,
}

/// The least profile that has an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Every profile.
    Small,
    /// Default and large.
    Default,
    /// Large alone.
    Large,
}

/// Where an attribute's value comes from.
#[derive(Debug, Clone, Copy)]
pub enum Source {
    /// Always the same string.
    Text(&'static str),
    /// Always the same number.
    Int(i64),
    /// Always the same truth.
    Truth(bool),
    /// One of these strings, the early ones more often.
    Pick(&'static [&'static str]),
    /// A string with drawn parts, see [`crate::pattern`].
    Pattern(&'static str),
    /// A number below this one.
    Below(u32),
    /// A log-normal number with this median, such as a size in bytes.
    Size(u32),
    /// A port from the ephemeral range, with its lowest number.
    EphemeralPort,
    /// A float: an amount of money.
    Amount,
    /// Something that the operation knows.
    Of(Known),
}

/// What an operation knows about itself, its outcome and its peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// HTTP method.
    Method,
    /// HTTP route.
    Route,
    /// Path of the URL, with its ids.
    Path,
    /// The whole URL.
    Url,
    /// HTTP status code: a good one, or one of the bad ones for a failed span.
    HttpStatus,
    /// gRPC service.
    Package,
    /// gRPC method.
    Function,
    /// gRPC status code, as [`Known::HttpStatus`].
    GrpcStatus,
    /// The kind of error; absent on good spans.
    ErrorType,
    /// Name of the service that answers.
    Server,
    /// Its port.
    ServerPort,
    /// Address of the other side's instance.
    PeerAddress,
    /// Database namespace.
    Database,
    /// Table or key family.
    Table,
    /// Database operation.
    Verb,
    /// Statement without its parameters.
    Summary,
    /// Statement with its literals.
    Literal,
    /// Topic of the queue.
    Topic,
    /// The function that does the work.
    Code,
}

/// One attribute of a role.
#[derive(Debug, Clone, Copy)]
pub struct Attribute {
    /// The least profile that has it.
    pub level: Level,
    /// On how many of 1000 spans it is.
    pub per_mille: u16,
    /// Its key.
    pub key: &'static str,
    /// Its value.
    pub source: Source,
}

use Level::{Default as D, Large as L, Small as S};
use Source::{Amount, Below, EphemeralPort, Int, Of, Pattern, Pick, Size, Text, Truth};

const fn a(level: Level, key: &'static str, source: Source) -> Attribute {
    Attribute { level, per_mille: 1000, key, source }
}

const fn some(level: Level, per_mille: u16, key: &'static str, source: Source) -> Attribute {
    Attribute { level, per_mille, key, source }
}

const AGENTS: &[&str] = &[
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "shop-android/7.12.1 (okhttp/5.1.0)",
    "shop-ios/7.11.0 CFNetwork/1498 Darwin/24.6.0",
    "kube-probe/1.33",
    "Prometheus/3.5.0",
];
const VARIANTS: &[&str] = &["control", "checkout-v2", "new-ranking", "fast-images", "one-page-cart"];
const CURRENCIES: &[&str] = &["EUR", "USD", "GBP", "SEK", "PLN", "CHF"];
const TYPES: &[&str] =
    &["application/json", "text/html; charset=utf-8", "application/x-protobuf", "image/webp"];
const REFERERS: &[&str] = &[
    "https://shop.example.com/",
    "https://shop.example.com/search?q=shoes&sort=price&page=2",
    "https://www.google.com/",
    "https://shop.example.com/cart",
    "https://newsletter.example.com/campaign/autumn?utm_source=mail&utm_medium=email&utm_campaign=autumn-sale",
];

/// What every span of the profile has in addition.
pub static COMMON: &[Attribute] = &[
    a(S, "thread.id", Below(48)),
    a(L, "session.id", Pattern("{session}")),
    a(L, "shop.request.id", Pattern("{uuid}")),
    a(L, "shop.feature.variant", Pick(VARIANTS)),
];

static HTTP_SERVER: &[Attribute] = &[
    a(S, "http.request.method", Of(Known::Method)),
    a(S, "http.route", Of(Known::Route)),
    a(S, "url.path", Of(Known::Path)),
    a(S, "http.response.status_code", Of(Known::HttpStatus)),
    a(S, "url.scheme", Text("http")),
    a(S, "network.peer.port", EphemeralPort),
    some(S, 1000, "error.type", Of(Known::ErrorType)),
    a(D, "server.address", Of(Known::Server)),
    a(D, "server.port", Of(Known::ServerPort)),
    a(D, "network.peer.address", Of(Known::PeerAddress)),
    a(D, "network.protocol.version", Text("1.1")),
    some(D, 700, "enduser.id", Pattern("{user}")),
    some(D, 250, "http.request.id", Pattern("{hex}")),
    a(L, "user_agent.original", Pick(AGENTS)),
    a(L, "url.full", Of(Known::Url)),
    a(L, "client.address", Pattern("{n:223}.{n:256}.{n:256}.{n:256}")),
    a(L, "http.request.header.referer", Pick(REFERERS)),
    a(
        L,
        "http.request.header.accept",
        Text("text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"),
    ),
    a(
        L,
        "http.request.header.x-forwarded-for",
        Pattern("{n:223}.{n:256}.{n:256}.{n:256}, 10.4.{n:8}.{n:250}"),
    ),
    a(L, "http.request.body.size", Size(600)),
    a(L, "http.response.body.size", Size(9_000)),
];

static HTTP_CLIENT: &[Attribute] = &[
    a(S, "http.request.method", Of(Known::Method)),
    a(S, "server.address", Of(Known::Server)),
    a(S, "server.port", Of(Known::ServerPort)),
    a(S, "http.response.status_code", Of(Known::HttpStatus)),
    a(S, "url.template", Of(Known::Route)),
    some(S, 1000, "error.type", Of(Known::ErrorType)),
    some(D, 600, "url.full", Of(Known::Url)),
    a(D, "url.scheme", Text("http")),
    a(D, "network.peer.address", Of(Known::PeerAddress)),
    a(D, "network.peer.port", Of(Known::ServerPort)),
    a(D, "network.protocol.version", Text("1.1")),
    some(D, 150, "http.request.resend_count", Below(3)),
    a(L, "url.path", Of(Known::Path)),
    a(L, "user_agent.original", Text("undici/7.16.0 node/24.9.0 (shop-http-client; keep-alive; pool=64)")),
    a(L, "http.request.header.traceparent", Pattern("00-{hex}{hex}-{hex}-01")),
    a(
        L,
        "http.request.header.authorization.subject",
        Pattern("spiffe://shop.example.com/ns/shop/sa/caller/user/{user}"),
    ),
    a(L, "http.response.header.content-type", Pick(TYPES)),
    a(L, "http.request.body.size", Size(600)),
    a(L, "http.response.body.size", Size(9_000)),
    a(L, "http.connection.state", Pick(&["active", "idle"])),
];

static GRPC_SERVER: &[Attribute] = &[
    a(S, "rpc.system", Text("grpc")),
    a(S, "rpc.service", Of(Known::Package)),
    a(S, "rpc.method", Of(Known::Function)),
    a(S, "rpc.grpc.status_code", Of(Known::GrpcStatus)),
    a(S, "server.address", Of(Known::Server)),
    a(S, "network.peer.port", EphemeralPort),
    a(D, "network.peer.address", Of(Known::PeerAddress)),
    a(D, "server.port", Of(Known::ServerPort)),
    a(D, "network.transport", Text("tcp")),
    some(D, 600, "enduser.id", Pattern("{user}")),
    some(D, 250, "rpc.request.id", Pattern("{hex}")),
    a(L, "rpc.grpc.request.metadata.user-agent", Text("grpc-go/1.75.1 (linux; amd64) shop-mesh/2.4")),
    a(L, "rpc.grpc.request.metadata.x-request-id", Pattern("{uuid}")),
    a(L, "rpc.grpc.request.metadata.authority", Text("dns:///shop-services.shop.svc.cluster.local:443")),
    a(L, "rpc.grpc.response.metadata.cost", Pattern("rows={n:500};bytes={n:90000};cache={n:2}")),
    a(L, "client.address", Of(Known::PeerAddress)),
    a(L, "rpc.message.received.size", Size(300)),
    a(L, "rpc.message.sent.size", Size(2_000)),
    a(L, "shop.payload.digest", Pattern("sha256:{hex}{hex}{hex}{hex}")),
];

static GRPC_CLIENT: &[Attribute] = &[
    a(S, "rpc.system", Text("grpc")),
    a(S, "rpc.service", Of(Known::Package)),
    a(S, "rpc.method", Of(Known::Function)),
    a(S, "rpc.grpc.status_code", Of(Known::GrpcStatus)),
    a(S, "server.address", Of(Known::Server)),
    a(S, "server.port", Of(Known::ServerPort)),
    a(D, "network.peer.address", Of(Known::PeerAddress)),
    a(D, "network.peer.port", Of(Known::ServerPort)),
    a(D, "network.transport", Text("tcp")),
    some(D, 300, "rpc.attempt", Below(3)),
    some(D, 500, "enduser.id", Pattern("{user}")),
    a(L, "rpc.grpc.request.metadata.user-agent", Text("grpc-go/1.75.1 (linux; amd64) shop-mesh/2.4")),
    a(L, "rpc.grpc.request.metadata.x-request-id", Pattern("{uuid}")),
    a(L, "rpc.grpc.request.metadata.authority", Text("dns:///shop-services.shop.svc.cluster.local:443")),
    a(L, "rpc.grpc.request.timeout", Pick(&["2000m", "500m", "10S"])),
    a(L, "rpc.message.sent.size", Size(300)),
    a(L, "rpc.message.received.size", Size(2_000)),
    a(L, "rpc.connection.id", Pattern("subchannel-{n:64}-{n:9000}")),
    a(L, "shop.payload.digest", Pattern("sha256:{hex}{hex}{hex}{hex}")),
];

static SQL: &[Attribute] = &[
    a(S, "db.system.name", Text("postgresql")),
    a(S, "db.namespace", Of(Known::Database)),
    a(S, "db.operation.name", Of(Known::Verb)),
    a(S, "db.collection.name", Of(Known::Table)),
    a(S, "server.address", Text("pg-main")),
    a(D, "db.query.text", Of(Known::Summary)),
    a(D, "server.port", Int(5432)),
    a(D, "network.peer.address", Text("10.4.0.17")),
    some(D, 600, "db.response.returned_rows", Below(40)),
    a(L, "db.query.literal", Of(Known::Literal)),
    a(L, "db.query.parameters", Pattern("[\"P{z:20000}\", \"{user}\", {n:90000}, \"eur\"]")),
    a(L, "db.user", Text("shop_rw")),
    a(L, "db.client.connection.pool.name", Pattern("pool-{n:4}-primary-rw")),
    a(L, "db.client.connection.wait_us", Size(40)),
    a(L, "db.query.plan.hash", Pattern("{hex}")),
    a(L, "db.transaction.id", Pattern("tx-{uuid}")),
    a(L, "network.peer.port", Int(5432)),
    a(L, "network.transport", Text("tcp")),
    a(
        L,
        "db.query.comment",
        Pattern(
            "/* traceparent='00-{hex}{hex}-{hex}-01', application='shop', driver='jdbc:postgresql:42.7.8', route='%2Fapi' */",
        ),
    ),
];

static CACHE: &[Attribute] = &[
    a(S, "db.system.name", Text("redis")),
    a(S, "db.namespace", Of(Known::Database)),
    a(S, "db.operation.name", Of(Known::Verb)),
    a(S, "server.address", Text("redis-cache-master")),
    a(S, "server.port", Int(6379)),
    a(D, "db.query.text", Of(Known::Literal)),
    a(D, "network.peer.address", Text("10.4.0.23")),
    a(D, "network.peer.port", Int(6379)),
    a(D, "network.transport", Text("tcp")),
    a(D, "db.redis.hit", Truth(true)),
    some(D, 300, "db.response.size", Size(900)),
    a(L, "db.query.summary", Of(Known::Summary)),
    a(L, "db.client.connection.pool.name", Pattern("redis-{n:4}-primary")),
    a(L, "db.redis.key", Of(Known::Literal)),
    a(L, "db.redis.ttl_s", Below(86_400)),
    a(L, "db.redis.node", Pattern("redis-cache-{n:6}.redis-headless.shop.svc.cluster.local:6379")),
    a(L, "db.redis.slot", Below(16_384)),
    a(L, "network.connection.id", Pattern("{uuid}")),
];

static PRODUCER: &[Attribute] = &[
    a(S, "messaging.system", Text("kafka")),
    a(S, "messaging.destination.name", Of(Known::Topic)),
    a(S, "messaging.operation.type", Text("send")),
    a(S, "server.address", Text("kafka")),
    a(D, "messaging.kafka.message.key", Pattern("{user}")),
    a(D, "messaging.destination.partition.id", Pattern("{n:24}")),
    a(D, "messaging.kafka.offset", Pattern("{n:90000000}")),
    a(D, "messaging.client.id", Text("checkout-producer-1")),
    a(L, "messaging.message.id", Pattern("{uuid}")),
    a(L, "messaging.message.body.size", Size(1_200)),
    a(
        L,
        "messaging.kafka.headers",
        Pattern(
            "content-type=application/x-protobuf;schema=shop.OrderPlaced/v3;traceparent=00-{hex}{hex}-{hex}-01;user={user}",
        ),
    ),
    a(L, "messaging.kafka.acks", Text("all")),
    a(L, "shop.order.id", Pattern("{uuid}")),
];

static CONSUMER: &[Attribute] = &[
    a(S, "messaging.system", Text("kafka")),
    a(S, "messaging.destination.name", Of(Known::Topic)),
    a(S, "messaging.operation.type", Text("process")),
    a(S, "messaging.consumer.group.name", Of(Known::Server)),
    a(D, "messaging.destination.partition.id", Pattern("{n:24}")),
    a(D, "messaging.kafka.offset", Pattern("{n:90000000}")),
    a(D, "messaging.batch.message_count", Below(100)),
    a(D, "server.address", Text("kafka")),
    a(L, "messaging.message.id", Pattern("{uuid}")),
    a(L, "messaging.message.body.size", Size(1_200)),
    a(
        L,
        "messaging.kafka.headers",
        Pattern(
            "content-type=application/x-protobuf;schema=shop.OrderPlaced/v3;traceparent=00-{hex}{hex}-{hex}-01;user={user}",
        ),
    ),
    a(L, "messaging.kafka.lag", Size(30)),
    a(L, "shop.order.id", Pattern("{uuid}")),
];

static INTERNAL: &[Attribute] = &[
    a(S, "code.function.name", Of(Known::Code)),
    a(S, "code.namespace", Of(Known::Server)),
    a(S, "shop.items", Below(12)),
    a(S, "shop.currency", Pick(CURRENCIES)),
    a(S, "shop.channel", Pick(&["web", "android", "ios", "partner"])),
    some(D, 700, "enduser.id", Pattern("{user}")),
    a(
        D,
        "shop.customer.country",
        Pick(&["DE", "US", "FR", "GB", "NL", "PL", "SE", "IT", "ES", "CH", "AT", "DK"]),
    ),
    a(D, "shop.total", Amount),
    a(D, "shop.feature.enabled", Truth(true)),
    a(D, "shop.experiment", Pick(VARIANTS)),
    some(D, 400, "shop.cart.id", Pattern("{hex}")),
    a(D, "code.line.number", Below(400)),
    a(L, "shop.order.id", Pattern("{uuid}")),
    a(
        L,
        "shop.payload",
        Pattern(
            "{\"user\":{user},\"items\":[{\"sku\":\"SKU-{z:20000}\",\"qty\":{n:9}},{\"sku\":\"SKU-{z:20000}\",\"qty\":{n:9}}],\"coupon\":null,\"shipping\":\"standard\",\"gift\":false}",
        ),
    ),
    a(L, "shop.template", Text("storefront/pages/product/detail.page.tsx")),
    a(L, "shop.cache.key", Pattern("page:v3:product:P{z:20000}:eur:de:desktop")),
    a(
        L,
        "shop.rules.applied",
        Text("free-shipping-over-50,autumn-sale,loyalty-points,bundle-discount,vat-eu"),
    ),
    a(L, "shop.warehouse", Pick(&["leipzig-2", "lodz-1", "orleans-4", "coventry-1"])),
];

/// The attributes of a role, beside [`COMMON`].
pub fn of_role(role: Role) -> &'static [Attribute] {
    match role {
        Role::HttpServer => HTTP_SERVER,
        Role::HttpClient => HTTP_CLIENT,
        Role::GrpcServer => GRPC_SERVER,
        Role::GrpcClient => GRPC_CLIENT,
        Role::Sql => SQL,
        Role::Cache => CACHE,
        Role::Producer => PRODUCER,
        Role::Consumer => CONSUMER,
        Role::Internal => INTERNAL,
    }
}

/// What the log events of a span say (`large` has one to four of them on each span).
pub static LOGS: &[&str] = &[
    "request accepted: user={user} session={session} cell=c{n:12} region=eu-west-1 release=2026.11.3 queue_depth={n:40} deadline_ms={n:5000} retries_left=3 budget=default",
    "cache lookup for key page:v3:product:P{z:20000}:eur:de:desktop missed after {n:900} us; falling back to primary, hedge disabled by policy shop/standard (circuit closed, {n:64} in flight)",
    "response assembled from {n:30} fragments, {n:90000} bytes before compression, etag W/\"{hex}\", served by cell c{n:12}; slowest fragment product-tile-{n:200} took {n:4000} us",
    "pool shop-primary: acquired connection {n:64} after {n:3000} us (idle={n:32}, waiting={n:8}, max=64), statement cache hit, server version 17.6, application shop, snapshot {hex}",
];

/// The library that makes spans of a role in a language, and its version. Internal spans come from the
/// service's own tracer, which the caller names.
pub fn library(language: Language, role: Role) -> (&'static str, &'static str) {
    use Language::{Dotnet, Go, Java, Node, Python, Rust};
    let http = matches!(role, Role::HttpServer | Role::HttpClient);
    let rpc = matches!(role, Role::GrpcServer | Role::GrpcClient);
    let queue = matches!(role, Role::Producer | Role::Consumer);
    match (language, role) {
        (_, Role::Internal) => ("", ""),
        (Go, _) if http => ("go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp", "0.63.0"),
        (Go, _) if rpc => {
            ("go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc", "0.63.0")
        }
        (Go, _) if queue => ("github.com/twmb/franz-go/plugin/kotel", "1.6.0"),
        (Go, Role::Cache) => ("github.com/redis/go-redis/extra/redisotel", "9.14.0"),
        (Go, _) => ("github.com/XSAM/otelsql", "0.39.0"),
        (Java, _) if http => ("io.opentelemetry.tomcat-10.0", "2.20.1-alpha"),
        (Java, _) if rpc => ("io.opentelemetry.grpc-1.6", "2.20.1-alpha"),
        (Java, _) if queue => ("io.opentelemetry.kafka-clients-2.6", "2.20.1-alpha"),
        (Java, Role::Cache) => ("io.opentelemetry.lettuce-5.1", "2.20.1-alpha"),
        (Java, _) => ("io.opentelemetry.jdbc", "2.20.1-alpha"),
        (Node, _) if http => ("@opentelemetry/instrumentation-http", "0.205.0"),
        (Node, _) if rpc => ("@opentelemetry/instrumentation-grpc", "0.205.0"),
        (Node, _) if queue => ("@opentelemetry/instrumentation-kafkajs", "0.14.0"),
        (Node, Role::Cache) => ("@opentelemetry/instrumentation-ioredis", "0.53.0"),
        (Node, _) => ("@opentelemetry/instrumentation-pg", "0.58.0"),
        (Python, _) if http => ("opentelemetry.instrumentation.fastapi", "0.58b0"),
        (Python, _) if rpc => ("opentelemetry.instrumentation.grpc", "0.58b0"),
        (Python, _) if queue => ("opentelemetry.instrumentation.kafka", "0.58b0"),
        (Python, Role::Cache) => ("opentelemetry.instrumentation.redis", "0.58b0"),
        (Python, _) => ("opentelemetry.instrumentation.psycopg", "0.58b0"),
        (Dotnet, _) if rpc => ("OpenTelemetry.Instrumentation.GrpcNetClient", "1.12.0-beta.1"),
        (Dotnet, Role::Cache) => ("OpenTelemetry.Instrumentation.StackExchangeRedis", "1.12.0-beta.2"),
        (Dotnet, _) => ("Microsoft.AspNetCore", "9.0.9"),
        (Rust, _) => ("tower-otel", "0.7.0"),
    }
}

/// The exception of a failed span: type, message and first frames of the stack.
pub fn exception(language: Language) -> [&'static str; 3] {
    match language {
        Language::Go => {
            ["*status.Error", "rpc error: code = Unavailable desc = upstream connect error", GO_STACK]
        }
        Language::Java => [
            "java.sql.SQLTransientConnectionException",
            "connection is not available, request timed out after 3000ms",
            JAVA_STACK,
        ],
        Language::Node => ["Error", "connect ECONNREFUSED 10.4.0.17:5432", NODE_STACK],
        Language::Python => {
            ["psycopg.OperationalError", "server closed the connection unexpectedly", PYTHON_STACK]
        }
        Language::Dotnet => {
            ["StackExchange.Redis.RedisTimeoutException", "Timeout awaiting response (5000ms)", DOTNET_STACK]
        }
        Language::Rust => ["tonic::Status", "deadline has elapsed", RUST_STACK],
    }
}

const GO_STACK: &str = "goroutine 4711 [running]:\nruntime/debug.Stack()\n\t/usr/local/go/src/runtime/debug/stack.go:26 +0x5e\nshop/internal/rpc.(*client).invoke(0xc0004d2000, {0x1a2b3c8, 0xc0009f6090})\n\t/src/internal/rpc/client.go:118 +0x2f1";
const JAVA_STACK: &str = "java.sql.SQLTransientConnectionException: connection is not available\n\tat com.zaxxer.hikari.pool.HikariPool.createTimeoutException(HikariPool.java:686)\n\tat com.zaxxer.hikari.pool.HikariPool.getConnection(HikariPool.java:179)\n\tat shop.inventory.StockRepository.reserve(StockRepository.java:94)";
const NODE_STACK: &str = "Error: connect ECONNREFUSED 10.4.0.17:5432\n    at TCPConnectWrap.afterConnect [as oncomplete] (node:net:1611:16)\n    at async Pool.query (/app/node_modules/pg-pool/index.js:45:11)";
const PYTHON_STACK: &str = "Traceback (most recent call last):\n  File \"/app/users/store.py\", line 212, in fetch\n    row = await cur.fetchone()\n  File \"/usr/lib/python3.13/site-packages/psycopg/cursor_async.py\", line 230, in fetchone\npsycopg.OperationalError: server closed the connection unexpectedly";
const DOTNET_STACK: &str = "StackExchange.Redis.RedisTimeoutException: Timeout awaiting response (5000ms)\n   at Shop.Cart.Store.RedisCartStore.GetCartAsync(String userId) in /src/Store/RedisCartStore.cs:line 131";
const RUST_STACK: &str = "   0: shipping::quote::remote\n             at src/quote.rs:88:13\n   1: tokio::runtime::task::harness::poll_future\n   2: std::thread::scoped::scoped";
