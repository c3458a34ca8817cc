//! The web shop whose traffic is generated: seventeen services in six languages, PostgreSQL, Redis and a queue.
//!
//! Health checks and cached pages give traces of one to three spans, browsing gives ten to thirty, a checkout
//! about sixty, and nightly batches several hundred: a mean near 15 with a long tail.

use crate::topology::{Call, Entry, Language, Operation, Pace, Protocol, Query, Service, Step, Times, Work};

macro_rules! service {
    ($id:ident, $name:literal, $language:ident, $version:literal, $pods:literal, $port:literal) => {
        static $id: Service = Service {
            name: $name,
            language: Language::$language,
            version: $version,
            pods: $pods,
            port: $port,
        };
    };
}

service!(FRONTEND, "frontend", Node, "3.41.2", 4, 8080);
service!(GATEWAY, "gateway", Go, "1.18.0", 4, 8000);
service!(CATALOG, "catalog", Go, "2.7.1", 4, 3550);
service!(CART, "cart", Dotnet, "1.12.3", 3, 7070);
service!(CHECKOUT, "checkout", Go, "4.2.0", 3, 5050);
service!(PAYMENT, "payment", Node, "2.0.9", 3, 50051);
service!(INVENTORY, "inventory", Java, "5.1.4", 3, 9090);
service!(SHIPPING, "shipping", Rust, "0.9.2", 2, 50052);
service!(USER, "user", Python, "1.30.5", 3, 8081);
service!(RECOMMENDATION, "recommendation", Python, "0.24.0", 2, 9001);
service!(ADS, "ads", Java, "1.5.0", 2, 9555);
service!(CURRENCY, "currency", Rust, "1.0.4", 2, 7001);
service!(SEARCH, "search", Java, "3.3.3", 2, 9200);
service!(FRAUD, "fraud", Python, "0.8.8", 2, 9300);
service!(EMAIL, "email", Node, "1.1.1", 2, 6060);
service!(ORDERS, "order-worker", Java, "2.2.0", 2, 8085);
service!(BATCH, "price-batch", Python, "0.3.7", 1, 8090);

const fn once(step: Step) -> Call {
    Call { per_mille: 1000, times: Times::Once, step }
}

const fn maybe(per_mille: u16, step: Step) -> Call {
    Call { per_mille, times: Times::Once, step }
}

const fn each(median: u32, most: u32, step: Step) -> Call {
    Call { per_mille: 1000, times: Times::Each(median, most), step }
}

const fn together(median: u32, most: u32, step: Step) -> Call {
    Call { per_mille: 1000, times: Times::Together(median, most), step }
}

macro_rules! query {
    ($id:ident, $system:literal, $database:literal, $table:literal, $verb:literal, $summary:literal, $literal:literal, $us:literal) => {
        static $id: Query = Query {
            system: $system,
            database: $database,
            table: $table,
            verb: $verb,
            summary: $summary,
            literal: $literal,
            pace: Pace($us, 1.1),
        };
    };
}

query!(
    SELECT_PRODUCT,
    "postgresql",
    "catalog",
    "products",
    "SELECT",
    "SELECT id, name, price FROM products WHERE id = $1",
    "SELECT id, name, description, price_units, price_nanos, picture, categories, updated_at FROM products WHERE id = 'P{z:20000}' AND deleted_at IS NULL",
    640
);
query!(
    LIST_PRODUCTS,
    "postgresql",
    "catalog",
    "products",
    "SELECT",
    "SELECT id, name FROM products WHERE category = $1 LIMIT $2",
    "SELECT p.id, p.name, p.price_units, p.price_nanos, p.picture FROM products p JOIN product_categories c ON c.product_id = p.id WHERE c.category = '{n:24}' ORDER BY p.rank DESC LIMIT 40 OFFSET {n:400}",
    2_100
);
query!(
    SELECT_STOCK,
    "postgresql",
    "inventory",
    "stock",
    "SELECT",
    "SELECT quantity FROM stock WHERE sku = $1 FOR UPDATE",
    "SELECT s.quantity, s.reserved, s.warehouse_id, w.region FROM stock s JOIN warehouses w ON w.id = s.warehouse_id WHERE s.sku = 'SKU-{z:20000}' FOR UPDATE",
    900
);
query!(
    UPDATE_STOCK,
    "postgresql",
    "inventory",
    "stock",
    "UPDATE",
    "UPDATE stock SET reserved = reserved + $1 WHERE sku = $2",
    "UPDATE stock SET reserved = reserved + {n:5}, updated_at = now() WHERE sku = 'SKU-{z:20000}' AND warehouse_id = {n:12} RETURNING quantity, reserved",
    1_200
);
query!(
    SELECT_USER,
    "postgresql",
    "users",
    "accounts",
    "SELECT",
    "SELECT id, email, tier FROM accounts WHERE id = $1",
    "SELECT accounts.id, accounts.email, accounts.tier, accounts.created_at, accounts.locale FROM accounts WHERE accounts.id = {user} LIMIT 1",
    700
);
query!(
    INSERT_ORDER,
    "postgresql",
    "orders",
    "orders",
    "INSERT",
    "INSERT INTO orders (id, user_id, total) VALUES ($1, $2, $3)",
    "INSERT INTO orders (id, user_id, total_units, currency, status, created_at) VALUES ('{uuid}', {user}, {n:90000}, 'EUR', 'pending', now()) RETURNING id",
    1_500
);
query!(
    SELECT_PRICE,
    "postgresql",
    "catalog",
    "prices",
    "SELECT",
    "SELECT amount FROM prices WHERE product_id = $1",
    "SELECT amount, currency, valid_from, valid_to FROM prices WHERE product_id = 'P{z:20000}' AND valid_from <= now() ORDER BY valid_from DESC LIMIT 1",
    500
);
query!(
    UPDATE_PRICE,
    "postgresql",
    "catalog",
    "prices",
    "UPDATE",
    "UPDATE prices SET amount = $1 WHERE product_id = $2",
    "UPDATE prices SET amount = {n:90000}, updated_at = now(), updated_by = 'price-batch' WHERE product_id = 'P{z:20000}' AND currency = 'EUR'",
    800
);
query!(GET_CART, "redis", "0", "cart", "HGETALL", "HGETALL cart:?", "HGETALL cart:{user}", 210);
query!(SET_CART, "redis", "0", "cart", "HSET", "HSET cart:? ? ?", "HSET cart:{user} P{z:20000} {n:9}", 240);
query!(GET_SESSION, "redis", "1", "session", "GET", "GET session:?", "GET session:{session}", 180);
query!(GET_PAGE, "redis", "2", "page", "GET", "GET page:?", "GET page:v3:product:P{z:20000}:eur", 170);

macro_rules! work {
    ($id:ident, $name:literal, $function:literal, $us:literal, [$($call:expr),*]) => {
        static $id: Work =
            Work { name: $name, function: $function, pace: Pace($us, 1.2), calls: &[$($call),*] };
    };
}

work!(RENDER, "render page", "renderToPipeableStream", 3_800, []);
work!(AUTHORIZE, "authorize", "middleware.Authorize", 90, [maybe(450, Step::Read(&GET_SESSION))]);
work!(
    PREPARE,
    "prepare order",
    "prepareOrderItems",
    260,
    [each(3, 40, Step::Ask(&GET_PRODUCT)), each(3, 40, Step::Ask(&CONVERT))]
);
work!(SCORE, "score order", "model.score", 5_200, []);
work!(RANK, "rank candidates", "rank_candidates", 2_400, []);
work!(QUOTE, "calculate quote", "quote::calculate", 120, []);
work!(CHARGE, "charge card", "chargeCard", 900, []);
work!(FILL, "fill template", "renderTemplate", 1_100, []);
work!(
    CHUNK,
    "update chunk",
    "tasks.update_chunk",
    1_900,
    [each(6, 60, Step::Read(&SELECT_PRICE)), each(4, 30, Step::Read(&UPDATE_PRICE))]
);
work!(INDEX, "index document", "DocumentIndexer.index", 700, [maybe(800, Step::Ask(&GET_PRODUCT))]);

macro_rules! grpc {
    ($id:ident, $service:ident, $package:literal, $method:literal, $us:literal, [$($call:expr),*]) => {
        static $id: Operation = Operation {
            service: &$service,
            protocol: Protocol::Grpc($package, $method),
            pace: Pace($us, 1.0),
            calls: &[$($call),*],
        };
    };
}

grpc!(GET_PRODUCT, CATALOG, "shop.Catalog", "GetProduct", 180, [once(Step::Read(&SELECT_PRODUCT))]);
grpc!(
    LIST,
    CATALOG,
    "shop.Catalog",
    "ListProducts",
    420,
    [once(Step::Read(&LIST_PRODUCTS)), maybe(300, Step::Read(&SELECT_PRICE))]
);
grpc!(GET_ITEMS, CART, "shop.Cart", "GetCart", 150, [once(Step::Read(&GET_CART))]);
grpc!(
    ADD_ITEM,
    CART,
    "shop.Cart",
    "AddItem",
    190,
    [once(Step::Read(&GET_CART)), once(Step::Read(&SET_CART))]
);
grpc!(EMPTY_CART, CART, "shop.Cart", "EmptyCart", 140, [once(Step::Read(&SET_CART))]);
grpc!(
    RESERVE,
    INVENTORY,
    "shop.Inventory",
    "Reserve",
    600,
    [each(2, 20, Step::Read(&SELECT_STOCK)), once(Step::Read(&UPDATE_STOCK))]
);
grpc!(STOCK, INVENTORY, "shop.Inventory", "GetStock", 300, [once(Step::Read(&SELECT_STOCK))]);
grpc!(SHIP_QUOTE, SHIPPING, "shop.Shipping", "GetQuote", 210, [once(Step::Do(&QUOTE))]);
grpc!(SHIP_ORDER, SHIPPING, "shop.Shipping", "ShipOrder", 450, []);
grpc!(
    RECOMMEND,
    RECOMMENDATION,
    "shop.Recommendation",
    "List",
    800,
    [once(Step::Do(&RANK)), maybe(500, Step::Ask(&LIST))]
);
grpc!(GET_ADS, ADS, "shop.Ads", "GetAds", 350, []);
grpc!(CONVERT, CURRENCY, "shop.Currency", "Convert", 40, []);
grpc!(FIND, SEARCH, "shop.Search", "Find", 3_600, [each(1, 3, Step::Ask(&LIST))]);
grpc!(
    CHECK_FRAUD,
    FRAUD,
    "shop.Fraud",
    "Check",
    900,
    [once(Step::Do(&SCORE)), maybe(700, Step::Read(&SELECT_USER))]
);
grpc!(
    PAY,
    PAYMENT,
    "shop.Payment",
    "Charge",
    700,
    [once(Step::Ask(&CHECK_FRAUD)), once(Step::Do(&CHARGE)), once(Step::Ask(&BANK))]
);
grpc!(
    PLACE,
    CHECKOUT,
    "shop.Checkout",
    "PlaceOrder",
    800,
    [
        once(Step::Ask(&GET_ITEMS)),
        once(Step::Do(&PREPARE)),
        once(Step::Ask(&SHIP_QUOTE)),
        each(2, 20, Step::Ask(&RESERVE)),
        once(Step::Ask(&PAY)),
        once(Step::Read(&INSERT_ORDER)),
        once(Step::Ask(&SHIP_ORDER)),
        once(Step::Ask(&EMPTY_CART)),
        once(Step::Ask(&ORDER_PLACED)),
        maybe(800, Step::Ask(&SEND_EMAIL))
    ]
);

macro_rules! http {
    ($id:ident, $service:ident, $method:literal, $route:literal, $path:literal, $us:literal, [$($call:expr),*]) => {
        static $id: Operation = Operation {
            service: &$service,
            protocol: Protocol::Http($method, $route, $path),
            pace: Pace($us, 1.1),
            calls: &[$($call),*],
        };
    };
}

http!(BANK, PAYMENT, "POST", "/v2/charges", "/v2/charges", 21_000, []);
http!(
    PROFILE,
    USER,
    "GET",
    "/users/{id}",
    "/users/{user}",
    500,
    [maybe(600, Step::Read(&GET_SESSION)), once(Step::Read(&SELECT_USER))]
);
http!(SEND_EMAIL, EMAIL, "POST", "/send", "/send", 1_400, [once(Step::Do(&FILL))]);

http!(
    API_PRODUCT,
    GATEWAY,
    "GET",
    "/api/products/{id}",
    "/api/products/P{z:20000}",
    220,
    [once(Step::Do(&AUTHORIZE)), once(Step::Ask(&GET_PRODUCT)), maybe(500, Step::Ask(&STOCK))]
);
http!(
    API_LIST,
    GATEWAY,
    "GET",
    "/api/products",
    "/api/products",
    260,
    [once(Step::Do(&AUTHORIZE)), once(Step::Ask(&LIST)), maybe(300, Step::Ask(&CONVERT))]
);
http!(
    API_CART,
    GATEWAY,
    "GET",
    "/api/cart",
    "/api/cart",
    200,
    [once(Step::Do(&AUTHORIZE)), once(Step::Ask(&GET_ITEMS)), together(2, 30, Step::Ask(&GET_PRODUCT))]
);
http!(
    API_ADD,
    GATEWAY,
    "POST",
    "/api/cart",
    "/api/cart",
    240,
    [once(Step::Do(&AUTHORIZE)), once(Step::Ask(&GET_PRODUCT)), once(Step::Ask(&ADD_ITEM))]
);
http!(
    API_SEARCH,
    GATEWAY,
    "GET",
    "/api/search",
    "/api/search",
    260,
    [once(Step::Do(&AUTHORIZE)), once(Step::Ask(&FIND))]
);
http!(
    API_CHECKOUT,
    GATEWAY,
    "POST",
    "/api/checkout",
    "/api/checkout",
    300,
    [once(Step::Do(&AUTHORIZE)), once(Step::Ask(&PROFILE)), once(Step::Ask(&PLACE))]
);

http!(HEALTH, GATEWAY, "GET", "/healthz", "/healthz", 30, []);
http!(READY, CATALOG, "GET", "/readyz", "/readyz", 40, [maybe(400, Step::Read(&SELECT_PRODUCT))]);
http!(ASSET, FRONTEND, "GET", "/assets/*", "/assets/app.{n:40}.js", 300, [maybe(350, Step::Read(&GET_PAGE))]);
http!(
    HOME,
    FRONTEND,
    "GET",
    "/",
    "/",
    700,
    [
        together(1, 2, Step::Ask(&API_LIST)),
        maybe(700, Step::Ask(&RECOMMEND)),
        maybe(800, Step::Ask(&GET_ADS)),
        maybe(600, Step::Ask(&PROFILE)),
        once(Step::Do(&RENDER))
    ]
);
http!(
    PRODUCT,
    FRONTEND,
    "GET",
    "/product/{id}",
    "/product/P{z:20000}",
    600,
    [
        once(Step::Read(&GET_PAGE)),
        once(Step::Ask(&API_PRODUCT)),
        maybe(400, Step::Ask(&RECOMMEND)),
        maybe(700, Step::Ask(&GET_ADS)),
        once(Step::Do(&RENDER))
    ]
);
http!(
    SHOW_CART,
    FRONTEND,
    "GET",
    "/cart",
    "/cart",
    500,
    [once(Step::Ask(&API_CART)), once(Step::Do(&RENDER))]
);
http!(ADD, FRONTEND, "POST", "/cart", "/cart", 400, [once(Step::Ask(&API_ADD))]);
http!(
    LOOK,
    FRONTEND,
    "GET",
    "/search",
    "/search",
    500,
    [once(Step::Ask(&API_SEARCH)), once(Step::Do(&RENDER))]
);
http!(
    BUY,
    FRONTEND,
    "POST",
    "/checkout",
    "/checkout",
    800,
    [once(Step::Ask(&API_CHECKOUT)), once(Step::Do(&RENDER))]
);

macro_rules! queue {
    ($id:ident, $service:ident, $topic:literal, $us:literal, [$($call:expr),*]) => {
        static $id: Operation = Operation {
            service: &$service,
            protocol: Protocol::Queue($topic),
            pace: Pace($us, 1.3),
            calls: &[$($call),*],
        };
    };
}

queue!(
    ORDER_PLACED,
    ORDERS,
    "orders",
    1_100,
    [once(Step::Read(&INSERT_ORDER)), maybe(300, Step::Ask(&STOCK))]
);
queue!(REPRICE, BATCH, "price-jobs", 9_000, [each(14, 60, Step::Do(&CHUNK))]);
queue!(REINDEX, SEARCH, "product-changes", 2_500, [each(9, 150, Step::Do(&INDEX))]);

/// Where traces begin, and how often.
pub static ENTRIES: &[Entry] = &[
    Entry { per_mille: 190, operation: &HEALTH },
    Entry { per_mille: 60, operation: &READY },
    Entry { per_mille: 180, operation: &ASSET },
    Entry { per_mille: 110, operation: &HOME },
    Entry { per_mille: 180, operation: &PRODUCT },
    Entry { per_mille: 80, operation: &SHOW_CART },
    Entry { per_mille: 60, operation: &ADD },
    Entry { per_mille: 70, operation: &LOOK },
    Entry { per_mille: 45, operation: &BUY },
    Entry { per_mille: 14, operation: &REINDEX },
    Entry { per_mille: 11, operation: &REPRICE },
];
